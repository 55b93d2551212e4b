//! Any number of texts anywhere in a value: of each, four bytes that stand at a multiple of the stride are looked up.
//!
//! Whatever the place of a text in a value, one of as many neighbouring four-byte pieces of it as the stride is long lies
//! at a multiple of the stride. All of these are in the table, so one look-up in `stride` bytes finds the text.

use std::collections::BTreeMap;

use shieldops_vector::View;

use super::{Hits, Patience, Rarity, texts::stands};

/// Bytes from one look-up to the next.
const STRIDE: usize = 4;
/// A text must hold that many neighbouring pieces.
pub(super) const SHORTEST: usize = STRIDE + 3;
const LOWER: u32 = 0x2020_2020;

#[derive(Debug)]
pub(crate) struct Grams {
    /// One bit for each hash of a piece in the table.
    filter: Vec<u64>,
    shift: u32,
    slots: Vec<Slot>,
    /// Text and offset in it, those of a slot together.
    entries: Vec<(u32, u32)>,
    texts: Vec<(Box<[u8]>, Hits)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    piece: u32,
    start: u32,
    /// Zero: the slot is free.
    end: u32,
}

#[inline]
fn hash(piece: u32) -> u32 {
    piece.wrapping_mul(0x9e37_79b1)
}

fn piece(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four) | LOWER)
}

impl Grams {
    /// Every text has at least [`SHORTEST`] bytes.
    pub(crate) fn new(texts: Vec<(Vec<u8>, Hits)>, by: &impl Rarity) -> Self {
        let bits: u32 = if texts.len() < 200 { 16 } else { 18 };
        let mut filter = vec![0_u64; 1_usize << bits.saturating_sub(6)];
        let shift = 32_u32.saturating_sub(bits);
        let mut pieces: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for (number, (text, _)) in texts.iter().enumerate() {
            let start = best_start(text, by);
            for offset in start..start.saturating_add(STRIDE) {
                let piece = piece(text.get(offset..).unwrap_or_default());
                let bit = hash(piece) >> shift;
                if let Some(word) = usize::try_from(bit >> 6).ok().and_then(|at| filter.get_mut(at)) {
                    *word |= 1 << (bit & 63);
                }
                if let (Ok(number), Ok(offset)) = (u32::try_from(number), u32::try_from(offset)) {
                    pieces.entry(piece).or_default().push((number, offset));
                }
            }
        }
        let mut slots = vec![Slot::default(); pieces.len().saturating_mul(4).next_power_of_two()];
        let mut entries = Vec::new();
        for (piece, found) in pieces {
            let start = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            entries.extend(found);
            let end = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            insert(&mut slots, Slot { piece, start, end });
        }
        let texts = texts.into_iter().map(|(text, hits)| (text.into(), hits)).collect();
        Self { filter, shift, slots, entries, texts }
    }

    #[inline]
    pub(crate) fn find(&self, value: View<'_>, hit: &mut impl FnMut(Hits)) {
        let bytes = value.bytes();
        let mut patience = Patience::with(value);
        for (number, four) in bytes.as_chunks::<4>().0.iter().enumerate() {
            let piece = u32::from_le_bytes(*four) | LOWER;
            let bit = hash(piece) >> self.shift;
            let word = usize::try_from(bit >> 6).ok().and_then(|at| self.filter.get(at)).copied().unwrap_or(0);
            if word >> (bit & 63) & 1 == 1 {
                self.check(bytes, (number.saturating_mul(STRIDE), piece), &mut patience, hit);
                if patience.is_lost() {
                    return self.each_list(hit);
                }
            }
        }
    }

    #[inline(never)]
    fn check(&self, value: &[u8], (at, piece): (usize, u32), patience: &mut Patience, hit: &mut impl FnMut(Hits)) {
        let Some(slot) = self.slot(piece) else { return };
        let range = usize::try_from(slot.start).unwrap_or(0)..usize::try_from(slot.end).unwrap_or(0);
        for (text, offset) in self.entries.get(range).unwrap_or_default() {
            let Some((text, hits)) = usize::try_from(*text).ok().and_then(|text| self.texts.get(text)) else {
                continue;
            };
            if !patience.compares(text.len(), *hits) {
                return;
            }
            if stands(value, at, usize::try_from(*offset).unwrap_or(0), text) {
                hit(*hits);
            }
        }
    }

    fn slot(&self, piece: u32) -> Option<Slot> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = place(piece);
        loop {
            let slot = self.slots.get(at & mask)?;
            if slot.end == 0 {
                return None;
            }
            if slot.piece == piece {
                return Some(*slot);
            }
            at = at.wrapping_add(1);
        }
    }

    pub(crate) fn each_list(&self, visit: &mut impl FnMut(Hits)) {
        self.texts.iter().for_each(|(_, hits)| visit(*hits));
    }

    pub(crate) fn size(&self) -> usize {
        let texts: usize = self.texts.iter().map(|(text, _)| text.len().saturating_add(32)).sum();
        let slots = self.slots.len().saturating_mul(size_of::<Slot>());
        [texts, slots, self.filter.len().saturating_mul(8), self.entries.len().saturating_mul(8)].into_iter().sum()
    }
}

fn place(piece: u32) -> usize {
    usize::try_from(hash(piece) >> 7).unwrap_or(0)
}

fn insert(slots: &mut [Slot], new: Slot) {
    let mask = slots.len().wrapping_sub(1);
    let mut at = place(new.piece);
    while let Some(slot) = slots.get_mut(at & mask) {
        if slot.end == 0 {
            *slot = new;
            return;
        }
        at = at.wrapping_add(1);
    }
}

/// Where the rarest neighbouring pieces of a text begin.
fn best_start(text: &[u8], by: &impl Rarity) -> usize {
    let starts = 0..=text.len().saturating_sub(SHORTEST);
    let cost = |start: &usize| -> u64 {
        (0..STRIDE)
            .map(|step| by.of(&piece(text.get(start.saturating_add(step)..).unwrap_or_default()).to_le_bytes()))
            .sum()
    };
    starts.min_by_key(cost).unwrap_or(0)
}
