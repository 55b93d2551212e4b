//! Rules over events: a batch of JSON objects in, matches out.

use std::{collections::HashMap, ops::Range, sync::Arc};

use shieldops_model::LogSource;

use super::{
    compile::{CompiledRule, Route, RuleSet},
    condition::Expr,
    decimal::Decimal,
    detection::Block,
    event::{Doc, Kind},
    item::{Candidate, Item, Test},
    net,
    pattern::Anchor,
    refer,
};
use crate::engine::Fast;

/// One event of a batch.
#[derive(Debug, Clone)]
pub struct EventRef<'a> {
    /// The bytes of its JSON object in the batch.
    pub line: Range<usize>,
    pub source: &'a LogSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanStats {
    pub events: u64,
    /// Events that are not one JSON object, too long or too deep: no rule saw them.
    pub bad_events: u64,
    pub matches: u64,
    /// Rules evaluated, over all events.
    pub evaluated: u64,
}

/// What one thread needs to scan: buffers that live from batch to batch, for any rule set.
#[derive(Debug, Default)]
pub struct Worker {
    pub(crate) fast: Fast,
    exact: Exact,
    routes: HashMap<LogSource, Arc<Route>>,
    set: u64,
    pub(crate) stats: ScanStats,
}

/// Log sources that a worker remembers; hostile input could name any number.
const MAX_ROUTES: usize = 4_096;

impl Worker {
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts since the worker was made.
    pub fn stats(&self) -> ScanStats {
        self.stats
    }

    fn route(&mut self, set: &RuleSet, source: &LogSource) -> Arc<Route> {
        if self.set != set.id || self.routes.len() >= MAX_ROUTES {
            self.set = set.id;
            self.routes.clear();
        }
        if let Some(route) = self.routes.get(source) {
            return Arc::clone(route);
        }
        let route = Arc::new(set.route(source));
        self.routes.insert(source.clone(), Arc::clone(&route));
        route
    }
}

/// One event read whole, and what was looked up in it.
#[derive(Debug, Default)]
pub(crate) struct Exact {
    pub(crate) doc: Doc,
    /// Nodes of the fields looked up in this event, one after the other.
    found: Vec<usize>,
    fields: Vec<Memo>,
    keywords: Memo,
    /// Counts events; a memo of another number is void.
    epoch: u64,
    set: u64,
}

impl Exact {
    /// Reads an event; `false` where it cannot be read.
    pub(crate) fn read(&mut self, set: &RuleSet, line: &[u8]) -> bool {
        if self.set != set.id {
            self.set = set.id;
            self.fields.clear();
            self.fields.resize(set.field_count(), Memo::default());
        }
        self.epoch = self.epoch.saturating_add(1);
        self.found.clear();
        self.doc.read(line).is_ok()
    }
}

/// Where a field's values are in `found`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memo {
    epoch: u64,
    pub(super) present: bool,
    start: usize,
    end: usize,
}

