/** Which tenant one is in, the others one may enter, and what state this one is in. */
import { CirclePause, FlaskConical } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import type { MeMembership, TenantState } from '@/api/types'
import { Btn, Chip, cn, DemoTag } from '@/ui/basic'
import { Logo } from '@/ui/logo'
import { Menu, type MenuHandle } from '@/ui/menu'
import { useHotkeys } from './hotkeys'
import { switchTenant, useUser } from './session'

const ENTERED: TenantState[] = ['active', 'suspended']
export const STATE_TONE: Record<TenantState, string> = {
  active: 'ok',
  suspended: 'medium',
  locked: 'critical',
  deleting: 'critical',
  deleted: 'neutral',
}

/** The tenants that one can go to from here. */
export function useOtherTenants(): MeMembership[] {
  const { tenants, tenant } = useUser()
  return useMemo(() => tenants.filter(other => other.slug !== tenant.slug), [tenants, tenant.slug])
}

const roleWord = (membership: MeMembership) =>
  `${membership.role.startsWith('rol_') ? 'custom role' : membership.role}${membership.by_grant ? ', by a grant' : ''}`

function row(membership: MeMembership) {
  const open = ENTERED.includes(membership.state)
  return {
    id: membership.slug,
    label: (
      <span className="flex items-center gap-2">
        {membership.name}
        {membership.state !== 'active' && <Chip tone={STATE_TONE[membership.state]}>{membership.state}</Chip>}
      </span>
    ),
    hint: `${membership.slug} · ${roleWord(membership)}`,
    disabled: !open,
    run: () => switchTenant(membership.slug),
  }
}

/** With one tenant only its name; with more, a menu. */
export function TenantSwitch({ open }: { open: boolean }) {
  const { tenant } = useUser()
  const others = useOtherTenants()
  const menu = useRef<MenuHandle>(null)
  const many = others.length > 0
  useHotkeys(many ? [{ keys: 'g o', label: 'Switch tenant', group: 'Go to', run: () => menu.current?.open() }] : NONE)
  const name = tenant.name || 'ShieldOps'
  return (
    <div
      className={cn('m-2 flex h-8 items-center gap-2', open ? 'px-1.5' : 'justify-center')}
      data-tenant={tenant.slug}
    >
      {open && <Logo />}
      {many ? (
        <Menu
          ref={menu}
          v="ghost"
          icon={!open}
          label={`Tenant ${name}: switch`}
          trigger={
            open ? (
              <span className="max-w-[112px] truncate font-semibold text-fg" title={name}>
                {name}
              </span>
            ) : (
              <Logo />
            )
          }
          items={others.map(row)}
        />
      ) : open ? (
        <span className="truncate font-semibold" title={name}>
          {name}
        </span>
      ) : (
        <Logo />
      )}
      {open && tenant.demo && <DemoTag />}
    </div>
  )
}
const NONE: [] = []

/** A suspended tenant can be read only; a demonstration is not one's own data. */
export function TenantBanner() {
  const { tenant } = useUser()
  const [hidden, setHidden] = useState(false)
  if (tenant.state === 'suspended') {
    return (
      <div role="status" className={`${BANNER} soft-medium`}>
        <CirclePause size={15} aria-hidden="true" />
        <p className="min-w-0">
          <b className="font-semibold">{tenant.name} is suspended.</b> It can be read and still takes events. Plans can
          be rejected and automation halted; nothing else changes until the operator of the installation resumes it.
        </p>
      </div>
    )
  }
  if (!tenant.demo || hidden) return null
  return (
    <div role="status" className={`${BANNER} soft-info`}>
      <FlaskConical size={15} aria-hidden="true" />
      <p className="min-w-0 truncate">This tenant holds a recorded demonstration: what is marked demo is not yours.</p>
      <Btn size="sm" v="ghost" className="ml-auto" onClick={() => setHidden(true)}>
        Hide
      </Btn>
    </div>
  )
}
const BANNER = 'flex min-h-9 shrink-0 items-center gap-2 border-b border-line px-4 py-1 text-sm'
