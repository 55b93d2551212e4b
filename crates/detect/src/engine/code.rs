//! Conditions as steps: each asks one predicate and says where to go on. What decides soonest for its cost comes first.

use super::program::{Node, PredId};

/// Where a condition ends: the rule matches.
pub(crate) const MATCH: u32 = u32::MAX;
/// It does not.
pub(crate) const MISS: u32 = u32::MAX - 1;
/// Steps of one rule; a longer condition is left to the exact evaluator.
const MAX_STEPS: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The predicate's number in the shard.
    pub(crate) predicate: u32,
    pub(crate) yes: u32,
    pub(crate) no: u32,
}

/// What orders the parts of a condition.
pub(crate) trait Weights {
    /// Nanoseconds.
    fn cost(&self, id: PredId) -> f64;
    /// From 0 to 1.
    fn chance(&self, id: PredId) -> f64;
}

/// Adds the steps of conditions to those of the conditions before.
pub(crate) struct Assembler<'a, W> {
    pub(crate) weights: &'a W,
    pub(crate) steps: Vec<Step>,
    /// The shard's number of a predicate.
    pub(crate) number: &'a mut dyn FnMut(PredId) -> u32,
}

impl<W: Weights> Assembler<'_, W> {
    /// Where the condition begins; `None` when it is too long.
    pub(crate) fn add(&mut self, node: &Node) -> Option<u32> {
        let before = self.steps.len();
        let start = self.emit(node, MATCH, MISS);
        if self.steps.len().saturating_sub(before) > MAX_STEPS {
            self.steps.truncate(before);
            return None;
        }
        Some(start)
    }

    fn emit(&mut self, node: &Node, yes: u32, no: u32) -> u32 {
        match node {
            Node::Const(true) => yes,
            Node::Const(false) => no,
            Node::Pred(id) => {
                let predicate = (self.number)(*id);
                let start = u32::try_from(self.steps.len()).unwrap_or(MISS);
                self.steps.push(Step { predicate, yes, no });
                start
            }
            Node::Not(inner) => self.emit(inner, no, yes),
            Node::All(parts) => self.ordered(parts, false).into_iter().rev().fold(yes, |next, part| self.emit(part, next, no)),
            Node::Any(parts) => self.ordered(parts, true).into_iter().rev().fold(no, |next, part| self.emit(part, yes, next)),
            Node::AtLeast(count, parts) => self.counted(*count, parts, yes, no),
        }
    }

    /// One row of steps for each number of parts that are still missing.
    fn counted(&mut self, count: usize, parts: &[Node], yes: u32, no: u32) -> u32 {
        let mut rows = vec![no; count.saturating_add(1)];
        if let Some(none_missing) = rows.first_mut() {
            *none_missing = yes;
        }
        for part in parts.iter().rev() {
            let mut more = rows.clone();
            for (missing, slot) in more.iter_mut().enumerate().skip(1) {
                let holds = rows.get(missing.saturating_sub(1)).copied().unwrap_or(no);
                let fails = rows.get(missing).copied().unwrap_or(no);
                *slot = if holds == fails { holds } else { self.emit(part, holds, fails) };
                if self.steps.len() > MAX_STEPS.saturating_mul(4) {
                    return no;
                }
            }
            rows = more;
        }
        rows.last().copied().unwrap_or(no)
    }

    /// By what one unit of cost is worth: refuting in `all`, proving in `any`.
    fn ordered<'n>(&self, parts: &'n [Node], any: bool) -> Vec<&'n Node> {
        let rank = |part: &Node| {
            let chance = self.chance(part).clamp(0.0, 1.0);
            self.cost(part) / ((if any { chance } else { 1.0 - chance }) + 0.02)
        };
        let mut ranked: Vec<(f64, &Node)> = parts.iter().map(|part| (rank(part), part)).collect();
        ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
        ranked.into_iter().map(|(_, part)| part).collect()
    }

    fn cost(&self, node: &Node) -> f64 {
        match node {
            Node::Const(_) => 0.0,
            Node::Pred(id) => self.weights.cost(*id),
            Node::Not(inner) => self.cost(inner),
            Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => parts.iter().map(|part| self.cost(part)).sum(),
        }
    }

    fn chance(&self, node: &Node) -> f64 {
        match node {
            Node::Const(value) => f64::from(u8::from(*value)),
            Node::Pred(id) => self.weights.chance(*id),
            Node::Not(inner) => 1.0 - self.chance(inner),
            Node::All(parts) => parts.iter().map(|part| self.chance(part)).product(),
            Node::Any(parts) => parts.iter().map(|part| self.chance(part)).sum::<f64>().min(1.0),
            Node::AtLeast(..) => 0.3,
        }
    }
}

/// Runs a condition; `holds` is asked for predicates by their numbers in the shard.
#[inline]
pub(crate) fn run(steps: &[Step], start: u32, mut holds: impl FnMut(u32) -> bool) -> bool {
    let mut at = start;
    while let Some(step) = usize::try_from(at).ok().and_then(|at| steps.get(at)) {
        at = if holds(step.predicate) { step.yes } else { step.no };
    }
    at == MATCH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Even;

    impl Weights for Even {
        fn cost(&self, id: PredId) -> f64 {
            f64::from(id)
        }

        fn chance(&self, id: PredId) -> f64 {
            f64::from(id % 3) / 2.0
        }
    }

    fn any_node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![4 => (0_u32..6).prop_map(Node::Pred), 1 => any::<bool>().prop_map(Node::Const)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Node::All),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Node::Any),
                (1_usize..4, prop::collection::vec(inner.clone(), 1..5)).prop_map(|(n, parts)| Node::AtLeast(n, parts)),
                inner.prop_map(|inner| Node::Not(Box::new(inner))),
            ]
        })
    }

    fn obvious(node: &Node, facts: u32) -> bool {
        match node {
            Node::Const(value) => *value,
            Node::Pred(id) => facts >> id & 1 == 1,
            Node::Not(inner) => !obvious(inner, facts),
            Node::All(parts) => parts.iter().all(|part| obvious(part, facts)),
            Node::Any(parts) => parts.iter().any(|part| obvious(part, facts)),
            Node::AtLeast(count, parts) => parts.iter().filter(|part| obvious(part, facts)).count() >= *count,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn steps_decide_as_the_condition_does(node in any_node(), facts in 0_u32..64) {
            let mut same = |id| id;
            let mut code = Assembler { weights: &Even, steps: Vec::new(), number: &mut same };
            let simple = node.simplified(&|_| None);
            let starts = [code.add(&node).unwrap(), code.add(&simple).unwrap()];
            let steps = code.steps;
            for start in starts {
                prop_assert_eq!(run(&steps, start, |id| facts >> id & 1 == 1), obvious(&node, facts));
            }
        }
    }
}
