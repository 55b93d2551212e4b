//! Events in motion: a durable, partitioned log of sealed frames on disk.
//!
//! A tenant has one partition; a partition is a row of segment files; a segment is a row of frames; a frame is one
//! accepted batch. The bus parses no payloads: entity keys come from an indexer it is given. It is synchronous: an async
//! caller runs it on a blocking pool, or bridges `append_then` to a oneshot.
//!
//! `bus` appends and reads · `writer` group commit · `recover` opening · `frame`, `payload`, `segment`, `sealed`, `index`,
//! `retention` what is on disk · `share` how tenants share it · `walk` reading it · `verify` checking it offline.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shieldops_model::{Event, EventId, SegmentId, TenantId, TimeQuality, Timestamp};
use shieldops_seal::SealKey;

mod admit;
mod bus;
mod disk;
mod error;
mod frame;
mod index;
mod limits;
mod marks;
mod merkle;
mod partition;
mod payload;
mod queue;
mod read;
mod recover;
mod retention;
mod sealed;
mod search;
mod segment;
mod share;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod wire;
mod writer;

pub use bus::{Bus, Parts};
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::{Error, Result};
pub use limits::Limits;
pub use verify::{SegmentFile, Verified, list_segments, verify_on, verify_segment};

/// Gives the key that seals a tenant's frames: `DataKey::subkey(Purpose::Frame)`. Asked at the first append or read of a
/// tenant, not at open. The error says why there is none.
pub trait Keys: Send + Sync + 'static {
    fn frame_key(&self, tenant: TenantId) -> Result<Arc<SealKey>, String>;
}

/// The entity keys of an event, opaque to the bus. Called off the path of an append.
pub type Indexer = Arc<dyn Fn(&Event) -> Vec<u64> + Send + Sync>;

/// A place in a partition: the number of events before it since the partition was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

/// An event before it has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub source: String,
    pub format: String,
    pub time: Timestamp,
    pub time_quality: TimeQuality,
    pub demo: bool,
    /// Nobody checked who sent it.
    pub unchecked: bool,
    pub raw: Bytes,
}

/// The answer to an append: its events are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// `None` for an empty batch, and for a repeated one that is too old for its ids to be remembered.
    pub first: Option<EventId>,
    pub last: Option<EventId>,
    /// Events of the batch, stored now or, when `duplicate`, before.
    pub count: u64,
    /// The place after the batch.
    pub offset: Offset,
    /// The producer had sent this number, or a later one, before: nothing was stored again.
    pub duplicate: bool,
}

/// What stands in the log before a place: tells whether a place that was kept elsewhere is one of this log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing: it is the beginning.
    Start,
    Event(EventId),
    /// Retention has deleted it, and all up to here.
    Deleted {
        until: Offset,
    },
    /// It cannot be read any more.
    Unreadable,
    /// The log ends before that place.
    Beyond {
        end: Offset,
    },
}

/// A batch as it was read back, or a stretch of the log that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub offset: Offset,
    /// Where to read on.
    pub next: Offset,
    pub events: Vec<Event>,
    /// When set, `events` is empty and all from `offset` to `next` is lost: tell people, then read on.
    pub damage: Option<Damage>,
}

/// Bytes on disk that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    pub position: u64,
    /// The first event lost.
    pub offset: Offset,
    /// Events lost; 0 where only bytes beside the events are damaged.
    pub events: u64,
    pub why: String,
}

/// What to search: all conditions hold together.
#[derive(Debug, Clone)]
pub struct Query {
    /// `Event::window_time` at or after this.
    pub from: Option<Timestamp>,
    /// `Event::window_time` before this.
    pub to: Option<Timestamp>,
    /// Ids above this.
    pub after: Option<EventId>,
    /// Ids below this.
    pub before: Option<EventId>,
    pub newest_first: bool,
    /// Events to return.
    pub limit: usize,
    /// Events to look at.
    pub max_events: u64,
    /// Bytes of such events.
    pub max_bytes: u64,
    /// Ends it earlier.
    pub stop: Stop,
}

impl Default for Query {
    fn default() -> Self {
        let (limit, max_events, max_bytes, stop) = (100, 1_000_000, u64::MAX, Stop::default());
        Self { from: None, to: None, after: None, before: None, newest_first: true, limit, max_events, max_bytes, stop }
    }
}

/// What ends a search before its end: a time, or somebody who no longer waits for it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub at: Option<Instant>,
    pub now: Arc<AtomicBool>,
}

impl Stop {
    pub fn is_due(&self) -> bool {
        self.now.load(Ordering::Relaxed) || self.at.is_some_and(|at| Instant::now() >= at)
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub events: Vec<Event>,
    /// Where to go on: newest first in `before`, else in `after`. `None` when all was looked at.
    pub next: Option<EventId>,
    pub looked: Looked,
}

/// How far a search looked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// The oldest time of minting it reached.
    pub from: Option<Timestamp>,
    /// The newest.
    pub to: Option<Timestamp>,
    /// Events compared; what an index or a frame's times rule out is not opened and not counted.
    pub events: u64,
    /// All that is stored within the query was looked at.
    pub complete: bool,
    /// Events in the segments it reached that cannot be read.
    pub damaged_events: u64,
}

/// A complete segment, covered by one ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSegment {
    pub tenant: TenantId,
    pub partition: u32,
    pub id: SegmentId,
    pub count: u64,
    pub first: EventId,
    pub last: EventId,
    /// The place of its first event.
    pub offset: Offset,
    /// Bytes of its file.
    pub bytes: u64,
    /// The RFC 6962 Merkle root of its frames, sealed bytes included.
    pub root: [u8; 32],
    pub path: PathBuf,
}

/// What retention deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    pub segments: u64,
    pub bytes: u64,
    pub events: u64,
}

/// A tenant's log in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events since the data directory was made, deleted ones included.
    pub accepted: u64,
    /// Bytes of segment files.
    pub bytes: u64,
    pub segments: u64,
    /// Events that no sealed segment covers yet.
    pub unsealed_events: u64,
    pub processed: Offset,
    pub lag_events: u64,
    pub unprocessed_bytes: u64,
    pub oldest: Option<EventId>,
    pub newest: Option<EventId>,
    /// Events known to be lost to damage.
    pub damaged_events: u64,
    /// Bytes cut off as torn, never acknowledged, at the last open.
    pub truncated_bytes: u64,
    /// Batches since the last open that were repetitions.
    pub duplicates: u64,
}
