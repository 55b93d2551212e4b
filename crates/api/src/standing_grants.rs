//! Standing grants: a person's leave, for a time, that automation does one thing on some targets without asking again.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use shieldops_model::{Code, Environment, StandingGrantId, TargetId, Timestamp, id};
use shieldops_store::{
    Tx,
    gate::grants::{self, LONGEST, StandingGrant},
    targets,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    alerts::reason,
    auth::Caller,
    autonomy,
    page::{Body, Filter, ListQuery, PathId},
    precondition::IfMatch,
    targets::check_words,
};

/// Targets that one grant may name.
const TARGETS: usize = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StandingGrantFilter {
    /// Those that hold now, not those that have ended.
    active: Option<bool>,
}

impl Filter for StandingGrantFilter {}

type StandingGrantQuery = ListQuery<StandingGrantFilter>;

/// Standing grants, newest first.
#[utoipa::path(get, path = "/api/v1/standing-grants", operation_id = "list_standing_grants", tag = "gate", params(StandingGrantQuery), responses((status = 200, body = List<StandingGrant>)))]
pub(crate) async fn list(caller: Caller, query: StandingGrantQuery) -> Result<Json<List<StandingGrant>>, Problem> {
    let active = query.filter.active.unwrap_or_default().then(|| caller.now());
    Ok(Json(query.answer(grants::list(&mut caller.scope.read().await?, active, query.page()).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStandingGrant {
    capability: String,
    environment: Environment,
    /// The ids of registered targets, at most 100.
    #[serde(default)]
    targets: Vec<TargetId>,
    /// Every target of the environment that carries all of these, now and later.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// At most 30 days from now.
    until: Timestamp,
    /// Why. It stands in the ledger.
    reason: String,
}

/// Lets automation do one thing on these targets without asking, until a time.
#[utoipa::path(post, path = "/api/v1/standing-grants", operation_id = "create_standing_grant", tag = "gate", request_body = NewStandingGrant,
    responses((status = 201, body = StandingGrant), (status = 400, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewStandingGrant>,
) -> Result<(StatusCode, Json<StandingGrant>), Problem> {
    caller.recent()?;
    let person = caller.person()?;
    reason(&body.reason)?;
    autonomy::known(&app, &caller, &body.capability)?;
    let now = caller.now();
    check(&body, now)?;
    let mut tx = caller.scope.begin().await?;
    for target in &body.targets {
        in_environment(&mut tx, *target, body.environment).await?;
    }
    let grant = StandingGrant {
        id: id::mint(now, &mut rand::rng()),
        capability: body.capability,
        environment: body.environment,
        targets: body.targets,
        labels: body.labels,
        reason: body.reason,
        granted_by: person.user,
        granted_by_name: person.name,
        created_at: now,
        expires_at: body.until,
        revoked_at: None,
        revoked_by_name: None,
        version: 1,
    };
    grants::create(&mut tx, &grant).await?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, Json(grant)))
}

fn check(body: &NewStandingGrant, now: Timestamp) -> Result<(), Problem> {
    if body.targets.is_empty() && body.labels.is_empty() {
        return Err(Problem::invalid("name `targets` or `labels`: a grant is never for everything"));
    }
    if body.targets.len() > TARGETS {
        return Err(Problem::invalid(format!("a grant names at most {TARGETS} targets: use `labels`")));
    }
    check_words(&body.labels, [&None, &None])?;
    if body.until <= now || body.until > now.plus(LONGEST) {
        return Err(Problem::invalid("`until` is in the future, and at most 30 days from now"));
    }
    Ok(())
}

async fn in_environment(tx: &mut Tx, target: TargetId, environment: Environment) -> Result<(), Problem> {
    match targets::find(tx, target).await? {
        Some(target) if target.environment == environment => Ok(()),
        Some(target) => Err(Problem::invalid(format!("`{}` is in another environment", target.name))),
        None => Err(Problem::new(Code::UNKNOWN_TARGET, Code::UNKNOWN_TARGET.help)),
    }
}

/// Ends a standing grant at once.
#[utoipa::path(delete, path = "/api/v1/standing-grants/{id}", operation_id = "revoke_standing_grant", tag = "gate", params(("id" = StandingGrantId, Path)),
    responses((status = 204, description = "Ended"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::StandingGrantKind>,
) -> Result<StatusCode, Problem> {
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let grant = grants::find(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    seen.check(grant.version)?;
    grants::revoke(&mut tx, id, now).await?;
    tx.commit(now).await?;
    Ok(StatusCode::NO_CONTENT)
}
