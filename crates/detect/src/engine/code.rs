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

/// Predicates of which one is enough, asked as one.
pub(crate) struct Joined {
    /// The predicate's number in the shard.
    pub(crate) number: u32,
    pub(crate) members: Vec<PredId>,
}

/// A part of a condition in the order of evaluation.
enum Part<'n> {
    Node(&'n Node),
    Joined(u32),
}

/// What it costs to ask joined predicates.
const JOINED_COST: f64 = 12.0;

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
    /// The shard's numbers of predicates.
    pub(crate) numbers: &'a mut dyn Numbering,
}

/// Gives predicates their numbers in a shard.
pub(crate) trait Numbering {
    fn number(&mut self, id: PredId) -> u32;
    /// Those of these alternatives that can be asked together.
    fn join(&mut self, ids: &[PredId]) -> Vec<Joined>;
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
                let predicate = self.numbers.number(*id);
                let start = u32::try_from(self.steps.len()).unwrap_or(MISS);
                self.steps.push(Step { predicate, yes, no });
                start
            }
            Node::Not(inner) => self.emit(inner, no, yes),
            Node::All(parts) => {
                self.ordered(parts, false).into_iter().rev().fold(yes, |next, part| self.emit_part(&part, next, no))
            }
            Node::Any(parts) => {
                self.ordered(parts, true).into_iter().rev().fold(no, |next, part| self.emit_part(&part, yes, next))
            }
            Node::AtLeast(count, parts) => self.counted(*count, parts, yes, no),
        }
    }

    fn emit_part(&mut self, part: &Part<'_>, yes: u32, no: u32) -> u32 {
        match part {
            Part::Node(node) => self.emit(node, yes, no),
            Part::Joined(predicate) => {
                let start = u32::try_from(self.steps.len()).unwrap_or(MISS);
                self.steps.push(Step { predicate: *predicate, yes, no });
                start
            }
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
    fn ordered<'n>(&mut self, parts: &'n [Node], any: bool) -> Vec<Part<'n>> {
        let worth = |cost: f64, chance: f64| {
            let chance = chance.clamp(0.0, 1.0);
            cost / ((if any { chance } else { 1.0 - chance }) + 0.02)
        };
        let joined = if any { self.joined(parts) } else { Vec::new() };
        let is_joined =
            |part: &Node| matches!(part, Node::Pred(id) if joined.iter().any(|set| set.members.contains(id)));
        let rest = parts.iter().filter(|part| !is_joined(part));
        let mut ranked: Vec<(f64, Part<'n>)> =
            rest.map(|part| (worth(self.cost(part), self.chance(part)), Part::Node(part))).collect();
        for set in &joined {
            let chance = set.members.iter().map(|id| self.weights.chance(*id)).sum();
            ranked.push((worth(JOINED_COST, chance), Part::Joined(set.number)));
        }
        ranked.sort_by(|one, other| one.0.total_cmp(&other.0));
        ranked.into_iter().map(|(_, part)| part).collect()
    }

    fn joined(&mut self, parts: &[Node]) -> Vec<Joined> {
        let ids = parts.iter().filter_map(|part| if let Node::Pred(id) = part { Some(*id) } else { None });
        let ids: Vec<PredId> = ids.collect();
        if ids.len() < 2 { Vec::new() } else { self.numbers.join(&ids) }
    }

    fn cost(&self, node: &Node) -> f64 {
        match node {
            Node::Const(_) => 0.0,
            Node::Pred(id) => self.weights.cost(*id),
            Node::Not(inner) => self.cost(inner),
            Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
                parts.iter().map(|part| self.cost(part)).sum()
            }
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

    struct Same;

    impl Numbering for Same {
        fn number(&mut self, id: PredId) -> u32 {
            id
        }

        /// Number 10 stands for 0 and 1 together.
        fn join(&mut self, ids: &[PredId]) -> Vec<Joined> {
            let both = ids.contains(&0) && ids.contains(&1);
            if both { vec![Joined { number: 10, members: vec![0, 1] }] } else { Vec::new() }
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
            let mut code = Assembler { weights: &Even, steps: Vec::new(), numbers: &mut Same };
            let simple = node.simplified(&|_| None);
            let starts = [code.add(&node).unwrap(), code.add(&simple).unwrap()];
            let steps = code.steps;
            for start in starts {
                let holds = |id| if id == 10 { facts & 3 != 0 } else { facts >> id & 1 == 1 };
                prop_assert_eq!(run(&steps, start, holds), obvious(&node, facts));
            }
        }
    }
}
