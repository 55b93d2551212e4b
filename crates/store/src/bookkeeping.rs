//! Places of consumers and counts of events: no domain change, so no ledger entry, but committed in the same
//! transaction as the output they belong to.
//!
//! Everything in the database that changes without an entry, and why:
//!
//! | table or column | why it is no domain change |
//! |---|---|
//! | `offsets`, `counters`, `source_stats`, `event_minutes` | follow from the events; counted again by a replay |
//! | `coverage_minutes`, `rule_sets`, `source_fields`, `shadow_matches`, `rule_days`, `throttle_slots` | follow from the events; counted again by a replay |
//! | `indicator_hits`, `indicator_blocks` of an import that goes on | follow from the events; the import's end has an entry |
//! | `backtests` | the job's beginning and end have entries |
//! | `correlation_states` | what correlations remember of events; follows from them and is committed with their place |
//! | `facts` (offsets of followed files, the replay of the demo) | places; a fact that is a change has its own entry |
//! | `alerts.count`, `alerts.last_seen` of a duplicate | follow from the events; one entry covers a commit of the pipeline |
//! | `principal_index.last_used_at`, `memberships.last_used_at` | uses, noted at most once a minute; denials and changes have entries |
//! | `users.last_sign_in_at` | the session that it notes has an entry |
//! | `tenants.session_idle_us`, `tenants.second_factor` | copies of the settings, whose version has an entry |
//! | `second_factors.last_step`, `.last_used_at`, a passkey's counter | what the code or key opened has an entry |
//! | `ceremonies` | half-done sign-ins; what comes of one has an entry |
//! | `idempotency` | stored answers; the work they are about has entries |
//! | `jobs.done`, `.failed`, results | beginning, end and each item have entries |
//! | `notices` | entries that are owed, on their way to the ledger |
//! | `outbox`, `outbox_letters` | follow from entries; a letter that is given up has one of its own |
//! | `leases`, `nodes`, `changes` | who runs and what the others were told |
//! | `alert_tally`, `alert_timeline` | follow from `alerts`, whose changes have entries |
//! | `peers_seen` | follows from the events |
//! | `gate_uses`, `gate_undone` | what rates count; follows from actions and undos, which have entries |
//! | `policy_inputs` | written with the decision that they are the question of, whose plan has an entry |
//! | `policy_replays` | the job's beginning and end have entries |
//! | `authority` | moves with changes that have entries |

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use shieldops_model::Timestamp;
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use crate::{
    Access, Result, Tx,
    db::index_text,
    rows::{self, optional_time},
};

/// Where a consumer of the bus stands.
pub async fn offset(access: &mut impl Access, consumer: &str) -> Result<Option<Vec<u8>>> {
    let tenant = access.t();
    Ok(sqlx::query_scalar("SELECT place FROM offsets WHERE tenant_id=$1 AND consumer=$2")
        .bind(tenant)
        .bind(consumer)
        .fetch_optional(access.conn())
        .await?)
}

pub async fn set_offset(tx: &mut Tx, consumer: &str, place: &[u8]) -> Result<()> {
    sqlx::query("INSERT INTO offsets (tenant_id, consumer, place) VALUES ($1,$2,$3) ON CONFLICT (tenant_id, consumer) DO UPDATE SET place=excluded.place")
        .bind(tx.t())
        .bind(consumer)
        .bind(place)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Adds to a counter.
pub async fn count(tx: &mut Tx, name: &str, by: i64) -> Result<()> {
    sqlx::query("INSERT INTO counters (tenant_id, name, value) VALUES ($1,$2,$3) ON CONFLICT (tenant_id, name) DO UPDATE SET value=counters.value+excluded.value")
        .bind(tx.t())
        .bind(name)
        .bind(by)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub async fn counter(access: &mut impl Access, name: &str) -> Result<u64> {
    Ok(u64::try_from(find_counter(access, name).await?.unwrap_or(0)).unwrap_or(0))
}

/// A counter, if anything was ever counted under its name.
pub(crate) async fn find_counter(access: &mut impl Access, name: &str) -> Result<Option<i64>> {
    let tenant = access.t();
    Ok(sqlx::query_scalar("SELECT value FROM counters WHERE tenant_id=$1 AND name=$2")
        .bind(tenant)
        .bind(name)
        .fetch_optional(access.conn())
        .await?)
}

/// What a source sent, and how its clock stands to ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SourceStats {
    pub source: String,
    pub events: u64,
    pub last_event_at: Timestamp,
    pub last_ingested_at: Timestamp,
    /// Time of ingest minus event time of the last event, milliseconds.
    pub skew_ms: i64,
    /// Its events up to this event time are thought to be here. Absent while none of them had a time to believe.
    pub watermark: Option<Timestamp>,
    /// Events that came behind the watermark.
    pub late: u64,
}

/// Names of sources that are counted apart per tenant; senders choose them. Events of further names count under `OTHER`.
pub const SOURCES: i64 = 1_000;
pub const OTHER: &str = "other";

/// A source as its events are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its own name, or `OTHER`.
    pub source: String,
    pub watermark: Option<Timestamp>,
}

