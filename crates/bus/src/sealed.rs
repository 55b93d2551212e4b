//! The `.sealed` file beside a complete segment: its extent, its Merkle root, and what opening would otherwise have to
//! read the whole segment for (sparse marks, producers). Derived: a missing or damaged one is built again.
//!
//! Big endian: magic `SOPSSEAL`, version u8, zero 3, CRC-32 u32 (computed with this field zero), tenant 16, partition u32,
//! segment id 16, made at i64, offset u64, end u64, events u64, frames u64, first 16, last 16, bytes u64, last ingest i64,
//! earliest i64, latest i64, root 32, marks u32 and each (position u64, offset u64, first 16), producers u32 and each
//! (hash 16, number u64, first 16, last 16, count u64, end u64).

use crate::{
    frame::{Place, Sequence},
    marks::{Marks, ProducerMark},
    segment::{Mark, Segment, State},
    wire::{Reader, Write as _, len32, patch},
};

const MAGIC: &[u8; 8] = b"SOPSSEAL";
const VERSION: u8 = 1;
const CRC_AT: usize = 12;
/// A larger file is damaged.
pub(crate) const CEILING: u64 = 64 * 1024 * 1024;

pub(crate) fn encode(place: Place, segment: &Segment, producers: &Marks) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + segment.marks.len() * 32 + producers.len() * 72);
    out.put(MAGIC);
    out.put_u8(VERSION);
    out.put(&[0; 7]);
    out.put_id(place.tenant);
    out.put_u32(place.partition);
    out.put_id(segment.id);
    out.put_time(segment.made_at);
    for number in [segment.offset, segment.end, segment.events, segment.frames] {
        out.put_u64(number);
    }
    out.put_id(segment.first);
    out.put_id(segment.last);
    out.put_u64(segment.bytes);
    out.put_time(segment.last_ingested_at);
    out.put_time(segment.earliest);
    out.put_time(segment.latest);
    out.put(&segment.root);
    out.put_u32(len32(segment.marks.len()));
    for mark in &segment.marks {
        out.put_u64(mark.position);
        out.put_u64(mark.offset);
        out.put_id(mark.first);
    }
    out.put_u32(len32(producers.len()));
    for mark in producers.iter() {
        out.put(&mark.sequence.producer);
        out.put_u64(mark.sequence.number);
        out.put_id(mark.first);
        out.put_id(mark.last);
        out.put_u64(mark.count);
        out.put_u64(mark.end);
    }
    let crc = crc32fast::hash(&out);
    patch(&mut out, CRC_AT, &crc.to_be_bytes());
    out
}

/// The segment and its producers; `None` when the bytes are not whole or of another segment.
pub(crate) fn decode(bytes: &[u8], place: Place) -> Option<(Segment, Vec<ProducerMark>)> {
    let mut clear = bytes.to_vec();
    patch(&mut clear, CRC_AT, &[0; 4]);
    let mut reader = Reader::new(bytes);
    let magic: [u8; 8] = reader.array()?;
    let version = reader.u8()?;
    let _zero: [u8; 3] = reader.array()?;
    let whole = magic == *MAGIC && version == VERSION && reader.u32()? == crc32fast::hash(&clear);
    if !whole || reader.id()? != place.tenant || reader.u32()? != place.partition {
        return None;
    }
    let (id, made_at, offset) = (reader.id()?, reader.time()?, reader.u64()?);
    let mut segment = Segment::new(id, offset, made_at);
    segment.state = State::Sealed;
    segment.end = reader.u64()?;
    segment.events = reader.u64()?;
    segment.frames = reader.u64()?;
    segment.first = reader.id()?;
    segment.last = reader.id()?;
    segment.bytes = reader.u64()?;
    segment.last_ingested_at = reader.time()?;
    segment.earliest = reader.time()?;
    segment.latest = reader.time()?;
    segment.root = reader.array()?;
    for _ in 0..reader.u32()? {
        segment.marks.push(Mark { position: reader.u64()?, offset: reader.u64()?, first: reader.id()? });
    }
    let mut producers = Vec::new();
    for _ in 0..reader.u32()? {
        let sequence = Sequence { producer: reader.array()?, number: reader.u64()? };
        let (first, last) = (reader.id()?, reader.id()?);
        producers.push(ProducerMark { sequence, first, last, count: reader.u64()?, end: reader.u64()? });
    }
    (reader.remaining() == 0).then_some((segment, producers))
}
