//! Why a rule fires on an event, and why it does not.

mod correlated;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use shieldops_bus::Stop;
use shieldops_detect::{RuleSource, Why, WhySelection};
use shieldops_identity::Permission;
use shieldops_ingest::normalise;
use shieldops_model::{Code, EventId, LogSource, Normalised, Timestamp};
use shieldops_pipeline::{Content, Neighbours, events, excepted_by, samples};
use shieldops_store::{
    Access,
    exceptions::{self, Exception},
    own_rules::{self, OwnRule},
    rule_states::{self, State as RuleState},
};
use utoipa::ToSchema;

use super::{
    blocking,
    trying::trying,
    view::{self, Subject},
};
use crate::{App, Problem, auth::Caller, page::Body};

/// Bytes of an event.
const EVENT_BYTES: usize = 1024 * 1024;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainBody {
    /// The event as it would be sent: an object, or a line of text.
    #[schema(value_type = Option<Object>)]
    event: Option<serde_json::Value>,
    /// Or one that was sent; needs `event.read`.
    event_id: Option<String>,
    /// A version of a rule of the tenant. What runs, unless told: the live version, or else the rule of this id that everybody has;
    /// where nothing runs, the newest version.
    version: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// The rule finds the event; whether that raises an alert is another matter.
    matched: bool,
    /// One sentence.
    summary: String,
    /// Of a rule of the tenant: the version that was asked.
    version: Option<i64>,
    log_source: LogSources,
    /// The condition holds, whatever the log source.
    condition_holds: bool,
    selections: Vec<Asked>,
    /// How the rule is set here.
    state: RuleState,
    /// The exception that takes the event out.
    excepted_by: Option<String>,
    /// Lines of the rule that were not asked: there are too many.
    left_out: usize,
    /// The event as rules read it.
    event: String,
}

#[derive(Serialize, ToSchema)]
struct LogSources {
    /// The rule is for events of this log source.
    matches: bool,
    #[schema(value_type = Object)]
    rule: RuleSource,
    event: LogSource,
}

/// A selection of the rule, asked for itself.
#[derive(Serialize, ToSchema)]
struct Asked {
    name: String,
    matched: bool,
    items: Vec<AskedLine>,
}

#[derive(Serialize, ToSchema)]
struct AskedLine {
    /// Empty for a keyword.
    field: String,
    pattern: String,
    matched: bool,
    /// The event has the field.
    present: bool,
    values: Vec<String>,
}

impl From<WhySelection> for Asked {
    fn from(asked: WhySelection) -> Self {
        let line = |line: shieldops_detect::WhyLine| AskedLine {
            field: line.field,
            pattern: line.pattern,
            matched: line.matched,
            present: line.present,
            values: line.values,
        };
        Self { name: asked.name, matched: asked.matched, items: asked.lines.into_iter().map(line).collect() }
    }
}

/// Says why a rule fires on an event or does not: which selection and which line of it fails, for what value.
#[utoipa::path(post, path = "/api/v1/rules/{id}/explain", operation_id = "explain_rule", tag = "rules", params(("id" = String, Path)), request_body = ExplainBody,
    responses((status = 200, body = Explanation), (status = 404, body = Problem)))]
pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<ExplainBody>,
) -> Result<Json<Explanation>, Problem> {
    let version = body.version;
    let (seen, at) = event(&app, &caller, body).await?;
    let mut reader = caller.scope.read().await?;
    let content = &app.pipeline.content;
    let (subject, set) = asked(&mut reader, content, &id, version).await?;
    let held = exceptions::after(&mut reader, at).await?;
    drop(reader);
    let book = content.book();
    let (mut seen, at) = (seen, at);
    book.fit(&mut seen.log_source);
    if let Some(case) = subject.case.clone() {
        let correlated = move |stop: &Stop| correlated::answer((&subject, &case), seen, set, stop);
        return Ok(Json(trying(caller.scope.tenant(), correlated).await?));
    }
    let work = move |_: &Stop| Some(answer(&subject, seen, at, (&set, &held)));
    Ok(Json(trying(caller.scope.tenant(), work).await?))
}

/// How what is asked about is set, and its number where it is a version of the tenant's.
struct Set {
    state: RuleState,
    version: Option<i64>,
    /// The title of the correlation that the rule works for, without alerts of its own.
    silenced_by: Option<String>,
}

