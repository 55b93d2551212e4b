/** A new pipeline. It changes nothing before it is put to use. */
import { ArrowLeft } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import type { Pipeline } from '@/api/detection-types'
import { useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Btn, inputClass, NoPermission } from '@/ui'
import { isName, PipelineEditor } from './editor'

const TEMPLATE = `name: Our field names
priority: 20
transformations:
  - id: our_fields
    type: field_name_mapping
    mapping:
      SourceIp: src_ip
    rule_conditions:
      - type: logsource
        product: linux
`

export default function NewPipeline() {
  return useCan()('rule.write') ? <Write /> : <NoPermission need="rule.write" />
}

function Write() {
  const set = useSetSearch()
  const [name, setName] = useState('')
  const [text, setText] = useState(TEMPLATE)
  const { error, busy, run } = useSubmit(['pipelines', 'pipeline'])
  const typed = name.trim()
  const bad = typed !== '' && !isName(typed)
  const done = (made: Pipeline) => {
    toast({ text: `${made.name} is made. It changes nothing before it is put to use.` })
    set({ view: undefined, id: made.name })
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <Btn icon v="ghost" aria-label="Back to the pipelines" onClick={() => set({ view: undefined })}>
          <ArrowLeft size={15} aria-hidden="true" />
        </Btn>
        <h2 className="text-sm font-semibold">New pipeline</h2>
      </div>
      <div className="min-h-0 flex-1">
        <PipelineEditor
          {...{ text, busy, error }}
          name={typed}
          changed={isName(typed)}
          verb="Make pipeline"
          onText={setText}
          onSave={() => void run(() => post<Pipeline>('/pipelines', { name: typed, text }), done)}
          note={
            <span className="flex flex-wrap items-center gap-2">
              <input
                aria-label="Name"
                aria-invalid={bad || undefined}
                aria-describedby="pipeline-name-note"
                placeholder="Name, such as our_fields"
                maxLength={64}
                className={`${inputClass} w-64 font-mono`}
                value={name}
                onChange={e => setName(e.target.value)}
              />
              <span id="pipeline-name-note" className={bad ? 'text-xs text-critical' : 'text-xs text-fg-3'}>
                A letter first; then letters, digits, _, - and .
              </span>
            </span>
          }
        />
      </div>
    </div>
  )
}
