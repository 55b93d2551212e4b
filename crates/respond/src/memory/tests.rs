//! Things of tests that more than one module makes.

use std::collections::BTreeMap;

use shieldops_model::{Criticality, Environment, Id, Target, TargetKind, Timestamp};

pub(crate) fn target(name: &str) -> Target {
    Target {
        id: Id::from_bits(u128::from(name.bytes().map(u32::from).sum::<u32>())),
        kind: TargetKind::LinuxHost,
        name: name.to_owned(),
        host: None,
        environment: Environment::Production,
        criticality: Criticality::Medium,
        labels: BTreeMap::new(),
        owner: None,
        simulated: name.starts_with("sim/"),
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: false,
        created_at: Timestamp::from_secs(0),
        version: 1,
    }
}
