//! What a rule found while it was in shadow.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use shieldops_store::shadow::{self, Match};

use super::view;
use crate::{App, List, Problem, auth::Caller, page::PlainQuery};

/// Matches of a rule in shadow, newest first. The newest 1,000 are kept; all are counted.
#[utoipa::path(get, path = "/api/v1/rules/{id}/matches", operation_id = "list_rule_matches", tag = "rules", params(("id" = String, Path), PlainQuery),
    responses((status = 200, body = List<Match>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    query: PlainQuery,
) -> Result<Json<List<Match>>, Problem> {
    let mut reader = caller.scope.read().await?;
    view::find(&mut reader, &app.pipeline.content, &id).await?;
    Ok(Json(query.answer(shadow::list(&mut reader, &id, query.page()).await?)))
}
