//! Which policies decide, from one decision to the next, and what is kept of each.

use serde_json::{Value, json};
use shieldops_model::PlanState;
use shieldops_policy::{Input, Policy};
use shieldops_respond::Error;

use crate::switch::{CONTAIN, World, codes, person};

fn nights(rest: &str) -> String {
    format!("package tenant.nights\n\n{rest}\n")
}

fn put(world: &World, number: i64, rest: &str) {
    world.journal.put_policies(number, &[("nights.rego", &nights(rest))]);
}

#[tokio::test]
async fn what_is_in_force_decides_from_the_next_decision_on_and_its_hash_is_in_the_decision() {
    let world = World::staging();
    let free = world.planned(CONTAIN, None).await;
    assert_eq!(free.state, PlanState::Proposed, "{:?}", free.decision);
    put(&world, 1, "deny contains \"not at night\"");
    let denied = world.planned(CONTAIN, None).await;
    assert_eq!((denied.state, codes(&denied)), (PlanState::Denied, vec!["tenant.nights"]));
    assert_ne!(denied.decision.policy_hash, free.decision.policy_hash);
    put(&world, 2, "deny contains \"drifted\" if input.drifted");
    assert_eq!(world.planned(CONTAIN, None).await.state, PlanState::Proposed);
}

#[tokio::test]
async fn policies_that_cannot_be_used_deny_and_say_where_and_an_explanation_does_too() {
    let world = World::staging();
    for (broken, why) in [
        ("deny contains \"x\" if {", "nights.rego:"),
        ("deny contains \"x\" if count(numbers.range(1, 9)) > 1", "`numbers.range` may not be called"),
        ("deny contains \"x\" if http.send({}).body", "`http.send` may not be called"),
    ] {
        put(&world, 7, broken);
        let plan = world.planned(CONTAIN, None).await;
        assert_eq!((plan.state, codes(&plan)), (PlanState::Denied, vec!["policy_error"]), "{broken}");
        let detail = &plan.decision.denies[0].detail;
        assert!(detail.contains("version 7 of this tenant's own policies") && detail.contains(why), "{detail}");
        let Err(Error::Denied(reasons)) = world.engine.explain(plan.id).await else { panic!("it was explained") };
        assert!(reasons[0].detail.contains(why), "{reasons:?}");
    }
}

#[tokio::test]
async fn what_was_allowed_is_decided_again_at_its_run() {
    let world = World::staging();
    let plan = world.planned(CONTAIN, None).await;
    put(&world, 1, "deny contains \"never\"");
    let late = world.approved(&plan).await;
    assert_eq!((late.state, codes(&late), world.is_on()), (PlanState::Denied, vec!["tenant.nights"], false));
}

#[tokio::test]
async fn a_tenant_s_own_policies_hold_no_undo_not_even_when_they_are_broken() {
    for policy in ["deny contains \"never\"", "deny contains"] {
        let world = World::staging();
        let done = world.approved(&world.planned(CONTAIN, None).await).await;
        assert!(world.is_on(), "{done:?}");
        put(&world, 1, policy);
        let undone = world.engine.undo(done.actions[0].id, &person(2), "over").await.unwrap();
        assert!(!world.is_on(), "{policy}: {undone:?}");
    }
}

#[tokio::test]
async fn every_decision_is_kept_with_the_plan_that_it_is_about() {
    let world = World::staging();
    let plan = world.planned(CONTAIN, None).await;
    let asked = world.journal.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].plan, &asked[0].decided), (plan.id, &plan.decision));
    let input: Input = serde_json::from_value(asked[0].input.clone()).unwrap();
    assert_eq!(shieldops_policy::canonical::hash(&asked[0].input), plan.decision.input_hash);
    let policy = Policy::built_in().unwrap();
    assert_eq!(policy.evaluate(input).decision(), &plan.decision, "it can be asked again");
    world.engine.explain(plan.id).await.unwrap();
    world.approved(&plan).await;
    let stages: Vec<Value> = world.journal.asked().iter().map(|asked| asked.input["stage"].clone()).collect();
    assert_eq!(stages, [json!("plan"), json!("run")], "its run is one more, an explanation none");
}
