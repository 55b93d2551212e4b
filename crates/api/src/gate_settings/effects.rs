//! Effects that exist on what is protected now: they were made before it was, and wait to be undone.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use ipnet::IpNet;
use serde::Serialize;
use shieldops_model::{Action, ActionId, ActionState, PlanId, PlanState, Target, TargetRef};
use shieldops_policy::{GateSettings, ProtectedEntry, ProtectedKind};
use shieldops_respond::{Engine, Registry};
use shieldops_store::{Access, actions, plans, targets};
use utoipa::ToSchema;

use super::in_force;
use crate::{App, List, Problem, auth::Caller, page::PlainQuery};

/// States in which an effect is on its target, or may be.
const THERE: [ActionState; 6] = [
    ActionState::Settling,
    ActionState::Verified,
    ActionState::Unverified,
    ActionState::Drifted,
    ActionState::UndoFailed,
    // Only one that owns what it left.
    ActionState::Failed,
];

/// The most plans that one change makes; what is beyond them is on the list all the same.
const MAX_LIFTED: usize = 100;
/// How long targets are looked at for that. Whoever protects a thing does not wait for a host that is away.
const LIFTED_WITHIN: Duration = Duration::from_secs(30);

/// An effect on something that is protected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProtectedEffect {
    action_id: ActionId,
    capability: String,
    target: TargetRef,
    /// What protects it.
    entry: ProtectedEntry,
    /// The plan that lifts it and waits for a person; absent where none is open any more.
    undo_plan_id: Option<PlanId>,
}

/// Effects that exist on what is protected now, with the plans that lift them: protecting a thing undoes nothing by itself.
#[utoipa::path(get, path = "/api/v1/gate-settings/effects", operation_id = "list_protected_effects", tag = "gate", params(PlainQuery), responses((status = 200, body = List<ProtectedEffect>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: PlainQuery,
) -> Result<Json<List<ProtectedEffect>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let (_, settings, _) = in_force(&mut reader).await?;
    let desk = app.desk(caller.principal.tenant)?;
    let mut entries = settings.protected;
    entries.extend(targets::all(&mut reader).await?.iter().filter(|target| target.protected).map(entry_of));
    let on = on_protected(&mut reader, desk.registry(), &entries).await?;
    let open = open_undos(&mut reader).await?;
    let shown = |(action, entry): (Action, ProtectedEntry)| {
        let undo_plan_id = open.get(&action.id).copied();
        let Action { id, capability, target, .. } = action;
        ProtectedEffect { action_id: id, capability, target, entry, undo_plan_id }
    };
    query.of(on.into_iter().map(shown).collect(), |effect| effect.action_id.to_string()).map(Json)
}

/// The effects that are on what these entries name, each with the first of them.
async fn on_protected(
    access: &mut impl Access,
    registry: &Registry,
    entries: &[ProtectedEntry],
) -> Result<Vec<(Action, ProtectedEntry)>, Problem> {
    let mut found = Vec::new();
    let live = actions::owning(access, &THERE).await?;
    for action in live.into_iter().filter(|action| action.undo_of.is_none() && action.class == "reversible") {
        let reach = reach(registry, &action);
        if let Some(entry) = entries.iter().find(|entry| touches(&action, &reach, entry)) {
            found.push((action, entry.clone()));
        }
    }
    Ok(found)
}

/// The open plans that undo something, by what they undo.
async fn open_undos(access: &mut impl Access) -> Result<HashMap<ActionId, PlanId>, Problem> {
    let mut open = HashMap::new();
    for state in [PlanState::Proposed, PlanState::Approved, PlanState::Executing] {
        for plan in plans::in_state(access, state).await? {
            open.extend(plan.actions.iter().filter_map(|action| Some((action.undo_of?, plan.id))));
        }
    }
    Ok(open)
}

/// Plans the lifting of what is on things that came under protection; a person starts each plan or leaves it. A target that
/// does not answer now has no plan: its effect stays on the list.
pub(super) async fn plan_lifting(
    app: &App,
    caller: &Caller,
    before: &GateSettings,
    after: &GateSettings,
) -> Result<(), Problem> {
    let known = |entry: &ProtectedEntry| {
        before.protected.iter().any(|known| (known.kind, &known.value) == (entry.kind, &entry.value))
    };
    lift(app, caller, &after.protected.iter().filter(|entry| !known(entry)).cloned().collect::<Vec<_>>()).await
}

/// The same for a target that was set protected.
pub(crate) async fn plan_lifting_on(app: &App, caller: &Caller, target: &Target) -> Result<(), Problem> {
    lift(app, caller, &[entry_of(target)]).await
}

fn entry_of(target: &Target) -> ProtectedEntry {
    let why = "the target is set protected".to_owned();
    ProtectedEntry { kind: ProtectedKind::Target, value: target.name.clone(), why }
}

