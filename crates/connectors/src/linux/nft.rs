//! Our nftables table as JSON: the batch that makes it so, and the reading of what `nft -j list table` shows. Pure.
//!
//! One table `inet shieldops`, a set per address family, drops on input, output and forward at an early priority,
//! so that established connections stall too. Rules and elements carry our mark; whatever does not is not ours.

use std::net::IpAddr;

use serde_json::{Value, json};

pub(super) const FAMILY: &str = "inet";
pub(super) const TABLE: &str = "shieldops";
/// Before connection tracking and before anything that would accept.
const PRIORITY: i32 = -300;
const SETS: [(&str, &str, &str); 2] = [("blocked_v4", "ipv4_addr", "ip"), ("blocked_v6", "ipv6_addr", "ip6")];
/// Chain (and hook), and the fields that are matched against the sets.
const CHAINS: [(&str, &[&str]); 3] = [("forward", &["saddr", "daddr"]), ("input", &["saddr"]), ("output", &["daddr"])];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) address: IpAddr,
    /// Seconds until it goes by itself.
    pub(super) remaining_s: Option<u64>,
    pub(super) comment: Option<String>,
}

/// Our table as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    pub(super) elements: Vec<Element>,
    /// Chains and rules are exactly those that enforce the sets, and the kernel looks at them.
    pub(super) intact: bool,
    /// Something in it carries our mark.
    pub(super) marked: bool,
    /// What is there that we did not make.
    pub(super) foreign: Vec<String>,
}

pub(super) const fn set_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "blocked_v4",
        IpAddr::V6(_) => "blocked_v6",
    }
}

/// The mark of an effect: our installation and the action.
pub(super) fn mark(marker: &str, action: &str) -> String {
    format!("{marker}:{action}")
}

/// The action in a mark of ours.
pub(super) fn action_of<'a>(marker: &str, comment: &'a str) -> Option<&'a str> {
    comment.strip_prefix(marker)?.strip_prefix(':')
}

fn rule(chain: &str, protocol: &str, field: &str, set: &str, marker: &str) -> Value {
    let left = json!({"payload": {"protocol": protocol, "field": field}});
    let matched = json!({"match": {"op": "==", "left": left, "right": format!("@{set}")}});
    json!({"family": FAMILY, "table": TABLE, "chain": chain, "comment": marker, "expr": [matched, {"drop": null}]})
}

/// The rules that enforce the sets, in the order in which they are made and listed.
fn rules(marker: &str) -> Vec<Value> {
    let chains = CHAINS.iter().flat_map(|(chain, fields)| fields.iter().map(move |field| (*chain, *field)));
    chains
        .flat_map(|(chain, field)| SETS.iter().map(move |(set, _, protocol)| rule(chain, protocol, field, set, marker)))
        .collect()
}

fn ensure(marker: &str) -> Vec<Value> {
    let mut batch = vec![json!({"add": {"table": {"family": FAMILY, "name": TABLE}}})];
    for (set, kind, _) in SETS {
        batch.push(json!({"add": {"set": {"family": FAMILY, "table": TABLE, "name": set, "type": kind, "flags": ["timeout"]}}}));
    }
    for (chain, _) in CHAINS {
        let hook = json!({"family": FAMILY, "table": TABLE, "name": chain, "type": "filter", "hook": chain, "prio": PRIORITY, "policy": "accept"});
        batch.push(json!({"add": {"chain": hook}}));
        batch.push(json!({"flush": {"chain": {"family": FAMILY, "table": TABLE, "name": chain}}}));
    }
    batch.extend(rules(marker).into_iter().map(|rule| json!({"add": {"rule": rule}})));
    batch
}

fn elements(verb: &str, address: IpAddr, element: Value) -> Value {
    json!({verb: {"element": {"family": FAMILY, "table": TABLE, "name": set_of(address), "elem": [element]}}})
}

/// One batch that makes the table whole and the address blocked, replacing its element where there is one.
pub(super) fn block(
    marker: &str,
    before: Option<&Table>,
    address: IpAddr,
    timeout_s: Option<u64>,
    comment: &str,
) -> Value {
    let mut batch = if before.is_some_and(|table| table.intact) { Vec::new() } else { ensure(marker) };
    let there = before.is_some_and(|table| table.find(address).is_some());
    if there {
        batch.push(elements("delete", address, json!(address.to_string())));
    }
    let mut element = json!({"val": address.to_string(), "comment": comment});
    if let (Some(timeout), Some(fields)) = (timeout_s, element.as_object_mut()) {
        fields.insert("timeout".to_owned(), timeout.into());
    }
    // `create` fails where somebody was faster, `add` would silently keep theirs.
    batch.push(elements("create", address, json!({"elem": element})));
    json!({"nftables": batch})
}

