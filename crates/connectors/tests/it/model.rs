//! Random lives of a host: whatever order things come in, an address is blocked exactly as long as somebody wants it,
//! and when nobody wants anything any more nothing is left.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Clock as _, Timestamp};

use crate::support::World;

const ADDRESSES: [&str; 3] = ["203.0.113.66", "198.51.100.9", "2001:db8::66"];

#[derive(Debug, Clone)]
enum Step {
    Block {
        address: usize,
        expires_in_s: Option<u64>,
    },
    Undo {
        which: usize,
    },
    Wait {
        seconds: u64,
    },
    /// Somebody flushes the ruleset, and it is noticed.
    Flush,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let expiry = prop_oneof![Just(None), (1_u64..500).prop_map(Some)];
    prop_oneof![
        4 => (0..ADDRESSES.len(), expiry).prop_map(|(address, expires_in_s)| Step::Block { address, expires_in_s }),
        3 => (0_usize..8).prop_map(|which| Step::Undo { which }),
        2 => (1_u64..300).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
    ]
}

/// What should be so, kept by hand.
#[derive(Debug)]
struct Want {
    action: Action,
    address: usize,
    ends: Option<Timestamp>,
    flushed: bool,
}

struct Life {
    world: World,
    wants: Vec<Want>,
}

impl Life {
    fn table(&self) -> Value {
        let text =
            std::fs::read_to_string(self.world.folder.path().join("sim/test.json")).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str::<Value>(&text).unwrap()["table"].clone()
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Block { address, expires_in_s } => {
                let action =
                    self.world.done(json!({"address": ADDRESSES[*address], "expires_in_s": expires_in_s})).await;
                assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
                let ends = expires_in_s.map(|seconds| self.world.clock.now().plus(Duration::from_secs(seconds)));
                // A block of the same address puts back what was flushed.
                self.wants.iter_mut().filter(|want| want.address == *address).for_each(|want| want.flushed = false);
                self.wants.push(Want { action, address: *address, ends, flushed: false });
            }
            Step::Undo { which } if *which < self.wants.len() => {
                let want = self.wants.remove(*which);
                let undone = self.world.undo(&want.action).await.unwrap();
                assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
            }
            Step::Undo { .. } => {}
            Step::Wait { seconds } => {
                self.world.clock.advance(Duration::from_secs(*seconds));
                self.world.engine.expire_due().await.unwrap();
                let now = self.world.clock.now();
                self.wants.retain(|want| want.ends.is_none_or(|ends| ends > now));
            }
            Step::Flush => {
                let file = self.world.folder.path().join("sim/test.json");
                if file.exists() {
                    let mut host: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
                    host["table"] = Value::Null;
                    std::fs::write(&file, host.to_string()).unwrap();
                }
                self.world.engine.reobserve().await.unwrap();
                self.wants.iter_mut().for_each(|want| want.flushed = true);
            }
            Step::Restart => {
                self.world.restart(shieldops_respond::CrashPoints::none());
                self.world.engine.recover().await.unwrap();
            }
        }
    }

    async fn check(&self) {
        let table = self.table();
        for (place, address) in ADDRESSES.iter().enumerate() {
            let set = if address.contains(':') { "blocked_v6" } else { "blocked_v4" };
            let blocked = table["sets"][set]["elements"].get(address).is_some();
            let wanted = self.wants.iter().any(|want| want.address == place && !want.flushed);
            assert_eq!(blocked, wanted, "{address}");
        }
        self.world.engine.reobserve().await.unwrap();
        for want in &self.wants {
            let state = self.world.action(&want.action).await.state;
            assert_eq!(
                state,
                if want.flushed { ActionState::Drifted } else { ActionState::Verified },
                "{}",
                want.address
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_is_blocked_as_long_as_somebody_wants_it_and_nothing_is_left(steps in prop::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut life = Life { world: World::new("sim/test"), wants: Vec::new() };
            for step in &steps {
                life.take(step).await;
                life.check().await;
            }
            while !life.wants.is_empty() {
                life.take(&Step::Undo { which: 0 }).await;
            }
            assert_eq!(life.table(), Value::Null, "residue");
        });
    }
}