async fn asked(
    access: &mut impl Access,
    content: &Content,
    id: &str,
    number: Option<i64>,
) -> Result<(Subject, Set), Problem> {
    let (book, row) = (content.book(), own_rules::find(access, id).await?);
    let runs = |row: &OwnRule| if row.state.runs() { row.live } else { None };
    let number = match &row {
        Some(row) if book.entries.contains_key(id) => number.or(runs(row)),
        Some(row) => number.or(runs(row)).or(Some(row.head)),
        None if number.is_some() => return Err(Problem::not_found()),
        None => None,
    };
    let Some((row, number)) = row.zip(number) else {
        let set = rule_states::find(access, id).await?;
        let neighbours = Neighbours::read(access, content).await?;
        let id = id.to_owned();
        let read = move || {
            let found = book.entries.get(&id).map(|entry| Subject::of_book(entry, &neighbours));
            (found, neighbours.silenced_by(&id))
        };
        let (found, silenced_by) = blocking(read).await?;
        let state = set.map_or(content.default_state(), |set| set.state);
        return Ok((found.ok_or_else(Problem::not_found)?, Set { state, version: None, silenced_by }));
    };
    let neighbours = Neighbours::read(access, content).await?;
    let of = id.to_owned();
    let silenced_by = blocking(move || neighbours.silenced_by(&of)).await?;
    // A version beside the one that runs is not run.
    let state = if runs(&row).is_some_and(|live| live != number) { RuleState::Draft } else { row.state };
    Ok((view::version(access, content, row, number).await?, Set { state, version: Some(number), silenced_by }))
}

async fn event(app: &App, caller: &Caller, body: ExplainBody) -> Result<(Normalised, Timestamp), Problem> {
    match (body.event, body.event_id) {
        (Some(event), None) => {
            let line = match event {
                serde_json::Value::String(line) => line,
                other => other.to_string(),
            };
            if line.len() > EVENT_BYTES {
                return Err(Problem::invalid(format!("an event has at most {EVENT_BYTES} bytes")));
            }
            Ok((blocking(move || samples::seen(&line)).await?, caller.now()))
        }
        (None, Some(id)) => {
            if !caller.has(Permission::EventRead) {
                return Err(Problem::new(Code::FORBIDDEN, "reading an event that was sent needs `event.read`"));
            }
            let id: EventId = id.parse().map_err(|_no_id| Problem::not_found())?;
            let event = events::find(&app.pipeline, &caller.scope, id).await?.ok_or_else(Problem::not_found)?;
            Ok((normalise(&event), event.window_time()))
        }
        _ => Err(Problem::invalid("one of `event` and `event_id` is needed")),
    }
}

fn answer(subject: &Subject, seen: Normalised, at: Timestamp, (set, held): (&Set, &[Exception])) -> Explanation {
    let rule = &subject.rule;
    let line = seen.flat.as_bytes();
    let why = rule.why_with(&subject.options, &seen.log_source, line);
    let excepted = excepted_by((rule, &subject.options), held, at, &seen.log_source, line).filter(|_| why.matched);
    Explanation {
        matched: why.matched,
        summary: summary(&why, set, excepted.as_ref()),
        version: set.version,
        log_source: LogSources {
            matches: why.log_source,
            rule: rule.log_source.clone(),
            event: seen.log_source.clone(),
        },
        condition_holds: why.condition,
        selections: why.selections.into_iter().map(Asked::from).collect(),
        state: set.state,
        excepted_by: excepted.map(|exception| exception.id.to_string()),
        left_out: why.left_out,
        event: seen.flat,
    }
}

fn summary(why: &Why, set: &Set, excepted: Option<&Exception>) -> String {
    if !why.readable {
        return "The event cannot be read as one object with fields, so no rule sees it.".to_owned();
    }
    if let Some(filter) = &why.filtered_by {
        return format!("The rule finds the event, and the filter `{filter}` takes it out.");
    }
    if !why.matched {
        return match (why.condition, why.log_source) {
            (true, _) => "The condition holds, but the event is of another log source than the rule is for.".to_owned(),
            (false, true) => format!("The condition does not hold: {}.", failed(why)),
            (false, false) => {
                format!("The event is of another log source, and the condition does not hold: {}.", failed(why))
            }
        };
    }
    match (excepted, set.state) {
        (Some(exception), _) => {
            format!("The rule finds the event, and the exception `{}` takes it out.", exception.title)
        }
        (None, RuleState::Enabled) if set.silenced_by.is_some() => format!(
            "The rule finds the event and raises no alert of its own: it works for the correlation `{}`.",
            set.silenced_by.as_deref().unwrap_or_default()
        ),
        (None, RuleState::Enabled) => "The rule finds the event and raises an alert.".to_owned(),
        (None, RuleState::Shadow) => "The rule finds the event; it is in shadow, so there is no alert.".to_owned(),
        (None, RuleState::Draft) => "The rule would find the event; it is a draft, so it is not run.".to_owned(),
        (None, RuleState::Retired) => "The rule would find the event; it is retired, so it is not run.".to_owned(),
    }
}

/// Which selections hold and which do not, with the first line that fails.
fn failed(why: &Why) -> String {
    let part = |selection: &WhySelection| {
        if selection.matched {
            return format!("`{}` holds", selection.name);
        }
        let line = selection.lines.iter().find(|line| !line.matched);
        let because = line.map(|line| match (line.field.as_str(), line.present) {
            ("", _) => " (no keyword is in it)".to_owned(),
            (field, false) => format!(" (`{field}` is not in the event)"),
            (field, true) => format!(" (`{field}` is not what it looks for)"),
        });
        format!("`{}` does not hold{}", selection.name, because.unwrap_or_default())
    };
    why.selections.iter().take(8).map(part).collect::<Vec<_>>().join(", ")
}
