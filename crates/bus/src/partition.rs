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
    error::{Result, io_error},
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
    /// What this partition adds to the unprocessed bytes of the bus.
    pub(crate) counted: u64,
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
        };
        partition.change(|_| ());
        partition
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.state)
    }

    /// Changes the log, keeps the count of unprocessed bytes, and wakes those who wait.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let mut log = self.log();
        let result = change(&mut log);
        let now = log.unprocessed_bytes();
        self.context.unprocessed.fetch_add(now, Ordering::SeqCst);
        self.context.unprocessed.fetch_sub(log.counted, Ordering::SeqCst);
        log.counted = now;
        drop(log);
        self.news.notify_all();
        result
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
