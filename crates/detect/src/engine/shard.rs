//! The rules that can see one kind of event, compiled together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use shieldops_vector::View;

use super::{
    code::{Assembler, Joined, Numbering, Step, Weights},
    keys::Keys,
    learn::{FieldKeys, Stats},
    nets::{Edges, Hits, Net, Place, Witness, is_plain_number},
    program::{Node, PredId, Predicate, Program},
    raw::{Raw, Text},
    witness,
};
use crate::sigma::{
    compile::{Route, RuleSet},
    item::Test,
    pattern::Anchor,
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
    /// Its slot, which every set that shares the shard gives a place of its own.
    pub(crate) slot: usize,
    /// Where its condition begins; `None`: the exact evaluator decides.
    pub(crate) start: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct ShardPredicate {
    /// `None` for one that stands for a set.
    pub(crate) predicate: Option<Arc<Predicate>>,
    /// The shard's number of its field; `None` for a keyword.
    pub(crate) field: Option<u32>,
    /// That of the field whose value it compares with.
    pub(crate) other: Option<u32>,
    /// The number of the set that it stands for.
    pub(crate) set: Option<u32>,
    pub(crate) quick: Quick,
}

/// Ends and whole values of one field, of which one is enough.
#[derive(Debug)]
pub(crate) struct OneOf {
    /// Report the shard's number of a member.
    pub(crate) edges: Edges,
    pub(crate) members: Vec<u32>,
}

/// Fewer are asked one after the other.
const MIN_JOINED: usize = 5;

/// What refutes most plain values without a look at the pattern: its length and the bytes at its edge.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quick {
    edge: u64,
    /// Of the bytes of `edge`, those that count; none: nothing is refuted.
    mask: u64,
    length: u32,
    whole: bool,
    first: bool,
}

impl Quick {
    const LOWER: u64 = 0x2020_2020_2020_2020;

    fn of(raw: &Raw) -> Self {
        let Raw::Text(text) = raw else { return Self::default() };
        let (whole, first) = match text.anchor {
            Anchor::Whole => (true, true),
            Anchor::Start => (false, true),
            Anchor::End => (false, false),
            Anchor::Anywhere => return Self::default(),
        };
        let bytes = text.needle.text();
        let count = bytes.len().min(8);
        let part = if first { bytes.get(..count) } else { bytes.get(bytes.len().saturating_sub(count)..) };
        let mut edge = [0; 8];
        let mut mask = [0; 8];
        for ((to, set), from) in edge.iter_mut().zip(&mut mask).zip(part.unwrap_or_default()) {
            (*to, *set) = (from | 0x20, 0xff);
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { edge: u64::from_le_bytes(edge), mask: u64::from_le_bytes(mask), length, whole, first }
    }

    /// Whether the text cannot stand in the value, whose bytes may be compared.
    #[inline]
    pub(crate) fn refutes(&self, value: View<'_>) -> bool {
        if self.mask == 0 {
            return false;
        }
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let (have, same) = (value.len(), value.len() == length);
        if have < length || self.whole && !same {
            return true;
        }
        let at = if self.first { 0 } else { have.saturating_sub(length.min(8)) };
        ((value.word(at) | Self::LOWER) ^ self.edge) & self.mask != 0
    }
}

#[derive(Debug)]
pub(crate) struct Shard {
    /// Told apart by plans.
    pub(crate) serial: u64,
    pub(crate) rules: Vec<ShardRule>,
    /// The conditions with what is constant folded away.
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<Step>,
    pub(crate) sets: Vec<OneOf>,
    pub(crate) predicates: Vec<ShardPredicate>,
    pub(crate) fields: Vec<FieldKeys>,
    /// By the shard's number of a field.
    pub(crate) nets: Vec<(usize, Net)>,
    pub(crate) keywords: Option<Net>,
    pub(crate) hits: Vec<Local>,
    /// Rules without a witness.
    pub(crate) always: Vec<Local>,
    /// Slots of rules that match every event.
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
        for slot in self.route.rules.iter().filter_map(|rule| self.set.slot(*rule)) {
            match self.condition(slot) {
                Node::Const(true) => constant.push(slot),
                Node::Const(false) => {}
                node => open.push((slot, node)),
            }
        }
        (open, constant)
    }

    /// What is left of the condition of the rule in that slot.
    fn condition(&self, slot: usize) -> Node {
        self.program.condition(slot).map_or(Node::Const(false), |node| node.simplified(&|id| self.known(id)))
    }

    /// Whether the rule in that slot can match an event of the shard.
    pub(crate) fn concerns(&self, slot: usize) -> bool {
        self.condition(slot) != Node::Const(false)
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
        for (_, node) in &open {
            node.each_predicate(&mut |id| ids.push(id));
        }
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
struct Numbers<'a> {
    program: &'a Program,
    sets: Vec<OneOf>,
    predicates: Vec<ShardPredicate>,
    by_id: HashMap<PredId, u32>,
    fields: Vec<usize>,
    by_field: HashMap<usize, u32>,
}

impl Numbers<'_> {
    fn field(&mut self, field: usize) -> u32 {
        if let Some(number) = self.by_field.get(&field) {
            return *number;
        }
        let number = u32::try_from(self.fields.len()).unwrap_or(u32::MAX);
        self.fields.push(field);
        self.by_field.insert(field, number);
        number
    }

