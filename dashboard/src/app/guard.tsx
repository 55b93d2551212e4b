/** What a person may not do here is shown as such, with the reason; the server stays the authority. */
import type { ComponentProps } from 'react'
import { Btn } from '@/ui/basic'
import { Tip } from '@/ui/tip'
import { isRead, useUser } from './session'

const role = (name: string) => (name.startsWith('rol_') ? 'your role' : `the role ${name}`)

/** Why this person may not do it now; null when they may. */
export function useWhyNot() {
  const { user, tenant, permissions } = useUser()
  return (need: string): string | null => {
    if (!permissions.includes(need)) return `Needs the permission ${need}; ${role(user.role)} does not have it`
    if (tenant.state === 'suspended' && !isRead(need)) return 'The tenant is suspended: it can only be read'
    return null
  }
}

type Props = ComponentProps<typeof Btn> & {
  need: string
  /** Why it cannot be done now, whoever asks. */
  because?: string | null
}

/** A button that says why it cannot be pressed. It keeps the focus, so that keyboard and screen reader reach the reason. */
export function ActBtn({ need, because, ...props }: Props) {
  const why = useWhyNot()(need) ?? because
  if (!why) return <Btn {...props} />
  return (
    <Tip label={why}>
      <Btn {...props} type="button" v="default" aria-disabled="true" aria-description={why} onClick={undefined} />
    </Tip>
  )
}
