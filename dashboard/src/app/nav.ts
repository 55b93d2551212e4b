/** The pages that exist, in the order of the sidebar; the palette and the `g` shortcuts read the same list. */
import {
  Activity,
  Bell,
  BellRing,
  Building2,
  FileCode,
  Gauge,
  Grid3x3,
  ListTodo,
  type LucideIcon,
  Radar,
  Scale,
  ScrollText,
  Search,
  Settings,
  ShieldAlert,
  ShieldCheck,
  Wrench,
  Zap,
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
  badge?: 'alerts' | 'incidents' | 'plans' | 'dead_letters'
}

export const NAV: { group: string; items: NavItem[] }[] = [
  {
    group: 'Respond',
    items: [
      { to: '/', label: 'Command', icon: Gauge, keys: 'g c', needs: 'incident.read' },
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
      { to: '/actions', label: 'Actions', icon: Zap, keys: 'g u', needs: 'action.read' },
      { to: '/capabilities', label: 'Capabilities', icon: Wrench, keys: 'g w', needs: 'plan.read' },
    ],
  },
  {
    group: 'Investigate',
    items: [{ to: '/events', label: 'Events', icon: Search, keys: 'g e', needs: 'event.read' }],
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
      },
      {
        to: '/coverage',
        label: 'Coverage',
        icon: Grid3x3,
        keys: 'g v',
        needs: 'rule.read',
      },
      {
        to: '/indicators',
        label: 'Indicators',
        icon: Radar,
        keys: 'g x',
        needs: 'rule.read',
      },
      { to: '/policies', label: 'Policies', icon: Scale, keys: 'g r', needs: 'automation.read' },
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
        badge: 'dead_letters',
      },
      { to: '/jobs', label: 'Jobs', icon: ListTodo, keys: 'g j', needs: 'job.read' },
      { to: '/notifications', label: 'Notifications', icon: BellRing, keys: 'g m', needs: 'settings.read' },
      { to: '/ledger', label: 'Ledger', icon: ScrollText, keys: 'g l', needs: 'ledger.read' },
      {
        to: '/settings',
        label: 'Settings',
        icon: Settings,
        keys: 'g s',
      },
    ],
  },
  {
    group: 'Installation',
    items: [
      { to: '/tenants', label: 'Tenants', icon: Building2, keys: 'g t', operator: true },
      {
        to: '/installation/ledger',
        label: 'Installation ledger',
        icon: ScrollText,
        keys: 'g b',
        operator: true,
      },
    ],
  },
]
export const NAV_ITEMS = NAV.flatMap(g => g.items)

export const mayOpen = (item: NavItem, can: (need: string) => boolean, operator: boolean) =>
  (!item.needs || can(item.needs)) && (!item.operator || operator)
