//! A partition in memory: its segments, its end, its producers; who waits for news of it.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use shieldops_model::{Clock, Event, EventId, SegmentId, TenantId};
use shieldops_seal::SealKey;

use crate::{
    Damage, Disk, Error, Indexer, Keys, Limits, Offset,
    error::{Result, io_error, is_unreadable},
    frame::{self, Header, Place},
    index::{ActiveIndex, Jobs},
    marks::Marks,
    payload,
    queue::Queue,
    retention::Retired,
    segment::{Segment, State},
    walk::Walk,
};

/// What every partition of a bus shares.
pub(crate) struct Context {
    pub(crate) dir: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) indexer: Indexer,
    /// Over all partitions.
    pub(crate) unprocessed: AtomicU64,
    pub(crate) jobs: Jobs,
}

/// One tenant's log.
pub(crate) struct Partition {
    pub(crate) context: Arc<Context>,
    pub(crate) place: Place,
    pub(crate) dir: PathBuf,
    pub(crate) queue: Queue,
    pub(crate) index: Mutex<ActiveIndex>,
    key: Mutex<Option<Arc<SealKey>>>,
    /// Whether some frame opened with the key: then one that does not is damaged.
    key_proven: AtomicBool,
    state: Mutex<Log>,
    news: Condvar,
    /// What it adds to the unprocessed bytes of the bus.
    unprocessed: AtomicU64,
    /// Bytes of its segments, processed or not.
    stored: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Oldest first.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) end: u64,
    /// The last id minted or read.
    pub(crate) last: Option<EventId>,
    pub(crate) producers: Marks,
    pub(crate) processed: u64,
    pub(crate) retired: Retired,
    pub(crate) truncated_bytes: u64,
    pub(crate) duplicates: u64,
}

/// An extent of a segment's file to read, taken under the lock and read without it.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    pub(crate) segment: SegmentId,
    pub(crate) path: PathBuf,
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    /// The offset after the segment's last event.
    pub(crate) end: u64,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is complete before anything can panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// The first segment that reaches beyond `offset`.
    pub(crate) fn segment_after(&self, offset: u64) -> Option<&Segment> {
        self.segments.get(self.segments.partition_point(|segment| segment.end <= offset))
    }

    pub(crate) fn segment_mut(&mut self, id: SegmentId) -> Option<&mut Segment> {
        self.segments.iter_mut().rev().find(|segment| segment.id == id)
    }

    pub(crate) fn unprocessed_bytes(&self) -> u64 {
        let waiting = self.segments.iter().rev().take_while(|segment| segment.end > self.processed);
        let bytes = waiting.map(|segment| {
            if segment.offset >= self.processed {
                segment.bytes
            } else {
                segment.bytes.saturating_sub(segment.mark_at(self.processed))
            }
        });
        bytes.fold(0, u64::saturating_add)
    }

    fn stored_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).fold(0, u64::saturating_add)
    }

    /// Its segments from the first to the last, as far as a change of them shows here.
    fn shape(&self) -> (usize, Option<SegmentId>, u64) {
        let last = self.segments.back().map_or(0, |segment| segment.bytes);
        (self.segments.len(), self.segments.front().map(|segment| segment.id), last)
    }
}

