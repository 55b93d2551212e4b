//! Which policies decide, from one decision to the next, and what is kept of each.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ipnet::IpNet;
use serde_json::{Value, json};
use shieldops_model::{ControlPath, FixedClock, Id, Plan, PlanState, ProposedAction, Target, Timestamp};
use shieldops_policy::{Class, Facts, Permit, Purpose, Requester, RequesterKind};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    Capability, CrashPoints, Description, EngineOptions, Fault, Observed, Person, PlanRequest, Registry, Site, Twin,
    Typed, memory::MemoryJournal, stand_in,
};

struct Switch(Arc<AtomicBool>);

#[async_trait]
impl Capability for Switch {
    type Params = Value;
    type State = bool;

    fn describe(&self) -> Description {
        Description {
            name: "test.switch",
            title: "Throw a switch",
            target_kind: "linux_host",
            params_schema: json!({}),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["switch.throw"],
            settle_ms: 0,
            base_risk: 1,
            twin: Twin::Network,
            docs: "",
        }
    }

    async fn observe(&self, _target: &Target, _params: &Value) -> Result<Observed<bool>, Fault> {
        Ok(Observed { state: self.0.load(Ordering::SeqCst), facts: Facts::default() })
    }

    fn desired(&self, _state: &bool, _params: &Value) -> bool {
        true
    }

    async fn apply(&self, _site: Site<'_>, _from: &bool, to: &bool, _permit: Permit) -> Result<(), Fault> {
        self.0.store(*to, Ordering::SeqCst);
        Ok(())
    }

    fn undo_text(&self, _params: &Value) -> String {
        "Throws it back.".to_owned()
    }

    fn control_path(&self, _target: &Target, _params: &Value) -> ControlPath {
        ControlPath { via: "wire".to_owned(), at_risk: false, why: "no way leads through a switch".to_owned() }
    }

    fn reach(&self, _params: &Value) -> Vec<IpNet> {
        Vec::new()
    }
}

struct World {
    engine: Arc<Engine>,
    journal: Arc<MemoryJournal>,
    on: Arc<AtomicBool>,
}

