/** Changes a tenant's name, address and parent. */
import { useState } from 'react'
import { patch } from '@/api/client'
import type { Tenant } from '@/api/types'
import { switchTenant, useUser } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { FormDialog } from '@/ui/form-dialog'
import { TenantFields } from './fields'
import { STALE } from './form'

type Props = { tenant: Tenant; parent: Tenant | undefined; onClose: () => void }

export default function RenameDialog({ tenant, parent, onClose }: Props) {
  const { tenant: here } = useUser()
  const [form, setForm] = useState({ name: tenant.name, slug: tenant.slug, parent: parent?.slug ?? '' })
  const { error, busy, onSubmit } = useSubmit(STALE)
  const body = {
    ...(form.name.trim() !== tenant.name && { name: form.name.trim() }),
    ...(form.slug !== tenant.slug && { slug: form.slug }),
    ...(form.parent !== (parent?.slug ?? '') && { parent: form.parent }),
  }
  const done = (renamed: Tenant) => {
    onClose()
    // The address of this very page has changed.
    if (tenant.slug === here.slug && renamed.slug !== here.slug) switchTenant(renamed.slug)
  }
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={`Change ${tenant.name}`}
      verb="Save"
      working="Saving…"
      incomplete={!Object.keys(body).length}
      onSubmit={onSubmit(() => patch<Tenant>(`/tenants/${tenant.slug}`, body, tenant.version), done)}
    >
      <TenantFields
        form={form}
        onChange={change => setForm({ ...form, ...change })}
        of={tenant}
        hints={{
          slug: 'Links with the old one no longer lead here.',
          parent: 'Another parent, or none, ends the grants to the one before.',
        }}
      />
    </FormDialog>
  )
}
