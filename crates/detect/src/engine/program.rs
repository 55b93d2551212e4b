//! Rules as conditions over predicates: what one field's values must be. Equal predicates of all rules are one.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use super::{
    raw::Raw,
    witness::{self, Alternatives},
};
use crate::sigma::{
    compile::CompiledRule,
    condition::Expr,
    detection::Block,
    item::{Item, Test},
};

/// Number of a predicate in its program, or of one in a shard.
pub(crate) type PredId = u32;

/// One test of one field's values; `field` is the rule set's number of it, `None` a keyword.
#[derive(Debug)]
pub(crate) struct Predicate {
    pub(crate) field: Option<usize>,
    pub(crate) test: Test,
    pub(crate) raw: Raw,
    alternatives: OnceLock<Option<Alternatives>>,
}

impl Predicate {
    fn new(field: Option<usize>, test: &Test, number: &dyn Fn(&str) -> Option<usize>) -> Self {
        Self { field, test: test.clone(), raw: Raw::of(test, number), alternatives: OnceLock::new() }
    }

    /// What must be there when it holds; `None` when it may hold in an event without the field.
    pub(crate) fn alternatives(&self) -> Option<&Alternatives> {
        self.alternatives.get_or_init(|| witness::alternatives(self)).as_ref()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Const(bool),
    Pred(PredId),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    AtLeast(usize, Vec<Node>),
}

/// Conditions and predicates of a set. A set that follows another takes over its program and adds to it: numbers keep
/// their meaning, so what was made of them can be shared. What no rule uses any more stays until a set begins anew.
#[derive(Debug, Default, Clone)]
pub(crate) struct Program {
    predicates: Vec<Arc<Predicate>>,
    /// By a hash of field and test.
    known: HashMap<u64, PredId>,
    /// By the rule's slot.
    conditions: Vec<Arc<Node>>,
}

impl Program {
    /// Adds the conditions of rules whose slots follow those there are. `number` is the rule set's number of a field.
    pub(crate) fn add<'r>(
        &mut self,
        rules: impl Iterator<Item = &'r CompiledRule>,
        number: &dyn Fn(&str) -> Option<usize>,
    ) {
        let mut builder = Builder { program: self, number };
        for rule in rules {
            let condition = builder.rule(rule);
            builder.program.conditions.push(Arc::new(condition));
        }
    }

    pub(crate) fn predicate(&self, id: PredId) -> Option<&Predicate> {
        self.shared(id).map(|predicate| &**predicate)
    }

    pub(crate) fn shared(&self, id: PredId) -> Option<&Arc<Predicate>> {
        self.predicates.get(usize::try_from(id).ok()?)
    }

    /// The condition of the rule in that slot.
    pub(crate) fn condition(&self, slot: usize) -> Option<&Node> {
        self.conditions.get(slot).map(|condition| &**condition)
    }

    pub(crate) fn slots(&self) -> usize {
        self.conditions.len()
    }

    pub(crate) fn predicates(&self) -> usize {
        self.predicates.len()
    }

    fn known(&self, hash: u64, field: Option<usize>, identity: &str) -> Option<PredId> {
        let id = *self.known.get(&hash)?;
        let predicate = self.predicate(id)?;
        (predicate.field == field && predicate.test.identity() == identity).then_some(id)
    }
}

struct Builder<'a> {
    program: &'a mut Program,
    number: &'a dyn Fn(&str) -> Option<usize>,
}

impl Builder<'_> {
    fn rule(&mut self, rule: &CompiledRule) -> Node {
        let selections: Vec<Node> =
            rule.detection.selections.iter().map(|selection| self.block(rule, &selection.block)).collect();
        condition(&rule.detection.condition, &selections).simplified(&|_| None)
    }

    fn block(&mut self, rule: &CompiledRule, block: &Block) -> Node {
        match block {
            Block::All(blocks) => Node::All(blocks.iter().map(|block| self.block(rule, block)).collect()),
            Block::Any(blocks) => Node::Any(blocks.iter().map(|block| self.block(rule, block)).collect()),
            Block::Item(item) => self.item(rule, item),
        }
    }

    fn item(&mut self, rule: &CompiledRule, item: &Item) -> Node {
        let field = rule.fields.get(item.index).copied().flatten();
        let tests: Vec<Node> = item.values.iter().map(|candidate| self.test(field, &candidate.test)).collect();
        let node = if item.modifiers.all { Node::All(tests) } else { Node::Any(tests) };
        if item.modifiers.negated { Node::Not(Box::new(node)) } else { node }
    }

    fn test(&mut self, field: Option<usize>, test: &Test) -> Node {
        match test {
            Test::Unresolved => Node::Const(false),
            Test::Either(tests) => Node::Any(tests.iter().map(|test| self.test(field, test)).collect()),
            test => self.predicate(field, test),
        }
    }

    fn predicate(&mut self, field: Option<usize>, test: &Test) -> Node {
        let identity = test.identity();
        let mut hasher = DefaultHasher::new();
        (field, &identity).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(id) = self.program.known(hash, field, &identity) {
            return Node::Pred(id);
        }
        let Ok(id) = PredId::try_from(self.program.predicates.len()) else { return Node::Const(false) };
        self.program.predicates.push(Arc::new(Predicate::new(field, test, self.number)));
        self.program.known.insert(hash, id);
        Node::Pred(id)
    }
}

