//! The side index of a segment: from opaque entity keys to the events that have them. Built from the frames with the
//! caller's indexer, off the path of an append; kept in memory for the segment that grows, in `.idx` for sealed ones.
//!
//! `.idx`, big endian: magic `SOPSIDX1`, version u8, zero 3, CRC-32 u32 (computed with this field zero), tenant 16,
//! segment 16, bytes of the segment u64, events covered u32, keys u32, postings u32; per key, sorted: key u64, first
//! posting u32, postings u32; then the postings u32: events counted from the segment's first, ascending.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
};

use shieldops_model::SegmentId;

use crate::{
    disk::{DiskFile, read_all, replace},
    error::{Result, io_error, is_unreadable},
    partition::{Extent, Partition, lock},
    segment::{HEADER as SEGMENT_HEADER, Segment, State},
    walk::Step,
    wire::{Reader, Write as _, len32, len64, patch},
};

const MAGIC: &[u8; 8] = b"SOPSIDX1";
const VERSION: u8 = 1;
const CRC_AT: usize = 12;
const HEADER: usize = 68;
const ENTRY: usize = 16;
/// Keys of one event that are indexed.
const EVENT_KEYS: usize = 256;
const CEILING: u64 = 512 * 1024 * 1024;

/// Events of a segment that have a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    /// Counted from the segment's first event, ascending.
    pub(crate) ordinals: Vec<u32>,
    /// Events from this one on are not in the index.
    pub(crate) covered: u32,
}

/// The index in memory of one segment, as far as it was read.
#[derive(Debug, Default)]
struct Growing {
    segment: Option<SegmentId>,
    position: u64,
    covered: u32,
    postings: HashMap<u64, Vec<u32>>,
    count: usize,
    full: bool,
    /// Something could not be read: what is built of it is not kept.
    has_holes: bool,
}

/// The index of the segment that grows, and which index files were found whole.
#[derive(Debug, Default)]
pub(crate) struct ActiveIndex {
    growing: Growing,
    whole: HashSet<SegmentId>,
}

impl Growing {
    fn of(segment: SegmentId) -> Self {
        Self { segment: Some(segment), position: len64(SEGMENT_HEADER), ..Self::default() }
    }

    /// Reads on up to the end of the extent.
    fn catch_up(&mut self, partition: &Partition, extent: &Extent, offset: u64) -> Result<()> {
        if self.full || self.position >= extent.bytes {
            return Ok(());
        }
        let rest = Extent { position: self.position, ..extent.clone() };
        let read = partition.walk(&rest, |walk| {
            while let Some(step) = walk.step()? {
                let Step::Frame { header, bytes, .. } = step else { continue };
                let Ok(events) = partition.events(bytes, &header)? else { continue };
                let first = header.offset.saturating_sub(offset);
                for (ordinal, event) in (first..).zip(&events) {
                    self.add(u32::try_from(ordinal).unwrap_or(u32::MAX), (partition.context.indexer)(event));
                }
                if self.count > partition.context.limits.index_postings {
                    self.full = true;
                    self.covered = u32::try_from(header.next().saturating_sub(offset)).unwrap_or(u32::MAX);
                    break;
                }
            }
            self.has_holes |= walk.met_holes();
            Ok(())
        });
        if let Err(error) = read {
            *self = Self::of(extent.segment);
            return Err(error);
        }
        if !self.full {
            self.position = extent.bytes;
            self.covered = u32::try_from(extent.end.saturating_sub(offset)).unwrap_or(u32::MAX);
        }
        Ok(())
    }

    fn add(&mut self, ordinal: u32, keys: Vec<u64>) {
        for key in keys.into_iter().take(EVENT_KEYS) {
            let postings = self.postings.entry(key).or_default();
            if postings.last() != Some(&ordinal) {
                postings.push(ordinal);
                self.count = self.count.saturating_add(1);
            }
        }
    }

    fn hits(&self, key: u64) -> Hits {
        Hits { ordinals: self.postings.get(&key).cloned().unwrap_or_default(), covered: self.covered }
    }

