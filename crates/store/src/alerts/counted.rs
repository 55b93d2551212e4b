//! Alerts as numbers: of a rule, by status, severity and verdict, over time.

use std::collections::HashMap;

use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use crate::{Access, Result, rows};
/// What the alerts of a rule say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    pub alerts: u64,
    /// First seen since the time that was asked for.
    pub recent: u64,
    pub last_fired: Option<Timestamp>,
    /// Alerts that a person judged so.
    pub true_positives: u64,
    pub false_positives: u64,
    pub benign: u64,
}

/// How each rule did: verdicts, volume since a time, and when it fired last.
pub async fn scores(access: &mut impl Access, since: Timestamp) -> Result<HashMap<String, Score>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT rule_id, count(*) AS alerts, max(last_seen) AS last, \
         CAST(sum(CASE WHEN first_seen>=$2 THEN 1 ELSE 0 END) AS BIGINT) AS recent, \
         CAST(sum(CASE WHEN verdict='true_positive' THEN 1 ELSE 0 END) AS BIGINT) AS truly, \
         CAST(sum(CASE WHEN verdict='false_positive' THEN 1 ELSE 0 END) AS BIGINT) AS falsely, \
         CAST(sum(CASE WHEN verdict='benign_positive' THEN 1 ELSE 0 END) AS BIGINT) AS benign \
         FROM alerts WHERE tenant_id=$1 GROUP BY rule_id LIMIT 100000",
    )
    .bind(tenant)
    .bind(since.as_micros())
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<_> {
        let score = Score {
            alerts: rows::count(row, "alerts")?,
            recent: rows::count(row, "recent")?,
            last_fired: rows::optional_time(row, "last")?,
            true_positives: rows::count(row, "truly")?,
            false_positives: rows::count(row, "falsely")?,
            benign: rows::count(row, "benign")?,
        };
        Ok((row.try_get("rule_id")?, score))
    };
    rows.iter().map(read).collect()
}

/// Alerts that are alike in these words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub status: String,
    pub severity: u8,
    pub verdict: Option<String>,
    pub alerts: u64,
}

/// How many alerts there are of each status, severity and verdict: the database counts them as they change.
pub async fn tally(access: &mut impl Access) -> Result<Vec<Tally>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT status, severity, verdict, alerts FROM alert_tally WHERE tenant_id=$1 AND alerts>0 ORDER BY 1, 2, 3 LIMIT 1000",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<Tally> {
        let (severity, verdict): (i64, String) = (row.try_get("severity")?, row.try_get("verdict")?);
        Ok(Tally {
            status: row.try_get("status")?,
            severity: u8::try_from(severity).unwrap_or(0),
            verdict: Some(verdict).filter(|verdict| !verdict.is_empty()),
            alerts: rows::count(row, "alerts")?,
        })
    };
    rows.iter().map(read).collect()
}

/// How many alerts of a severity were first seen in a part of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its place in the range, from 0.
    pub at: usize,
    pub severity: u8,
    pub alerts: u64,
}

/// The database counts alerts by the half hour as they come and change, in microseconds.
const SLOT_US: i64 = 1_800_000_000;

/// Alerts by first sight since `from`, counted in buckets of `width_us` microseconds; what comes after the last of
/// `buckets` is left out. Where both are whole half hours, no alert is looked at.
pub async fn histogram(access: &mut impl Access, from: Timestamp, width_us: i64, buckets: u16) -> Result<Vec<Bucket>> {
    let (tenant, from, width_us) = (access.t(), from.as_micros(), width_us.max(1));
    let counted = from % SLOT_US == 0 && width_us % SLOT_US == 0;
    let (text, unit) = if counted {
        let text = "SELECT (slot-$2)/$3 AS at, severity, CAST(sum(alerts) AS BIGINT) AS n FROM alert_timeline \
            WHERE tenant_id=$1 AND slot>=$2 AND slot<$4 AND alerts>0 GROUP BY 1, 2 ORDER BY 1, 2";
        (text, SLOT_US)
    } else {
        let text = "SELECT (first_seen-$2)/$3 AS at, severity, count(*) AS n FROM alerts WHERE tenant_id=$1 \
            AND first_seen>=$2 AND first_seen<$4 GROUP BY 1, 2 ORDER BY 1, 2";
        (text, 1)
    };
    let end = from.saturating_add(width_us.saturating_mul(i64::from(buckets)));
    let rows = sqlx::query(text)
        .bind(tenant)
        .bind(from / unit)
        .bind(width_us / unit)
        .bind(end / unit)
        .fetch_all(access.conn())
        .await?;
    let read = |row: &AnyRow| -> Result<Bucket> {
        let (at, severity, n): (i64, i64, i64) = (row.try_get("at")?, row.try_get("severity")?, row.try_get("n")?);
        Ok(Bucket {
            at: usize::try_from(at).unwrap_or(usize::MAX),
            severity: u8::try_from(severity).unwrap_or(0),
            alerts: u64::try_from(n).unwrap_or(0),
        })
    };
    rows.iter().map(read).collect()
}
