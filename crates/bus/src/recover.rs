//! Reads a partition back at open: sealed segments from their metadata, the others frame by frame. A torn tail, the bytes
//! after the last whole batch of the last segment, was never acknowledged and is cut off; all other damage is named.

use std::{collections::BTreeSet, io, path::Path, sync::Arc};

use shieldops_model::{EventId, SegmentId, TenantId};

use crate::{
    Damage, DiskFile, Error, Offset,
    disk::{read_all, replace},
    error::{Result, io_error, is_unreadable},
    frame::{Header, Place},
    marks::{Marks, ProducerMark},
    merkle::Frontier,
    partition::{Context, Log},
    retention::Retired,
    sealed,
    segment::{FileHeader, HEADER, HeaderFault, Segment, State},
    walk::{Step, UNREADABLE, Walk},
    wire::len64,
    writer::Active,
};

pub(crate) struct Recovered {
    pub(crate) log: Log,
    pub(crate) active: Option<Active>,
    /// Complete segments whose metadata could not be written.
    pub(crate) unsealed: Vec<(SegmentId, Vec<u8>)>,
    /// Sealed segments without a side index.
    pub(crate) unindexed: Vec<SegmentId>,
}

struct Recovery<'a> {
    context: &'a Context,
    place: Place,
    dir: &'a Path,
    names: BTreeSet<String>,
    result: Recovered,
}

pub(crate) fn recover(context: &Context, tenant: TenantId, dir: &Path) -> Result<Recovered> {
    let names: BTreeSet<String> = context.disk.list(dir).map_err(io_error("listing", dir))?.into_iter().collect();
    let place = Place { tenant, partition: 0 };
    let (retired, is_known) = match Retired::load(context.disk.as_ref(), dir) {
        Err(error) if error.is_unreadable() || matches!(error, Error::Damaged { .. }) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(tenant.id = %tenant, error, "where the log begins is taken from its first segment");
            (Retired::default(), false)
        }
        retired => (retired?, true),
    };
    let log = Log { end: retired.offset, last: retired.last, retired, ..Log::default() };
    let result = Recovered { log, active: None, unsealed: Vec::new(), unindexed: Vec::new() };
    let mut recovery = Recovery { context, place, dir, names, result };
    recovery.remove_leftovers()?;
    for id in recovery.segments() {
        recovery.segment(id)?;
    }
    if !is_known {
        let log = &mut recovery.result.log;
        log.retired = Retired::begins(log.segments.front().map_or(0, |segment| segment.offset));
    }
    recovery.name_gaps();
    recovery.finish();
    Ok(recovery.result)
}

