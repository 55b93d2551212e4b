/** What a version changes, file by file. */
import { useQuery } from '@tanstack/react-query'
import { policyDiffQuery } from '@/api/policies'
import { Chip, Empty, Loaded, Skeleton } from '@/ui'
import { counts, LineDiff } from '@/ui/line-diff'

const TONE = { added: 'ok', removed: 'critical', changed: 'medium' }

export function Changes({ from, to }: { from: number; to: number }) {
  const query = useQuery(policyDiffQuery(from, to))
  return (
    <Loaded query={query} what="Comparison" skeleton={<Skeleton label="Comparing" />}>
      {diff =>
        diff.files.length ? (
          <div className="flex flex-col gap-3 p-4">
            {diff.files.map(file => {
              const changed = counts(file.lines)
              return (
                <section key={file.path} className="rounded-lg border border-line bg-surface" aria-label={file.path}>
                  <h3 className="flex h-9 items-center gap-2 border-b border-line px-3 text-xs">
                    <span className="truncate font-mono">{file.path}</span>
                    <Chip tone={TONE[file.change]}>{file.change}</Chip>
                    <span className="num ml-auto">
                      <span className="text-ok">+{changed.added}</span>{' '}
                      <span className="text-critical">−{changed.removed}</span>
                    </span>
                  </h3>
                  <LineDiff rows={file.lines} label={`What changed in ${file.path}`} />
                </section>
              )
            })}
          </div>
        ) : (
          <Empty title="The two are the same">No file differs.</Empty>
        )
      }
    </Loaded>
  )
}
