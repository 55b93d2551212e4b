/** A rule's source with line numbers and a little colour: keys, strings, comments. Read only. */
import { Fragment } from 'react'

type Token = { kind: 'key' | 'string' | 'comment' | 'text'; text: string }

/** Splits one line; strings are recognised before comments, so that a `#` in quotes is text. */
export function tokens(line: string): Token[] {
  const out: Token[] = []
  const head = /^(\s*(?:-\s+)*)([\w.|*/-]+)(?=\s*:(?:\s|$))/.exec(line)
  let at = 0
  if (head) {
    if (head[1]) out.push({ kind: 'text', text: head[1] })
    out.push({ kind: 'key', text: head[2] as string })
    at = head[0].length
  }
  for (const match of line
    .slice(at)
    .matchAll(/('(?:[^']|'')*'|"(?:[^"\\]|\\.)*")|((?:^|(?<=\s))#.*$)|([^'"#]+|['"#])/g)) {
    const kind = match[1] ? 'string' : match[2] ? 'comment' : 'text'
    out.push({ kind, text: match[0] })
  }
  return out
}

const COLOR: Record<Token['kind'], string> = {
  key: 'text-accent',
  string: 'text-ok',
  comment: 'text-fg-3',
  text: 'text-fg',
}

export function YamlSource({ text, marked }: { text: string; marked: Set<number> }) {
  return (
    <pre tabIndex={0} className="scroll h-full overflow-auto py-3 font-mono text-[12.5px] leading-5">
      <code>
        {text.split('\n').map((line, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other identity
          <div key={i} className={marked.has(i + 1) ? 'soft-medium' : undefined}>
            <span className="num mr-4 inline-block w-10 text-right text-fg-3 select-none">{i + 1}</span>
            {tokens(line).map((t, j) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: tokens of one fixed line
              <Fragment key={j}>
                <span className={COLOR[t.kind]}>{t.text}</span>
              </Fragment>
            ))}
          </div>
        ))}
      </code>
    </pre>
  )
}
