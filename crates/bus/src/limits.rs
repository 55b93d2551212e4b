//! The limits of the bus, each with its unit.

use std::time::Duration;

use crate::{Error, error::Result};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// No frame is larger than this, whatever the limits are: a length beyond it is damage.
pub(crate) const FRAME_CEILING: usize = 16 * MIB;
/// Source and format names.
pub(crate) const NAME_BYTES: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A segment is sealed when the next write would take it over this.
    pub segment_bytes: u64,
    /// A segment with data is sealed when it is this old.
    pub segment_age: Duration,
    /// Payload of a frame; one larger event has a frame of its own.
    pub frame_bytes: usize,
    /// Raw bytes of one event, at most 8 MiB.
    pub event_bytes: usize,
    /// Raw bytes of one batch.
    pub batch_bytes: usize,
    /// Raw bytes that wait for the disk, per partition.
    pub queue_bytes: usize,
    /// Raw bytes written with one fsync.
    pub commit_bytes: usize,
    /// How long a blocking append waits for room in the queue.
    pub queue_wait: Duration,
    /// Bytes on disk, over all tenants: one whose unprocessed bytes reach 90 % of what the others leave it is refused.
    pub max_bytes: u64,
    /// Processed segments whose events are all older than this are deleted.
    pub retention: Duration,
    /// Producers remembered per partition; beyond it the one that was silent longest is forgotten.
    pub producers: usize,
    /// Postings of one segment's side index; beyond it the rest of the segment is read instead.
    pub index_postings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            segment_age: Duration::from_mins(10),
            frame_bytes: 256 * KIB,
            event_bytes: MIB,
            batch_bytes: 32 * MIB,
            queue_bytes: 64 * MIB,
            commit_bytes: 4 * MIB,
            queue_wait: Duration::from_secs(5),
            max_bytes: 10 * 1024 * 1024 * 1024,
            retention: Duration::from_hours(7 * 24),
            producers: 65_536,
            index_postings: 8_000_000,
        }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |name, why| Err(Error::Limit { name, why });
        match () {
            () if self.event_bytes == 0 || self.event_bytes > 8 * MIB => refuse("event_bytes", "want 1 byte to 8 MiB"),
            () if self.frame_bytes == 0 || self.frame_bytes > 8 * MIB => refuse("frame_bytes", "want 1 byte to 8 MiB"),
            () if self.batch_bytes < self.event_bytes => refuse("batch_bytes", "want at least `event_bytes`"),
            () if self.batch_bytes > 256 * MIB => refuse("batch_bytes", "want at most 256 MiB"),
            () if self.queue_bytes < self.batch_bytes => refuse("queue_bytes", "want at least `batch_bytes`"),
            () if self.segment_bytes == 0 || self.segment_bytes > 1 << 30 => {
                refuse("segment_bytes", "want 1 byte to 1 GiB")
            }
            () if self.max_bytes == 0 => refuse("max_bytes", "want at least 1 byte"),
            () if self.producers == 0 => refuse("producers", "want at least 1"),
            () => Ok(()),
        }
    }
}

/// Unprocessed bytes at which appends are refused, where so many may be on disk.
pub(crate) fn full_at(max_bytes: u64) -> u64 {
    max_bytes / 10 * 9
}
