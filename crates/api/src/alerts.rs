//! Alerts: list, show, triage one by one and in bulk.

pub(crate) mod bulk;

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_ingest::normalise;
use shieldops_model::{
    Alert, AlertId, AlertStatus, Entity, EntityKind, EventId, Severity, Timestamp, UserId, Verdict, id,
};
use shieldops_pipeline::events;
use shieldops_store::{
    Access, PageRequest, Tx, alerts, bookkeeping,
    coverage::{self, Minute, Window},
    indicators::hits::{self, Hit},
    people,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, Filter, ListQuery, PathId, enums, parse, words},
    precondition::{IfMatch, Tagged},
    rules::correlation,
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertFilter {
    /// One status, or several between commas; `severity` and `verdict` alike.
    status: Option<String>,
    severity: Option<String>,
    verdict: Option<String>,
    rule_id: Option<String>,
    incident_id: Option<String>,
    assignee: Option<String>,
    /// `kind:value`, as in `ip:203.0.113.66`.
    entity: Option<String>,
    /// Part of the title.
    q: Option<String>,
}

impl Filter for AlertFilter {
    const SORTS: &'static [&'static str] = &["-created_at", "created_at"];
}

type AlertQuery = ListQuery<AlertFilter>;

/// `kind:value` to an entity.
pub(crate) fn entity(text: &str) -> Result<Entity, Problem> {
    let wrong = || Problem::invalid("`entity` is kind:value, as in ip:203.0.113.66");
    let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Entity::new(EntityKind::parse(kind).ok_or_else(wrong)?, value))
}

pub(crate) fn severity(text: Option<&String>) -> Result<Option<Severity>, Problem> {
    let wrong = |word: &String| {
        Problem::invalid(format!("`severity` is informational, low, medium, high or critical, not `{word}`"))
    };
    text.map(|word| Severity::parse(word).ok_or_else(|| wrong(word))).transpose()
}

/// A [`List`] of alerts that are JSON already.
pub(crate) struct WrittenList {
    items: Vec<alerts::Written>,
    next_cursor: Option<String>,
}

