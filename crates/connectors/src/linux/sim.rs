//! The simulator: a host in a JSON file that answers nft batches as nft does, refusals included. No kernel, no packet.
//!
//! Only targets that are registered as simulated use it, and every surface says so.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    net::IpAddr,
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::Timestamp;
use shieldops_policy::Facts;

use super::nft::{FAMILY, TABLE};

/// The largest state file, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) facts: Facts,
    table: Option<Table>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sets: BTreeMap<String, Set>,
    chains: BTreeMap<String, Chain>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    /// `type` and `flags`, as given.
    spec: Value,
    elements: BTreeMap<String, Element>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Element {
    timeout_s: Option<u64>,
    ends: Option<Timestamp>,
    comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chain {
    /// `type`, `hook`, `prio` and `policy`, as given.
    spec: Value,
    rules: Vec<Value>,
}

impl Default for Host {
    fn default() -> Self {
        let documentation = [IpAddr::from([203, 0, 113, 10]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10])];
        let facts = Facts { own_addresses: documentation.to_vec(), ..Facts::default() };
        Self { facts, table: None }
    }
}

impl Host {
    /// The host in this file; a new one when there is none.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
            Ok(meta) if meta.len() > MAX_BYTES => return Err(io::Error::other("the simulator's state is too large")),
            Ok(_) => {}
        }
        serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
    }

    /// Durable when it returns: written beside, synced, renamed, and the folder synced.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
        fs::create_dir_all(folder)?;
        let beside = path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    }

    fn tick(&mut self, now: Timestamp) {
        for set in self.table.iter_mut().flat_map(|table| table.sets.values_mut()) {
            set.elements.retain(|_, element| element.ends.is_none_or(|ends| ends > now));
        }
    }

    /// `nft -j list table inet shieldops`; `None` where there is no such table.
    pub(super) fn list(&mut self, now: Timestamp) -> Option<Value> {
        self.tick(now);
        let table = self.table.as_ref()?;
        let mut objects = vec![
            json!({"metainfo": {"version": "sim", "json_schema_version": 1}}),
            json!({"table": {"family": FAMILY, "name": TABLE}}),
        ];
        for (name, set) in &table.sets {
            let elements: Vec<Value> =
                set.elements.iter().map(|(address, element)| element.listed(address, now)).collect();
            let mut body = named(name, &set.spec);
            if !elements.is_empty() {
                body["elem"] = elements.into();
            }
            objects.push(json!({"set": body}));
        }
        objects.extend(table.chains.iter().map(|(name, chain)| json!({"chain": named(name, &chain.spec)})));
        objects.extend(table.chains.values().flat_map(|chain| &chain.rules).map(|rule| json!({"rule": rule})));
        Some(json!({"nftables": objects}))
    }

    /// `nft -j -f -`: all of the batch, or an error and nothing of it.
    pub(super) fn apply(&mut self, batch: &Value, now: Timestamp) -> Result<(), String> {
        let mut next = self.clone();
        next.tick(now);
        for command in batch["nftables"].as_array().ok_or("no list of commands")? {
            let (verb, object) = only(command)?;
            let (kind, body) = only(object)?;
            let table = body["table"].as_str().or_else(|| body["name"].as_str());
            if body["family"] != FAMILY || table != Some(TABLE) {
                return Err(format!("the simulator has no table but {FAMILY} {TABLE}"));
            }
            next.command(verb, kind, body, now)?;
        }
        *self = next;
        Ok(())
    }

    fn command(&mut self, verb: &str, kind: &str, body: &Value, now: Timestamp) -> Result<(), String> {
        if kind == "table" {
            match (verb, self.table.is_some()) {
                ("add", true) => {}
                ("add" | "create", false) => self.table = Some(Table::default()),
                ("create", true) => return Err("File exists".to_owned()),
                ("delete", true) => self.table = None,
                ("delete", false) => return Err("No such file or directory".to_owned()),
                _ => return Err(format!("the simulator cannot {verb} a table")),
            }
            return Ok(());
        }
        let table = self.table.as_mut().ok_or("No such file or directory")?;
        let name =
            body["name"].as_str().or_else(|| body["chain"].as_str()).ok_or("an object without a name")?.to_owned();
        match (verb, kind) {
            ("add", "set") => {
                let spec = json!({"type": body["type"], "flags": body["flags"]});
                table.sets.entry(name).or_insert(Set { spec, elements: BTreeMap::new() });
            }
            ("add", "chain") => {
                let spec =
                    json!({"type": body["type"], "hook": body["hook"], "prio": body["prio"], "policy": body["policy"]});
                table.chains.entry(name).or_insert(Chain { spec, rules: Vec::new() });
            }
            ("flush", "chain") => table.chains.get_mut(&name).ok_or("No such file or directory")?.rules.clear(),
            ("add", "rule") => table.chains.get_mut(&name).ok_or("No such file or directory")?.rules.push(body.clone()),
            ("add" | "create" | "delete", "element") => {
                table.sets.get_mut(&name).ok_or("No such file or directory")?.change(verb, body, now)?;
            }
            _ => return Err(format!("the simulator cannot {verb} a {kind}")),
        }
        Ok(())
    }

    /// Whether a packet from this address would be dropped: a rule on input names the set that holds it.
    pub(super) fn drops(&mut self, address: IpAddr, now: Timestamp) -> bool {
        self.tick(now);
        let Some(table) = &self.table else { return false };
        let holding: Vec<String> = table
            .sets
            .iter()
            .filter(|(_, set)| set.elements.contains_key(&address.to_string()))
            .map(|(name, _)| format!("@{name}"))
            .collect();
        let input = table.chains.get("input").map(|chain| chain.rules.as_slice()).unwrap_or_default();
        input.iter().any(|rule| {
            rule["expr"][0]["match"]["right"].as_str().is_some_and(|set| holding.iter().any(|held| held == set))
        })
    }
}

impl Set {
    fn change(&mut self, verb: &str, body: &Value, now: Timestamp) -> Result<(), String> {
        for item in body["elem"].as_array().ok_or("an element without values")? {
            let fields = item.get("elem").unwrap_or(item);
            let value = fields.get("val").unwrap_or(fields).as_str().ok_or("an element that is no text")?;
            let address: IpAddr = value.parse().map_err(|_invalid| format!("Could not resolve hostname: {value}"))?;
            if address.is_ipv4() != (self.spec["type"] == "ipv4_addr") {
                return Err("datatype mismatch".to_owned());
            }
            let (key, there) = (address.to_string(), self.elements.contains_key(&address.to_string()));
            match (verb, there) {
                ("delete", true) => drop(self.elements.remove(&key)),
                ("delete", false) => return Err("Could not process rule: No such file or directory".to_owned()),
                ("create", true) => return Err("Could not process rule: File exists".to_owned()),
                // Adding again changes nothing of what is there.
                (_, true) => {}
                (_, false) => {
                    let timeout_s = fields["timeout"].as_u64();
                    let ends = timeout_s.map(|seconds| now.plus(std::time::Duration::from_secs(seconds)));
                    self.elements.insert(
                        key,
                        Element { timeout_s, ends, comment: fields["comment"].as_str().map(str::to_owned) },
                    );
                }
            }
        }
        Ok(())
    }
}

impl Element {
    fn listed(&self, address: &str, now: Timestamp) -> Value {
        let mut body = json!({"val": address});
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

fn named(name: &str, spec: &Value) -> Value {
    let mut body = spec.clone();
    body["family"] = FAMILY.into();
    body["table"] = TABLE.into();
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

#[cfg(test)]
mod tests;
