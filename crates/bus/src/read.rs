//! Reading the log from an offset on, frame by frame, and finding one event by its id.

use shieldops_model::{Event, EventId};

use crate::{
    Before, Damage, Error, Frame, Offset,
    error::Result,
    partition::{Extent, Partition},
    walk::Step,
    wire::len64,
};

/// Bytes read at once where an id is looked for.
const CHUNK: usize = 256 * 1024;

/// Frames from `from` on, about `max_bytes` of them and at least one; empty at the end of the log.
pub(crate) fn read(partition: &Partition, from: Offset, max_bytes: usize) -> Result<Vec<Frame>> {
    let mut reading = Reading { partition, at: from.0, bytes: 0, max_bytes, frames: Vec::new(), unopened: None };
    while !reading.is_enough() {
        let extent = {
            let log = partition.log();
            let Some(segment) = log.segment_after(reading.at) else { break };
            reading.skip_missing(segment.offset);
            partition.extent(segment, segment.mark_at(reading.at))
        };
        reading.segment(&extent)?;
    }
    reading.end()
}

struct Reading<'a> {
    partition: &'a Partition,
    at: u64,
    bytes: usize,
    max_bytes: usize,
    frames: Vec<Frame>,
    /// Whole frames that did not open, before any that did.
    unopened: Option<Error>,
}

