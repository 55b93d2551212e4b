//! How many alerts of a rule a tenant wants in a time, and the alerts that count against that.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{AlertId, EntityKind, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{bytes, time},
};

const TABLE: &str = "rule_throttles";
/// Rules that one tenant may throttle.
pub const MAX: i64 = 10_000;
/// The longest time; what is older counts against nothing.
pub const LONGEST: Duration = Duration::from_hours(24 * 30);

/// At most so many alerts in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// 1 to 10,000.
    pub alerts: u32,
    /// From 60 s to 30 days.
    pub window_s: u32,
    /// What is counted for itself: each entity of this kind, or the rule as a whole when absent.
    #[serde(default)]
    pub per: Option<EntityKind>,
}

impl Limit {
    pub fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.window_s))
    }
}

/// A rule's throttle as a tenant set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    pub rule_id: String,
    /// None: it was taken away again.
    pub limit: Option<Limit>,
    pub version: i64,
    pub at: Timestamp,
    pub by: String,
    pub by_name: String,
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    limit: Option<Limit>,
    by_name: String,
    reason: String,
}

pub async fn find(access: &mut impl Access, rule_id: &str) -> Result<Option<Throttle>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM rule_throttles WHERE tenant_id=$1 AND rule_id=$2").bind(tenant).bind(rule_id);
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// Every rule that was ever throttled, by id.
pub async fn all(access: &mut impl Access) -> Result<BTreeMap<String, Throttle>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM rule_throttles WHERE tenant_id=$1 ORDER BY rule_id LIMIT $2")
        .bind(tenant)
        .bind(MAX)
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row).map(|throttle| (throttle.rule_id.clone(), throttle))).collect()
}

/// Throttles a rule, or no more; the ledger keeps why.
///
/// # Errors
/// `Refused` when the tenant throttles as many rules as it may, `Conflict` when it was changed meanwhile.
pub async fn set(tx: &mut Tx, rule_id: &str, limit: Option<Limit>, reason: &str, now: Timestamp) -> Result<Throttle> {
    let before = find(tx, rule_id).await?;
    if before.is_none() {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM rule_throttles WHERE tenant_id=$1")
            .bind(tx.t())
            .fetch_one(tx.conn())
            .await?;
        if count >= MAX {
            return Err(StoreError::Refused { detail: format!("a tenant throttles at most {MAX} rules") });
        }
    }
    let actor = tx.scope().actor().clone();
    let next = Throttle {
        rule_id: rule_id.to_owned(),
        limit,
        version: before.as_ref().map_or(0, |before| before.version) + 1,
        at: now,
        by: actor.id,
        by_name: actor.name,
        reason: reason.to_owned(),
    };
    write(tx, &next).await?;
    let kind = if limit.is_some() { "rule.throttled" } else { "rule.unthrottled" };
    let body = json!({"reason": reason, "before": before.and_then(|before| before.limit), "after": limit});
    tx.record(kind, &[&rule_id], body)?;
    Ok(next)
}

async fn write(tx: &mut Tx, next: &Throttle) -> Result<()> {
    let body = Body { limit: next.limit, by_name: next.by_name.clone(), reason: next.reason.clone() };
    let body = seal(tx, TABLE, next.rule_id.as_bytes(), &body)?;
    let done = sqlx::query(
        "INSERT INTO rule_throttles (tenant_id, rule_id, at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6) \
         ON CONFLICT (tenant_id, rule_id) DO UPDATE SET at=excluded.at, actor=excluded.actor, version=excluded.version, body=excluded.body \
         WHERE rule_throttles.version=excluded.version-1",
    )
    .bind(tx.t())
    .bind(&next.rule_id)
    .bind(next.at.as_micros())
    .bind(&next.by)
    .bind(next.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("throttle", &next.rule_id, next.version);
    tx.announce("rule", "all");
    Ok(())
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Throttle> {
    let rule_id: String = row.try_get("rule_id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let Body { limit, by_name, reason } = open(access, TABLE, rule_id.as_bytes(), &sealed)?;
    Ok(Throttle {
        limit,
        version: row.try_get("version")?,
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        by_name,
        reason,
        rule_id,
    })
}

/// An alert that counts against a throttle, by the time of its first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub at: Timestamp,
    pub alert: AlertId,
}

/// Alerts of a rule for one subject whose first event lies in this time, both ends included, oldest first.
pub async fn slots(
    access: &mut impl Access,
    rule_id: &str,
    subject: &[u8; 32],
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Slot>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT at, alert_id FROM throttle_slots WHERE tenant_id=$1 AND rule_id=$2 AND subject=$3 AND at>=$4 AND at<=$5 ORDER BY at, alert_id LIMIT 20000",
    )
    .bind(tenant)
    .bind(rule_id)
    .bind(subject.to_vec())
    .bind(from.as_micros())
    .bind(to.as_micros())
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| Ok(Slot { at: time(row, "at")?, alert: id_of(row, "alert_id")? })).collect()
}

/// Counts an alert against its rule's throttle; what is too old for any goes.
pub async fn take(tx: &mut Tx, rule_id: &str, subject: &[u8; 32], slot: Slot) -> Result<()> {
    sqlx::query(
        "INSERT INTO throttle_slots (tenant_id, rule_id, subject, at, alert_id, withheld) VALUES ($1,$2,$3,$4,$5,0) ON CONFLICT DO NOTHING",
    )
    .bind(tx.t())
    .bind(rule_id)
    .bind(subject.to_vec())
    .bind(slot.at.as_micros())
    .bind(bytes(slot.alert))
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM throttle_slots WHERE tenant_id=$1 AND rule_id=$2 AND at<$3")
        .bind(tx.t())
        .bind(rule_id)
        .bind(slot.at.minus(LONGEST).minus(LONGEST).as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Matches of others that were counted on an alert.
pub async fn withheld_on(access: &mut impl Access, rule_id: &str, alert: AlertId) -> Result<u64> {
    let tenant = access.t();
    let counts: Vec<i64> = sqlx::query_scalar(
        "SELECT withheld FROM throttle_slots WHERE tenant_id=$1 AND rule_id=$2 AND alert_id=$3 LIMIT 100",
    )
    .bind(tenant)
    .bind(rule_id)
    .bind(bytes(alert))
    .fetch_all(access.conn())
    .await?;
    Ok(counts.into_iter().filter_map(|count| u64::try_from(count).ok()).sum())
}

/// Notes matches that were counted on an alert instead of raising another.
pub async fn withheld(tx: &mut Tx, rule_id: &str, subject: &[u8; 32], slot: Slot, matches: u64) -> Result<()> {
    sqlx::query(
        "UPDATE throttle_slots SET withheld=withheld+$6 WHERE tenant_id=$1 AND rule_id=$2 AND subject=$3 AND at=$4 AND alert_id=$5",
    )
    .bind(tx.t())
    .bind(rule_id)
    .bind(subject.to_vec())
    .bind(slot.at.as_micros())
    .bind(bytes(slot.alert))
    .bind(i64::try_from(matches).unwrap_or(i64::MAX))
    .execute(tx.conn())
    .await?;
    Ok(())
}
