//! The open-addressed part of a table: a keyed hash chooses a group of 15 slots; a byte of the hash for each slot stands in
//! one array, so that nearly every look-up that finds nothing reads 16 bytes of an array that fits the cache.
//!
//! The sixteenth byte of a group has a bit for each eighth of the hashes that had to go on to the next group: a look-up
//! goes on only where one of its kind did.

#![expect(clippy::arithmetic_side_effects, reason = "on numbers of groups and slots, bounded by the size of the table")]

use std::num::NonZeroU32;

const GROUP: usize = 16;
const SLOTS: usize = 15;
/// Slots that are filled, of 100, when a table is built.
const LOAD: usize = 75;
/// Parts that are built apart from each other.
pub(super) const SHARDS: usize = 8;

/// One part: the hashes whose first three bits are its number.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// 16 bytes a group.
    tags: Vec<u8>,
    /// 15 a group.
    slots: Vec<u32>,
    groups: u64,
}

/// A place in a shard that a look-up reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    group: u64,
    tag: u8,
}

/// The shard of a hash.
#[inline]
pub(super) fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> 61).unwrap_or(0)
}

impl Shard {
    /// Room for so many.
    pub(super) fn with_room(entries: usize) -> Self {
        let groups = (entries * 100).div_ceil(LOAD * SLOTS) + 1;
        let groups = if entries == 0 { 0 } else { groups };
        Self {
            tags: vec![0; groups * GROUP],
            slots: vec![0; groups * SLOTS],
            groups: u64::try_from(groups).unwrap_or(0),
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.tags.capacity() + self.slots.capacity() * size_of::<u32>()
    }

    #[inline]
    pub(super) fn probe(&self, hash: u64) -> Probe {
        // The bits behind those of the shard choose the group, the last eight are the tag.
        let spread = (hash >> 29) & 0xffff_ffff;
        let tag = u8::try_from(hash & 0xff).unwrap_or(0).max(1);
        Probe { group: (spread * self.groups) >> 32, tag }
    }

    #[inline]
    fn group(&self, group: u64) -> Option<&[u8; GROUP]> {
        let (groups, _) = self.tags.as_chunks::<GROUP>();
        groups.get(usize::try_from(group).ok()?)
    }

    /// Reads a byte of what [`first`](Self::first) reads, and nothing else: many of these go on at once.
    #[inline]
    pub(super) fn touch(&self, probe: Probe) -> u8 {
        usize::try_from(probe.group).ok().and_then(|group| self.tags.get(group * GROUP)).copied().unwrap_or(0)
    }

    /// The address in a slot of the first group.
    #[inline]
    pub(super) fn held(&self, probe: Probe, slot: u32) -> Option<u32> {
        self.slot(probe.group, usize::try_from(slot).ok()?)
    }

    /// Which slots of the first group may hold it, one bit each, and whether the next group may.
    #[inline]
    pub(super) fn first(&self, probe: Probe) -> (u16, bool) {
        self.group(probe.group).map_or((0, false), |group| matching(group, probe.tag))
    }

    /// Goes through what may be of this hash until `found` says that it is enough.
    pub(super) fn walk(&self, probe: Probe, found: impl FnMut(NonZeroU32) -> bool) {
        self.walk_on(probe, self.first(probe), found);
    }

    /// As [`walk`](Self::walk), but behind the first group.
    pub(super) fn walk_further(&self, probe: Probe, found: impl FnMut(NonZeroU32) -> bool) {
        self.walk_on(probe, (0, true), found);
    }

    fn walk_on(&self, mut probe: Probe, first: (u16, bool), mut found: impl FnMut(NonZeroU32) -> bool) {
        let (mut mask, mut further) = first;
        for _ in 0..self.groups {
            while mask != 0 {
                let slot = usize::try_from(mask.trailing_zeros()).unwrap_or(0);
                mask &= mask - 1;
                let held = self.slot(probe.group, slot).and_then(NonZeroU32::new);
                if held.is_some_and(&mut found) {
                    return;
                }
            }
            if !further {
                return;
            }
            probe.group = self.next(probe.group);
            (mask, further) = self.first(probe);
        }
    }

    fn next(&self, group: u64) -> u64 {
        if group + 1 == self.groups { 0 } else { group + 1 }
    }

    #[inline]
    fn slot(&self, group: u64, slot: usize) -> Option<u32> {
        self.slots.get(usize::try_from(group).ok()? * SLOTS + slot).copied()
    }

    /// Puts an address where a look-up of the hash finds it. False when there is no room.
    pub(super) fn insert(&mut self, hash: u64, address: NonZeroU32) -> bool {
        let Probe { mut group, tag } = self.probe(hash);
        for _ in 0..self.groups {
            let Some(place) = usize::try_from(group).ok() else { return false };
            let (groups, _) = self.tags.as_chunks_mut::<GROUP>();
            let Some(tags) = groups.get_mut(place) else { return false };
            let (used, further) = (tags.iter().take(SLOTS).position(|byte| *byte == 0), tags.last_mut());
            match (used, further) {
                (Some(slot), _) => {
                    if let (Some(byte), Some(held)) = (tags.get_mut(slot), self.slots.get_mut(place * SLOTS + slot)) {
                        (*byte, *held) = (tag, address.get());
                    }
                    return true;
                }
                (None, Some(further)) => *further |= overflow_bit(tag),
                (None, None) => return false,
            }
            group = self.next(group);
        }
        false
    }
}

fn overflow_bit(tag: u8) -> u8 {
    1_u8.wrapping_shl(u32::from(tag))
}

/// The slots whose byte is the tag, and whether one of its kind went on.
#[inline]
fn matching(group: &[u8; GROUP], tag: u8) -> (u16, bool) {
    let mut mask: u16 = 0;
    for (slot, byte) in group.iter().enumerate().take(SLOTS) {
        mask |= u16::from(*byte == tag) << slot;
    }
    (mask, group[SLOTS] & overflow_bit(tag) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(shard: &Shard, hash: u64) -> Vec<u32> {
        let probe = shard.probe(hash);
        let mut found = Vec::new();
        shard.walk(probe, |address| {
            found.push(address.get());
            false
        });
        found
    }

    #[test]
    fn everything_put_in_is_found_until_no_room_is_left() {
        let mut shard = Shard::with_room(200);
        // All of the first half begin in one group: they go on and on.
        let hashes: Vec<u64> = (0..200_u64).map(|n| if n < 100 { n } else { n << 50 }).collect();
        for (hash, address) in hashes.iter().zip(1_u32..) {
            assert!(shard.insert(*hash, NonZeroU32::new(address).unwrap()));
        }
        for (hash, address) in hashes.iter().zip(1_u32..) {
            assert!(held(&shard, *hash).contains(&address), "{address}");
        }
        let mut more = 0;
        while shard.insert(7, NonZeroU32::MIN) {
            more += 1;
        }
        assert_eq!(more + 200, shard.slots.len());
    }

    #[test]
    fn an_empty_part_holds_nothing_and_takes_nothing() {
        let mut shard = Shard::with_room(0);
        assert!(held(&shard, 5).is_empty());
        assert!(!shard.insert(5, NonZeroU32::MIN));
    }
}
