/** Tokens: for senders (ingest) and for people's scripts (personal). The text is shown once. */
import { Copy } from 'lucide-react'
import { useState } from 'react'
import { del, post } from '@/api/client'
import { tokensQuery } from '@/api/queries'
import type { Token, TokenKind } from '@/api/types'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Btn, Card, Chip, cn, Field, InlineError, inputClass, Loaded } from '@/ui'

export function Tokens() {
  const { query, items } = useList(tokensQuery)
  const can = useCan()
  const [made, setMade] = useState<Token | null>(null)
  return (
    <div className="flex flex-col gap-3">
      {can('token.write') && <NewToken onMade={setMade} />}
      {made?.token && <Once token={made} onClose={() => setMade(null)} />}
      <Card title="Tokens">
        <Loaded query={query} what="Tokens">
          {() =>
            items?.length ? (
              <ul>
                {items.map(token => (
                  <Row key={token.id} token={token} write={can('token.write')} />
                ))}
              </ul>
            ) : (
              <p className="p-4 text-fg-3">No token yet.</p>
            )
          }
        </Loaded>
      </Card>
    </div>
  )
}

function NewToken({ onMade }: { onMade: (token: Token) => void }) {
  const [kind, setKind] = useState<TokenKind>('ingest')
  const [name, setName] = useState('')
  const [source, setSource] = useState('')
  const { error, busy, onSubmit } = useSubmit(['tokens'])
  const send = () =>
    post<Token>('/tokens', {
      kind,
      name: name.trim(),
      ...(kind === 'ingest' && source.trim() && { source: source.trim() }),
    })
  const done = (token: Token) => {
    setName('')
    onMade(token)
  }
  return (
    <Card title="New token" body="p-3">
      <form onSubmit={onSubmit(send, done)} className="flex flex-wrap items-end gap-3">
        <Field label="Kind">
          <select className={inputClass} value={kind} onChange={e => setKind(e.target.value as TokenKind)}>
            <option value="ingest">Ingest: may only send events</option>
            <option value="personal">Personal: may do what you may</option>
          </select>
        </Field>
        <Field label="Name">
          <input
            required
            className={inputClass}
            value={name}
            onChange={e => setName(e.target.value)}
            placeholder="rsyslog web tier"
          />
        </Field>
        {kind === 'ingest' && (
          <Field label="Source (optional)">
            <input
              className={inputClass}
              value={source}
              onChange={e => setSource(e.target.value)}
              placeholder="recognised by shape"
            />
          </Field>
        )}
        <Btn type="submit" v="primary" disabled={busy || !name.trim()}>
          {busy ? 'Making…' : 'Make token'}
        </Btn>
      </form>
      <InlineError error={error} className="mt-2" />
    </Card>
  )
}

function Once({ token, onClose }: { token: Token; onClose: () => void }) {
  return (
    <div role="status" className="flex items-center gap-3 rounded-lg border border-line px-3 py-2 soft-ok">
      <div className="min-w-0">
        <p className="text-xs">Copy it now: it is shown this once.</p>
        <code className="font-mono text-sm break-all text-fg" data-testid="new-token">
          {token.token}
        </code>
      </div>
      <Btn size="sm" className="ml-auto" onClick={() => void navigator.clipboard?.writeText(token.token ?? '')}>
        <Copy size={13} aria-hidden="true" />
        Copy
      </Btn>
      <Btn size="sm" onClick={onClose}>
        Done
      </Btn>
    </div>
  )
}

function Row({ token, write }: { token: Token; write: boolean }) {
  const { error, busy, run } = useSubmit(['tokens'])
  const dead = !!token.revoked_at
  return (
    <li className="border-b border-line/60 px-3 py-1.5 last:border-0">
      <div className="grid min-h-7 grid-cols-[minmax(0,1fr)_90px_150px_170px_90px] items-center gap-3 text-xs">
        <span className={cn('truncate font-medium', dead && 'text-fg-3 line-through')}>{token.name}</span>
        <span>
          <Chip tone="neutral">{token.kind}</Chip>
        </span>
        <span className="text-fg-3">
          made <Ago at={token.created_at} suffix />
        </span>
        <span className="text-fg-3">
          {token.last_used_at ? (
            <>
              used <Ago at={token.last_used_at} suffix />
            </>
          ) : (
            'never used'
          )}
        </span>
        <span className="text-right">
          {dead ? (
            <span className="text-fg-3">revoked</span>
          ) : (
            write && (
              <Btn size="sm" v="ghost" disabled={busy} onClick={() => void run(() => del(`/tokens/${token.id}`, '*'))}>
                Revoke
              </Btn>
            )
          )}
        </span>
      </div>
      <InlineError error={error} />
    </li>
  )
}
