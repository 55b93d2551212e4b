//! Searching the log by time, by entity key, and by whatever the caller's filter asks: segment by segment and chunk by
//! chunk from either end, with a report of how far it looked.

use shieldops_model::{Event, EventId, Timestamp};

use crate::{
    Damage, Offset, Page, Query,
    error::Result,
    frame::Header,
    index::{self, Hits},
    partition::{Extent, Partition},
    segment::Segment,
    walk::Step,
    wire::len64,
};

pub(crate) type Filter<'a> = &'a mut dyn FnMut(&Event) -> bool;

pub(crate) fn search(partition: &Partition, key: Option<u64>, query: &Query, filter: Filter<'_>) -> Result<Page> {
    let mut segments: Vec<Segment> = {
        let log = partition.log();
        log.segments.iter().filter(|segment| within_ids(query, segment.first, segment.last)).cloned().collect()
    };
    if query.newest_first {
        segments.reverse();
    }
    let mut search = Search { partition, key, query, filter, page: Page::default(), bytes: 0, stopped: false };
    for segment in &segments {
        search.segment(segment)?;
        if search.stopped {
            break;
        }
    }
    search.page.looked.complete = !search.stopped;
    if !search.stopped {
        search.page.next = None;
    }
    Ok(search.page)
}

struct Search<'a> {
    partition: &'a Partition,
    key: Option<u64>,
    query: &'a Query,
    filter: Filter<'a>,
    page: Page,
    /// Of the events looked at.
    bytes: u64,
    stopped: bool,
}

fn within_ids(query: &Query, first: EventId, last: EventId) -> bool {
    query.before.is_none_or(|before| first < before) && query.after.is_none_or(|after| last > after)
}

fn within_times(query: &Query, earliest: Timestamp, latest: Timestamp) -> bool {
    query.from.is_none_or(|from| latest >= from) && query.to.is_none_or(|to| earliest < to)
}

