/** The actions of a plan that is being written: one is just its fields, of several each has its place, which changes. */
import { ArrowDown, ArrowUp, Plus, X } from 'lucide-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { Capability } from '@/api/response-types'
import type { Entity, Target } from '@/api/types'
import { Btn, cn, Field, InlineError, inputClass } from '@/ui'
import { ActionFields } from './action-fields'
import { begun, type Draft, MOST_ACTIONS, moved } from './drafts'

type Props = {
  drafts: Draft[]
  onDrafts: (drafts: Draft[]) => void
  capabilities: Capability[]
  targets: Target[]
  entities: Entity[]
  /** What the page is about: alone it need not be chosen. */
  ofPage: Capability
  touched: boolean
  /** What the server refused of one of them. */
  refused: { key: number; error: unknown } | undefined
}

/** What is to have the focus when the list was drawn again. */
type Next = { key: number; selectors: string[] } | undefined

/** What changes the list, says so, and takes the focus along. */
function useEdits({
  drafts,
  onDrafts,
  capabilities,
  targets,
  entities,
}: Omit<Props, 'ofPage' | 'touched' | 'refused'>) {
  const box = useRef<HTMLDivElement>(null)
  const [next, setNext] = useState<Next>()
  const [said, setSaid] = useState('')
  useEffect(() => {
    const one = next && box.current?.querySelector(`[data-draft="${next.key}"]`)
    const found = next?.selectors.map(selector => one?.querySelector<HTMLElement>(selector)).find(Boolean)
    found?.focus()
  }, [next])
  const change = (key: number, to: Partial<Draft>) =>
    onDrafts(drafts.map(draft => (draft.key === key ? { ...draft, ...to } : draft)))
  const choose = ({ key, target }: Draft, name: string) => {
    const capability = capabilities.find(one => one.name === name)
    change(key, begun(key, capability, { targets, entities, target: target || drafts[0]?.target }))
  }
  const add = () => {
    const key = Math.max(...drafts.map(draft => draft.key)) + 1
    onDrafts([...drafts, { key, capability: undefined, target: '', typed: {} }])
    setNext({ key, selectors: ['select'] })
    setSaid(`Action ${drafts.length + 1} added.`)
  }
  const move = (at: number, by: 1 | -1) => {
    const key = drafts[at]?.key ?? 0
    onDrafts(moved(drafts, at, by))
    const [same, other] = by < 0 ? ['up', 'down'] : ['down', 'up']
    setNext({ key, selectors: [`[data-move="${same}"]:enabled`, `[data-move="${other}"]`] })
    setSaid(`Now action ${at + by + 1} of ${drafts.length}.`)
  }
  const remove = (at: number) => {
    const rest = drafts.toSpliced(at, 1)
    onDrafts(rest)
    const near = rest[Math.min(at, rest.length - 1)]
    setNext(near && { key: near.key, selectors: ['[data-remove]', 'select'] })
    setSaid(`Action ${at + 1} removed.`)
  }
  return { box, said, change, choose, add, move, remove }
}

export function ActionList(props: Props) {
  const { drafts, capabilities, targets, entities, ofPage, touched, refused } = props
  const { box, said, change, choose, add, move, remove } = useEdits(props)
  useEffect(() => {
    if (refused) box.current?.querySelector<HTMLElement>(`[data-draft="${refused.key}"]`)?.focus()
  }, [refused, box])
  const many = drafts.length > 1
  return (
    <div ref={box} className="flex flex-col gap-3">
      {drafts.map((draft, at) => (
        <Frame
          key={draft.key}
          draft={draft}
          many={many}
          place={at + 1}
          of={drafts.length}
          onMove={by => move(at, by)}
          onRemove={() => remove(at)}
        >
          {(many || draft.capability?.name !== ofPage.name) && (
            <Chosen
              draft={draft}
              capabilities={capabilities}
              touched={touched}
              onChosen={name => choose(draft, name)}
            />
          )}
          {draft.capability && (
            <ActionFields {...{ draft, targets, entities, touched }} onChange={to => change(draft.key, to)} />
          )}
          {refused?.key === draft.key && <InlineError error={refused.error} />}
        </Frame>
      ))}
      <div className="flex flex-wrap items-center gap-2">
        <Btn size="sm" disabled={drafts.length >= MOST_ACTIONS} onClick={add}>
          <Plus size={13} aria-hidden="true" />
          Add another action
        </Btn>
        {drafts.length >= MOST_ACTIONS && (
          <span className="text-xs text-fg-3">A plan has at most {MOST_ACTIONS} actions.</span>
        )}
        <span role="status" className="sr-only">
          {said}
        </span>
      </div>
    </div>
  )
}

type FrameProps = {
  draft: Draft
  many: boolean
  place: number
  of: number
  onMove: (by: 1 | -1) => void
  onRemove: () => void
  children: ReactNode
}

/** The same elements for one and for several, so that what is written stays when a second one comes. */
function Frame({ draft, many, place, of, onMove, onRemove, children }: FrameProps) {
  const what = draft.capability?.title ?? 'not chosen yet'
  const named = many ? { role: 'group', 'aria-label': `Action ${place} of ${of}: ${what}` } : {}
  return (
    <div {...named} data-draft={draft.key} tabIndex={-1} className={cn(many && 'rounded-md border border-line')}>
      {many && (
        <div className="flex items-center gap-1 border-b border-line py-1 pr-1 pl-2.5 text-xs font-medium">
          <span className="num mr-auto">Action {place}</span>
          <Btn
            v="ghost"
            icon
            size="sm"
            data-move="up"
            aria-label={`Move action ${place} up`}
            disabled={place === 1}
            onClick={() => onMove(-1)}
          >
            <ArrowUp size={13} aria-hidden="true" />
          </Btn>
          <Btn
            v="ghost"
            icon
            size="sm"
            data-move="down"
            aria-label={`Move action ${place} down`}
            disabled={place === of}
            onClick={() => onMove(1)}
          >
            <ArrowDown size={13} aria-hidden="true" />
          </Btn>
          <Btn v="ghost" icon size="sm" data-remove aria-label={`Remove action ${place}`} onClick={onRemove}>
            <X size={13} aria-hidden="true" />
          </Btn>
        </div>
      )}
      <div className={cn('flex flex-col gap-3', many && 'p-2.5')}>{children}</div>
    </div>
  )
}

type ChosenProps = { draft: Draft; capabilities: Capability[]; touched: boolean; onChosen: (name: string) => void }

function Chosen({ draft, capabilities, touched, onChosen }: ChosenProps) {
  const { capability } = draft
  return (
    <Field label="What is done" error={touched && !capability ? 'Choose what is to be done.' : undefined}>
      <select required className={inputClass} value={capability?.name ?? ''} onChange={e => onChosen(e.target.value)}>
        <option value="">Choose…</option>
        {capabilities.map(one => (
          <option key={one.name} value={one.name}>
            {one.title}
          </option>
        ))}
      </select>
    </Field>
  )
}
