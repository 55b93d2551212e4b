//! How far automation may go. To lower holds at once; to raise to 3 or 4 takes a second person, and so does it to take back
//! what the system lowered by itself.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_identity::{Permission, decide};
use shieldops_model::{Code, Environment, TargetId, Timestamp};
use shieldops_store::{
    Access, PageRequest, Tx,
    gate::{
        autonomy::{self, Level, Lowered, Scope, Wish},
        changes::{self, Change, Kind, New},
    },
    targets,
};
use utoipa::ToSchema;

use crate::{
    App, Problem,
    alerts::reason,
    auth::Caller,
    page::Body,
    precondition::{IfMatch, Tagged},
};

/// Where nothing is set.
const DEFAULT: u8 = 2;
/// From here on automation acts without being asked.
const ACTS: u8 = 3;
/// The most there is.
const HIGHEST: u8 = 4;
pub(crate) const ENVIRONMENTS: [Environment; 3] =
    [Environment::Development, Environment::Staging, Environment::Production];

/// What holds for a capability in an environment, before what the system lowered.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct EffectiveLevel {
    capability: String,
    environment: Environment,
    level: u8,
    /// Which setting holds: `tenant`, `environment`, `capability`, or `default`.
    because: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoweredView {
    #[serde(flatten)]
    lowered: Lowered,
    target_name: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AutonomyView {
    /// What its ETag says.
    version: i64,
    /// What is set. The lowest that concerns an action holds.
    levels: Vec<Level>,
    effective: Vec<EffectiveLevel>,
    /// What the system lowered by itself: it caps what is effective.
    lowered: Vec<LoweredView>,
    /// What waits for a second person.
    pending: Vec<Change>,
}

/// What holds, and why, where these levels are set.
fn effective(levels: &[(Scope, u8)], capability: &str, environment: Environment) -> (u8, &'static str) {
    let concerns = |scope: &Scope| {
        scope.environment.is_none_or(|known| known == environment)
            && scope.capability.as_deref().is_none_or(|known| known == capability)
    };
    let lowest = levels.iter().filter(|(scope, _)| concerns(scope)).min_by_key(|(_, level)| *level);
    match lowest {
        None => (DEFAULT, "default"),
        Some((Scope { capability: Some(_), .. }, level)) => (*level, "capability"),
        Some((Scope { environment: Some(_), .. }, level)) => (*level, "environment"),
        Some((_, level)) => (*level, "tenant"),
    }
}

fn plain(levels: &[Level]) -> Vec<(Scope, u8)> {
    levels.iter().map(|level| (level.scope.clone(), level.level)).collect()
}

/// The levels that are set, and what is effective.
#[utoipa::path(get, path = "/api/v1/autonomy", operation_id = "get_autonomy", tag = "gate", responses((status = 200, body = AutonomyView)))]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Tagged<AutonomyView>, Problem> {
    let desk = app.desk(caller.principal.tenant)?;
    let capabilities: Vec<String> =
        desk.registry().describe().into_iter().map(|described| described.name.to_owned()).collect();
    let now = caller.now();
    view(&mut caller.scope.read().await?, &capabilities, now).await
}