impl IntoResponse for WrittenList {
    fn into_response(self) -> Response {
        let length: usize = self.items.iter().map(|item| item.json.len() + 1).sum();
        let mut body = Vec::with_capacity(length + 256);
        body.extend_from_slice(br#"{"items":["#);
        for (at, item) in self.items.iter().enumerate() {
            body.extend_from_slice(if at == 0 { b"" } else { b"," });
            body.extend_from_slice(&item.json);
        }
        body.extend_from_slice(br#"],"next_cursor":"#);
        body.extend_from_slice(json!(self.next_cursor).to_string().as_bytes());
        body.push(b'}');
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// Alerts, newest first unless told.
#[utoipa::path(get, path = "/api/v1/alerts", operation_id = "list_alerts", tag = "alerts", params(AlertQuery), responses((status = 200, body = List<Alert>)))]
pub(crate) async fn list(caller: Caller, query: AlertQuery) -> Result<WrittenList, Problem> {
    let asked = &query.filter;
    let filter = alerts::Filter {
        status: enums::<AlertStatus>("status", asked.status.as_ref())?,
        severity: words("severity", asked.severity.as_ref(), Severity::parse)?,
        verdict: enums::<Verdict>("verdict", asked.verdict.as_ref())?,
        rule_id: asked.rule_id.clone(),
        incident: parse("incident_id", asked.incident_id.as_ref())?,
        assignee: parse("assignee", asked.assignee.as_ref())?,
        entity: asked.entity.as_deref().map(entity).transpose()?,
        title: asked.q.clone(),
        oldest_first: query.sort == "created_at",
    };
    let found = alerts::list(&mut caller.scope.read().await?, &filter, query.page()).await?;
    Ok(WrittenList { next_cursor: query.seal(found.next_cursor.as_deref()), items: found.items })
}

/// An alert with what an analyst asks first: the rule's words, which fields matched, and how often it was seen.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlertDetail {
    #[serde(flatten)]
    alert: Alert,
    rule: Option<RuleWords>,
    matches: Vec<EventMatch>,
    /// What lists of indicators say, for an alert of one.
    indicators: Vec<Hit>,
    /// `checked`; `not_checked` where events of the same source and minute were not looked up, because lists were loading;
    /// `unknown` where its events are gone, or the log of coverage of their time.
    indicator_state: &'static str,
    /// Other alerts of this rule; 100 stands for that many or more.
    similar_count: u64,
    /// Matches counted on it that would have raised another alert, had the rule's throttle allowed more.
    withheld: u64,
}

#[derive(Serialize, ToSchema)]
struct RuleWords {
    level: Severity,
    description: String,
    references: Vec<String>,
    falsepositives: Vec<String>,
    /// What its author says to look at first; plain text, empty when the rule says nothing.
    triage: String,
}

#[derive(Serialize, ToSchema)]
struct EventMatch {
    event_id: EventId,
    fields: Vec<FieldMatch>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FieldMatch {
    pub(crate) selection: String,
    pub(crate) field: String,
    pub(crate) value: String,
    /// Where in `value` it was found: the first byte and the one behind the last, in UTF-8.
    pub(crate) ranges: Vec<[usize; 2]>,
    pub(crate) pattern: String,
}

impl From<shieldops_detect::FieldHit> for FieldMatch {
    fn from(hit: shieldops_detect::FieldHit) -> Self {
        Self { selection: hit.selection, field: hit.field, value: hit.value, ranges: hit.ranges, pattern: hit.pattern }
    }
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", operation_id = "get_alert", tag = "alerts", params(("id" = AlertId, Path)),
    responses((status = 200, body = AlertDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::AlertKind>,
) -> Result<Tagged<AlertDetail>, Problem> {
    let mut reader = caller.scope.read().await?;
    let alert = alerts::get(&mut reader, id).await?;
    let around = alerts::around(&mut reader, &alert).await?;
    let indicators = match hex::decode(&alert.fingerprint) {
        Ok(fingerprint) if around.listed => hits::of_fingerprint(&mut reader, &fingerprint).await?,
        _ => Vec::new(),
    };
    // A rule that comes with a folder is in the book, whatever else the tenant has, but for its lists.
    let book = app.pipeline.content.book();
    let in_book = book.entries.get(&alert.rule_id).is_some_and(|entry| !entry.names_lists());
    let own = if around.own_rule || !in_book {
        crate::rules::raised::raised_by(&mut reader, &app.pipeline.content, &alert).await?
    } else {
        None
    };
    drop(reader);
    let compiled = book.set.get(&alert.rule_id).filter(|_| own.is_none());
    let entry = book.entries.get(&alert.rule_id).map(|entry| &*entry.rule);
    let entry = own.as_ref().map(|own| &*own.rule).or(entry);
    let rule = compiled.map(|rule| &**rule).or(entry).map(|rule| RuleWords {
        level: rule.level,
        description: rule.description.clone(),
        references: rule.references.clone(),
        falsepositives: rule.falsepositives.clone(),
        triage: rule.triage.clone(),
    });
    let (mut matches, mut came) = (Vec::new(), Vec::new());
    for event_id in alert.event_ids.iter().take(5).copied() {
        let Some(event) = events::find(&app.pipeline, &caller.scope, event_id).await? else { continue };
        let seen = normalise(&event);
        came.push((event.source.clone(), event.window_time()));
        let fields = match compiled {
            _ if own.is_some() => own.as_ref().map(|own| own.fields(&seen)).unwrap_or_default(),
            Some(rule) => {
                let hits = book.set.explain(rule, &seen.log_source, seen.flat.as_bytes());
                hits.into_iter().map(FieldMatch::from).collect()
            }
            None => match book.correlation_entries.get(&alert.rule_id) {
                Some(entry) => correlation::fields(&book, entry, &seen),
                None => listed(&indicators, &alert),
            },
        };
        matches.push(EventMatch { event_id, fields });
    }
    let indicator_state = looked_up(&caller, &came).await?;
    let alerts::Around { similar: similar_count, withheld, .. } = around;
    Ok(Tagged(
        alert.version,
        AlertDetail { alert, rule, matches, indicators, indicator_state, similar_count, withheld },
    ))
}

/// Rows of the log of coverage that are read for one alert.
const ROWS: u32 = 1_000;

/// What the log of coverage has of these events, by source and time: whether they were looked up in the lists.
async fn looked_up(caller: &Caller, came: &[(String, Timestamp)]) -> Result<&'static str, Problem> {
    let times = || came.iter().map(|(_, at)| *at);
    let kept = caller.now().minus(Duration::from_hours(24 * coverage::DAYS));
    let (Some(from), Some(to)) = (times().min().filter(|from| *from >= kept), times().max()) else {
        return Ok("unknown");
    };
    let mut sources: Vec<&str> = came.iter().map(|(source, _)| source.as_str()).collect();
    sources.push(bookkeeping::OTHER);
    // Of a batch of very many minutes, old ones stand at the beginning of their hour.
    let window = Window { sources: &sources, from: from.minus(Duration::from_hours(1)), to, gaps: true, limit: ROWS };
    let gaps = coverage::minutes(&mut caller.scope.read().await?, &window).await?;
    let skipped = came.iter().any(|one| gaps.iter().any(|gap| is_of(gap, one)));
    Ok(if skipped { "not_checked" } else { "checked" })
}

/// Whether an event came in a minute of which events were not looked up.
fn is_of(gap: &Minute, (source, at): &(String, Timestamp)) -> bool {
    let (minute, at) = (gap.minute.as_secs().div_euclid(60), at.as_secs().div_euclid(60));
    let same = minute == at || minute == at.saturating_sub(at.rem_euclid(60));
    gap.rules == coverage::INDICATORS && same && (gap.source == *source || gap.source == bookkeeping::OTHER)
}

/// What a list names in the alert's entities, and where.
fn listed(indicators: &[Hit], alert: &Alert) -> Vec<FieldMatch> {
    let named = |hit: &&Hit| alert.entities.contains(&hit.sighting.entity);
    let field = |hit: &Hit| FieldMatch {
        selection: format!("{}, line {}", hit.sighting.provenance.list, hit.sighting.provenance.line),
        field: hit.sighting.entity.kind.as_str().to_owned(),
        value: hit.sighting.entity.value.clone(),
        ranges: Vec::new(),
        pattern: hit.sighting.indicator.clone(),
    };
    indicators.iter().filter(named).map(field).collect()
}

#[derive(Debug, Default, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertPatch {
    status: Option<AlertStatus>,
    /// A user's id, or null for nobody.
    #[serde(default)]
    #[schema(value_type = Option<UserId>)]
    assignee: Patch<UserId>,
    severity: Option<Severity>,
    /// Why; required to lower a severity.
    reason: Option<String>,
}

/// A field of a change: absent leaves the value, null empties it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Patch<T> {
    #[default]
    Keep,
    Set(Option<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(from).map(Self::Set)
    }
}

/// Changes status, assignee or severity.
#[utoipa::path(patch, path = "/api/v1/alerts/{id}", operation_id = "update_alert", tag = "alerts", params(("id" = AlertId, Path)),
    request_body = AlertPatch, responses((status = 200, body = Alert), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    PathId(id): PathId<id::AlertKind>,
    seen: IfMatch,
    Body(patch): Body<AlertPatch>,
) -> Result<Tagged<Alert>, Problem> {
    let mut tx = caller.scope.begin().await?;
    seen.check(alerts::get(&mut tx, id).await?.version)?;
    let alert = change(&mut tx, id, &Change { patch, judged: None }).await?;
    tx.commit(caller.scope.store().clock().now()).await?;
    Ok(Tagged(alert.version, alert))
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictBody {
    /// Null takes the verdict back.
    #[serde(default)]
    #[schema(value_type = Option<Verdict>, required)]
    verdict: Patch<Verdict>,
    reason: String,
}

impl VerdictBody {
    /// A verdict, or none where it is taken back, with its reason.
    pub(crate) fn judged(self) -> Result<Judged, Problem> {
        let Patch::Set(verdict) = self.verdict else {
            return Err(Problem::invalid("`verdict` is one of the verdicts, or null to take it back"));
        };
        reason(&self.reason)?;
        Ok(Judged { verdict, reason: self.reason })
    }
}

/// What a person says of an alert or incident.
pub(crate) struct Judged {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) reason: String,
}

/// Gives a verdict with its reason, which resolves the alert; or takes it back, which opens it again.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/verdict", operation_id = "judge_alert", tag = "alerts", params(("id" = AlertId, Path)), request_body = VerdictBody,
    responses((status = 200, body = Alert), (status = 404, body = Problem)))]
pub(crate) async fn judge(
    caller: Caller,
    PathId(id): PathId<id::AlertKind>,
    Body(body): Body<VerdictBody>,
) -> Result<Json<Alert>, Problem> {
    let judged = Some(body.judged()?);
    let mut tx = caller.scope.begin().await?;
    let alert = change(&mut tx, id, &Change { patch: AlertPatch::default(), judged }).await?;
    tx.commit(caller.scope.store().clock().now()).await?;
    Ok(Json(alert))
}

struct Change {
    patch: AlertPatch,
    judged: Option<Judged>,
}

async fn change(tx: &mut Tx, id: AlertId, change: &Change) -> Result<Alert, Problem> {
    if let Some(why) = &change.patch.reason {
        reason(why)?;
    }
    let mut alert = alerts::get(tx, id).await?;
    let before = serde_json::json!({"status": alert.status, "severity": alert.severity, "assignee": alert.assignee, "verdict": alert.verdict});
    if let Some(status) = change.patch.status {
        alert.status = status;
    }
    if let Patch::Set(assignee) = change.patch.assignee {
        check_assignee(tx, assignee).await?;
        alert.assignee = assignee;
    }
    if let Some(severity) = change.patch.severity {
        if severity < alert.severity && change.patch.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Problem::invalid("lowering a severity needs a `reason`"));
        }
        alert.severity = severity;
    }
    if let Some(judged) = &change.judged {
        judge_alert(&mut alert, judged);
    }
    alert.updated_at = tx.scope().store().clock().now();
    alerts::update(tx, &mut alert).await?;
    let after = serde_json::json!({"status": alert.status, "severity": alert.severity, "assignee": alert.assignee, "verdict": alert.verdict});
    let kind = match &change.judged {
        Some(Judged { verdict: Some(_), .. }) => "alert.judged",
        Some(_) => "alert.verdict_cleared",
        None => "alert.updated",
    };
    let why = change.judged.as_ref().map(|judged| judged.reason.clone()).or_else(|| change.patch.reason.clone());
    tx.record(kind, &[&alert.id], serde_json::json!({"before": before, "after": after, "reason": why}))?;
    Ok(alert)
}

