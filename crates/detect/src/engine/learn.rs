//! What events of one shard look like: taken from a few of them while scanning. Only speed hangs on it.

use std::collections::HashMap;

use memchr::memmem::Finder;
use shieldops_vector::{Padded, Structure};

use super::{
    keys::{Key, Keys},
    nets::{Place, Rarity, Witness},
    program::{PredId, Program},
    raw::{Raw, rarity},
    shape::{Line, Shape},
};
use crate::sigma::item::Test;

/// Events that are kept of one shard.
pub(crate) const MAX_SAMPLES: usize = 128;
/// Bytes of one of them; longer ones are not taken.
pub(crate) const MAX_SAMPLE_BYTES: usize = 16_384;
/// Comparisons in one measurement: with many predicates fewer events are looked at.
const MAX_WORK: usize = 300_000;

/// A field of a shard and the keys that it may have in an event, in order.
#[derive(Debug, Clone)]
pub(crate) struct FieldKeys {
    /// The rule set's number of it; `None`: the whole line, for keywords.
    pub(crate) field: Option<usize>,
    pub(crate) keys: Vec<Key>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    present: u32,
    bytes: u64,
}

/// What was measured; empty before anything was.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    events: u32,
    fields: HashMap<Option<usize>, Seen>,
    found: HashMap<PredId, u32>,
    /// Counts of hashed pieces of three and of four bytes.
    pieces: Vec<u32>,
}

/// A value is taken to be this long before any was seen.
const USUAL_LENGTH: f64 = 60.0;
const USUAL_LINE: f64 = 1_200.0;
const PIECES: usize = 1 << 16;

impl Stats {
    /// The chance that a field is there and the length of its values.
    pub(crate) fn field(&self, field: Option<usize>) -> (f64, f64) {
        let usual = if field.is_some() { USUAL_LENGTH } else { USUAL_LINE };
        if self.events == 0 {
            return (if field.is_some() { 0.7 } else { 1.0 }, usual);
        }
        let seen = self.fields.get(&field).copied().unwrap_or_default();
        let present = (f64::from(seen.present) + 0.05) / (f64::from(self.events) + 0.1);
        let bytes = f64::from(u32::try_from(seen.bytes).unwrap_or(u32::MAX));
        let length = if seen.present == 0 { 20.0 } else { bytes / f64::from(seen.present) };
        (present, length)
    }

    /// The chance that one of a predicate's witnesses is found in an event.
    pub(crate) fn witness(&self, id: PredId, _: &Witness) -> Option<f64> {
        if self.events == 0 {
            return None;
        }
        let found = self.found.get(&id).copied().unwrap_or(0);
        Some((f64::from(found) + 0.04) / (f64::from(self.events) + 0.1))
    }

    /// The chance that a predicate holds.
    pub(crate) fn chance(&self, program: &Program, id: PredId) -> f64 {
        let Some(predicate) = program.predicate(id) else { return 0.0 };
        let (present, _) = self.field(predicate.field);
        match (&predicate.raw, &predicate.test) {
            (Raw::Null | Raw::Exists(false), _) => 1.0 - present,
            (Raw::Any | Raw::Exists(true), _) => present,
            (_, Test::Compare { .. } | Test::Network(_) | Test::Date { .. }) => present * 0.3,
            _ if self.events == 0 => 0.1,
            _ => {
                let found = self.found.get(&id).copied().unwrap_or(0);
                (f64::from(found) + 0.04) / (f64::from(self.events) + 0.1)
            }
        }
    }

