//! Why a decision is as it is: the rules that fired, the facts that they read, and the nearest change of the input that
//! would have made it another.

mod facts;
mod search;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;
use shieldops_model::Decision;
use utoipa::ToSchema;

use crate::{
    Input, Policy, load, schema,
    tree::{Index, Node, Path, name_of, package_of, reads_of, walk},
};
use facts::Place;
pub use search::MAX_EVALUATIONS;

/// How long a search may take: then what was found until then is all.
const LONGEST: Duration = Duration::from_secs(10);
/// The most facts that are shown of one rule.
const MAX_FACTS: usize = 40;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PlanExplanation)]
pub struct Explanation {
    pub allow: bool,
    pub approvals_needed: u8,
    pub fired: Vec<Fired>,
    /// What turns a deny into an allow, or an allow into a deny. `None`: none was found, within 2,000 questions and 10 seconds.
    pub nearest: Option<Flip>,
    /// What makes fewer approvals necessary, where any are.
    pub fewer_approvals: Option<Flip>,
    /// How many changed inputs were asked about.
    pub evaluations: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FiredKind {
    Deny,
    Obligation,
}

/// A reason of the decision, and the rule that gave it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Fired {
    pub kind: FiredKind,
    pub code: String,
    pub detail: String,
    /// The policy file and the lines of the rules that give this code.
    pub file: String,
    pub lines: Vec<u32>,
    pub facts: Vec<Fact>,
}

/// Something of the input, as it was.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Fact {
    /// `actions[0].target.environment`.
    pub path: String,
    pub value: Value,
}

/// Changes that together make the decision another.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Flip {
    pub changes: Vec<FactChange>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FactChange {
    pub path: String,
    pub from: Value,
    /// `null` where it is left out.
    pub to: Value,
}

/// Explains what `policy` decides of `input`.
pub fn explain(policy: &Policy, input: &Input) -> Explanation {
    explain_within(LONGEST, policy, input)
}

fn explain_within(longest: Duration, policy: &Policy, input: &Input) -> Explanation {
    let until = Instant::now() + longest;
    let value = serde_json::to_value(input).unwrap_or_default();
    let decision = policy.decide(value.clone());
    let Ok(index) = load::index(policy.files()) else { return bare(&decision) };
    let fired = fired(&index, &decision, &value);
    let near: BTreeSet<String> =
        fired.iter().flat_map(|rule| rule.facts.iter().map(|fact| fact.path.clone())).collect();
    let places = places(&index, &value);
    let mut search = search::Search::new(policy, &value, &places, &near, until);
    let nearest = search.nearest(|other| other.allow != decision.allow);
    let fewer_approvals = if decision.allow && decision.approvals_needed > 0 {
        search.nearest(|other| other.allow && other.approvals_needed < decision.approvals_needed)
    } else {
        None
    };
    let evaluations = search.evaluations();
    Explanation { fired, nearest, fewer_approvals, evaluations, ..bare(&decision) }
}

fn bare(decision: &Decision) -> Explanation {
    Explanation {
        allow: decision.allow,
        approvals_needed: decision.approvals_needed,
        fired: Vec::new(),
        nearest: None,
        fewer_approvals: None,
        evaluations: 0,
    }
}

fn fired(index: &Index, decision: &Decision, input: &Value) -> Vec<Fired> {
    let denies = decision.denies.iter().map(|reason| (FiredKind::Deny, reason));
    let owed = decision.obligations.because.iter().map(|reason| (FiredKind::Obligation, reason));
    let mut all: Vec<Fired> = Vec::new();
    for (kind, reason) in denies.chain(owed) {
        let (file, lines, paths) = source(index, kind, &reason.code);
        all.push(Fired {
            kind,
            code: reason.code.clone(),
            detail: reason.detail.clone(),
            file,
            lines,
            facts: facts_of(&paths, input),
        });
    }
    all
}

/// Where a code comes from: the rules that spell it out, else those that hand on what they were given.
fn source(index: &Index, kind: FiredKind, code: &str) -> (String, Vec<u32>, BTreeSet<Path>) {
    let tenant =
        code.strip_prefix("tenant.").map(|rest| format!("data.tenant.{}", rest.split('.').next().unwrap_or(rest)));
    let wanted = if kind == FiredKind::Deny { "deny" } else { "obligation" };
    let mut found = (String::new(), Vec::new(), BTreeSet::new());
    for module in &index.modules {
        for rule in &module.policy {
            let gives = match &tenant {
                Some(package) => package_of(module) == *package && name_of(rule).as_deref() == Some(wanted),
                None => spells(rule, code),
            };
            if gives {
                found.0.clone_from(rule.span().source.file());
                found.1.push(rule.span().line);
                found.2.extend(reads_of(index, module, rule).into_iter().map(|read| read.path));
            }
        }
    }
    if found.1.is_empty() && kind == FiredKind::Deny && tenant.is_none() {
        return handed_on(index);
    }
    found
}

/// The rule that turns what a capability found into a deny, whatever its code.
fn handed_on(index: &Index) -> (String, Vec<u32>, BTreeSet<Path>) {
    let mut found = (String::new(), Vec::new(), BTreeSet::new());
    for (module, rule) in index.rules("data.shieldops.facts.deny") {
        let reads = reads_of(index, module, rule);
        if reads.iter().any(|read| read.path.to_string().contains(".untouchable")) {
            found.0.clone_from(rule.span().source.file());
            found.1.push(rule.span().line);
            found.2.extend(reads.into_iter().map(|read| read.path));
        }
    }
    found
}

/// Whether `"code": code` stands in a rule.
fn spells(rule: &regorus::unstable::Rule, code: &str) -> bool {
    let mut spelt = false;
    walk(rule, &mut |node| {
        if let Node::Expr(regorus::unstable::Expr::Object { fields, .. }) = node {
            spelt |= fields.iter().any(|(_, key, value)| {
                key.span().text().trim_matches('"') == "code" && value.span().text().trim_matches('"') == code
            });
        }
    });
    spelt
}

/// The facts at these paths; of a path and a longer one only the longer.
fn facts_of(paths: &BTreeSet<Path>, input: &Value) -> Vec<Fact> {
    let leaves = paths.iter().filter(|path| !paths.iter().any(|other| other != *path && other.begins_with(path)));
    let places: BTreeSet<Place> = leaves.flat_map(|path| facts::expand(path, input)).collect();
    let all =
        places.into_iter().filter_map(|place| Some(Fact { path: place.to_string(), value: place.get(input)?.clone() }));
    all.take(MAX_FACTS).collect()
}

/// Everything of the input that any rule reads, with what else could stand there.
fn places(index: &Index, input: &Value) -> Vec<(Place, Vec<Value>)> {
    let schema = schema::input_schema();
    let mut paths = BTreeSet::new();
    for (module, rule) in index.rules("data.shieldops.decision.decision") {
        paths.extend(reads_of(index, module, rule).into_iter().map(|read| read.path));
    }
    let mut places = Vec::new();
    for path in &paths {
        let choices = schema::choices(&schema, path);
        places.extend(facts::expand(path, input).into_iter().map(|place| (place, choices.clone())));
    }
    places
}

/// Inputs that differ from this one in one field.
#[cfg(test)]
pub(crate) fn neighbours(files: &[load::File], input: &Value) -> Vec<Value> {
    let index = load::index(files).unwrap();
    let policy = Policy::built_in().unwrap();
    search::Search::new(&policy, input, &places(&index, input), &BTreeSet::new(), Instant::now() + LONGEST).all()
}

#[cfg(test)]
mod tests;
