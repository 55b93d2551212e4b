//! The loop over a batch, and what one worker keeps between batches.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use shieldops_vector::{Padded, prefetch};

use super::{
    bytes::escape,
    input::{Input, Opened},
    keys::{Key, Keys},
    nets::{Hits, Net},
    plan::{Plan, all_of},
    routes::{Origin, Routes, texts_of},
    shape::{Line, Shapes},
    shard::{Local, Shard},
    source::SourceFields,
    verify::{Judge, Memory},
};
use crate::sigma::{
    compile::{CompiledRule, Route, RuleSet},
    matcher::{EventRef, ScanStats, Worker},
};

/// What the fast path takes and did, for a rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    pub shards: usize,
    /// Shards made again after learning.
    pub rebuilt: usize,
    /// Shards taken over from the set before, when this set was compiled.
    pub shared: usize,
    pub predicates: usize,
    /// Of the shards and the events kept to learn from, nearly.
    pub bytes: usize,
}

/// The fast path of one worker.
#[derive(Debug, Default)]
pub(crate) struct Fast {
    /// The rule set that everything here is about.
    set: u64,
    version: u64,
    era: u64,
    keys: Arc<Keys>,
    fields: Option<SourceFields>,
    input: Input,
    shapes: Shapes,
    routes: Routes,
    memory: Memory,
    scratch: Scratch,
    /// Cells whose shard is to be made again.
    due: Vec<usize>,
    /// What may be spent on that, in tenths of a microsecond.
    credit: Credit,
}

/// Learning is paid for by events: little time for each, saved up.
#[derive(Debug)]
struct Credit(usize);

impl Default for Credit {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

impl Credit {
    /// A new worker may spend 30 ms.
    const FIRST: usize = 300_000;
    const MOST: usize = 1_000_000;

    /// What it costs, nearly, to make a shard again.
    fn cost(shard: &Shard) -> usize {
        shard.predicates.len().saturating_mul(20).saturating_add(500)
    }
}

/// Buffers of one event.
#[derive(Debug, Default)]
struct Scratch {
    tried: Tried,
    matched: Vec<usize>,
    text: Padded,
}

/// Rules of a shard whose witness was found, each once.
#[derive(Debug, Default)]
struct Tried {
    rules: Vec<Local>,
    /// By rule: the number of the event in which it was last added.
    seen: Vec<u32>,
    event: u32,
}

impl Tried {
    fn begin(&mut self, shard: &Shard) {
        self.rules.clear();
        self.event = self.event.wrapping_add(1);
        if self.event == 0 {
            self.seen.fill(0);
            self.event = 1;
        }
        if self.seen.len() < shard.rules.len() {
            self.seen.resize(shard.rules.len(), 0);
        }
    }

    #[inline]
    fn add(&mut self, rules: &[Local]) {
        for rule in rules {
            if let Some(seen) = usize::try_from(*rule).ok().and_then(|rule| self.seen.get_mut(rule))
                && *seen != self.event
            {
                *seen = self.event;
                self.rules.push(*rule);
            }
        }
    }
}

/// Events after which shards that are due are made again within a batch.
const STRETCH: usize = 512;

impl RuleSet {
    /// Like [`RuleSet::scan`], for lines that name their log source themselves. The sink gets the number of the line.
    pub fn scan_lines(
        &self,
        worker: &mut Worker,
        fields: &SourceFields,
        lines: &[Range<usize>],
        bytes: &[u8],
        sink: &mut impl FnMut(usize, &CompiledRule),
    ) {
        let Worker { fast, stats, .. } = worker;
        fast.begin(self, Some(fields));
        for (number, stretch) in lines.chunks(STRETCH).enumerate() {
            let first = number.saturating_mul(STRETCH);
            for (place, line) in stretch.iter().enumerate() {
                let index = first.saturating_add(place);
                if let Some(next) = lines.get(index.saturating_add(1)) {
                    prefetch(bytes, next.start, next.end);
                }
                fast.event(self, (bytes, line.clone()), Origin::Fields(fields), stats, &mut |rule| sink(index, rule));
            }
            fast.improve(self);
        }
    }

    pub fn engine_stats(&self) -> EngineStats {
        let (shards, bytes) = self.engine.shards();
        let rebuilt = self.engine.rebuilt.load(Ordering::Relaxed);
        EngineStats { shards, rebuilt, shared: self.engine.shared, predicates: self.engine.program.predicates(), bytes }
    }

