//! The open-addressed part of a table. A keyed hash chooses a line of the cache, and everything that a look-up needs stands
//! in it: sixteen bits of the hash and the address of the record for each of ten slots. A look-up that finds nothing reads
//! that one line; of some 8,000 of them one reads a record in vain.
//!
//! Thirty-two bits of the line say which hashes had to go on to the next line: a look-up goes on only where one of its
//! kind did. The lines are cut into parts by the first bits of the hash. A part is filled by one thread and is small
//! enough for its cache.

#![expect(clippy::arithmetic_side_effects, reason = "on numbers of lines and slots, bounded by the size of the table")]

use std::num::NonZeroU32;

use shieldops_vector::{equal_words, large_pages, prefetch_item};

const SLOTS: usize = 10;
/// The bits of a mask that stand for slots.
const IN_SLOTS: u16 = 0x03ff;
/// Slots that are filled, of 100, when a table is built.
const LOAD: usize = 80;
/// Parts that are filled apart from each other.
pub(super) const PARTS: usize = 64;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// What a part knows of a hash: the first 24 bits choose the line, the last 16 are the tag. A part has so few
/// lines that the eight bits that both have say little of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread(u32);

impl Spread {
    #[inline]
    fn line(self, lines: u32) -> u32 {
        let Self(bits) = self;
        u32::try_from((u64::from(bits >> 8) * u64::from(lines)) >> 24).unwrap_or(0)
    }

    #[inline]
    fn tag(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high]).max(1)
    }
}

/// The part of a hash, and what the part knows of it.
#[inline]
pub(super) fn place(hash: u64) -> (usize, Spread) {
    let part = usize::try_from(hash >> (64 - PART_BITS)).unwrap_or(0);
    (part, Spread(u32::try_from((hash >> 16) & 0xffff_ffff).unwrap_or(0)))
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    first: u32,
    lines: u32,
}

/// A line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    /// Ten tags, 0 for a free slot, and two words of bits for what had to go on.
    tags: [u16; SLOTS + 2],
    held: [u32; SLOTS],
}

const FREE: Line = Line { tags: [0; SLOTS + 2], held: [0; SLOTS] };

impl Line {
    /// Which slots may hold what has this tag, one bit each, and whether the next line may.
    #[inline]
    fn matching(&self, tag: u16) -> (u16, bool) {
        let (word, bit) = further(tag);
        (equal_words(&self.tags, tag) & IN_SLOTS, self.tags.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn mark_further(&mut self, tag: u16) {
        let (word, bit) = further(tag);
        self.tags.get_mut(word).into_iter().for_each(|bits| *bits |= bit);
    }
}

#[inline]
fn further(tag: u16) -> (usize, u16) {
    (SLOTS + usize::from(tag >> 4 & 1), 1_u16 << (tag & 15))
}

/// See the module.
#[derive(Debug)]
pub(super) struct Slots {
    lines: Vec<Line>,
    parts: [Part; PARTS],
}

impl Default for Slots {
    fn default() -> Self {
        Self { lines: Vec::new(), parts: [Part::default(); PARTS] }
    }
}

/// A place that a look-up reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    line: u32,
    tag: u16,
    part: u8,
}

impl Slots {
    /// Room for so many in each part.
    pub(super) fn with_room(counts: &[usize; PARTS]) -> Self {
        let mut parts = [Part::default(); PARTS];
        let mut first: u32 = 0;
        for (part, entries) in parts.iter_mut().zip(counts) {
            let lines = if *entries == 0 { 0 } else { (entries * 100).div_ceil(LOAD * SLOTS) + 1 };
            *part = Part { first, lines: u32::try_from(lines).unwrap_or(0) };
            first += part.lines;
        }
        let mut lines = Vec::with_capacity(index(first));
        large_pages(lines.spare_capacity_mut());
        lines.resize(index(first), FREE);
        Self { lines, parts }
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    #[inline]
    pub(super) fn probe(&self, hash: u64) -> Probe {
        let (part, spread) = place(hash);
        let Part { first, lines } = self.parts.get(part).copied().unwrap_or_default();
        Probe { line: first + spread.line(lines), tag: spread.tag(), part: u8::try_from(part).unwrap_or(0) }
    }

    /// Asks for what [`first`](Self::first) and [`held`](Self::held) read.
    #[inline]
    pub(super) fn prefetch(&self, probe: Probe) {
        prefetch_item(&self.lines, index(probe.line));
    }

    /// Which slots of the first line may hold it, one bit each, and whether the next line may.
    #[inline]
    pub(super) fn first(&self, probe: Probe) -> (u16, bool) {
        self.lines.get(index(probe.line)).map_or((0, false), |line| line.matching(probe.tag))
    }

    /// The address in a slot of the first line.
    #[inline]
    pub(super) fn held(&self, probe: Probe, slot: u32) -> Option<u32> {
        self.lines.get(index(probe.line))?.held.get(index(slot)).copied()
    }

    /// Goes through what may be of this hash behind the first line.
    pub(super) fn walk_further(&self, mut probe: Probe, mut found: impl FnMut(u32)) {
        let Some(Part { first, lines }) = self.parts.get(usize::from(probe.part)).copied() else { return };
        for _ in 1..lines {
            probe.line = if probe.line + 1 == first + lines { first } else { probe.line + 1 };
            let (mut mask, further) = self.first(probe);
            while mask != 0 {
                self.held(probe, mask.trailing_zeros()).into_iter().for_each(&mut found);
                mask &= mask - 1;
            }
            if !further {
                return;
            }
        }
    }

    /// The parts, each to be filled apart from the others.
    pub(super) fn parts(&mut self) -> Vec<PartMut<'_>> {
        let mut lines = self.lines.as_mut_slice();
        let cut = |part: &Part| {
            let (own, others) = std::mem::take(&mut lines).split_at_mut_checked(index(part.lines))?;
            lines = others;
            Some(PartMut { lines: own })
        };
        self.parts.iter().map_while(cut).collect()
    }
}

#[inline]
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A part that is being filled.
#[derive(Debug)]
pub(super) struct PartMut<'a> {
    lines: &'a mut [Line],
}

