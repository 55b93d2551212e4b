//! The conditions of rules whose witness was found, decided on the bytes as far as `bytes` allows.

use super::{
    bytes::unescape,
    code,
    nets::Hits,
    plan::Plan,
    program::Predicate,
    raw::{Raw, refers},
    shape::{Line, Value},
    shard::{OneOf, Shard, ShardRule},
    walk::Loc,
};
use crate::sigma::{
    compile::{Route, RuleSet},
    item::Test,
    matcher::{Exact, View as ExactView},
    pattern::{Anchor, fold},
};

/// What is remembered within one event; kept from event to event.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Counts events; what was remembered under another number is void.
    epoch: u32,
    /// By the shard's number of a predicate: the epoch, and the answer in the lowest bit.
    answers: Vec<u32>,
    /// By the shard's number of a field.
    decoded: Vec<Decoded>,
    pub(crate) exact: Exact,
    /// The epoch in which `exact` holds the event, and whether the event could be read.
    read: (u32, bool),
}

#[derive(Debug, Default)]
struct Decoded {
    epoch: u32,
    text: String,
    folded: String,
}

/// Epochs count in steps of two below this; then everything is forgotten.
const LAST_EPOCH: u32 = u32::MAX - 3;

impl Memory {
    pub(crate) fn begin(&mut self, shard: &Shard) {
        if self.epoch >= LAST_EPOCH {
            self.epoch = 0;
            self.answers.fill(0);
            self.decoded.iter_mut().for_each(|decoded| decoded.epoch = 0);
            self.read = (0, false);
        }
        self.epoch = self.epoch.saturating_add(2);
        if self.answers.len() < shard.predicates.len() {
            self.answers.resize(shard.predicates.len(), 0);
        }
        if self.decoded.len() < shard.fields.len() {
            self.decoded.resize_with(shard.fields.len(), Decoded::default);
        }
    }
}

/// One event before the rules of its shard.
pub(crate) struct Judge<'e> {
    pub(crate) set: &'e RuleSet,
    pub(crate) route: &'e Route,
    pub(crate) line: Line<'e>,
    pub(crate) shard: &'e Shard,
    pub(crate) plan: &'e Plan,
    pub(crate) memory: &'e mut Memory,
}