    /// Forgets what was learned of events, and every shard.
    pub fn reset_learning(&self) {
        self.engine.reset();
    }
}

impl Fast {
    pub(crate) fn scan(
        &mut self,
        set: &RuleSet,
        events: &[EventRef<'_>],
        bytes: &[u8],
        stats: &mut ScanStats,
        sink: &mut impl FnMut(usize, &CompiledRule),
    ) {
        self.begin(set, None);
        for (number, stretch) in events.chunks(STRETCH).enumerate() {
            let first = number.saturating_mul(STRETCH);
            for (place, event) in stretch.iter().enumerate() {
                let index = first.saturating_add(place);
                if let Some(next) = events.get(index.saturating_add(1)) {
                    prefetch(bytes, next.line.start, next.line.end);
                }
                let source = self.routes.source(set, event.source);
                let origin = Origin::Given(source);
                self.event(set, (bytes, event.line.clone()), origin, stats, &mut |rule| sink(index, rule));
            }
            self.improve(set);
        }
    }

    /// Forgets what was about another rule set, other source fields, or shards that are no more.
    fn begin(&mut self, set: &RuleSet, fields: Option<&SourceFields>) {
        let era = set.engine.era.load(Ordering::Acquire);
        let same_fields = match (&self.fields, fields) {
            (None, None) => true,
            (Some(have), Some(wanted)) => have.is_same(wanted),
            _ => false,
        };
        if self.set != set.id || self.era != era || !same_fields || self.routes.is_full() {
            self.set = set.id;
            self.era = era;
            self.fields = fields.cloned();
            self.keys = Arc::clone(&set.engine.keys);
            let names = fields.map_or(&[][..], |fields| &fields.names);
            if names.iter().any(|name| self.keys.get(name).is_none()) {
                let mut keys = Keys::clone(&self.keys);
                for name in names {
                    keys.add(name);
                }
                self.keys = Arc::new(keys);
            }
            self.shapes.clear();
            self.routes.clear();
            self.due.clear();
            let event_id = set.engine.event_id.map(|(_, key)| key);
            let mut looked_at: Vec<Key> = names.iter().filter_map(|name| self.keys.get(name)).collect();
            looked_at.extend(event_id.filter(|key| !looked_at.contains(key)));
            self.routes.looked_at = looked_at;
        }
        self.refresh(set);
    }

    /// Takes the shards that other workers made.
    fn refresh(&mut self, set: &RuleSet) {
        let version = set.engine.version.load(Ordering::Acquire);
        if self.version != version {
            self.version = version;
            for local in &mut self.routes.cells {
                local.shard = local.cell.shard();
            }
        }
    }

    /// Makes a shard again that enough was learned of.
    fn improve(&mut self, set: &RuleSet) {
        self.credit.0 = self.credit.0.saturating_add(STRETCH).min(Credit::MOST);
        let cells = &self.routes.cells;
        let worth = |cell: &usize| {
            let cell = cells.get(*cell)?;
            u64::from(cell.seen).saturating_mul(1 << 20).checked_div(u64::try_from(Credit::cost(&cell.shard)).ok()?)
        };
        let best = self.due.iter().enumerate().max_by_key(|(_, cell)| worth(cell)).map(|(place, _)| place);
        let Some(place) = best else { return };
        let Some(number) = self.due.get(place).copied() else { return };
        let Some(local) = self.routes.cells.get_mut(number) else { return };
        let Some(left) = self.credit.0.checked_sub(Credit::cost(&local.shard)) else { return };
        self.credit.0 = left;
        self.due.swap_remove(place);
        local.due = false;
        let Some(source) = self.routes.sources.get(local.source) else { return };
        local.cell.improve(set, &source.source);
        self.refresh(set);
    }

    fn event(
        &mut self,
        set: &RuleSet,
        (bytes, event): (&[u8], Range<usize>),
        origin: Origin<'_>,
        stats: &mut ScanStats,
        sink: &mut impl FnMut(&CompiledRule),
    ) {
        stats.events = stats.events.saturating_add(1);
        if let Origin::Given(source) = origin
            && self.routes.sources.get(source).is_none_or(|source| source.source.route.rules.is_empty())
        {
            return;
        }
        let Self { input, shapes, keys, routes, memory, scratch, due, .. } = self;
        let (line, shape) = match input.open(bytes, event.clone(), keys, shapes) {
            Opened::Line(line, shape) => (line, shape),
            Opened::Unreadable => return stats.count(None, 0),
            Opened::Strange => return self.strange(set, bytes.get(event).unwrap_or_default(), origin, stats, sink),
        };
        let Some((cell, plan)) = routes.find(set, origin, &line, shapes, shape) else { return };
        let (Some(local), Some(plan)) = (routes.cells.get(cell), routes.plan(plan)) else { return };
        if !plan.idle {
            let Some(source) = routes.sources.get(local.source) else { return };
            let route = &source.source.route;
            let shard = &*local.shard;
            memory.begin(shard);
            let mut judge = Judge { set, route, line, shard, plan, memory };
            scratch.look(&mut judge);
            let readable = scratch.decide(&mut judge);
            let tried = scratch.tried.rules.len();
            let matches = u64::try_from(scratch.matched.len()).unwrap_or(u64::MAX);
            stats.count(readable.then_some(matches), tried);
            if readable {
                scratch.matched.iter().filter_map(|index| set.rules().get(*index)).for_each(sink);
            }
        }
        let Some(local) = routes.cells.get_mut(cell) else { return };
        if local.countdown == 0 {
            if local.sample(line.view.bytes()) {
                due.push(cell);
            }
        } else {
            local.countdown = local.countdown.saturating_sub(1);
        }
    }

    /// An event that only the exact evaluator takes.
    #[cold]
    fn strange(
        &mut self,
        set: &RuleSet,
        line: &[u8],
        origin: Origin<'_>,
        stats: &mut ScanStats,
        sink: &mut impl FnMut(&CompiledRule),
    ) {
        let source = match origin {
            Origin::Given(source) => source,
            Origin::Fields(fields) => {
                let texts = texts_of(&self.input.doc, &fields.names);
                self.routes.by_fields(set, fields, texts)
            }
        };
        let Some(source) = self.routes.sources.get(source) else { return };
        let route: &Route = &source.source.route;
        let found = set.match_exactly(route, &mut self.memory.exact, line, sink);
        stats.count(found, route.rules.len());
    }
}

impl Scratch {
    /// Finds the rules whose witnesses are in the event.
    #[inline]
    fn look(&mut self, judge: &mut Judge<'_>) {
        let Self { tried, text, .. } = self;
        let (shard, plan, line) = (judge.shard, judge.plan, judge.line);
        tried.begin(shard);
        tried.add(&plan.tried);
        for (number, loc) in &plan.looks {
            let Some((field, net)) = shard.nets.get(*number) else { continue };
            let Some(value) = line.value(*loc) else {
                look_exactly(judge, *field, net, tried, text);
                continue;
            };
            if value.is_null() {
                continue;
            }
            let beyond = line.structure.high && !value.view.bytes().is_ascii();
            if beyond && line.folds {
                look_exactly(judge, *field, net, tried, text);
                continue;
            }
            net.run(value.view, &mut |hits: Hits| tried.add(shard.listed(hits)));
            if beyond {
                tried.add(shard.listed(net.beyond));
            }
        }
        if let Some(net) = &shard.keywords {
            look_for_keywords(shard, &line, net, tried);
        }
    }

