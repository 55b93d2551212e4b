//! Backtests: what a rule would have found in events that are still there. A job does the work; its beginning and end have
//! entries, and the report is what became of it.

use serde::{Deserialize, Serialize};
use shieldops_model::{EventId, IncidentId, JobId, Severity, Timestamp, Verdict, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, Tx,
    jobs::JobState,
    reports::{Reported, Reports},
    rows::bytes,
};

const REPORTS: Reports = Reports("backtests");

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Backtest {
    /// The job's.
    pub id: JobId,
    pub rule_id: String,
    /// The rule's version: the hash of its text.
    pub version: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub state: JobState,
    pub at: Timestamp,
    pub by: String,
    /// Absent until it has ended.
    pub report: Option<Report>,
}

/// What a rule would have found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Events that were looked at, and those of them in the window, on which the rule was tried.
    pub events_read: u64,
    pub events_in_window: u64,
    pub matches: u64,
    /// Matches that one alert would have taken together count once.
    pub alerts: u64,
    /// Days of the window on which something matched.
    pub per_day: Vec<Day>,
    /// The entities named most, the first 20.
    pub entities: Vec<Named>,
    /// The first matches of the window, at most 20.
    pub sample: Vec<Sample>,
    pub incidents: Known,
    /// What was not looked at, and why.
    pub not_checked: Vec<Unchecked>,
    pub took_ms: u64,
    /// Everything that is stored of the window was looked at, and a correlation held all of it.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Day {
    /// `2026-11-20`, in UTC.
    pub day: String,
    pub alerts: u64,
    pub matches: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    pub kind: String,
    pub value: String,
    pub matches: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    pub event_id: EventId,
    pub at: Timestamp,
    pub source: String,
}

/// Incidents of the window that nobody judged to be a false alarm.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Known {
    pub caught: Vec<KnownIncident>,
    pub missed: Vec<KnownIncident>,
    /// Incidents of the window beyond those that were compared.
    pub more: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownIncident {
    pub id: IncidentId,
    pub title: String,
    pub severity: Severity,
    pub verdict: Option<Verdict>,
    /// It is about a technique that the rule names.
    pub same_technique: bool,
    /// `event`: the rule matches an event of it. `entity`: it matches one of its entities in its time. Absent: missed.
    pub how: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unchecked {
    /// `damaged_events`, `unread_events`, `unreadable_as_json`, `retention`, `correlated_matches` or `correlated_groups`.
    pub what: String,
    pub events: u64,
    pub detail: String,
}

pub async fn insert(tx: &mut Tx, test: &Backtest) -> Result<()> {
    let body = REPORTS.sealed(tx, test.id, test.report.as_ref())?;
    sqlx::query(
        "INSERT INTO backtests (tenant_id, id, rule_id, hash, since, until, state, at, actor, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
    )
    .bind(tx.t())
    .bind(bytes(test.id))
    .bind(&test.rule_id)
    .bind(&test.version)
    .bind(test.from.as_micros())
    .bind(test.to.as_micros())
    .bind(test.state.as_str())
    .bind(test.at.as_micros())
    .bind(&test.by)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.announce("rule", &test.rule_id);
    Ok(())
}

/// Notes the end of a backtest that runs.
pub async fn finish(tx: &mut Tx, test: &Backtest) -> Result<()> {
    REPORTS.finish(tx, test.id, test.state, test.report.as_ref()).await?;
    tx.announce("rule", &test.rule_id);
    Ok(())
}

pub async fn find(access: &mut impl Access, rule_id: &str, id: JobId) -> Result<Option<Backtest>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM backtests WHERE tenant_id=$1 AND id=$2 AND rule_id=$3")
        .bind(tenant)
        .bind(bytes(id))
        .bind(rule_id)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Newest first.
pub async fn of_rule(access: &mut impl Access, rule_id: &str, page: &PageRequest) -> Result<Page<Backtest>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT * FROM backtests WHERE tenant_id=$1 AND rule_id=$2 AND id<$3 ORDER BY id DESC LIMIT $4")
            .bind(tenant)
            .bind(rule_id)
            .bind(page.below::<id::JobKind>()?)
            .bind(page.fetch())
            .fetch_all(access.conn())
            .await?;
    let items: Result<Vec<Backtest>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |test| test.id.to_string()))
}

/// Backtests of one version that are looked at for its proof.
const TRIED: i64 = 50;

/// The newest backtest of this version of a rule that looked at everything of its window. One that ran out of time, or of
/// events that it may read, is none.
pub async fn proof(access: &mut impl Access, rule_id: &str, version: &str) -> Result<Option<Backtest>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM backtests WHERE tenant_id=$1 AND rule_id=$2 AND hash=$3 AND state='done' ORDER BY id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(rule_id)
    .bind(version)
    .bind(TRIED)
    .fetch_all(access.conn())
    .await?;
    let tests = rows.iter().map(|row| read(access, row)).collect::<Result<Vec<_>>>()?;
    Ok(tests.into_iter().find(|test| test.report.as_ref().is_some_and(|report| report.complete)))
}

/// Says of backtests whose job is over that they are too: their process ended in the middle.
pub async fn give_up(tx: &mut Tx) -> Result<()> {
    REPORTS.give_up(tx).await
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Backtest> {
    let Reported { id, from, to, state, at, by, report } = REPORTS.read(access, row)?;
    let (rule_id, version) = (row.try_get("rule_id")?, row.try_get("hash")?);
    Ok(Backtest { id, rule_id, version, from, to, state, at, by, report })
}
