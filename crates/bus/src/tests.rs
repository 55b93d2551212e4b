//! What a user of the bus may rely on.

mod damage;
mod faults;
mod log;
mod places;
mod power;
mod retention;
mod search;
mod shares;
mod unreadable;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use shieldops_model::{Event, FixedClock, TenantId, TimeQuality, Timestamp};
use shieldops_seal::SealKey;

use crate::{Bus, Disk as _, Frame, Keys, Limits, NewEvent, Offset, Parts, testing::LossyDisk};

const DIR: &str = "/data/bus";
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

struct TenantKeys(u8);

impl Keys for TenantKeys {
    fn frame_key(&self, tenant: TenantId) -> Result<Arc<SealKey>, String> {
        let mut bytes = [self.0; 32];
        bytes[..16].copy_from_slice(&tenant.to_bytes());
        Ok(Arc::new(SealKey::from_bytes(bytes)))
    }
}

/// A disk and a clock that outlive the buses opened on them.
struct World {
    disk: LossyDisk,
    clock: FixedClock,
    limits: Limits,
}

impl World {
    fn new() -> Self {
        let limits = Limits { queue_wait: Duration::from_mins(1), ..Limits::default() };
        let disk = LossyDisk::default();
        // The directory above the log is not the log's to keep.
        disk.make_dir(Path::new("/data")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        Self { disk, clock: FixedClock::at(START), limits }
    }

    fn with(limits: Limits) -> Self {
        Self { limits, ..Self::new() }
    }

    fn open(&self) -> Bus {
        self.try_open(7).unwrap()
    }

    fn try_open(&self, key: u8) -> crate::Result<Bus> {
        let parts = Parts {
            keys: Arc::new(TenantKeys(key)),
            clock: Arc::new(self.clock.clone()),
            disk: Arc::new(self.disk.clone()),
            indexer: Arc::new(keys_of),
        };
        Bus::open(Path::new(DIR), self.limits.clone(), parts)
    }
}

/// Segments of about two frames.
fn small() -> Limits {
    Limits { segment_bytes: 2_000, frame_bytes: 1_000, ..Limits::default() }
}

fn tenant() -> TenantId {
    TenantId::from_bits(0x0190_0000_0000_7000_8000_0000_0000_0001)
}

/// The numbers in the text are the keys: `user 7 from 9`.
fn keys_of(event: &Event) -> Vec<u64> {
    let text = String::from_utf8_lossy(&event.raw).into_owned();
    text.split(' ').filter_map(|word| word.parse().ok()).collect()
}

fn event(raw: impl Into<Bytes>) -> NewEvent {
    let (source, format) = ("sshd".to_owned(), "syslog/1".to_owned());
    let time_quality = TimeQuality::Good;
    NewEvent { source, format, time: START, time_quality, demo: false, unchecked: false, raw: raw.into() }
}

fn text(text: &str) -> NewEvent {
    event(text.as_bytes().to_vec())
}

fn all(bus: &Bus) -> Vec<Frame> {
    let (mut at, mut frames) = (Offset(0), Vec::new());
    loop {
        let read = bus.read(tenant(), at, 10_000).unwrap();
        let Some(last) = read.last() else { return frames };
        assert!(last.next > at);
        at = last.next;
        frames.extend(read);
    }
}

fn raws(bus: &Bus) -> Vec<String> {
    let events = all(bus).into_iter().flat_map(|frame| frame.events);
    events.map(|event| String::from_utf8(event.raw.to_vec()).unwrap()).collect()
}

fn assert_sound(bus: &Bus) {
    let (mut at, mut last) = (None, None);
    for frame in all(bus) {
        assert!(at.is_none_or(|at| at == frame.offset), "frames follow each other");
        if frame.damage.is_none() {
            assert_eq!(frame.next.0 - frame.offset.0, frame.events.len() as u64);
        }
        at = Some(frame.next);
        for event in frame.events {
            assert!(last < Some(event.id), "ids grow");
            last = Some(event.id);
        }
    }
}
