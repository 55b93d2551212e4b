//! A rule with its samples and exceptions as one document, to carry to another tenant or installation.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_model::Timestamp;
use shieldops_store::{exceptions, own_rules};
use utoipa::ToSchema;

use super::{
    detail,
    view::{self, RuleDetail},
    write::RuleText,
};
use crate::{
    App, Problem,
    auth::Caller,
    exceptions::{NewException, names, ready},
    page::Body,
};

const FORMAT: &str = "shieldops-rule/1";
/// Exceptions that travel with one rule.
const EXCEPTIONS: usize = 1_000;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bundle {
    /// `shieldops-rule/1`.
    format: String,
    text: String,
    #[serde(rename = "match", default)]
    matches: Vec<String>,
    #[serde(default)]
    miss: Vec<String>,
    /// Those that name this rule; at most 1,000.
    #[serde(default)]
    exceptions: Vec<NewException>,
}

/// A rule with its samples and the exceptions that name it and have not ended.
#[utoipa::path(get, path = "/api/v1/rules/{id}/export", operation_id = "export_rule", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = Bundle), (status = 404, body = Problem)))]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Bundle>, Problem> {
    let mut reader = caller.scope.read().await?;
    let subject = view::find(&mut reader, &app.pipeline.content, &id).await?;
    let held = exceptions::after(&mut reader, caller.now()).await?;
    let held: Vec<_> = held.into_iter().filter(|exception| names(exception, &subject.rule)).collect();
    if held.len() > EXCEPTIONS {
        let detail = format!("{} exceptions name this rule, and no more than {EXCEPTIONS} travel with it", held.len());
        return Err(Problem::invalid(detail));
    }
    Ok(Json(Bundle {
        format: FORMAT.to_owned(),
        text: subject.rule.text.clone(),
        matches: subject.matches,
        miss: subject.misses,
        exceptions: held.into_iter().map(NewException::from).collect(),
    }))
}

/// Makes a rule of the tenant from an exported one, as a draft, with its exceptions. An exception that has ended is left out.
#[utoipa::path(post, path = "/api/v1/rules/import", operation_id = "import_rule", tag = "rules", request_body = Bundle,
    responses((status = 201, body = RuleDetail), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn import(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<Bundle>,
) -> Result<Response, Problem> {
    if body.format != FORMAT {
        return Err(Problem::invalid(format!("`format` is `{FORMAT}`")));
    }
    if body.exceptions.len() > EXCEPTIONS {
        return Err(Problem::invalid(format!("`exceptions` holds at most {EXCEPTIONS}")));
    }
    let now: Timestamp = caller.now();
    let note = "imported".to_owned();
    let text = RuleText { text: body.text, matches: body.matches, miss: body.miss, note };
    let (rule, written) = text.read(&caller, &app.pipeline.content).await?;
    let mut made = Vec::new();
    for exception in body.exceptions.into_iter().filter(|exception| exception.expires_at > now) {
        let exception = ready(&caller, exception).await?;
        if !names(&exception, &rule) {
            let detail =
                format!("the exception `{}` is of another rule than {}: leave it out", exception.title, rule.id);
            return Err(Problem::invalid(detail));
        }
        made.push(exception);
    }
    let mut tx = caller.scope.begin().await?;
    own_rules::create(&mut tx, &rule.id, &written, now).await?;
    for exception in &made {
        exceptions::insert(&mut tx, exception).await?;
    }
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, detail(&app, &caller, rule.id).await?).into_response())
}
