//! The one writer of a partition: mints ids, seals frames, and lets all appends that wait share one fsync.
//!
//! Nothing is published before it is durable. After a failed write the file is cut back to the last good frame, durably,
//! before anything else is written.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use shieldops_model::{EventId, IdMint, SegmentId, TimeQuality, Timestamp};
use shieldops_seal::SealKey;

use crate::{
    Appended, DiskFile, NewEvent, Offset, SealedSegment,
    disk::replace,
    error::{Result, io_error},
    frame::{self, Header, Sequence},
    marks::{Marks, ProducerMark},
    merkle::Frontier,
    partition::Partition,
    payload,
    queue::{Append, Done, Work},
    sealed,
    segment::{FileHeader, HEADER, Segment, State},
    wire::{len32, len64},
};

/// Events of one frame, whatever their size.
const FRAME_EVENTS: usize = 16 * 1024;
/// The longest sleep without a look at the age of the segment.
const LOOK_AFTER: Duration = Duration::from_secs(30);

/// The segment that is written to.
pub(crate) struct Active {
    pub(crate) id: SegmentId,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Durable bytes.
    pub(crate) len: u64,
    pub(crate) made_at: Timestamp,
    pub(crate) frontier: Frontier,
    pub(crate) producers: Marks,
}

pub(crate) struct Writer {
    partition: Arc<Partition>,
    mint: IdMint,
    active: Option<Active>,
    /// Complete segments whose metadata could not be written yet.
    unsealed: Vec<(SegmentId, Vec<u8>)>,
    /// A failed write that is still to be undone.
    torn: Option<Torn>,
    has_dir: bool,
}

enum Torn {
    /// The active segment has bytes after its last good frame.
    Tail,
    /// A new segment that was never used.
    File(PathBuf),
}

/// A common write, before it is on disk.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    /// Where in `bytes` each frame begins.
    frames: Vec<(usize, Header)>,
    producers: Marks,
    /// What to answer when the write succeeds.
    written: Vec<(Done, Appended)>,
}

impl Writer {
    pub(crate) fn new(partition: Arc<Partition>, active: Option<Active>, unsealed: Vec<(SegmentId, Vec<u8>)>) -> Self {
        let mint = IdMint::after(partition.log().last.map_or(0, EventId::bits));
        let has_dir = active.is_some();
        Self { partition, mint, active, unsealed, torn: None, has_dir }
    }

    pub(crate) fn run(mut self) {
        let partition = Arc::clone(&self.partition);
        let _guard = AbandonAtEnd(&partition);
        loop {
            match partition.queue.take(self.look_after()) {
                Work::Commit(appends) => self.commit(appends),
                Work::Seal(seal) => {
                    let sealed = if seal.only_due { self.seal_due() } else { self.seal_active() };
                    // Whoever asked may be gone.
                    drop(seal.done.send(sealed));
                }
                Work::Idle => self.idle(),
                Work::End => break,
            }
        }
        if partition.queue.seals_at_end()
            && let Err(error) = self.seal_active()
        {
            tracing::warn!(tenant.id = %partition.place.tenant, %error, "the last segment could not be sealed");
        }
    }

    fn look_after(&self) -> Duration {
        let limits = &self.partition.context.limits;
        let Some(active) = &self.active else { return LOOK_AFTER };
        let age = self.partition.context.clock.now().since(active.made_at);
        limits.segment_age.saturating_sub(age).clamp(Duration::from_millis(100), LOOK_AFTER)
    }

    fn idle(&mut self) {
        if let Err(error) = self.seal_due() {
            tracing::warn!(tenant.id = %self.partition.place.tenant, %error, "a segment could not be sealed");
        }
    }

    fn seal_due(&mut self) -> Result<Option<SealedSegment>> {
        self.write_metadata()?;
        let now = self.partition.context.clock.now();
        if self.active.as_ref().is_some_and(|active| self.is_over_age(active, now)) {
            return self.seal_active();
        }
        Ok(None)
    }

    fn is_over_age(&self, active: &Active, now: Timestamp) -> bool {
        now.since(active.made_at) >= self.partition.context.limits.segment_age
    }

    fn commit(&mut self, appends: Vec<Append>) {
        let key = match self.partition.key() {
            Ok(key) => key,
            Err(error) => return appends.into_iter().for_each(|append| answer(append.done, Err(error.clone()))),
        };
        let now = self.partition.context.clock.now();
        let mut group = Group::default();
        let mut known = Vec::new();
        let mut offset = self.partition.log().end;
        for append in appends {
            match self.repeated(&append, &group, offset) {
                Some(Repeated::Stored(appended)) => known.push((append.done, appended)),
                Some(Repeated::InGroup(appended)) => group.written.push((append.done, appended)),
                None => offset = self.add(&mut group, append, offset, now, &key),
            }
        }
        let result = self.write(&group, now);
        for (done, appended) in known {
            answer(done, Ok(appended));
        }
        for (done, appended) in group.written {
            answer(done, result.clone().map(|()| appended));
        }
    }