/// Rows and names in one statement.
const TOGETHER: usize = 400;

/// What is known of the sources of a batch before it, in their order. Those that count as `OTHER` share what is known of it.
pub async fn counted(tx: &mut Tx, sources: &[&str]) -> Result<Vec<Counted>> {
    let own: Vec<Cow<'_, str>> = sources.iter().map(|source| index_text(source)).collect();
    let mut known = watermarks(tx, &own).await?;
    let other = known.get(OTHER).copied().flatten();
    let mut room = if own.iter().all(|name| known.contains_key(&**name)) { 0 } else { room(tx).await? };
    let mut counted = Vec::with_capacity(own.len());
    for name in own {
        let watermark = match known.get(&*name) {
            Some(watermark) => *watermark,
            None if room > 0 => {
                room -= 1;
                known.insert(name.clone().into_owned(), None);
                None
            }
            None => {
                counted.push(Counted { source: OTHER.to_owned(), watermark: other });
                continue;
            }
        };
        counted.push(Counted { source: name.into_owned(), watermark });
    }
    Ok(counted)
}

/// The watermarks of those sources that have a row, and of `OTHER`.
async fn watermarks(tx: &mut Tx, sources: &[Cow<'_, str>]) -> Result<BTreeMap<String, Option<Timestamp>>> {
    let mut known = BTreeMap::new();
    for some in sources.chunks(TOGETHER) {
        let places: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 3)).collect();
        // The text has nothing in it but places.
        let text = AssertSqlSafe(format!(
            "SELECT source, watermark_at FROM source_stats WHERE tenant_id=$1 AND source IN ($2,{})",
            places.join(",")
        ));
        let select = sqlx::query(text).bind(tx.t()).bind(OTHER);
        let select = some.iter().fold(select, |select, source| select.bind(source.clone().into_owned()));
        for row in select.fetch_all(tx.conn()).await? {
            known.insert(row.try_get("source")?, optional_time(&row, "watermark_at")?);
        }
    }
    Ok(known)
}

/// How many sources more are counted by their own names.
async fn room(tx: &mut Tx) -> Result<i64> {
    let names: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM source_stats WHERE tenant_id=$1 AND source<>$2")
        .bind(tx.t())
        .bind(OTHER)
        .fetch_one(tx.conn())
        .await?;
    Ok(SOURCES - names)
}

/// What a batch holds of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As it was before the batch, but with its watermark behind it.
    pub counted: Counted,
    pub events: u64,
    pub late: u64,
    /// Of the last event.
    pub event_at: Timestamp,
    pub ingested_at: Timestamp,
    /// When the batch is processed.
    pub now: Timestamp,
}

/// Adds what a batch holds to its sources, each of which stands once.
pub async fn sources_seen(tx: &mut Tx, seen: &[Seen]) -> Result<()> {
    for some in seen.chunks(TOGETHER) {
        let row = |at: usize| {
            let places: Vec<String> = (0..8).map(|place| format!("${}", 8 * at + place + 2)).collect();
            format!("($1,{})", places.join(","))
        };
        let rows: Vec<String> = (0..some.len()).map(row).collect();
        // The text has nothing in it but places.
        let text = AssertSqlSafe(format!(
            "INSERT INTO source_stats (tenant_id, source, events, last_event_at, last_ingested_at, skew_us, watermark_at, late, seen_at) \
             VALUES {} \
             ON CONFLICT (tenant_id, source) DO UPDATE SET events=source_stats.events+excluded.events, last_event_at=excluded.last_event_at, \
             last_ingested_at=excluded.last_ingested_at, skew_us=excluded.skew_us, watermark_at=excluded.watermark_at, \
             late=source_stats.late+excluded.late, seen_at=excluded.seen_at",
            rows.join(",")
        ));
        let insert = some.iter().fold(sqlx::query(text).bind(tx.t()), |insert, seen| {
            insert
                .bind(seen.counted.source.clone())
                .bind(i64::try_from(seen.events).unwrap_or(i64::MAX))
                .bind(seen.event_at.as_micros())
                .bind(seen.ingested_at.as_micros())
                .bind(seen.ingested_at.as_micros().saturating_sub(seen.event_at.as_micros()))
                .bind(seen.counted.watermark.map(Timestamp::as_micros))
                .bind(i64::try_from(seen.late).unwrap_or(i64::MAX))
                .bind(seen.now.as_micros())
        });
        insert.execute(tx.conn()).await?;
    }
    Ok(())
}

