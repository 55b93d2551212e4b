/** What the dialogs of this page share. */
import { type FormEvent, useState } from 'react'
import { queryClient } from '@/app/query-client'

export const SLUG = '[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?'
export const SLUG_HINT = 'Lower-case letters, digits and dashes; it stands in addresses.'

/** `Northwind & Söhne` -> `northwind-sohne`. */
export const slugOf = (name: string) =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '')

/** Sends a change of tenants; the list and what one may enter are read again. */
export function useTenantAct<T>(act: () => Promise<T>, then: (result: T) => void) {
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const onSubmit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      const result = await act()
      await Promise.all(['tenants', 'me'].map(key => queryClient.invalidateQueries({ queryKey: [key] })))
      then(result)
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }
  return { error, busy, onSubmit }
}
