/** The pages that exist, in the order of the sidebar; the palette and the `g` shortcuts read the same list. */
import {
  Activity,
  Bell,
  Building2,
  FileCode,
  Gauge,
  Grid3x3,
  ListTodo,
  type LucideIcon,
  Radar,
  ScrollText,
  Search,
  Settings,
  ShieldAlert,
  ShieldCheck,
} from 'lucide-react'

export type NavItem = {
  to: string
  label: string
  icon: LucideIcon
  keys: string
  /** A permission; absent for what everybody who is signed in may open. */
  needs?: string
  /** Only for operators of the installation. */
  operator?: boolean
  words?: string
  badge?: 'alerts' | 'incidents' | 'plans' | 'dead_letters'
}

export const NAV: { group: string; items: NavItem[] }[] = [
  {
    group: 'Respond',
    items: [
      { to: '/', label: 'Command', icon: Gauge, keys: 'g c', needs: 'incident.read', words: 'home overview' },
      { to: '/alerts', label: 'Alerts', icon: Bell, keys: 'g a', needs: 'alert.read', badge: 'alerts' },
      {
        to: '/incidents',
        label: 'Incidents',
        icon: ShieldAlert,
        keys: 'g i',
        needs: 'incident.read',
        badge: 'incidents',
      },
      { to: '/approvals', label: 'Approvals', icon: ShieldCheck, keys: 'g p', needs: 'plan.read', badge: 'plans' },
    ],
  },
  {
    group: 'Investigate',
    items: [
      { to: '/events', label: 'Events', icon: Search, keys: 'g e', needs: 'event.read', words: 'search hunt logs' },
    ],
  },
  {
    group: 'Engineer',
    items: [
      {
        to: '/detections',
        label: 'Detections',
        icon: FileCode,
        keys: 'g d',
        needs: 'rule.read',
        words: 'rules sigma exceptions editor backtest',
      },
      {
        to: '/coverage',
        label: 'Coverage',
        icon: Grid3x3,
        keys: 'g v',
        needs: 'rule.read',
        words: 'attack mitre navigator gaps not checked',
      },
      {
        to: '/indicators',
        label: 'Indicators',
        icon: Radar,
        keys: 'g x',
        needs: 'rule.read',
        words: 'threat intel lists iocs import hits',
      },
    ],
  },
  {
    group: 'Admin',
    items: [
      {
        to: '/ingest',
        label: 'Ingest',
        icon: Activity,
        keys: 'g n',
        needs: 'ingest.read',
        words: 'health dead letters sources',
        badge: 'dead_letters',
      },
      { to: '/jobs', label: 'Jobs', icon: ListTodo, keys: 'g j', needs: 'job.read', words: 'background bulk progress' },
      { to: '/ledger', label: 'Ledger', icon: ScrollText, keys: 'g l', needs: 'ledger.read', words: 'audit verify' },
      {
        to: '/settings',
        label: 'Settings',
        icon: Settings,
        keys: 'g s',
        words:
          'account password passkey members roles keys tokens sessions targets automation autonomy freezes limits protected teams standing usage grants',
      },
    ],
  },
  {
    group: 'Installation',
    items: [
      { to: '/tenants', label: 'Tenants', icon: Building2, keys: 'g t', operator: true, words: 'suspend lock delete' },
      {
        to: '/installation/ledger',
        label: 'Installation ledger',
        icon: ScrollText,
        keys: 'g b',
        operator: true,
        words: 'audit verify operators tenants',
      },
    ],
  },
]
export const NAV_ITEMS = NAV.flatMap(g => g.items)

export const mayOpen = (item: NavItem, can: (need: string) => boolean, operator: boolean) =>
  (!item.needs || can(item.needs)) && (!item.operator || operator)