impl Partition {
    pub(crate) fn new(context: Arc<Context>, tenant: TenantId, log: Log) -> Self {
        let place = Place { tenant, partition: 0 };
        let dir = context.dir.join(tenant.to_string()).join(place.partition.to_string());
        let queue = Queue::new(context.limits.queue_bytes, context.limits.commit_bytes);
        let partition = Self {
            context,
            place,
            dir,
            queue,
            index: Mutex::default(),
            key: Mutex::default(),
            key_proven: AtomicBool::new(false),
            state: Mutex::new(log),
            news: Condvar::new(),
            unprocessed: AtomicU64::new(0),
            stored: AtomicU64::new(0),
        };
        let stored = partition.log().stored_bytes();
        partition.stored.store(stored, Ordering::SeqCst);
        partition.change(|_| ());
        partition
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.state)
    }

    /// Changes the log, keeps the counts of bytes, and wakes those who wait.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let mut log = self.log();
        let (segments, first, last) = log.shape();
        let result = change(&mut log);
        let now = log.unprocessed_bytes();
        self.context.unprocessed.fetch_add(now, Ordering::SeqCst);
        self.context.unprocessed.fetch_sub(self.unprocessed.swap(now, Ordering::SeqCst), Ordering::SeqCst);
        // Mostly the last segment grew; all are counted only where one came or went.
        let (segments_now, first_now, last_now) = log.shape();
        let stored = if (segments_now, first_now) == (segments, first) {
            self.stored_bytes().saturating_sub(last).saturating_add(last_now)
        } else {
            log.stored_bytes()
        };
        self.stored.store(stored, Ordering::SeqCst);
        drop(log);
        self.news.notify_all();
        result
    }

    /// Bytes that wait to be processed.
    pub(crate) fn unprocessed_bytes(&self) -> u64 {
        self.unprocessed.load(Ordering::SeqCst)
    }

    /// Bytes on disk.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored.load(Ordering::SeqCst)
    }

    /// Blocks until there is data at or after `from`.
    pub(crate) fn wait(&self, from: Offset, timeout: Duration) -> bool {
        let waiting = |log: &mut Log| log.end <= from.0;
        let waited = self.news.wait_timeout_while(self.log(), timeout, waiting);
        let (log, _) = waited.unwrap_or_else(PoisonError::into_inner);
        log.end > from.0
    }

    pub(crate) fn key(&self) -> Result<Arc<SealKey>> {
        let mut key = lock(&self.key);
        if let Some(key) = key.as_ref() {
            return Ok(Arc::clone(key));
        }
        let tenant = self.place.tenant;
        let fresh = self.context.keys.frame_key(tenant).map_err(|why| Error::Key { tenant, why })?;
        *key = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    pub(crate) fn key_is_proven(&self) -> bool {
        self.key_proven.load(Ordering::Relaxed)
    }

    /// The events of a checked frame.
    pub(crate) fn events(&self, frame: &[u8], header: &Header) -> Result<Result<Vec<Event>, &'static str>> {
        let key = self.key()?;
        let payload = match frame::open(frame, header, self.place, &key) {
            Ok(payload) => payload,
            Err(why) => return Ok(Err(why)),
        };
        self.key_proven.store(true, Ordering::Relaxed);
        let events = payload::decode(self.place.tenant, header.ingested_at, header.count, payload);
        Ok(events.ok_or("the payload of the frame is not understood"))
    }

    pub(crate) fn extent(&self, segment: &Segment, position: u64) -> Extent {
        let path = Segment::path(&self.dir, segment.id);
        Extent { segment: segment.id, path, position, bytes: segment.bytes, end: segment.end }
    }

    /// Calls `visit` with a walk over the extent; `None` when retention has deleted the segment meanwhile.
    pub(crate) fn walk<T>(&self, extent: &Extent, visit: impl FnOnce(&mut Walk<'_>) -> Result<T>) -> Result<Option<T>> {
        let file = match self.context.disk.open(&extent.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.holds(extent.segment) => {
                return Ok(None);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = "the segment's file is missing".to_owned();
                return Err(Error::Damaged { path: extent.path.clone(), position: 0, why });
            }
            Err(error) if is_unreadable(&error) => {
                let why = format!("the segment's file cannot be opened: {error}");
                return Err(Error::Damaged { path: extent.path.clone(), position: 0, why });
            }
            Err(error) => return Err(io_error("opening", &extent.path)(error)),
        };
        let mut walk = Walk::new(file.as_ref(), &extent.path, extent.position, extent.bytes);
        visit(&mut walk).map(Some)
    }

    fn holds(&self, id: SegmentId) -> bool {
        self.log().segments.iter().any(|segment| segment.id == id)
    }

    /// Notes damage once, for people to see.
    pub(crate) fn note_damage(&self, id: SegmentId, damage: &Damage) {
        let mut log = self.log();
        let Some(segment) = log.segment_mut(id) else { return };
        if segment.damage.iter().any(|known| known.position == damage.position) {
            return;
        }
        tracing::error!(tenant.id = %self.place.tenant, path = %damage.path.display(), position = damage.position,
            events = damage.events, why = %damage.why, "events on disk are damaged");
        segment.damage.push(damage.clone());
    }

    pub(crate) fn active(log: &Log) -> Option<&Segment> {
        log.segments.back().filter(|segment| segment.state == State::Active)
    }
}
