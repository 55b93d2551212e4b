/** Whoever changes a credential proves first who they are. Requests that wait for it share one dialog. */
import { store } from './store'

type Asking = { settle: (proved: boolean) => void; answer: Promise<boolean> } | null
export const asking = store<Asking>(null)

/** Asks the person; false when they would not. */
export function prove(): Promise<boolean> {
  const open = asking.get()
  if (open) return open.answer
  let resolve: (proved: boolean) => void = () => {}
  const answer = new Promise<boolean>(done => {
    resolve = done
  })
  const settle = (proved: boolean) => {
    asking.set(null)
    resolve(proved)
  }
  asking.set({ settle, answer })
  return answer
}
