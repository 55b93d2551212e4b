/** A new rule, or a tenant's own in place of one that everybody has. It begins as a draft. */
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { ArrowLeft } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import { ruleQuery } from '@/api/detection'
import type { RuleDetail } from '@/api/detection-types'
import { useSearchParams } from '@/app/search'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Loaded, NoPermission } from '@/ui'
import { draftOf, dropDraft, keepDraft, sameText, template, uuid } from './drafts'
import { RuleEditor } from './editor'
import { samplesText } from './samples'
import { STALE } from './state-dialog'
import { bodyOf, useCheck, type Written } from './use-check'

export default function NewRulePage() {
  const can = useCan()
  const { rule, technique } = useSearchParams()
  if (!can('rule.write')) return <NoPermission need="rule.write" />
  return rule ? <Own id={rule} /> : <Write key={technique} start={blank(technique)} kept={`new ${technique ?? ''}`} />
}

const blank = (technique: string | undefined): Written => ({
  text: template(uuid(), new Date().toISOString().slice(0, 10), technique),
  match: '',
  miss: '',
})

function Own({ id }: { id: string }) {
  const query = useQuery(ruleQuery(id))
  return (
    <Loaded query={query} what="Rule">
      {rule => (
        <Write
          kept={`own ${id}`}
          of={rule}
          start={{
            text: rule.source ?? '',
            match: samplesText(rule.samples?.match, rule.source),
            miss: samplesText(rule.samples?.miss, rule.source),
          }}
        />
      )}
    </Loaded>
  )
}

function Write({ start, kept, of }: { start: Written; kept: string; of?: RuleDetail }) {
  const [begun] = useState(start)
  const [written, setWritten] = useState(() => draftOf(kept) ?? begun)
  const navigate = useNavigate()
  const checked = useCheck(written)
  const { error, busy, run } = useSubmit(STALE)
  const change = (part: Partial<Written>) => {
    const next = { ...written, ...part }
    setWritten(next)
    keepDraft(kept, next)
  }
  const done = (rule: RuleDetail) => {
    dropDraft(kept)
    toast({ text: 'Made as a draft. It is not evaluated before it is put into shadow or enabled.' })
    void navigate({ to: '/detections/$id', params: { id: rule.id } })
  }
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <Link
          to="/detections"
          className="inline-grid size-7.5 place-items-center rounded-md text-fg-2 hover:bg-hover"
          aria-label="Back to the rules"
        >
          <ArrowLeft size={15} />
        </Link>
        <h1 className="truncate text-sm font-semibold">{of ? `Your own: ${of.title}` : 'New rule'}</h1>
        <span className="truncate text-xs text-fg-3">
          {of
            ? 'It keeps the id: while it is in shadow or enabled, it stands here instead of the one that everybody has.'
            : 'Sigma, with samples beside it. It begins as a draft.'}
        </span>
      </header>
      <div className="min-h-0 flex-1">
        <RuleEditor
          {...{ written, checked, busy, error }}
          changed
          unsaved={!sameText(written, begun)}
          verb="Make draft"
          onChange={change}
          onSave={() => void run(() => post<RuleDetail>('/rules', bodyOf(written)), done)}
        />
      </div>
    </div>
  )
}
