//! Grants: a parent tenant's people may act in its child for a time, with one role.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::grants::{self as identity, NewGrant};
use shieldops_model::{GrantId, TenantId, Timestamp, id};
use shieldops_store::{
    Page, StoreError,
    grants::{self, Grant},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    List, Problem,
    auth::Caller,
    page::{Body, Filter, ListQuery, PathId},
    precondition::IfMatch,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrantFilter {
    /// Those that other tenants gave to this one, not those that it gave.
    held: Option<bool>,
}

impl Filter for GrantFilter {}

type GrantQuery = ListQuery<GrantFilter>;

/// A grant, and what the tenant on its other side is called.
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantView {
    #[serde(flatten)]
    grant: Grant,
    /// The name of the other tenant while the grant holds: afterwards the two have no more to do with each other.
    other_name: Option<String>,
}

/// Grants, newest first: given by this tenant, or held by it.
#[utoipa::path(get, path = "/api/v1/grants", operation_id = "list_grants", tag = "grants", params(GrantQuery), responses((status = 200, body = List<GrantView>)))]
pub(crate) async fn list(caller: Caller, query: GrantQuery) -> Result<Json<List<GrantView>>, Problem> {
    let mut read = caller.scope.read().await?;
    let page = if query.filter.held.unwrap_or_default() {
        grants::held(&mut read, query.page()).await?
    } else {
        grants::list(&mut read, query.page()).await?
    };
    drop(read);
    let items = named(&caller, page.items).await?;
    Ok(Json(query.answer(Page { items, next_cursor: page.next_cursor })))
}

async fn named(caller: &Caller, grants: Vec<Grant>) -> Result<Vec<GrantView>, StoreError> {
    let (store, here, now) = (caller.scope.store(), caller.scope.tenant(), caller.now());
    let mut names: BTreeMap<TenantId, String> = BTreeMap::new();
    let mut found = Vec::with_capacity(grants.len());
    for grant in grants {
        let other = if grant.tenant == here { grant.grantee } else { grant.tenant };
        let holds = grant.revoked_at.is_none() && grant.expires_at > now;
        if holds && !names.contains_key(&other) {
            names.insert(other, store.get_tenant(other).await?.name);
        }
        let other_name = names.get(&other).filter(|_| holds).cloned();
        found.push(GrantView { grant, other_name });
    }
    Ok(found)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantBody {
    /// A built-in role, never wider than one's own.
    role: String,
    reason: String,
    /// At most 90 days from now.
    expires_at: Timestamp,
}

/// Lets the people of the parent tenant act here with a role, until a time.
#[utoipa::path(post, path = "/api/v1/grants", operation_id = "create_grant", tag = "grants", request_body = GrantBody,
    responses((status = 201, body = Grant), (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<GrantBody>) -> Result<Response, Problem> {
    caller.recent()?;
    let new = NewGrant { role: body.role, reason: body.reason, expires_at: body.expires_at };
    let grant = identity::create(&caller.scope, &caller.rights, &caller.principal, new).await?;
    Ok((StatusCode::CREATED, Json(grant)).into_response())
}

/// Ends a grant: whoever acts by it is refused on the next request.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", operation_id = "revoke_grant", tag = "grants", params(("id" = GrantId, Path)),
    responses((status = 204, description = "Ended"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::GrantKind>,
) -> Result<StatusCode, Problem> {
    caller.recent()?;
    identity::revoke(&caller.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
