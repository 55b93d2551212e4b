/** Undo of many actions: what it would do is shown before anything is touched. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { previewUndo, type UndoScope } from '@/api/response'
import type { UndoReport } from '@/api/response-types'
import { useSubmit } from '@/app/submit'
import { Btn, Loaded } from '@/ui'
import { FormDialog, ReasonField } from '@/ui/form-dialog'
import { Modal } from '@/ui/modal'
import { undoMany } from './acts'
import { UndoReportView } from './undo-report'

type Props = { scope: UndoScope; title: string; note: string; verb: string; onClose: () => void }

export default function UndoMany({ scope, title, note, verb, onClose }: Props) {
  const query = useQuery({
    queryKey: ['undo-preview', scope],
    queryFn: () => previewUndo(scope),
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  })
  const [done, setDone] = useState<UndoReport | null>(null)
  const [reason, setReason] = useState('')
  const { error, busy, onSubmit } = useSubmit([])
  if (done)
    return (
      <Modal open onClose={onClose} {...{ title, note }} width={900}>
        <UndoReportView report={done} />
        <div className="mt-3 flex justify-end">
          <Btn onClick={onClose}>Close</Btn>
        </div>
      </Modal>
    )
  const some = !!query.data && query.data.items.some(item => item.prospect !== 'nothing' && item.prospect !== 'cannot')
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      {...{ title, note, verb }}
      width={900}
      incomplete={!some || !reason.trim()}
      onSubmit={onSubmit(() => undoMany(scope, reason.trim()), setDone)}
    >
      <Loaded query={query} what="The preview">
        {report => <UndoReportView report={report} />}
      </Loaded>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}
