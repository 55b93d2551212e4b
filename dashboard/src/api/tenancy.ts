/** Tenancy, people and credentials, as the API answers them. */
export type TenantState = 'active' | 'suspended' | 'locked' | 'deleting' | 'deleted'
export type Environment = 'production' | 'staging' | 'development'
export type MeMembership = { slug: string; name: string; role: string; state: TenantState; by_grant: boolean }
export type Me = {
  user: { id: string; name: string; role: string }
  tenant: { id: string; name: string; slug: string; demo: boolean; state: TenantState }
  tenants: MeMembership[]
  operator: boolean
  csrf?: string | null
  permissions: string[]
  environments?: Environment[] | null
  version: string
  session_expires_at?: string | null
  strong: boolean
  verified_at?: string | null
  passkeys: boolean
}
export type Decision = { allowed: boolean; permission: string; rule: string; environments?: Environment[] | null }
export type FactorStatus = { totp: boolean; passkeys: number; recovery_codes_left: number }
export type TotpOffer = { secret: string; uri: string; ticket: string }
export type RecoveryCodes = { recovery_codes: string[] }
export type Passkey = { id: string; name: string; created_at: string; last_used_at?: string | null }
export type RegisteredPasskey = { passkey: Passkey; recovery_codes: string[] }
export type Ceremony = { ticket: string; options: unknown }
export type Method = 'totp' | 'passkey' | 'recovery_code'
export type Challenge = { ticket: string; methods: Method[]; expires_at: string }
export type User = {
  id: string
  name: string
  display?: string | null
  role: string
  disabled: boolean
  has_password: boolean
  second_factor: boolean
  created_at: string
  last_sign_in_at?: string | null
  version: number
}
export type Invitation = {
  id: string
  kind: 'invite' | 'reset'
  name: string
  role: string
  person?: string | null
  invited_by: string
  created_at: string
  expires_at: string
  spent_at?: string | null
  revoked_at?: string | null
}
export type Link = Invitation & { link?: string }
export type Role = {
  id: string
  name: string
  permissions: string[]
  environments?: Environment[] | null
  created_at: string
  updated_at: string
  version: number
}
export type BuiltInRole = { name: string; permissions: string[] }
export type Roles = { items: Role[]; next_cursor?: string | null; built_in: BuiltInRole[] }
export type ApiKey = {
  id: string
  name: string
  permissions: string[]
  routes: string[]
  addresses: string[]
  rate_per_s?: number | null
  created_by: string
  created_at: string
  expires_at?: string | null
  revoked_at?: string | null
  last_used_at?: string | null
  secrets: number
  version: number
}
export type CreatedKey = ApiKey & { key?: string; older_until?: string | null }
export type Session = {
  id: string
  user_id: string
  user_name: string
  client_addr?: string | null
  user_agent?: string | null
  strong: boolean
  tenant_slug: string
  created_at: string
  expires_at?: string | null
  last_used_at?: string | null
}
export type Grant = {
  id: string
  tenant: string
  grantee: string
  role: string
  reason: string
  granted_by: string
  created_at: string
  expires_at: string
  revoked_at?: string | null
}
export type Tenant = {
  id: string
  slug: string
  name: string
  demo: boolean
  state: TenantState
  parent?: string | null
  version: number
  created_at: string
  state_changed_at?: string | null
  delete_after?: string | null
}
export type Deletion = { tenant: Tenant; undone: string[]; cannot_be_undone: { action: string; reason: string }[] }
export type TenantLimits = {
  interactive_per_s?: number | null
  burst?: number | null
  batch_per_s?: number | null
  ingest_bytes_per_s?: number | null
}
export type TenantSettings = {
  require_second_factor?: boolean | null
  session_idle_minutes?: number | null
  session_hours?: number | null
  default_role?: string | null
  separation_of_duty: [string, string][]
  limits: TenantLimits
}
export type SettingsBase = {
  require_second_factor: boolean
  session_idle_minutes: number
  session_hours: number
  default_role: string
  interactive_per_s: number
  burst: number
  batch_per_s: number
  ingest_bytes_per_s: number
}
export type SettingsView = {
  version: number
  at?: string | null
  by: string
  own: TenantSettings
  base: SettingsBase
  effective: SettingsBase
}
export type SettingsVersion = { version: number; at?: string | null; by: string; value: TenantSettings }
export type Usage = {
  from: string
  to: string
  members: number
  custom_roles: number
  keys: number
  tokens: number
  sessions: number
  sources: number
  events: number
  alerts: number
  incidents: number
  actions: number
  ledger_entries: number
  events_by_day: { day: string; events: number }[]
}
