//! Orphans: effects with our mark that nobody owns are found, adopted or undone; all else is left alone.

use std::time::Duration;

use serde_json::{Value, json};
use shieldops_model::{ActionState, Orphan, Plan, PlanState};
use shieldops_respond::{CrashPoints, Error, Journal as _, OrphanRef};

use crate::support::{ATTACKER, World, person, target};

fn seen(orphan: &Orphan) -> OrphanRef {
    OrphanRef { capability: orphan.capability.clone(), key: orphan.key.clone(), action_id: orphan.action_id }
}

impl World {
    async fn orphans(&self) -> Vec<Orphan> {
        self.engine.orphans(target(&self.target).id).await.unwrap()
    }

    async fn adopt(&self, orphan: &Orphan) -> Result<Plan, Error> {
        self.engine.adopt(target(&self.target).id, seen(orphan), &person(2), "it is still wanted").await
    }

    async fn undo_orphan(&self, orphan: &Orphan) -> Result<Plan, Error> {
        self.engine.undo_orphan(target(&self.target).id, seen(orphan), &person(2), "nobody wants it").await
    }

    /// A block whose every record is lost.
    async fn orphan(&mut self, params: Value) -> Orphan {
        let action = self.done(params).await;
        assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
        assert!(self.orphans().await.is_empty(), "an effect with an owner is none");
        self.forget();
        let found = self.orphans().await;
        assert_eq!((found.len(), found[0].action_id), (1, action.id), "{found:?}");
        found[0].clone()
    }
}

async fn undone(world: &World, orphan: &Orphan) {
    let plan = world.undo_orphan(orphan).await.unwrap();
    assert_eq!((plan.state, plan.decision.approvals_needed), (PlanState::Proposed, 1), "{:?}", plan.decision);
    assert_eq!(world.undo_orphan(orphan).await.unwrap().id, plan.id, "asked twice is asked once");
    assert_eq!(world.orphans().await[0].plan_id, Some(plan.id));
    assert_eq!(world.engine.approve(plan.id, &plan.hash, &person(2)).await.unwrap_err(), Error::OwnPlan);
    assert!(!world.reaches(ATTACKER).await, "nothing happens before the approval");
    let action = world.approved(&plan).await;
    assert_eq!((action.state, action.undo_of), (ActionState::Verified, Some(orphan.action_id)), "{:?}", action.detail);
    assert!(world.reaches(ATTACKER).await);
    assert!(world.orphans().await.is_empty());
}

