//! The table of blocked ranges: a set for each prefix length that is in use, of the networks' first addresses. Pure.
//!
//! Nested ranges in one interval set are refused by nft, and two rules over two sets are not: so a packet's address is
//! masked to each length that is in use and looked up in the set of that length.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{Element, Layout, Table, addresses, delete_table, element, elements, equals, payload, rule};

pub(in crate::linux) const TABLE: &str = "shieldops_ranges";

/// A prefix length of one address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Length {
    v6: bool,
    bits: u8,
}

impl Length {
    fn of(range: IpNet) -> Self {
        Self { v6: range.addr().is_ipv6(), bits: range.prefix_len() }
    }

    fn set(self) -> String {
        format!("{}_{}", if self.v6 { "v6" } else { "v4" }, self.bits)
    }

    /// The length that a set of ours is for.
    fn parse(set: &str) -> Option<Self> {
        let (family, bits) = set.split_once('_')?;
        let v6 = match family {
            "v4" => false,
            "v6" => true,
            _ => return None,
        };
        let length = Self { v6, bits: bits.parse().ok()? };
        (length.mask().is_some() && length.set() == set).then_some(length)
    }

    const fn kind(self) -> &'static str {
        if self.v6 { "ipv6_addr" } else { "ipv4_addr" }
    }

    fn net(self, address: IpAddr) -> Option<IpNet> {
        IpNet::new(address, self.bits).ok().filter(|_| address.is_ipv6() == self.v6)
    }

    fn mask(self) -> Option<IpAddr> {
        let any: IpAddr = if self.v6 { IpAddr::from([0_u16; 8]) } else { IpAddr::from([0_u8; 4]) };
        Some(self.net(any)?.netmask())
    }
}

fn lengths(table: &Table) -> BTreeSet<Length> {
    table.sets.keys().filter_map(|set| Length::parse(set)).collect()
}

fn layout_for(marker: &str, lengths: &BTreeSet<Length>) -> Layout {
    let mut rules = Vec::new();
    for (chain, fields) in addresses::CHAINS {
        for field in fields {
            for length in lengths {
                let protocol = if length.v6 { "ip6" } else { "ip" };
                let mask = length.mask().map(|mask| mask.to_string());
                let masked = json!({"&": [payload(protocol, field), mask]});
                let matched = equals(masked, format!("@{}", length.set()));
                rules.push(rule(TABLE, chain, marker, json!([matched, {"drop": null}])));
            }
        }
    }
    let sets = lengths.iter().map(|length| (length.set(), length.kind())).collect();
    Layout { table: TABLE, sets, hooks: addresses::HOOKS, chains: &[], rules }
}

/// What the table should look like for the sets that it has.
pub(in crate::linux) fn layout(marker: &str, table: &Table) -> Layout {
    layout_for(marker, &lengths(table))
}

pub(in crate::linux) fn find(table: &Table, range: IpNet) -> Option<&Element> {
    table.find_address(&Length::of(range).set(), range.addr())
}

pub(in crate::linux) fn set_of(range: IpNet) -> String {
    Length::of(range).set()
}

/// Whether the set for this range's length is there with nothing in it, or the table is there without a set.
pub(in crate::linux) fn is_leftover(table: &Table, range: IpNet) -> bool {
    table.sets.get(&set_of(range)).map_or(table.sets.is_empty(), |set| set.elements.is_empty())
}

/// Every range in the table; what is in it and is none is passed over.
pub(in crate::linux) fn all(table: &Table) -> impl Iterator<Item = (IpNet, &Element)> {
    table.elements().filter_map(|(set, element)| Some((Length::parse(set)?.net(element.value.parse().ok()?)?, element)))
}

/// One batch that makes the table whole and the range blocked, replacing its element where there is one.
pub(in crate::linux) fn block(
    marker: &str,
    before: Option<&Table>,
    range: IpNet,
    timeout_s: Option<u64>,
    comment: &str,
) -> Value {
    let (length, value) = (Length::of(range), range.addr().to_string());
    let mut used = before.map(lengths).unwrap_or_default();
    let known = !used.insert(length);
    let whole = known && before.is_some_and(|table| table.intact(&layout_for(marker, &used), marker));
    let mut batch = if whole { Vec::new() } else { layout_for(marker, &used).ensure() };
    if before.is_some_and(|table| find(table, range).is_some()) {
        batch.push(elements("delete", TABLE, &length.set(), json!([value])));
    }
    batch.push(elements("create", TABLE, &length.set(), json!([element(&value, timeout_s, comment)])));
    json!({"nftables": batch})
}

/// One batch that lifts the block; a set goes with its last range, the table with its last set.
pub(in crate::linux) fn unblock(marker: &str, before: &Table, range: IpNet) -> Value {
    let (length, value) = (Length::of(range), range.addr().to_string());
    let clean = before.foreign(&layout(marker, before), marker).is_empty();
    let same = |element: &Element| element.is(range.addr());
    let others_here = before.sets.get(&length.set()).is_some_and(|set| set.elements.iter().any(|one| !same(one)));
    let others_there = before.elements().any(|(set, _)| set != length.set());
    if others_here || !clean {
        return json!({"nftables": [elements("delete", TABLE, &length.set(), json!([value]))]});
    }
    if !others_there {
        return json!({"nftables": [delete_table(TABLE)]});
    }
    // Sets that ran empty by themselves go with it.
    let empty = |length: &Length| before.sets.get(&length.set()).is_none_or(|set| set.elements.is_empty());
    let (gone, left): (BTreeSet<Length>, BTreeSet<Length>) =
        lengths(before).into_iter().partition(|other| *other == length || empty(other));
    let mut batch = layout_for(marker, &left).rewrite();
    let delete =
        |length: &Length| json!({"delete": {"set": {"family": super::FAMILY, "table": TABLE, "name": length.set()}}});
    batch.extend(gone.iter().map(delete));
    json!({"nftables": batch})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_s_name_says_its_prefix_length_and_nothing_else_does() {
        for net in ["10.0.0.0/8", "203.0.113.0/31", "2001:db8::/64"] {
            let length = Length::of(net.parse().unwrap());
            assert_eq!(Length::parse(&length.set()), Some(length));
        }
        for name in ["v4_33", "v6_129", "v4_08", "v4_+8", "v5_8", "v4", "blocked_v4", "v4_8 "] {
            assert_eq!(Length::parse(name), None, "{name}");
        }
    }
}