fn condition(expr: &Expr, selections: &[Node]) -> Node {
    let selection = |index: &usize| selections.get(*index).cloned().unwrap_or(Node::Const(false));
    match expr {
        Expr::Selection(index) => selection(index),
        Expr::Not(inner) => Node::Not(Box::new(condition(inner, selections))),
        Expr::All(parts) => Node::All(parts.iter().map(|part| condition(part, selections)).collect()),
        Expr::Any(parts) => Node::Any(parts.iter().map(|part| condition(part, selections)).collect()),
        Expr::AtLeast(count, chosen) => Node::AtLeast(*count, chosen.iter().map(selection).collect()),
    }
}

impl Node {
    /// The same condition where `known` says what some predicates are.
    pub(crate) fn simplified(&self, known: &dyn Fn(PredId) -> Option<bool>) -> Self {
        match self {
            Self::Const(value) => Self::Const(*value),
            Self::Pred(id) => known(*id).map_or(Self::Pred(*id), Self::Const),
            Self::Not(inner) => match inner.simplified(known) {
                Self::Const(value) => Self::Const(!value),
                Self::Not(twice) => *twice,
                other => Self::Not(Box::new(other)),
            },
            Self::All(parts) => joined(parts, known, false),
            Self::Any(parts) => joined(parts, known, true),
            Self::AtLeast(count, parts) => at_least(*count, parts, known),
        }
    }

    pub(crate) fn each_predicate(&self, visit: &mut impl FnMut(PredId)) {
        match self {
            Self::Const(_) => {}
            Self::Pred(id) => visit(*id),
            Self::Not(inner) => inner.each_predicate(visit),
            Self::All(parts) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                for part in parts {
                    part.each_predicate(visit);
                }
            }
        }
    }
}

/// `any`: whether one part is enough; a part that is so decides.
fn joined(parts: &[Node], known: &dyn Fn(PredId) -> Option<bool>, any: bool) -> Node {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part.simplified(known) {
            Node::Const(value) if value == any => return Node::Const(any),
            Node::Const(_) => {}
            Node::All(inner) if !any => kept.extend(inner),
            Node::Any(inner) if any => kept.extend(inner),
            other => kept.push(other),
        }
    }
    match (kept.len(), any) {
        (0, _) => Node::Const(!any),
        (1, _) => kept.swap_remove(0),
        (_, true) => Node::Any(kept),
        (_, false) => Node::All(kept),
    }
}

fn at_least(mut count: usize, parts: &[Node], known: &dyn Fn(PredId) -> Option<bool>) -> Node {
    let mut open = Vec::with_capacity(parts.len());
    for part in parts {
        match part.simplified(known) {
            Node::Const(true) => count = count.saturating_sub(1),
            Node::Const(false) => {}
            other => open.push(other),
        }
    }
    match count {
        // The exact evaluator asks for the first selection before it counts: none of none is no match.
        0 if parts.is_empty() => Node::Const(false),
        0 => Node::Const(true),
        _ if count > open.len() => Node::Const(false),
        1 => joined(&open, known, true),
        _ if count == open.len() => joined(&open, known, false),
        _ => Node::AtLeast(count, open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_folded_away() {
        let [a, b, c] = [0, 1, 2].map(Node::Pred);
        let known = |id| (id == 0).then_some(true);
        let all = Node::All(vec![a.clone(), b.clone()]);
        assert_eq!(all.simplified(&known), b);
        assert_eq!(Node::Not(Box::new(a.clone())).simplified(&known), Node::Const(false));
        assert_eq!(Node::Any(vec![a.clone(), b.clone()]).simplified(&known), Node::Const(true));
        let two = Node::AtLeast(2, vec![a, b.clone(), c.clone()]);
        assert_eq!(two.simplified(&known), Node::Any(vec![b.clone(), c.clone()]));
        assert_eq!(two.simplified(&|id| (id < 2).then_some(false)), Node::Const(false));
        let nested = Node::Any(vec![Node::Any(vec![b.clone(), c.clone()]), Node::Const(false)]);
        assert_eq!(nested.simplified(&|_| None), Node::Any(vec![b, c]));
    }
}
