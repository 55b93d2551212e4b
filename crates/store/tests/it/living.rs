//! What lives is found by what it owns and by its time, however long the history before it is.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, Clock as _, Owner, Plan, PlanId, PlanState, Timestamp, id};
use shieldops_store::{actions, plans, targets};

use crate::support::{World, target, world};

/// More than any list of the history ever held.
const HISTORY: usize = 10_001;
const LIVE: [ActionState; 2] = [ActionState::Verified, ActionState::UndoFailed];

fn fresh<K: id::Kind>(world: &World) -> id::Id<K> {
    world.clock.advance(Duration::from_millis(1));
    id::mint(world.clock.now(), &mut rand::rng())
}

/// A plan with one action that began now.
fn plan(world: &World, undo_of: Option<PlanId>, state: PlanState) -> Plan {
    let (id, now): (PlanId, _) = (fresh(world), world.clock.now());
    let action = fresh::<id::ActionKind>(world);
    let decision = json!({"allow": true, "denies": [], "approvals_needed": 0, "risk": "low", "risk_terms": [],
        "input_hash": "", "policy_hash": ""});
    let named = json!({"kind": "linux_host", "name": "sim/one"});
    let mut action = json!({
        "id": action, "plan_id": id, "capability": "linux.block_ip", "target_id": target("sim/one").id, "target": named,
        "simulated": true, "demo": false, "params": {}, "state": "verified", "state_key": action, "from": {}, "to": {}, "diff": [],
    });
    let rest = json!({"changed": true, "undo": "", "class": "reversible", "owners": [], "proofs": [], "applied_at": now,
        "verified_at": now, "updated_at": now, "version": 1});
    action.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    let mut plan = json!({
        "id": id, "hash": "00", "state": state, "title": "Block", "why": "it attacks", "risk": "low", "simulated": true,
        "demo": false, "requester": "system:investigation", "decision": decision, "actions": [action], "approvals": [],
    });
    let rest = json!({"undo_of": undo_of, "not_checkable": [], "created_at": now, "expires_at": now, "updated_at": now, "version": 1});
    plan.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    serde_json::from_value(plan).unwrap()
}

