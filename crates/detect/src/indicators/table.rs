//! A table of the indicators of some lists: built from their blocks, never changed, read by any number of threads. It says
//! which records an entity's value stands in; what becomes of them is `find`'s.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use shieldops_model::Severity;
use shieldops_vector::prefetch_item;

use super::{
    block::{BLOCK_BYTES, Block, Record},
    hash::HashKey,
    networks::Networks,
    slots::{PARTS, PartMut, Put, Slots, Spread, place},
    value::{IndicatorKind, network_of},
};

/// Blocks of one table.
const MAX_BLOCKS: usize = 16 * 1024;
const BLOCK_BITS: u32 = BLOCK_BYTES.trailing_zeros();

/// Where indicators come from, and what is done about a hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFacts {
    /// Stable: a hit's alert is named by it.
    pub id: String,
    pub name: String,
    /// Who made it, or where it is published.
    pub source: String,
    /// What it names is never a hit, whatever other lists say.
    pub allow: bool,
    /// Of entries that say nothing themselves; 0 to 100.
    pub confidence: Option<u8>,
    /// Of the alerts.
    pub severity: Severity,
    /// The list belongs to the installation, not to the tenant.
    pub shared: bool,
}

/// A list and its blocks.
#[derive(Debug, Clone)]
pub struct ListBlocks {
    pub list: Arc<ListFacts>,
    pub blocks: Vec<Block>,
}

/// Why a table is not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLarge {
    Blocks,
    Entries,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blocks => write!(f, "the lists take more than {MAX_BLOCKS} blocks of {BLOCK_BYTES} bytes"),
            Self::Entries => write!(f, "the lists hold more than {MAX_INDICATORS} indicators"),
        }
    }
}

impl std::error::Error for TooLarge {}

/// Indicators of one table.
pub const MAX_INDICATORS: usize = 50_000_000;

/// See the module.
#[derive(Debug)]
pub struct Table {
    key: HashKey,
    slots: Slots,
    networks: Networks,
    lists: Vec<Arc<ListFacts>>,
    blocks: Vec<Placed>,
    /// For each number of labels up to 63, whether a domain of so many is listed.
    depths: u64,
    len: usize,
}

#[derive(Debug, Clone)]
struct Placed {
    block: Block,
    list: u32,
}

impl Default for Table {
    fn default() -> Self {
        let (networks, lists, blocks) = (Networks::default(), Vec::new(), Vec::new());
        Self { key: HashKey([0; 2]), slots: Slots::default(), networks, lists, blocks, depths: 0, len: 0 }
    }
}

impl Table {
    /// Builds a table on so many threads. A value that one list names twice counts once, with its first line.
    ///
    /// # Errors
    /// When the lists hold more than a table can.
    pub fn build(lists: Vec<ListBlocks>, key: HashKey, threads: usize) -> Result<Self, TooLarge> {
        let mut table = Self { key, ..Self::default() };
        for ListBlocks { list, blocks } in lists {
            let number = u32::try_from(table.lists.len()).unwrap_or(u32::MAX);
            table.lists.push(list);
            table.blocks.extend(blocks.into_iter().map(|block| Placed { block, list: number }));
        }
        if table.blocks.len() > MAX_BLOCKS {
            return Err(TooLarge::Blocks);
        }
        let entries = table.blocks.iter().fold(0, |sum: usize, placed| sum.saturating_add(placed.block.len()));
        if entries > MAX_INDICATORS {
            return Err(TooLarge::Entries);
        }
        let threads = threads.clamp(1, PARTS);
        let mut surveys = table.survey(threads);
        table.depths = surveys.iter().fold(0, |depths, survey| depths | survey.depths);
        let networks = surveys.iter_mut().flat_map(|survey| std::mem::take(&mut survey.networks)).collect();
        table.networks = Networks::build(networks);
        let (slots, twice) = table.fill(&surveys, threads);
        table.slots = slots;
        table.len = entries.saturating_sub(twice);
        Ok(table)
    }

