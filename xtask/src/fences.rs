//! The order of the crates, from `cargo metadata`: who may use whom, how long the chain is, and who stays free of an
//! async runtime. Fences around single dependencies are in `deny.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// A crate may use those before it, never those after it.
const ORDER: &[&str] = &[
    "model",
    "vector",
    "seal",
    "ledger",
    "store",
    "bus",
    "ingest",
    "detect",
    "triage",
    "investigate",
    "pipeline",
    "policy",
    "respond",
    "connectors",
    "deliver",
    "identity",
    "api",
    "shieldops",
    "xtask",
];

const MAX_CHAIN: usize = 6;

/// Functions over values: no runtime, not even through something they use.
const PURE: &[&str] = &["model", "vector", "seal", "ledger", "detect", "triage", "investigate", "policy"];

/// What a crate must not use although it comes before it.
const NEVER: &[(&str, &str, &str)] = &[
    ("api", "connectors", "the binary registers connectors; the API calls `respond`"),
    ("policy", "store", "`respond` passes the facts in"),
    ("connectors", "store", "connectors act; the engine remembers"),
    ("bus", "store", "offsets and outputs are committed by `pipeline`"),
];

/// Crate to the crates it uses when built, all by package name.
type Graph = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let output =
        Command::new("cargo").args(["metadata", "--format-version", "1", "--locked"]).current_dir(root).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(problems(&graph(&serde_json::from_slice(&output.stdout)?)?))
}

fn graph(metadata: &Value) -> Result<Graph> {
    let list = |value: &Value| value.as_array().cloned().context("cargo metadata has another shape");
    let mut names = BTreeMap::new();
    for package in list(&metadata["packages"])? {
        names.insert(package["id"].to_string(), short(package["name"].as_str().unwrap_or_default()));
    }
    let mut graph = Graph::new();
    for node in list(&metadata["resolve"]["nodes"])? {
        let Some(name) = names.get(&node["id"].to_string()) else { continue };
        let uses = graph.entry(name.clone()).or_default();
        for dependency in list(&node["deps"])? {
            let built_in = list(&dependency["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null());
            if let (true, Some(used)) = (built_in, names.get(&dependency["pkg"].to_string())) {
                uses.insert(used.clone());
            }
        }
    }
    Ok(graph)
}

fn short(package: &str) -> String {
    package.strip_prefix("shieldops-").unwrap_or(package).to_owned()
}

fn problems(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (place, name) in ORDER.iter().enumerate() {
        for used in uses(graph, name) {
            if ORDER.iter().skip(place).any(|later| *later == used) {
                found.push(format!("{name} uses {used}, which comes after it"));
            }
        }
        if PURE.contains(name) && reaches(graph, name, "tokio") {
            found.push(format!("{name} reaches tokio: it is functions over values"));
        }
    }
    for (name, used, why) in NEVER {
        if uses(graph, name).any(|other| other == *used) {
            found.push(format!("{name} uses {used}: {why}"));
        }
    }
    let chain = ORDER.iter().map(|name| chain(graph, name)).max_by_key(Vec::len).unwrap_or_default();
    if chain.len() > MAX_CHAIN {
        found.push(format!("a chain of {} crates, over {MAX_CHAIN}: {}", chain.len(), chain.join(" > ")));
    }
    found
}

fn uses<'a>(graph: &'a Graph, name: &str) -> impl Iterator<Item = &'a str> {
    graph.get(name).into_iter().flatten().map(String::as_str)
}

fn reaches(graph: &Graph, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        open.extend(uses(graph, name).filter(|used| seen.insert(used)));
    }
    seen.contains(to)
}

/// The longest way from a crate of ours through crates of ours; `xtask` is not shipped and does not count.
fn chain<'a>(graph: &'a Graph, name: &'a str) -> Vec<&'a str> {
    let mut longest = uses(graph, name)
        .filter(|used| ORDER.contains(used) && *used != name)
        .map(|used| chain(graph, used))
        .max_by_key(Vec::len)
        .unwrap_or_default();
    if name != "xtask" {
        longest.insert(0, name);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(lines: &[(&str, &[&str])]) -> Graph {
        lines
            .iter()
            .map(|(name, uses)| ((*name).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn upward_use_passes() {
        assert_eq!(problems(&graph(&[("store", &["model", "ledger"]), ("api", &["store"])])), Vec::<String>::new());
    }

    #[test]
    fn downward_use_is_named() {
        assert_eq!(problems(&graph(&[("store", &["bus"])])), ["store uses bus, which comes after it"]);
    }

    #[test]
    fn a_runtime_is_found_through_another_crate() {
        assert_eq!(problems(&graph(&[("detect", &["pool"]), ("pool", &["tokio"])])).len(), 1);
    }

    #[test]
    fn an_api_with_connectors_is_refused() {
        assert_eq!(problems(&graph(&[("api", &["connectors"])])).len(), 1);
    }

    #[test]
    fn a_long_chain_is_written_out() {
        let lines: [(&str, &[&str]); 6] = [
            ("seal", &["model"]),
            ("ledger", &["seal"]),
            ("store", &["ledger"]),
            ("bus", &["store"]),
            ("ingest", &["bus"]),
            ("detect", &["ingest", "model"]),
        ];
        let said = problems(&graph(&lines)).join("\n");
        assert!(
            said.contains("a chain of 7 crates, over 6: detect > ingest > bus > store > ledger > seal > model"),
            "{said}"
        );
    }
}
