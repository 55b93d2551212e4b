//! Targets: a target exists only when a person registers it; this very host needs a typed confirmation.

mod ssh;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use shieldops_identity::Permission;
use shieldops_model::{
    ActionState, Code, Criticality, Environment, Ssh, Target, TargetId, TargetKind, TenantId, Timestamp, id,
};
use shieldops_store::{
    Tx, actions,
    gate::{
        changes::{self, Change, Kind, New},
        void,
    },
    targets,
};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    gate_settings::effects::plan_lifting_on,
    page::{Body, PathId, PlainQuery},
    precondition::{IfMatch, Tagged},
    reach,
};
use ssh::SshSettings;

/// What a person types to register the host the server runs on.
const CONFIRM_LOCAL: &str = "act on this host";
/// Something is being done to the target now.
const BEGUN: [ActionState; 3] = [ActionState::Running, ActionState::Settling, ActionState::Undoing];

/// Registered targets, newest first.
#[utoipa::path(get, path = "/api/v1/targets", operation_id = "list_targets", tag = "targets", params(PlainQuery), responses((status = 200, body = List<Target>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<Target>>, Problem> {
    Ok(Json(query.answer(targets::list(&mut caller.scope.read().await?, query.page()).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTarget {
    kind: TargetKind,
    /// `local`, `ssh/<name>`, `netns/<name>`, `twin/<name>` or `sim/<name>`.
    name: String,
    /// How `ssh/<name>` is reached.
    ssh: Option<SshSettings>,
    /// The host name in telemetry.
    host: Option<String>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    criticality: Criticality,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    owner: Option<String>,
    #[serde(default)]
    protected: bool,
    /// For `local`: the text that the refusal names.
    confirm: Option<String>,
}

/// Registers a target.
#[utoipa::path(post, path = "/api/v1/targets", operation_id = "create_target", tag = "targets", request_body = NewTarget,
    responses((status = 201, body = Target), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewTarget>,
) -> Result<(StatusCode, Json<Target>), Problem> {
    (app.settings.check_target_name)(&body.name).map_err(Problem::invalid)?;
    if body.name == "local" && body.confirm.as_deref() != Some(CONFIRM_LOCAL) {
        let detail = format!("`local` is the host this server runs on: repeat with `confirm` set to `{CONFIRM_LOCAL}`");
        return Err(Problem::new(Code::CONFIRMATION_REQUIRED, detail));
    }
    check_words(&body.labels, [&body.host, &body.owner])?;
    let realm = realm(&app, &caller, &body.name).await?;
    reach::environment(&caller, Permission::TargetWrite, body.environment)?;
    let ssh = way_in(&body.name, body.ssh.as_ref())?;
    let now = caller.scope.store().clock().now();
    let id: TargetId = id::mint(now, &mut rand::rng());
    let target = Target {
        id,
        kind: body.kind,
        simulated: body.name.starts_with("sim/"),
        realm,
        node: None,
        ssh,
        name: body.name,
        host: body.host.map(|host| host.to_lowercase()),
        environment: body.environment,
        criticality: body.criticality,
        labels: body.labels,
        owner: body.owner,
        protected: body.protected,
        demo: false,
        created_at: now,
        version: 1,
    };
    let mut tx = caller.scope.begin().await?;
    targets::insert(&mut tx, &target).await?;
    as_high_as_it_stood(&mut tx, &target).await?;
    tx.record("target.created", &[&target.id], &target)?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, Json(target)))
}

/// The settings by which `ssh/<name>` is reached: it has some, and nothing else has.
fn way_in(name: &str, given: Option<&SshSettings>) -> Result<Option<Box<Ssh>>, Problem> {
    match (name.starts_with("ssh/"), given) {
        (true, Some(given)) => given.read(None).map(Some),
        (true, None) => {
            Err(Problem::invalid("`ssh/<name>` needs `ssh`: its address, user, known_hosts and private_key"))
        }
        (false, Some(_)) => Err(Problem::invalid("`ssh` belongs to a target whose name is `ssh/<name>`")),
        (false, None) => Ok(None),
    }
}

/// What keeps this tenant's simulators apart from others'. The server's own host is the first tenant's to act on, and the
/// operator's: no other tenant may register it or a namespace of it.
async fn realm(app: &App, caller: &Caller, name: &str) -> Result<Option<TenantId>, Problem> {
    let tenant = caller.principal.tenant;
    if app.store.first().await?.id == tenant {
        return Ok(None);
    }
    if !name.starts_with("sim/") && !caller.principal.operator {
        let detail = format!(
            "`{name}` is on the host that the server runs on, or in its network: an operator of the installation registers it"
        );
        return Err(Problem::new(Code::FORBIDDEN, detail));
    }
    Ok(Some(tenant))
}

pub(crate) fn check_words(labels: &BTreeMap<String, String>, others: [&Option<String>; 2]) -> Result<(), Problem> {
    let fits = |text: &str| (1..=128).contains(&text.len()) && !text.chars().any(char::is_control);
    let words = labels.iter().flat_map(|(name, value)| [name, value]).chain(others.into_iter().flatten());
    if labels.len() > 32 || !words.into_iter().all(|word| fits(word)) {
        return Err(Problem::invalid("host, owner, and at most 32 labels are each 1 to 128 printable bytes"));
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetPatch {
    /// `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    host: Word,
    environment: Option<Environment>,
    criticality: Option<Criticality>,
    labels: Option<BTreeMap<String, String>>,
    /// `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner: Word,
    protected: Option<bool>,
    /// How `ssh/<name>` is reached: all of it but the key, which stays where none is given. Alone, without other changes
    /// that take two people.
    ssh: Option<SshSettings>,
    /// Why, for the second person: what waits for one needs it, and nothing else.
    reason: Option<String>,
}

/// A member that may be left out, and may be `null`.
#[derive(Debug, Default, PartialEq, Eq)]
enum Word {
    #[default]
    Kept,
    Becomes(Option<String>),
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(Self::Becomes)
    }
}

impl Word {
    fn after(&self, before: Option<String>) -> Option<String> {
        match self {
            Self::Kept => before,
            Self::Becomes(word) => word.clone(),
        }
    }
}

/// Changes a target's row; plans made against the old row no longer match it. What lowers its environment, criticality or
/// protection, or changes its labels, is answered with 202 and waits for a second person.
#[utoipa::path(patch, path = "/api/v1/targets/{id}", operation_id = "update_target", tag = "targets", params(("id" = TargetId, Path)), request_body = TargetPatch,
    responses((status = 200, body = Target), (status = 202, body = Change, description = "It waits for a second person"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::TargetKindId>,
    Body(patch): Body<TargetPatch>,
) -> Result<Response, Problem> {
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let before = targets::get(&mut tx, id).await?;
    seen.check(before.version)?;
    let mut target = patched(&caller, &before, &patch)?;
    let moves = moved(&before, &target);
    if moves && actions::any_owner_on(&mut tx, id).await? {
        return Err(Problem::new(Code::CONFLICT, "actions on this target are live where it is now: undo them first"));
    }
    if lowers(&before, &target) {
        if patch.ssh.is_some() {
            return Err(Problem::invalid("ssh: change it alone, the rest waits for a second person"));
        }
        caller.person()?;
        let change = changes::ask(&mut tx, asked(&before, &target, &patch)?, now).await?;
        tx.commit(now).await?;
        return Ok((StatusCode::ACCEPTED, Json(change)).into_response());
    }
    if moves {
        targets::remember(&mut tx, &before, now).await?;
        as_high_as_it_stood(&mut tx, &target).await?;
    }
    targets::update(&mut tx, &mut target).await?;
    tx.record("target.updated", &[&id], json!({"before": before, "after": target}))?;
    tx.commit(now).await?;
    if target.protected && !before.protected {
        lift(&app, &caller, &target).await;
    }
    Ok(Tagged(target.version, target).into_response())
}

/// What is in force on it already waits to be undone. It is protected all the same.
async fn lift(app: &App, caller: &Caller, target: &Target) {
    if let Err(problem) = plan_lifting_on(app, caller, target).await {
        tracing::warn!(target.id = %target.id, detail = problem.detail, "what is in force on a target that was set protected could not be looked up");
    }
}

/// The row as the patch makes it.
fn patched(caller: &Caller, before: &Target, patch: &TargetPatch) -> Result<Target, Problem> {
    for environment in [Some(before.environment), patch.environment].into_iter().flatten() {
        reach::environment(caller, Permission::TargetWrite, environment)?;
    }
    let (host, owner) = (patch.host.after(before.host.clone()), patch.owner.after(before.owner.clone()));
    check_words(patch.labels.as_ref().unwrap_or(&before.labels), [&host, &owner])?;
    let mut target = before.clone();
    target.host = host.map(|host| host.to_lowercase());
    target.environment = patch.environment.unwrap_or(target.environment);
    target.criticality = patch.criticality.unwrap_or(target.criticality);
    target.labels = patch.labels.clone().unwrap_or(target.labels);
    target.owner = owner;
    target.protected = patch.protected.unwrap_or(target.protected);
    if let Some(given) = &patch.ssh {
        if !before.name.starts_with("ssh/") {
            return Err(Problem::invalid("`ssh` belongs to a target whose name is `ssh/<name>`"));
        }
        target.ssh = Some(given.read(before.ssh.as_deref())?);
    }
    Ok(target)
}

/// Whether the row names another host than before; a new user or key is the same host.
fn moved(before: &Target, after: &Target) -> bool {
    let host = |target: &Target| target.ssh.as_ref().map(|ssh| (ssh.address.clone(), ssh.port, ssh.host_key.clone()));
    host(before) != host(after)
}

fn lowers(before: &Target, after: &Target) -> bool {
    before.standing().is_above(after)
}

/// Lowering takes two people, so one person may not have it by registering the same host a second time, by removing its
/// target and registering it again, or by turning another target to it.
async fn as_high_as_it_stood(tx: &mut Tx, target: &Target) -> Result<(), Problem> {
    let stood = targets::same_host(tx, target).await?;
    let Some(higher) = stood.iter().find(|standing| standing.is_above(target)) else { return Ok(()) };
    let detail = format!(
        "this host stands, or stood last, as {}, by its name, address or host key: give it that; to lower it then takes two people",
        json!(higher)
    );
    Err(Problem::new(Code::CONFLICT, detail))
}

/// The change that a second person is asked for, who reads why.
fn asked(before: &Target, after: &Target, patch: &TargetPatch) -> Result<New, Problem> {
    let Some(reason) = &patch.reason else {
        let detail = "this waits for a second person, who reads why: want `reason`, 1 to 4,096 bytes of text";
        return Err(Problem::invalid(detail));
    };
    crate::alerts::reason(reason)?;
    let shown = |target: &Target| {
        json!({
            "name": target.name, "environment": target.environment, "criticality": target.criticality,
            "labels": target.labels, "protected": target.protected, "host": target.host, "owner": target.owner,
        })
    };
    let mut was = shown(before);
    was["version"] = before.version.into();
    Ok(New {
        kind: Kind::Target,
        subject: before.id.to_string(),
        reason: reason.clone(),
        before: was,
        after: shown(after),
    })
}

/// What a second person confirms.
#[derive(Deserialize)]
struct Lowered {
    environment: Environment,
    criticality: Criticality,
    labels: BTreeMap<String, String>,
    protected: bool,
    host: Option<String>,
    owner: Option<String>,
}

/// Carries out what a second person confirmed, and ends the plans that were made for the old row.
///
/// # Errors
/// `conflict` when the row was changed since it was asked for.
pub(crate) async fn confirmed(tx: &mut Tx, caller: &Caller, change: &Change, now: Timestamp) -> Result<(), Problem> {
    let broken = || Problem::new(Code::CONFLICT, "the change cannot be read: withdraw it and ask again");
    let id: TargetId = change.subject.parse().map_err(|_broken| broken())?;
    let asked: Lowered = serde_json::from_value(change.after.clone()).map_err(|_broken| broken())?;
    let before = targets::get(tx, id).await?;
    if change.before["version"] != before.version {
        let detail = "the target was changed since: withdraw this change and ask again";
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    for environment in [before.environment, asked.environment] {
        reach::environment(caller, Permission::TargetWrite, environment)?;
    }
    let mut target = Target {
        environment: asked.environment,
        criticality: asked.criticality,
        labels: asked.labels,
        protected: asked.protected,
        host: asked.host,
        owner: asked.owner,
        ..before.clone()
    };
    targets::update(tx, &mut target).await?;
    let ended = void::plans_on(tx, id, "its target was lowered: plan again", now).await?;
    let body = json!({"before": before, "after": target, "change": change.id, "plans_ended": ended});
    tx.record("target.updated", &[&id], body)?;
    Ok(())
}

/// Removes a target on which no action is live.
#[utoipa::path(delete, path = "/api/v1/targets/{id}", operation_id = "delete_target", tag = "targets", params(("id" = TargetId, Path)),
    responses((status = 204, description = "Removed"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::TargetKindId>,
) -> Result<StatusCode, Problem> {
    let mut tx: Tx = caller.scope.begin().await?;
    let target = targets::get(&mut tx, id).await?;
    seen.check(target.version)?;
    reach::environment(&caller, Permission::TargetWrite, target.environment)?;
    if actions::any_on_target(&mut tx, id, &BEGUN).await? || actions::any_owner_on(&mut tx, id).await? {
        return Err(Problem::new(Code::CONFLICT, "actions on this target are live: undo them first"));
    }
    let now = caller.scope.store().clock().now();
    targets::remove(&mut tx, &target, now).await?;
    tx.record("target.removed", &[&id], &target)?;
    tx.commit(now).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            id: TargetId::from_bits(1),
            kind: TargetKind::LinuxHost,
            name: "sim/a".into(),
            host: None,
            environment: Environment::Staging,
            criticality: Criticality::Medium,
            labels: BTreeMap::new(),
            owner: None,
            simulated: true,
            realm: None,
            node: None,
            ssh: None,
            protected: true,
            demo: false,
            created_at: Timestamp::from_secs(1),
            version: 1,
        }
    }

    #[test]
    fn a_patch_tells_what_is_taken_away_from_what_is_left_out() {
        let read = |text: &str| serde_json::from_str::<TargetPatch>(text).unwrap().owner;
        assert_eq!(read("{}"), Word::Kept);
        assert_eq!(read(r#"{"owner": null}"#), Word::Becomes(None));
        assert_eq!(read(r#"{"owner": "ann"}"#), Word::Becomes(Some("ann".to_owned())));
    }

    #[test]
    fn what_holds_an_action_back_less_takes_two_people() {
        let is = |change: fn(&mut Target)| {
            let mut after = target();
            change(&mut after);
            lowers(&target(), &after)
        };
        assert!(is(|target| target.environment = Environment::Development));
        assert!(is(|target| target.criticality = Criticality::Low));
        assert!(is(|target| target.protected = false));
        assert!(is(|target| drop(target.labels.insert("team".into(), "web".into()))));
        assert!(!is(|target| target.environment = Environment::Production));
        assert!(!is(|target| target.criticality = Criticality::High));
        assert!(!is(|target| target.owner = Some("ann".into())));
    }
}