    /// Indicators, each value once a list.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that it takes, its lists' blocks among them.
    pub fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().fold(0, |sum: usize, placed| sum.saturating_add(placed.block.bytes().len()));
        self.slots.bytes().saturating_add(blocks).saturating_add(self.networks.bytes())
    }

    pub fn lists(&self) -> &[Arc<ListFacts>] {
        &self.lists
    }

    /// First pass: hashes, each thread over its share of the blocks, in their order.
    fn survey(&self, threads: usize) -> Vec<Survey> {
        let size = self.blocks.len().div_ceil(threads).max(1);
        let numbered: Vec<(usize, &Placed)> = self.blocks.iter().enumerate().collect();
        std::thread::scope(|scope| {
            let run = |part: &'_ [(usize, &'_ Placed)]| {
                let entries = part.iter().fold(0, |sum: usize, (_, placed)| sum.saturating_add(placed.block.len()));
                let mut survey = Survey::with_room(entries);
                for (number, placed) in part {
                    survey.take(self.key, *number, &placed.block);
                }
                survey
            };
            let started: Vec<_> = numbered.chunks(size).map(|part| scope.spawn(move || run(part))).collect();
            started.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }

    /// Second pass: each thread fills parts of its own. Says how many values a list named twice.
    fn fill(&self, surveys: &[Survey], threads: usize) -> (Slots, usize) {
        let count = |part| surveys.iter().map(|survey| survey.part(part).len()).fold(0, usize::saturating_add);
        let mut slots = Slots::with_room(&std::array::from_fn(count));
        let mut parts: Vec<_> = slots.parts().into_iter().enumerate().collect();
        let twice = std::thread::scope(|scope| {
            let fill = |parts: &mut [(usize, PartMut<'_>)]| {
                let of = |(number, part): &mut (usize, PartMut<'_>)| self.fill_part(*number, part, surveys);
                parts.iter_mut().map(of).fold(0, usize::saturating_add)
            };
            let size = PARTS.div_ceil(threads);
            let started: Vec<_> = parts.chunks_mut(size).map(|parts| scope.spawn(move || fill(parts))).collect();
            started.into_iter().filter_map(|thread| thread.join().ok()).fold(0, usize::saturating_add)
        });
        drop(parts);
        (slots, twice)
    }

    fn fill_part(&self, number: usize, part: &mut PartMut<'_>, surveys: &[Survey]) -> usize {
        let mut twice: usize = 0;
        for (spread, address) in surveys.iter().flat_map(|survey| survey.part(number)) {
            let same = |other: u32| self.is_same(address.get(), other);
            if part.insert(*spread, *address, same) == Put::Known {
                twice = twice.saturating_add(1);
            }
        }
        twice
    }

    /// Whether one list names the same value in both places.
    fn is_same(&self, one: u32, other: u32) -> bool {
        let Some(((one, of), (other, by))) = self.at(one).zip(self.at(other)) else { return false };
        of == by && one.key == other.key && one.kind() == other.kind()
    }

    #[inline]
    fn place(&self, address: u32) -> Option<(&Placed, usize)> {
        let placed = self.blocks.get(usize::try_from(address >> BLOCK_BITS).ok()?)?;
        Some((placed, usize::try_from(address & 1_u32.wrapping_shl(BLOCK_BITS).wrapping_sub(1)).ok()?))
    }

    #[inline]
    fn at(&self, address: u32) -> Option<(Record<'_>, u32)> {
        let (placed, offset) = self.place(address)?;
        placed.block.record(offset).map(|record| (record, placed.list))
    }

    /// A record and its list.
    pub(super) fn found(&self, address: u32) -> Option<(Record<'_>, &Arc<ListFacts>)> {
        let (record, list) = self.at(address)?;
        Some((record, self.lists.get(usize::try_from(list).ok()?)?))
    }

    pub(super) const fn key(&self) -> HashKey {
        self.key
    }

    /// Whether domains of so many labels are listed at all.
    #[inline]
    pub(super) fn has_depth(&self, labels: u32) -> bool {
        self.depths & depth_bit(labels) != 0
    }

    #[inline]
    pub(super) const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Asks for a record that is compared soon.
    #[inline]
    pub(super) fn prefetch(&self, address: u32) {
        if let Some((placed, offset)) = self.place(address) {
            prefetch_item(placed.block.bytes(), offset);
        }
    }

    /// Whether a record is of this value.
    #[inline]
    pub(super) fn is_of(&self, address: u32, kind: IndicatorKind, key: &[u8]) -> bool {
        self.at(address).is_some_and(|(record, _)| record.key == key && record.kind() == Some(kind))
    }

    pub(super) fn holding(&self, address: IpAddr, found: &mut impl FnMut(u32)) {
        self.networks.holding(address, found);
    }
}

/// What the first pass found in some blocks.
#[derive(Debug)]
struct Survey {
    parts: Vec<Vec<(Spread, NonZeroU32)>>,
    networks: Vec<(ipnet::IpNet, u32)>,
    depths: u64,
}

impl Survey {
    fn with_room(entries: usize) -> Self {
        // A keyed hash spreads them evenly.
        let each = entries.div_ceil(PARTS);
        let each = each.saturating_add(each / 64);
        Self { parts: (0..PARTS).map(|_| Vec::with_capacity(each)).collect(), networks: Vec::new(), depths: 0 }
    }

    fn part(&self, number: usize) -> &[(Spread, NonZeroU32)] {
        self.parts.get(number).map_or(&[], Vec::as_slice)
    }

    fn take(&mut self, key: HashKey, number: usize, block: &Block) {
        for record in block.records() {
            let Some((kind, address)) = record.kind().zip(address(number, record.start)) else { continue };
            if kind == IndicatorKind::Cidr {
                self.networks.extend(network_of(record.key).map(|net| (net, address.get())));
                continue;
            }
            let hash = if kind == IndicatorKind::Domain {
                let (hash, labels) = key.domain(block.bytes(), record.place());
                self.depths |= depth_bit(labels);
                hash
            } else {
                key.hash(kind, block.bytes(), record.place())
            };
            let (part, spread) = place(hash);
            if let Some(part) = self.parts.get_mut(part) {
                part.push((spread, address));
            }
        }
    }
}

/// The last bit stands for all that are deeper.
fn depth_bit(labels: u32) -> u64 {
    1_u64.wrapping_shl(labels.min(63))
}

/// Where a record stands among all blocks; never 0, since a block begins with its format.
fn address(block: usize, offset: usize) -> Option<NonZeroU32> {
    let block = u32::try_from(block).ok()?;
    NonZeroU32::new(block.checked_shl(BLOCK_BITS)? | u32::try_from(offset).ok()?)
}