pub async fn sources(access: &mut impl Access) -> Result<Vec<SourceStats>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT source, events, last_event_at, last_ingested_at, skew_us, watermark_at, late FROM source_stats WHERE tenant_id=$1 ORDER BY source LIMIT 10000")
        .bind(tenant)
        .fetch_all(access.conn())
        .await?;
    let read = |row: &AnyRow| -> Result<SourceStats> {
        let (events, skew_us): (i64, i64) = (row.try_get("events")?, row.try_get("skew_us")?);
        Ok(SourceStats {
            source: row.try_get("source")?,
            events: u64::try_from(events).unwrap_or(0),
            last_event_at: Timestamp::from_micros(row.try_get("last_event_at")?),
            last_ingested_at: Timestamp::from_micros(row.try_get("last_ingested_at")?),
            skew_ms: skew_us / 1_000,
            watermark: optional_time(row, "watermark_at")?,
            late: rows::count(row, "late")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The least watermark among sources that sent since `$2`; the greatest of all where none did.
const COMMON: &str = "SELECT COALESCE((SELECT min(watermark_at) FROM source_stats WHERE tenant_id=$1 AND seen_at>$2), \
     (SELECT max(watermark_at) FROM source_stats WHERE tenant_id=$1))";

/// The tenant's own watermark at a consumer: what its sources that sent since `active` agree on. It never goes back.
pub async fn watermark(access: &mut impl Access, consumer: &str, active: Timestamp) -> Result<Option<Timestamp>> {
    let tenant = access.t();
    let common: Option<i64> =
        sqlx::query_scalar(COMMON).bind(tenant.clone()).bind(active.as_micros()).fetch_one(access.conn()).await?;
    let kept: Option<Option<i64>> =
        sqlx::query_scalar("SELECT watermark_at FROM offsets WHERE tenant_id=$1 AND consumer=$2")
            .bind(tenant)
            .bind(consumer)
            .fetch_optional(access.conn())
            .await?;
    Ok(common.max(kept.flatten()).map(Timestamp::from_micros))
}

/// How far behind the source that is furthest a source may be and still hold the others up, in microseconds.
pub const HOLDS_WITHIN_US: i64 = 15 * 60 * 1_000_000;

/// How far the event time of those sources has come that sent since `active`; a source without a watermark of its own is at
/// `floor`. One that is far behind the furthest of all sources, with an old clock or catching up, counts as silent: what it
/// sends is late. When none sent, nothing is on its way that is older than `floor`, and none is further than that: it was
/// kept while the clock was ahead. Before the first event there is none.
pub async fn active_watermark(
    access: &mut impl Access,
    active: Timestamp,
    floor: Timestamp,
) -> Result<Option<Timestamp>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT count(*) AS sources, min(CASE WHEN seen_at>$2 AND COALESCE(watermark_at, $3)>=COALESCE(furthest, $3)-$4 \
         THEN COALESCE(watermark_at, $3) END) AS least \
         FROM source_stats, (SELECT max(CASE WHEN watermark_at>$3 THEN $3 ELSE watermark_at END) AS furthest FROM source_stats WHERE tenant_id=$1) AS all_sources \
         WHERE tenant_id=$1",
    )
    .bind(tenant)
    .bind(active.as_micros())
    .bind(floor.as_micros())
    .bind(HOLDS_WITHIN_US)
    .fetch_one(access.conn())
    .await?;
    let (sources, least): (i64, Option<i64>) = (row.try_get("sources")?, row.try_get("least")?);
    Ok((sources > 0).then(|| least.map_or(floor, |least| Timestamp::from_micros(least).min(floor))))
}

/// Keeps what the tenant's watermark is now, before a batch: a source that was silent, or is new, does not take it back.
/// Before the first batch there is no place yet, and no watermark.
pub async fn keep_watermark(tx: &mut Tx, consumer: &str, active: Timestamp) -> Result<()> {
    let Some(now) = watermark(tx, consumer, active).await? else { return Ok(()) };
    sqlx::query("UPDATE offsets SET watermark_at=$3 WHERE tenant_id=$1 AND consumer=$2")
        .bind(tx.t())
        .bind(consumer)
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Adds events to the minute they were processed in.
pub async fn minute_seen(tx: &mut Tx, at: Timestamp, events: u64) -> Result<()> {
    let minute = at.as_secs().div_euclid(60);
    sqlx::query("INSERT INTO event_minutes (tenant_id, minute, events) VALUES ($1,$2,$3) ON CONFLICT (tenant_id, minute) DO UPDATE SET events=event_minutes.events+excluded.events")
        .bind(tx.t())
        .bind(minute)
        .bind(i64::try_from(events).unwrap_or(i64::MAX))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Events per minute since `from`, minutes without events left out.
pub async fn minutes(access: &mut impl Access, from: Timestamp) -> Result<Vec<(Timestamp, u64)>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT minute, events FROM event_minutes WHERE tenant_id=$1 AND minute>=$2 ORDER BY minute LIMIT 100000",
    )
    .bind(tenant)
    .bind(from.as_secs().div_euclid(60))
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<_> {
        let (minute, events): (i64, i64) = (row.try_get("minute")?, row.try_get("events")?);
        Ok((Timestamp::from_secs(minute * 60), u64::try_from(events).unwrap_or(0)))
    };
    rows.iter().map(read).collect()
}
