//! The table of an isolated host: a gate that every packet looks at, and behind it everything dropped but what is kept.
//! Pure.
//!
//! The gate is a set that holds the two address families while the host is isolated. An armed gate's elements have a
//! short time, after which the kernel takes them out and the host is open again, whatever became of us.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::Reason;

use super::{Element, Layout, Table, delete_table, element, elements, equals, meta, payload, rule};

pub(in crate::linux) const TABLE: &str = "shieldops_isolation";
const GATE: &str = "gate";
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];
const HOOKS: &[&str] = &["forward", "input", "output"];
const CHAINS: &[&str] = &["inbound", "outbound", "through"];
/// Behind the mark of an effect that takes itself back.
const ARMED: &str = ";armed";

/// A way in that stays open: TCP to one port of the host from these addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    pub from: IpNet,
    pub port: u16,
}

impl Way {
    /// Why nothing may be dropped from there, where this server comes from within it.
    pub(in crate::linux) fn cut_by(&self, dropped: IpNet) -> Option<Reason> {
        let detail = format!("this server comes to the target from {}, which is in {dropped}", self.from.addr());
        let cut = dropped.contains(&self.from);
        cut.then(|| Reason { code: "management_path".to_owned(), detail })
    }
}

fn peer(field: &str, way: &Way) -> Value {
    let protocol = if way.from.addr().is_ipv6() { "ip6" } else { "ip" };
    let right = if way.from.prefix_len() == way.from.max_prefix_len() {
        json!(way.from.addr().to_string())
    } else {
        json!({"prefix": {"addr": way.from.network().to_string(), "len": way.from.prefix_len()}})
    };
    equals(payload(protocol, field), right)
}

/// What one direction lets through: loopback, the neighbours that an IPv6 way needs, and the ways.
fn side(chain: &str, marker: &str, ways: &[Way]) -> Vec<Value> {
    let (device, address, port) =
        if chain == "inbound" { ("iifname", "saddr", "dport") } else { ("oifname", "daddr", "sport") };
    let accept = |mut matches: Vec<Value>| {
        matches.push(json!({"accept": null}));
        rule(TABLE, chain, marker, Value::Array(matches))
    };
    let mut rules = vec![accept(vec![equals(meta(device), "lo")])];
    if ways.iter().any(|way| way.from.addr().is_ipv6()) {
        let neighbours = json!({"set": ["nd-neighbor-solicit", "nd-neighbor-advert"]});
        rules.push(accept(vec![equals(payload("icmpv6", "type"), neighbours)]));
    }
    rules.extend(ways.iter().map(|way| accept(vec![peer(address, way), equals(payload("tcp", port), way.port)])));
    rules.push(rule(TABLE, chain, marker, json!([{"drop": null}])));
    rules
}

pub(in crate::linux) fn layout(marker: &str, ways: &[Way]) -> Layout {
    let jump = |(hook, to): (&&str, &&str)| {
        let gated = equals(meta("nfproto"), format!("@{GATE}"));
        rule(TABLE, hook, marker, json!([gated, {"jump": {"target": to}}]))
    };
    let mut rules: Vec<Value> = HOOKS.iter().zip(["through", "inbound", "outbound"].iter()).map(jump).collect();
    rules.extend(side("inbound", marker, ways));
    rules.extend(side("outbound", marker, ways));
    rules.push(rule(TABLE, "through", marker, json!([{"drop": null}])));
    Layout { table: TABLE, sets: vec![(GATE.to_owned(), "nf_proto")], hooks: HOOKS, chains: CHAINS, rules }
}

/// The ways that the rules of the table keep open.
pub(in crate::linux) fn ways(table: &Table) -> Vec<Way> {
    table.rules.iter().filter(|rule| rule["chain"] == "inbound").filter_map(way).collect()
}

fn way(rule: &Value) -> Option<Way> {
    let (address, port) = (&rule["expr"][0]["match"]["right"], &rule["expr"][1]["match"]["right"]);
    let from = if let Some(text) = address.as_str() {
        IpNet::from(text.parse::<IpAddr>().ok()?)
    } else {
        let prefix = &address["prefix"];
        let bits = u8::try_from(prefix["len"].as_u64()?).ok()?;
        IpNet::new(prefix["addr"].as_str()?.parse().ok()?, bits).ok()?
    };
    Some(Way { from, port: u16::try_from(port.as_u64()?).ok()? })
}

/// The element that is in the gate while the host is isolated: both families, or it is not.
pub(in crate::linux) fn gate(table: &Table) -> Option<&Element> {
    let both = FAMILIES.map(|family| table.find(GATE, family));
    let [Some(first), Some(second)] = both else { return None };
    let sooner = |a: &Element, b: &Element| a.remaining_s.unwrap_or(u64::MAX) <= b.remaining_s.unwrap_or(u64::MAX);
    Some(if sooner(first, second) { first } else { second })
}

pub(in crate::linux) fn is_armed(element: &Element) -> bool {
    element.comment.as_deref().is_some_and(|comment| comment.ends_with(ARMED))
}

fn shut(timeout_s: Option<u64>, comment: &str) -> Value {
    let both = FAMILIES.map(|family| element(family, timeout_s, comment));
    elements("create", TABLE, GATE, json!(both))
}

fn open(before: &Table) -> Vec<Value> {
    let there: Vec<&str> = FAMILIES.into_iter().filter(|family| before.find(GATE, family).is_some()).collect();
    if there.is_empty() { Vec::new() } else { vec![elements("delete", TABLE, GATE, json!(there))] }
}

/// One batch that isolates the host until the revert fires.
pub(in crate::linux) fn arm(marker: &str, before: Option<&Table>, ways: &[Way], after_s: u64, comment: &str) -> Value {
    let mut batch: Vec<Value> = before.map(open).unwrap_or_default();
    batch.extend(layout(marker, ways).ensure());
    batch.push(shut(Some(after_s), &format!("{comment}{ARMED}")));
    json!({"nftables": batch})
}

/// One batch that makes an isolation that is in force last for so long, and disarms it where it is armed.
pub(in crate::linux) fn keep(before: &Table, timeout_s: Option<u64>, comment: &str) -> Value {
    let mut batch = open(before);
    batch.push(shut(timeout_s, comment));
    json!({"nftables": batch})
}

/// One batch that opens the gate and leaves the table.
pub(in crate::linux) fn reopen(before: &Table) -> Value {
    json!({"nftables": open(before)})
}

pub(in crate::linux) fn lift() -> Value {
    json!({"nftables": [delete_table(TABLE)]})
}
