//! The open-addressed part of a table: a keyed hash chooses a group of 15 slots; a byte of the hash for each slot stands in
//! one array, so that nearly every look-up that finds nothing reads 16 bytes of an array that fits the cache.
//!
//! The sixteenth byte of a group has a bit for each eighth of the hashes that had to go on to the next group: a look-up
//! goes on only where one of its kind did. The arrays are cut into parts by the first bits of the hash. A part is filled
//! by one thread and is small enough for its cache.

#![expect(clippy::arithmetic_side_effects, reason = "on numbers of groups and slots, bounded by the size of the table")]

use std::num::NonZeroU32;

use shieldops_vector::{equal_bytes, prefetch_item};

const GROUP: usize = 16;
const SLOTS: usize = 15;
/// The bits of a mask that stand for slots.
const IN_SLOTS: u16 = 0x7fff;
/// Slots that are filled, of 100, when a table is built.
const LOAD: usize = 75;
/// Parts that are filled apart from each other.
pub(super) const PARTS: usize = 64;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// What a part knows of a hash: 24 bits choose the group, the last eight are the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread(u32);

impl Spread {
    #[inline]
    fn group(self, groups: u32) -> u32 {
        let Self(bits) = self;
        u32::try_from((u64::from(bits >> 8) * u64::from(groups)) >> 24).unwrap_or(0)
    }

    #[inline]
    fn tag(self) -> u8 {
        let [tag, ..] = self.0.to_le_bytes();
        tag.max(1)
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
    groups: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Slots {
    tags: Vec<[u8; GROUP]>,
    slots: Vec<[u32; SLOTS]>,
    parts: [Part; PARTS],
}

impl Default for Slots {
    fn default() -> Self {
        Self { tags: Vec::new(), slots: Vec::new(), parts: [Part::default(); PARTS] }
    }
}

/// A place that a look-up reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    group: u32,
    part: u8,
    tag: u8,
}

impl Slots {
    /// Room for so many in each part.
    pub(super) fn with_room(counts: &[usize; PARTS]) -> Self {
        let mut parts = [Part::default(); PARTS];
        let mut first: u32 = 0;
        for (part, entries) in parts.iter_mut().zip(counts) {
            let groups = if *entries == 0 { 0 } else { (entries * 100).div_ceil(LOAD * SLOTS) + 1 };
            *part = Part { first, groups: u32::try_from(groups).unwrap_or(0) };
            first += part.groups;
        }
        let groups = usize::try_from(first).unwrap_or(0);
        Self { tags: vec![[0; GROUP]; groups], slots: vec![[0; SLOTS]; groups], parts }
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.tags.capacity() * GROUP + self.slots.capacity() * size_of::<[u32; SLOTS]>()
    }

    #[inline]
    pub(super) fn probe(&self, hash: u64) -> Probe {
        let (part, spread) = place(hash);
        let Part { first, groups } = self.parts.get(part).copied().unwrap_or_default();
        Probe { group: first + spread.group(groups), part: u8::try_from(part).unwrap_or(0), tag: spread.tag() }
    }

    /// Asks for what [`first`](Self::first) reads.
    #[inline]
    pub(super) fn prefetch(&self, probe: Probe) {
        prefetch_item(&self.tags, index(probe.group));
    }

    /// Which slots of the first group may hold it, one bit each, and whether the next group may.
    #[inline]
    pub(super) fn first(&self, probe: Probe) -> (u16, bool) {
        self.tags.get(index(probe.group)).map_or((0, false), |group| matching(group, probe.tag))
    }

    /// Asks for what [`held`](Self::held) reads.
    #[inline]
    pub(super) fn prefetch_held(&self, probe: Probe, slot: u32) {
        prefetch_item(self.slots.as_flattened(), index(probe.group) * SLOTS + index(slot));
    }

    /// The address in a slot of the first group.
    #[inline]
    pub(super) fn held(&self, probe: Probe, slot: u32) -> Option<u32> {
        self.slots.get(index(probe.group))?.get(index(slot)).copied()
    }

    /// Goes through what may be of this hash behind the first group.
    pub(super) fn walk_further(&self, mut probe: Probe, mut found: impl FnMut(u32)) {
        let Some(Part { first, groups }) = self.parts.get(usize::from(probe.part)).copied() else { return };
        for _ in 1..groups {
            probe.group = if probe.group + 1 == first + groups { first } else { probe.group + 1 };
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
        let (mut tags, mut slots) = (self.tags.as_mut_slice(), self.slots.as_mut_slice());
        let cut = |part: &Part| {
            let groups = index(part.groups);
            let (own_tags, other_tags) = std::mem::take(&mut tags).split_at_mut_checked(groups)?;
            let (own_slots, other_slots) = std::mem::take(&mut slots).split_at_mut_checked(groups)?;
            (tags, slots) = (other_tags, other_slots);
            Some(PartMut { tags: own_tags, slots: own_slots })
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
    tags: &'a mut [[u8; GROUP]],
    slots: &'a mut [[u32; SLOTS]],
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
        let groups = u32::try_from(self.tags.len()).unwrap_or(0);
        let (mut place, tag) = (index(spread.group(groups)), spread.tag());
        for _ in 0..groups {
            let (Some(tags), Some(held)) = (self.tags.get_mut(place), self.slots.get_mut(place)) else { break };
            let (mut mask, _) = matching(tags, tag);
            while mask != 0 {
                if held.get(index(mask.trailing_zeros())).is_some_and(|address| same(*address)) {
                    return Put::Known;
                }
                mask &= mask - 1;
            }
            let free = index((equal_bytes(tags, 0) & IN_SLOTS).trailing_zeros());
            if let (Some(byte), Some(slot)) = (tags.get_mut(free).filter(|_| free < SLOTS), held.get_mut(free)) {
                (*byte, *slot) = (tag, address.get());
                return Put::Done;
            }
            tags[SLOTS] |= overflow_bit(tag);
            place = if place + 1 == self.tags.len() { 0 } else { place + 1 };
        }
        Put::NoRoom
    }
}

fn overflow_bit(tag: u8) -> u8 {
    1_u8.wrapping_shl(u32::from(tag))
}

/// The slots whose byte is the tag, and whether one of its kind went on.
#[inline]
fn matching(group: &[u8; GROUP], tag: u8) -> (u16, bool) {
    (equal_bytes(group, tag) & IN_SLOTS, group[SLOTS] & overflow_bit(tag) != 0)
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
        // All of the first half begin in one group: they go on and on.
        let hashes: Vec<u64> = (0..200_u64).map(|n| if n < 100 { n << 16 } else { n << 36 }).collect();
        for (hash, address) in hashes.iter().zip(1_u32..) {
            assert_eq!(put(&mut slots, *hash, address), Put::Done);
        }
        for (hash, address) in hashes.iter().zip(1_u32..) {
            assert!(held(&slots, *hash).contains(&address), "{address}");
            assert_eq!(put(&mut slots, *hash, address), Put::Known);
        }
        let more = (1_000..).take_while(|address| put(&mut slots, 7 << 16, *address) == Put::Done).count();
        assert_eq!(more + 200, slots.parts()[0].slots.len() * SLOTS);
        assert_eq!(put(&mut slots, 7 << 58, 5), Put::Done, "the other part has room");
    }

    #[test]
    fn an_empty_part_holds_nothing_and_takes_nothing() {
        let mut slots = with_room([0, 0]);
        assert!(held(&slots, 5).is_empty());
        assert_eq!((put(&mut slots, 5, 1), slots.bytes()), (Put::NoRoom, 0));
    }
}
