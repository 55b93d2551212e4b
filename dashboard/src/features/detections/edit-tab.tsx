/** Writes a rule of the tenant again: saving makes a new version, and the one that runs goes on running. */
import { useState } from 'react'
import { put } from '@/api/client'
import { rulePath } from '@/api/detection'
import type { RuleDetail } from '@/api/detection-types'
import { useUser } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { inputClass, NoPermission } from '@/ui'
import { draftOf, dropDraft, keepDraft, sameText } from './drafts'
import { RuleEditor } from './editor'
import { samplesText } from './samples'
import { STALE } from './state-dialog'
import { bodyOf, useCheck, type Written } from './use-check'

const savedOf = (rule: RuleDetail): Written => ({
  text: rule.source ?? '',
  match: samplesText(rule.samples?.match, rule.source),
  miss: samplesText(rule.samples?.miss, rule.source),
})

export default function EditTab({ rule }: { rule: RuleDetail }) {
  const { permissions } = useUser()
  if (!permissions.includes('rule.write')) return <NoPermission need="rule.write" />
  return <Edit rule={rule} />
}

function Edit({ rule }: { rule: RuleDetail }) {
  const saved = savedOf(rule)
  const [written, setWritten] = useState(() => draftOf(rule.id) ?? saved)
  const [note, setNote] = useState('')
  const checked = useCheck(written)
  const { error, busy, run } = useSubmit(STALE)
  const changed = !sameText(written, saved)
  const change = (part: Partial<Written>) => {
    const next = { ...written, ...part }
    setWritten(next)
    if (sameText(next, saved)) dropDraft(rule.id)
    else keepDraft(rule.id, next)
  }
  const send = () =>
    put<RuleDetail>(
      rulePath(rule.id),
      { ...bodyOf(written), ...(note.trim() && { note: note.trim() }) },
      rule.switched?.version ?? 0,
    )
  const done = (now: RuleDetail) => {
    dropDraft(rule.id)
    setWritten(savedOf(now))
    setNote('')
    toast({ text: `Saved as version ${now.head}. It does not run before it is put into shadow or enabled.` })
  }
  return (
    <RuleEditor
      {...{ written, checked, changed, busy, error }}
      verb="Save new version"
      onChange={change}
      onSave={() => void run(send, done)}
      onDiscard={() => {
        dropDraft(rule.id)
        setWritten(saved)
      }}
      note={
        <input
          aria-label="What this version is for"
          placeholder={changed ? 'What this version is for (optional)' : `Version ${rule.head ?? 1}, nothing changed`}
          maxLength={500}
          className={`${inputClass} w-full`}
          value={note}
          onChange={e => setNote(e.target.value)}
        />
      }
    />
  )
}