    /// The field of a text that stands at the end of a value or is all of it.
    fn end_field(&self, id: PredId) -> Option<usize> {
        let predicate = self.program.predicate(id)?;
        match &predicate.raw {
            Raw::Text(Text { anchor: Anchor::End | Anchor::Whole, cased: None, .. }) => predicate.field,
            _ => None,
        }
    }

    fn set(&mut self, field: usize, ids: &[PredId]) -> u32 {
        let members: Vec<u32> = ids.iter().map(|id| self.number(*id)).collect();
        let mut texts = Vec::with_capacity(ids.len());
        for (id, number) in ids.iter().zip(&members) {
            if let Some(Raw::Text(text)) = self.program.predicate(*id).map(|predicate| &predicate.raw) {
                let whole = text.anchor == Anchor::Whole;
                texts.push((text.needle.text().to_vec(), whole, Hits { start: *number, end: *number }));
            }
        }
        let set = u32::try_from(self.sets.len()).ok();
        self.sets.push(OneOf { edges: Edges::new(texts, false), members });
        let field = Some(self.field(field));
        let number = u32::try_from(self.predicates.len()).unwrap_or(u32::MAX);
        self.predicates.push(ShardPredicate { predicate: None, field, other: None, set, quick: Quick::default() });
        number
    }
}

impl Numbering for Numbers<'_> {
    fn join(&mut self, ids: &[PredId]) -> Vec<Joined> {
        let mut by_field: BTreeMap<usize, Vec<PredId>> = BTreeMap::new();
        for id in ids {
            if let Some(field) = self.end_field(*id) {
                by_field.entry(field).or_default().push(*id);
            }
        }
        let large = by_field.into_iter().filter(|(_, ids)| ids.len() >= MIN_JOINED);
        large.map(|(field, members)| Joined { number: self.set(field, &members), members }).collect()
    }

    fn number(&mut self, id: PredId) -> u32 {
        if let Some(number) = self.by_id.get(&id) {
            return *number;
        }
        let predicate = self.program.shared(id);
        let other = match predicate.map(|predicate| &predicate.raw) {
            Some(Raw::Reference { other: Some(other), .. }) => Some(self.field(*other)),
            _ => None,
        };
        let field = predicate.and_then(|predicate| predicate.field).map(|field| self.field(field));
        let quick = predicate.map_or_else(Quick::default, |predicate| Quick::of(&predicate.raw));
        let number = u32::try_from(self.predicates.len()).unwrap_or(u32::MAX);
        let predicate = predicate.map(Arc::clone);
        self.predicates.push(ShardPredicate { predicate, field, other, set: None, quick });
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
        let mut numbers = Numbers {
            program,
            sets: Vec::new(),
            predicates: Vec::new(),
            by_id: HashMap::new(),
            fields: Vec::new(),
            by_field: HashMap::new(),
        };
        let mut wanted: BTreeMap<Option<usize>, Wanted> = BTreeMap::new();
        let mut always = Vec::new();
        let weights = Measured { program, stats };
        let mut code = Assembler { weights: &weights, steps: Vec::new(), numbers: &mut numbers };
        let mut rules = Vec::with_capacity(open.len());
        let mut scores: HashMap<PredId, Option<witness::Score>> = HashMap::new();
        for (place, (slot, node)) in open.iter().enumerate() {
            let local = Local::try_from(place).unwrap_or(Local::MAX);
            node.each_predicate(&mut |id| {
                scores.entry(id).or_insert_with(|| witness::score(program, stats, id));
            });
            let verify = witness::verification(program, stats, node);
            let score = |id| Some(scores.get(&id).copied().flatten()?.total(verify));
            match witness::choose(node, &score) {
                None => always.push(local),
                Some((_, ids)) => ids.into_iter().for_each(|id| want(program, id, local, &mut wanted)),
            }
            rules.push(ShardRule { slot: *slot, start: code.add(node) });
        }
        let steps = code.steps;
        let mut shard = Self {
            serial: NEXT_SHARD.fetch_add(1, Ordering::Relaxed),
            rules,
            nodes: open.into_iter().map(|(_, node)| node).collect(),
            steps,
            sets: Vec::new(),
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
        shard.sets = numbers.sets;
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
        let sets: usize = self.sets.iter().map(|set| set.edges.size().saturating_add(set.members.len())).sum();
        [nets, steps, sets, predicates, rules, nodes, self.hits.len().saturating_mul(4)].into_iter().sum()
    }
}

fn want(program: &Program, id: PredId, local: Local, wanted: &mut BTreeMap<Option<usize>, Wanted>) {
    let Some(predicate) = program.predicate(id) else { return };
    let Some(found) = predicate.alternatives() else { return };
    let wanted = wanted.entry(predicate.field).or_default();
    for witness in &found.witnesses {
        if let Some(rules) = wanted.witnesses.get_mut(witness) {
            rules.push(local);
        } else {
            wanted.witnesses.insert(witness.clone(), vec![local]);
        }
    }
    if found.beyond {
        wanted.beyond.push(local);
    }
}