    fn encode(&self, partition: &Partition, extent: &Extent) -> Vec<u8> {
        let mut keys: Vec<(&u64, &Vec<u32>)> = self.postings.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| **key);
        let mut out = Vec::with_capacity(HEADER + keys.len() * ENTRY + self.count * 4);
        out.put(MAGIC);
        out.put_u8(VERSION);
        out.put(&[0; 7]);
        out.put_id(partition.place.tenant);
        out.put_id(extent.segment);
        out.put_u64(extent.bytes);
        out.put_u32(self.covered);
        out.put_u32(len32(keys.len()));
        out.put_u32(len32(self.count));
        let mut first = 0_u32;
        for (key, postings) in &keys {
            out.put_u64(**key);
            out.put_u32(first);
            out.put_u32(len32(postings.len()));
            first = first.saturating_add(len32(postings.len()));
        }
        for ordinal in keys.iter().flat_map(|(_, postings)| postings.iter()) {
            out.put_u32(*ordinal);
        }
        let crc = crc32fast::hash(&out);
        patch(&mut out, CRC_AT, &crc.to_be_bytes());
        out
    }
}

/// The events of the segment that have `key`.
pub(crate) fn hits(partition: &Partition, segment: &Segment, key: u64) -> Result<Hits> {
    let extent = partition.extent(segment, len64(SEGMENT_HEADER));
    let mut index = lock(&partition.index);
    if segment.state != State::Sealed {
        if index.growing.segment != Some(segment.id) {
            index.growing = Growing::of(segment.id);
        }
        index.growing.catch_up(partition, &extent, segment.offset)?;
        return Ok(index.growing.hits(key));
    }
    if let Some(hits) = index.look_up(partition, &extent, key)? {
        return Ok(hits);
    }
    index.build(partition, &extent, segment.offset, |built| built.hits(key))
}

impl ActiveIndex {
    /// What the file says; `None` when there is no whole one.
    fn look_up(&mut self, partition: &Partition, extent: &Extent, key: u64) -> Result<Option<Hits>> {
        let path = partition.dir.join(Segment::name(extent.segment, "idx"));
        if !self.whole.contains(&extent.segment) {
            let bytes = match read_all(partition.context.disk.as_ref(), &path, CEILING) {
                Err(error) if is_unreadable(&error) => None,
                read => read.map_err(io_error("reading", &path))?,
            };
            if !bytes.is_some_and(|bytes| is_whole(bytes, partition, extent)) {
                return Ok(None);
            }
            self.whole.insert(extent.segment);
        }
        let found = partition.context.disk.open(&path).ok().map(|file| find(file.as_ref(), &path, key));
        match found {
            Some(Err(error)) if !error.is_unreadable() => Err(error),
            Some(Ok(hits)) => Ok(hits),
            _ => {
                self.whole.remove(&extent.segment);
                Ok(None)
            }
        }
    }

    /// Builds the index of a sealed segment and writes it; that it could not be written costs only time.
    fn build<T>(
        &mut self,
        partition: &Partition,
        extent: &Extent,
        offset: u64,
        then: impl FnOnce(&Growing) -> T,
    ) -> Result<T> {
        let mut built = if self.growing.segment == Some(extent.segment) {
            std::mem::take(&mut self.growing)
        } else {
            Growing::of(extent.segment)
        };
        built.catch_up(partition, extent, offset)?;
        if built.has_holes {
            return Ok(then(&built));
        }
        let name = Segment::name(extent.segment, "idx");
        let bytes = built.encode(partition, extent);
        match replace(partition.context.disk.as_ref(), &partition.dir, &name, &bytes) {
            Ok(()) => {
                self.whole.insert(extent.segment);
            }
            Err(error) => tracing::warn!(path = %partition.dir.join(name).display(), %error, "no side index written"),
        }
        Ok(then(&built))
    }
}

