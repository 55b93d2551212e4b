//! The rules that can see one kind of event, compiled together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    code::{Assembler, Step, Weights},
    keys::Keys,
    learn::{FieldKeys, Stats},
    nets::{Hits, Net, Place, Witness, is_plain_number},
    program::{Node, PredId, Program},
    witness::{self, alternatives},
};
use crate::sigma::{
    compile::{Route, RuleSet},
    item::Test,
};

/// A rule's number in its shard.
pub(crate) type Local = u32;

/// What is known of every event of a shard beside its log source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EventId {
    /// Nothing.
    Open,
    /// A plain whole number that no rule names.
    Unnamed,
    Value(u32),
}

#[derive(Debug)]
pub(crate) struct ShardRule {
    /// In the rule set.
    pub(crate) index: usize,
    /// Where its condition begins; `None`: the exact evaluator decides.
    pub(crate) start: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ShardPredicate {
    pub(crate) id: PredId,
    /// The shard's number of its field; `None` for a keyword.
    pub(crate) field: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Shard {
    /// Told apart by plans.
    pub(crate) serial: u64,
    pub(crate) rules: Vec<ShardRule>,
    /// The conditions with what is constant folded away.
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<Step>,
    pub(crate) predicates: Vec<ShardPredicate>,
    pub(crate) fields: Vec<FieldKeys>,
    /// By the shard's number of a field.
    pub(crate) nets: Vec<(usize, Net)>,
    pub(crate) keywords: Option<Net>,
    pub(crate) hits: Vec<Local>,
    /// Rules without a witness.
    pub(crate) always: Vec<Local>,
    /// Rules that match every event, by their index in the set.
    pub(crate) constant: Vec<usize>,
}

static NEXT_SHARD: AtomicU64 = AtomicU64::new(1);

/// What a shard is made from.
pub(crate) struct Recipe<'a> {
    pub(crate) set: &'a RuleSet,
    pub(crate) program: &'a Program,
    pub(crate) keys: &'a Keys,
    pub(crate) route: &'a Route,
    pub(crate) event_id: EventId,
    /// The rule set's number of the field that holds the event id.
    pub(crate) event_id_field: Option<usize>,
}

impl Recipe<'_> {
    /// What a predicate is in every event of the shard.
    pub(crate) fn known(&self, id: PredId) -> Option<bool> {
        let predicate = self.program.predicate(id)?;
        if predicate.field.is_none() || predicate.field != self.event_id_field {
            return None;
        }
        match (self.event_id, &predicate.test) {
            (EventId::Open, _) | (_, Test::FieldRef { .. }) => None,
            (_, Test::Null) => Some(false),
            (_, Test::Exists(wanted)) => Some(*wanted),
            (EventId::Value(value), test) => {
                let text = value.to_string();
                Some(test.passes(&text, &text))
            }
            (EventId::Unnamed, Test::Number { text, .. }) if is_plain_number(text.as_bytes()) => Some(false),
            (EventId::Unnamed, _) => None,
        }
    }

    /// The rules that are left, with their conditions, and those that always match.
    fn rules(&self) -> (Vec<(usize, Node)>, Vec<usize>) {
        let (mut open, mut constant) = (Vec::new(), Vec::new());
        for index in &self.route.rules {
            let Some(node) = self.program.rules.get(*index) else { continue };
            match node.simplified(&|id| self.known(id)) {
                Node::Const(true) => constant.push(*index),
                Node::Const(false) => {}
                node => open.push((*index, node)),
            }
        }
        (open, constant)
    }

    fn field_keys(&self, field: usize) -> FieldKeys {
        let own = std::iter::once(self.set.field_name(field));
        let others = self.route.names.get(&field).into_iter().flatten().map(String::as_str);
        FieldKeys { field: Some(field), keys: own.chain(others).filter_map(|name| self.keys.get(name)).collect() }
    }

    /// The fields and predicates that measurements need.
    pub(crate) fn measured(&self) -> (Vec<FieldKeys>, Vec<PredId>) {
        let (open, _) = self.rules();
        let mut ids = Vec::new();
        open.iter().for_each(|(_, node)| node.each_predicate(&mut |id| ids.push(id)));
        ids.sort_unstable();
        ids.dedup();
        let of = |id: &PredId| self.program.predicate(*id).map(|predicate| predicate.field);
        let mut fields: Vec<Option<usize>> = ids.iter().filter_map(of).collect();
        fields.sort_unstable();
        fields.dedup();
        let keys = |field: Option<usize>| match field {
            Some(field) => self.field_keys(field),
            None => FieldKeys { field: None, keys: Vec::new() },
        };
        (fields.into_iter().map(keys).collect(), ids)
    }
}

/// Numbers of predicates and fields in the shard that is made.
#[derive(Default)]
struct Numbers {
    predicates: Vec<ShardPredicate>,
    by_id: HashMap<PredId, u32>,
    fields: Vec<usize>,
    by_field: HashMap<usize, u32>,
}

impl Numbers {
    fn field(&mut self, field: usize) -> u32 {
        if let Some(number) = self.by_field.get(&field) {
            return *number;
        }
        let number = u32::try_from(self.fields.len()).unwrap_or(u32::MAX);
        self.fields.push(field);
        self.by_field.insert(field, number);
        number
    }