/// Stores the plan; its action owns its state until then.
async fn stored(world: &World, plan: &Plan, until: Option<Timestamp>) {
    let mut tx = world.scope().begin().await.unwrap();
    plans::insert(&mut tx, plan, None).await.unwrap();
    for action in &plan.actions {
        let owner = Owner { action_id: action.id, expires_at: until };
        actions::add_owner(&mut tx, &action.state_key, &owner).await.unwrap();
    }
    tx.record("plan.proposed", &[&plan.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
}

/// Finished actions of long ago that own nothing. Their bodies cannot be opened: whoever reads one fails.
async fn history(world: &World) {
    let tenant = hex::encode(world.tenant.to_bytes());
    let row = |number: usize| {
        format!("(X'{tenant}',X'{number:032x}',X'00',0,'linux.block_ip',X'00','verified','k{number}',0,1,1,X'00')")
    };
    let rows: Vec<String> = (1..=HISTORY).map(row).collect();
    for some in rows.chunks(500) {
        let columns = "tenant_id, id, plan_id, place, capability, target_id, state, state_key, simulated, updated_at, version, body";
        world.sql(&format!("INSERT INTO actions ({columns}) VALUES {}", some.join(","))).await;
    }
}

fn ids(actions: &[Action]) -> Vec<ActionId> {
    actions.iter().map(|action| action.id).collect()
}

#[tokio::test]
async fn ten_thousand_finished_actions_hide_none_that_lives_and_are_not_read() {
    let Some(world) = world().await else { return };
    history(&world).await;
    let (soon, late) = (plan(&world, None, PlanState::Executed), plan(&world, None, PlanState::Executed));
    let now = world.clock.now();
    stored(&world, &soon, Some(now)).await;
    stored(&world, &late, None).await;
    let (soon, late) = (soon.actions[0].id, late.actions[0].id);
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(ids(&actions::due(&mut reader, now).await.unwrap()), [soon], "what is over its time");
    assert!(actions::due(&mut reader, now.minus(Duration::from_secs(1))).await.unwrap().is_empty());
    assert_eq!(ids(&actions::owning(&mut reader, &LIVE).await.unwrap()), [soon, late]);
    assert!(actions::owning(&mut reader, &[ActionState::UndoFailed]).await.unwrap().is_empty());
    let begun = actions::changed_since(&mut reader, &LIVE, now.minus(Duration::from_secs(1)), None).await.unwrap();
    assert_eq!(ids(&begun), [soon, late]);
    let behind = begun.first().map(|action| (action.updated_at, action.id));
    let rest = actions::changed_since(&mut reader, &LIVE, Timestamp::from_secs(1), behind).await.unwrap();
    assert_eq!(ids(&rest), [late]);
}

#[tokio::test]
async fn more_open_plans_than_one_query_reads_are_all_found_and_the_undo_of_one_among_them() {
    let Some(world) = world().await else { return };
    let first = plan(&world, None, PlanState::Proposed);
    let mut tx = world.scope().begin().await.unwrap();
    plans::insert(&mut tx, &first, None).await.unwrap();
    for _ in 0..1_001 {
        plans::insert(&mut tx, &plan(&world, None, PlanState::Proposed), None).await.unwrap();
    }
    let undo = plan(&world, Some(first.id), PlanState::Proposed);
    plans::insert(&mut tx, &undo, None).await.unwrap();
    tx.record("plan.proposed", &[&first.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(plans::in_state(&mut reader, PlanState::Proposed).await.unwrap().len(), 1_003);
    let found = plans::undos_asked(&mut reader, first.id).await.unwrap();
    assert_eq!(found.iter().map(|plan| plan.id).collect::<Vec<_>>(), [undo.id]);
    assert_eq!(plans::overdue(&mut reader, first.expires_at).await.unwrap()[0].id, first.id);
}

#[tokio::test]
async fn a_host_is_known_again_by_name_address_and_key_after_its_target_is_gone() {
    let Some(world) = world().await else { return };
    let ssh = |address: &str, host_key: &str| {
        let (user, key_fingerprint, private_key) =
            ("root".to_owned(), "SHA256:x".to_owned(), shieldops_model::PrivateKey::default());
        let (address, host_key) = (address.to_owned(), host_key.to_owned());
        Some(Box::new(shieldops_model::Ssh { address, port: 22, user, host_key, key_fingerprint, private_key }))
    };
    let known = shieldops_model::Target { ssh: ssh("Web-1.example", "ssh-ed25519 AAAA"), ..target("ssh/web-1") };
    let mut tx = world.scope().begin().await.unwrap();
    targets::insert(&mut tx, &known).await.unwrap();
    tx.record("target.created", &[&known.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let others = [
        (shieldops_model::Target { ssh: ssh("192.0.2.1", "ssh-ed25519 BBBB"), ..target("ssh/web-1") }, 1),
        (shieldops_model::Target { ssh: ssh("web-1.example", "ssh-ed25519 BBBB"), ..target("ssh/other") }, 1),
        (shieldops_model::Target { ssh: ssh("192.0.2.1", "ssh-ed25519 AAAA"), ..target("ssh/other") }, 1),
        (shieldops_model::Target { ssh: ssh("192.0.2.1", "ssh-ed25519 BBBB"), ..target("ssh/other") }, 0),
    ];
    let check = async |when: &str| {
        let mut reader = world.scope().read().await.unwrap();
        for (row, want) in &others {
            let found = targets::same_host(&mut reader, row).await.unwrap();
            assert_eq!(found, vec![known.standing(); *want], "{when}: {row:?}");
        }
    };
    check("it is there").await;
    let mut tx = world.scope().begin().await.unwrap();
    targets::remove(&mut tx, &known, world.clock.now()).await.unwrap();
    tx.record("target.removed", &[&known.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    check("it is gone").await;
}
