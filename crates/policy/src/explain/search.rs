//! Looks for the nearest change that makes a decision another: one field, then two, with a bound on the questions.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};
use shieldops_model::Decision;

use super::{FactChange, Flip, facts::Place};
use crate::Policy;

/// The most changed inputs that one explanation asks about.
pub const MAX_EVALUATIONS: u32 = 2_000;
/// Of these, how many may go to single changes for one question.
const MAX_SINGLE: u32 = 700;
/// Of the candidates for pairs, the first so many are paired with each other.
const MAX_PAIRED: usize = 40;
/// What number is tried as a large one.
const LARGE: u64 = 100_000;
/// What makes every decision another and explains none.
const FIXED: &[&str] = &["entry", "stage", "tenant", "now", "requester.kind", "requester.id", "operators_complete"];

/// One field with another value.
#[derive(Debug, Clone)]
struct Change {
    place: Place,
    /// `None`: the member is taken away.
    to: Option<Value>,
    /// Smaller is nearer.
    cost: f64,
}

pub(super) struct Search<'a> {
    policy: &'a Policy,
    input: &'a Value,
    candidates: Vec<Change>,
    left: u32,
    /// A tenant's own policies may take a quarter of a second for each question.
    until: Instant,
}

impl<'a> Search<'a> {
    /// `near` are the facts that the fired rules read: a change of theirs is nearer than any other.
    pub(super) fn new(
        policy: &'a Policy,
        input: &'a Value,
        places: &[(Place, Vec<Value>)],
        near: &BTreeSet<String>,
        until: Instant,
    ) -> Self {
        let mut candidates = Vec::new();
        for (place, choices) in places {
            let path = place.to_string();
            if FIXED.contains(&path.as_str()) {
                continue;
            }
            for (to, cost) in others(&path, place.get(input).unwrap_or(&Value::Null), choices) {
                let far = if near.contains(&path) { 0.0 } else { 4.0 };
                let settings = if path.starts_with("situation.numbers") { 1.0 } else { 0.0 };
                let nature = if path.contains(".capability.") || path.contains(".facts.") { 2.0 } else { 0.0 };
                candidates.push(Change { place: place.clone(), to: Some(to), cost: cost + far + settings + nature });
            }
            candidates.extend(without_members(place, input, near));
        }
        candidates.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        Self { policy, input, candidates, left: MAX_EVALUATIONS, until }
    }

    pub(super) fn evaluations(&self) -> u32 {
        MAX_EVALUATIONS - self.left
    }

    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    fn is_over(&self) -> bool {
        self.left == 0 || self.is_late()
    }

    /// The nearest change after which `wanted` holds.
    pub(super) fn nearest(&mut self, wanted: impl Fn(&Decision) -> bool) -> Option<Flip> {
        self.single(&wanted).or_else(|| self.pair(&wanted))
    }

    fn single(&mut self, wanted: &impl Fn(&Decision) -> bool) -> Option<Flip> {
        let candidates = self.candidates.clone();
        let most = self.left.saturating_sub(MAX_SINGLE);
        let mut best: Option<Change> = None;
        for change in candidates {
            // They come by cost, and a number that is brought nearer never costs more than one.
            if self.left <= most || self.is_late() || best.as_ref().is_some_and(|best| best.cost + 1.0 < change.cost) {
                break;
            }
            if !self.holds(&[&change], wanted) {
                continue;
            }
            let change = self.brought_nearer(change, wanted);
            if best.as_ref().is_none_or(|best| change.cost < best.cost) {
                best = Some(change);
            }
        }
        best.map(|change| self.flip(&[&change]))
    }

    fn pair(&mut self, wanted: &impl Fn(&Decision) -> bool) -> Option<Flip> {
        let candidates: Vec<Change> = self.candidates.iter().take(MAX_PAIRED).cloned().collect();
        for (at, first) in candidates.iter().enumerate() {
            for second in candidates.iter().take(at).filter(|second| second.place != first.place) {
                if self.is_over() {
                    return None;
                }
                if self.holds(&[first, second], wanted) {
                    return Some(self.flip(&[second, first]));
                }
            }
        }
        None
    }

