//! Our nftables tables as JSON: what one should look like, and the reading of what `nft -j list table` shows. Pure.
//!
//! A table of ours for each capability, which goes with its last effect. Its chains sit at an early priority, before
//! connection tracking, so that established connections stall too. Rules and elements carry our mark; whatever does
//! not is not ours.

pub(super) mod addresses;
pub(super) mod isolation;
pub(super) mod ranges;

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Value, json};
use shieldops_respond::Fault;

pub(super) const FAMILY: &str = "inet";
/// Every table of ours.
pub(super) const TABLES: [&str; 3] = [addresses::TABLE, isolation::TABLE, ranges::TABLE];
/// Before connection tracking and before anything that would accept.
const PRIORITY: i32 = -300;

/// What a table of ours looks like when it is whole.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) table: &'static str,
    /// Name and type.
    pub(super) sets: Vec<(String, &'static str)>,
    /// Chains of this name that hang on the hook of the same name.
    pub(super) hooks: &'static [&'static str],
    /// Chains that are jumped to.
    pub(super) chains: &'static [&'static str],
    pub(super) rules: Vec<Value>,
}

impl Layout {
    /// Makes the table whole, whatever is missing of it; elements stay.
    pub(super) fn ensure(&self) -> Vec<Value> {
        let table = self.table;
        let mut batch = vec![json!({"add": {"table": {"family": FAMILY, "name": table}}})];
        for (set, kind) in &self.sets {
            batch.push(json!({"add": {"set": {"family": FAMILY, "table": table, "name": set, "type": kind, "flags": ["timeout"]}}}));
        }
        for chain in self.chains {
            batch.push(json!({"add": {"chain": {"family": FAMILY, "table": table, "name": chain}}}));
        }
        for hook in self.hooks {
            let chain = json!({"family": FAMILY, "table": table, "name": hook, "type": "filter", "hook": hook, "prio": PRIORITY, "policy": "accept"});
            batch.push(json!({"add": {"chain": chain}}));
        }
        batch.extend(self.rewrite());
        batch
    }

    /// The rules as they should be, in place of those that are there.
    pub(super) fn rewrite(&self) -> Vec<Value> {
        let flush = |chain: &&str| json!({"flush": {"chain": {"family": FAMILY, "table": self.table, "name": *chain}}});
        let flushed = self.chains.iter().chain(self.hooks).map(flush);
        flushed.chain(self.rules.iter().map(|rule| json!({"add": {"rule": rule}}))).collect()
    }

    fn has_chain(&self, name: &str) -> bool {
        self.hooks.contains(&name) || self.chains.contains(&name)
    }
}

pub(super) fn delete_table(table: &str) -> Value {
    json!({"delete": {"table": {"family": FAMILY, "name": table}}})
}

/// A command about elements of one set.
pub(super) fn elements(verb: &str, table: &str, set: &str, elements: Value) -> Value {
    json!({verb: {"element": {"family": FAMILY, "table": table, "name": set, "elem": elements}}})
}

/// An element with its mark and, where it is to go by itself, its time.
pub(super) fn element(value: &str, timeout_s: Option<u64>, comment: &str) -> Value {
    let mut element = json!({"val": value, "comment": comment});
    if let (Some(timeout), Some(fields)) = (timeout_s, element.as_object_mut()) {
        fields.insert("timeout".to_owned(), timeout.into());
    }
    json!({"elem": element})
}

pub(super) fn rule(table: &str, chain: &str, marker: &str, expr: Value) -> Value {
    json!({"family": FAMILY, "table": table, "chain": chain, "comment": marker, "expr": expr})
}

pub(super) fn payload(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

pub(super) fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

pub(super) fn equals(left: Value, right: impl Into<Value>) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right.into()}})
}

/// The mark of an effect: our installation and the action.
pub(super) fn mark(marker: &str, action: &str) -> String {
    format!("{marker}:{action}")
}

/// The action in a mark of ours, whatever is noted behind it.
pub(super) fn action_of<'a>(marker: &str, comment: &'a str) -> Option<&'a str> {
    comment.strip_prefix(marker)?.strip_prefix(':')?.split(';').next()
}

/// The names of the tables of ours that `nft -j list tables` shows.
pub(super) fn tables_in(listing: &Value) -> Result<Vec<&'static str>, String> {
    let objects = objects(listing)?;
    let named = |name: &&str| {
        objects.iter().any(|object| object["table"]["family"] == FAMILY && object["table"]["name"] == **name)
    };
    Ok(TABLES.into_iter().filter(named).collect())
}

