//! The frame on disk: a clear header and a sealed payload. One accepted batch is one frame, or several where it is
//! larger than a frame; all but the last of those say `more`, and a batch counts only when its last frame is there.
//!
//! Header, big endian: version u8, flags u8 (1 producer, 2 more), zero u16, payload length u32, CRC-32 of header and
//! payload u32 (computed with this field zero), count u32, first id 16, last id 16, offset u64, ingest time i64, earliest
//! and latest window time i64; with a producer: hash of its name 16, sequence u64. Times are microseconds.

use shieldops_model::{EventId, TenantId, Timestamp};
use shieldops_seal::SealKey;

use crate::{
    limits::FRAME_CEILING,
    wire::{Reader, Write as _, len32, len64, patch, size32},
};

const VERSION: u8 = 1;
const PRODUCER: u8 = 1;
const MORE: u8 = 2;
const LENGTH_AT: usize = 4;
const CRC_AT: usize = 8;
/// Header without a producer.
pub(crate) const SHORT_HEADER: usize = 80;
/// Header with one.
pub(crate) const LONG_HEADER: usize = SHORT_HEADER + 24;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) more: bool,
    /// Bytes of the sealed payload.
    pub(crate) length: u32,
    pub(crate) count: u32,
    pub(crate) first: EventId,
    pub(crate) last: EventId,
    /// Events before this frame since the partition was made.
    pub(crate) offset: u64,
    pub(crate) ingested_at: Timestamp,
    pub(crate) earliest: Timestamp,
    pub(crate) latest: Timestamp,
    pub(crate) producer: Option<Sequence>,
}

/// What a shipper numbered: the first 16 bytes of the SHA-256 of its name, and its number for the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) producer: [u8; 16],
    pub(crate) number: u64,
}

impl Header {
    /// Length and checksum are zero here: what the payload is bound to.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LONG_HEADER);
        out.put_u8(VERSION);
        out.put_u8(if self.producer.is_some() { PRODUCER } else { 0 } | if self.more { MORE } else { 0 });
        out.put_u16(0);
        out.put_u32(0);
        out.put_u32(0);
        out.put_u32(self.count);
        out.put_id(self.first);
        out.put_id(self.last);
        out.put_u64(self.offset);
        out.put_time(self.ingested_at);
        out.put_time(self.earliest);
        out.put_time(self.latest);
        if let Some(sequence) = self.producer {
            out.put(&sequence.producer);
            out.put_u64(sequence.number);
        }
        out
    }

    /// The header at the start of `bytes` when it is plausible; only `checked` tells whether it is whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes);
        let short = "the header is cut short";
        let (version, flags) = (reader.u8().ok_or(short)?, reader.u8().ok_or(short)?);
        if version != VERSION {
            return Err("the frame version is unknown");
        }
        if flags & !(PRODUCER | MORE) != 0 || reader.u16().ok_or(short)? != 0 {
            return Err("the frame flags are unknown");
        }
        let (length, _crc) = (reader.u32().ok_or(short)?, reader.u32().ok_or(short)?);
        let header = Self {
            more: flags & MORE != 0,
            length,
            count: reader.u32().ok_or(short)?,
            first: reader.id().ok_or(short)?,
            last: reader.id().ok_or(short)?,
            offset: reader.u64().ok_or(short)?,
            ingested_at: reader.time().ok_or(short)?,
            earliest: reader.time().ok_or(short)?,
            latest: reader.time().ok_or(short)?,
            producer: match flags & PRODUCER {
                0 => None,
                _ => Some(Sequence { producer: reader.array().ok_or(short)?, number: reader.u64().ok_or(short)? }),
            },
        };
        if header.count == 0 || header.first > header.last || size32(length) > FRAME_CEILING {
            return Err("the frame header makes no sense");
        }
        Ok(header)
    }

    fn header_len(&self) -> usize {
        if self.producer.is_some() { LONG_HEADER } else { SHORT_HEADER }
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        self.header_len().saturating_add(size32(self.length))
    }

    /// The offset after this frame.
    pub(crate) fn next(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.count))
    }
}

/// Whose frame it is: bound into the sealing, so that a frame of another tenant or partition does not open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) tenant: TenantId,
    pub(crate) partition: u32,
}

impl Place {
    fn bind(self, mut header: Vec<u8>) -> Vec<u8> {
        header.put_id(self.tenant);
        header.put_u32(self.partition);
        header
    }
}

/// Seals `payload` and appends the whole frame to `out`; returns the header with its length.
pub(crate) fn write(out: &mut Vec<u8>, mut header: Header, place: Place, key: &SealKey, payload: &[u8]) -> Header {
    let clear = header.encode();
    let sealed = key.seal(&place.bind(clear.clone()), payload, &mut rand::rng());
    header.length = len32(sealed.len());
    let start = out.len();
    out.put(&clear);
    patch(out, start.saturating_add(LENGTH_AT), &header.length.to_be_bytes());
    out.put(&sealed);
    let crc = out.get(start..).map_or(0, crc32fast::hash);
    patch(out, start.saturating_add(CRC_AT), &crc.to_be_bytes());
    header
}

/// The header of `frame`, exactly one frame, when its checksum holds.
pub(crate) fn checked(frame: &[u8]) -> Result<Header, &'static str> {
    let header = Header::parse(frame)?;
    let stored = frame.get(CRC_AT..).and_then(|rest| Reader::new(rest).u32()).ok_or("the header is cut short")?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(frame.get(..CRC_AT).unwrap_or_default());
    hasher.update(&[0; 4]);
    hasher.update(frame.get(CRC_AT + 4..).unwrap_or_default());
    if len64(frame.len()) != len64(header.frame_len()) || hasher.finalize() != stored {
        return Err("the checksum of the frame does not hold");
    }
    Ok(header)
}

/// The payload of a checked frame.
pub(crate) fn open(frame: &[u8], header: &Header, place: Place, key: &SealKey) -> Result<Vec<u8>, &'static str> {
    let sealed = frame.get(header.header_len()..).unwrap_or_default();
    key.open(&place.bind(header.encode()), sealed).map_err(|_same| "the frame does not open with the tenant's key")
}
