//! From an event to its shard and plan. Lines of one shape mostly come from one place, so each shape remembers the last.

use std::{collections::HashMap, sync::Arc};

use shieldops_model::LogSource;

use super::{
    bytes::unescape,
    keys::Key,
    plan::Plan,
    shape::{Line, Shape, Shapes},
    shard::{EventId, Shard},
    shared::{Cell, Source, plain_id},
    source::SourceFields,
    walk::Loc,
};
use crate::sigma::{
    compile::RuleSet,
    event::{Doc, Kind},
};

/// A log source as one worker knows it.
#[derive(Debug)]
pub(crate) struct LocalSource {
    pub(crate) source: Arc<Source>,
    cells: HashMap<EventId, usize>,
}

/// A shard as one worker knows it.
#[derive(Debug)]
pub(crate) struct LocalCell {
    pub(crate) cell: Arc<Cell>,
    pub(crate) source: usize,
    pub(crate) shard: Arc<Shard>,
    /// Events until the next one is taken to learn from.
    pub(crate) countdown: u32,
    pub(crate) seen: u32,
    pub(crate) due: bool,
}

/// Where the log source of an event comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A source of this worker, by number.
    Given(usize),
    Fields(&'a SourceFields),
}

/// The way of events of one shape with the same values in the fields that routing looks at.
#[derive(Debug)]
struct Way {
    given: usize,
    /// The values one behind the other, and where each ends.
    values: Box<[u8]>,
    ends: Box<[usize]>,
    cell: usize,
    plan: usize,
}

#[derive(Debug, Default)]
struct ShapeWays {
    locs: Vec<Loc>,
    ways: Vec<Way>,
}

#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) sources: Vec<LocalSource>,
    by_source: HashMap<LogSource, usize>,
    by_values: HashMap<Vec<Option<String>>, usize>,
    pub(crate) cells: Vec<LocalCell>,
    plans: Vec<(u64, Plan)>,
    /// By shape and cell.
    by_place: HashMap<(usize, usize), usize>,
    shapes: Vec<ShapeWays>,
    /// Fields that routing looks at: those that name the log source, then the event id.
    pub(crate) looked_at: Vec<Key>,
    era: u64,
}

/// Ways that one shape remembers.
const MAX_WAYS: usize = 32;
/// Log sources, or plans, of one worker; then it begins again.
const MAX_KNOWN: usize = 16_384;

/// Stands for "from the event's own fields".
const BY_FIELDS: usize = usize::MAX;

impl Routes {
    pub(crate) fn clear(&mut self) {
        *self = Self { looked_at: std::mem::take(&mut self.looked_at), era: self.era, ..Self::default() };
    }

    /// The worker's number of a log source.
    pub(crate) fn source(&mut self, set: &RuleSet, log_source: &LogSource) -> usize {
        if let Some(number) = self.by_source.get(log_source) {
            return *number;
        }
        let number = self.sources.len();
        self.sources.push(LocalSource { source: set.engine.source(set, log_source), cells: HashMap::new() });
        self.by_source.insert(log_source.clone(), number);
        number
    }

    pub(crate) fn is_full(&self) -> bool {
        self.sources.len() > MAX_KNOWN || self.plans.len() > MAX_KNOWN || self.by_values.len() > MAX_KNOWN
    }

    /// The cell and plan of a line.
    #[inline]
    pub(crate) fn find(
        &mut self,
        set: &RuleSet,
        origin: Origin<'_>,
        line: &Line<'_>,
        shapes: &Shapes,
        shape: usize,
    ) -> Option<(usize, usize)> {
        if self.era != shapes.era {
            self.era = shapes.era;
            self.shapes.clear();
            self.plans.clear();
            self.by_place.clear();
        }
        let given = match origin {
            Origin::Given(number) => number,
            Origin::Fields(_) => BY_FIELDS,
        };
        if let Some(ShapeWays { locs, ways }) = self.shapes.get_mut(shape)
            && let Some(place) = ways.iter().position(|way| way.given == given && way.fits(line, locs))
        {
            if let Some(before) = place.checked_sub(1) {
                ways.swap(place, before);
            }
            let way = ways.get(place.saturating_sub(1))?;
            let (cell, plan) = (way.cell, way.plan);
            let serial = self.cells.get(cell)?.shard.serial;
            if self.plans.get(plan).is_some_and(|(made_for, _)| *made_for == serial) {
                return Some((cell, plan));
            }
            return self.renew(set, cell, plan, shapes.get(shape)?);
        }
        self.learn(set, origin, line, shapes.get(shape)?, shape)
    }

