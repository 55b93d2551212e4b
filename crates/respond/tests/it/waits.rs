//! A plan of automation that waits for a veto, and a clock that somebody sets meanwhile.

use std::{collections::BTreeMap, time::Duration};

use shieldops_model::{Clock as _, Environment, Id, PlanState, ProposedPlan};
use shieldops_policy::{AddressSource, StandingGrant};
use shieldops_respond::Surroundings;

use crate::{
    away::{NAME, World, lighting},
    switch::START,
};

/// Automation may act after a veto window, anywhere.
fn acting() -> Surroundings {
    let grant = |environment| StandingGrant {
        id: "grant".to_owned(),
        capability: NAME.to_owned(),
        environment,
        targets: vec![Id::from_bits(2)],
        labels: BTreeMap::new(),
        granted_by: Id::from_bits(1),
        expires_at: START.plus(Duration::from_hours(100)),
    };
    let mut around = Surroundings { address_source: AddressSource::Authenticated, ..Surroundings::default() };
    around.autonomy.tenant = Some(3);
    around.grants = [Environment::Staging, Environment::Production].map(grant).to_vec();
    around
}

#[tokio::test]
async fn a_clock_that_is_set_makes_a_plan_wait_anew_which_is_told_once() {
    let world = World::new();
    world.journal.put_surroundings(acting());
    let (title, why) = ("Light it".to_owned(), "it is dark".to_owned());
    let proposal = ProposedPlan { title, why, confidence: 0.95, actions: lighting("sim/well", 0..1) };
    let plan = world.engine.propose_revision(Id::from_bits(5), &[proposal], false).await.unwrap().remove(0).unwrap();
    let plan = world.plan(&plan).await;
    assert_eq!(plan.state, PlanState::Approved, "{:?}", plan.decision);
    let window = plan.not_before.expect("it waits").since(START);
    world.engine.expire_due().await.unwrap();
    world.clock.leap(window * 2);
    for _ in 0..2 {
        world.engine.expire_due().await.unwrap();
        world.idle().await;
        let held = world.plan(&plan).await;
        assert_eq!((held.state, held.not_before), (PlanState::Approved, Some(world.clock.now().plus(window))));
    }
    let told = world.journal.entries().iter().filter(|entry| entry.kind == "run.held").count();
    assert_eq!(told, 1);
    world.clock.advance(window);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Executed, "it does not wait for ever");
}
