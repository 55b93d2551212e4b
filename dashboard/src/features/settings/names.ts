/** Words for roles and permissions, and the roles that can be chosen. */
import { rolesQuery } from '@/api/queries'
import type { Role } from '@/api/types'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'

export const BUILT_IN: { id: string; label: string; means: string }[] = [
  { id: 'admin', label: 'Admin', means: 'Everything in this tenant, people and keys included' },
  { id: 'operator', label: 'Operator', means: 'Response, targets, rules and automation; no people' },
  { id: 'analyst', label: 'Analyst', means: 'Triage, plans, approvals, undo' },
  { id: 'auditor', label: 'Auditor', means: 'Reads everything, takes exports, changes nothing' },
  { id: 'viewer', label: 'Viewer', means: 'Reads alerts, incidents, plans and the ledger' },
]

/** A role's name: built-in, custom, or an id that this person may not look up. */
export function roleName(role: string, custom: Role[] | undefined) {
  const known = BUILT_IN.find(r => r.id === role)?.label ?? custom?.find(r => r.id === role)?.name
  return known ?? (role.startsWith('rol_') ? 'Custom role' : role)
}

/** The tenant's own roles, where one may read them. */
export function useRoles() {
  const can = useCan()
  return useList({ ...rolesQuery, enabled: can('role.read') })
}

/** `plan.approve` -> [`plan`, `approve`]. */
export const parts = (permission: string): [string, string] => {
  const [resource = '', action = ''] = permission.split('.')
  return [resource, action]
}
