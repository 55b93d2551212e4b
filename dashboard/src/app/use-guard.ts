/** What was written and not sent is not lost without a question. */
import { useEffect } from 'react'

/** Closing the tab with something unsaved asks first. */
export function useGuard(unsaved: boolean) {
  useEffect(() => {
    if (!unsaved) return
    const ask = (e: BeforeUnloadEvent) => e.preventDefault()
    addEventListener('beforeunload', ask)
    return () => removeEventListener('beforeunload', ask)
  }, [unsaved])
}
