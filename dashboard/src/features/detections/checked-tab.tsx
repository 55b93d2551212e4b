/** When this rule looked: evaluated, in shadow, off, or with nothing to look at. */
import type { RuleDetail } from '@/api/detection-types'
import { CheckedLog } from '@/features/coverage/log'

export default function CheckedTab({ rule }: { rule: RuleDetail }) {
  return (
    <div className="flex h-full min-h-0 flex-col">
      <CheckedLog rule={rule.id} />
    </div>
  )
}
