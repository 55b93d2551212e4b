/** Settings of the gate are written as a draft, and somebody else puts it in force: one frame for each part of them. */
import { useQuery } from '@tanstack/react-query'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { activate, GATE, gateSettingsQuery, writeDraft } from '@/api/gate'
import type { GateSettings, GateSettingsView, GateVersionDetail } from '@/api/types'
import { ActBtn, useWhyNot } from '@/app/guard'
import { useUser } from '@/app/session'
import { acted } from '@/app/submit'
import { toast } from '@/app/toast'
import { Ago, Btn, Card, Chip, Loaded } from '@/ui'
import { DiffTable } from '@/ui/diff-table'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))

export type PartProps = {
  settings: GateSettings
  change: (to: Partial<GateSettings>) => void
  /** It can be read and not changed. */
  locked: boolean
}
type FrameProps = { title: string; note: ReactNode; part: (props: PartProps) => ReactNode }

export function GatePart({ title, note, part }: FrameProps) {
  const query = useQuery(gateSettingsQuery)
  return (
    <Loaded query={query} what={title}>
      {view => (
        <div className="flex flex-col gap-3">
          {view.draft && <DraftCard view={view} draft={view.draft} />}
          <Editor key={`${view.number} ${view.draft?.number}`} {...{ view, title, note, part }} />
        </div>
      )}
    </Loaded>
  )
}

/** Changes go on top of the draft that waits: two parts can be changed before both are put in force. */
function Editor({ view, title, note, part }: FrameProps & { view: GateSettingsView }) {
  const from = view.draft?.settings ?? view.settings
  const [settings, setSettings] = useState(from)
  const [asking, setAsking] = useState(false)
  const locked = useWhyNot()('settings.write') !== null
  const dirty = JSON.stringify(settings) !== JSON.stringify(from)
  const save = (reason: string) =>
    acted(writeDraft(settings, reason, view.number), GATE).then(draft =>
      toast({ text: `Version ${draft.number} is written: it waits to be put in force.`, tone: 'ok' }),
    )
  return (
    <Card
      title={title}
      extra={<span>{view.number ? `version ${view.number} is in force` : 'what is built in is in force'}</span>}
    >
      <p className="border-b border-line px-3 py-2 text-xs text-fg-3">{note}</p>
      <fieldset disabled={locked} className="min-w-0">
        <legend className="sr-only">{title}</legend>
        {part({ settings, locked, change: to => setSettings({ ...settings, ...to }) })}
      </fieldset>
      <div className="flex items-center justify-end gap-2 border-t border-line px-3 py-2">
        {dirty && <Btn onClick={() => setSettings(from)}>Discard</Btn>}
        <ActBtn need="settings.write" v="primary" disabled={!dirty} onClick={() => setAsking(true)}>
          Write a draft…
        </ActBtn>
      </div>
      <Suspense>
        {asking && (
          <ReasonDialog
            open
            title="Write these settings as a draft"
            verb="Write draft"
            act={save}
            onClose={() => setAsking(false)}
          >
            <DiffTable before={view.settings} after={settings} label="What would change" />
          </ReasonDialog>
        )}
      </Suspense>
    </Card>
  )
}

/** The draft that waits: whose it is, what it changes, and who may put it in force. */
export function DraftCard({ view, draft }: { view: GateSettingsView; draft: GateVersionDetail }) {
  const { user } = useUser()
  const [open, setOpen] = useState(false)
  const [asking, setAsking] = useState(false)
  const alone = draft.by === user.id && !draft.tightens
  const why = 'You wrote it, and it does more than tighten: another person must put it in force'
  return (
    <Card
      title={`Version ${draft.number} waits`}
      extra={<Chip tone={draft.tightens ? 'ok' : 'medium'}>{draft.tightens ? 'only tightens' : 'takes two'}</Chip>}
      body="p-3"
    >
      <div className="flex flex-wrap items-center gap-2 text-xs">
        <span className="min-w-0 flex-1 basis-48 text-fg-2">
          Written by {draft.by_name} <Ago at={draft.at} suffix />: {draft.reason}
        </span>
        <Btn size="sm" v="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
          What it changes
        </Btn>
        <ActBtn
          need="settings.write"
          because={alone ? why : null}
          size="sm"
          v="primary"
          onClick={() => setAsking(true)}
        >
          Put in force…
        </ActBtn>
      </div>
      {open && (
        <div className="pt-2">
          <DiffTable before={view.settings} after={draft.settings} label={`What version ${draft.number} changes`} />
        </div>
      )}
      <Suspense>
        {asking && (
          <ReasonDialog
            open
            title={`Put version ${draft.number} in force`}
            verb="Put in force"
            act={reason =>
              acted(activate(draft.number, reason), GATE).then(() =>
                toast({ text: `Version ${draft.number} is in force.`, tone: 'ok' }),
              )
            }
            onClose={() => setAsking(false)}
          >
            <DiffTable before={view.settings} after={draft.settings} label="What changes" />
          </ReasonDialog>
        )}
      </Suspense>
    </Card>
  )
}
