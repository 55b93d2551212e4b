/** What a deletion undid first, and what stays on targets because it cannot be undone. */
import type { Deletion } from '@/api/types'
import { Btn, plural, short, Until } from '@/ui'

export function DeletionReport({ deletion, onClose }: { deletion: Deletion; onClose: () => void }) {
  const { tenant, undone, cannot_be_undone } = deletion
  return (
    <div role="status" className="rounded-lg border border-line-strong bg-surface px-3 py-2.5 text-xs">
      <div className="flex items-start gap-3">
        <div>
          <p className="text-sm font-medium">{tenant.name} is being deleted</p>
          <p className="text-fg-2">
            {tenant.delete_after && (
              <>
                Its key and rows are destroyed in <Until at={tenant.delete_after} over="a moment" />; until then the
                deletion can be called off.{' '}
              </>
            )}
            {undone.length > 0 && `${plural(undone.length, 'action')} ${undone.length === 1 ? 'was' : 'were'} undone.`}
          </p>
        </div>
        <Btn size="sm" v="ghost" className="ml-auto" onClick={onClose}>
          Done
        </Btn>
      </div>
      {cannot_be_undone.length > 0 && (
        <div className="mt-2 rounded-md p-2 soft-high">
          <p className="font-medium">This stays on targets and was written into the installation’s ledger:</p>
          <ul className="mt-1">
            {cannot_be_undone.map(left => (
              <li key={left.action}>
                <span className="font-mono">act {short(left.action)}</span>: {left.reason}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  )
}