impl Recovery<'_> {
    fn remove_leftovers(&self) -> Result<()> {
        for name in self.names.iter().filter(|name| name.strip_suffix(".tmp").is_some()) {
            self.remove(name)?;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.dir.join(name);
        match self.context.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("removing", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Oldest first: those with a file or with metadata.
    fn segments(&self) -> BTreeSet<SegmentId> {
        let stems = self.names.iter().filter_map(|name| {
            let stem = name.strip_suffix(".seg").or_else(|| name.strip_suffix(".sealed"))?;
            stem.parse::<EventId>().ok()
        });
        stems.map(|id| SegmentId::from_bits(id.bits())).collect()
    }

    fn segment(&mut self, id: SegmentId) -> Result<()> {
        let has = |extension| self.names.contains(&Segment::name(id, extension));
        let (has_file, has_index) = (has("seg"), has("idx"));
        let Some((mut segment, producers)) = self.metadata(id)? else {
            return self.scan(id);
        };
        if segment.end <= self.result.log.retired.offset {
            // Retention was interrupted.
            return ["seg", "idx", "sealed"]
                .iter()
                .try_for_each(|extension| self.remove(&Segment::name(id, extension)));
        }
        let path = Segment::path(self.dir, id);
        let len = if has_file { self.len(&path)? } else { None };
        if len != Some(segment.bytes) {
            let (events, why) = match len {
                Some(len) => (0, format!("the segment has {len} bytes and was sealed with {}", segment.bytes)),
                None if has_file => (segment.events, "the disk cannot read the segment's file".to_owned()),
                None => (segment.events, "the segment's file is missing".to_owned()),
            };
            self.name_damage(&mut segment, len.unwrap_or(0), events, why);
        }
        if !has_index && has_file {
            self.result.unindexed.push(id);
        }
        for mark in producers {
            self.result.log.producers.put(mark);
        }
        self.add(segment);
        Ok(())
    }

    fn metadata(&self, id: SegmentId) -> Result<Option<(Segment, Vec<ProducerMark>)>> {
        let name = Segment::name(id, "sealed");
        if !self.names.contains(&name) {
            return Ok(None);
        }
        let path = self.dir.join(name);
        let bytes = match read_all(self.context.disk.as_ref(), &path, sealed::CEILING) {
            Err(error) if is_unreadable(&error) => None,
            read => read.map_err(io_error("reading", &path))?,
        };
        let decoded = bytes.and_then(|bytes| sealed::decode(&bytes, self.place));
        if decoded.is_none() {
            tracing::warn!(path = %path.display(), "segment metadata is damaged: reading the segment instead");
        }
        Ok(decoded.filter(|(segment, _)| segment.id == id))
    }

    /// Bytes of a file; `None` when the disk cannot even say that.
    fn len(&self, path: &Path) -> Result<Option<u64>> {
        match self.context.disk.open(path).and_then(|file| file.len()) {
            Err(error) if is_unreadable(&error) => Ok(None),
            len => len.map(Some).map_err(io_error("opening", path)),
        }
    }

    /// Reads a segment that has no metadata.
    fn scan(&mut self, id: SegmentId) -> Result<()> {
        let path = Segment::path(self.dir, id);
        let is_last = self.segments().last() == Some(&id);
        let file = match self.context.disk.open(&path) {
            // Only damaged metadata is left: the gap is named later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if is_unreadable(&error) => {
                tracing::error!(tenant.id = %self.place.tenant, path = %path.display(), %error, "a segment cannot be opened: its events are missing");
                return Ok(());
            }
            other => other.map_err(io_error("opening", &path))?,
        };
        let len = file.len().map_err(io_error("reading", &path))?;
        let header = read_header(file.as_ref(), &path)?;
        let why = match header {
            Ok(header) if (header.tenant, header.id) != (self.place.tenant, id) => {
                Some("the segment belongs elsewhere")
            }
            Ok(_) => None,
            Err(why) => Some(why),
        };
        let (offset, made_at) = match header {
            Ok(header) => (header.offset, header.made_at),
            Err(_) => (self.result.log.end, EventId::from_bits(id.bits()).time()),
        };
        let mut scan = Scan::new(Segment::new(id, offset, made_at), why.is_none());
        let mut walk = Walk::new(file.as_ref(), &path, len64(HEADER).min(len), len);
        scan.run(&mut walk, &path)?;
        // What cannot be read may have been acknowledged: nothing of it is cut off, and the log goes on in a new segment.
        let is_last = is_last && !walk.met_holes() && why != Some(UNREADABLE);
        if scan.segment.frames == 0 && walk.met_holes() {
            tracing::error!(tenant.id = %self.place.tenant, path = %path.display(), "no event of a segment can be read");
            return Ok(());
        }
        if scan.segment.frames == 0 && is_last {
            // Made but never used: nothing in it was acknowledged.
            self.result.log.truncated_bytes = self.result.log.truncated_bytes.saturating_add(len);
            return self.remove(&Segment::name(id, "seg"));
        }
        if let Some(why) = why {
            let offset = Offset(scan.segment.offset);
            scan.segment.damage.push(Damage {
                path: path.clone(),
                position: 0,
                offset,
                events: 0,
                why: why.to_owned(),
            });
        }
        scan.tail(is_last, len, &path);
        for mark in scan.producers.iter() {
            self.result.log.producers.put(*mark);
        }
        if is_last {
            self.reopen(scan, file, len)?;
        } else {
            self.close(scan);
        }
        Ok(())
    }

    /// Goes on with the last segment after its last whole batch.
    fn reopen(&mut self, scan: Scan, file: Arc<dyn DiskFile>, len: u64) -> Result<()> {
        let path = Segment::path(self.dir, scan.segment.id);
        let torn = len.saturating_sub(scan.segment.bytes);
        if torn > 0 {
            tracing::warn!(path = %path.display(), bytes = torn, "a torn tail, never acknowledged, is cut off");
            file.truncate(scan.segment.bytes).map_err(io_error("truncating", &path))?;
            file.sync().map_err(io_error("syncing", &path))?;
            self.result.log.truncated_bytes = self.result.log.truncated_bytes.saturating_add(torn);
        }
        let (id, len, made_at) = (scan.segment.id, scan.segment.bytes, scan.segment.made_at);
        let (frontier, producers) = (scan.frontier, scan.producers);
        self.result.active = Some(Active { id, path, file, len, made_at, frontier, producers });
        self.add(scan.segment);
        Ok(())
    }

    /// A segment that was complete but has no metadata gets it now.
    fn close(&mut self, scan: Scan) {
        let mut segment = scan.segment;
        segment.root = scan.frontier.root();
        let metadata = sealed::encode(self.place, &segment, &scan.producers);
        let name = Segment::name(segment.id, "sealed");
        segment.state = match replace(self.context.disk.as_ref(), self.dir, &name, &metadata) {
            Ok(()) => State::Sealed,
            Err(error) => {
                tracing::warn!(path = %self.dir.join(name).display(), %error, "a segment could not be sealed");
                self.result.unsealed.push((segment.id, metadata));
                State::Closed
            }
        };
        self.result.unindexed.push(segment.id);
        self.add(segment);
    }

    fn name_damage(&self, segment: &mut Segment, position: u64, events: u64, why: String) {
        let path = Segment::path(self.dir, segment.id);
        segment.damage.push(Damage { path, position, offset: Offset(segment.offset), events, why });
    }

    fn add(&mut self, segment: Segment) {
        let log = &mut self.result.log;
        log.end = log.end.max(segment.end);
        log.last = log.last.max(Some(segment.last));
        log.segments.push_back(segment);
    }

    /// Offsets that no segment has: events that someone took away.
    fn name_gaps(&mut self) {
        let log = &mut self.result.log;
        let mut expected = log.retired.offset;
        for segment in &mut log.segments {
            let events = segment.offset.saturating_sub(expected);
            if events > 0 {
                let (path, offset) = (Segment::path(self.dir, segment.id), Offset(expected));
                let why = "the events before this segment are missing".to_owned();
                segment.damage.push(Damage { path, position: 0, offset, events, why });
            }
            expected = segment.end;
        }
    }

    fn finish(&mut self) {
        let log = &mut self.result.log;
        log.producers.bound(self.context.limits.producers);
        for damage in log.segments.iter().flat_map(|segment| &segment.damage) {
            tracing::error!(tenant.id = %self.place.tenant, path = %damage.path.display(), position = damage.position,
                events = damage.events, why = %damage.why, "events on disk are damaged");
        }
    }
}

fn read_header(file: &dyn DiskFile, path: &Path) -> Result<Result<FileHeader, &'static str>> {
    let mut bytes = [0; HEADER];
    let read = match file.read_at(&mut bytes, 0) {
        Err(error) if is_unreadable(&error) => return Ok(Err(UNREADABLE)),
        read => read.map_err(io_error("reading", path))?,
    };
    match FileHeader::decode(bytes.get(..read).unwrap_or_default()) {
        Ok(header) => Ok(Ok(header)),
        Err(HeaderFault::Newer(version)) => Err(Error::Newer { path: path.to_path_buf(), version }),
        Err(HeaderFault::Damaged(why)) => Ok(Err(why)),
    }
}

