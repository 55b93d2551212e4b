/** Settings: what may be acted on, who may act, how events come in, and the one switch. */
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { cn, NoPermission } from '@/ui'
import { AutomationSection } from './automation'
import { Targets } from './targets'
import { Tokens } from './tokens'
import { Users } from './users'

const SECTIONS = [
  { id: 'targets', label: 'Targets', needs: 'target.read', view: Targets },
  { id: 'tokens', label: 'Tokens', needs: 'token.read', view: Tokens },
  { id: 'users', label: 'Users', needs: 'user.read', view: Users },
  { id: 'automation', label: 'Automation', needs: 'automation.read', view: AutomationSection },
] as const

export default function SettingsPage() {
  const { tab } = useSearchParams()
  const set = useSetSearch()
  const can = useCan()
  const { version } = useUser()
  const chosen = SECTIONS.find(s => s.id === tab) ?? SECTIONS.find(s => can(s.needs)) ?? SECTIONS[0]
  const View = chosen.view
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-1 border-b border-line px-3">
        <h1 className="mr-2 text-sm font-semibold">Settings</h1>
        <div role="tablist" aria-label="Sections" className="flex items-center gap-0.5">
          {SECTIONS.filter(s => can(s.needs)).map(s => (
            <button
              key={s.id}
              role="tab"
              type="button"
              aria-selected={s === chosen}
              onClick={() => set({ tab: s.id })}
              className={cn(
                'flex h-7 items-center rounded-md px-2 text-sm',
                s === chosen ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover',
              )}
            >
              {s.label}
            </button>
          ))}
        </div>
        <span className="ml-auto font-mono text-2xs text-fg-3">ShieldOps {version}</span>
      </div>
      <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label={chosen.label} tabIndex={0}>
        <div className="mx-auto max-w-[1080px]">
          {can(chosen.needs) ? <View /> : <NoPermission need={chosen.needs} />}
        </div>
      </section>
    </div>
  )
}