fn objects(listing: &Value) -> Result<&Vec<Value>, String> {
    let objects = listing["nftables"].as_array().ok_or("nft did not answer with a list")?;
    if !objects.iter().any(|object| object.get("metainfo").is_some()) {
        return Err("nft did not say which format it speaks".to_owned());
    }
    Ok(objects)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) value: String,
    /// Seconds until it goes by itself.
    pub(super) remaining_s: Option<u64>,
    pub(super) comment: Option<String>,
}

impl Element {
    pub(super) fn is(&self, address: IpAddr) -> bool {
        self.value.parse() == Ok(address)
    }

    pub(super) fn is_marked(&self, marker: &str) -> bool {
        self.comment.as_deref().is_some_and(|comment| action_of(marker, comment).is_some())
    }

    /// Whose it is, for a person: an action of ours, or what it says of itself.
    pub(super) fn owner(&self, marker: &str) -> String {
        let said = self.comment.as_deref().unwrap_or("somebody else");
        action_of(marker, said).unwrap_or(said).chars().take(128).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) kind: String,
    pub(super) elements: Vec<Element>,
}

/// A table as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    pub(super) sets: BTreeMap<String, Set>,
    chains: BTreeMap<String, Value>,
    /// Without handles, in the order in which they are listed.
    pub(super) rules: Vec<Value>,
    /// Objects of a kind that we never make.
    other: Vec<String>,
    /// The kernel looks at it.
    awake: bool,
}

impl Table {
    /// Reads `nft -j list table`. What is not understood is an error.
    pub(super) fn parse(listing: &Value) -> Result<Self, String> {
        let mut table = Self { awake: true, ..Self::default() };
        for object in objects(listing)? {
            let Some((kind, body)) = object.as_object().and_then(|object| object.iter().next()) else {
                return Err("nft listed something that is no object".to_owned());
            };
            let name = body["name"].as_str().unwrap_or_default().to_owned();
            match kind.as_str() {
                "metainfo" => {}
                // Ours has no flags; one that is dormant enforces nothing. (nft 1.0.6 garbles what stands there.)
                "table" => table.awake = body.get("flags").is_none(),
                "set" => {
                    let kind = body["type"].as_str().unwrap_or_default().to_owned();
                    table.sets.insert(name, Set { kind, elements: read_elements(body)? });
                }
                "chain" => drop(table.chains.insert(name, body.clone())),
                "rule" => table.rules.push(without_handle(body)),
                other => table.other.push(format!("{other} {name}")),
            }
        }
        Ok(table)
    }

    /// What is there that we did not make.
    pub(super) fn foreign(&self, layout: &Layout, marker: &str) -> Vec<String> {
        let ours = |name: &str, set: &Set| layout.sets.iter().any(|(known, kind)| known == name && *kind == set.kind);
        let sets = self.sets.iter().filter(|(name, set)| !ours(name, set)).map(|(name, _)| format!("set {name}"));
        let chains = self.chains.keys().filter(|name| !layout.has_chain(name)).map(|name| format!("chain {name}"));
        let rules = self.rules.iter().filter(|rule| rule["comment"] != marker).map(|_| "rule".to_owned());
        sets.chain(chains).chain(rules).chain(self.other.iter().cloned()).collect()
    }

    /// Something in it carries our mark.
    fn marked(&self, marker: &str) -> bool {
        self.rules.iter().any(|rule| rule["comment"] == marker)
            || self.elements().any(|(_, element)| element.is_marked(marker))
    }

    /// An error when there is something in it that is not ours to touch.
    pub(super) fn check_ours(&self, layout: &Layout, marker: &str, target: &str) -> Result<(), Fault> {
        let foreign = self.foreign(layout, marker);
        if foreign.is_empty() && self.marked(marker) {
            return Ok(());
        }
        let what = if foreign.is_empty() { "nothing of it is ours".to_owned() } else { foreign.join(", ") };
        Err(Fault::Refused(format!("table {FAMILY} {} on {target} is not ours: {what}", layout.table)))
    }

    /// Chains and rules are exactly those of the layout, and the kernel looks at them.
    pub(super) fn intact(&self, layout: &Layout, marker: &str) -> bool {
        let hooked = |name: &&str| {
            self.chains
                .get(*name)
                .is_some_and(|chain| chain["hook"] == **name && chain["type"] == "filter" && chain["prio"] == PRIORITY)
        };
        let plain = |name: &&str| self.chains.get(*name).is_some_and(|chain| chain.get("hook").is_none());
        self.awake
            && self.foreign(layout, marker).is_empty()
            && layout.sets.iter().all(|(set, _)| self.sets.contains_key(set))
            && layout.hooks.iter().all(hooked)
            && layout.chains.iter().all(plain)
            && layout.hooks.iter().chain(layout.chains).all(|chain| {
                let of_chain = |rule: &&Value| rule["chain"] == **chain;
                self.rules.iter().filter(of_chain).eq(layout.rules.iter().filter(of_chain))
            })
    }