async fn adopted_then_undone(world: &World, orphan: &Orphan, lasts: Option<u64>) {
    let plan = world.adopt(orphan).await.unwrap();
    assert_eq!((plan.state, plan.decision.approvals_needed), (PlanState::Proposed, 1), "{:?}", plan.decision);
    let action = world.approved(&plan).await;
    assert_eq!((action.state, action.changed), (ActionState::Verified, false), "{:?}", action.detail);
    assert_eq!((action.adopts, action.owners.len()), (Some(orphan.action_id), 1));
    let left = action.expires_at.zip(action.applied_at).map(|(ends, began)| ends.since(began).as_secs());
    assert!(
        left.is_some() == lasts.is_some() && left <= lasts && left.unwrap_or(0) + 20 >= lasts.unwrap_or(0),
        "{left:?}"
    );
    assert!(world.orphans().await.is_empty() && !world.reaches(ATTACKER).await);
    assert!(world.engine.reobserve().await.unwrap().is_empty(), "it is as its owner wants it");
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert!(world.reaches(ATTACKER).await, "what was there before the orphan is no block");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_whose_record_is_lost_is_found_and_undone_on_a_real_twin() {
    let Some(mut world) = World::live().await else { return };
    let orphan = world.orphan(json!({"address": ATTACKER})).await;
    assert_eq!((orphan.key.as_str(), orphan.expires_at), (ATTACKER, None));
    let told = world.engine.reobserve().await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    undone(&world, &orphan).await;
    assert!(crate::live::ruleset(&world).is_empty(), "residue: {}", crate::live::ruleset(&world));
    let entries = world.journal.entries();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [
            "target.orphaned",
            "plan.proposed",
            "plan.approved",
            "run.started",
            "action.intent",
            "action.verified",
            "run.ended"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_whose_record_is_lost_is_adopted_for_as_long_as_it_lasts_on_a_real_twin() {
    let Some(mut world) = World::live().await else { return };
    let orphan = world.orphan(json!({"address": ATTACKER})).await;
    adopted_then_undone(&world, &orphan, None).await;
    assert!(crate::live::ruleset(&world).is_empty(), "residue: {}", crate::live::ruleset(&world));
    let orphan = world.orphan(json!({"address": ATTACKER, "expires_in_s": 3600})).await;
    adopted_then_undone(&world, &orphan, Some(3600)).await;
    assert!(crate::live::ruleset(&world).is_empty(), "residue: {}", crate::live::ruleset(&world));
}

#[tokio::test]
async fn an_adopted_effect_expires_when_the_effect_would_have() {
    let mut world = World::new("sim/test");
    let orphan = world.orphan(json!({"address": ATTACKER, "expires_in_s": 600})).await;
    let plan = world.adopt(&orphan).await.unwrap();
    // The approval takes its time, and gives the effect no more of it.
    world.clock.advance(Duration::from_secs(500));
    let action = world.approved(&plan).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    world.clock.advance(Duration::from_secs(101));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.action(&action).await.state, ActionState::Expired);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn an_action_that_wants_what_an_orphan_does_can_be_undone() {
    let mut world = World::new("sim/test");
    world.orphan(json!({"address": ATTACKER})).await;
    let action = world.block(ATTACKER).await;
    assert_eq!((action.state, action.changed), (ActionState::Verified, false));
    assert!(world.orphans().await.is_empty());
    assert_eq!(world.undo(&action).await.unwrap().state, ActionState::Undone);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn of_two_wishes_for_one_orphan_the_later_one_does_nothing() {
    let mut world = World::new("sim/test");
    let orphan = world.orphan(json!({"address": ATTACKER})).await;
    let (adopt, undo) = (world.adopt(&orphan).await.unwrap(), world.undo_orphan(&orphan).await.unwrap());
    let owner = world.approved(&adopt).await;
    let late = world.approved(&undo).await;
    assert_eq!(late.state, ActionState::Aborted);
    assert!(late.detail.unwrap().contains(&owner.id.to_string()));
    assert!(!world.reaches(ATTACKER).await);
    assert!(matches!(world.adopt(&orphan).await.unwrap_err(), Error::State { .. }));
    assert_eq!(world.undo(&owner).await.unwrap().state, ActionState::Undone);
}

#[tokio::test]
async fn an_orphan_that_is_gone_or_somebody_else_s_is_not_touched() {
    let mut world = World::new("sim/test");
    let orphan = world.orphan(json!({"address": ATTACKER})).await;
    let (adopt, undo) = (world.adopt(&orphan).await.unwrap(), world.undo_orphan(&orphan).await.unwrap());
    let file = world.folder.path().join("sim/test.json");
    let mut host: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    host["table"]["sets"]["blocked_v4"]["elements"][ATTACKER]["comment"] = json!("by hand");
    std::fs::write(&file, host.to_string()).unwrap();
    assert!(world.orphans().await.is_empty(), "what has no mark of ours is no finding");
    for plan in [adopt, undo] {
        let action = world.approved(&plan).await;
        assert_eq!(action.state, ActionState::Aborted, "{:?}", action.detail);
        assert!(!world.reaches(ATTACKER).await);
    }
    assert!(world.undo_orphan(&orphan).await.is_err());
}

#[tokio::test]
async fn a_mark_whose_effect_is_not_in_force_is_told_from_an_orphan_that_is() {
    let mut world = World::new("sim/test");
    let orphan = world.orphan(json!({"address": ATTACKER})).await;
    let file = world.folder.path().join("sim/test.json");
    let mut host: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    host["table"]["chains"]["input"]["rules"] = json!([]);
    std::fs::write(&file, host.to_string()).unwrap();
    for error in [world.adopt(&orphan).await.unwrap_err(), world.undo_orphan(&orphan).await.unwrap_err()] {
        assert!(error.to_string().contains("not in force"), "{error}");
    }
}

#[tokio::test]
async fn a_halt_holds_an_adoption_and_no_undo() {
    let mut world = World::new("sim/test");
    let orphan = world.orphan(json!({"address": ATTACKER})).await;
    let (adopt, undo) = (world.adopt(&orphan).await.unwrap(), world.undo_orphan(&orphan).await.unwrap());
    world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
    world.engine.approve(adopt.id, &adopt.hash, &person(1)).await.unwrap();
    world.idle().await;
    assert_eq!(world.journal.plan(adopt.id).await.unwrap().unwrap().state, PlanState::Approved);
    assert_eq!(world.approved(&undo).await.state, ActionState::Verified);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn adopting_and_undoing_an_orphan_are_finished_after_a_crash_at_every_point() {
    for point in CrashPoints::NAMES.iter().filter(|point| !point.contains("child") && !point.contains("settling")) {
        for adopts in [true, false] {
            let mut world = World::new("sim/test");
            let orphan = world.orphan(json!({"address": ATTACKER})).await;
            let plan = if adopts { world.adopt(&orphan).await } else { world.undo_orphan(&orphan).await }.unwrap();
            world.restart(CrashPoints::give_up_at(*point));
            world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
            world.idle().await;
            world.restart(CrashPoints::none());
            world.engine.recover().await.unwrap();
            let plan = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
            let action = &plan.actions[0];
            assert_eq!(action.state, ActionState::Verified, "{point}: {:?}", action.detail);
            assert_eq!((action.owners.len(), world.reaches(ATTACKER).await), (usize::from(adopts), !adopts), "{point}");
            assert!(world.orphans().await.is_empty(), "{point}");
        }
    }
}
