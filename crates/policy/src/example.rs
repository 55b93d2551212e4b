//! An ordinary question to policy: automation wants to block one address on one host in production. What a tenant's
//! policies are tried on before they are loaded, and what is measured.

use std::collections::BTreeMap;

use serde_json::json;
use shieldops_model::{Criticality, Environment, Id, Timestamp};

use crate::{
    ActionInput, CapabilityInput, Class, Entry, Facts, Input, Purpose, Requester, RequesterKind, Situation, Stage,
    TargetInput, resources,
};

/// One action that reaches one address; nothing is set and nothing was done yet.
pub fn block() -> Input {
    let address = std::net::IpAddr::from([203, 0, 113, 66]);
    let target = Id::from_bits(3);
    let facts = Facts { own_addresses: vec![std::net::IpAddr::from([203, 0, 113, 10])], ..Facts::default() };
    let reach = vec![ipnet::IpNet::from(address)];
    Input {
        tenant: Id::from_bits(1),
        now: Timestamp::from_secs(1_795_262_400),
        entry: Entry::Action,
        stage: Stage::Run,
        drifted: false,
        automation_halted: false,
        requester: Requester { id: "system:investigation".to_owned(), kind: RequesterKind::System },
        operator_addresses: vec![std::net::IpAddr::from([192, 0, 2, 7])],
        operators_complete: true,
        plan_hash: "00".to_owned(),
        plan_expires_at: Timestamp::from_secs(1_795_348_800),
        actions: vec![ActionInput {
            id: Id::from_bits(2),
            from_hash: "00".to_owned(),
            capability: CapabilityInput {
                name: "linux.block_ip".to_owned(),
                class: Class::Reversible,
                purpose: Purpose::Containment,
                base_risk: 1,
                effects: vec!["network.deny".to_owned()],
            },
            target: TargetInput {
                id: target,
                kind: "linux_host".to_owned(),
                name: "twin/demo".to_owned(),
                environment: Environment::Production,
                criticality: Criticality::Medium,
                labels: BTreeMap::new(),
                owner: None,
                simulated: false,
                protected: false,
            },
            params: json!({"address": address}),
            resources: resources(target, &reach, &facts, &[]),
            reach,
            facts: Some(facts),
        }],
        situation: Situation::default(),
    }
}
