//! Incidents: list, show, change, judge, note, merge; their investigation, ledger and export.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use shieldops_model::{Code, Incident, IncidentId, IncidentStatus, Investigation, Note, NoteId, Severity, UserId, id};
use shieldops_store::{
    Access, Tx,
    incidents::{self, Around, Order},
    investigations, ledger, notes, plans,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    alerts::{Judged, Patch, VerdictBody, check_assignee, first_page, reason},
    auth::Caller,
    page::{Body, Filter, ListQuery, Params, PathId, PlainQuery, enums, parse, words},
    precondition::{IfMatch, Tagged},
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct IncidentFilter {
    /// One status, or several between commas; `severity` alike.
    status: Option<String>,
    severity: Option<String>,
    assignee: Option<String>,
    /// Part of the title.
    q: Option<String>,
}

impl Filter for IncidentFilter {
    const SORTS: &'static [&'static str] = &["-created_at", "created_at", "-last_seen", "last_seen"];
}

type IncidentQuery = ListQuery<IncidentFilter>;

fn order(sort: &str) -> Order {
    match sort {
        "created_at" => Order::Oldest,
        "-last_seen" => Order::LastSeen,
        "last_seen" => Order::QuietFirst,
        _ => Order::Newest,
    }
}

/// An incident with its phase.
#[derive(Serialize, ToSchema)]
pub(crate) struct IncidentView {
    #[serde(flatten)]
    pub(crate) incident: Incident,
    /// `detected`, `investigated`, `contained` or `resolved`: from its status, revision and actions.
    pub(crate) phase: &'static str,
    pub(crate) notes_count: u64,
    pub(crate) plans_count: u64,
}

fn phase(incident: &Incident, contained: bool) -> &'static str {
    match incident.status {
        IncidentStatus::Resolved | IncidentStatus::Closed => "resolved",
        _ if contained => "contained",
        _ if incident.revision > 0 => "investigated",
        _ => "detected",
    }
}

impl From<(Incident, Around)> for IncidentView {
    fn from((incident, around): (Incident, Around)) -> Self {
        let phase = phase(&incident, around.contained);
        Self { incident, phase, notes_count: around.notes, plans_count: around.plans }
    }
}