/// A verdict resolves; without one the alert is open again, and still somebody's where somebody had it.
fn judge_alert(alert: &mut Alert, judged: &Judged) {
    alert.verdict_reason = judged.verdict.map(|_given| judged.reason.clone());
    if judged.verdict.is_some() {
        alert.status = AlertStatus::Resolved;
    } else if alert.verdict.is_some() && alert.status == AlertStatus::Resolved {
        alert.status = if alert.assignee.is_some() { AlertStatus::InProgress } else { AlertStatus::New };
    }
    alert.verdict = judged.verdict;
}

/// Work is given to somebody who is there.
pub(crate) async fn check_assignee(access: &mut impl Access, assignee: Option<UserId>) -> Result<(), Problem> {
    let Some(assignee) = assignee else { return Ok(()) };
    if people::user(access, assignee).await?.is_some_and(|user| !user.disabled) {
        return Ok(());
    }
    Err(Problem::invalid("`assignee` is no user, or is disabled"))
}

/// A reason says something and has an end.
pub(crate) fn reason(text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() || text.len() > 4_096 {
        return Err(Problem::invalid("`reason` is 1 to 4,096 bytes of text"));
    }
    Ok(())
}

/// The first page of the alerts of an incident.
pub(crate) fn first_page(limit: u32) -> PageRequest {
    PageRequest { limit: Some(limit), cursor: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_was_not_looked_up_where_one_of_its_source_and_minute_was_not() {
        let at = |minute: i64| Timestamp::from_secs(minute * 60);
        let gap = |source: &str, minute: i64, rules: &str| Minute {
            source: source.to_owned(),
            minute: at(minute),
            rules: rules.to_owned(),
            evaluated: 0,
            late: 0,
            skipped: 1,
        };
        let event = ("sshd".to_owned(), at(125).plus(Duration::from_secs(59)));
        for (gap, is) in [
            (gap("sshd", 125, coverage::INDICATORS), true),
            (gap("sshd", 120, coverage::INDICATORS), true),
            (gap("other", 125, coverage::INDICATORS), true),
            (gap("sshd", 124, coverage::INDICATORS), false),
            (gap("nginx", 125, coverage::INDICATORS), false),
            (gap("sshd", 125, ""), false),
        ] {
            assert_eq!(is_of(&gap, &event), is, "{gap:?}");
        }
    }
}
