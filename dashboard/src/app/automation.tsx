/** The one switch that halts everything: shown and reachable on every page. Only people resume. What is shown once it was pressed is in `halt`. */
import { useQuery } from '@tanstack/react-query'
import { OctagonPause } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { automationQuery } from '@/api/queries'
import type { Automation } from '@/api/types'
import { Btn } from '@/ui/basic'
import { Tip } from '@/ui/tip'
import { useCan } from './session'
import { store } from './store'

const Halt = lazy(() => import('./halt'))
export const asking = store<'halt' | 'resume' | null>(null)
export const askHalt = () => asking.set('halt')
export const askResume = () => asking.set('resume')

export const useAutomation = (): Automation | undefined => {
  const can = useCan()
  return useQuery({ ...automationQuery, enabled: can('automation.read') }).data
}

export function HaltButton() {
  const state = useAutomation()
  const can = useCan()
  if (!state || state.halted || !can('automation.write', 'stop')) return null
  return (
    <Tip label="Stop all automation and pending runs">
      <Btn v="ghost" onClick={askHalt} aria-label="Halt automation">
        <OctagonPause size={15} aria-hidden="true" />
        <span className="hidden lg:inline">Halt</span>
      </Btn>
    </Tip>
  )
}

/** The banner while everything is halted, and the question before it is or is not any more. */
export function Halted() {
  const halted = useAutomation()?.halted
  const what = asking.use(a => a)
  return <Suspense>{(halted || what) && <Halt what={what} />}</Suspense>
}
