//! What an action read from its target to be kept. Whoever takes a piece of it stands in the ledger, every time: the chain of
//! custody.

use axum::{
    Json,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use shieldops_identity::Permission;
use shieldops_model::{ActionId, id};
use shieldops_store::{
    actions,
    collected::{self, Piece},
};

use crate::{
    List, Problem,
    auth::Caller,
    page::{PathId, PlainQuery},
    reach,
};

/// The pieces that an action collected, in the order in which they were read.
#[utoipa::path(get, path = "/api/v1/actions/{id}/evidence", operation_id = "list_evidence", tag = "actions", params(("id" = ActionId, Path), PlainQuery),
    responses((status = 200, body = List<Piece>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    PathId(id): PathId<id::ActionKind>,
    query: PlainQuery,
) -> Result<Json<List<Piece>>, Problem> {
    reach::action(&caller, Permission::ActionRead, id).await?;
    let mut reader = caller.scope.read().await?;
    actions::get(&mut reader, id).await?;
    Ok(Json(query.answer(collected::list(&mut reader, id, query.page()).await?)))
}

/// The bytes of a piece, to be kept and never shown as a page. Each download is an entry of the ledger.
#[utoipa::path(get, path = "/api/v1/actions/{id}/evidence/{number}", operation_id = "download_evidence", tag = "actions", params(("id" = ActionId, Path), ("number" = i64, Path)),
    responses((status = 200, description = "The bytes", content((String = "application/octet-stream"))), (status = 404, body = Problem)))]
pub(crate) async fn download(caller: Caller, Path((id, number)): Path<(String, String)>) -> Result<Response, Problem> {
    let (Ok(id), Ok(number)) = (id.parse::<ActionId>(), number.parse::<i64>()) else {
        return Err(Problem::not_found());
    };
    reach::action(&caller, Permission::IncidentExport, id).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let (piece, bytes) = collected::find(&mut tx, id, number).await?.ok_or_else(Problem::not_found)?;
    let entry = json!({"number": number, "name": piece.name, "size": piece.size, "sha256": piece.sha256});
    tx.record("evidence.downloaded", &[&id], entry)?;
    tx.commit(now).await?;
    let name = format!("attachment; filename=\"evidence-{}-{number}.bin\"", id.short());
    // RFC 9530.
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
        (header::HeaderName::from_static("repr-digest"), digest.as_str()),
    ];
    Ok((headers, bytes).into_response())
}