impl Search<'_> {
    fn segment(&mut self, segment: &Segment) -> Result<()> {
        self.damage(segment);
        if !within_times(self.query, segment.earliest, segment.latest) {
            self.passed(segment.first, segment.last);
            return Ok(());
        }
        let hits = match self.key {
            Some(key) => Some(index::hits(self.partition, segment, key)?),
            None => None,
        };
        let mut chunks = chunks(self.partition, segment);
        if self.query.newest_first {
            chunks.reverse();
        }
        for chunk in chunks {
            if self.query.stop.is_due() {
                self.stopped = true;
                return Ok(());
            }
            let in_ids = within_ids(self.query, chunk.first, segment.last) && self.query.after < Some(chunk.last);
            if in_ids && is_hit(hits.as_ref(), segment, chunk.offset, chunk.extent.end) {
                self.chunk(segment, &chunk, hits.as_ref())?;
            } else if in_ids {
                self.passed(chunk.first, chunk.last);
            }
            if self.stopped {
                return Ok(());
            }
        }
        Ok(())
    }

    fn damage(&mut self, segment: &Segment) {
        let events = segment.damage.iter().map(|damage| damage.events).fold(0, u64::saturating_add);
        self.page.looked.damaged_events = self.page.looked.damaged_events.saturating_add(events);
    }

    fn chunk(&mut self, segment: &Segment, chunk: &Chunk, hits: Option<&Hits>) -> Result<()> {
        let mut events = self.load(segment, chunk, hits)?;
        if self.query.newest_first {
            events.reverse();
        }
        for (offset, event) in events {
            if !within_ids(self.query, event.id, event.id) {
                continue;
            }
            if self.has_enough() {
                self.stopped = true;
                return Ok(());
            }
            self.bytes = self.bytes.saturating_add(len64(event.raw.len()));
            self.looked_at(event.id, event.id);
            self.page.next = Some(event.id);
            self.page.looked.events = self.page.looked.events.saturating_add(1);
            let time = event.window_time();
            let wanted = within_times(self.query, time, time) && self.has_key(segment, hits, offset, &event);
            if wanted && (self.filter)(&event) {
                self.page.events.push(event);
            }
        }
        self.passed(chunk.first, chunk.first);
        Ok(())
    }

    fn has_enough(&self) -> bool {
        let (page, query) = (&self.page, self.query);
        page.events.len() >= query.limit
            || page.looked.events >= query.max_events
            || self.bytes >= query.max_bytes
            || query.stop.is_due()
    }

    /// Nothing is left to look at from `first` to `last`: newest first, whoever is stopped goes on before them.
    fn passed(&mut self, first: EventId, last: EventId) {
        self.looked_at(first, last);
        if self.query.newest_first {
            self.page.next = Some(self.page.next.map_or(first, |next| next.min(first)));
        }
    }

    fn has_key(&self, segment: &Segment, hits: Option<&Hits>, offset: u64, event: &Event) -> bool {
        let (Some(key), Some(hits)) = (self.key, hits) else { return true };
        let ordinal = u32::try_from(offset.saturating_sub(segment.offset)).unwrap_or(u32::MAX);
        if ordinal < hits.covered {
            hits.ordinals.binary_search(&ordinal).is_ok()
        } else {
            (self.partition.context.indexer)(event).contains(&key)
        }
    }

    /// The events of the chunk that may match, oldest first, with their offsets.
    fn load(&mut self, segment: &Segment, chunk: &Chunk, hits: Option<&Hits>) -> Result<Vec<(u64, Event)>> {
        let (partition, query) = (self.partition, self.query);
        let wanted = |header: &Header| {
            within_ids(query, header.first, header.last)
                && within_times(query, header.earliest, header.latest)
                && is_hit(hits, segment, header.offset, header.next())
        };
        let mut expected = chunk.offset;
        let mut lost = Vec::new();
        let loaded = partition.walk(&chunk.extent, |walk| {
            let mut loaded = Vec::new();
            while let Some(step) = walk.step()? {
                let (position, header, bytes) = match step {
                    Step::Damage { .. } => continue,
                    Step::Frame { position, header, bytes } => (position, header, bytes),
                };
                if header.offset > expected {
                    lost.push((position, expected, header.offset, "frames are damaged"));
                }
                expected = header.next();
                if !wanted(&header) {
                    continue;
                }
                match partition.events(bytes, &header)? {
                    Ok(events) => loaded.extend((header.offset..).zip(events)),
                    Err(why) => lost.push((position, header.offset, header.next(), why)),
                }
            }
            Ok(loaded)
        });
        let loaded = match loaded {
            Err(crate::Error::Damaged { .. }) => None,
            other => other?,
        };
        if chunk.extent.end > expected {
            lost.push((chunk.extent.bytes, expected, chunk.extent.end, "frames are damaged"));
        }
        for (position, from, until, why) in lost {
            self.lost(segment, chunk, position, (from, until), why);
        }
        Ok(loaded.unwrap_or_default())
    }

    fn lost(&mut self, segment: &Segment, chunk: &Chunk, position: u64, (from, until): (u64, u64), why: &str) {
        let events = until.saturating_sub(from);
        let (path, offset) = (chunk.extent.path.clone(), Offset(from));
        let known = segment.damage.iter().any(|damage| damage.offset == offset);
        if !known {
            let damage = Damage { path, position, offset, events, why: why.to_owned() };
            self.partition.note_damage(segment.id, &damage);
            self.page.looked.damaged_events = self.page.looked.damaged_events.saturating_add(events);
        }
    }

    fn looked_at(&mut self, first: EventId, last: EventId) {
        let looked = &mut self.page.looked;
        looked.from = Some(looked.from.map_or(first.time(), |from| from.min(first.time())));
        looked.to = Some(looked.to.map_or(last.time(), |to| to.max(last.time())));
    }
}

fn is_hit(hits: Option<&Hits>, segment: &Segment, from: u64, until: u64) -> bool {
    let Some(hits) = hits else { return true };
    let ordinal = |offset: u64| u32::try_from(offset.saturating_sub(segment.offset)).unwrap_or(u32::MAX);
    let next = hits.ordinals.partition_point(|hit| *hit < ordinal(from));
    ordinal(until) > hits.covered || hits.ordinals.get(next).is_some_and(|hit| *hit < ordinal(until))
}

/// The frames from one mark to the next.
struct Chunk {
    extent: Extent,
    offset: u64,
    first: EventId,
    /// No id of the chunk is above it.
    last: EventId,
}

fn chunks(partition: &Partition, segment: &Segment) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::with_capacity(segment.marks.len());
    for (at, mark) in segment.marks.iter().enumerate() {
        let next = segment.marks.get(at.saturating_add(1));
        let mut extent = partition.extent(segment, mark.position);
        extent.bytes = next.map_or(segment.bytes, |next| next.position);
        extent.end = next.map_or(segment.end, |next| next.offset);
        let last = next.map_or(segment.last, |next| next.first);
        chunks.push(Chunk { extent, offset: mark.offset, first: mark.first, last });
    }
    if let Some(first) = chunks.first_mut() {
        first.extent.position = first.extent.position.min(len64(crate::segment::HEADER));
    }
    chunks
}