    fn repeated(&self, append: &Append, group: &Group, offset: u64) -> Option<Repeated> {
        if append.events.is_empty() {
            let (first, last, offset) = (None, None, Offset(offset));
            return Some(Repeated::InGroup(Appended { first, last, count: 0, offset, duplicate: false }));
        }
        let sequence = append.sequence?;
        let repeated = match group.producers.repeated(sequence) {
            Some(appended) => Repeated::InGroup(appended),
            None => Repeated::Stored(self.partition.log().producers.repeated(sequence)?),
        };
        let mut log = self.partition.log();
        log.duplicates = log.duplicates.saturating_add(1);
        Some(repeated)
    }

    /// Seals the frames of one batch into the group; returns the offset after it.
    fn add(&mut self, group: &mut Group, append: Append, mut offset: u64, now: Timestamp, key: &SealKey) -> u64 {
        let mut events = append.events.into_iter().peekable();
        let mut batch: Option<ProducerMark> = None;
        let (mut first, mut last, mut count) = (None, None, 0);
        while events.peek().is_some() {
            let frame = self.next_frame(&mut events);
            let more = events.peek().is_some();
            let Some(header) = header(&frame, append.sequence, offset, now, more) else { break };
            let at = group.bytes.len();
            let header = frame::write(&mut group.bytes, header, self.partition.place, key, &payload::encode(&frame));
            offset = header.next();
            first = first.or(Some(header.first));
            last = Some(header.last);
            count += u64::from(header.count);
            batch = batch.or_else(|| ProducerMark::of(&header));
            group.frames.push((at, header));
        }
        if let (Some(mark), Some(last)) = (batch, last) {
            group.producers.put(ProducerMark { last, count, end: offset, ..mark });
        }
        let appended = Appended { first, last, count, offset: Offset(offset), duplicate: false };
        group.written.push((append.done, appended));
        offset
    }

    /// As many events as a frame takes, with their ids.
    fn next_frame(
        &mut self,
        events: &mut std::iter::Peekable<impl Iterator<Item = NewEvent>>,
    ) -> Vec<(EventId, NewEvent)> {
        let limit = self.partition.context.limits.frame_bytes;
        let now = self.partition.context.clock.now();
        let mut frame = Vec::new();
        let mut bytes = 0_usize;
        while let Some(event) = events.peek() {
            bytes = bytes.saturating_add(event.raw.len()).saturating_add(payload::ENVELOPE);
            if !frame.is_empty() && (bytes > limit || frame.len() >= FRAME_EVENTS) {
                break;
            }
            let id = self.mint.mint(now, &mut rand::rng());
            frame.extend(events.next().map(|event| (id, event)));
        }
        frame
    }

    /// Makes the group durable and only then visible.
    fn write(&mut self, group: &Group, now: Timestamp) -> Result<()> {
        let Some((_, first)) = group.frames.first() else { return Ok(()) };
        self.mend()?;
        let limit = self.partition.context.limits.segment_bytes;
        let over = |active: &Active| active.len.saturating_add(len64(group.bytes.len())) > limit;
        if self.active.as_ref().is_some_and(|active| over(active) || self.is_over_age(active, now)) {
            // What could not be sealed is complete all the same, and is sealed later.
            if let Err(error) = self.seal_active() {
                tracing::warn!(tenant.id = %self.partition.place.tenant, %error, "a segment could not be sealed");
            }
        }
        let fresh = if self.active.is_none() { Some(self.create(first, now)?) } else { None };
        let Some(active) = &mut self.active else { return Ok(()) };
        let position = active.len;
        let written = active.file.write_at(&group.bytes, position).map_err(io_error("writing", &active.path));
        let synced = written.and_then(|()| active.file.sync().map_err(io_error("syncing", &active.path)));
        let named = synced.and_then(|()| {
            if fresh.is_some() {
                self.partition.context.disk.sync_dir(&self.partition.dir).map_err(io_error("syncing", &active.path))
            } else {
                Ok(())
            }
        });
        if let Err(error) = named {
            self.torn = Some(if fresh.is_some() { Torn::File(active.path.clone()) } else { Torn::Tail });
            if fresh.is_some() {
                self.active = None;
            }
            // When this fails too, the next append tries again first.
            drop(self.mend());
            return Err(error);
        }
        self.publish(group, position, fresh);
        Ok(())
    }

    /// A new segment file with its header, not yet durable.
    fn create(&mut self, first: &Header, now: Timestamp) -> Result<Segment> {
        let (context, place) = (&self.partition.context, self.partition.place);
        if !self.has_dir {
            make_dirs(&self.partition)?;
            self.has_dir = true;
        }
        let id = SegmentId::from_bits(first.first.bits());
        let path = Segment::path(&self.partition.dir, id);
        let file = context.disk.create(&path).map_err(io_error("creating", &path))?;
        let (tenant, partition) = (place.tenant, place.partition);
        let header = FileHeader { tenant, partition, id, offset: first.offset, made_at: now };
        if let Err(error) = file.write_at(&header.encode(), 0) {
            let error = io_error("writing", &path)(error);
            self.torn = Some(Torn::File(path));
            drop(self.mend());
            return Err(error);
        }
        let (frontier, producers) = (Frontier::default(), Marks::default());
        self.active = Some(Active { id, path, file, len: len64(HEADER), made_at: now, frontier, producers });
        Ok(Segment::new(id, first.offset, now))
    }

