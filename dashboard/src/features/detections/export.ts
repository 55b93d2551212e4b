/** A rule with its samples and exceptions as one file, which another installation imports. */

import { rulePath } from '@/api/detection'
import { download } from '@/api/download'
import { toast } from '@/app/toast'

export const exportRule = (rule: { id: string }) =>
  download(rulePath(rule.id, '/export'), {}, `${rule.id}.rule.json`).catch((error: Error) =>
    toast({ text: error.message, tone: 'critical' }),
  )
