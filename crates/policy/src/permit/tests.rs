//! What a permit needs and what it is bound to.

use std::collections::BTreeMap;

use serde_json::json;
use shieldops_model::{Criticality, Environment, Id, Target, TargetKind, Timestamp, UserId};

use super::*;
use crate::{
    ActionInput, CapabilityInput, Class, Facts, Input, Policy, Purpose, Requester, RequesterKind, Situation, Stage,
};

const HASH: &str = "aa";

pub(crate) fn target() -> Target {
    Target {
        id: Id::from_bits(3),
        kind: TargetKind::LinuxHost,
        name: "twin/demo".to_owned(),
        host: None,
        environment: Environment::Production,
        criticality: Criticality::Medium,
        labels: BTreeMap::new(),
        owner: None,
        simulated: false,
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: false,
        created_at: Timestamp::from_secs(0),
        version: 1,
    }
}

pub(crate) fn input() -> Input {
    Input {
        tenant: Id::from_bits(1),
        now: Timestamp::from_secs(100),
        entry: Entry::Action,
        stage: Stage::Run,
        drifted: false,
        automation_halted: false,
        requester: Requester { id: "system:investigation".to_owned(), kind: RequesterKind::System },
        operator_addresses: vec!["192.0.2.7".parse().unwrap()],
        operators_complete: true,
        plan_hash: HASH.to_owned(),
        plan_expires_at: Timestamp::from_secs(200),
        actions: vec![ActionInput {
            id: Id::from_bits(2),
            from_hash: canonical::hash(&json!({"blocked": false})),
            capability: CapabilityInput {
                name: "linux.block_ip".to_owned(),
                class: Class::Reversible,
                purpose: Purpose::Containment,
                base_risk: 1,
                effects: vec!["network.deny".to_owned()],
            },
            target: (&target()).into(),
            params: json!({"address": "203.0.113.66"}),
            reach: vec!["203.0.113.66/32".parse().unwrap()],
            resources: vec![format!("target:{}", target().id), "peer:203.0.113.66".to_owned()],
            facts: Some(Facts { own_addresses: vec!["203.0.113.10".parse().unwrap()], ..Facts::default() }),
        }],
        situation: Situation::default(),
    }
}

fn user(n: u128) -> UserId {
    Id::from_bits(n)
}

fn approval(by: UserId, hash: &str) -> Approval {
    Approval {
        id: Id::from_bits(9),
        user: by,
        user_name: "ada".to_owned(),
        at: Timestamp::from_secs(99),
        client_addr: Some("192.0.2.7".to_owned()),
        confirmed: None,
        plan_hash: hash.to_owned(),
    }
}

fn permit_for(input: Input, approvals: &[Approval]) -> Result<Permit, Refused> {
    let action = Id::from_bits(2);
    Policy::built_in().unwrap().evaluate(input).permit(action, Grant { approvals, nonce: [7; 16] })
}

fn asked_by(requester: UserId) -> Input {
    Input { requester: Requester { id: requester.to_string(), kind: RequesterKind::User }, ..input() }
}

#[test]
fn one_approval_of_this_hash_by_another_person_permits() {
    let permit = permit_for(asked_by(user(1)), &[approval(user(2), HASH)]).unwrap();
    assert_eq!((permit.action(), permit.plan_hash()), (Id::from_bits(2), HASH));
    assert_eq!(permit.nonce(), "07".repeat(16));
}

#[test]
fn no_approval_an_approval_of_another_hash_or_by_the_requester_does_not_permit() {
    let lone = Refused::NotApproved { have: 0, need: 1 };
    assert_eq!(permit_for(asked_by(user(1)), &[]).unwrap_err(), lone);
    assert_eq!(permit_for(asked_by(user(1)), &[approval(user(2), "bb")]).unwrap_err(), lone);
    assert_eq!(permit_for(asked_by(user(1)), &[approval(user(1), HASH)]).unwrap_err(), lone);
}

#[test]
fn critical_needs_two_people_and_not_one_person_twice() {
    let mut grave = input();
    grave.actions[0].capability.base_risk = 3;
    let twice = [approval(user(2), HASH), approval(user(2), HASH)];
    assert_eq!(permit_for(grave.clone(), &twice).unwrap_err(), Refused::NotApproved { have: 1, need: 2 });
    let _permit = permit_for(grave, &[approval(user(2), HASH), approval(user(3), HASH)]).unwrap();
}

#[test]
fn a_denied_an_expired_or_an_unhashed_plan_is_not_permitted() {
    let vote = [approval(user(2), HASH)];
    let mut denied = input();
    denied.actions[0].reach = vec!["127.0.0.1/32".parse().unwrap()];
    assert_eq!(permit_for(denied, &vote).unwrap_err(), Refused::Denied { codes: vec!["loopback_address".to_owned()] });
    let late = Input { now: Timestamp::from_secs(200), ..input() };
    assert_eq!(permit_for(late, &vote).unwrap_err(), Refused::Expired);
    let unhashed = Input { plan_hash: String::new(), ..input() };
    assert_eq!(permit_for(unhashed, &vote).unwrap_err(), Refused::NotEvaluated);
    let only_planned = Input { stage: Stage::Plan, ..input() };
    assert_eq!(permit_for(only_planned, &vote).unwrap_err(), Refused::NotEvaluated);
}

#[test]
fn an_undo_is_covered_by_the_first_approval_unless_the_state_drifted() {
    let undo = Input { entry: Entry::Undo, now: Timestamp::from_secs(900), automation_halted: true, ..input() };
    let _permit = permit_for(undo.clone(), &[]).unwrap();
    let drifted = Input { drifted: true, ..undo };
    assert_eq!(permit_for(drifted, &[]).unwrap_err(), Refused::NotApproved { have: 0, need: 1 });
}

#[test]
fn a_permit_fits_only_its_target_and_its_state() {
    let permit = || permit_for(input(), &[approval(user(2), HASH)]).unwrap();
    let from = json!({"blocked": false});
    let _permit = permit().fitting(Id::from_bits(3), &from).unwrap();
    assert_eq!(permit().fitting(Id::from_bits(4), &from).unwrap_err(), Refused::Mismatch { of: "target" });
    let other = json!({"blocked": true});
    assert_eq!(permit().fitting(Id::from_bits(3), &other).unwrap_err(), Refused::Mismatch { of: "state" });
}

#[test]
fn an_action_that_policy_did_not_see_is_not_permitted() {
    let evaluation = Policy::built_in().unwrap().evaluate(input());
    let grant = Grant { approvals: &[approval(user(2), HASH)], nonce: [0; 16] };
    assert_eq!(evaluation.permit(Id::from_bits(77), grant).unwrap_err(), Refused::NotEvaluated);
}