    fn publish(&mut self, group: &Group, position: u64, fresh: Option<Segment>) {
        let Some(active) = &mut self.active else { return };
        for (at, header) in &group.frames {
            let end = at.saturating_add(header.frame_len());
            active.frontier.push(group.bytes.get(*at..end).unwrap_or_default());
        }
        group.producers.iter().for_each(|mark| active.producers.put(*mark));
        active.len = position.saturating_add(len64(group.bytes.len()));
        let (id, limit) = (active.id, self.partition.context.limits.producers);
        active.producers.bound(limit);
        self.partition.change(|log| {
            log.segments.extend(fresh);
            if let Some(segment) = log.segment_mut(id) {
                for (at, header) in &group.frames {
                    segment.push(position.saturating_add(len64(*at)), header);
                }
            }
            if let Some((_, header)) = group.frames.last() {
                log.end = header.next();
                log.last = Some(header.last);
            }
            group.producers.iter().for_each(|mark| log.producers.put(*mark));
            log.producers.bound(limit);
        });
    }

    /// Undoes a failed write, durably.
    fn mend(&mut self) -> Result<()> {
        let disk = &self.partition.context.disk;
        match (&self.torn, &self.active) {
            (Some(Torn::Tail), Some(active)) => {
                active.file.truncate(active.len).map_err(io_error("truncating", &active.path))?;
                active.file.sync().map_err(io_error("syncing", &active.path))?;
            }
            (Some(Torn::File(path)), _) => {
                match disk.remove(path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(io_error("removing", path)(error));
                    }
                    _ => {}
                }
                disk.sync_dir(&self.partition.dir).map_err(io_error("syncing", path))?;
            }
            _ => {}
        }
        self.torn = None;
        Ok(())
    }

    /// Completes the active segment and writes its metadata.
    fn seal_active(&mut self) -> Result<Option<SealedSegment>> {
        self.mend()?;
        let Some(active) = self.active.take() else {
            self.write_metadata()?;
            return Ok(None);
        };
        let place = self.partition.place;
        let metadata = self.partition.change(|log| {
            let segment = log.segment_mut(active.id)?;
            segment.state = State::Closed;
            segment.root = active.frontier.root();
            Some(sealed::encode(place, segment, &active.producers))
        });
        self.unsealed.extend(metadata.map(|metadata| (active.id, metadata)));
        self.write_metadata()?;
        let mut log = self.partition.log();
        let segment = log.segment_mut(active.id);
        Ok(segment.map(|segment| segment.summary(&self.partition.dir, place.tenant, place.partition)))
    }

    fn write_metadata(&mut self) -> Result<()> {
        while let Some((id, metadata)) = self.unsealed.first() {
            let name = Segment::name(*id, "sealed");
            let context = &self.partition.context;
            let path = self.partition.dir.join(&name);
            replace(context.disk.as_ref(), &self.partition.dir, &name, metadata).map_err(io_error("sealing", &path))?;
            self.partition.change(|log| log.segment_mut(*id).map(|segment| segment.state = State::Sealed));
            context.jobs.push(&self.partition, *id);
            self.unsealed.remove(0);
        }
        Ok(())
    }
}

/// A batch that is not to be written.
enum Repeated {
    Stored(Appended),
    /// Of a batch in the same group: true only when the group is written.
    InGroup(Appended),
}

fn header(
    frame: &[(EventId, NewEvent)],
    producer: Option<Sequence>,
    offset: u64,
    ingested_at: Timestamp,
    more: bool,
) -> Option<Header> {
    let window_time = |event: &NewEvent| match event.time_quality {
        TimeQuality::Good => event.time,
        _ => ingested_at,
    };
    Some(Header {
        more,
        length: 0,
        count: len32(frame.len()),
        first: frame.first()?.0,
        last: frame.last()?.0,
        offset,
        ingested_at,
        earliest: frame.iter().map(|(_, event)| window_time(event)).min()?,
        latest: frame.iter().map(|(_, event)| window_time(event)).max()?,
        producer,
    })
}

/// Makes the partition's directory and makes its name durable.
fn make_dirs(partition: &Partition) -> Result<()> {
    let disk = &partition.context.disk;
    disk.make_dir(&partition.dir).map_err(io_error("creating", &partition.dir))?;
    for dir in partition.dir.ancestors().skip(1).take(2) {
        disk.sync_dir(dir).map_err(io_error("syncing", dir))?;
    }
    Ok(())
}

/// A caller's panic must not end the writer.
fn answer(done: Done, result: Result<Appended>) {
    if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
        tracing::error!("whoever waited for an append panicked at the answer");
    }
}

/// However the writer ends, nobody waits for it any more.
struct AbandonAtEnd<'a>(&'a Partition);

impl Drop for AbandonAtEnd<'_> {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}
