/** Settings: oneself, who else may act, what machines may do, what may be acted on, and the tenant's own rules. */
import { Link } from '@tanstack/react-router'
import { type ComponentType, lazy, Suspense } from 'react'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { cn, inputClass, NoPermission, Skeleton } from '@/ui'
import { AutomationSection } from './automation'
import { Targets } from './targets'
import { Tokens } from './tokens'

const load = <K extends string>(get: () => Promise<Record<K, ComponentType>>, name: K) =>
  lazy(() => get().then(module => ({ default: module[name] })))

type Section = { id: string; label: string; needs?: string; view: ComponentType }
const GROUPS: { group: string; sections: Section[] }[] = [
  {
    group: 'You',
    sections: [
      { id: 'account', label: 'Account', view: load(() => import('./account'), 'Account') },
      { id: 'sessions', label: 'Sessions', view: load(() => import('./sessions'), 'Sessions') },
    ],
  },
  {
    group: 'People',
    sections: [
      { id: 'members', label: 'Members', needs: 'user.read', view: load(() => import('./members'), 'Members') },
      { id: 'roles', label: 'Roles', needs: 'role.read', view: load(() => import('./roles'), 'Roles') },
      { id: 'grants', label: 'Grants', needs: 'grant.read', view: load(() => import('./grants'), 'Grants') },
    ],
  },
  {
    group: 'Machines',
    sections: [
      { id: 'keys', label: 'API keys', needs: 'key.read', view: load(() => import('./keys'), 'Keys') },
      { id: 'tokens', label: 'Tokens', needs: 'token.read', view: Tokens },
    ],
  },
  {
    group: 'Response',
    sections: [
      { id: 'targets', label: 'Targets', needs: 'target.read', view: Targets },
      { id: 'automation', label: 'Automation', needs: 'automation.read', view: AutomationSection },
      {
        id: 'autonomy',
        label: 'Autonomy and freezes',
        needs: 'automation.read',
        view: load(() => import('../gate/autonomy'), 'AutonomyAndFreezes'),
      },
      {
        id: 'limits',
        label: 'Response limits',
        needs: 'automation.read',
        view: load(() => import('../gate/limits'), 'ResponseLimits'),
      },
      {
        id: 'protected',
        label: 'Protected',
        needs: 'automation.read',
        view: load(() => import('../gate/protected'), 'Protected'),
      },
      { id: 'teams', label: 'Teams', needs: 'automation.read', view: load(() => import('../gate/teams'), 'Teams') },
      {
        id: 'standing',
        label: 'Standing grants',
        needs: 'automation.read',
        view: load(() => import('../gate/standing'), 'StandingGrants'),
      },
      {
        id: 'changes',
        label: 'Waiting changes',
        needs: 'automation.read',
        view: load(() => import('../gate/changes'), 'Changes'),
      },
    ],
  },
  {
    group: 'Tenant',
    sections: [
      { id: 'rules', label: 'Policy', needs: 'settings.read', view: load(() => import('./policy'), 'Policy') },
      { id: 'usage', label: 'Usage', needs: 'usage.read', view: load(() => import('./usage'), 'UsageSection') },
    ],
  },
]
const SECTIONS = GROUPS.flatMap(g => g.sections)

export default function SettingsPage() {
  const { tab } = useSearchParams()
  const can = useCan()
  const { version } = useUser()
  const chosen = SECTIONS.find(s => s.id === tab) ?? (SECTIONS[0] as Section)
  const View = chosen.view
  return (
    <div className="flex h-full min-h-0 max-md:flex-col">
      <Sections chosen={chosen.id} version={version} />
      <Choose chosen={chosen.id} />
      <section
        className="scroll min-h-0 min-w-0 flex-1 overflow-y-auto p-4"
        aria-label={`Settings: ${chosen.label}`}
        tabIndex={0}
      >
        <div className="mx-auto max-w-[1080px]">
          <h1 className="mb-3 text-lg font-semibold tracking-tight">{chosen.label}</h1>
          {!chosen.needs || can(chosen.needs) ? (
            <Suspense fallback={<Skeleton label={`Loading ${chosen.label}`} />}>
              <View />
            </Suspense>
          ) : (
            <NoPermission need={chosen.needs} />
          )}
        </div>
      </section>
    </div>
  )
}

/** The sections on a narrow screen. */
function Choose({ chosen }: { chosen: string }) {
  const can = useCan()
  const set = useSetSearch()
  return (
    <div className="shrink-0 border-b border-line p-2 md:hidden">
      <select
        aria-label="Section of the settings"
        className={`${inputClass} w-full`}
        value={chosen}
        onChange={e => set({ tab: e.target.value }, true)}
      >
        {GROUPS.map(({ group, sections }) => (
          <optgroup key={group} label={group}>
            {sections
              .filter(s => !s.needs || can(s.needs))
              .map(s => (
                <option key={s.id} value={s.id}>
                  {s.label}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </div>
  )
}

function Sections({ chosen, version }: { chosen: string; version: string }) {
  const can = useCan()
  return (
    <nav
      aria-label="Settings"
      className="scroll flex w-[172px] shrink-0 flex-col overflow-y-auto border-r border-line p-2 max-md:hidden"
    >
      {GROUPS.map(({ group, sections }) => {
        const open = sections.filter(s => !s.needs || can(s.needs))
        if (!open.length) return null
        return (
          <div key={group} className="mb-2">
            <h2 className="px-2 pb-0.5 text-2xs leading-5 text-fg-3">{group}</h2>
            {open.map(s => (
              <Link
                key={s.id}
                to="/settings"
                search={{ tab: s.id }}
                aria-current={s.id === chosen ? 'page' : undefined}
                className={cn(
                  'flex h-7 items-center rounded-md px-2 text-sm',
                  s.id === chosen ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover hover:text-fg',
                )}
              >
                {s.label}
              </Link>
            ))}
          </div>
        )
      })}
      <span className="mt-auto px-2 pt-2 font-mono text-2xs text-fg-3">ShieldOps {version}</span>
    </nav>
  )
}
