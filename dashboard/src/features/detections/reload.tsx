/** Reads the rule files again, and shows what the loader says. */
import { RefreshCw } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import type { Diagnostic, Reloaded } from '@/api/types'
import { queryClient } from '@/app/query-client'
import { toast } from '@/app/toast'
import { Btn, plural, took } from '@/ui'
import { Diagnostics } from './diagnostics'

export function Reload() {
  const [busy, setBusy] = useState(false)
  const [found, setFound] = useState<Diagnostic[]>([])
  const run = async () => {
    setBusy(true)
    try {
      const result = await post<Reloaded>('/rules/reload')
      setFound(result.diagnostics)
      toast({
        text: `${plural(result.loaded, 'rule')} loaded in ${took(result.took_ms)}${result.failed ? `, ${result.failed} failed` : ''}`,
        tone: result.failed ? 'critical' : 'ok',
      })
      await queryClient.invalidateQueries({ queryKey: ['rules'] })
    } catch (error) {
      toast({ text: (error as Error).message, tone: 'critical' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      {found.length > 0 && <Diagnostics items={found} onClose={() => setFound([])} />}
      <Btn onClick={() => void run()} disabled={busy}>
        <RefreshCw size={14} aria-hidden="true" />
        {busy ? 'Reloading…' : 'Reload'}
      </Btn>
    </>
  )
}
