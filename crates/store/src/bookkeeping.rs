//! Places of consumers and counts of events: no domain change, so no ledger entry, but committed in the same
//! transaction as the output they belong to.
//!
//! Everything in the database that changes without an entry, and why:
//!
//! | table or column | why it is no domain change |
//! |---|---|
//! | `offsets`, `counters`, `source_stats`, `event_minutes` | follow from the events; counted again by a replay |
//! | `facts` (offsets of followed files, the replay of the demo) | places; a fact that is a change has its own entry |
//! | `alerts.count`, `alerts.last_seen` of a duplicate | follow from the events; one entry covers a commit of the pipeline |
//! | `principal_index.last_used_at`, `memberships.last_used_at` | uses, noted at most once a minute; denials and changes have entries |
//! | `users.last_sign_in_at` | the session that it notes has an entry |
//! | `principal_index.idle_us`, `tenants.second_factor` | copies of the settings, whose version has an entry |
//! | `second_factors.last_step`, `.last_used_at`, a passkey's counter | what the code or key opened has an entry |
//! | `ceremonies` | half-done sign-ins; what comes of one has an entry |
//! | `idempotency` | stored answers; the work they are about has entries |
//! | `jobs.done`, `.failed`, results | beginning, end and each item have entries |
//! | `notices` | entries that are owed, on their way to the ledger |
//! | `leases`, `nodes`, `changes` | who runs and what the others were told |

use serde::Serialize;
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use crate::{Access, Result, Tx, db::index_text};

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
}

/// Names of sources that are counted apart per tenant; senders choose them. Events of further names count under `OTHER`.
pub const SOURCES: i64 = 1_000;
pub const OTHER: &str = "other";

/// The name under which events of a source are counted.
async fn counted_as<'a>(tx: &mut Tx, source: &'a str) -> Result<&'a str> {
    let known: Option<i64> = sqlx::query_scalar("SELECT events FROM source_stats WHERE tenant_id=$1 AND source=$2")
        .bind(tx.t())
        .bind(source)
        .fetch_optional(tx.conn())
        .await?;
    if known.is_some() {
        return Ok(source);
    }
    let names: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM source_stats WHERE tenant_id=$1 AND source<>$2")
        .bind(tx.t())
        .bind(OTHER)
        .fetch_one(tx.conn())
        .await?;
    Ok(if names < SOURCES { source } else { OTHER })
}

/// Adds `events` to a source.
pub async fn source_seen(
    tx: &mut Tx,
    source: &str,
    events: u64,
    event_at: Timestamp,
    ingested_at: Timestamp,
) -> Result<()> {
    let source = index_text(source).into_owned();
    let source = counted_as(tx, &source).await?;
    sqlx::query(
        "INSERT INTO source_stats (tenant_id, source, events, last_event_at, last_ingested_at, skew_us) VALUES ($1,$2,$3,$4,$5,$6) \
         ON CONFLICT (tenant_id, source) DO UPDATE SET events=source_stats.events+excluded.events, last_event_at=excluded.last_event_at, \
         last_ingested_at=excluded.last_ingested_at, skew_us=excluded.skew_us",
    )
    .bind(tx.t())
    .bind(source)
    .bind(i64::try_from(events).unwrap_or(i64::MAX))
    .bind(event_at.as_micros())
    .bind(ingested_at.as_micros())
    .bind(ingested_at.as_micros().saturating_sub(event_at.as_micros()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn sources(access: &mut impl Access) -> Result<Vec<SourceStats>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT source, events, last_event_at, last_ingested_at, skew_us FROM source_stats WHERE tenant_id=$1 ORDER BY source LIMIT 10000")
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
        })
    };
    rows.iter().map(read).collect()
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
