//! The simulator against the real thing: the same batches, the same answers, the same listing.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use shieldops_model::SystemClock;

use super::*;
use crate::linux::{Linux, LinuxOptions, TwinOptions, nft, target::Access};

/// How many batches are compared.
const BATCHES: usize = 220;

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![Just("203.0.113.66"), Just("198.51.100.9"), Just("198.51.100.10"), Just("2001:db8::66")]
        .prop_map(|text| text.parse().unwrap())
}

fn element(verb: &'static str, set: &'static str, address: IpAddr, timeout: Option<u64>) -> Value {
    let mut elem = json!({"val": address.to_string(), "comment": "a comment"});
    if let Some(timeout) = timeout {
        elem["timeout"] = timeout.into();
    }
    json!({verb: {"element": {"family": FAMILY, "table": TABLE, "name": set, "elem": [{"elem": elem}]}}})
}

/// One command, right or wrong.
fn command() -> impl Strategy<Value = Value> {
    let set = prop_oneof![4 => Just("blocked_v4"), 1 => Just("blocked_v6"), 1 => Just("no_such_set")];
    let timeout = prop_oneof![Just(None), Just(Some(3600_u64))];
    prop_oneof![
        3 => (set.clone(), addresses(), timeout).prop_map(|(set, address, timeout)| element("create", set, address, timeout)),
        3 => (set, addresses()).prop_map(|(set, address)| element("delete", set, address, None)),
        1 => Just(json!({"delete": {"table": {"family": FAMILY, "name": TABLE}}})),
        1 => Just(json!({"create": {"table": {"family": FAMILY, "name": TABLE}}})),
        1 => Just(json!({"flush": {"chain": {"family": FAMILY, "table": TABLE, "name": "input"}}})),
    ]
}

#[derive(Debug, Clone)]
enum Batch {
    Block(IpAddr, Option<u64>),
    Unblock(IpAddr),
    Raw(Vec<Value>),
}

fn batch() -> impl Strategy<Value = Batch> {
    let timeout = prop_oneof![Just(None), Just(Some(7200_u64))];
    prop_oneof![
        3 => (addresses(), timeout).prop_map(|(address, timeout)| Batch::Block(address, timeout)),
        2 => addresses().prop_map(Batch::Unblock),
        2 => prop::collection::vec(command(), 1..4).prop_map(Batch::Raw),
    ]
}

type Shape = (bool, Vec<String>, BTreeMap<IpAddr, (Option<u64>, Option<String>)>);

/// A table without what runs or is numbered: timers in whole hours, elements in order.
fn shape(table: Option<nft::Table>) -> Option<Shape> {
    let rounded = |element: nft::Element| {
        (element.address, (element.remaining_s.map(|seconds| seconds.div_ceil(1800)), element.comment))
    };
    table.map(|table| (table.intact, table.foreign, table.elements.into_iter().map(rounded).collect()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_answers_as_nft_does() {
    let folder = tempfile::tempdir().unwrap();
    let linux = Linux::new(LinuxOptions {
        data_dir: folder.path().to_owned(),
        installation: "test".to_owned(),
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    let exe = std::env::current_exe().unwrap().parent().and_then(|deps| deps.parent()).unwrap().join("examples/twin");
    let options = TwinOptions {
        name: "test".to_owned(),
        attacker: "203.0.113.66".parse().unwrap(),
        victim: "203.0.113.10".parse().unwrap(),
        exe,
    };
    let twin = match linux.start_twin(options).await {
        Ok(twin) => twin,
        Err(error) => {
            assert!(
                error.why.contains("do not work here") || error.why.contains("does not work in a twin here"),
                "{error}"
            );
            return;
        }
    };
    let (real, sim) = (Access::twin(twin.process_id()), Access::Sim(folder.path().join("sim/test.json")));
    let mut runner = TestRunner::deterministic();
    let mut refused = 0;
    for _ in 0..BATCHES {
        let drawn = batch().new_tree(&mut runner).unwrap().current();
        let table = linux.table(&real).await.unwrap();
        let commands = match (&drawn, &table) {
            (Batch::Block(address, timeout), table) => {
                nft::block(linux.marker(), table.as_ref(), *address, *timeout, "a comment")
            }
            (Batch::Unblock(address), Some(table)) => nft::unblock(table, *address),
            (Batch::Unblock(_), None) => continue,
            (Batch::Raw(commands), _) => json!({"nftables": commands}),
        };
        let (by_nft, by_sim) = (linux.batch(&real, &commands, None).await, linux.batch(&sim, &commands, None).await);
        assert_eq!(by_nft.is_ok(), by_sim.is_ok(), "{commands}: nft {by_nft:?}, simulator {by_sim:?}");
        refused += usize::from(by_nft.is_err());
        let (there, simulated) = (shape(linux.table(&real).await.unwrap()), shape(linux.table(&sim).await.unwrap()));
        assert_eq!(there, simulated, "after {commands}");
    }
    assert!(refused > BATCHES / 20, "only {refused} batches were refused: the test does not try enough");
}
