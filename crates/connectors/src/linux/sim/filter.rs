//! The simulator's packet filter: tables, sets, chains and rules, and the batches that change them, as nft takes and
//! refuses them.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::Timestamp;

use super::Host;
use crate::linux::nft::{FAMILY, TABLES, addresses};

const MISSING: &str = "Could not process rule: No such file or directory";
const EXISTS: &str = "Could not process rule: File exists";
const BUSY: &str = "Could not process rule: Device or resource busy";

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::linux) struct Table {
    pub(super) sets: BTreeMap<String, Set>,
    pub(super) chains: BTreeMap<String, Chain>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    /// `type` and `flags`, as given.
    spec: Value,
    pub(super) elements: BTreeMap<String, Element>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Element {
    timeout_s: Option<u64>,
    ends: Option<Timestamp>,
    comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chain {
    /// `type`, `hook`, `prio` and `policy`, as given; of a chain without a hook, nothing.
    pub(super) spec: Value,
    pub(super) rules: Vec<Value>,
}

impl Host {
    fn each_table(&mut self) -> impl Iterator<Item = &mut Table> {
        self.table.iter_mut().chain(self.tables.values_mut())
    }

    pub(super) fn all_tables(&self) -> impl Iterator<Item = &Table> {
        self.table.iter().chain(self.tables.values())
    }

    fn table(&self, name: &str) -> Option<&Table> {
        if name == addresses::TABLE { self.table.as_ref() } else { self.tables.get(name) }
    }

    fn table_mut(&mut self, name: &str) -> Option<&mut Table> {
        if name == addresses::TABLE { self.table.as_mut() } else { self.tables.get_mut(name) }
    }

    fn put(&mut self, name: &str, table: Option<Table>) {
        if name == addresses::TABLE {
            self.table = table;
        } else if let Some(table) = table {
            self.tables.insert(name.to_owned(), table);
        } else {
            self.tables.remove(name);
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        for set in self.each_table().flat_map(|table| table.sets.values_mut()) {
            set.elements.retain(|_, element| element.ends.is_none_or(|ends| ends > now));
        }
    }

    /// Without any table, as after `nft flush ruleset`.
    pub(in crate::linux) fn flush(&mut self) {
        self.table = None;
        self.tables.clear();
    }

    /// `nft -j list table inet <name>`; `None` where there is no such table.
    pub(in crate::linux) fn list(&mut self, name: &str, now: Timestamp) -> Option<Value> {
        self.tick(now);
        let table = self.table(name)?;
        let mut objects = vec![
            json!({"metainfo": {"version": "sim", "json_schema_version": 1}}),
            json!({"table": {"family": FAMILY, "name": name}}),
        ];
        for (set_name, set) in &table.sets {
            let elements: Vec<Value> = set.elements.iter().map(|(value, element)| element.listed(value, now)).collect();
            let mut body = named(name, set_name, &set.spec);
            if !elements.is_empty() {
                body["elem"] = elements.into();
            }
            objects.push(json!({"set": body}));
        }
        let chains = table.chains.iter();
        objects.extend(chains.map(|(chain, body)| json!({"chain": named(name, chain, &body.spec)})));
        objects.extend(table.chains.values().flat_map(|chain| &chain.rules).map(|rule| json!({"rule": rule})));
        Some(json!({"nftables": objects}))
    }

    /// `nft -j -f -`: all of the batch, or an error and nothing of it.
    pub(in crate::linux) fn apply(&mut self, batch: &Value, now: Timestamp) -> Result<(), String> {
        let mut next = self.clone();
        next.tick(now);
        for command in batch["nftables"].as_array().ok_or("no list of commands")? {
            let (verb, object) = only(command)?;
            let (kind, body) = only(object)?;
            let table = body["table"].as_str().or_else(|| body["name"].as_str()).unwrap_or_default();
            if body["family"] != FAMILY || !TABLES.contains(&table) {
                return Err(format!("the simulator has no table but {FAMILY} {}", TABLES.join(", ")));
            }
            next.command(verb, kind, table, body, now)?;
        }
        *self = next;
        Ok(())
    }

    fn command(&mut self, verb: &str, kind: &str, table: &str, body: &Value, now: Timestamp) -> Result<(), String> {
        if kind != "table" {
            return self.table_mut(table).ok_or(MISSING)?.command(verb, kind, body, now);
        }
        match (verb, self.table(table).is_some()) {
            ("add", true) => {}
            ("add" | "create", false) => self.put(table, Some(Table::default())),
            ("create", true) => return Err(EXISTS.to_owned()),
            ("delete", true) => self.put(table, None),
            ("delete", false) => return Err(MISSING.to_owned()),
            _ => return Err(format!("the simulator cannot {verb} a table")),
        }
        Ok(())
    }
}

impl Table {
    fn command(&mut self, verb: &str, kind: &str, body: &Value, now: Timestamp) -> Result<(), String> {
        let name = body["name"].as_str().or_else(|| body["chain"].as_str()).ok_or("an object without a name")?;
        match (verb, kind) {
            ("add", "set") => {
                let spec = json!({"type": body["type"], "flags": body["flags"]});
                self.sets.entry(name.to_owned()).or_insert(Set { spec, elements: BTreeMap::new() });
            }
            ("delete", "set") if self.names(&format!("@{name}")) => return Err(BUSY.to_owned()),
            ("delete", "set") => drop(self.sets.remove(name).ok_or(MISSING)?),
            ("add", "chain") => {
                let fields = ["type", "hook", "prio", "policy"];
                let given = fields.iter().filter(|field| body.get(**field).is_some());
                let spec = given.map(|field| ((*field).to_owned(), body[*field].clone())).collect();
                let spec = Value::Object(spec);
                self.chains.entry(name.to_owned()).or_insert(Chain { spec, rules: Vec::new() });
            }
            ("flush", "chain") => self.chains.get_mut(name).ok_or(MISSING)?.rules.clear(),
            ("add", "rule") => self.add_rule(name, body)?,
            ("add" | "create" | "delete", "element") => {
                self.sets.get_mut(name).ok_or(MISSING)?.change(verb, body, now)?;
            }
            _ => return Err(format!("the simulator cannot {verb} a {kind}")),
        }
        Ok(())
    }

    /// Whether a rule looks into this set.
    fn names(&self, set: &str) -> bool {
        let rules = self.chains.values().flat_map(|chain| &chain.rules);
        rules.flat_map(expressions).any(|expression| expression["match"]["right"] == set)
    }

    fn add_rule(&mut self, chain: &str, rule: &Value) -> Result<(), String> {
        for expression in expressions(rule) {
            let set = expression["match"]["right"].as_str().and_then(|right| right.strip_prefix('@'));
            let jump = expression["jump"]["target"].as_str();
            let known = set.is_none_or(|set| self.sets.contains_key(set))
                && jump.is_none_or(|chain| self.chains.contains_key(chain));
            if !known {
                return Err(MISSING.to_owned());
            }
        }
        self.chains.get_mut(chain).ok_or(MISSING)?.rules.push(rule.clone());
        Ok(())
    }
}

pub(super) fn expressions(rule: &Value) -> impl Iterator<Item = &Value> {
    rule["expr"].as_array().into_iter().flatten()
}

impl Set {
    /// An element as the set's type reads it.
    fn value(&self, text: &str) -> Result<String, String> {
        let kind = self.spec["type"].as_str().unwrap_or_default();
        if kind == "nf_proto" {
            let known = matches!(text, "ipv4" | "ipv6");
            return if known { Ok(text.to_owned()) } else { Err(format!("Could not parse {text}")) };
        }
        let address: IpAddr = text.parse().map_err(|_invalid| format!("Could not resolve hostname: {text}"))?;
        if address.is_ipv4() == (kind == "ipv4_addr") {
            Ok(address.to_string())
        } else {
            Err("datatype mismatch".to_owned())
        }
    }

    fn change(&mut self, verb: &str, body: &Value, now: Timestamp) -> Result<(), String> {
        for item in body["elem"].as_array().ok_or("an element without values")? {
            let fields = item.get("elem").unwrap_or(item);
            let value = fields.get("val").unwrap_or(fields).as_str().ok_or("an element that is no text")?;
            let key = self.value(value)?;
            match (verb, self.elements.contains_key(&key)) {
                ("delete", true) => drop(self.elements.remove(&key)),
                ("delete", false) => return Err(MISSING.to_owned()),
                ("create", true) => return Err(EXISTS.to_owned()),
                // Adding again changes nothing of what is there.
                (_, true) => {}
                (_, false) => {
                    let timeout_s = fields["timeout"].as_u64();
                    let ends = timeout_s.map(|seconds| now.plus(Duration::from_secs(seconds)));
                    let comment = fields["comment"].as_str().map(str::to_owned);
                    self.elements.insert(key, Element { timeout_s, ends, comment });
                }
            }
        }
        Ok(())
    }
}

impl Element {
    fn listed(&self, value: &str, now: Timestamp) -> Value {
        let mut body = json!({"val": value});
        if let (Some(timeout), Some(ends)) = (self.timeout_s, self.ends) {
            body["timeout"] = timeout.into();
            body["expires"] = ends.since(now).as_secs().into();
        }
        if let Some(comment) = &self.comment {
            body["comment"] = comment.clone().into();
        }
        json!({"elem": body})
    }
}

fn named(table: &str, name: &str, spec: &Value) -> Value {
    let mut body = spec.clone();
    body["family"] = FAMILY.into();
    body["table"] = table.into();
    body["name"] = name.into();
    body
}

fn only(object: &Value) -> Result<(&str, &Value), String> {
    let mut fields = object.as_object().ok_or("a command that is no object")?.iter();
    match (fields.next(), fields.next()) {
        (Some((name, body)), None) => Ok((name, body)),
        _ => Err("a command is an object with one field".to_owned()),
    }
}
