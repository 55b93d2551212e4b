/** The recovery codes in a dialog of their own, so that nobody passes them by. */
import { Modal } from '@/ui/modal'
import { Codes } from './codes'

export default function CodesDialog({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  return (
    <Modal open onClose={onClose} title="Your recovery codes">
      <Codes codes={codes} onDone={onClose} />
    </Modal>
  )
}
