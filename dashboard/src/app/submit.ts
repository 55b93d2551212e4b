/** A form's life: send, busy, refused, done. */
import { type FormEvent, useState } from 'react'
import { queryClient } from '@/app/query-client'

const refresh = (stale: string[]) => Promise.all(stale.map(key => queryClient.invalidateQueries({ queryKey: [key] })))

export function useSubmit(stale: string[]) {
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const run = async <T>(act: () => Promise<T>, then?: (result: T) => void) => {
    setBusy(true)
    setError(null)
    try {
      const result = await act()
      await refresh(stale)
      then?.(result)
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  const onSubmit =
    <T>(act: () => Promise<T>, then?: (result: T) => void) =>
    (e: FormEvent) => {
      e.preventDefault()
      void run(act, then)
    }
  return { error, busy, run, onSubmit }
}

/** For dialogs that show the refusal themselves. */
export async function acted<T>(act: Promise<T>, stale: string[]): Promise<T> {
  const result = await act
  await refresh(stale)
  return result
}
