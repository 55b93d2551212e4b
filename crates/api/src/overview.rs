//! What the first page shows, computed from the rows it speaks of.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shieldops_model::{Plan, PlanState, Severity, Timestamp};
use shieldops_store::{
    Access, PageRequest, actions,
    alerts::{self, Tally},
    bookkeeping,
    facts::{self, Automation},
    incidents, ledger, plans,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, Problem,
    alerts::first_page,
    auth::Caller,
    incidents::IncidentView,
    ingest::{IngestStats, stats},
    page::Params,
};

/// Columns of the chart.
const BUCKETS: u16 = 48;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverviewParams {
    /// The range of the charts: 1 to 168, 24 unless told.
    hours: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    generated_at: Timestamp,
    from: Timestamp,
    to: Timestamp,
    alerts: AlertCounts,
    incidents: IncidentCounts,
    plans: PlanCounts,
    actions: ActionCounts,
    events: EventCounts,
    alert_series: Vec<AlertBucket>,
    funnel: Funnel,
    activity: Vec<ledger::Entry>,
    automation: Automation,
    ingest: IngestStats,
    verdicts: BTreeMap<String, u64>,
}

#[derive(Serialize, ToSchema)]
struct AlertCounts {
    open: u64,
    total: u64,
    /// Open alerts.
    by_severity: BTreeMap<&'static str, u64>,
}

#[derive(Serialize, ToSchema)]
struct IncidentCounts {
    open: u64,
    total: u64,
    items: Vec<IncidentView>,
}

#[derive(Serialize, ToSchema)]
struct PlanCounts {
    waiting_count: u64,
    waiting: Vec<Plan>,
}

/// Real actions: simulated ones are left out.
#[derive(Serialize, ToSchema)]
struct ActionCounts {
    live: u64,
    drifted: u64,
    undone: u64,
}

#[derive(Serialize, ToSchema)]
struct EventCounts {
    stored: u64,
    per_minute: Vec<Minute>,
}

#[derive(Serialize, ToSchema)]
struct Minute {
    at: Timestamp,
    count: u64,
}

#[derive(Serialize, ToSchema)]
struct AlertBucket {
    at: Timestamp,
    critical: u64,
    high: u64,
    medium: u64,
    low: u64,
    informational: u64,
}

#[derive(Serialize, ToSchema)]
struct Funnel {
    events: u64,
    alerts: u64,
    incidents: u64,
    plans_waiting: u64,
}

/// Counts, charts and what waits for a person.
#[utoipa::path(get, path = "/api/v1/overview", operation_id = "get_overview", tag = "overview", params(OverviewParams), responses((status = 200, body = Overview)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<OverviewParams>,
) -> Result<Json<Overview>, Problem> {
    let hours = params.hours.unwrap_or(24);
    if !(1..=168).contains(&hours) {
        return Err(Problem::invalid("`hours` is 1 to 168"));
    }
    let now = app.store.clock().now();
    let width_us = i64::from(hours) * 3_600_000_000 / i64::from(BUCKETS);
    let from = begin_of_chart(now, width_us);
    let ingest = stats(&app, &caller).await?;
    let mut reader = caller.scope.read().await?;
    let tally = alerts::tally(&mut reader).await?;
    let alert_counts = alert_counts(&tally);
    let (open, total) = incidents::counts(&mut reader).await?;
    let newest = incidents::list(&mut reader, &incidents::Filter::default(), &first_page(5)).await?.items;
    let items = newest.into_iter().map(IncidentView::from).collect();
    let waiting =
        plans::list(&mut reader, &plans::Filter { incident: None, state: vec!["proposed".to_owned()] }, &first_page(5))
            .await?
            .items;
    let minutes = bookkeeping::minutes(&mut reader, from).await?;
    let series = series(&alerts::histogram(&mut reader, from, width_us, BUCKETS).await?, from, width_us);
    let activity =
        ledger::list(&mut reader, &ledger::Filter::default(), &PageRequest { limit: Some(12), cursor: None })
            .await?
            .items;
    let waiting_count = plans::count_in_state(&mut reader, PlanState::Proposed).await?;
    let funnel =
        Funnel { events: ingest.stored, alerts: alert_counts.total, incidents: total, plans_waiting: waiting_count };
    Ok(Json(Overview {
        generated_at: now,
        from,
        to: now,
        alerts: alert_counts,
        incidents: IncidentCounts { open, total, items },
        plans: PlanCounts { waiting_count, waiting },
        actions: action_counts(&mut reader).await?,
        events: EventCounts {
            stored: ingest.stored,
            per_minute: minutes.into_iter().map(|(at, count)| Minute { at, count }).collect(),
        },
        alert_series: series,
        funnel,
        activity,
        automation: facts::automation(&mut reader).await?,
        ingest,
        verdicts: verdicts(&tally),
    }))
}

fn alert_counts(tally: &[Tally]) -> AlertCounts {
    let is_open = |alerts: &&Tally| matches!(alerts.status.as_str(), "new" | "in_progress");
    let of = |severity: Severity| {
        tally.iter().filter(is_open).filter(|alerts| alerts.severity == severity.id()).map(|alerts| alerts.alerts).sum()
    };
    let by_severity: BTreeMap<_, u64> =
        Severity::ALL.into_iter().map(|severity| (severity.as_str(), of(severity))).collect();
    let total = tally.iter().map(|alerts| alerts.alerts).sum();
    AlertCounts { open: by_severity.values().sum(), total, by_severity }
}

fn verdicts(tally: &[Tally]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (verdict, alerts) in tally.iter().filter_map(|alerts| Some((alerts.verdict.clone()?, alerts.alerts))) {
        *counts.entry(verdict).or_default() += alerts;
    }
    counts
}

async fn action_counts(access: &mut impl Access) -> Result<ActionCounts, Problem> {
    let by_state = actions::count_by_state(access).await?;
    let of = |words: &[&str]| {
        by_state.iter().filter(|(state, _)| words.contains(&state.as_str())).map(|(_, count)| count).sum()
    };
    Ok(ActionCounts {
        live: of(&["settling", "verified", "unverified"]),
        drifted: of(&["drifted"]),
        undone: of(&["undone", "expired"]),
    })
}

/// Where the first bucket begins so that the last has the moment in it. Buckets begin at multiples of their width: a chart
/// that is read again counts the same alerts in the same bars.
fn begin_of_chart(now: Timestamp, width_us: i64) -> Timestamp {
    Timestamp::from_micros((now.as_micros() / width_us - i64::from(BUCKETS) + 1) * width_us)
}

/// Alerts by first sight, in equal buckets from `from` on.
fn series(counted: &[alerts::Bucket], from: Timestamp, width_us: i64) -> Vec<AlertBucket> {
    let start = |at: u16| Timestamp::from_micros(from.as_micros() + i64::from(at) * width_us);
    let mut buckets: Vec<_> = (0..BUCKETS)
        .map(|at| AlertBucket { at: start(at), critical: 0, high: 0, medium: 0, low: 0, informational: 0 })
        .collect();
    for alerts::Bucket { at, severity, alerts } in counted {
        let Some(bucket) = buckets.get_mut(*at) else { continue };
        let of = match severity {
            5 => &mut bucket.critical,
            4 => &mut bucket.high,
            3 => &mut bucket.medium,
            2 => &mut bucket.low,
            _ => &mut bucket.informational,
        };
        *of += alerts;
    }
    buckets
}