async fn view(
    access: &mut impl Access,
    capabilities: &[String],
    now: Timestamp,
) -> Result<Tagged<AutonomyView>, Problem> {
    let levels = autonomy::levels(access).await?;
    let set = plain(&levels);
    let mut all = Vec::new();
    for capability in capabilities {
        for environment in ENVIRONMENTS {
            let (level, because) = effective(&set, capability, environment);
            all.push(EffectiveLevel { capability: capability.clone(), environment, level, because });
        }
    }
    let names: BTreeMap<TargetId, String> =
        targets::all(access).await?.into_iter().map(|target| (target.id, target.name)).collect();
    let named = |lowered: Lowered| {
        let target_name = lowered.target.and_then(|target| names.get(&target).cloned());
        LoweredView { lowered, target_name }
    };
    let page = PageRequest { limit: Some(200), cursor: None };
    let waiting = changes::list(access, true, &page, now).await?.items;
    let version = autonomy::version(access).await?;
    let view = AutonomyView {
        version,
        levels,
        effective: all,
        lowered: autonomy::lowered(access, now).await?.into_iter().map(named).collect(),
        pending: waiting.into_iter().filter(|change| change.kind != Kind::Target).collect(),
    };
    Ok(Tagged(version, view))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetAutonomy {
    /// For one environment; absent with `capability`: the tenant as a whole.
    environment: Option<Environment>,
    /// For one capability.
    capability: Option<String>,
    /// 0 observe, 1 suggest, 2 act after approval, 3 act with a veto window, 4 act; absent takes away what was set.
    #[schema(minimum = 0, maximum = 4)]
    level: Option<u8>,
    /// Why. It stands in the ledger.
    reason: String,
}

/// Sets how far automation may go. Raising to 3 or 4 is answered with 202 and waits for a second person.
#[utoipa::path(put, path = "/api/v1/autonomy", operation_id = "set_autonomy", tag = "gate", request_body = SetAutonomy,
    responses((status = 200, body = AutonomyView), (status = 202, body = Change, description = "It waits for a second person"), (status = 400, body = Problem), (status = 403, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Body(body): Body<SetAutonomy>,
) -> Result<Response, Problem> {
    let person = caller.person()?;
    reason(&body.reason)?;
    let scope = scope(&app, &caller, &body)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    seen.check(autonomy::version(&mut tx).await?)?;
    let before = autonomy::levels(&mut tx).await?;
    let rise = rise(&plain(&before), &scope, body.level);
    if rise != Rise::None {
        decide::authorise(&caller.rights, Permission::SettingsWrite, None).check()?;
        caller.recent()?;
    }
    if rise == Rise::ToActing {
        let was = before.iter().find(|level| level.scope == scope).map(|level| level.level);
        let new = New {
            kind: Kind::Autonomy,
            subject: scope.subject(),
            reason: body.reason,
            before: json!({"level": was}),
            after: json!({"scope": scope, "level": body.level}),
        };
        let change = changes::ask(&mut tx, new, now).await?;
        tx.commit(now).await?;
        return Ok((StatusCode::ACCEPTED, Json(change)).into_response());
    }
    let wish = Wish { by: person.user.to_string(), by_name: person.name, reason: body.reason, confirmed_by: None };
    autonomy::set(&mut tx, &scope, body.level, wish, now).await?;
    tx.commit(now).await?;
    show(State(app), caller).await.map(IntoResponse::into_response)
}

/// What the level is for: one thing, and one that there is.
fn scope(app: &App, caller: &Caller, body: &SetAutonomy) -> Result<Scope, Problem> {
    if body.level.is_some_and(|level| level > HIGHEST) {
        return Err(Problem::invalid("`level` is 0 to 4"));
    }
    if body.environment.is_some() && body.capability.is_some() {
        return Err(Problem::invalid("set `environment` or `capability`: the lower of both holds"));
    }
    if let Some(capability) = &body.capability {
        known(app, caller, capability)?;
    }
    Ok(Scope { environment: body.environment, capability: body.capability.clone() })
}

/// Refuses the name of a capability that this server does not have.
pub(crate) fn known(app: &App, caller: &Caller, capability: &str) -> Result<(), Problem> {
    if app.desk(caller.principal.tenant)?.registry().find(capability).is_some() {
        return Ok(());
    }
    let text: String = capability.chars().take(80).collect();
    Err(Problem::new(Code::UNKNOWN_CAPABILITY, format!("there is no capability `{text}`")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rise {
    None,
    /// Somewhere more is done, but nothing without being asked.
    Some,
    /// Automation may act where it had to ask.
    ToActing,
}

/// How far a level would raise what is set: the level itself, or anything that is effective.
fn rise(before: &[(Scope, u8)], scope: &Scope, level: Option<u8>) -> Rise {
    let was = before.iter().find(|(known, _)| known == scope).map(|(_, level)| *level);
    let mut after: Vec<(Scope, u8)> = before.iter().filter(|(known, _)| known != scope).cloned().collect();
    after.extend(level.map(|level| (scope.clone(), level)));
    // Of capabilities that nothing is set for, one stands for all.
    let capabilities = before.iter().chain(&after).filter_map(|(scope, _)| scope.capability.as_deref()).chain([""]);
    let mut steps: Vec<(u8, u8)> = vec![(was.unwrap_or(DEFAULT), level.unwrap_or(DEFAULT))];
    for capability in capabilities {
        let of = |levels: &[(Scope, u8)], environment| effective(levels, capability, environment).0;
        steps.extend(ENVIRONMENTS.map(|environment| (of(before, environment), of(&after, environment))));
    }
    let raised: Vec<u8> = steps.into_iter().filter(|(was, is)| is > was).map(|(_, is)| is).collect();
    match raised.iter().max() {
        None => Rise::None,
        Some(highest) if *highest >= ACTS => Rise::ToActing,
        Some(_) => Rise::Some,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreAutonomy {
    capability: String,
    /// Absent: what was lowered on every target.
    target: Option<TargetId>,
    reason: String,
}

/// Asks to take back what the system lowered by itself; a second person confirms it.
#[utoipa::path(post, path = "/api/v1/autonomy/restore", operation_id = "restore_autonomy", tag = "gate", request_body = RestoreAutonomy,
    responses((status = 202, body = Change, description = "It waits for a second person"), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn restore(
    caller: Caller,
    Body(body): Body<RestoreAutonomy>,
) -> Result<(StatusCode, Json<Change>), Problem> {
    caller.recent()?;
    caller.person()?;
    reason(&body.reason)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let lowered = autonomy::lowered(&mut tx, now).await?;
    let found = lowered.into_iter().find(|one| one.capability == body.capability && one.target == body.target);
    let found = found.ok_or_else(Problem::not_found)?;
    let on = body.target.map_or_else(|| "every target".to_owned(), |target| target.to_string());
    let new = New {
        kind: Kind::Lowered,
        subject: format!("{} on {on}", body.capability),
        reason: body.reason,
        before: json!(found),
        after: json!({"capability": body.capability, "target": body.target}),
    };
    let change = changes::ask(&mut tx, new, now).await?;
    tx.commit(now).await?;
    Ok((StatusCode::ACCEPTED, Json(change)))
}

#[derive(Deserialize)]
struct AskedLevel {
    scope: Scope,
    level: Option<u8>,
}

#[derive(Deserialize)]
struct AskedRestore {
    capability: String,
    target: Option<TargetId>,
}

/// Carries out what a second person confirmed.
///
/// # Errors
/// `conflict` when what is set is no longer what it was when the change was asked for.
pub(crate) async fn confirmed(tx: &mut Tx, change: &Change, wish: Wish, now: Timestamp) -> Result<(), Problem> {
    let broken = |_broken| Problem::new(Code::CONFLICT, "the change cannot be read: withdraw it and ask again");
    if change.kind == Kind::Lowered {
        let asked: AskedRestore = serde_json::from_value(change.after.clone()).map_err(broken)?;
        return Ok(autonomy::restore(tx, &asked.capability, asked.target, &wish).await?);
    }
    let asked: AskedLevel = serde_json::from_value(change.after.clone()).map_err(broken)?;
    let is = autonomy::find(tx, &asked.scope).await?.map(|level| level.level);
    if json!(is) != change.before["level"] {
        let detail = "the level was changed since: withdraw this change and ask again";
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    Ok(autonomy::set(tx, &asked.scope, asked.level, wish, now).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> Scope {
        Scope { environment: None, capability: None }
    }

    fn production() -> Scope {
        Scope { environment: Some(Environment::Production), capability: None }
    }

    fn block() -> Scope {
        Scope { environment: None, capability: Some("linux.block_ip".into()) }
    }

    #[test]
    fn the_lowest_of_what_is_set_holds_and_two_where_nothing_is() {
        let at = |levels: &[(Scope, u8)], environment| effective(levels, "linux.block_ip", environment);
        assert_eq!(at(&[], Environment::Production), (2, "default"));
        let levels = [(tenant(), 4), (production(), 1), (block(), 3)];
        assert_eq!(at(&levels, Environment::Production), (1, "environment"));
        assert_eq!(at(&levels, Environment::Staging), (3, "capability"));
        assert_eq!(effective(&levels, "linux.other", Environment::Staging), (4, "tenant"));
    }

    #[test]
    fn to_let_automation_act_takes_two_whichever_setting_does_it() {
        assert_eq!(rise(&[], &tenant(), Some(3)), Rise::ToActing);
        assert_eq!(rise(&[(tenant(), 2)], &block(), Some(4)), Rise::ToActing, "the level itself, though 2 still holds");
        assert_eq!(rise(&[(tenant(), 4), (production(), 1)], &production(), None), Rise::ToActing, "a lower one goes");
        assert_eq!(rise(&[(tenant(), 3)], &tenant(), Some(4)), Rise::ToActing);
    }

    #[test]
    fn to_lower_takes_nobody_else() {
        assert_eq!(rise(&[(tenant(), 4)], &tenant(), Some(3)), Rise::None);
        assert_eq!(rise(&[(tenant(), 4)], &production(), Some(0)), Rise::None);
        assert_eq!(rise(&[(tenant(), 4)], &tenant(), None), Rise::None);
        assert_eq!(rise(&[], &tenant(), Some(2)), Rise::None);
        assert_eq!(rise(&[(tenant(), 0)], &tenant(), Some(1)), Rise::Some);
        assert_eq!(rise(&[(tenant(), 0)], &tenant(), None), Rise::Some);
    }
}
