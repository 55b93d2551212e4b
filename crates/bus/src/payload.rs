//! The payload of a frame in the clear: the events' envelopes and their untouched bytes.
//!
//! Version u8, names: count u16, each length u16 and text; then per event: id 16, source u16, format u16, window time's
//! source (event time) i64, time quality u8, flags u8 (1 demo, 2 unchecked), raw length u32, raw.

use bytes::Bytes;
use shieldops_model::{Event, EventId, TenantId, TimeQuality, Timestamp};

use crate::{
    NewEvent,
    wire::{Reader, Write as _, len32, size32},
};

const VERSION: u8 = 1;
const DEMO: u8 = 1;
const UNCHECKED: u8 = 2;
/// Bytes of an event beside its raw bytes.
pub(crate) const ENVELOPE: usize = 16 + 2 + 2 + 8 + 1 + 1 + 4;

pub(crate) fn encode(events: &[(EventId, NewEvent)]) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    let mut body = Vec::with_capacity(events.iter().map(|(_, event)| event.raw.len() + ENVELOPE).sum());
    for (id, event) in events {
        body.put_id(*id);
        for name in [&event.source, &event.format] {
            let place = names.iter().position(|known| *known == name.as_str()).unwrap_or_else(|| {
                names.push(name);
                names.len().saturating_sub(1)
            });
            body.put_u16(u16::try_from(place).unwrap_or(u16::MAX));
        }
        body.put_time(event.time);
        body.put_u8(quality_code(event.time_quality));
        body.put_u8(if event.demo { DEMO } else { 0 } | if event.unchecked { UNCHECKED } else { 0 });
        body.put_u32(len32(event.raw.len()));
        body.put(&event.raw);
    }
    let mut out = Vec::with_capacity(body.len().saturating_add(names.len() * 16).saturating_add(3));
    out.put_u8(VERSION);
    out.put_u16(u16::try_from(names.len()).unwrap_or(u16::MAX));
    for name in names {
        out.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
        out.put(name.as_bytes());
    }
    out.put(&body);
    out
}

/// The events of a payload; their raw bytes share its buffer.
pub(crate) fn decode(tenant: TenantId, ingested_at: Timestamp, count: u32, payload: Vec<u8>) -> Option<Vec<Event>> {
    let buffer = Bytes::from(payload);
    let mut reader = Reader::new(&buffer);
    if reader.u8()? != VERSION {
        return None;
    }
    let mut names = Vec::new();
    for _ in 0..reader.u16()? {
        let len = usize::from(reader.u16()?);
        names.push(std::str::from_utf8(reader.bytes(len)?).ok()?);
    }
    let mut events = Vec::with_capacity(size32(count).min(reader.remaining() / ENVELOPE));
    for _ in 0..count {
        let id = reader.id()?;
        let source = *names.get(usize::from(reader.u16()?))?;
        let format = *names.get(usize::from(reader.u16()?))?;
        let time = reader.time()?;
        let time_quality = quality(reader.u8()?)?;
        let flags = reader.u8()?;
        let (demo, unchecked) = (flags & DEMO != 0, flags & UNCHECKED != 0);
        let len = size32(reader.u32()?);
        let raw = buffer.slice_ref(reader.bytes(len)?);
        let (source, format) = (source.to_owned(), format.to_owned());
        events.push(Event { id, tenant, source, format, time, ingested_at, time_quality, demo, unchecked, raw });
    }
    (reader.remaining() == 0).then_some(events)
}

fn quality_code(quality: TimeQuality) -> u8 {
    match quality {
        TimeQuality::Good => 0,
        TimeQuality::Missing => 1,
        TimeQuality::Future => 2,
        TimeQuality::Old => 3,
    }
}

fn quality(code: u8) -> Option<TimeQuality> {
    match code {
        0 => Some(TimeQuality::Good),
        1 => Some(TimeQuality::Missing),
        2 => Some(TimeQuality::Future),
        3 => Some(TimeQuality::Old),
        _ => None,
    }
}