    /// Which of them match; `false` where something matches and the event cannot be read.
    #[inline]
    fn decide(&mut self, judge: &mut Judge<'_>) -> bool {
        self.matched.clear();
        let shard = judge.shard;
        for local in &self.tried.rules {
            if let Some(rule) = usize::try_from(*local).ok().and_then(|local| shard.rules.get(local))
                && judge.matches(rule)
            {
                self.matched.extend(judge.set.place(rule.slot));
            }
        }
        self.matched.extend(shard.constant.iter().filter_map(|slot| judge.set.place(*slot)));
        if self.matched.is_empty() {
            return true;
        }
        self.matched.sort_unstable();
        judge.is_readable()
    }
}

/// Looks at the values that the exact reader finds, folded and spelled as in a canonical line.
#[cold]
fn look_exactly(judge: &mut Judge<'_>, field: usize, net: &Net, tried: &mut Tried, text: &mut Padded) {
    let shard = judge.shard;
    let Some(field) = shard.fields.get(field).and_then(|field| field.field) else { return };
    judge.each_value(field, &mut |value, folded| {
        text.fill(|out| escape(folded, out));
        net.run(text.view(), &mut |hits: Hits| tried.add(shard.listed(hits)));
        tried.add(shard.listed(net.present));
        if !value.is_ascii() {
            tried.add(shard.listed(net.beyond));
        }
    });
}

fn look_for_keywords(shard: &Shard, line: &Line<'_>, net: &Net, tried: &mut Tried) {
    if line.folds {
        tried.add(&all_of(shard, net));
        return;
    }
    net.run(line.view, &mut |hits: Hits| tried.add(shard.listed(hits)));
    if line.structure.high {
        tried.add(shard.listed(net.beyond));
    }
}

impl super::routes::LocalCell {
    /// Takes an event to learn from; whether the shard is now to be made again.
    #[cold]
    fn sample(&mut self, line: &[u8]) -> bool {
        self.seen = self.seen.saturating_add(1);
        self.countdown = match self.seen {
            0..64 => 0,
            64..128 => 15,
            _ => 63,
        };
        let Ok(mut samples) = self.cell.samples.try_lock() else { return false };
        let due = samples.take(line) && !self.due;
        self.due |= due;
        due
    }
}

/// A plan is kept where it was made.
const _: () = assert!(size_of::<Plan>() < 256, "plans are moved");