fn is_whole(mut bytes: Vec<u8>, partition: &Partition, extent: &Extent) -> bool {
    let read = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        let (magic, version, _zero) = (reader.array::<8>()?, reader.u8()?, reader.array::<3>()?);
        let crc = reader.u32()?;
        let (tenant, segment, len) = (reader.id()?, reader.id()?, reader.u64()?);
        let (known, place) = ((magic, version) == (*MAGIC, VERSION), partition.place);
        (known && tenant == place.tenant && segment == extent.segment && len == extent.bytes).then_some(crc)
    };
    let Some(crc) = read(&bytes) else { return false };
    patch(&mut bytes, CRC_AT, &[0; 4]);
    crc32fast::hash(&bytes) == crc
}

/// Binary search in the file's table of keys.
fn find(file: &dyn DiskFile, path: &Path, key: u64) -> Result<Option<Hits>> {
    let read = |len: usize, at: u64| {
        let mut bytes = vec![0; len];
        let read = file.read_at(&mut bytes, at).map_err(io_error("reading", path))?;
        bytes.truncate(read);
        Ok::<_, crate::Error>(bytes)
    };
    let header = read(HEADER, 0)?;
    let mut reader = Reader::new(header.get(HEADER - 12..).unwrap_or_default());
    let (Some(covered), Some(keys)) = (reader.u32(), reader.u32()) else { return Ok(None) };
    let table = len64(HEADER);
    let (mut low, mut high) = (0_u64, u64::from(keys));
    while low < high {
        let middle = low.midpoint(high);
        let entry = read(ENTRY, table.saturating_add(middle.saturating_mul(len64(ENTRY))))?;
        let mut reader = Reader::new(&entry);
        let (Some(found), Some(first), Some(count)) = (reader.u64(), reader.u32(), reader.u32()) else {
            return Ok(None);
        };
        match found.cmp(&key) {
            std::cmp::Ordering::Less => low = middle.saturating_add(1),
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => {
                let postings = table.saturating_add(u64::from(keys).saturating_mul(len64(ENTRY)));
                let at = postings.saturating_add(u64::from(first).saturating_mul(4));
                let bytes = read(crate::wire::size32(count).saturating_mul(4), at)?;
                let mut reader = Reader::new(&bytes);
                return Ok(Some(Hits { ordinals: std::iter::from_fn(|| reader.u32()).collect(), covered }));
            }
        }
    }
    Ok(Some(Hits { ordinals: Vec::new(), covered }))
}

#[derive(Default)]
struct Waiting {
    segments: VecDeque<(Weak<Partition>, SegmentId)>,
    closed: bool,
}

/// Segments that wait for their side index.
#[derive(Default)]
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

impl Jobs {
    pub(crate) fn push(&self, partition: &Arc<Partition>, id: SegmentId) {
        lock(&self.waiting).segments.push_back((Arc::downgrade(partition), id));
        self.news.notify_all();
    }

    /// What is not built by then is built at the next open or the first question.
    pub(crate) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.news.notify_all();
    }

    /// Builds what comes until closed.
    pub(crate) fn run(&self) {
        loop {
            let idle = |waiting: &mut Waiting| waiting.segments.is_empty() && !waiting.closed;
            let mut waiting = self.news.wait_while(lock(&self.waiting), idle).unwrap_or_else(PoisonError::into_inner);
            if waiting.closed {
                return;
            }
            let job = waiting.segments.pop_front();
            drop(waiting);
            let Some((partition, id)) = job.and_then(|(partition, id)| Some((partition.upgrade()?, id))) else {
                continue;
            };
            if let Err(error) = build(&partition, id) {
                tracing::warn!(tenant.id = %partition.place.tenant, %error, "a side index could not be built");
            }
        }
    }
}

fn build(partition: &Partition, id: SegmentId) -> Result<()> {
    let mut index = lock(&partition.index);
    // Asked under the lock: what retention has removed gets no new file.
    let found = partition.log().segments.iter().find(|segment| segment.id == id).cloned();
    let Some(segment) = found else { return Ok(()) };
    let extent = partition.extent(&segment, len64(SEGMENT_HEADER));
    if index.whole.contains(&id) {
        return Ok(());
    }
    index.build(partition, &extent, segment.offset, |_| ())
}
