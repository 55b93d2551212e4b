//! The simulator against the real thing: the same batches, the same answers, the same listing, the same packets.

use std::{net::IpAddr, path::Path, sync::Arc};

use ipnet::IpNet;
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use shieldops_model::SystemClock;
use shieldops_respond::ProbeResult;

use super::Host;
use crate::linux::{
    Linux, LinuxOptions, TwinOptions, Way,
    look::Tables,
    nft::{self, FAMILY, addresses, isolation, ranges},
    target::Access,
};

/// How many batches are compared.
const BATCHES: usize = 260;
/// After how many of them packets are compared too: a dropped one takes its time.
const PACKETS_EVERY: usize = 9;
/// Where the twin's prober speaks from.
const SPEAKERS: [&str; 4] = ["203.0.113.66", "198.51.100.200", "198.51.100.210", "2001:db8::66"];

fn addresses_drawn() -> impl Strategy<Value = IpAddr> {
    let texts = ["203.0.113.66", "198.51.100.9", "198.51.100.200", "2001:db8::66"];
    prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn ranges_drawn() -> impl Strategy<Value = IpNet> {
    let texts = [
        "203.0.113.0/26",
        "203.0.113.64/26",
        "203.0.113.66/31",
        "198.51.100.128/25",
        "198.51.0.0/16",
        "2001:db8::/64",
        "2001:db8::/33",
    ];
    prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn ways_drawn() -> impl Strategy<Value = Vec<Way>> {
    let texts = ["198.51.100.200/32", "198.51.100.208/28", "2001:db8::/64", "203.0.113.66/32", "192.0.2.0/20"];
    let port = prop::sample::select(vec![22_u16, crate::linux::twin::PORT]);
    let way = (prop::sample::select(texts.to_vec()), port)
        .prop_map(|(text, port)| Way { from: text.parse::<IpNet>().unwrap().trunc(), port });
    prop::collection::btree_set(way, 0..3).prop_map(|ways| ways.into_iter().collect())
}

fn element(verb: &'static str, table: &'static str, set: &'static str, value: &str, timeout: Option<u64>) -> Value {
    let mut elem = json!({"val": value, "comment": "a comment"});
    if let Some(timeout) = timeout {
        elem["timeout"] = timeout.into();
    }
    json!({verb: {"element": {"family": FAMILY, "table": table, "name": set, "elem": [{"elem": elem}]}}})
}

/// One command, right or wrong.
fn command() -> impl Strategy<Value = Value> {
    let places = [
        (addresses::TABLE, "blocked_v4"),
        (addresses::TABLE, "blocked_v6"),
        (addresses::TABLE, "no_such_set"),
        (ranges::TABLE, "v4_26"),
        (ranges::TABLE, "v6_64"),
        (isolation::TABLE, "gate"),
    ];
    let values = ["203.0.113.66", "203.0.113.64", "198.51.100.9", "2001:db8::66", "2001:db8::", "ipv4", "ipv6"];
    let timeout = prop_oneof![Just(None), Just(Some(3600_u64))];
    let place = prop::sample::select(places.to_vec());
    let value = prop::sample::select(values.to_vec());
    let table = prop::sample::select(nft::TABLES.to_vec());
    prop_oneof![
        3 => (place.clone(), value.clone(), timeout).prop_map(|((table, set), value, timeout)| element("create", table, set, value, timeout)),
        3 => (place.clone(), value).prop_map(|((table, set), value)| element("delete", table, set, value, None)),
        1 => place.prop_map(|(table, set)| json!({"delete": {"set": {"family": FAMILY, "table": table, "name": set}}})),
        1 => table.clone().prop_map(nft::delete_table),
        1 => table.clone().prop_map(|table| json!({"create": {"table": {"family": FAMILY, "name": table}}})),
        1 => table.prop_map(|table| json!({"flush": {"chain": {"family": FAMILY, "table": table, "name": "input"}}})),
    ]
}

#[derive(Debug, Clone)]
enum Batch {
    Block(IpAddr, Option<u64>),
    Unblock(IpAddr),
    BlockRange(IpNet, Option<u64>),
    UnblockRange(IpNet),
    Isolate(Vec<Way>),
    Disarm(Option<u64>),
    Lift,
    Raw(Vec<Value>),
}

fn batch() -> impl Strategy<Value = Batch> {
    let timeout = prop_oneof![Just(None), Just(Some(7200_u64))];
    prop_oneof![
        2 => (addresses_drawn(), timeout.clone()).prop_map(|(address, timeout)| Batch::Block(address, timeout)),
        2 => addresses_drawn().prop_map(Batch::Unblock),
        4 => (ranges_drawn(), timeout.clone()).prop_map(|(range, timeout)| Batch::BlockRange(range, timeout)),
        4 => ranges_drawn().prop_map(Batch::UnblockRange),
        3 => ways_drawn().prop_map(Batch::Isolate),
        2 => timeout.prop_map(Batch::Disarm),
        3 => Just(Batch::Lift),
        3 => prop::collection::vec(command(), 1..4).prop_map(Batch::Raw),
    ]
}

/// The commands of a batch on a host with these tables; `None` where nobody would give it.
fn commands(drawn: &Batch, tables: &Tables, marker: &str) -> Option<Value> {
    let said = "a comment";
    Some(match drawn {
        Batch::Block(address, timeout) => addresses::block(marker, tables.addresses(), *address, *timeout, said),
        Batch::Unblock(address) => addresses::unblock(marker, tables.addresses()?, *address),
        Batch::BlockRange(range, timeout) => ranges::block(marker, tables.ranges(), *range, *timeout, said),
        Batch::UnblockRange(range) => ranges::unblock(marker, tables.ranges()?, *range),
        Batch::Isolate(ways) => isolation::arm(marker, tables.isolation(), ways, 3600, said),
        Batch::Disarm(timeout) => isolation::keep(tables.isolation()?, *timeout, said),
        Batch::Lift => isolation::lift(),
        Batch::Raw(commands) => json!({"nftables": commands}),
    })
}

/// Tables without what runs or is numbered: timers in half hours, elements in order.
fn shape(tables: Tables) -> Vec<nft::Table> {
    let all = nft::TABLES.into_iter().filter_map(|name| tables.named(name).cloned());
    all.map(|mut table| {
        for set in table.sets.values_mut() {
            set.elements.iter_mut().for_each(|element| {
                element.remaining_s = element.remaining_s.map(|seconds| seconds.div_ceil(1800));
            });
            set.elements.sort_by(|a, b| a.value.cmp(&b.value));
        }
        table.tidy();
        table
    })
    .collect()
}

async fn twin(linux: &Arc<Linux>) -> Option<Arc<crate::linux::Twin>> {
    let exe = std::env::current_exe().unwrap().parent().and_then(|deps| deps.parent()).unwrap().join("examples/twin");
    let options = TwinOptions {
        name: "test".to_owned(),
        attacker: "203.0.113.66".parse().unwrap(),
        victim: "203.0.113.10".parse().unwrap(),
        exe,
    };
    match linux.start_twin(options).await {
        Ok(twin) => Some(twin),
        Err(error) => {
            let known = error.why.contains("do not work here") || error.why.contains("does not work in a twin here");
            assert!(known, "{error}");
            eprintln!("SKIPPED: no twin can run here: {error}");
            None
        }
    }
}

/// Both say of every speaker whether its packets come through.
async fn same_packets(linux: &Linux, twin: &Arc<crate::linux::Twin>, sim: &Path, after: &str) -> usize {
    let mut dropped = 0;
    for speaker in SPEAKERS {
        let from: IpAddr = speaker.parse().unwrap();
        if from.is_ipv6() && !twin.has_v6() {
            continue;
        }
        let real = Arc::clone(twin);
        let real = tokio::task::spawn_blocking(move || real.probe_from(from)).await.unwrap();
        let modelled = Host::load(sim).unwrap().admits(from, crate::linux::twin::PORT, linux.with.clock.now());
        assert_eq!(real.result == ProbeResult::Reachable, modelled, "{speaker} after {after}: {}", real.detail);
        dropped += usize::from(!modelled);
    }
    dropped
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_answers_as_nft_does_and_drops_what_the_kernel_drops() {
    let folder = tempfile::tempdir().unwrap();
    let linux = Linux::new(LinuxOptions {
        data_dir: folder.path().to_owned(),
        installation: "test".to_owned(),
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    let Some(twin) = twin(&linux).await else { return };
    let file = folder.path().join("sim/test.json");
    let (real, sim) = (Access::twin(twin.process_id()), Access::Sim(file.clone()));
    let mut runner = TestRunner::deterministic();
    let (mut refused, mut dropped) = (0, 0);
    for count in 0..BATCHES {
        let drawn = batch().new_tree(&mut runner).unwrap().current();
        let tables = linux.tables(&real).await.unwrap();
        let Some(commands) = commands(&drawn, &tables, linux.marker()) else { continue };
        let (by_nft, by_sim) = (linux.batch(&real, &commands, None).await, linux.batch(&sim, &commands, None).await);
        assert_eq!(by_nft.is_ok(), by_sim.is_ok(), "{commands}: nft {by_nft:?}, simulator {by_sim:?}");
        refused += usize::from(by_nft.is_err());
        let (there, simulated) = (linux.tables(&real).await.unwrap(), linux.tables(&sim).await.unwrap());
        assert_eq!(shape(there), shape(simulated), "after {commands}");
        if count % PACKETS_EVERY == 0 {
            dropped += same_packets(&linux, &twin, &file, &commands.to_string()).await;
        }
    }
    assert!(refused > BATCHES / 20, "only {refused} batches were refused: the test does not try enough");
    assert!(dropped > BATCHES / 20, "only {dropped} packets were dropped: the test does not try enough");
}