fn world() -> World {
    let on = Arc::new(AtomicBool::new(false));
    let journal = Arc::new(MemoryJournal::with_targets([stand_in("sim/a")]));
    let switch = Arc::new(Typed::new(Switch(Arc::clone(&on))));
    let engine = Engine::new(EngineOptions {
        tenant: Id::from_bits(1),
        journal: Arc::clone(&journal) as _,
        registry: Arc::new(Registry::new(vec![switch]).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: Arc::new(FixedClock::at(Timestamp::from_secs(1_795_000_000))),
        tracker: TaskTracker::new(),
        crash: CrashPoints::none(),
        findings: None,
        rescue: None,
    });
    World { engine, journal, on }
}

fn person(n: u128) -> Person {
    Person {
        user: Id::from_bits(n),
        name: format!("person {n}"),
        client_addr: Some("192.0.2.7".to_owned()),
        strong: true,
    }
}

async fn planned(world: &World) -> Plan {
    let request = PlanRequest {
        title: "Throw the switch".to_owned(),
        why: "it is time".to_owned(),
        actions: vec![ProposedAction {
            capability: "test.switch".to_owned(),
            target: stand_in("sim/a").reference(),
            params: json!({}),
        }],
        requester: Requester { id: person(9).user.to_string(), kind: RequesterKind::User },
        requester_addr: person(9).client_addr,
        incident_id: None,
        not_checkable: Vec::new(),
        demo: false,
        confidence: None,
        freeze_override: None,
    };
    world.engine.propose(request).await.unwrap()
}

fn nights(rest: &str) -> String {
    format!("package tenant.nights\n\n{rest}\n")
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.decision.denies.iter().map(|deny| deny.code.as_str()).collect()
}

#[tokio::test]
async fn what_is_in_force_decides_from_the_next_decision_on_and_its_hash_is_in_the_decision() {
    let world = world();
    let free = planned(&world).await;
    assert_eq!(free.state, PlanState::Proposed, "{:?}", free.decision);
    world.journal.put_policies(1, &[("nights.rego", &nights("deny contains \"not at night\""))]);
    let denied = planned(&world).await;
    assert_eq!((denied.state, codes(&denied)), (PlanState::Denied, vec!["tenant.nights"]));
    assert_ne!(denied.decision.policy_hash, free.decision.policy_hash);
    world.journal.put_policies(2, &[("nights.rego", &nights("deny contains \"drifted\" if input.drifted"))]);
    assert_eq!(planned(&world).await.state, PlanState::Proposed);
}

#[tokio::test]
async fn policies_that_cannot_be_used_deny_and_say_where_and_an_explanation_does_too() {
    let world = world();
    for (broken, why) in [
        ("deny contains \"x\" if {", "nights.rego:"),
        ("deny contains \"x\" if count(numbers.range(1, 9)) > 1", "`numbers.range` may not be called"),
        ("deny contains \"x\" if http.send({}).body", "`http.send` may not be called"),
    ] {
        world.journal.put_policies(7, &[("nights.rego", &nights(broken))]);
        let plan = planned(&world).await;
        assert_eq!((plan.state, codes(&plan)), (PlanState::Denied, vec!["policy_error"]), "{broken}");
        let detail = &plan.decision.denies[0].detail;
        assert!(detail.contains("version 7 of this tenant's own policies") && detail.contains(why), "{detail}");
        let Err(Error::Denied(reasons)) = world.engine.explain(plan.id).await else { panic!("it was explained") };
        assert!(reasons[0].detail.contains(why), "{reasons:?}");
    }
}

#[tokio::test]
async fn what_was_allowed_is_decided_again_at_its_run_and_an_undo_by_the_built_in_policies_alone() {
    let world = world();
    let (first, second) = (planned(&world).await, planned(&world).await);
    let approved = |plan: &Plan| {
        let (engine, id, hash) = (Arc::clone(&world.engine), plan.id, plan.hash.clone());
        async move {
            engine.approve(id, &hash, &person(2)).await.unwrap();
            engine.wait(id, std::time::Duration::from_secs(10)).await.unwrap()
        }
    };
    let done = approved(&first).await;
    assert!(world.on.load(Ordering::SeqCst), "{done:?}");
    world.journal.put_policies(1, &[("nights.rego", &nights("deny contains \"never\""))]);
    let late = approved(&second).await;
    assert_eq!((late.state, codes(&late)), (PlanState::Denied, vec!["tenant.nights"]), "its run is decided again");
    for policy in [nights("deny contains \"never\""), nights("deny contains")] {
        world.journal.put_policies(2, &[("nights.rego", &policy)]);
        let undo = world.engine.judges(Door::Undo).await.unwrap();
        assert!(matches!(undo, Judge::BuiltIn(_)));
    }
    let undone = world.engine.undo(first.actions[0].id, &person(2), "over").await.unwrap();
    assert!(!world.on.load(Ordering::SeqCst), "the tenant's deny holds no undo: {undone:?}");
}

#[tokio::test]
async fn every_decision_is_kept_with_the_plan_that_it_is_about() {
    let world = world();
    let plan = planned(&world).await;
    let asked = world.journal.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].plan, &asked[0].decided), (plan.id, &plan.decision));
    let input: Input = serde_json::from_value(asked[0].input.clone()).unwrap();
    assert_eq!(shieldops_policy::canonical::hash(&asked[0].input), plan.decision.input_hash);
    assert_eq!(world.engine.with.policy.evaluate(input).decision(), &plan.decision, "it can be asked again");
    world.engine.explain(plan.id).await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(2)).await.unwrap();
    world.engine.wait(plan.id, std::time::Duration::from_secs(10)).await.unwrap();
    let stages: Vec<Value> = world.journal.asked().iter().map(|asked| asked.input["stage"].clone()).collect();
    assert_eq!(stages, [json!("plan"), json!("run")], "its run is one more, an explanation none");
}

#[test]
fn questions_whose_plan_is_never_written_are_forgotten_in_the_end() {
    let (policies, policy) = (Policies::default(), Policy::built_in().unwrap());
    let ask = |n: u128| {
        policies.remember(Id::from_bits(n), &policy.refuse(shieldops_policy::example::block(), "no"));
    };
    (0..=u128::try_from(WAITING).unwrap()).for_each(ask);
    assert_eq!(policies.asked.lock().unwrap().len(), WAITING);
    assert_eq!(policies.asked.lock().unwrap()[0].plan, Id::from_bits(1));
}
