/** Gives a key another secret; the ones before stay good for a while, so that nothing has to stop. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { ApiKey, CreatedKey } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'

const OVERLAPS: [number, string][] = [
  [0, 'end at once'],
  [3_600, 'for an hour'],
  [86_400, 'for a day'],
  [604_800, 'for a week'],
  [2_592_000, 'for 30 days'],
]

type Props = { apiKey: ApiKey; onMade: (key: CreatedKey) => void; onClose: () => void }

export default function RotateDialog({ apiKey, onMade, onClose }: Props) {
  const [overlap, setOverlap] = useState(86_400)
  const { error, busy, onSubmit } = useSubmit(['keys'])
  const send = () => post<CreatedKey>(`/keys/${apiKey.id}/rotate`, { overlap_s: overlap })
  const done = (key: CreatedKey) => {
    onMade(key)
    onClose()
  }
  return (
    <Modal
      open
      onClose={onClose}
      title={`Rotate ${apiKey.name}`}
      note="You get a new secret now. Put it in place before the old one ends."
    >
      <form onSubmit={onSubmit(send, done)} className="flex flex-col gap-3">
        <Field label="The secrets before it stay good">
          <select className={inputClass} value={overlap} onChange={e => setOverlap(Number(e.target.value))}>
            {OVERLAPS.map(([seconds, label]) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <InlineError error={error} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy}>
            {busy ? 'Rotating…' : 'Rotate'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
