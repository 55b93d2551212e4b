/** One technique: how far it is covered, by which rules, from which sources, and what would close the gap. */
import { Link } from '@tanstack/react-router'
import { Check, X } from 'lucide-react'
import type { Technique } from '@/api/detection-types'
import { useCan } from '@/app/session'
import { Btn, Chip, plural, words } from '@/ui'
import { LEVEL } from './levels'

/** Where MITRE describes it: `T1110.001` is a page below `T1110`. */
export const attackUrl = (id: string) => `https://attack.mitre.org/techniques/${id.replace('.', '/')}/`

export function Detail({ technique, onClose }: { technique: Technique; onClose: () => void }) {
  const level = LEVEL[technique.level]
  const can = useCan()
  const steps: [string, boolean][] = [
    ['Data arrives', technique.data],
    ['Detected', technique.detected],
    ['Tested', technique.tested],
    ['Automated', technique.automated],
  ]
  return (
    <aside
      className="scroll w-[348px] shrink-0 overflow-y-auto border-l border-line bg-surface"
      aria-label={`Technique ${technique.id}`}
    >
      <div className="flex h-11 items-center gap-2 border-b border-line px-4">
        <h2 className="font-mono text-sm font-semibold">{technique.id}</h2>
        <Chip tone={technique.detected ? 'ok' : 'medium'}>{level.label}</Chip>
        <Btn v="ghost" icon size="sm" className="ml-auto" aria-label="Close" onClick={onClose}>
          <X size={14} aria-hidden="true" />
        </Btn>
      </div>
      <div className="space-y-4 p-4">
        <p className="text-fg-2">{technique.tactics.map(words).join(', ')}</p>
        <ol className="grid grid-cols-4 gap-1" aria-label="How far it is covered">
          {steps.map(([label, ok]) => (
            <li
              key={label}
              className={`rounded-md px-1.5 py-1.5 text-center text-2xs ${ok ? 'soft-ok' : 'soft-neutral'}`}
            >
              <span className="sr-only">{ok ? 'yes: ' : 'no: '}</span>
              {ok && <Check size={11} className="mr-0.5 inline" aria-hidden="true" />}
              {label}
            </li>
          ))}
        </ol>
        <p className="text-xs text-fg-2">
          {level.means} {level.next && <b className="font-medium text-fg">{level.next}</b>}
        </p>
        <RuleList technique={technique} />
        <section>
          <h3 className="mb-1.5 text-xs font-medium text-fg-2">Sources that send what its rules read</h3>
          {technique.sources.length ? (
            <ul className="flex flex-wrap gap-1.5">
              {technique.sources.map(source => (
                <li key={source}>
                  <Link
                    to="/events"
                    search={{ source }}
                    className="inline-flex h-6 items-center rounded-sm border border-line px-1.5 font-mono text-2xs hover:bg-hover"
                  >
                    {source}
                  </Link>
                </li>
              ))}
            </ul>
          ) : (
            <p className="text-xs text-fg-3">
              None. See what arrives under{' '}
              <Link to="/ingest" className="text-accent underline">
                Ingest
              </Link>
              .
            </p>
          )}
        </section>
        <div className="flex flex-wrap gap-2">
          {can('rule.write') && (
            <Link
              to="/detections/new"
              search={{ technique: technique.id }}
              className="inline-flex h-7.5 items-center rounded-md bg-accent-solid px-2.5 text-sm font-medium text-white hover:brightness-110"
            >
              Write a rule for it
            </Link>
          )}
          <a
            href={attackUrl(technique.id)}
            target="_blank"
            rel="noreferrer"
            className="inline-flex h-7.5 items-center rounded-md border border-line-strong px-2.5 text-sm hover:bg-hover"
          >
            What it is
          </a>
        </div>
      </div>
    </aside>
  )
}

function RuleList({ technique }: { technique: Technique }) {
  return (
    <section>
      <h3 className="mb-1.5 text-xs font-medium text-fg-2">{plural(technique.rule_count, 'rule')}</h3>
      <ul className="rounded-md border border-line">
        {technique.rules.map(rule => (
          <li key={rule.id} className="border-b border-line/60 px-2.5 py-1.5 text-xs last:border-0">
            <Link to="/detections/$id" params={{ id: rule.id }} className="block truncate text-accent hover:underline">
              {rule.title}
            </Link>
            <span className="text-2xs text-fg-3">
              {rule.state}
              {rule.data ? ', its data arrives' : ', nothing that it reads arrives'}
              {rule.tested ? ', tested' : ', no samples'}
            </span>
          </li>
        ))}
        {technique.rules.length === 0 && <li className="px-2.5 py-2 text-xs text-fg-3">No rule names it.</li>}
      </ul>
    </section>
  )
}
