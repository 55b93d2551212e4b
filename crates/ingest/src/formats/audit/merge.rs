//! Gathers the records of one serial from a stream of lines. The caller's clock says when an event waits no longer.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use shieldops_model::Timestamp;

use super::record;

/// How long an event waits for its next record.
const HELD: Duration = Duration::from_secs(2);
/// How many events wait at once; over it, the oldest goes.
const MAX_PENDING: usize = 1_024;
/// How large an event grows before it goes as it is.
const MAX_BYTES: usize = 256 * 1024;

/// Node and serial: serials are counted per machine.
type Key = (String, String);

/// Records on their way to becoming events. A merged event is its records' lines, joined by newlines.
#[derive(Debug, Default)]
pub struct AuditMerger {
    /// In the order of their first record.
    pending: BTreeMap<u64, Pending>,
    places: HashMap<Key, u64>,
    next: u64,
}

#[derive(Debug)]
struct Pending {
    key: Key,
    since: Timestamp,
    lines: BytesMut,
}

impl AuditMerger {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a line and gives the events that are complete. What is not an audit record comes back at once.
    pub fn push(&mut self, line: &[u8], now: Timestamp) -> Vec<Bytes> {
        let mut complete = self.due(now);
        let text = String::from_utf8_lossy(line);
        let Some(header) = record::header(&text).filter(|_| !is_alone(&text)) else {
            complete.push(Bytes::copy_from_slice(line));
            return complete;
        };
        let place = self.place((header.node.unwrap_or("").to_owned(), header.serial.to_owned()), now);
        let Some(pending) = self.pending.get_mut(&place) else { return complete };
        if header.kind != "EOE" || pending.lines.is_empty() {
            if !pending.lines.is_empty() {
                pending.lines.extend_from_slice(b"\n");
            }
            pending.lines.extend_from_slice(line);
        }
        if matches!(header.kind, "EOE" | "PROCTITLE") || pending.lines.len() > MAX_BYTES {
            complete.extend(self.take(place));
        } else if self.pending.len() > MAX_PENDING {
            complete.extend(self.take_oldest(|_| true));
        }
        complete
    }

    /// The events that have waited long enough.
    pub fn due(&mut self, now: Timestamp) -> Vec<Bytes> {
        std::iter::from_fn(|| self.take_oldest(|pending| now.since(pending.since) >= HELD)).collect()
    }

    /// Everything that waits, the oldest first.
    pub fn drain(&mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.take_oldest(|_| true)).collect()
    }

    /// Where the event of a key stands; a new one goes last.
    fn place(&mut self, key: Key, now: Timestamp) -> u64 {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        self.next = self.next.wrapping_add(1);
        self.places.insert(key.clone(), self.next);
        self.pending.insert(self.next, Pending { key, since: now, lines: BytesMut::new() });
        self.next
    }

    fn take(&mut self, place: u64) -> Option<Bytes> {
        let pending = self.pending.remove(&place)?;
        self.places.remove(&pending.key);
        Some(pending.lines.freeze())
    }

    fn take_oldest(&mut self, wanted: impl Fn(&Pending) -> bool) -> Option<Bytes> {
        let (place, _) = self.pending.first_key_value().filter(|(_, pending)| wanted(pending))?;
        self.take(*place)
    }
}

/// Records from user space come one a serial: their text is an inner message.
pub(crate) fn is_alone(line: &str) -> bool {
    line.contains(" msg='")
}

/// Where the records of the last audit serial begin in whole lines; their end where the last line is no audit record that
/// others may complete. A reader of pieces cuts there.
pub fn before_last_serial(lines: &[u8]) -> usize {
    let serial = |line: &[u8]| {
        let text = String::from_utf8_lossy(line).into_owned();
        let header = record::header(&text).filter(|_| !is_alone(&text))?;
        Some((header.time.to_owned(), header.serial.to_owned()))
    };
    let mut start = lines.len();
    let mut last = None;
    while start > 0 {
        let body = lines.get(..start.saturating_sub(1)).unwrap_or_default();
        let from = memchr::memrchr(b'\n', body).map_or(0, |at| at.saturating_add(1));
        let found = serial(lines.get(from..start).unwrap_or_default());
        if found.is_none() || last.as_ref().is_some_and(|last| *last != found) {
            return start;
        }
        last = Some(found);
        start = from;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn interleaved_records_become_one_event_a_serial() {
        let mut merger = AuditMerger::new();
        let lines = [
            "type=SYSCALL msg=audit(1.0:1): a=1",
            "type=SYSCALL msg=audit(1.0:2): a=2",
            "type=EXECVE msg=audit(1.0:1): argc=1",
            "type=USER_AUTH msg=audit(1.0:3): pid=1 msg='op=x'",
            "type=PROCTITLE msg=audit(1.0:1): proctitle=\"x\"",
            "not audit",
        ];
        let events: Vec<_> = lines.iter().flat_map(|line| merger.push(line.as_bytes(), at(0))).collect();
        assert_eq!(events.len(), 3);
        assert_eq!(events[1].split(|byte| *byte == b'\n').count(), 3);
        assert!(merger.due(at(1)).is_empty());
        assert_eq!(merger.due(at(2)).len(), 1);
        assert!(merger.drain().is_empty());
    }

    #[test]
    fn serials_of_two_machines_do_not_mix() {
        let mut merger = AuditMerger::new();
        merger.push(b"node=a type=SYSCALL msg=audit(1.0:1): a=1", at(0));
        merger.push(b"node=b type=SYSCALL msg=audit(1.0:1): a=1", at(0));
        assert_eq!(merger.drain().len(), 2);
    }

    #[test]
    fn a_flood_of_open_serials_is_bounded() {
        let mut merger = AuditMerger::new();
        let out: usize = (0..5_000)
            .map(|n| merger.push(format!("type=SYSCALL msg=audit(1.0:{n}): a=1").as_bytes(), at(0)).len())
            .sum();
        assert_eq!(out, 5_000 - MAX_PENDING);
    }
}