/// What became of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Done,
    Known,
    NoRoom,
}

impl PartMut<'_> {
    /// Puts an address where a look-up of the hash finds it, unless one that may be of this hash is the same.
    pub(super) fn insert(&mut self, spread: Spread, address: NonZeroU32, same: impl Fn(u32) -> bool) -> Put {
        let lines = u32::try_from(self.lines.len()).unwrap_or(0);
        let (mut place, tag) = (index(spread.line(lines)), spread.tag());
        for _ in 0..lines {
            let Some(line) = self.lines.get_mut(place) else { break };
            let (mut mask, _) = line.matching(tag);
            while mask != 0 {
                if line.held.get(index(mask.trailing_zeros())).is_some_and(|address| same(*address)) {
                    return Put::Known;
                }
                mask &= mask - 1;
            }
            let free = index((equal_words(&line.tags, 0) & IN_SLOTS).trailing_zeros());
            if let (Some(held), Some(own)) = (line.held.get_mut(free), line.tags.get_mut(free)) {
                (*held, *own) = (address.get(), tag);
                return Put::Done;
            }
            line.mark_further(tag);
            place = if place + 1 == self.lines.len() { 0 } else { place + 1 };
        }
        Put::NoRoom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(slots: &Slots, hash: u64) -> Vec<u32> {
        let probe = slots.probe(hash);
        let (mask, further) = slots.first(probe);
        let mut found: Vec<u32> =
            (0..16).filter(|slot| mask >> slot & 1 == 1).filter_map(|slot| slots.held(probe, slot)).collect();
        if further {
            slots.walk_further(probe, |address| found.push(address));
        }
        found
    }

    fn put(slots: &mut Slots, hash: u64, address: u32) -> Put {
        let (part, spread) = place(hash);
        slots.parts()[part].insert(spread, NonZeroU32::new(address).unwrap(), |known| known == address)
    }

    fn with_room(entries: [usize; 2]) -> Slots {
        let mut counts = [0; PARTS];
        (counts[0], counts[7]) = (entries[0], entries[1]);
        Slots::with_room(&counts)
    }

    #[test]
    fn everything_put_in_is_found_until_no_room_is_left() {
        let mut slots = with_room([200, 30]);
        // All of the first half begin in one line: they go on and on.
        let hashes: Vec<u64> = (0..200_u64).map(|n| if n < 100 { n << 16 } else { n << 36 }).collect();
        for (hash, address) in hashes.iter().zip(1_u32..) {
            assert_eq!(put(&mut slots, *hash, address), Put::Done);
        }
        for (hash, address) in hashes.iter().zip(1_u32..) {
            assert!(held(&slots, *hash).contains(&address), "{address}");
            assert_eq!(put(&mut slots, *hash, address), Put::Known);
        }
        let more = (1_000..9_999).take_while(|address| put(&mut slots, 7 << 16, *address) == Put::Done).count();
        assert_eq!(more + 200, slots.parts()[0].lines.len() * SLOTS);
        assert_eq!(put(&mut slots, 7 << 58, 5), Put::Done, "the other part has room");
    }

    #[test]
    fn an_empty_part_holds_nothing_and_takes_nothing() {
        let mut slots = with_room([0, 0]);
        assert!(held(&slots, 5).is_empty());
        assert_eq!((put(&mut slots, 5, 1), slots.bytes()), (Put::NoRoom, 0));
    }
}
