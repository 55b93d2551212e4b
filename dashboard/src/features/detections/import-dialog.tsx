/** Takes a rule with its samples and exceptions from a file that another installation exported. */
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { post } from '@/api/client'
import type { RuleDetail } from '@/api/detection-types'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Field, inputClass } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { STALE } from './state-dialog'

export default function ImportRule({ onClose }: { onClose: () => void }) {
  const [file, setFile] = useState<File | null>(null)
  const { error, busy, onSubmit } = useSubmit([...STALE, 'exceptions'])
  const navigate = useNavigate()
  const send = async () => {
    const text = await (file as File).text()
    let body: unknown
    try {
      body = JSON.parse(text)
    } catch (failure) {
      throw new Error(`${(file as File).name} is not what an export writes: ${(failure as Error).message}`)
    }
    return post<RuleDetail>('/rules/import', body)
  }
  const done = (rule: RuleDetail) => {
    onClose()
    toast({ text: `“${rule.title}” is here as a draft` })
    void navigate({ to: '/detections/$id', params: { id: rule.id } })
  }
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title="Import a rule"
      note="It comes in as a draft with its samples; its exceptions come with it."
      verb="Import"
      working="Reading…"
      incomplete={!file}
      onSubmit={onSubmit(send, done)}
    >
      <Field label="File" hint="As “Export” on a rule’s page writes it.">
        <input
          type="file"
          accept=".json,application/json"
          className={`${inputClass} h-auto py-1.5`}
          onChange={e => setFile(e.target.files?.[0] ?? null)}
        />
      </Field>
    </FormDialog>
  )
}
