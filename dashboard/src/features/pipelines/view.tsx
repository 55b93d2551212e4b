/** One pipeline: its text, whether it is in use, its versions, and what changed between them. */
import { ArrowLeft } from 'lucide-react'
import { useState } from 'react'
import { put } from '@/api/client'
import { pipelinePath } from '@/api/detection'
import type { Pipeline } from '@/api/detection-types'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Btn, inputClass } from '@/ui'
import { PipelineEditor } from './editor'
import { PipelineChip } from './tab'
import { Compare, Versions } from './versions'

export default function PipelineView({ pipeline }: { pipeline: Pipeline }) {
  const { new: picked } = useSearchParams()
  const set = useSetSearch()
  const number = Number(picked)
  const compared = number >= 1 && number < pipeline.head ? number : null
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <Btn icon v="ghost" aria-label="Back to the pipelines" onClick={() => set({ id: undefined, new: undefined })}>
          <ArrowLeft size={15} aria-hidden="true" />
        </Btn>
        <h2 className="truncate font-mono text-sm font-semibold">{pipeline.name}</h2>
        <PipelineChip pipeline={pipeline} />
      </div>
      <div className="scroll min-h-0 flex-1 overflow-y-auto lg:grid lg:grid-cols-[minmax(0,1fr)_340px] lg:overflow-hidden">
        <div className="h-full min-h-[420px] lg:min-h-0">
          {compared ? <Compare pipeline={pipeline} from={compared} /> : <Edit pipeline={pipeline} />}
        </div>
        <Versions pipeline={pipeline} compared={compared} />
      </div>
    </div>
  )
}

function Edit({ pipeline }: { pipeline: Pipeline }) {
  const may = useCan()('rule.write')
  const [text, setText] = useState(pipeline.text)
  const [note, setNote] = useState('')
  const { error, busy, run } = useSubmit(['pipelines', 'pipeline'])
  const changed = text !== pipeline.text
  const send = () => put<Pipeline>(pipelinePath(pipeline.name), { text, note: note.trim() }, pipeline.version)
  const done = (now: Pipeline) => {
    setNote('')
    toast({ text: `Saved as version ${now.head}. What is in use stays until that version is put to use.` })
  }
  return (
    <PipelineEditor
      {...{ text, changed, busy, error }}
      name={pipeline.name}
      readOnly={!may}
      verb="Save new version"
      onText={setText}
      onSave={() => void run(send, done)}
      onDiscard={() => setText(pipeline.text)}
      note={
        <input
          aria-label="What this version is for"
          placeholder={changed ? 'What this version is for (optional)' : `Version ${pipeline.head}, nothing changed`}
          maxLength={500}
          className={`${inputClass} w-full`}
          value={note}
          onChange={e => setNote(e.target.value)}
        />
      }
    />
  )
}