/// Incidents that have a first revision, newest first unless told.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "list_incidents", tag = "incidents", params(IncidentQuery), responses((status = 200, body = List<IncidentView>)))]
pub(crate) async fn list(caller: Caller, query: IncidentQuery) -> Result<Json<List<IncidentView>>, Problem> {
    let asked = &query.filter;
    let filter = incidents::Filter {
        status: enums::<IncidentStatus>("status", asked.status.as_ref())?,
        severity: words("severity", asked.severity.as_ref(), Severity::parse)?,
        assignee: parse("assignee", asked.assignee.as_ref())?,
        title: asked.q.clone(),
        order: order(query.sort),
    };
    let found = incidents::list(&mut caller.scope.read().await?, &filter, query.page()).await?;
    let items = found.items.into_iter().map(IncidentView::from).collect();
    Ok(Json(List { items, next_cursor: query.seal(found.next_cursor.as_deref()) }))
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", operation_id = "get_incident", tag = "incidents", params(("id" = IncidentId, Path)),
    responses((status = 200, body = IncidentView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
) -> Result<Tagged<IncidentView>, Problem> {
    let found = incidents::get_around(&mut caller.scope.read().await?, id).await?;
    Ok(Tagged(found.0.version, IncidentView::from(found)))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncidentPatch {
    status: Option<IncidentStatus>,
    #[serde(default)]
    #[schema(value_type = Option<UserId>)]
    assignee: Patch<UserId>,
    /// 1 to 200 characters.
    title: Option<String>,
    severity: Option<Severity>,
    /// Why; required to lower a severity.
    reason: Option<String>,
}

/// Changes status, assignee, title or severity.
#[utoipa::path(patch, path = "/api/v1/incidents/{id}", operation_id = "update_incident", tag = "incidents", params(("id" = IncidentId, Path)),
    request_body = IncidentPatch, responses((status = 200, body = IncidentView), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
    seen: IfMatch,
    Body(patch): Body<IncidentPatch>,
) -> Result<Tagged<IncidentView>, Problem> {
    let mut tx = caller.scope.begin().await?;
    let mut incident = incidents::get(&mut tx, id).await?;
    seen.check(incident.version)?;
    let before = summary(&incident);
    if let Patch::Set(assignee) = patch.assignee {
        check_assignee(&mut tx, assignee).await?;
        incident.assignee = assignee;
    }
    patch.apply(&mut incident)?;
    save(&mut tx, &mut incident, "incident.updated", &before, patch.reason.as_deref()).await?;
    finish(caller, tx, incident.id).await
}

impl IncidentPatch {
    /// All but the assignee, who has to be looked up.
    fn apply(&self, incident: &mut Incident) -> Result<(), Problem> {
        if let Some(why) = &self.reason {
            reason(why)?;
        }
        if let Some(status) = self.status {
            incident.status = status;
        }
        if let Some(title) = &self.title {
            if title.trim().is_empty() || title.chars().count() > 200 || title.chars().any(char::is_control) {
                return Err(Problem::invalid("`title` is 1 to 200 printable characters"));
            }
            title.trim().clone_into(&mut incident.title);
            incident.title_by_person = true;
        }
        if let Some(severity) = self.severity {
            if severity < incident.severity && self.reason.is_none() {
                return Err(Problem::invalid("lowering a severity needs a `reason`"));
            }
            incident.severity = severity;
        }
        Ok(())
    }
}

fn summary(incident: &Incident) -> serde_json::Value {
    serde_json::json!({"status": incident.status, "assignee": incident.assignee, "title": incident.title, "severity": incident.severity, "verdict": incident.verdict})
}

async fn save(
    tx: &mut Tx,
    incident: &mut Incident,
    kind: &'static str,
    before: &serde_json::Value,
    why: Option<&str>,
) -> Result<(), Problem> {
    incident.updated_at = tx.scope().store().clock().now();
    incidents::update(tx, incident).await?;
    tx.record(kind, &[&incident.id], serde_json::json!({"before": before, "after": summary(incident), "reason": why}))?;
    Ok(())
}

async fn finish(caller: Caller, mut tx: Tx, id: IncidentId) -> Result<Tagged<IncidentView>, Problem> {
    let changed = incidents::get_around(&mut tx, id).await?;
    tx.commit(caller.scope.store().clock().now()).await?;
    Ok(Tagged(changed.0.version, IncidentView::from(changed)))
}

/// Gives a verdict with its reason, which resolves the incident; or takes it back, which opens it again.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/verdict", operation_id = "judge_incident", tag = "incidents", params(("id" = IncidentId, Path)), request_body = VerdictBody,
    responses((status = 200, body = IncidentView), (status = 404, body = Problem)))]
pub(crate) async fn judge(
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
    Body(body): Body<VerdictBody>,
) -> Result<Tagged<IncidentView>, Problem> {
    let judged = body.judged()?;
    let mut tx = caller.scope.begin().await?;
    let mut incident = incidents::get(&mut tx, id).await?;
    let before = summary(&incident);
    let kind = if judged.verdict.is_some() { "incident.judged" } else { "incident.verdict_cleared" };
    judge_incident(&mut incident, &judged);
    save(&mut tx, &mut incident, kind, &before, Some(&judged.reason)).await?;
    finish(caller, tx, incident.id).await
}

/// A verdict resolves; without one the incident is open again. One that was merged stays closed.
fn judge_incident(incident: &mut Incident, judged: &Judged) {
    incident.verdict_reason = judged.verdict.map(|_given| judged.reason.clone());
    if judged.verdict.is_some() {
        incident.status = IncidentStatus::Resolved;
    } else if incident.verdict.is_some() && incident.status == IncidentStatus::Resolved {
        incident.status = if incident.assignee.is_some() { IncidentStatus::InProgress } else { IncidentStatus::New };
    }
    incident.verdict = judged.verdict;
}

/// Notes on an incident, newest first.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/notes", operation_id = "list_notes", tag = "incidents", params(("id" = IncidentId, Path), PlainQuery),
    responses((status = 200, body = List<Note>)))]
