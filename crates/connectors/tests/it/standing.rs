//! Whose word holds: votes that are old or of somebody who is gone, grants of somebody who is gone, and a tenant whose people
//! may not say no.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Clock as _, Id, Plan, PlanState};
use shieldops_respond::Journal as _;

use crate::{
    many::{acting, automated},
    support::{ATTACKER, World, person},
};

async fn read(world: &World, plan: &Plan) -> Plan {
    world.journal.plan(plan.id).await.unwrap().unwrap()
}

/// A plan that takes two people, and the first of them.
async fn half_agreed(world: &World) -> Plan {
    let plan = world.try_plan("linux.isolate_host", json!({})).await.unwrap();
    assert_eq!(plan.decision.approvals_needed, 2, "{:?}", plan.decision);
    let plan = world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    assert_eq!((plan.state, plan.approvals.len()), (PlanState::Proposed, 1));
    plan
}

fn voters(plan: &Plan) -> Vec<String> {
    plan.approvals.iter().map(|vote| vote.user_name.clone()).collect()
}

#[tokio::test]
async fn a_vote_that_is_too_old_is_no_half_of_two() {
    for (minutes, agreed) in [(15, true), (16, false)] {
        let world = World::new("sim/test");
        let plan = half_agreed(&world).await;
        world.clock.advance(Duration::from_mins(minutes));
        let plan = world.engine.approve(plan.id, &plan.hash, &person(2)).await.unwrap();
        assert_eq!(plan.state == PlanState::Approved, agreed, "{minutes}");
        if !agreed {
            assert_eq!((plan.state, voters(&plan)), (PlanState::Proposed, vec!["person 2".to_owned()]));
            let again = world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
            assert_eq!(again.state, PlanState::Approved, "and may be given again");
        }
        world.idle().await;
        assert_eq!(read(&world, &plan).await.state, PlanState::Executed);
    }
}

#[tokio::test]
async fn the_vote_of_somebody_who_may_not_vote_any_more_does_not_count() {
    let world = World::new("sim/test");
    let plan = half_agreed(&world).await;
    world.journal.put_gone(person(1).user);
    let plan = world.engine.approve(plan.id, &plan.hash, &person(2)).await.unwrap();
    assert_eq!((plan.state, voters(&plan)), (PlanState::Proposed, vec!["person 2".to_owned()]));
    let plan = world.engine.approve(plan.id, &plan.hash, &person(3)).await.unwrap();
    assert_eq!(plan.state, PlanState::Approved);
}

#[tokio::test]
async fn a_run_that_was_held_asks_again_when_its_voter_is_gone_by_then() {
    let world = World::new("sim/test");
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.engine.halt(("usr_1", "ann"), "wrong host").await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    assert_eq!(read(&world, &plan).await.state, PlanState::Approved);
    world.journal.put_gone(person(1).user);
    world.engine.resume(&person(2), "over").await.unwrap();
    world.idle().await;
    let after = read(&world, &plan).await;
    assert_eq!((after.state, after.approvals.len()), (PlanState::Proposed, 0));
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn a_standing_grant_ends_with_the_right_to_give_it() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(4, &world));
    world.journal.put_gone(Id::from_bits(1));
    let plan = automated(&world, ATTACKER).await;
    assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn a_veto_window_begins_again_when_people_may_say_no_again() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(3, &world));
    let plan = automated(&world, ATTACKER).await;
    let window = plan.not_before.expect("it waits").since(world.clock.now()) + Duration::from_secs(1);
    world.journal.set_closed(true);
    world.clock.advance(window);
    for closed in [true, false] {
        world.journal.set_closed(closed);
        world.engine.expire_due().await.unwrap();
        world.idle().await;
        assert!(world.reaches(ATTACKER).await, "nobody could say no yet: closed {closed}");
    }
    world.clock.advance(window);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert_eq!(read(&world, &plan).await.state, PlanState::Executed);
    assert!(!world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn what_automation_may_do_at_once_waits_for_its_tenant_to_be_active() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(4, &world));
    world.journal.set_closed(true);
    world.engine.expire_due().await.unwrap();
    let plan = automated(&world, ATTACKER).await;
    assert_eq!(plan.state, PlanState::Approved);
    assert!(world.reaches(ATTACKER).await);
    world.journal.set_closed(false);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert_eq!(read(&world, &plan).await.state, PlanState::Executed);
}
