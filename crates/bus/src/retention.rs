//! What has been deleted by age and size. A small file beside the segments remembers where the log begins, so that
//! offsets, ids and the count of accepted events go on when nothing else is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};
use shieldops_model::{EventId, SegmentId, TenantId, Timestamp};

use crate::{
    Deleted, Disk, Error,
    disk::{read_all, replace},
    error::{Result, io_error},
    partition::{Log, Partition, lock},
    segment::{Segment, State},
    share,
};

const NAME: &str = "retired.json";
const VERSION: u8 = 1;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retired {
    version: u8,
    /// Where the log begins now.
    pub(crate) offset: u64,
    /// The last id that was ever deleted.
    pub(crate) last: Option<EventId>,
    segments: u64,
    bytes: u64,
    events: u64,
}

impl Retired {
    /// A log that begins there, where what was remembered of its beginning is lost.
    pub(crate) fn begins(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let Some(bytes) = read_all(disk, &path, 64 * 1024).map_err(io_error("reading", &path))? else {
            return Ok(Self::default());
        };
        let retired: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let why = format!("{error}; it says where the log begins");
            Error::Damaged { path: path.clone(), position: 0, why }
        })?;
        if retired.version > VERSION {
            return Err(Error::Newer { path, version: retired.version });
        }
        Ok(retired)
    }

    fn take(&mut self, segment: &Segment) {
        self.version = VERSION;
        self.offset = segment.end;
        self.last = Some(segment.last);
        self.segments = self.segments.saturating_add(1);
        self.bytes = self.bytes.saturating_add(segment.bytes);
        self.events = self.events.saturating_add(segment.events);
    }
}

/// Whether a tenant's segment may go that is sealed and processed.
pub(crate) type May<'a> = &'a dyn Fn(TenantId, SegmentId) -> bool;

impl Partition {
    /// The oldest segment when it is sealed, all of it is processed, and it may go.
    fn deletable(&self, log: &Log, may: May<'_>) -> Option<Segment> {
        let ready = |segment: &&Segment| segment.state == State::Sealed && segment.end <= log.processed;
        log.segments.front().filter(ready).filter(|segment| may(self.place.tenant, segment.id)).cloned()
    }
}

/// One round of deleting. What fails of one tenant is said, is left for the next round, and holds up no other.
struct Round<'a> {
    may: May<'a>,
    deleted: BTreeMap<TenantId, Deleted>,
    failed: BTreeSet<TenantId>,
}

impl Round<'_> {
    /// Whether there may be more to delete of it.
    fn delete(&mut self, partition: &Partition, id: SegmentId) -> bool {
        let tenant = partition.place.tenant;
        let done = delete(partition, id, self.may, &mut self.deleted);
        if let Err(error) = &done {
            self.failed.insert(tenant);
            let error: &dyn std::error::Error = error;
            tracing::error!(tenant.id = %tenant, segment.id = %id, error, "a segment could not be deleted by retention; what is old of other tenants is");
        }
        done.is_ok()
    }

    fn oldest(&self, partition: &Partition) -> Option<SegmentId> {
        let ready = !self.failed.contains(&partition.place.tenant);
        ready.then(|| partition.deletable(&partition.log(), self.may)).flatten().map(|segment| segment.id)
    }
}

/// Deletes what is processed and older than `retention`, then the oldest of those tenants that hold more than their share,
/// the largest first, down to `max_bytes`. A tenant whose excess is not processed yet keeps it, and no other pays for it:
/// `told` remembers that this was said.
pub(crate) fn apply(
    partitions: &[std::sync::Arc<Partition>],
    now: Timestamp,
    may: May<'_>,
    told: &mut bool,
) -> BTreeMap<TenantId, Deleted> {
    let mut round = Round { may, deleted: BTreeMap::new(), failed: BTreeSet::new() };
    for partition in partitions {
        let oldest = now.minus(partition.context.limits.retention);
        while let Some(id) = aged(partition, oldest, may)
            && round.delete(partition, id)
        {}
    }
    loop {
        let Some(max_bytes) = partitions.first().map(|partition| partition.context.limits.max_bytes) else {
            return round.deleted;
        };
        let sizes: Vec<u64> = partitions.iter().map(|partition| partition.stored_bytes()).collect();
        let total = sizes.iter().copied().fold(0, u64::saturating_add);
        if total <= max_bytes {
            *told = false;
            return round.deleted;
        }
        let share = share::of_each(max_bytes, sizes.clone());
        let mut over: Vec<_> = partitions.iter().zip(sizes).filter(|(_, bytes)| *bytes > share).collect();
        over.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let Some((partition, id)) = over.iter().find_map(|(partition, _)| Some((*partition, round.oldest(partition)?)))
        else {
            if let Some((largest, bytes)) = over.first().filter(|_| !std::mem::replace(told, true)) {
                tracing::warn!(tenant.id = %largest.place.tenant, bytes, share, max_bytes, "events that are not processed yet take more than their share of the disk; nothing of other tenants is deleted for them");
            }
            return round.deleted;
        };
        round.delete(partition, id);
    }
}

fn aged(partition: &Partition, oldest: Timestamp, may: May<'_>) -> Option<SegmentId> {
    let segment = partition.deletable(&partition.log(), may);
    segment.filter(|segment| segment.last_ingested_at < oldest).map(|segment| segment.id)
}

/// Says first that the segment is gone, then removes it: an interruption is finished at the next open.
fn delete(partition: &Partition, id: SegmentId, may: May<'_>, deleted: &mut BTreeMap<TenantId, Deleted>) -> Result<()> {
    let disk = partition.context.disk.as_ref();
    let (mut retired, segment) = {
        let log = partition.log();
        let Some(segment) = partition.deletable(&log, may).filter(|segment| segment.id == id) else { return Ok(()) };
        (log.retired.clone(), segment)
    };
    retired.take(&segment);
    let bytes = serde_json::to_vec(&retired).unwrap_or_default();
    replace(disk, &partition.dir, NAME, &bytes).map_err(io_error("writing", &partition.dir.join(NAME)))?;
    partition.change(|log| {
        log.segments.pop_front();
        log.retired = retired;
    });
    // From here on nobody reads it any more, also where its files cannot be removed now.
    let deleted = deleted.entry(partition.place.tenant).or_default();
    deleted.segments = deleted.segments.saturating_add(1);
    deleted.bytes = deleted.bytes.saturating_add(segment.bytes);
    deleted.events = deleted.events.saturating_add(segment.events);
    // A side index that is being written is removed when it is there.
    let index = lock(&partition.index);
    for extension in ["seg", "idx", "sealed"] {
        let path = partition.dir.join(Segment::name(id, extension));
        match disk.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("removing", &path)(error));
            }
            _ => {}
        }
    }
    drop(index);
    disk.sync_dir(&partition.dir).map_err(io_error("syncing", &partition.dir))?;
    Ok(())
}
