//! Matches that raised no alert: those of rules in shadow, listed and counted, and those that an exception took out, counted.
//! They follow from the events and are committed with the place of their consumer, so a replay counts nothing twice.

use std::collections::HashMap;

use serde::Serialize;
use shieldops_model::{EventId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{Access, Page, PageRequest, Result, Tx, alerts::id_of, db::index_text, rows, rows::time};

/// Matches of one rule that are listed; older ones make room.
pub const LISTED: i64 = 1_000;
const DAY_S: i64 = 86_400;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Match {
    #[serde(skip)]
    pub rule_id: String,
    pub event_id: EventId,
    /// The event's time.
    pub at: Timestamp,
    pub source: String,
    /// The rule's version.
    pub version: String,
}

/// Matches of a rule on one day that raised no alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub shadow: u64,
    pub excepted: u64,
    /// Counted on another alert, because there were as many as the tenant wants.
    pub throttled: u64,
}

pub async fn insert(tx: &mut Tx, found: &[Match]) -> Result<()> {
    for one in found {
        sqlx::query(
            "INSERT INTO shadow_matches (tenant_id, rule_id, event_id, hash, at, source) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING",
        )
        .bind(tx.t())
        .bind(&one.rule_id)
        .bind(one.event_id.to_bytes().to_vec())
        .bind(&one.version)
        .bind(one.at.as_micros())
        .bind(index_text(&one.source).into_owned())
        .execute(tx.conn())
        .await?;
    }
    let mut rules: Vec<&str> = found.iter().map(|one| one.rule_id.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        make_room(tx, rule).await?;
        tx.announce("rule", rule);
    }
    Ok(())
}

async fn make_room(tx: &mut Tx, rule_id: &str) -> Result<()> {
    sqlx::query(
        "DELETE FROM shadow_matches WHERE tenant_id=$1 AND rule_id=$2 AND event_id<(SELECT event_id FROM shadow_matches \
         WHERE tenant_id=$1 AND rule_id=$2 ORDER BY event_id DESC LIMIT 1 OFFSET $3)",
    )
    .bind(tx.t())
    .bind(rule_id)
    .bind(LISTED - 1)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds to what a rule found on a day.
pub async fn count(tx: &mut Tx, rule_id: &str, day_of: Timestamp, counts: Counts) -> Result<()> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO rule_days (tenant_id, rule_id, day, shadow, excepted, throttled) VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT (tenant_id, rule_id, day) \
         DO UPDATE SET shadow=rule_days.shadow+excluded.shadow, excepted=rule_days.excepted+excluded.excepted, \
         throttled=rule_days.throttled+excluded.throttled",
    )
    .bind(tx.t())
    .bind(rule_id)
    .bind(day_of.as_secs().div_euclid(DAY_S))
    .bind(number(counts.shadow))
    .bind(number(counts.excepted))
    .bind(number(counts.throttled))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What each rule found since a day without raising an alert.
pub async fn counts(access: &mut impl Access, since: Timestamp) -> Result<HashMap<String, Counts>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT rule_id, CAST(sum(shadow) AS BIGINT) AS shadow, CAST(sum(excepted) AS BIGINT) AS excepted, \
         CAST(sum(throttled) AS BIGINT) AS throttled FROM rule_days WHERE tenant_id=$1 AND day>=$2 GROUP BY rule_id LIMIT 100000",
    )
    .bind(tenant)
    .bind(since.as_secs().div_euclid(DAY_S))
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<_> {
        let of = |column: &str| rows::count(row, column);
        let counts = Counts { shadow: of("shadow")?, excepted: of("excepted")?, throttled: of("throttled")? };
        Ok((row.try_get("rule_id")?, counts))
    };
    rows.iter().map(read).collect()
}

/// What a rule in shadow found, newest first.
pub async fn list(access: &mut impl Access, rule_id: &str, page: &PageRequest) -> Result<Page<Match>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM shadow_matches WHERE tenant_id=$1 AND rule_id=$2 AND event_id<$3 ORDER BY event_id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(rule_id)
    .bind(page.below::<id::EventKind>()?)
    .bind(page.fetch())
    .fetch_all(access.conn())
    .await?;
    let items: Result<Vec<Match>> = rows.iter().map(read).collect();
    Ok(page.page(items?, |found| found.event_id.to_string()))
}

fn read(row: &AnyRow) -> Result<Match> {
    Ok(Match {
        rule_id: row.try_get("rule_id")?,
        event_id: id_of(row, "event_id")?,
        at: time(row, "at")?,
        source: row.try_get("source")?,
        version: row.try_get("hash")?,
    })
}
