//! What a person approves is what the hash binds: nothing that they saw can change under their approval.

use std::collections::BTreeMap;

use serde_json::json;
use shieldops_model::{Action, ControlPath, Dependant, Environment, Estimate, Id, OnFailure, Override, Plan, Target};
use shieldops_respond::{plan_hash, stand_in};

use crate::switch::{CONTAIN, START, World, person};

/// What is changed, and how.
type Changed<T> = (&'static str, fn(&mut T));

fn told() -> Override {
    let person = person(9);
    let (by, confirmed) = (person.user, person.confirmed);
    Override { by, name: person.name, reason: "it burns".to_owned(), at: START, client_addr: None, confirmed }
}

/// Each changes one thing of what an approver sees of an action.
const OF_AN_ACTION: [Changed<Action>; 11] = [
    ("resources", |action| action.resources.truncate(1)),
    ("dependants", |action| action.dependants.clear()),
    ("a dependant's detail", |action| action.dependants = vec![Dependant { detail: String::new(), ..lamp() }]),
    ("estimate", |action| action.estimate = None),
    ("what was measured", |action| action.estimate = Some(Estimate { ms: 1_000, measured: 20 })),
    ("adopts", |action| action.adopts = Some(Id::from_bits(7))),
    ("control path", |action| action.control_path = None),
    ("the path's risk", |action| {
        action.control_path = action.control_path.clone().map(|path| ControlPath { at_risk: true, ..path });
    }),
    ("params", |action| action.params = json!({"range": "203.0.113.0/24"})),
    ("to", |action| action.to = json!(false)),
    ("undo", |action| action.undo.clear()),
];

fn lamp() -> Dependant {
    Dependant { kind: "service".to_owned(), name: "lamp".to_owned(), detail: "goes out".to_owned() }
}

/// Each changes one thing of what an approver sees of a plan.
const OF_A_PLAN: [Changed<Plan>; 10] = [
    ("blast radius", |plan| plan.blast_radius = Some(1)),
    ("no blast radius", |plan| plan.blast_radius = None),
    ("time", |plan| plan.estimated_ms = Some(1)),
    ("confidence", |plan| plan.confidence = Some(0.9)),
    ("a glass that is broken", |plan| plan.break_glass = Some(told())),
    ("a freeze that is set aside", |plan| plan.freeze_override = Some(told())),
    ("what becomes of it when it fails", |plan| plan.on_failure = OnFailure::Undo),
    ("what could not be checked", |plan| plan.not_checkable.clear()),
    ("why", |plan| plan.why.clear()),
    ("the decision", |plan| plan.decision.approvals_needed = 0),
];

#[tokio::test]
async fn whatever_changes_of_what_an_approver_sees_changes_the_hash() {
    let world = World::new(Environment::Production, shieldops_policy::GateSettings::default());
    let plan = world.planned(CONTAIN, None).await;
    let row = Target { environment: Environment::Production, ..stand_in("sim/a") };
    let rows = BTreeMap::from([(row.id, row.clone())]);
    assert_eq!(plan_hash(&plan, &rows).unwrap(), plan.hash);
    for (what, change) in OF_AN_ACTION {
        let mut other = plan.clone();
        change(&mut other.actions[0]);
        assert_ne!(plan_hash(&other, &rows).unwrap(), plan.hash, "{what}");
    }
    for (what, change) in OF_A_PLAN {
        let mut other = plan.clone();
        change(&mut other);
        assert_ne!(plan_hash(&other, &rows).unwrap(), plan.hash, "{what}");
    }
    let rows = BTreeMap::from([(row.id, Target { protected: true, ..row })]);
    assert_ne!(plan_hash(&plan, &rows).unwrap(), plan.hash, "the target's row");
}
