//! Writing a rule of the tenant: tried as one types, made as a draft, and written again as a new version. What is no rule is
//! refused with the place, the reason and the fix.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_bus::Stop;
use shieldops_detect::{Diagnostic, DiagnosticSeverity, Rule};
use shieldops_model::{Code, Reason};
use shieldops_pipeline::{Content, Neighbours};
use shieldops_store::{
    coverage,
    own_rules::{self, NewVersion},
};
use utoipa::ToSchema;

use super::{
    TestAnswer, blocking, detail,
    trying::trying,
    view::{DiagnosticView, RuleDetail},
};
use crate::{
    App, Problem,
    auth::Caller,
    page::Body,
    precondition::{IfMatch, Tagged},
};

/// Bytes of a rule, of one sample, and of all of them; and samples on one side.
const TEXT_BYTES: usize = 256 * 1024;
const SAMPLE_BYTES: usize = 64 * 1024;
const SAMPLES_BYTES: usize = 1024 * 1024;
const SAMPLES: usize = 200;
const NOTE_BYTES: usize = 4_096;
/// Characters of an id.
const ID_CHARS: usize = 128;
/// Diagnostics of one answer.
const SAID: usize = 200;

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleText {
    /// One Sigma rule, or one correlation with the rules that it brings along, at most 256 KiB.
    pub(crate) text: String,
    /// Events that it must match, as they would be sent; of a correlation stories, whose events are lines. At most 200, each
    /// of at most 64 KiB.
    #[serde(default, rename = "match")]
    pub(crate) matches: Vec<String>,
    /// Events that it must not match.
    #[serde(default)]
    pub(crate) miss: Vec<String>,
    /// What this version is for.
    #[serde(default)]
    pub(crate) note: String,
}

impl RuleText {
    pub(crate) fn bounded(&self) -> Result<(), Problem> {
        let within = |what: &str, size: usize, most: usize| {
            let over = || Problem::invalid(format!("`{what}` has {size} bytes, and at most {most} are taken"));
            if size <= most { Ok(()) } else { Err(over()) }
        };
        within("text", self.text.len(), TEXT_BYTES)?;
        within("note", self.note.len(), NOTE_BYTES)?;
        for (name, lines) in [("match", &self.matches), ("miss", &self.miss)] {
            if lines.len() > SAMPLES {
                return Err(Problem::invalid(format!("`{name}` holds at most {SAMPLES} samples")));
            }
            lines.iter().try_for_each(|line| within(name, line.len(), SAMPLE_BYTES))?;
            within(name, lines.iter().map(String::len).sum(), SAMPLES_BYTES)?;
        }
        Ok(())
    }

    /// The rule that this is, with its version for the store.
    pub(crate) async fn read(self, caller: &Caller, content: &Content) -> Result<(Rule, NewVersion), Problem> {
        self.bounded()?;
        let text = self.text.clone();
        let neighbours = Neighbours::read(&mut caller.scope.read().await?, content).await?;
        let (own, said) = blocking(move || neighbours.rule(&text)).await?;
        let rule = own.filter(|own| own.usable).ok_or_else(|| refused(&said))?.rule;
        if rule.id.is_empty() || rule.id.chars().count() > ID_CHARS || rule.id.contains(['/', '?', '#', '\0']) {
            return Err(Problem::invalid(format!("an id has 1 to {ID_CHARS} characters and no `/`, `?` or `#`")));
        }
        let written = NewVersion {
            text: self.text,
            hash: rule.version.clone(),
            matches: self.matches,
            misses: self.miss,
            note: self.note,
        };
        Ok((rule, written))
    }
}

/// What is wrong with a text, as the errors of a problem.
pub(crate) fn refused(said: &[Diagnostic]) -> Problem {
    let reason = |said: &Diagnostic| {
        let fix = if said.fix.is_empty() { String::new() } else { format!(" ({})", said.fix) };
        Reason { code: said.code.to_owned(), detail: format!("{}:{}: {}{fix}", said.line, said.column, said.message) }
    };
    let errors = said.iter().filter(|said| said.severity == DiagnosticSeverity::Error).take(SAID).map(reason);
    Problem { errors: errors.collect(), ..Problem::new(Code::INVALID_RULE, Code::INVALID_RULE.help) }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CheckAnswer {
    /// Absent when the text is no rule.
    rule_id: Option<String>,
    title: Option<String>,
    version: Option<String>,
    diagnostics: Vec<DiagnosticView>,
    tests: TestAnswer,
}

/// Reads a rule as it is being written, and tries it on samples. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/rules/check", operation_id = "check_rule", tag = "rules", request_body = RuleText, responses((status = 200, body = CheckAnswer)))]
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<RuleText>,
) -> Result<Json<CheckAnswer>, Problem> {
    body.bounded()?;
    let mut reader = caller.scope.read().await?;
    let sent = coverage::fields(&mut reader).await?.into_iter().map(|(_, _, sent)| sent).collect();
    let neighbours = Neighbours::read(&mut reader, &app.pipeline.content).await?.knowing(sent);
    drop(reader);
    let checked = move |stop: &Stop| {
        let (own, said) = neighbours.rule(&body.text);
        let own = own.filter(|own| own.usable);
        let tests = match &own {
            Some(own) => TestAnswer::of_own(own, &neighbours, (&body.matches, &body.miss), stop)?,
            None => TestAnswer::none(),
        };
        let rule = own.map(|own| own.rule);
        Some(CheckAnswer {
            rule_id: rule.as_ref().map(|rule| rule.id.clone()),
            title: rule.as_ref().map(|rule| rule.title.clone()),
            version: rule.map(|rule| rule.version),
            diagnostics: said.iter().take(SAID).map(DiagnosticView::from).collect(),
            tests,
        })
    };
    Ok(Json(trying(caller.scope.tenant(), checked).await?))
}

/// Makes a rule of the tenant, as a draft. With the id of a rule that everybody has, it is to stand in for that one.
#[utoipa::path(post, path = "/api/v1/rules", operation_id = "create_rule", tag = "rules", request_body = RuleText,
    responses((status = 201, body = RuleDetail), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<RuleText>,
) -> Result<Response, Problem> {
    let (rule, written) = body.read(&caller, &app.pipeline.content).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    own_rules::create(&mut tx, &rule.id, &written, now).await?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, detail(&app, &caller, rule.id).await?).into_response())
}

/// Writes a rule of the tenant again, as a new version. The one that runs goes on running.
#[utoipa::path(put, path = "/api/v1/rules/{id}", operation_id = "revise_rule", tag = "rules", params(("id" = String, Path)), request_body = RuleText,
    responses((status = 200, body = RuleDetail), (status = 404, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revise(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(id): Path<String>,
    Body(body): Body<RuleText>,
) -> Result<Tagged<RuleDetail>, Problem> {
    let (rule, written) = body.read(&caller, &app.pipeline.content).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let row = own_rules::find(&mut tx, &id).await?.ok_or_else(Problem::not_found)?;
    seen.check(row.version)?;
    if rule.id != id {
        return Err(Problem::invalid(format!(
            "the text is the rule `{}`: a version keeps the id of its rule",
            rule.id
        )));
    }
    own_rules::revise(&mut tx, row, &written, now).await?;
    tx.commit(now).await?;
    detail(&app, &caller, id).await
}
