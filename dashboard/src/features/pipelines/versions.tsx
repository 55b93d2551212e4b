/** Which version of a pipeline is in use, which there were, and putting one to use. */
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { del, patch } from '@/api/client'
import { pipelinePath, pipelineVersionQuery, pipelineVersionsQuery } from '@/api/detection'
import type { PartVersion, Pipeline } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useSetSearch } from '@/app/search'
import { acted } from '@/app/submit'
import { toast } from '@/app/toast'
import { useList } from '@/app/use-list'
import { Ago, Btn, Chip, cn, Loaded } from '@/ui'
import { counts, LineDiff } from '@/ui/line-diff'
import { diffLines } from '@/ui/lines'
import { LoadMore } from '@/ui/table'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const STALE = ['pipelines', 'pipeline', 'rules', 'rule']

type Asking = { what: 'use'; number: number } | { what: 'stop' } | { what: 'delete' }
type Props = { pipeline: Pipeline; compared: number | null }

export function Versions({ pipeline, compared }: Props) {
  const { query, items } = useList(pipelineVersionsQuery(pipeline.name))
  const [asking, setAsking] = useState<Asking | null>(null)
  const { head, live } = pipeline
  return (
    <section
      className="scroll min-h-0 overflow-y-auto border-t border-line bg-surface lg:border-t-0 lg:border-l"
      aria-label="State and versions"
      tabIndex={0}
    >
      <div className="flex flex-col gap-2 border-b border-line p-3 text-xs text-fg-2">
        <p>
          {live == null
            ? 'It is not in use: rules are compiled without it.'
            : live === head
              ? 'The newest version is in use.'
              : `Version ${live} is in use; version ${head} is newer.`}
        </p>
        {pipeline.reason && (
          <p className="text-fg-3">
            {pipeline.by_name}, <Ago at={pipeline.updated_at} suffix />: {pipeline.reason}
          </p>
        )}
        <div className="flex flex-wrap gap-1.5">
          {live !== head && (
            <ActBtn
              need="rule.write"
              size="sm"
              v="primary"
              onClick={() => setAsking({ what: 'use', number: pipeline.head })}
            >
              Use version {head}…
            </ActBtn>
          )}
          {live != null ? (
            <ActBtn need="rule.write" size="sm" onClick={() => setAsking({ what: 'stop' })}>
              Take out of use…
            </ActBtn>
          ) : (
            <ActBtn need="rule.write" size="sm" v="ghost" onClick={() => setAsking({ what: 'delete' })}>
              Delete…
            </ActBtn>
          )}
        </div>
      </div>
      <Loaded query={query} what="Versions">
        {() => (
          <ul aria-label="Versions">
            {items?.map(version => (
              <Row
                key={version.number}
                version={version}
                newest={version.number === head}
                on={version.number === compared}
                onUse={() => setAsking({ what: 'use', number: version.number })}
              />
            ))}
          </ul>
        )}
      </Loaded>
      <LoadMore query={query} />
      <Suspense>{asking && <Dialogs pipeline={pipeline} asking={asking} onClose={() => setAsking(null)} />}</Suspense>
    </section>
  )
}

type RowProps = { version: PartVersion; newest: boolean; on: boolean; onUse: () => void }

function Row({ version, newest, on, onUse }: RowProps) {
  const set = useSetSearch()
  return (
    <li className={cn('border-b border-line/60 px-3 py-2 text-xs', on && 'bg-active')}>
      <p className="flex items-center gap-1.5">
        <b className="font-medium">Version {version.number}</b>
        {version.live && <Chip tone="ok">in use</Chip>}
        {newest && <Chip tone="neutral">newest</Chip>}
      </p>
      <p className="text-fg-3">
        {version.by_name}, <Ago at={version.at} suffix />
      </p>
      {version.note && <p className="text-fg-2">{version.note}</p>}
      <p className="-ml-2 flex gap-1 pt-0.5">
        {!newest && (
          <Btn
            size="sm"
            v="ghost"
            aria-pressed={on}
            aria-label={on ? undefined : `Compare version ${version.number} with the newest`}
            onClick={() => set({ new: on ? undefined : String(version.number) })}
          >
            {on ? 'Back to the text' : 'Compare'}
          </Btn>
        )}
        {!version.live && (
          <ActBtn need="rule.write" size="sm" v="ghost" aria-label={`Use version ${version.number}…`} onClick={onUse}>
            Use…
          </ActBtn>
        )}
      </p>
    </li>
  )
}

type DialogProps = { pipeline: Pipeline; asking: Asking; onClose: () => void }

function Dialogs({ pipeline, asking, onClose }: DialogProps) {
  const { name, version } = pipeline
  const set = useSetSearch()
  if (asking.what === 'delete')
    return (
      <ConfirmDialog
        title={`Delete ${name}`}
        note="It goes with all its versions. That cannot be taken back."
        verb="Delete pipeline"
        type={name}
        act={() => acted(del(pipelinePath(name), version), ['pipelines']).then(() => set({ id: undefined }))}
        onClose={onClose}
      />
    )
  const use = asking.what === 'use'
  const body = use ? { active: true, version: asking.number } : { active: false }
  return (
    <ReasonDialog
      open
      title={use ? `Use version ${asking.number} of ${name}` : `Take ${name} out of use`}
      note={
        use
          ? 'The tenant’s rules are compiled with it from the next events on. Refused where one of them would not compile.'
          : 'The tenant’s rules are compiled without it from the next events on.'
      }
      verb={use ? 'Put to use' : 'Take out of use'}
      act={reason =>
        acted(patch<Pipeline>(pipelinePath(name), { ...body, reason }, version), STALE).then(() =>
          toast({ text: use ? `Version ${asking.number} is in use.` : `${name} is not in use any more.`, tone: 'ok' }),
        )
      }
      onClose={onClose}
    />
  )
}

export function Compare({ pipeline, from }: { pipeline: Pipeline; from: number }) {
  const query = useQuery(pipelineVersionQuery(pipeline.name, from))
  return (
    <section className="flex h-full min-h-0 flex-col bg-surface" aria-label="What changed">
      <Loaded query={query} what="Version">
        {version => {
          const rows = diffLines(version.text, pipeline.text)
          const changed = counts(rows)
          return (
            <>
              <div className="flex h-10 shrink-0 items-center gap-2 border-b border-line px-3 text-xs text-fg-2">
                From version {from} to version {pipeline.head}, the newest
                <span className="num ml-auto" role="status">
                  <span className="text-ok">+{changed.added}</span>{' '}
                  <span className="text-critical">−{changed.removed}</span>
                </span>
              </div>
              <div className="scroll min-h-0 flex-1 overflow-y-auto">
                <LineDiff rows={rows} label={`What changed from version ${from} to ${pipeline.head}`} />
              </div>
            </>
          )
        }}
      </Loaded>
    </section>
  )
}