    pub(crate) fn plan(&self, number: usize) -> Option<&Plan> {
        self.plans.get(number).map(|(_, plan)| plan)
    }

    #[cold]
    fn renew(&mut self, set: &RuleSet, cell: usize, plan: usize, shape: &Shape) -> Option<(usize, usize)> {
        let shard = &self.cells.get(cell)?.shard;
        let made = Plan::new(shape, shard, &set.engine.program);
        *self.plans.get_mut(plan)? = (shard.serial, made);
        Some((cell, plan))
    }

    #[cold]
    fn learn(
        &mut self,
        set: &RuleSet,
        origin: Origin<'_>,
        line: &Line<'_>,
        shape: &Shape,
        number: usize,
    ) -> Option<(usize, usize)> {
        let locs: Vec<Loc> = self.looked_at.iter().map(|key| shape.loc(*key)).collect();
        let (given, source) = match origin {
            Origin::Given(source) => (source, source),
            Origin::Fields(fields) => {
                let texts = locs.iter().take(fields.names.len()).map(|loc| text(line, *loc)).collect();
                (BY_FIELDS, self.by_fields(set, fields, texts))
            }
        };
        let cell = self.cell(set, source, event_id(set, line, shape))?;
        let next = self.plans.len();
        let plan = *self.by_place.entry((number, cell)).or_insert(next);
        if plan == next {
            self.plans.push((0, Plan::default()));
        }
        self.renew(set, cell, plan, shape)?;
        if self.shapes.len() <= number {
            self.shapes.resize_with(number.saturating_add(1), ShapeWays::default);
        }
        let (mut values, mut ends) = (Vec::new(), Vec::new());
        for value in locs.iter().filter_map(|loc| line.value(*loc)) {
            values.extend_from_slice(value.view.bytes());
            ends.push(values.len());
        }
        let ways = self.shapes.get_mut(number)?;
        ways.locs = locs.into_iter().filter(|loc| line.value(*loc).is_some()).collect();
        ways.ways.truncate(MAX_WAYS.saturating_sub(1));
        ways.ways.insert(0, Way { given, values: values.into(), ends: ends.into(), cell, plan });
        Some((cell, plan))
    }

    /// The source that the texts of its fields say.
    pub(crate) fn by_fields(&mut self, set: &RuleSet, fields: &SourceFields, texts: Vec<Option<String>>) -> usize {
        if let Some(number) = self.by_values.get(&texts) {
            return *number;
        }
        let log_source = fields.decide(&texts);
        let number = self.source(set, &log_source);
        self.by_values.insert(texts, number);
        number
    }

    fn cell(&mut self, set: &RuleSet, source: usize, id: Option<u32>) -> Option<usize> {
        let local = self.sources.get_mut(source)?;
        let id = local.source.event_id(id);
        if let Some(number) = local.cells.get(&id) {
            return Some(*number);
        }
        let number = self.cells.len();
        local.cells.insert(id, number);
        let cell = local.source.cell(set, id);
        let shard = cell.shard();
        self.cells.push(LocalCell { cell, source, shard, countdown: 0, seen: 0, due: false });
        Some(number)
    }
}

impl Way {
    /// Whether the line has these values.
    #[inline]
    fn fits(&self, line: &Line<'_>, locs: &[Loc]) -> bool {
        let mut start = 0;
        locs.iter().zip(&self.ends).all(|(loc, end)| {
            let wanted = self.values.get(start..*end);
            start = *end;
            line.value(*loc).is_some_and(|value| Some(value.view.bytes()) == wanted)
        })
    }
}

fn event_id(set: &RuleSet, line: &Line<'_>, shape: &Shape) -> Option<u32> {
    let (_, key) = set.engine.event_id?;
    plain_id(line.value(shape.loc(key))?.view.bytes())
}

fn text(line: &Line<'_>, loc: Loc) -> Option<String> {
    let value = line.value(loc).filter(|value| !value.is_null())?;
    let mut text = String::new();
    unescape(value.view.bytes(), &mut text);
    Some(text)
}

/// The same from an event that was read whole.
pub(crate) fn texts_of(doc: &Doc, names: &[String]) -> Vec<Option<String>> {
    let text = |name: &String| {
        let mut found = Vec::new();
        doc.find(name, &mut found);
        let node = found.first().copied().filter(|node| found.len() == 1 && doc.kind(*node) == Kind::Scalar)?;
        Some(doc.text(node).to_owned())
    };
    names.iter().map(text).collect()
}
