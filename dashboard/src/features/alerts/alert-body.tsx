/** What is known of one alert, read top to bottom: how bad and why, what matched, who, seen before, the rule. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Hit } from '@/api/indicators'
import { alertQuery } from '@/api/queries'
import type { Alert, AlertDetail } from '@/api/types'
import { useNames } from '@/app/names'
import { useCan } from '@/app/session'
import { From } from '@/features/indicators/view'
import { RiskTerms } from '@/features/plans/parts'
import {
  Ago,
  ALERT_STATUS,
  absolute,
  Chip,
  cap,
  DemoTag,
  EntityLink,
  EventRef,
  entityKey,
  fmt,
  Loaded,
  plural,
  sevTone,
  short,
  verdictLabel,
  words,
} from '@/ui'
import { Found } from './found'

/** The list that an alert is of, where it is of no rule. */
const listOf = (ruleId: string) => /^indicator:(ilt_.+)$/.exec(ruleId)?.[1] ?? ''

export function AlertBody({ alert }: { alert: Alert }) {
  const query = useQuery({ ...alertQuery(alert.id), placeholderData: alert as AlertDetail })
  return (
    <Loaded query={query} what="Alert">
      {data => <Sections alert={data} />}
    </Loaded>
  )
}

function Sections({ alert }: { alert: AlertDetail }) {
  return (
    <div className="divide-y divide-line">
      <Head alert={alert} />
      <section className="px-4 py-3">
        <h3 className="mb-1.5 flex font-medium">
          Risk<span className="num ml-auto font-semibold">{alert.risk_score}</span>
        </h3>
        <RiskTerms terms={alert.risk_terms} />
      </section>
      <section className="px-4 py-3">
        <h3 className="mb-1.5 font-medium">Entities</h3>
        <ul className="flex flex-wrap gap-1.5">
          {alert.entities.map(entity => (
            <li key={entityKey(entity)} className="max-w-full">
              <EntityLink entity={entity} />
            </li>
          ))}
        </ul>
      </section>
      {!!alert.indicators?.length && <Indicators hits={alert.indicators} />}
      {alert.indicator_state === 'not_checked' && (
        <p className="px-4 py-2 text-xs soft-medium" role="status">
          Not checked against indicators: the lists are being loaded.
        </p>
      )}
      {alert.indicator_state === 'unknown' && (
        <p className="px-4 py-2 text-xs text-fg-3" role="status">
          Whether its events were looked up in the lists of indicators is not known any more.
        </p>
      )}
      <Matches alert={alert} />
      <SeenBefore alert={alert} />
      <Rule alert={alert} />
    </div>
  )
}

function Head({ alert }: { alert: AlertDetail }) {
  const names = useNames()
  return (
    <section className="px-4 py-3">
      <h2 className="text-lg font-semibold tracking-tight">{alert.rule_title}</h2>
      <div className="mt-2 flex flex-wrap gap-1.5">
        <Chip tone={sevTone(alert.severity)}>{cap(alert.severity)}</Chip>
        <Chip tone="neutral">{alert.verdict ? verdictLabel(alert.verdict) : ALERT_STATUS[alert.status]}</Chip>
        {alert.attack.tactics.map(t => (
          <Chip key={t}>{words(t)}</Chip>
        ))}
        {alert.attack.techniques.map(t => (
          <Chip key={t}>{t}</Chip>
        ))}
        {alert.superseded && (
          <Chip
            tone="neutral"
            title="Late events took the ground from it: another alert has taken it in, or it stands no more"
          >
            superseded
          </Chip>
        )}
        {alert.demo && <DemoTag />}
      </div>
      <dl className="mt-3 grid grid-cols-[84px_minmax(0,1fr)] gap-y-1 text-xs">
        <dt className="text-fg-3">Seen</dt>
        <dd className="num" title={absolute(alert.first_seen)}>
          <Ago at={alert.last_seen} suffix /> · {plural(alert.count, 'match', 'matches')}
        </dd>
        <dt className="text-fg-3">Owner</dt>
        <dd>{alert.assignee ? names(alert.assignee) : 'Nobody'}</dd>
        {alert.incident_id && (
          <>
            <dt className="text-fg-3">Incident</dt>
            <dd>
              <Link
                to="/incidents/$id"
                params={{ id: alert.incident_id }}
                className="font-mono text-accent hover:underline"
              >
                {short(alert.incident_id)}
              </Link>
            </dd>
          </>
        )}
        {alert.verdict_reason && (
          <>
            <dt className="text-fg-3">Reason</dt>
            <dd>{alert.verdict_reason}</dd>
          </>
        )}
      </dl>
    </section>
  )
}