    /// Looks at samples with the fields and predicates of a shard.
    pub(crate) fn measure(
        keys: &Keys,
        program: &Program,
        fields: &[FieldKeys],
        predicates: &[PredId],
        samples: &[Box<[u8]>],
    ) -> Self {
        let mut stats = Self { pieces: vec![0; PIECES.saturating_mul(2)], ..Self::default() };
        let by_field = by_field(program, predicates);
        let events = MAX_WORK.checked_div(predicates.len().max(1)).unwrap_or(0).clamp(24, 128);
        let (mut padded, mut structure, mut lower) = (Padded::new(), Structure::new(), Vec::new());
        for sample in samples.iter().rev().take(events) {
            padded.fill(|out| out.extend_from_slice(sample));
            structure.read(padded.view());
            let Ok(shape) = Shape::of(keys, padded.view(), &structure) else { continue };
            let line = Line { view: padded.view(), structure: &structure, folds: false };
            stats.events = stats.events.saturating_add(1);
            for field in fields {
                let loc = field.keys.iter().map(|key| shape.loc(*key)).find(|loc| *loc != super::walk::Loc::Absent);
                let value = match (field.field, loc) {
                    (None, _) => Some(line.view),
                    (Some(_), Some(loc)) => line.value(loc).map(|value| value.view),
                    (Some(_), None) => None,
                };
                let Some(value) = value else { continue };
                lower.clear();
                lower.extend(value.bytes().iter().map(u8::to_ascii_lowercase));
                stats.count(field.field, &lower, by_field.get(&field.field).map_or(&[], Vec::as_slice));
            }
        }
        stats
    }

    fn count(&mut self, field: Option<usize>, value: &[u8], witnesses: &[(PredId, Vec<Sought<'_>>)]) {
        let seen = self.fields.entry(field).or_default();
        seen.present = seen.present.saturating_add(1);
        seen.bytes = seen.bytes.saturating_add(u64::try_from(value.len()).unwrap_or(u64::MAX));
        let searched = witnesses.iter().any(|(_, witnesses)| witnesses.iter().any(|(_, finder)| finder.is_some()));
        for size in if searched { &[3, 4][..] } else { &[] } {
            for piece in value.windows(*size) {
                if let Some(count) = self.pieces.get_mut(place(piece)) {
                    *count = count.saturating_add(1);
                }
            }
        }
        for (id, witnesses) in witnesses {
            if witnesses.iter().any(|witness| stands(witness, value)) {
                let found = self.found.entry(*id).or_default();
                *found = found.saturating_add(1);
            }
        }
    }
}

/// A witness and, where it may stand anywhere, what searches for it.
type Sought<'p> = (&'p Witness, Option<Finder<'p>>);
type Grouped<'p> = HashMap<Option<usize>, Vec<(PredId, Vec<Sought<'p>>)>>;

fn by_field<'p>(program: &'p Program, predicates: &[PredId]) -> Grouped<'p> {
    let mut grouped = Grouped::new();
    for id in predicates {
        let Some(predicate) = program.predicate(*id) else { continue };
        let Some(found) = predicate.alternatives() else { continue };
        let sought = |witness: &'p Witness| {
            let anywhere = witness.place == Place::Anywhere;
            (witness, anywhere.then(|| Finder::new(&witness.bytes)))
        };
        grouped.entry(predicate.field).or_default().push((*id, found.witnesses.iter().map(sought).collect()));
    }
    grouped
}

fn stands((witness, finder): &Sought<'_>, value: &[u8]) -> bool {
    let text = witness.bytes.as_slice();
    match witness.place {
        Place::Present => true,
        Place::Whole | Place::Number => value == text,
        Place::Start => value.starts_with(text),
        Place::End => value.ends_with(text),
        Place::Anywhere => finder.as_ref().is_some_and(|finder| finder.find(value).is_some()),
    }
}

/// Pieces of three and four bytes, with bit 5 set, have places of their own.
fn place(piece: &[u8]) -> usize {
    let number = piece.iter().fold(0_u32, |number, byte| number.wrapping_shl(8) | u32::from(byte | 0x20));
    let hash = usize::try_from(number.wrapping_mul(0x9e37_79b1) >> 16).unwrap_or(0);
    if piece.len() == 3 { hash } else { hash.saturating_add(PIECES) }
}

impl Rarity for Stats {
    fn of(&self, bytes: &[u8]) -> u64 {
        let usual: u64 = bytes.iter().map(|byte| u64::from(rarity(*byte))).product();
        let seen = self.pieces.get(place(bytes)).copied().unwrap_or(0);
        u64::from(seen).saturating_mul(10_000).saturating_add(usual.min(9_999))
    }
}
