/** Whoever changes a credential proves first who they are. Requests that wait for it share one dialog. */
import { store } from './store'

type Asking = {
  /** A passkey or a code of an app alone will do. */
  critical: boolean
  settle: (proved: boolean) => void
  answer: Promise<boolean>
} | null
export const asking = store<Asking>(null)

/** Asks the person; false when they would not. */
export async function prove(critical: boolean): Promise<boolean> {
  const open = asking.get()
  // What is asked already may be too little: then it is asked again, once that is answered.
  if (open) return (await open.answer) && (open.critical || !critical || prove(critical))
  let resolve: (proved: boolean) => void = () => {}
  const answer = new Promise<boolean>(done => {
    resolve = done
  })
  const settle = (proved: boolean) => {
    asking.set(null)
    resolve(proved)
  }
  asking.set({ critical, settle, answer })
  return answer
}