pub(crate) async fn list_notes(
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
    query: PlainQuery,
) -> Result<Json<List<Note>>, Problem> {
    let mut reader = caller.scope.read().await?;
    incidents::get(&mut reader, id).await?;
    Ok(Json(query.answer(notes::list(&mut reader, id, query.page()).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNote {
    /// 1 to 65,536 bytes.
    text: String,
}

/// Adds a note.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/notes", operation_id = "create_note", tag = "incidents", params(("id" = IncidentId, Path)), request_body = NewNote,
    responses((status = 201, body = Note), (status = 404, body = Problem)))]
pub(crate) async fn add_note(
    caller: Caller,
    PathId(incident): PathId<id::IncidentKind>,
    Body(body): Body<NewNote>,
) -> Result<(StatusCode, Json<Note>), Problem> {
    if body.text.trim().is_empty() || body.text.len() > 65_536 {
        return Err(Problem::invalid("`text` is 1 to 65,536 bytes"));
    }
    let now = caller.scope.store().clock().now();
    let id: NoteId = id::mint(now, &mut rand::rng());
    let note = Note { id, author: caller.user()?, created_at: now, text: body.text };
    let mut tx = caller.scope.begin().await?;
    incidents::get(&mut tx, incident).await?;
    notes::insert(&mut tx, incident, &note).await?;
    tx.record("incident.noted", &[&incident, &note.id], serde_json::json!({"text": note.text}))?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, Json(note)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeBody {
    /// The incident that stays.
    into: IncidentId,
    reason: String,
}

/// Merges this incident into another: its alerts move, and it closes.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/merge", operation_id = "merge_incident", tag = "incidents", params(("id" = IncidentId, Path)), request_body = MergeBody,
    responses((status = 200, body = IncidentView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn merge(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(from): PathId<id::IncidentKind>,
    Body(body): Body<MergeBody>,
) -> Result<Tagged<IncidentView>, Problem> {
    reason(&body.reason)?;
    let mut tx = caller.scope.begin().await?;
    let (into, gone) = (incidents::get(&mut tx, body.into).await?, incidents::get(&mut tx, from).await?);
    if into.id == gone.id || into.merged_into.is_some() || gone.merged_into.is_some() || into.demo != gone.demo {
        return Err(Problem::new(
            Code::CONFLICT,
            "two different incidents that are not merged, and both or neither of the demonstration, can be merged",
        ));
    }
    app.pipeline.merge(&mut tx, body.into, from, &body.reason).await?;
    finish(caller, tx, body.into).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevisionParams {
    /// The latest when absent.
    revision: Option<u32>,
}

/// What is known of an incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/investigation", operation_id = "get_investigation", tag = "incidents", params(("id" = IncidentId, Path), RevisionParams),
    responses((status = 200, body = Investigation), (status = 404, body = Problem)))]
pub(crate) async fn investigation(
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
    Params(params): Params<RevisionParams>,
) -> Result<Json<Investigation>, Problem> {
    Ok(Json(investigations::get(&mut caller.scope.read().await?, id, params.revision).await?))
}

/// The ledger's entries about an incident, its plans and their actions, oldest first.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/ledger", operation_id = "list_incident_ledger", tag = "incidents", params(("id" = IncidentId, Path), PlainQuery),
    responses((status = 200, body = List<ledger::Entry>)))]
pub(crate) async fn entries(
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
    query: PlainQuery,
) -> Result<Json<List<ledger::Entry>>, Problem> {
    let mut reader = caller.scope.read().await?;
    incidents::get(&mut reader, id).await?;
    let entries = about(&mut reader, id).await?;
    query.of(entries, |entry| entry.seq.to_string()).map(Json)
}

/// Entries about an incident and what was planned and done for it, by sequence.
pub(crate) async fn about(access: &mut impl Access, id: IncidentId) -> Result<Vec<ledger::Entry>, Problem> {
    let mut found = ledger::of_subject(access, &id.to_string()).await?;
    let filter = plans::Filter { incident: Some(id), ..plans::Filter::default() };
    for plan in plans::list(access, &filter, &first_page(200)).await?.items {
        found.extend(ledger::of_subject(access, &plan.id.to_string()).await?);
        for action in plan.actions {
            found.extend(ledger::of_subject(access, &action.id.to_string()).await?);
        }
    }
    found.sort_by_key(|entry| entry.seq);
    found.dedup_by_key(|entry| entry.seq);
    Ok(found)
}
