/** Undo of a whole plan: what it would do is shown before anything is touched. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { previewUndo } from '@/api/response'
import type { UndoReport } from '@/api/response-types'
import type { Plan } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Btn, Loaded } from '@/ui'
import { FormDialog, ReasonField } from '@/ui/form-dialog'
import { Modal } from '@/ui/modal'
import { undoMany } from './acts'
import { UndoReportView } from './undo-report'

export default function UndoPlan({ plan, onClose }: { plan: Plan; onClose: () => void }) {
  const scope = { plan_id: plan.id }
  const query = useQuery({
    queryKey: ['undo-preview', plan.id, plan.version],
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
      <Modal open onClose={onClose} title="Undo this plan" note={plan.title} width={900}>
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
      title="Undo this plan"
      note={plan.title}
      width={900}
      verb="Undo plan"
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