impl Reading<'_> {
    fn is_enough(&self) -> bool {
        self.bytes >= self.max_bytes.max(1)
    }

    /// Events before the segment that are not there: deleted by retention, or missing, which `damage` names.
    fn skip_missing(&mut self, offset: u64) {
        self.at = self.at.max(offset);
    }

    fn segment(&mut self, extent: &Extent) -> Result<()> {
        let partition = self.partition;
        let walked = partition.walk(extent, |walk| {
            let mut damaged = None;
            while let Some(step) = walk.step()? {
                match step {
                    Step::Damage { position, why, .. } => damaged = damaged.or(Some((position, why))),
                    Step::Frame { header, .. } if header.next() <= self.at => damaged = None,
                    Step::Frame { position, header, bytes } => {
                        let (at, why) = damaged.take().unwrap_or((position, "frames are missing"));
                        self.lost(extent, at, header.offset, why);
                        let events = partition.events(bytes, &header)?;
                        self.bytes = self.bytes.saturating_add(bytes.len());
                        match events {
                            Ok(events) => self.frame(header.offset, header.next(), events),
                            Err(why) => self.unopened(extent, position, header.next(), why),
                        }
                    }
                }
                if self.is_enough() {
                    return Ok(None);
                }
            }
            Ok(Some(damaged.unwrap_or((extent.bytes, "the end of the segment is missing"))))
        });
        match walked {
            Ok(Some(Some((at, why)))) => self.lost(extent, at, extent.end, why),
            Ok(_) => {}
            // The file is gone or cannot be read as one: all of it is lost, and the log goes on behind it.
            Err(Error::Damaged { position, why, .. }) => self.lost(extent, position, extent.end, &why),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn frame(&mut self, offset: u64, next: u64, mut events: Vec<Event>) {
        let skip = usize::try_from(self.at.saturating_sub(offset)).unwrap_or(usize::MAX).min(events.len());
        events.drain(..skip);
        self.frames.push(Frame { offset: Offset(self.at), next: Offset(next), events, damage: None });
        self.at = next;
    }

    fn unopened(&mut self, extent: &Extent, position: u64, next: u64, why: &'static str) {
        let damaged = Error::Damaged { path: extent.path.clone(), position, why: why.to_owned() };
        self.unopened.get_or_insert(damaged);
        self.lost(extent, position, next, why);
    }

    /// Events up to `until` that cannot be read.
    fn lost(&mut self, extent: &Extent, position: u64, until: u64, why: &str) {
        let events = until.saturating_sub(self.at);
        if events == 0 {
            return;
        }
        let (path, offset) = (extent.path.clone(), Offset(self.at));
        let damage = Damage { path, position, offset, events, why: why.to_owned() };
        self.partition.note_damage(extent.segment, &damage);
        self.frames.push(Frame { offset, next: Offset(until), events: Vec::new(), damage: Some(damage) });
        self.at = until;
        self.bytes = self.bytes.saturating_add(1);
    }

    /// A wrong key must not look like damage: skipping on is right only when the key opens something.
    fn end(self) -> Result<Vec<Frame>> {
        match self.unopened {
            Some(error) if !self.partition.key_is_proven() => Err(error),
            _ => Ok(self.frames),
        }
    }
}

/// What stands before the place `at`.
pub(crate) fn before(partition: &Partition, at: u64) -> Result<Before> {
    let (begin, end) = {
        let log = partition.log();
        if at == log.retired.offset && at > 0 {
            return Ok(log.retired.last.map_or(Before::Unreadable, Before::Event));
        }
        (log.retired.offset, log.end)
    };
    if at > end {
        return Ok(Before::Beyond { end: Offset(end) });
    }
    if at < begin {
        return Ok(Before::Deleted { until: Offset(begin) });
    }
    let Some(place) = at.checked_sub(1) else { return Ok(Before::Start) };
    let frames = read(partition, Offset(place), 1)?;
    let there = frames.first().filter(|frame| frame.offset.0 == place).and_then(|frame| frame.events.first());
    Ok(there.map_or(Before::Unreadable, |event| Before::Event(event.id)))
}

/// The place behind the last event whose id is not above `id`.
pub(crate) fn behind(partition: &Partition, id: EventId) -> Result<Offset> {
    let mut behind = {
        let log = partition.log();
        let after = log.segments.partition_point(|segment| segment.first <= id);
        let Some(segment) = after.checked_sub(1).and_then(|at| log.segments.get(at)) else {
            return Ok(Offset(log.retired.offset));
        };
        if segment.last <= id {
            return Ok(Offset(segment.end));
        }
        segment.offset_of(id)
    };
    let mut at = Offset(behind);
    loop {
        let frames = read(partition, at, CHUNK)?;
        let Some(last) = frames.last() else { return Ok(Offset(behind)) };
        at = last.next;
        for frame in &frames {
            let known = frame.events.partition_point(|event| event.id <= id);
            if known > 0 {
                behind = frame.offset.0.saturating_add(len64(known));
            }
            if known < frame.events.len() {
                return Ok(Offset(behind));
            }
        }
    }
}

/// The event of that id; an error when the frame that would hold it is damaged.
pub(crate) fn get(partition: &Partition, id: EventId) -> Result<Option<Event>> {
    let extent = {
        let log = partition.log();
        let after = log.segments.partition_point(|segment| segment.first <= id);
        let Some(segment) = after.checked_sub(1).and_then(|at| log.segments.get(at)) else { return Ok(None) };
        if id > segment.last {
            return Ok(None);
        }
        partition.extent(segment, segment.mark_of(id))
    };
    let found = partition.walk(&extent, |walk| {
        let mut damaged = None;
        while let Some(step) = walk.step()? {
            let (position, header, bytes) = match step {
                Step::Damage { position, why, .. } => {
                    damaged = Some((position, why));
                    continue;
                }
                Step::Frame { position, header, bytes } => (position, header, bytes),
            };
            if id < header.first {
                break;
            }
            if id > header.last {
                damaged = None;
                continue;
            }
            return match partition.events(bytes, &header)? {
                Ok(events) => Ok(events.into_iter().find(|event| event.id == id)),
                Err(why) => Err(Error::Damaged { path: extent.path.clone(), position, why: why.to_owned() }),
            };
        }
        match damaged {
            Some((position, why)) => Err(Error::Damaged { path: extent.path.clone(), position, why: why.to_owned() }),
            None => Ok(None),
        }
    })?;
    Ok(found.flatten())
}