async fn lift(app: &App, caller: &Caller, new: &[ProtectedEntry]) -> Result<(), Problem> {
    if new.is_empty() {
        return Ok(());
    }
    let engine = app.engine(caller.principal.tenant)?;
    let on = on_protected(&mut caller.scope.read().await?, engine.registry(), new).await?;
    if on.len() > MAX_LIFTED {
        let rest = on.len() - MAX_LIFTED;
        tracing::warn!(
            rest,
            "the lifting of so many effects on protected things is not planned: they stay on the list"
        );
    }
    let plan = plan_each(&engine, on.into_iter().take(MAX_LIFTED));
    if tokio::time::timeout(LIFTED_WITHIN, plan).await.is_err() {
        tracing::warn!("targets took long: the lifting of some effects is not planned, and they stay on the list");
    }
    Ok(())
}

async fn plan_each(engine: &Engine, on: impl Iterator<Item = (Action, ProtectedEntry)>) {
    for (action, entry) in on {
        let kind = serde_json::to_value(entry.kind).unwrap_or_default();
        let why = format!("{} {} is protected now: {}", kind.as_str().unwrap_or_default(), entry.value, entry.why);
        if let Err(error) = engine.plan_lifting(action.id, &why).await {
            tracing::warn!(action.id = %action.id, %error, "the lifting of an effect on a protected thing could not be planned");
        }
    }
}

fn reach(registry: &Registry, action: &Action) -> Vec<IpNet> {
    let capability = registry.find(&action.capability);
    capability.and_then(|capability| capability.reach(&action.params).ok()).unwrap_or_default()
}

/// Whether the effect is on what the entry names, by its parameters; as policy has it, but for what only the target knows.
fn touches(action: &Action, reach: &[IpNet], entry: &ProtectedEntry) -> bool {
    let param = |name: &str| action.params.get(name).and_then(|value| value.as_str());
    let value = entry.value.as_str();
    match entry.kind {
        ProtectedKind::Address => value.parse::<IpAddr>().is_ok_and(|at| reach.iter().any(|net| net.contains(&at))),
        ProtectedKind::Range => value
            .parse::<IpNet>()
            .is_ok_and(|range| reach.iter().any(|net| net.contains(&range) || range.contains(net))),
        ProtectedKind::User => param("user") == Some(value),
        ProtectedKind::Process => param("process") == Some(value),
        ProtectedKind::Path => {
            param("path").is_some_and(|path| path == value || path.strip_prefix(value).is_some_and(below))
        }
        ProtectedKind::Domain => param("domain").is_some_and(|domain| {
            domain == value || domain.strip_suffix(value).is_some_and(|rest| rest.ends_with('.'))
        }),
        ProtectedKind::Target => action.target_id.to_string() == value || action.target.name == value,
    }
}

fn below(rest: &str) -> bool {
    rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn is(kind: &str, value: &str, params: Value) -> bool {
        let action = json!({
            "id": ActionId::from_bits(1), "plan_id": "pln_01h455vb4pex5vsknk084sn02q", "capability": "linux.block_ip",
            "target_id": "tgt_01h455vb4pex5vsknk084sn02q", "target": {"kind": "linux_host", "name": "sim/a"},
            "simulated": true, "demo": false, "params": params, "state": "verified", "state_key": "", "from": {}, "to": {},
            "diff": [], "undo_of": null, "adopts": null, "control_path": null, "changed": true, "undo": "", "class": "reversible",
            "detail": null, "owners": [], "proofs": [], "expires_at": null, "applied_at": null, "verified_at": null,
            "updated_at": "2026-01-01T00:00:00Z", "version": 1,
        });
        let action: Action = serde_json::from_value(action).unwrap();
        let entry = serde_json::from_value(json!({"kind": kind, "value": value, "why": "ours"})).unwrap();
        touches(&action, &["203.0.113.0/28".parse().unwrap()], &entry)
    }

    #[test]
    fn an_effect_is_on_what_an_entry_names_and_on_nothing_beside_it() {
        let nothing = || json!({});
        assert!(is("address", "203.0.113.9", nothing()) && !is("address", "203.0.113.99", nothing()));
        assert!(is("range", "203.0.113.8/30", nothing()) && is("range", "203.0.0.0/16", nothing()));
        assert!(!is("range", "203.0.113.64/28", nothing()));
        assert!(is("user", "ann", json!({"user": "ann"})) && !is("user", "ann", json!({"user": "anna"})));
        let path = || json!({"path": "/srv/app/x"});
        assert!(is("path", "/srv/app", path()) && is("path", "/srv/app/x", path()) && !is("path", "/srv/ap", path()));
        let domain = || json!({"domain": "www.example.com"});
        assert!(is("domain", "example.com", domain()) && !is("domain", "ample.com", domain()));
        assert!(is("target", "sim/a", nothing()) && !is("target", "sim/b", nothing()));
    }
}