/// One batch that lifts the block; the table goes with its last element.
pub(super) fn unblock(before: &Table, address: IpAddr) -> Value {
    let mut batch = vec![elements("delete", address, json!(address.to_string()))];
    let last = before.elements.iter().all(|element| element.address == address);
    if last && before.foreign.is_empty() {
        batch.push(json!({"delete": {"table": {"family": FAMILY, "name": TABLE}}}));
    }
    json!({"nftables": batch})
}

/// Whether `nft -j list tables` names our table.
pub(super) fn has_table(listing: &Value) -> Result<bool, String> {
    let named = |object: &Value| {
        let table = &object["table"];
        table["family"] == FAMILY && table["name"] == TABLE
    };
    Ok(objects(listing)?.iter().any(named))
}

fn objects(listing: &Value) -> Result<&Vec<Value>, String> {
    let objects = listing["nftables"].as_array().ok_or("nft did not answer with a list")?;
    if !objects.iter().any(|object| object.get("metainfo").is_some()) {
        return Err("nft did not say which format it speaks".to_owned());
    }
    Ok(objects)
}

impl Table {
    /// Reads `nft -j list table inet shieldops`. What is unknown is foreign; what is not understood is an error.
    pub(super) fn parse(listing: &Value, marker: &str) -> Result<Self, String> {
        let mut table = Self::default();
        let (mut sets, mut chains, mut found, mut awake) = (0, 0, Vec::new(), true);
        for object in objects(listing)? {
            let Some((kind, body)) = object.as_object().and_then(|object| object.iter().next()) else {
                return Err("nft listed something that is no object".to_owned());
            };
            let name = body["name"].as_str().unwrap_or_default();
            match kind.as_str() {
                "metainfo" => {}
                // Ours has no flags; one that is dormant enforces nothing. (nft 1.0.6 garbles what stands there.)
                "table" => awake = body.get("flags").is_none(),
                "set" if SETS.iter().any(|(set, kind, _)| *set == name && body["type"] == *kind) => {
                    sets += 1;
                    table.read_elements(body, marker)?;
                }
                "chain" if CHAINS.iter().any(|(chain, _)| *chain == name) => chains += usize::from(enforces(body)),
                "rule" if body["comment"] == marker => found.push(without_handle(body)),
                other => table.foreign.push(format!("{other} {name}")),
            }
        }
        table.marked |= !found.is_empty();
        table.intact = awake
            && sets == SETS.len()
            && chains == CHAINS.len()
            && same_rules(&found, &rules(marker))
            && table.foreign.is_empty();
        Ok(table)
    }

    fn read_elements(&mut self, set: &Value, marker: &str) -> Result<(), String> {
        let Some(listed) = set.get("elem") else { return Ok(()) };
        for item in listed.as_array().ok_or("a set whose elements are no list")? {
            let body = item.get("elem").unwrap_or(item);
            let value = body.get("val").unwrap_or(body);
            let text = value.as_str().ok_or_else(|| format!("an element that is no address: {value}"))?;
            let address = text.parse().map_err(|_invalid| format!("an element that is no address: {text}"))?;
            let comment = body["comment"].as_str().map(str::to_owned);
            self.marked |= comment.as_deref().is_some_and(|comment| action_of(marker, comment).is_some());
            let timed = body.get("timeout").is_some();
            let remaining_s = timed.then(|| body["expires"].as_u64().unwrap_or(0));
            self.elements.push(Element { address, remaining_s, comment });
        }
        Ok(())
    }

    pub(super) fn find(&self, address: IpAddr) -> Option<&Element> {
        self.elements.iter().find(|element| element.address == address)
    }
}

fn enforces(chain: &Value) -> bool {
    chain["hook"] == chain["name"] && chain["type"] == "filter" && chain["prio"] == PRIORITY
}

fn without_handle(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        fields.remove("handle");
    }
    rule
}

/// Drops commute: the order in which chains are listed does not matter.
fn same_rules(found: &[Value], wanted: &[Value]) -> bool {
    found.len() == wanted.len() && wanted.iter().all(|rule| found.contains(rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_sleeps_enforces_nothing() {
        let mut objects =
            vec![json!({"metainfo": {}}), json!({"table": {"family": FAMILY, "name": TABLE, "handle": 1}})];
        objects.extend(SETS.map(|(set, kind, _)| json!({"set": {"name": set, "type": kind}})));
        objects
            .extend(CHAINS.map(
                |(chain, _)| json!({"chain": {"name": chain, "hook": chain, "type": "filter", "prio": PRIORITY}}),
            ));
        objects.extend(rules("m").into_iter().map(|rule| json!({"rule": rule})));
        let parse = |objects: &[Value]| Table::parse(&json!({"nftables": objects}), "m").unwrap();
        assert!(parse(&objects).intact);
        objects[1]["table"]["flags"] = json!(["dormant"]);
        assert!(!parse(&objects).intact);
    }
}