impl Memo {
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl RuleSet {
    /// Every match of every event, in the order of the events and, within one, of the rules.
    pub fn scan(
        &self,
        worker: &mut Worker,
        events: &[EventRef<'_>],
        bytes: &[u8],
        sink: &mut impl FnMut(usize, &CompiledRule),
    ) {
        worker.fast.scan(self, events, bytes, &mut worker.stats, sink);
    }

    /// The same matches, by reading every event whole and asking every rule: slow and obvious.
    pub fn scan_exact(
        &self,
        worker: &mut Worker,
        events: &[EventRef<'_>],
        bytes: &[u8],
        sink: &mut impl FnMut(usize, &CompiledRule),
    ) {
        for (index, event) in events.iter().enumerate() {
            worker.stats.events = worker.stats.events.saturating_add(1);
            let route = worker.route(self, event.source);
            if route.rules.is_empty() {
                continue;
            }
            let line = bytes.get(event.line.clone()).unwrap_or_default();
            let found = self.match_exactly(&route, &mut worker.exact, line, &mut |rule| sink(index, rule));
            worker.stats.count(found, route.rules.len());
        }
    }

    /// Every rule of the route on one event: how many match, `None` where the event cannot be read.
    pub(crate) fn match_exactly(
        &self,
        route: &Route,
        exact: &mut Exact,
        line: &[u8],
        sink: &mut impl FnMut(&CompiledRule),
    ) -> Option<u64> {
        if !exact.read(self, line) {
            return None;
        }
        let mut view = View::again(self, route, exact);
        let mut matches = 0_u64;
        for rule in route.rules.iter().filter_map(|rule| self.rules().get(*rule)) {
            if view.matches(rule) {
                matches = matches.saturating_add(1);
                sink(rule);
            }
        }
        Some(matches)
    }

    /// Whether one event matches the rule of this id; `None` when the event cannot be read.
    pub(crate) fn matches_one(&self, source: &LogSource, line: &[u8], id: &str) -> Option<bool> {
        self.view_of(source, line, |view| {
            let route = view.route;
            let mut rules = route.rules.iter().filter_map(|rule| view.set.rules().get(*rule));
            rules.find(|rule| rule.id == id).is_some_and(|rule| view.matches(rule))
        })
    }

    /// One event, with a worker of its own.
    pub(crate) fn view_of<T>(
        &self,
        source: &LogSource,
        line: &[u8],
        look: impl FnOnce(&mut View<'_>) -> T,
    ) -> Option<T> {
        let mut exact = Exact::default();
        let source = self.engine.source(self, source);
        exact.read(self, line).then(|| look(&mut View::again(self, &source.route, &mut exact)))
    }
}

impl ScanStats {
    /// One event that `rules` were asked about.
    pub(crate) fn count(&mut self, matches: Option<u64>, rules: usize) {
        match matches {
            None => self.bad_events = self.bad_events.saturating_add(1),
            Some(matches) => {
                self.matches = self.matches.saturating_add(matches);
                self.evaluated = self.evaluated.saturating_add(u64::try_from(rules).unwrap_or(u64::MAX));
            }
        }
    }
}

/// One event as the rules of its route see it.
pub(crate) struct View<'a> {
    pub(crate) set: &'a RuleSet,
    route: &'a Route,
    pub(super) exact: &'a mut Exact,
}

impl<'a> View<'a> {
    /// The event that `exact` read last.
    pub(crate) fn again(set: &'a RuleSet, route: &'a Route, exact: &'a mut Exact) -> Self {
        Self { set, route, exact }
    }

    pub(crate) fn matches(&mut self, rule: &CompiledRule) -> bool {
        self.holds(rule, &rule.detection.condition)
    }

    pub(super) fn holds(&mut self, rule: &CompiledRule, expr: &Expr) -> bool {
        match expr {
            Expr::Selection(index) => self.selection(rule, *index),
            Expr::Not(inner) => !self.holds(rule, inner),
            Expr::All(parts) => parts.iter().all(|part| self.holds(rule, part)),
            Expr::Any(parts) => parts.iter().any(|part| self.holds(rule, part)),
            Expr::AtLeast(count, chosen) => {
                let mut missing = *count;
                for index in chosen {
                    missing = missing.saturating_sub(usize::from(self.selection(rule, *index)));
                    if missing == 0 {
                        return true;
                    }
                }
                false
            }
        }
    }

    pub(super) fn selection(&mut self, rule: &CompiledRule, index: usize) -> bool {
        rule.detection.selections.get(index).is_some_and(|selection| self.block(rule, &selection.block))
    }

    pub(super) fn block(&mut self, rule: &CompiledRule, block: &Block) -> bool {
        match block {
            Block::All(blocks) => blocks.iter().all(|block| self.block(rule, block)),
            Block::Any(blocks) => blocks.iter().any(|block| self.block(rule, block)),
            Block::Item(item) => self.item(rule, item),
        }
    }

    fn item(&mut self, rule: &CompiledRule, item: &Item) -> bool {
        let values = self.values(rule, item);
        let mut candidates = item.values.iter();
        let holds = if item.modifiers.all {
            candidates.all(|candidate| self.candidate(candidate, values))
        } else {
            candidates.any(|candidate| self.candidate(candidate, values))
        };
        holds != item.modifiers.negated
    }

    /// Where the values are that an item looks at.
    pub(super) fn values(&mut self, rule: &CompiledRule, item: &Item) -> Memo {
        self.values_of(rule.fields.get(item.index).copied().flatten())
    }

    /// The values of a field, or of the whole event.
    pub(crate) fn values_of(&mut self, field: Option<usize>) -> Memo {
        match field {
            Some(field) => self.field(field),
            None => self.keywords(),
        }
    }

    pub(super) fn candidate(&mut self, candidate: &Candidate, values: Memo) -> bool {
        self.test(&candidate.test, values)
    }

    pub(crate) fn test(&mut self, test: &Test, values: Memo) -> bool {
        match test {
            Test::Exists(wanted) => values.present == *wanted,
            Test::Null => self.nodes(values).iter().all(|node| self.exact.doc.kind(*node) == Kind::Null),
            Test::Unresolved => false,
            Test::FieldRef { other, anchor, cased } => {
                let Some(other) = self.set.field_id(other) else { return false };
                let others = self.field(other);
                self.refers(values, others, *anchor, *cased)
            }
            test => self.nodes(values).iter().any(|node| self.node_passes(*node, test)),
        }
    }

    pub(super) fn node_passes(&self, node: usize, test: &Test) -> bool {
        let doc = &self.exact.doc;
        doc.kind(node) == Kind::Scalar && test.passes(doc.text(node), doc.folded(node))
    }

    pub(super) fn nodes(&self, values: Memo) -> &[usize] {
        self.exact.found.get(values.range()).unwrap_or_default()
    }

    /// Texts of the values, as they are and in lower case.
    pub(crate) fn each_scalar(&self, values: Memo, visit: &mut dyn FnMut(&str, &str)) {
        let doc = &self.exact.doc;
        for node in self.nodes(values).iter().filter(|node| doc.kind(**node) == Kind::Scalar) {
            visit(doc.text(*node), doc.folded(*node));
        }
    }

    /// Whether one of the values refers to one of the others.
    fn refers(&self, values: Memo, others: Memo, anchor: Anchor, cased: bool) -> bool {
        let doc = &self.exact.doc;
        let texts = |memo: Memo| {
            let scalars = self.nodes(memo).iter().filter(|node| doc.kind(**node) == Kind::Scalar);
            scalars.map(|node| if cased { doc.text(*node) } else { doc.folded(*node) })
        };
        if values.range().len().saturating_mul(others.range().len()) > refer::FEW_PAIRS {
            let (values, others): (Vec<&str>, Vec<&str>) = (texts(values).collect(), texts(others).collect());
            return refer::any_refers(&values, &others, anchor);
        }
        texts(values).any(|text| {
            texts(others).any(|other| match anchor {
                Anchor::Whole => text == other,
                Anchor::Start => text.starts_with(other),
                Anchor::End => text.ends_with(other),
                Anchor::Anywhere => text.contains(other),
            })
        })
    }

    /// The values of a field: under its own name, or else under the first name of the map that the event has.
    fn field(&mut self, field: usize) -> Memo {
        if let Some(memo) = self.exact.fields.get(field)
            && memo.epoch == self.exact.epoch
        {
            return *memo;
        }
        let start = self.exact.found.len();
        let own = std::iter::once(self.set.field_name(field));
        let others = self.route.names.get(&field).into_iter().flatten().map(String::as_str);
        let Exact { doc, found, .. } = &mut *self.exact;
        let present = own.chain(others).any(|name| doc.find(name, found));
        self.remember(start, present, Some(field))
    }

    fn keywords(&mut self) -> Memo {
        if self.exact.keywords.epoch == self.exact.epoch {
            return self.exact.keywords;
        }
        let start = self.exact.found.len();
        let Exact { doc, found, .. } = &mut *self.exact;
        doc.scalars(found);
        self.remember(start, true, None)
    }

    fn remember(&mut self, start: usize, present: bool, field: Option<usize>) -> Memo {
        let Exact { doc, found, .. } = &mut *self.exact;
        for node in found.get(start..).unwrap_or_default() {
            doc.fold_node(*node);
        }
        let memo = Memo { epoch: self.exact.epoch, present, start, end: self.exact.found.len() };
        match field {
            None => self.exact.keywords = memo,
            Some(field) => {
                if let Some(slot) = self.exact.fields.get_mut(field) {
                    *slot = memo;
                }
            }
        }
        memo
    }
}

impl Test {
    /// Whether one value passes; `folded` is the text in lower case.
    pub(crate) fn passes(&self, text: &str, folded: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(text, folded),
            Self::Either(tests) => tests.iter().any(|test| test.passes(text, folded)),
            Self::Number { text: own, value } => is_number(text, own, value),
            Self::Compare { with, value } => Decimal::parse(text).is_some_and(|number| with.holds(number.cmp(value))),
            Self::Date { part, with, value } => part.of(text).is_some_and(|part| {
                let order = Decimal::from_number(part).cmp(value);
                with.map_or(order.is_eq(), |with| with.holds(order))
            }),
            Self::Regex(regex) => regex.is_match(text),
            Self::Network(network) => net::parse_address(text).is_some_and(|address| network.contains(&address)),
            Self::Null | Self::Exists(_) | Self::FieldRef { .. } | Self::Unresolved => false,
        }
    }
}

/// Equal by value; the comparison of plain integers needs no parsing.
fn is_number(text: &str, own: &str, value: &Decimal) -> bool {
    let is_plain = |text: &str| !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text == own || !(is_plain(text) && is_plain(own)) && Decimal::parse(text).is_some_and(|number| number == *value)
}