impl Judge<'_> {
    pub(crate) fn matches(&mut self, rule: &ShardRule) -> bool {
        let Some(start) = rule.start else {
            return self.with_exact(|view| view.set.in_slot(rule.slot).is_some_and(|rule| view.matches(rule)));
        };
        let steps = &self.shard.steps;
        code::run(steps, start, |number| self.holds(number))
    }

    /// Whether the exact reader can read the event.
    pub(crate) fn is_readable(&mut self) -> bool {
        if self.memory.read.0 == self.memory.epoch {
            return self.memory.read.1;
        }
        self.memory.exact.doc.can_read(self.line.view.bytes())
    }

    /// Every value of a field as the exact reader finds it, with its text in lower case.
    pub(crate) fn each_value(&mut self, field: usize, visit: &mut dyn FnMut(&str, &str)) {
        self.with_exact(|view| {
            let values = view.values_of(Some(field));
            view.each_scalar(values, visit);
            true
        });
    }

    fn holds(&mut self, number: u32) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let epoch = self.memory.epoch;
        if let Some(answer) = self.memory.answers.get(place)
            && answer & !1 == epoch
        {
            return answer & 1 == 1;
        }
        let answer = self.decide(place);
        if let Some(slot) = self.memory.answers.get_mut(place) {
            *slot = epoch | u32::from(answer);
        }
        answer
    }

    fn decide(&mut self, place: usize) -> bool {
        let shard = self.shard;
        let Some(number) = shard.predicates.get(place) else { return false };
        let loc = number.field.map(|field| self.plan.loc(field));
        let value = loc.and_then(|loc| self.line.value(loc));
        if let Some(set) = number.set.and_then(|set| shard.sets.get(usize::try_from(set).ok()?)) {
            return self.one_of(set, value, loc == Some(Loc::Complex));
        }
        if let Some(value) = value
            && number.quick.refutes(value.view)
            && self.line.is_plain(value)
        {
            return false;
        }
        let Some(predicate) = number.predicate.as_deref() else { return false };
        let (Some(field), Some(loc)) = (number.field, loc) else { return self.keyword(predicate) };
        match (loc, &predicate.raw, value) {
            (Loc::Absent, raw, _) => matches!(raw, Raw::Null | Raw::Exists(false)),
            (Loc::Complex, ..) => self.exact(predicate),
            (_, Raw::Reference { anchor, cased, .. }, Some(value)) => {
                let referred = self.refers(value, number.other, *anchor, *cased);
                referred.unwrap_or_else(|| self.exact(predicate))
            }
            (Loc::Object, raw, _) => matches!(raw, Raw::Exists(true)),
            (_, _, Some(value)) => self.value(predicate, value, field),
            (_, _, None) => false,
        }
    }

    /// Whether one member of a set holds.
    fn one_of(&mut self, set: &OneOf, value: Option<Value<'_>>, complex: bool) -> bool {
        let Some(value) = value else { return complex && set.members.iter().any(|member| self.holds(*member)) };
        if value.is_null() {
            return false;
        }
        if !self.line.is_plain(value) {
            return set.members.iter().any(|member| self.holds(*member));
        }
        let mut found = false;
        set.edges.find(value.view.bytes(), &mut |member: Hits| found = found || self.holds(member.start));
        found
    }

    fn value(&mut self, predicate: &Predicate, value: Value<'_>, field: u32) -> bool {
        if value.is_null() {
            return matches!(predicate.raw, Raw::Null | Raw::Exists(true));
        }
        match &predicate.raw {
            Raw::Null => false,
            Raw::Exists(wanted) => *wanted,
            Raw::Any => true,
            Raw::Empty => value.view.is_empty(),
            Raw::Never if self.line.is_plain(value) => false,
            Raw::Text(text) if self.line.is_plain(value) => text.matches(value.view),
            Raw::Wild(wild) if self.line.is_plain(value) => wild.matches(value.view),
            _ => self.decoded(&predicate.test, value, field),
        }
    }

    /// Whether the value refers to another field's, where their bytes tell.
    fn refers(&self, value: Value<'_>, other: Option<u32>, anchor: Anchor, cased: bool) -> Option<bool> {
        let loc = self.plan.loc(other?);
        if value.is_null() || loc == Loc::Absent {
            return Some(false);
        }
        let other = self.line.value(loc)?;
        if other.is_null() {
            return Some(false);
        }
        let plain = self.line.is_plain(value) && self.line.is_plain(other);
        if plain { refers(value.view.bytes(), other.view.bytes(), anchor, cased) } else { None }
    }

    /// The test on the text of the value, decoded once an event.
    fn decoded(&mut self, test: &Test, value: Value<'_>, field: u32) -> bool {
        let epoch = self.memory.epoch;
        let place = usize::try_from(field).unwrap_or(usize::MAX);
        let Some(decoded) = self.memory.decoded.get_mut(place) else { return false };
        if decoded.epoch != epoch {
            decoded.epoch = epoch;
            unescape(value.view.bytes(), &mut decoded.text);
            decoded.folded.clear();
            fold(&decoded.text, &mut decoded.folded);
        }
        test.passes(&decoded.text, &decoded.folded)
    }

    /// A keyword: refuted by the bytes of the line where they allow it, else looked for in every value.
    fn keyword(&mut self, predicate: &Predicate) -> bool {
        let line = &self.line;
        let bytes_tell = !line.structure.odd_escape && !line.structure.high;
        let may = match &predicate.raw {
            Raw::Text(text) if bytes_tell => text.needle.find(line.view, 0, |_| true).is_some(),
            Raw::Wild(wild) if bytes_tell => wild.may_stand_in(line.view),
            Raw::Never => !bytes_tell,
            _ => true,
        };
        may && self.exact(predicate)
    }

    fn exact(&mut self, predicate: &Predicate) -> bool {
        self.with_exact(|view| {
            let values = view.values_of(predicate.field);
            view.test(&predicate.test, values)
        })
    }

    /// The event as the exact reader reads it, once; `false` where it cannot.
    fn with_exact(&mut self, look: impl FnOnce(&mut ExactView<'_>) -> bool) -> bool {
        let epoch = self.memory.epoch;
        if self.memory.read.0 != epoch {
            self.memory.read = (epoch, self.memory.exact.read(self.set, self.line.view.bytes()));
        }
        if !self.memory.read.1 {
            return false;
        }
        look(&mut ExactView::again(self.set, self.route, &mut self.memory.exact))
    }
}
