//! A segment as memory knows it: its extent and a sparse index of its frames. And the header of its file.
//!
//! File header, big endian, 72 bytes: magic `SOPSBUS1`, version u8, zero 3, CRC-32 u32 (computed with this field zero),
//! tenant 16, partition u32, segment id 16, offset u64, made at i64 (microseconds), zero u32. The segment's id and the
//! file's name carry the same 128 bits: those of its first event.

use std::path::{Path, PathBuf};

use shieldops_model::{EventId, SegmentId, TenantId, Timestamp};

use crate::{
    Damage, Offset, SealedSegment,
    frame::Header,
    merkle::Frontier,
    wire::{Reader, Write as _, len64, patch},
};

const MAGIC: &[u8; 8] = b"SOPSBUS1";
const VERSION: u8 = 1;
const CRC_AT: usize = 12;
pub(crate) const HEADER: usize = 72;
/// One mark in memory for so many bytes on disk.
const MARK_BYTES: u64 = 64 * 1024;

/// The identity in the file's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) tenant: TenantId,
    pub(crate) partition: u32,
    pub(crate) id: SegmentId,
    pub(crate) offset: u64,
    pub(crate) made_at: Timestamp,
}

pub(crate) enum HeaderFault {
    Newer(u8),
    Damaged(&'static str),
}

impl FileHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.put(MAGIC);
        out.put_u8(VERSION);
        out.put(&[0; 7]);
        out.put_id(self.tenant);
        out.put_u32(self.partition);
        out.put_id(self.id);
        out.put_u64(self.offset);
        out.put_time(self.made_at);
        out.put_u32(0);
        let crc = crc32fast::hash(&out);
        patch(&mut out, CRC_AT, &crc.to_be_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let damaged = HeaderFault::Damaged;
        let mut clear = bytes.get(..HEADER).ok_or(damaged("the segment header is cut short"))?.to_vec();
        patch(&mut clear, CRC_AT, &[0; 4]);
        let mut reader = Reader::new(bytes);
        let short = || damaged("the segment header is cut short");
        if reader.array().ok_or_else(short)? != *MAGIC {
            return Err(damaged("this is not a segment"));
        }
        let version = reader.u8().ok_or_else(short)?;
        let _zero: [u8; 3] = reader.array().ok_or_else(short)?;
        if reader.u32().ok_or_else(short)? != crc32fast::hash(&clear) {
            return Err(damaged("the checksum of the segment header does not hold"));
        }
        if version > VERSION {
            return Err(HeaderFault::Newer(version));
        }
        Ok(Self {
            tenant: reader.id().ok_or_else(short)?,
            partition: reader.u32().ok_or_else(short)?,
            id: reader.id().ok_or_else(short)?,
            offset: reader.u64().ok_or_else(short)?,
            made_at: reader.time().ok_or_else(short)?,
        })
    }
}

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: u64,
    pub(crate) offset: u64,
    pub(crate) first: EventId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The writer appends to it.
    Active,
    /// Complete, its metadata not yet on disk.
    Closed,
    Sealed,
}

#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) state: State,
    pub(crate) offset: u64,
    /// The offset after its last event.
    pub(crate) end: u64,
    /// Readable events: `end - offset` unless frames are damaged.
    pub(crate) events: u64,
    pub(crate) frames: u64,
    pub(crate) first: EventId,
    pub(crate) last: EventId,
    /// Durable bytes of the file, its header included.
    pub(crate) bytes: u64,
    pub(crate) made_at: Timestamp,
    pub(crate) last_ingested_at: Timestamp,
    /// Window times.
    pub(crate) earliest: Timestamp,
    pub(crate) latest: Timestamp,
    /// Merkle root of the frames, once complete.
    pub(crate) root: [u8; 32],
    pub(crate) marks: Vec<Mark>,
    pub(crate) damage: Vec<Damage>,
}

impl Segment {
    pub(crate) fn new(id: SegmentId, offset: u64, made_at: Timestamp) -> Self {
        Self {
            id,
            state: State::Active,
            offset,
            end: offset,
            events: 0,
            frames: 0,
            first: EventId::from_bits(id.bits()),
            last: EventId::from_bits(id.bits()),
            bytes: len64(HEADER),
            made_at,
            last_ingested_at: made_at,
            earliest: Timestamp::from_micros(i64::MAX),
            latest: Timestamp::from_micros(i64::MIN),
            root: Frontier::default().root(),
            marks: Vec::new(),
            damage: Vec::new(),
        }
    }

    /// Takes in the next frame.
    pub(crate) fn push(&mut self, position: u64, header: &Header) {
        let due = self.marks.last().is_none_or(|mark| position.saturating_sub(mark.position) >= MARK_BYTES);
        if due {
            self.marks.push(Mark { position, offset: header.offset, first: header.first });
        }
        if self.frames == 0 {
            self.first = header.first;
        }
        self.last = header.last;
        self.end = header.next();
        self.events = self.events.saturating_add(u64::from(header.count));
        self.frames = self.frames.saturating_add(1);
        self.bytes = position.saturating_add(len64(header.frame_len()));
        self.last_ingested_at = self.last_ingested_at.max(header.ingested_at);
        self.earliest = self.earliest.min(header.earliest);
        self.latest = self.latest.max(header.latest);
    }

    /// The last known frame at or before `offset`.
    pub(crate) fn mark_at(&self, offset: u64) -> u64 {
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        self.position_before(after)
    }

    /// The last known frame that begins with `id` or an earlier one.
    pub(crate) fn mark_of(&self, id: EventId) -> u64 {
        let after = self.marks.partition_point(|mark| mark.first <= id);
        self.position_before(after)
    }

    /// The offset of that frame.
    pub(crate) fn offset_of(&self, id: EventId) -> u64 {
        let after = self.marks.partition_point(|mark| mark.first <= id);
        after.checked_sub(1).and_then(|at| self.marks.get(at)).map_or(self.offset, |mark| mark.offset)
    }

    fn position_before(&self, after: usize) -> u64 {
        let mark = after.checked_sub(1).and_then(|at| self.marks.get(at));
        // Before the first mark there can only be damaged frames.
        mark.map_or(len64(HEADER), |mark| mark.position)
    }

    pub(crate) fn name(id: SegmentId, extension: &str) -> String {
        format!("{}.{extension}", EventId::from_bits(id.bits()))
    }

    pub(crate) fn path(dir: &Path, id: SegmentId) -> PathBuf {
        dir.join(Self::name(id, "seg"))
    }

    pub(crate) fn summary(&self, dir: &Path, tenant: TenantId, partition: u32) -> SealedSegment {
        SealedSegment {
            tenant,
            partition,
            id: self.id,
            count: self.events,
            first: self.first,
            last: self.last,
            offset: Offset(self.offset),
            bytes: self.bytes,
            root: self.root,
            path: Self::path(dir, self.id),
        }
    }
}
