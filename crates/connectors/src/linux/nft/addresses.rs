//! The table of blocked addresses: a set for each address family. Pure.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Element, Layout, Table, delete_table, element, elements, equals, payload, rule};

pub(in crate::linux) const TABLE: &str = "shieldops";
const SETS: [(&str, &str, &str); 2] = [("blocked_v4", "ipv4_addr", "ip"), ("blocked_v6", "ipv6_addr", "ip6")];
/// Chain (and hook), and the fields that are matched against the sets.
pub(super) const CHAINS: [(&str, &[&str]); 3] =
    [("forward", &["saddr", "daddr"]), ("input", &["saddr"]), ("output", &["daddr"])];
pub(super) const HOOKS: &[&str] = &["forward", "input", "output"];

pub(in crate::linux) const fn set_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "blocked_v4",
        IpAddr::V6(_) => "blocked_v6",
    }
}

pub(in crate::linux) fn layout(marker: &str) -> Layout {
    let chains = CHAINS.iter().flat_map(|(chain, fields)| fields.iter().map(move |field| (*chain, *field)));
    let drops = |(chain, field)| {
        SETS.map(|(set, _, protocol)| {
            let matched = equals(payload(protocol, field), format!("@{set}"));
            rule(TABLE, chain, marker, json!([matched, {"drop": null}]))
        })
    };
    Layout {
        table: TABLE,
        sets: SETS.map(|(set, kind, _)| (set.to_owned(), kind)).to_vec(),
        hooks: HOOKS,
        chains: &[],
        rules: chains.flat_map(drops).collect(),
    }
}

pub(in crate::linux) fn find(table: &Table, address: IpAddr) -> Option<&Element> {
    table.find_address(set_of(address), address)
}

/// One batch that makes the table whole and the address blocked, replacing its element where there is one.
pub(in crate::linux) fn block(
    marker: &str,
    before: Option<&Table>,
    address: IpAddr,
    timeout_s: Option<u64>,
    comment: &str,
) -> Value {
    let (layout, value) = (layout(marker), address.to_string());
    let whole = before.is_some_and(|table| table.intact(&layout, marker));
    let mut batch = if whole { Vec::new() } else { layout.ensure() };
    if before.is_some_and(|table| find(table, address).is_some()) {
        batch.push(elements("delete", TABLE, set_of(address), json!([value])));
    }
    // `create` fails where somebody was faster, `add` would silently keep theirs.
    batch.push(elements("create", TABLE, set_of(address), json!([element(&value, timeout_s, comment)])));
    json!({"nftables": batch})
}

/// One batch that lifts the block; the table goes with its last element.
pub(in crate::linux) fn unblock(marker: &str, before: &Table, address: IpAddr) -> Value {
    let value = address.to_string();
    let last = before.elements().all(|(set, element)| set == set_of(address) && element.is(address));
    if last && before.foreign(&layout(marker), marker).is_empty() {
        return json!({"nftables": [delete_table(TABLE)]});
    }
    json!({"nftables": [elements("delete", TABLE, set_of(address), json!([value]))]})
}
