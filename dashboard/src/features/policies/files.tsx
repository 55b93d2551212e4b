/** Files of policy: their names, and the text of one. */
import { useState } from 'react'
import { Chip, cn, plural } from '@/ui'
import CodeEditor from '@/ui/code-editor'

type File = { path: string; text: string; test?: boolean }
type Props = { files: File[]; label: string; chosen?: string; onChosen?: (path: string) => void }

const isTest = (file: File) => file.test ?? /_test\.rego$/.test(file.path)

export function Files({ files, label, chosen, onChosen }: Props) {
  const [own, setOwn] = useState<string>()
  const path = chosen ?? own
  const shown = files.find(file => file.path === path) ?? files[0]
  const pick = onChosen ?? setOwn
  return (
    <div className="flex h-full min-h-0 flex-col md:grid md:grid-cols-[220px_minmax(0,1fr)]">
      <nav
        aria-label={label}
        className="scroll max-h-44 min-h-0 shrink-0 overflow-y-auto border-b border-line p-2 md:max-h-none md:border-r md:border-b-0"
      >
        <ul>
          {files.map(file => (
            <li key={file.path}>
              <button
                type="button"
                aria-current={file === shown || undefined}
                onClick={() => pick(file.path)}
                className={cn(
                  'flex min-h-7 w-full items-center gap-2 rounded-md px-2 py-0.5 text-left font-mono text-xs',
                  file === shown ? 'bg-active text-fg' : 'text-fg-2 hover:bg-hover',
                )}
              >
                <span className="min-w-0 flex-1 truncate">{file.path}</span>
                {isTest(file) && <Chip tone="neutral">test</Chip>}
              </button>
            </li>
          ))}
        </ul>
      </nav>
      {shown && (
        <section className="flex min-h-64 min-w-0 flex-1 flex-col bg-surface" aria-label={shown.path}>
          <p className="flex h-8 shrink-0 items-center gap-2 border-b border-line px-3 text-xs text-fg-3">
            <span className="truncate font-mono">{shown.path}</span>
            <span className="ml-auto shrink-0">{plural(shown.text.replace(/\n$/, '').split('\n').length, 'line')}</span>
          </p>
          <div className="min-h-0 flex-1">
            <CodeEditor key={shown.path} label={`Text of ${shown.path}`} language="rego" readOnly value={shown.text} />
          </div>
        </section>
      )}
    </div>
  )
}
