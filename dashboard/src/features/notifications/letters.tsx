/** The letters, newest first: what was told to whom by which way, and what became of it. */
import { type Letter, lettersQuery } from '@/api/notices'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useStableRows } from '@/app/stable-rows'
import { useList } from '@/app/use-list'
import { Ago, Btn, Card, Chip, Empty, Loaded, plural, Until } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { Pick } from '@/ui/pick'
import { LoadMore, Table, Td, Tr } from '@/ui/table'
import { LETTER, lookOf, TOLD, WAY } from './words'

export function Letters() {
  const { state, channel } = useSearchParams()
  const set = useSetSearch()
  const { query, items } = useList(lettersQuery({ state, channel }))
  const { rows, waiting, flush } = useStableRows<Letter>({ items, key: `${state ?? ''}|${channel ?? ''}` })
  const narrowed = !!(state || channel)
  const clear = () => set({ state: undefined, channel: undefined })
  return (
    <Card
      title="Sent"
      extra={
        <>
          <Pick label="State" value={state} onValue={value => set({ state: value })}>
            {Object.entries(LETTER).map(([id, look]) => (
              <option key={id} value={id}>
                {look.label}
              </option>
            ))}
          </Pick>
          <Pick label="Way" value={channel} onValue={value => set({ channel: value })}>
            {Object.entries(WAY).map(([id, label]) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </Pick>
        </>
      }
      body="relative"
    >
      <NewPill n={waiting} noun="letter" onShow={flush} />
      <Loaded query={query} what="Letters">
        {() =>
          rows.length ? (
            <Table label="Letters" head={['State', 'What', 'To', 'By', 'Made', 'Outcome']} acts={false}>
              {rows.map(letter => (
                <Row key={letter.id} letter={letter} />
              ))}
            </Table>
          ) : narrowed ? (
            <Empty title="No letter fits these filters" action={<Btn onClick={clear}>Clear filters</Btn>} />
          ) : (
            <Empty title="Nobody was told of anything yet">
              Letters are made when a plan waits for approval, when a response fails or drifts, and when automation is
              halted or lowered. A test shows whether they arrive.
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}

function Row({ letter }: { letter: Letter }) {
  const look = lookOf(letter)
  return (
    <Tr>
      <Td>
        <Chip tone={look.tone} title={look.means}>
          {look.label}
        </Chip>
      </Td>
      <Td className="min-w-44 font-medium">{TOLD[letter.kind]}</Td>
      <Td className="max-w-64 min-w-48 font-mono break-all">{letter.to}</Td>
      <Td>{WAY[letter.channel]}</Td>
      <Td className="whitespace-nowrap text-fg-2">
        <Ago at={letter.at} suffix />
      </Td>
      <Td className="min-w-52 text-fg-2">
        <Outcome letter={letter} />
        {letter.error && (
          <span className={letter.state === 'dead' ? 'block text-critical' : 'block text-fg-3'}>{letter.error}</span>
        )}
      </Td>
    </Tr>
  )
}

function Outcome({ letter }: { letter: Letter }) {
  const { state, attempts, ended_at } = letter
  const tries = attempts > 0 ? `tried ${plural(attempts, 'time')}, ` : ''
  if (state === 'queued')
    return (
      <>
        {tries}
        {tries ? 'again in ' : 'goes in '}
        <Until at={letter.next_at} over="a moment" />
      </>
    )
  const ended = ended_at && <Ago at={ended_at} suffix />
  return state === 'sent' ? (
    <>delivered {ended}</>
  ) : (
    <>
      {tries}given up {ended}
    </>
  )
}