    /// Without what only the kernel adds, and rules in order of their chains: two tables that do the same are equal.
    #[cfg(test)]
    pub(super) fn tidy(&mut self) {
        for chain in self.chains.values_mut() {
            if let Some(fields) = chain.as_object_mut() {
                fields.remove("handle");
            }
        }
        self.rules.sort_by_key(|rule| rule["chain"].to_string());
    }

    /// Every element, with the name of its set.
    pub(super) fn elements(&self) -> impl Iterator<Item = (&str, &Element)> {
        self.sets.iter().flat_map(|(name, set)| set.elements.iter().map(move |element| (name.as_str(), element)))
    }

    pub(super) fn find(&self, set: &str, value: &str) -> Option<&Element> {
        self.sets.get(set)?.elements.iter().find(|element| element.value == value)
    }

    /// The element of an address, however it is written: the C library ends some of IPv6 in dots.
    pub(super) fn find_address(&self, set: &str, address: IpAddr) -> Option<&Element> {
        self.sets.get(set)?.elements.iter().find(|element| element.is(address))
    }
}

fn read_elements(set: &Value) -> Result<Vec<Element>, String> {
    let Some(listed) = set.get("elem") else { return Ok(Vec::new()) };
    let listed = listed.as_array().ok_or("a set whose elements are no list")?;
    let read = |item: &Value| {
        let body = item.get("elem").unwrap_or(item);
        let value = body.get("val").unwrap_or(body);
        let text = value.as_str().ok_or_else(|| format!("an element that is no text: {value}"))?;
        let timed = body.get("timeout").is_some();
        Ok(Element {
            value: text.to_owned(),
            remaining_s: timed.then(|| body["expires"].as_u64().unwrap_or(0)),
            comment: body["comment"].as_str().map(str::to_owned),
        })
    };
    listed.iter().map(read).collect()
}

fn without_handle(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        fields.remove("handle");
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_sleeps_enforces_nothing() {
        let layout = addresses::layout("m");
        let commands = layout.ensure();
        let added = commands.iter().filter_map(|command| command.get("add")).cloned();
        let mut objects: Vec<Value> = std::iter::once(json!({"metainfo": {}})).chain(added).collect();
        let parse = |objects: &[Value]| Table::parse(&json!({"nftables": objects})).unwrap();
        assert!(parse(&objects).intact(&layout, "m"));
        objects[1]["table"]["flags"] = json!(["dormant"]);
        assert!(!parse(&objects).intact(&layout, "m"));
    }

    #[test]
    fn an_address_is_found_however_it_is_written() {
        let set = |name: &str, kind: &str, values: &[&str]| {
            let elements: Vec<Value> =
                values.iter().map(|value| json!({"elem": {"val": value, "comment": "m:act_1"}})).collect();
            json!({"set": {"family": FAMILY, "name": name, "type": kind, "elem": elements}})
        };
        let listing = json!({"nftables": [{"metainfo": {}}, set("blocked_v6", "ipv6_addr", &["::192.0.2.1"]), set("v6_120", "ipv6_addr", &["::192.0.2.0"])]});
        let table = Table::parse(&listing).unwrap();
        // So Rust writes it, and so does `nft`.
        assert_eq!("::192.0.2.1".parse::<IpAddr>().unwrap().to_string(), "::c000:201");
        assert!(addresses::find(&table, "::c000:201".parse().unwrap()).is_some());
        assert!(ranges::find(&table, "::c000:200/120".parse().unwrap()).is_some());
        assert!(addresses::find(&table, "::c000:202".parse().unwrap()).is_none());
        let layout = |marker| addresses::layout(marker);
        let only =
            Table { sets: BTreeMap::from([("blocked_v6".to_owned(), table.sets["blocked_v6"].clone())]), ..table };
        assert!(only.foreign(&layout("m"), "m").is_empty());
        let batch = addresses::unblock("m", &only, "::c000:201".parse().unwrap());
        assert_eq!(
            batch["nftables"][0]["delete"]["table"]["name"],
            addresses::TABLE,
            "its last element goes with the table"
        );
    }

    #[test]
    fn an_action_is_read_from_our_mark_only() {
        assert_eq!(action_of("shieldops:a", "shieldops:a:act_1"), Some("act_1"));
        assert_eq!(action_of("shieldops:a", "shieldops:a:act_1;armed"), Some("act_1"));
        assert_eq!(action_of("shieldops:a", "shieldops:b:act_1"), None);
        assert_eq!(action_of("shieldops:a", "shieldops:ab:act_1"), None);
    }
}