    fn predicate(&mut self, program: &Program, id: PredId) -> u32 {
        if let Some(number) = self.by_id.get(&id) {
            return *number;
        }
        let field = program.predicate(id).and_then(|predicate| predicate.field);
        let field = field.map(|field| self.field(field));
        let number = u32::try_from(self.predicates.len()).unwrap_or(u32::MAX);
        self.predicates.push(ShardPredicate { id, field });
        self.by_id.insert(id, number);
        number
    }
}

struct Measured<'a> {
    program: &'a Program,
    stats: &'a Stats,
}

impl Weights for Measured<'_> {
    fn cost(&self, id: PredId) -> f64 {
        self.program.predicate(id).map_or(0.0, |predicate| witness::cost(predicate, self.stats))
    }

    fn chance(&self, id: PredId) -> f64 {
        self.stats.chance(self.program, id)
    }
}

/// What is looked for in one field, and for which rules.
#[derive(Default)]
struct Wanted {
    witnesses: BTreeMap<Witness, Vec<Local>>,
    beyond: Vec<Local>,
}

impl Shard {
    pub(crate) fn new(recipe: &Recipe<'_>, stats: &Stats) -> Self {
        let program = recipe.program;
        let (open, constant) = recipe.rules();
        let mut numbers = Numbers::default();
        let mut wanted: BTreeMap<Option<usize>, Wanted> = BTreeMap::new();
        let mut always = Vec::new();
        let weights = Measured { program, stats };
        let mut number = |id| numbers.predicate(program, id);
        let mut code = Assembler { weights: &weights, steps: Vec::new(), number: &mut number };
        let mut rules = Vec::with_capacity(open.len());
        let mut scores: HashMap<PredId, Option<f64>> = HashMap::new();
        for (place, (index, node)) in open.iter().enumerate() {
            let local = Local::try_from(place).unwrap_or(Local::MAX);
            node.each_predicate(&mut |id| {
                scores.entry(id).or_insert_with(|| witness::score(program, stats, id));
            });
            match witness::choose(node, &|id| scores.get(&id).copied().flatten()) {
                None => always.push(local),
                Some((_, ids)) => ids.into_iter().for_each(|id| want(program, id, local, &mut wanted)),
            }
            rules.push(ShardRule { index: *index, start: code.add(node) });
        }
        let steps = code.steps;
        let mut shard = Self {
            serial: NEXT_SHARD.fetch_add(1, Ordering::Relaxed),
            rules,
            nodes: open.into_iter().map(|(_, node)| node).collect(),
            steps,
            predicates: Vec::new(),
            fields: Vec::new(),
            nets: Vec::new(),
            keywords: None,
            hits: Vec::new(),
            always,
            constant,
        };
        for (field, wanted) in wanted {
            let net = shard.net(wanted, stats.field(field).1, stats);
            match field.map(|field| numbers.field(field)) {
                Some(number) => shard.nets.push((usize::try_from(number).unwrap_or(usize::MAX), net)),
                None => shard.keywords = Some(net),
            }
        }
        shard.predicates = numbers.predicates;
        shard.fields = numbers.fields.iter().map(|field| recipe.field_keys(*field)).collect();
        shard
    }

    fn net(&mut self, wanted: Wanted, length: f64, stats: &Stats) -> Net {
        let mut numbers = Vec::new();
        let mut patterns = Vec::with_capacity(wanted.witnesses.len());
        for (witness, rules) in wanted.witnesses {
            if witness.place == Place::Number {
                numbers.extend_from_slice(&rules);
            }
            patterns.push((witness, self.list(rules)));
        }
        let lists = [self.list(numbers), self.list(wanted.beyond)];
        Net::new(patterns, lists, length, stats)
    }

    fn list(&mut self, mut rules: Vec<Local>) -> Hits {
        rules.sort_unstable();
        rules.dedup();
        let start = u32::try_from(self.hits.len()).unwrap_or(u32::MAX);
        self.hits.extend(rules);
        let end = u32::try_from(self.hits.len()).unwrap_or(u32::MAX);
        if start == end { Hits::default() } else { Hits { start, end } }
    }

    /// The rules of a list.
    #[inline]
    pub(crate) fn listed(&self, hits: Hits) -> &[Local] {
        let range = usize::try_from(hits.start).unwrap_or(0)..usize::try_from(hits.end).unwrap_or(0);
        self.hits.get(range).unwrap_or_default()
    }

    /// Bytes that the shard takes, nearly.
    pub(crate) fn size(&self) -> usize {
        let nets: usize = self.nets.iter().map(|(_, net)| net).chain(&self.keywords).map(Net::size).sum();
        let steps = self.steps.len().saturating_mul(size_of::<Step>());
        let predicates = self.predicates.len().saturating_mul(size_of::<ShardPredicate>());
        let rules = self.rules.len().saturating_mul(size_of::<ShardRule>());
        let nodes = self.steps.len().saturating_mul(size_of::<Node>());
        [nets, steps, predicates, rules, nodes, self.hits.len().saturating_mul(4)].into_iter().sum()
    }
}

fn want(program: &Program, id: PredId, local: Local, wanted: &mut BTreeMap<Option<usize>, Wanted>) {
    let Some(predicate) = program.predicate(id) else { return };
    let Some(found) = alternatives(predicate) else { return };
    let wanted = wanted.entry(predicate.field).or_default();
    for witness in found.witnesses {
        wanted.witnesses.entry(witness).or_default().push(local);
    }
    if found.beyond {
        wanted.beyond.push(local);
    }
}
