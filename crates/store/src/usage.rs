//! What a tenant holds and sends, counted from the rows as they are now: nothing is metered twice.

use std::collections::BTreeMap;

use serde::Serialize;
use shieldops_model::Timestamp;
use sqlx::Row as _;
use utoipa::ToSchema;

use crate::{Access, Result, rows::count, sessions::idle_holds};

const DAY_S: i64 = 86_400;
const MINUTE_US: i64 = 60_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    pub from: Timestamp,
    pub to: Timestamp,
    pub members: u64,
    pub custom_roles: u64,
    /// Keys and tokens that are in force.
    pub keys: u64,
    pub tokens: u64,
    /// Sessions that are open now.
    pub sessions: u64,
    pub sources: u64,
    /// Events processed between `from` and `to`, in whole minutes: a minute of which a part is between counts.
    pub events: u64,
    /// Made between `from` and `to`, as are incidents, actions and entries.
    pub alerts: u64,
    pub incidents: u64,
    pub actions: u64,
    pub ledger_entries: u64,
    pub events_by_day: Vec<DayEvents>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayEvents {
    pub day: Timestamp,
    pub events: u64,
}

/// Usage between two times.
pub async fn of(access: &mut impl Access, from: Timestamp, to: Timestamp) -> Result<Usage> {
    let tenant = access.t();
    let row = sqlx::query(concat!(
        "SELECT (SELECT count(*) FROM memberships WHERE tenant=$1) AS members, \
         (SELECT count(*) FROM roles WHERE tenant_id=$1) AS custom_roles, \
         (SELECT count(*) FROM api_keys WHERE tenant_id=$1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at>$2)) AS api_keys, \
         (SELECT count(*) FROM tokens k JOIN principal_index p ON p.id=k.id AND p.tenant=k.tenant_id \
          WHERE k.tenant_id=$1 AND k.revoked_at IS NULL AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at>$2)) AS tokens, \
         (SELECT count(*) FROM principal_index p WHERE p.tenant=$1 AND p.kind='session' AND p.revoked_at IS NULL AND p.expires_at>$2 AND ", idle_holds!(), ") AS sessions, \
         (SELECT count(*) FROM source_stats WHERE tenant_id=$1) AS sources, \
         (SELECT count(*) FROM alerts WHERE tenant_id=$1 AND created_at>=$3 AND created_at<$2) AS alerts, \
         (SELECT count(*) FROM incidents WHERE tenant_id=$1 AND created_at>=$3 AND created_at<$2) AS incidents, \
         (SELECT count(*) FROM actions a JOIN plans p ON p.tenant_id=a.tenant_id AND p.id=a.plan_id \
          WHERE a.tenant_id=$1 AND p.created_at>=$3 AND p.created_at<$2) AS actions, \
         (SELECT count(*) FROM ledger_entries WHERE tenant_id=$1 AND time>=$3 AND time<$2) AS ledger_entries"
    ))
    .bind(tenant)
    .bind(to.as_micros())
    .bind(from.as_micros())
    .fetch_one(access.conn())
    .await?;
    let (events, events_by_day) = events(access, from, to).await?;
    Ok(Usage {
        from,
        to,
        members: count(&row, "members")?,
        custom_roles: count(&row, "custom_roles")?,
        keys: count(&row, "api_keys")?,
        tokens: count(&row, "tokens")?,
        sessions: count(&row, "sessions")?,
        sources: count(&row, "sources")?,
        events,
        alerts: count(&row, "alerts")?,
        incidents: count(&row, "incidents")?,
        actions: count(&row, "actions")?,
        ledger_entries: count(&row, "ledger_entries")?,
        events_by_day,
    })
}

/// Minutes since the epoch that began before a time: the one that is running now counts with what came so far.
const fn minutes_begun(before: Timestamp) -> i64 {
    (before.as_micros() - 1).div_euclid(MINUTE_US) + 1
}

async fn events(access: &mut impl Access, from: Timestamp, to: Timestamp) -> Result<(u64, Vec<DayEvents>)> {
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    let tenant = access.t();
    // Whole days in the database; `minute` is integer division on both.
    let rows = sqlx::query(
        "SELECT minute/1440 AS day, CAST(sum(events) AS BIGINT) AS events FROM event_minutes WHERE tenant_id=$1 AND minute>=$2 AND minute<$3 GROUP BY 1 ORDER BY 1 LIMIT 4000",
    )
    .bind(tenant)
    .bind(from.as_secs().div_euclid(60))
    .bind(minutes_begun(to))
    .fetch_all(access.conn())
    .await?;
    for row in &rows {
        *days.entry(row.try_get("day")?).or_default() += count(row, "events")?;
    }
    let total = days.values().sum();
    let of_day = |(day, events)| DayEvents { day: Timestamp::from_secs(day * DAY_S), events };
    Ok((total, days.into_iter().map(of_day).collect()))
}