/// What reading the frames of a segment gave.
struct Scan {
    segment: Segment,
    frontier: Frontier,
    producers: Marks,
    /// Whether the segment's offset is known from its header.
    placed: bool,
    /// Frames of a batch whose last frame has not come yet.
    open: Vec<(u64, Header, Vec<u8>)>,
    /// Damage not yet followed by a whole frame.
    pending: Option<(u64, &'static str)>,
}

impl Scan {
    fn new(segment: Segment, placed: bool) -> Self {
        let (frontier, producers) = (Frontier::default(), Marks::default());
        Self { segment, frontier, producers, placed, open: Vec::new(), pending: None }
    }

    fn run(&mut self, walk: &mut Walk<'_>, path: &Path) -> Result<()> {
        while let Some(step) = walk.step()? {
            match step {
                Step::Damage { position, why, .. } => self.pending = self.pending.or(Some((position, why))),
                Step::Frame { position, header, bytes } => self.frame(position, header, bytes, path),
            }
        }
        Ok(())
    }

    fn frame(&mut self, position: u64, header: Header, bytes: &[u8], path: &Path) {
        if !self.placed {
            self.placed = true;
            (self.segment.offset, self.segment.end) = (header.offset, header.offset);
        }
        if let Some((at, why)) = self.pending.take() {
            // The batch before is followed by whole frames: it was written, so what is left of it counts.
            self.flush();
            let events = header.offset.saturating_sub(self.segment.end);
            let (path, offset) = (path.to_path_buf(), Offset(self.segment.end));
            self.segment.damage.push(Damage { path, position: at, offset, events, why: why.to_owned() });
        }
        let more = header.more;
        self.open.push((position, header, bytes.to_vec()));
        if !more {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for (position, header, bytes) in self.open.drain(..) {
            self.frontier.push(&bytes);
            self.segment.push(position, &header);
            if let Some(mark) = ProducerMark::of(&header) {
                self.producers.put(mark);
            }
        }
    }

    /// What follows the last whole batch: torn in the last segment, damage in any other.
    fn tail(&mut self, is_last: bool, len: u64, path: &Path) {
        if is_last {
            return;
        }
        self.flush();
        if let Some((position, why)) = self.pending {
            let (path, offset) = (path.to_path_buf(), Offset(self.segment.end));
            self.segment.damage.push(Damage { path, position, offset, events: 0, why: why.to_owned() });
            self.segment.bytes = len;
        }
    }
}
