//! Work that takes longer than a request.

use axum::Json;
use shieldops_model::{JobId, id};
use shieldops_store::jobs::{self, BulkJob};

use crate::{
    List, Problem,
    auth::Caller,
    page::{PathId, PlainQuery},
};

/// Jobs, newest first, without their results.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "list_jobs", tag = "jobs", params(PlainQuery), responses((status = 200, body = List<BulkJob>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<BulkJob>>, Problem> {
    let page = jobs::list(&mut caller.scope.read().await?, query.page()).await?;
    Ok(Json(query.answer(page)))
}

/// One job with the result of each item so far.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", operation_id = "get_job", tag = "jobs", params(("id" = JobId, Path)),
    responses((status = 200, body = BulkJob), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::JobKind>) -> Result<Json<BulkJob>, Problem> {
    jobs::find(&mut caller.scope.read().await?, id).await?.map(Json).ok_or_else(Problem::not_found)
}