    /// For a whole number: the value nearest to what it is that still does it.
    fn brought_nearer(&mut self, change: Change, wanted: &impl Fn(&Decision) -> bool) -> Change {
        let from = change.place.get(self.input).and_then(Value::as_u64);
        let (Some(mut not), Some(mut does)) = (from, change.to.as_ref().and_then(Value::as_u64)) else { return change };
        let begun = not;
        while not.abs_diff(does) > 1 && !self.is_over() {
            let between = not.midpoint(does);
            let tried = Change { to: Some(json!(between)), ..change.clone() };
            if self.holds(&[&tried], wanted) { does = between } else { not = between }
        }
        let moved =
            u32::try_from(begun.abs_diff(does)).map_or(1.0, |moved| f64::from(moved) / (f64::from(moved) + 1000.0));
        Change { to: Some(json!(does)), cost: change.cost - 1.0 + moved, ..change }
    }

    fn holds(&mut self, changes: &[&Change], wanted: &impl Fn(&Decision) -> bool) -> bool {
        if self.is_over() {
            return false;
        }
        self.left -= 1;
        let mut input = self.input.clone();
        for change in changes {
            change.place.put(&mut input, change.to.as_ref());
        }
        let decision = self.policy.decide(input);
        wanted(&decision) && !decision.denies.iter().any(|deny| deny.code == "policy_error")
    }

    /// Every candidate, done.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Value> {
        let done = |change: &Change| {
            let mut input = self.input.clone();
            change.place.put(&mut input, change.to.as_ref());
            input
        };
        self.candidates.iter().map(done).collect()
    }

    fn flip(&self, changes: &[&Change]) -> Flip {
        let changed = |change: &&Change| FactChange {
            path: change.place.to_string(),
            from: change.place.get(self.input).cloned().unwrap_or_default(),
            to: change.to.clone().unwrap_or_default(),
        };
        Flip { changes: changes.iter().map(changed).collect() }
    }
}

/// What else could stand there, with how far that is.
fn others(path: &str, value: &Value, choices: &[Value]) -> Vec<(Value, f64)> {
    match value {
        Value::Bool(is) => vec![(json!(!is), 1.0)],
        Value::Number(_) if path.contains(".autonomy.") => {
            (0..=4).filter(|level| json!(level) != *value).map(|level| (json!(level), 1.0)).collect()
        }
        Value::Number(_) if path.ends_with("base_risk") => {
            (1..=3).filter(|risk| json!(risk) != *value).map(|risk| (json!(risk), 1.0)).collect()
        }
        Value::Number(_) if path.ends_with("_prefix") => {
            vec![(json!(1), 1.0), (json!(if path.contains("v4") { 32 } else { 128 }), 1.0)]
        }
        Value::Number(number) if number.is_f64() => vec![(json!(0.0), 1.0), (json!(1.0), 1.0)],
        Value::Number(_) => vec![(json!(0), 1.0), (json!(LARGE), 1.0)],
        Value::Null if path.ends_with("break_glass") || path.ends_with("freeze_override") => {
            vec![(json!({"by": "usr_of_a_person", "reason": "a reason"}), 2.0)]
        }
        Value::Null if path.ends_with("confidence") => vec![(json!(1.0), 1.0)],
        Value::Null if path.ends_with("autonomy.tenant") => vec![(json!(0), 1.0), (json!(4), 1.0)],
        Value::Null | Value::String(_) => {
            choices.iter().filter(|other| *other != value).map(|other| (other.clone(), 1.0)).collect()
        }
        Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

/// A list with one member less.
fn without_members(place: &Place, input: &Value, near: &BTreeSet<String>) -> Vec<Change> {
    let Some(Value::Array(items)) = place.get(input) else { return Vec::new() };
    let path = place.to_string();
    // A plan of no action is no plan, and what an action reaches follows from its parameters.
    let fixed = path.ends_with(".resources") || path.ends_with(".effects") || path == "actions" && items.len() < 2;
    let far = if near.iter().any(|fact| fact.starts_with(&path)) { 0.0 } else { 4.0 };
    let members = if fixed { 0 } else { items.len().min(20) };
    (0..members).map(|member| Change { place: place.member(member), to: None, cost: 1.5 + far }).collect()
}
