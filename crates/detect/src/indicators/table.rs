//! A table of the indicators of some lists: built from their blocks, never changed, read by any number of threads. It says
//! which records an entity's value stands in; what becomes of them is `find`'s.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use shieldops_model::Severity;

use super::{
    block::{BLOCK_BYTES, Block, Record},
    hash::HashKey,
    networks::Networks,
    slots::{Probe, SHARDS, Shard, shard_of},
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
    shards: Vec<Shard>,
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
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let (networks, lists, blocks) = (Networks::default(), Vec::new(), Vec::new());
        Self { key: HashKey([0; 2]), shards, networks, lists, blocks, depths: 0, len: 0 }
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
        let threads = threads.clamp(1, SHARDS);
        let survey = table.survey(threads);
        table.depths = survey.depths;
        table.networks = Networks::build(survey.networks);
        let (shards, twice) = table.fill(&survey.counts, threads);
        table.shards = shards;
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
        let shards = self.shards.iter().fold(0, |sum: usize, shard| sum.saturating_add(shard.bytes()));
        let blocks = self.blocks.iter().fold(0, |sum: usize, placed| sum.saturating_add(placed.block.bytes().len()));
        shards.saturating_add(blocks).saturating_add(self.networks.bytes())
    }

    pub fn lists(&self) -> &[Arc<ListFacts>] {
        &self.lists
    }

    /// First pass: how many each shard will hold, and what is no matter of hashes.
    fn survey(&self, threads: usize) -> Survey {
        let size = self.blocks.len().div_ceil(threads).max(1);
        let numbered: Vec<(usize, &Placed)> = self.blocks.iter().enumerate().collect();
        let parts: Vec<Survey> = std::thread::scope(|scope| {
            let run = |part: &'_ [(usize, &'_ Placed)]| {
                let mut survey = Survey::default();
                for (number, placed) in part {
                    survey.take(self.key, *number, &placed.block);
                }
                survey
            };
            let started: Vec<_> = numbered.chunks(size).map(|part| scope.spawn(move || run(part))).collect();
            started.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        parts.into_iter().fold(Survey::default(), Survey::join)
    }

    /// Second pass: each thread fills shards of its own. Says how many values a list named twice.
    fn fill(&self, counts: &[usize; SHARDS], threads: usize) -> (Vec<Shard>, usize) {
        let mut shards: Vec<Shard> = counts.iter().map(|count| Shard::with_room(*count)).collect();
        let size = SHARDS.div_ceil(threads);
        let twice = std::thread::scope(|scope| {
            let started: Vec<_> = shards
                .chunks_mut(size)
                .enumerate()
                .map(|(part, shards)| scope.spawn(move || self.fill_part(part.saturating_mul(size), shards)))
                .collect();
            started.into_iter().filter_map(|thread| thread.join().ok()).fold(0, usize::saturating_add)
        });
        (shards, twice)
    }

    fn fill_part(&self, first: usize, shards: &mut [Shard]) -> usize {
        let mut twice: usize = 0;
        for (number, placed) in self.blocks.iter().enumerate() {
            for record in placed.block.records() {
                let Some(kind) = record.kind().filter(|kind| *kind != IndicatorKind::Cidr) else { continue };
                let hash = hash_of(self.key, kind, record.key);
                let own = shard_of(hash).checked_sub(first).and_then(|shard| shards.get_mut(shard));
                let (Some(shard), Some(address)) = (own, address(number, record.start)) else { continue };
                if self.has_of_list(shard, hash, &record, placed.list) {
                    twice = twice.saturating_add(1);
                } else {
                    shard.insert(hash, address);
                }
            }
        }
        twice
    }

    fn has_of_list(&self, shard: &Shard, hash: u64, record: &Record<'_>, list: u32) -> bool {
        let mut known = false;
        let probe = shard.probe(hash);
        shard.walk(probe, |address| {
            known = self
                .at(address.get())
                .is_some_and(|(other, of)| of == list && other.key == record.key && other.kind() == record.kind());
            known
        });
        known
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
    pub(super) fn probe(&self, hash: u64) -> Probe {
        self.shards.get(shard_of(hash)).map_or_else(|| Shard::default().probe(hash), |shard| shard.probe(hash))
    }

    #[inline]
    pub(super) fn shard(&self, hash: u64) -> Option<&Shard> {
        self.shards.get(shard_of(hash))
    }

    /// A byte of a record, so that it is near when it is compared.
    #[inline]
    pub(super) fn touch(&self, address: u32) -> u8 {
        self.place(address).and_then(|(placed, offset)| placed.block.bytes().get(offset)).copied().unwrap_or(0)
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

/// What the first pass found.
#[derive(Debug, Default)]
struct Survey {
    counts: [usize; SHARDS],
    networks: Vec<(ipnet::IpNet, u32)>,
    depths: u64,
}

impl Survey {
    fn take(&mut self, key: HashKey, number: usize, block: &Block) {
        for record in block.records() {
            let Some(kind) = record.kind() else { continue };
            if kind == IndicatorKind::Cidr {
                let found = network_of(record.key).zip(address(number, record.start));
                self.networks.extend(found.map(|(net, address)| (net, address.get())));
                continue;
            }
            if kind == IndicatorKind::Domain {
                let dots = memchr::memchr_iter(b'.', record.key).count();
                self.depths |= depth_bit(u32::try_from(dots).unwrap_or(u32::MAX).saturating_add(1));
            }
            if let Some(count) = self.counts.get_mut(shard_of(hash_of(key, kind, record.key))) {
                *count = count.saturating_add(1);
            }
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count = count.saturating_add(more));
        self.networks.extend(other.networks);
        self.depths |= other.depths;
        self
    }
}

/// The last bit stands for all that are deeper.
fn depth_bit(labels: u32) -> u64 {
    1_u64.wrapping_shl(labels.min(63))
}

#[inline]
fn hash_of(key: HashKey, kind: IndicatorKind, bytes: &[u8]) -> u64 {
    if kind == IndicatorKind::Domain { key.domain(bytes) } else { key.hash(kind, bytes) }
}

/// Where a record stands among all blocks; never 0, since a block begins with its format.
fn address(block: usize, offset: usize) -> Option<NonZeroU32> {
    let block = u32::try_from(block).ok()?;
    NonZeroU32::new(block.checked_shl(BLOCK_BITS)? | u32::try_from(offset).ok()?)
}