/** What lists of indicators say, and where in them. */
function Indicators({ hits }: { hits: Hit[] }) {
  return (
    <section className="px-4 py-3">
      <h3 className="mb-1.5 font-medium">On lists of indicators</h3>
      <ul className="space-y-1.5 text-xs">
        {hits.map(hit => (
          <li key={`${hit.indicator}${hit.provenance.list}${hit.provenance.line}`}>
            <span className="font-mono">{hit.indicator}</span> <From provenance={hit.provenance} />
            {hit.allowed_by && <span className="block text-fg-3">allowed by {hit.allowed_by.list}</span>}
          </li>
        ))}
      </ul>
    </section>
  )
}

type Match = NonNullable<AlertDetail['matches']>[number]

/** What made it match, as the beginning of an exception of its rule. */
const termsOf = (match: Match) => match.fields.map(f => `${f.field}=${f.value}`).join('\n')

function Matches({ alert }: { alert: AlertDetail }) {
  const can = useCan()
  return (
    <section className="px-4 py-3">
      <h3 className="mb-1.5 font-medium">What matched</h3>
      {alert.matches?.map(match => (
        <div key={match.event_id} className="mb-2 rounded-md border border-line bg-bg p-2">
          <dl className="grid grid-cols-[110px_minmax(0,1fr)] gap-y-0.5 font-mono text-[11.5px]">
            {match.fields.map(f => (
              <div key={`${f.selection} ${f.field} ${f.pattern}`} className="contents">
                <dt className="truncate text-fg-3">{f.field}</dt>
                <dd className="break-all">
                  <Found value={f.value} ranges={f.ranges} />
                </dd>
              </div>
            ))}
          </dl>
          <p className="mt-1 text-2xs text-fg-3">
            in event <EventRef id={match.event_id} />
            {can('rule.write') && !listOf(alert.rule_id) && match.fields.length > 0 && (
              <>
                {' · '}
                <Link
                  to="/detections/$id"
                  params={{ id: alert.rule_id }}
                  search={{ tab: 'exceptions', view: 'new-exception', q: termsOf(match) }}
                  className="text-accent underline"
                >
                  Make an exception of it
                </Link>
              </>
            )}
          </p>
        </div>
      ))}
      <p className="flex flex-wrap items-center gap-x-1 text-xs text-fg-3">
        {alert.event_ids.length < alert.count
          ? `The first ${fmt(alert.event_ids.length)} of ${fmt(alert.count)} events:`
          : 'Events:'}
        {alert.event_ids.slice(0, 24).map(id => (
          <EventRef key={id} id={id} />
        ))}
      </p>
    </section>
  )
}

function SeenBefore({ alert }: { alert: AlertDetail }) {
  if (alert.similar_count === undefined) return null
  return (
    <section className="flex items-center px-4 py-3">
      <h3 className="font-medium">Seen before</h3>
      {(alert.withheld ?? 0) > 0 && (
        <span className="ml-2 text-xs text-fg-3">
          {fmt(alert.withheld ?? 0)} matches held back by the rule’s throttle
        </span>
      )}
      <Link
        to="/alerts"
        search={{ view: 'all', rule: alert.rule_id }}
        className="ml-auto text-xs text-accent hover:underline"
      >
        {alert.similar_count >= 100 ? '100 or more similar alerts' : plural(alert.similar_count, 'similar alert')}
      </Link>
    </section>
  )
}

function Rule({ alert }: { alert: AlertDetail }) {
  return (
    <section className="px-4 py-3 text-xs">
      <h3 className="mb-1.5 flex text-sm font-medium">
        Rule
        {listOf(alert.rule_id) ? (
          <Link
            to="/indicators/$id"
            params={{ id: listOf(alert.rule_id) }}
            className="ml-auto text-xs font-normal text-accent hover:underline"
          >
            Open list
          </Link>
        ) : (
          <Link
            to="/detections/$id"
            params={{ id: alert.rule_id }}
            className="ml-auto text-xs font-normal text-accent hover:underline"
          >
            Open rule
          </Link>
        )}
      </h3>
      {alert.rule?.description && <p className="text-fg-2">{alert.rule.description}</p>}
      {alert.rule?.triage && (
        <>
          <h4 className="mt-2 text-fg-3">What to look at first</h4>
          <p className="whitespace-pre-line text-fg-2">{alert.rule.triage}</p>
        </>
      )}
      {!!alert.rule?.falsepositives?.length && (
        <p className="mt-1.5 text-fg-2">
          <span className="text-fg-3">Known false positives: </span>
          {alert.rule.falsepositives.join('; ')}
        </p>
      )}
      {alert.rule?.references?.map(url => (
        <a
          key={url}
          href={url}
          target="_blank"
          rel="noreferrer"
          className="block truncate leading-6 text-accent hover:underline"
        >
          {url}
        </a>
      ))}
      <p className="mt-1.5 font-mono text-2xs text-fg-3">
        {alert.rule_id} · {alert.rule_version}
      </p>
    </section>
  )
}
