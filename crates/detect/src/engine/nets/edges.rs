//! Texts at one end of a value, and whole values: the outermost eight bytes, or four, are looked up.

use super::Hits;
use crate::engine::shape::mixed;

/// Every byte with bit 5 set: one case for letters.
const LOWER: u64 = 0x2020_2020_2020_2020;

/// A text in lower case that must begin, end or be the value.
#[derive(Debug, Clone)]
struct Edge {
    text: Box<[u8]>,
    whole: bool,
    hits: Hits,
}

/// Edges that share their outermost bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u64,
    start: u32,
    /// Zero: the slot is free.
    end: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Edges {
    /// Looks at the start of values, not at their end.
    first: bool,
    /// Those of a slot are together.
    keyed: Vec<Edge>,
    by_eight: Table,
    by_four: Table,
    /// Shorter ones, compared one by one.
    short: Vec<Edge>,
}

#[derive(Debug, Default)]
struct Table {
    slots: Vec<Slot>,
    mask: usize,
    /// One bit for each hash that is in the table: small, so that most look-ups end here.
    filter: Vec<u64>,
    filter_mask: usize,
}

impl Table {
    fn new(count: usize) -> Self {
        let slots = if count == 0 { 0 } else { count.saturating_mul(4).next_power_of_two() };
        let words = slots.div_ceil(8).next_power_of_two();
        let filter = if count == 0 { Vec::new() } else { vec![0; words] };
        Self {
            slots: vec![Slot::default(); slots],
            mask: slots.saturating_sub(1),
            filter_mask: filter.len().saturating_sub(1),
            filter,
        }
    }

    /// The word of the filter and the bit in it.
    #[inline]
    fn bit(&self, hash: usize) -> (usize, u64) {
        ((hash >> 32) & self.filter_mask, 1 << ((hash >> 26) & 63))
    }

    #[inline]
    fn place(key: u64) -> usize {
        usize::try_from(mixed(0x51, key)).unwrap_or(0)
    }

    fn add(&mut self, key: u64, start: usize, end: usize) {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else { return };
        let mut at = Self::place(key);
        let (word, bit) = self.bit(at);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= bit;
        }
        while let Some(slot) = self.slots.get_mut(at & self.mask) {
            if slot.end == 0 {
                *slot = Slot { key, start, end };
                return;
            }
            at = at.wrapping_add(1);
        }
    }

    #[inline]
    fn find(&self, key: u64) -> Option<Slot> {
        let mut at = Self::place(key);
        let (word, bit) = self.bit(at);
        if self.filter.get(word)? & bit == 0 {
            return None;
        }
        loop {
            let slot = self.slots.get(at & self.mask)?;
            if slot.end == 0 {
                return None;
            }
            if slot.key == key {
                return Some(*slot);
            }
            at = at.wrapping_add(1);
        }
    }
}

#[inline]
fn eight(text: &[u8], first: bool) -> Option<u64> {
    let bytes = if first { text.first_chunk::<8>() } else { text.last_chunk::<8>() };
    bytes.map(|bytes| u64::from_le_bytes(*bytes) | LOWER)
}

#[inline]
fn four(text: &[u8], first: bool) -> Option<u64> {
    let bytes = if first { text.first_chunk::<4>() } else { text.last_chunk::<4>() };
    bytes.map(|bytes| u64::from(u32::from_le_bytes(*bytes)) | LOWER)
}

impl Edge {
    #[inline]
    fn stands(&self, value: &[u8], first: bool) -> bool {
        let length = self.text.len();
        let part = match (self.whole, first) {
            (true, _) => Some(value),
            (false, true) => value.get(..length),
            (false, false) => value.len().checked_sub(length).and_then(|start| value.get(start..)),
        };
        part.is_some_and(|part| part.eq_ignore_ascii_case(&self.text))
    }
}

impl Edges {
    /// Texts with whether each is the whole value.
    pub(crate) fn new(texts: Vec<(Vec<u8>, bool, Hits)>, first: bool) -> Self {
        let mut keyed = Vec::new();
        let mut short = Vec::new();
        for (text, whole, hits) in texts {
            let key = eight(&text, first).map(|key| (true, key)).or_else(|| four(&text, first).map(|key| (false, key)));
            let edge = Edge { text: text.into(), whole, hits };
            match key {
                Some(key) => keyed.push((key, edge)),
                None => short.push(edge),
            }
        }
        keyed.sort_by_key(|(key, _)| *key);
        let eights = keyed.iter().filter(|((eight, _), _)| *eight).count();
        let mut by_eight = Table::new(eights);
        let mut by_four = Table::new(keyed.len().saturating_sub(eights));
        let mut start = 0_usize;
        for group in keyed.chunk_by(|one, other| one.0 == other.0) {
            let end = start.saturating_add(group.len());
            if let Some(((eight, key), _)) = group.first() {
                let table = if *eight { &mut by_eight } else { &mut by_four };
                table.add(*key, start, end);
            }
            start = end;
        }
        let keyed = keyed.into_iter().map(|(_, edge)| edge).collect();
        Self { first, keyed, by_eight, by_four, short }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keyed.is_empty() && self.short.is_empty()
    }

    #[inline]
    pub(crate) fn find(&self, value: &[u8], hit: &mut impl FnMut(Hits)) {
        if let Some(key) = eight(value, self.first) {
            self.look(self.by_eight.find(key), value, hit);
        }
        if let Some(key) = four(value, self.first) {
            self.look(self.by_four.find(key), value, hit);
        }
        for edge in &self.short {
            if edge.stands(value, self.first) {
                hit(edge.hits);
            }
        }
    }

    #[inline]
    fn look(&self, slot: Option<Slot>, value: &[u8], hit: &mut impl FnMut(Hits)) {
        let Some(slot) = slot else { return };
        let range = usize::try_from(slot.start).unwrap_or(0)..usize::try_from(slot.end).unwrap_or(0);
        for edge in self.keyed.get(range).unwrap_or_default() {
            if edge.stands(value, self.first) {
                hit(edge.hits);
            }
        }
    }

    pub(crate) fn each_list(&self, visit: &mut impl FnMut(Hits)) {
        self.keyed.iter().chain(&self.short).for_each(|edge| visit(edge.hits));
    }

    pub(crate) fn size(&self) -> usize {
        let texts: usize = self.keyed.iter().chain(&self.short).map(|edge| edge.text.len()).sum();
        let edges = self.keyed.len().saturating_add(self.short.len()).saturating_mul(size_of::<Edge>());
        let slots = self.by_eight.slots.len().saturating_add(self.by_four.slots.len());
        texts.saturating_add(edges).saturating_add(slots.saturating_mul(size_of::<Slot>()))
    }
}
