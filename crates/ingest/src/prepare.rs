//! A body made ready for the bus: each line recognised, timed and cut from the shared buffer; audit records merged.

use std::{borrow::Cow, collections::HashMap};

use bytes::{Bytes, BytesMut};
use shieldops_model::{TimeQuality, Timestamp};

use crate::{
    Hints, Limits, LineError,
    formats::{
        AUDIT, Recognised, TEXT,
        audit::{self, merge::is_alone},
        recognise::{of_object, of_text},
        shape::Shape,
        time::{judge, own_time},
    },
    lines::{Refusal, judge_text, pieces},
    wrapped,
};

/// What a body holds. The caller adds tenant, ids and the demo label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    pub events: Vec<PreparedEvent>,
    /// Lines accepted; more than the events where audit records were merged.
    pub accepted_lines: u64,
    /// Lines refused.
    pub rejected: u64,
    /// The first refused lines, up to `Limits::errors`.
    pub errors: Vec<LineError>,
    /// The body holds more events than `Limits::events`: none of it is to be taken.
    pub overflow: bool,
}

/// One event, ready for the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedEvent {
    pub source: String,
    pub format: &'static str,
    pub time: Timestamp,
    pub time_quality: TimeQuality,
    /// A slice of the body.
    pub raw: Bytes,
    /// Its first line, from 1.
    pub line: u64,
    /// How many lines it was made of.
    pub lines: u32,
}

/// Takes a body apart, judges and recognises each line. Audit records of one serial become one event.
pub fn prepare(body: &Bytes, hints: Hints<'_>, received: Timestamp, limits: &Limits) -> Prepared {
    let mut intake = Intake::new(hints, received, limits);
    for (number, bytes) in pieces(body, hints) {
        drop(intake.take(&bytes, number, body));
        if intake.prepared.overflow {
            break;
        }
    }
    intake.prepared
}

/// A body on its way to being prepared.
pub(crate) struct Intake<'a> {
    hints: Hints<'a>,
    received: Timestamp,
    limits: &'a Limits,
    serials: Serials,
    pub(crate) prepared: Prepared,
}

/// A line's event and the audit serial it belongs to, if others may belong to it too.
pub(crate) type Judged = Result<(PreparedEvent, Option<String>), Refusal>;

impl<'a> Intake<'a> {
    pub(crate) fn new(hints: Hints<'a>, received: Timestamp, limits: &'a Limits) -> Self {
        Self { hints, received, limits, serials: Serials::default(), prepared: Prepared::default() }
    }

    /// Takes one line or object: an event, or a list of events in a wrapper. Gives the first refusal.
    pub(crate) fn take(&mut self, bytes: &Bytes, number: u64, body: &Bytes) -> Result<(), LineError> {
        self.take_from(bytes, None, number, bytes, body)
    }

    /// Like `take`: an event of an envelope has the envelope's time, and a refusal shows the `whole` of it.
    pub(crate) fn take_from(
        &mut self,
        bytes: &Bytes,
        time: Option<Timestamp>,
        number: u64,
        whole: &Bytes,
        body: &Bytes,
    ) -> Result<(), LineError> {
        let outcome = match self.look(bytes, number, true) {
            Ok(Piece::List(name, events)) => return self.take_list(name, events, number, body),
            Ok(Piece::Event(mut event, serial)) => {
                self.retime(&mut event, time);
                Ok((event, serial))
            }
            Err(refusal) => Err(refusal),
        };
        self.record(outcome, number, whole, body)
    }

    /// Each event of a list stands for itself: one that is refused does not stop the others.
    fn take_list(
        &mut self,
        name: &'static str,
        events: Vec<Bytes>,
        number: u64,
        body: &Bytes,
    ) -> Result<(), LineError> {
        let mut first = Ok(());
        for (event, place) in events.iter().zip(1_u64..) {
            let outcome = self.judge(event, number);
            let outcome = outcome.map_err(|refusal| Refusal::Inside(Box::new(refusal), name, place));
            first = first.and(self.record(outcome, number, event, body));
            if self.prepared.overflow {
                break;
            }
        }
        first
    }

    /// One line or object as an event, also where it looks like a list.
    pub(crate) fn judge(&self, bytes: &Bytes, line: u64) -> Judged {
        match self.look(bytes, line, false)? {
            Piece::Event(event, serial) => Ok((event, serial)),
            Piece::List(..) => Err(Refusal::Invalid("a list in a list".to_owned())),
        }
    }

    /// What a line or object is; lists are opened where `open`.
    fn look(&self, bytes: &Bytes, line: u64, open: bool) -> Result<Piece, Refusal> {
        let large = bytes.len() > self.limits.event_bytes;
        if large && !(open && bytes.trim_ascii_start().first() == Some(&b'{')) {
            return Err(Refusal::TooLarge);
        }
        let text = String::from_utf8_lossy(bytes);
        let lossy = matches!(text, Cow::Owned(_));
        let text = text.trim();
        let (shape, seen) = if text.starts_with('{') {
            let shape = Shape::read_limited(text, self.limits.depth)
                .map_err(|error| if large { Refusal::TooLarge } else { Refusal::Invalid(error.to_string()) })?;
            if let Some((name, events)) = open.then(|| opened(&shape, bytes, text, lossy)).flatten() {
                return Ok(Piece::List(name, events));
            }
            let seen = of_object(&shape, self.hints.source);
            (Some(shape), seen)
        } else {
            (None, text_line(text, self.hints)?)
        };
        if large {
            return Err(Refusal::TooLarge);
        }
        let own = own_time(seen.format, text, shape.as_ref(), self.received, self.limits);
        let (time, time_quality) = judge(own, self.received, self.limits);
        let serial = (seen.format == AUDIT).then(|| serial(text, shape.as_ref())).flatten();
        let Recognised { source, format } = seen;
        let event = PreparedEvent { source, format, time, time_quality, raw: bytes.clone(), line, lines: 1 };
        Ok(Piece::Event(event, serial))
    }

    /// Sets the time that an envelope gives.
    fn retime(&self, event: &mut PreparedEvent, own: Option<Timestamp>) {
        if own.is_some() {
            (event.time, event.time_quality) = judge(own, self.received, self.limits);
        }
    }

    /// Keeps the outcome of a line.
    pub(crate) fn record(
        &mut self,
        outcome: Judged,
        number: u64,
        bytes: &Bytes,
        body: &Bytes,
    ) -> Result<(), LineError> {
        match outcome {
            Ok(_) if self.prepared.events.len() >= self.limits.events => self.prepared.overflow = true,
            Ok((event, serial)) => {
                self.prepared.accepted_lines = self.prepared.accepted_lines.saturating_add(1);
                let most = self.limits.event_bytes.min(MAX_MERGED_BYTES);
                self.serials.add((event, serial), most, body, &mut self.prepared.events);
            }
            Err(refusal) => {
                self.prepared.rejected = self.prepared.rejected.saturating_add(1);
                let error = refusal.at(number, bytes, self.limits);
                if self.prepared.errors.len() < self.limits.errors {
                    self.prepared.errors.push(error.clone());
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

/// What a line or object is.
enum Piece {
    Event(PreparedEvent, Option<String>),
    /// The name of a list, for reports, and the events in it.
    List(&'static str, Vec<Bytes>),
}

/// The events of a wrapper. Where its bytes are not UTF-8 they are slices of what `text` made of them.
fn opened(shape: &Shape<'_>, bytes: &Bytes, text: &str, lossy: bool) -> Option<(&'static str, Vec<Bytes>)> {
    let list = wrapped::list(shape)?;
    if !lossy {
        return list.events(bytes).map(|events| (list.name, events));
    }
    let mended = Bytes::copy_from_slice(text.as_bytes());
    let again = Shape::read(std::str::from_utf8(&mended).ok()?).ok()?;
    wrapped::list(&again)?.events(&mended).map(|events| (list.name, events))
}

fn text_line(text: &str, hints: Hints<'_>) -> Result<Recognised, Refusal> {
    match of_text(text, hints.source) {
        Some(seen) => Ok(seen),
        None => judge_text(text, hints).map(|()| Recognised { source: "text".to_owned(), format: TEXT }),
    }
}

/// Node and serial of an audit record that others may complete.
fn serial(text: &str, shape: Option<&Shape<'_>>) -> Option<String> {
    let inner = shape.and_then(Shape::inner_text);
    let line = inner.as_deref().unwrap_or(text);
    let header = audit::header(line).filter(|_| !is_alone(line))?;
    Some(format!("{}\u{0}{}\u{0}{}", header.node.unwrap_or(""), header.time, header.serial))
}

/// More records than this are never one event.
const MAX_RECORDS: u32 = 512;

/// Nor are more bytes than this, or than an event may have.
const MAX_MERGED_BYTES: usize = 1024 * 1024;
/// The longest line end between two records.
const LINE_END: usize = 2;

/// Where the open event of each audit serial stands.
#[derive(Debug, Default)]
struct Serials(HashMap<String, usize>);

impl Serials {
    /// Adds a record to the event of its serial, as long as that has at most so many bytes.
    fn add(
        &mut self,
        (event, serial): (PreparedEvent, Option<String>),
        most: usize,
        body: &Bytes,
        events: &mut Vec<PreparedEvent>,
    ) {
        let Some(serial) = serial else { return events.push(event) };
        let known = self.0.get(&serial).copied().and_then(|at| events.get_mut(at));
        let fits = |open: &PreparedEvent| {
            let both = open.raw.len().saturating_add(LINE_END).saturating_add(event.raw.len());
            open.lines < MAX_RECORDS && both <= most
        };
        match known {
            Some(open) if fits(open) => {
                open.raw = joined(&open.raw, &event.raw, body);
                open.lines = open.lines.saturating_add(1);
            }
            _ => {
                self.0.insert(serial, events.len());
                events.push(event);
            }
        }
    }
}

/// Two pieces as lines of one: still a slice of the body when only a line end lies between them.
fn joined(first: &Bytes, second: &Bytes, body: &Bytes) -> Bytes {
    let offset = |piece: &Bytes| piece.as_ptr().addr().checked_sub(body.as_ptr().addr());
    if let (Some(start), Some(next)) = (offset(first), offset(second)) {
        let gap = start.checked_add(first.len()).and_then(|end| body.get(end..next));
        let end = next.checked_add(second.len()).filter(|end| *end <= body.len());
        if let (Some(b"\n" | b"\r\n"), Some(end)) = (gap, end) {
            return body.slice(start..end);
        }
    }
    let mut whole = BytesMut::with_capacity(first.len().saturating_add(second.len()).saturating_add(1));
    whole.extend_from_slice(first);
    whole.extend_from_slice(b"\n");
    whole.extend_from_slice(second);
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn run(body: &str) -> Prepared {
        prepare(&Bytes::copy_from_slice(body.as_bytes()), Hints::default(), now(), &Limits::default())
    }

    #[test]
    fn each_line_has_its_source_format_and_time() {
        let body = concat!(
            "Nov 21 11:59:01 web1 sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n",
            "{\"message\":\"203.0.113.9 - - [21/Nov/2026:11:58:01 +0000] \\\"GET / HTTP/1.1\\\" 200 1\",\"host\":\"web1\"}\n",
            "{\"EventID\":4625,\"Channel\":\"Security\",\"TimeCreated\":\"2026-11-21T11:57:00.5Z\"}\n",
            "{\"x\":1}\n",
        );
        let shown: Vec<_> = run(body)
            .events
            .iter()
            .map(|event| {
                format!("{} {} {} {} {:?}", event.line, event.source, event.format, event.time, event.time_quality)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "1 sshd syslog/1 2026-11-21T11:59:01.000000Z Good",
                "2 nginx access/1 2026-11-21T11:58:01.000000Z Good",
                "3 windows windows/1 2026-11-21T11:57:00.500000Z Good",
                "4 json json/1 2026-11-21T12:00:00.000000Z Missing",
            ]
        );
    }

    #[test]
    fn audit_records_of_one_serial_are_one_event_in_text_and_in_json() {
        let text = "type=SYSCALL msg=audit(1795262300.1:7): a=1\ntype=EXECVE msg=audit(1795262300.1:7): argc=1 a0=\"id\"\ntype=USER_AUTH msg=audit(1795262300.1:8): pid=1 msg='op=x'\n";
        let prepared = run(text);
        assert_eq!((prepared.accepted_lines, prepared.events.len()), (3, 2));
        assert_eq!(prepared.events[0].lines, 2);
        assert_eq!(prepared.events[0].raw.split(|byte| *byte == b'\n').count(), 2);
        let json = "{\"message\":\"type=SYSCALL msg=audit(1795262300.1:7): a=1\"}\n{\"x\":1}\n{\"message\":\"type=EXECVE msg=audit(1795262300.1:7): argc=1 a0=\\\"id\\\"\"}";
        let prepared = run(json);
        assert_eq!((prepared.accepted_lines, prepared.events.len()), (3, 2));
        assert_eq!(prepared.events[0].lines, 2);
    }

    #[test]
    fn records_of_one_serial_that_are_longer_together_than_an_event_are_several() {
        let limits = Limits { event_bytes: 100, ..Limits::default() };
        let record = |n: u32| format!("type=PATH msg=audit(1795262300.1:7): item={n} name=\"/etc/passwd\"\r\n");
        let body = Bytes::from((0..6).map(record).collect::<String>());
        let prepared = prepare(&body, Hints::default(), now(), &limits);
        assert_eq!((prepared.accepted_lines, prepared.rejected), (6, 0));
        assert!(prepared.events.iter().all(|event| event.raw.len() <= limits.event_bytes), "{:?}", prepared.events);
        let two = Limits { event_bytes: 140, ..limits };
        assert_eq!(prepare(&body, Hints::default(), now(), &two).events.len(), 3);
    }

    #[test]
    fn only_the_first_errors_are_kept_but_all_are_counted() {
        let limits = Limits { errors: 2, ..Limits::default() };
        let body = Bytes::from("x\n".repeat(5));
        let prepared = prepare(&body, Hints::default(), now(), &limits);
        assert_eq!((prepared.rejected, prepared.errors.len(), prepared.accepted_lines), (5, 2, 0));
    }

    #[test]
    fn a_body_of_more_events_than_the_limit_is_not_taken_apart_to_its_end() {
        let limits = Limits { events: 3, ..Limits::default() };
        for body in ["{}\n".repeat(50), format!("[{}{{}}]", "{},".repeat(50))] {
            let prepared = prepare(&Bytes::from(body), Hints::default(), now(), &limits);
            assert!(prepared.overflow && prepared.events.len() == 3);
        }
        assert!(!prepare(&Bytes::from("{}\n{}\n{}\n"), Hints::default(), now(), &limits).overflow);
    }

    #[test]
    fn a_list_in_a_wrapper_is_its_events_with_verdicts_of_their_own() {
        let record = |second: u32| format!(r#"{{"eventTime":"2026-11-21T11:59:0{second}Z","eventName":"x"}}"#);
        let body = format!("{{\"x\":1}}\n{{\"Records\":[{}, 7, {}]}}\n", record(1), record(2));
        let prepared = run(&body);
        let shown: Vec<_> = prepared.events.iter().map(|event| format!("{} {}", event.line, event.time)).collect();
        assert_eq!(
            shown,
            ["1 2026-11-21T12:00:00.000000Z", "2 2026-11-21T11:59:01.000000Z", "2 2026-11-21T11:59:02.000000Z"]
        );
        let error = &prepared.errors[0];
        assert_eq!((error.line, &error.sample[..]), (2, &b"7"[..]));
        assert!(error.detail.starts_with("Records[2]: "), "{error}");
        assert_eq!((prepared.accepted_lines, prepared.rejected), (3, 1));
    }

    #[test]
    fn a_wrapper_may_be_longer_than_an_event_but_none_of_its_events_may() {
        let limits = Limits { event_bytes: 40, events: 4, depth: 4, ..Limits::default() };
        let prepared = |body: String| prepare(&Bytes::from(body), Hints::default(), now(), &limits);
        let list = prepared(format!("{{\"Records\":[{}{{\"long\":\"{}\"}}]}}", "{\"a\":1},".repeat(3), "x".repeat(50)));
        assert_eq!((list.events.len(), list.rejected), (3, 1));
        assert_eq!(
            (list.errors[0].code, list.errors[0].detail.as_str()),
            ("line_too_large", "Records[4]: 61 bytes, the limit is 40")
        );
        assert!(prepared(format!("{{\"Records\":[{}{{}}]}}", "{\"a\":1},".repeat(5))).overflow);
        let long = prepared(format!("{{\"message\":\"{}\"}}", "x".repeat(50)));
        assert_eq!((long.errors[0].code, long.events.len()), ("line_too_large", 0));
        let deep = prepared("{\"Records\":[{\"a\":[[1]]}]}".to_owned());
        assert_eq!(deep.errors[0].code, "invalid_json");
    }

    #[test]
    fn a_list_in_a_list_is_one_event() {
        let prepared = run(r#"{"records":[{"records":[{"a":1},{"b":2}]}]}"#);
        assert_eq!(prepared.events.len(), 1);
        let prepared = run("[{\"records\":[{\"a\":1},{\"b\":2}]},{\"records\":[{\"c\":1}]}]");
        assert_eq!(prepared.events.len(), 3, "an array of wrappers, as event hubs give them");
        let mut lossy = b"{\"Records\":[{\"a\":\"".to_vec();
        lossy.extend(b"\xff\"},{\"b\":1}]}");
        let events = prepare(&Bytes::from(lossy), Hints::default(), now(), &Limits::default()).events;
        assert_eq!(events.iter().map(|event| event.raw.len()).collect::<Vec<_>>(), [11, 7]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_as_they_came() {
        let raw = b"Nov 21 11:59:01 web1 sshd[1]: Invalid user \xff\0x from 203.0.113.9 port 1";
        let prepared = prepare(&Bytes::from_static(raw), Hints::default(), now(), &Limits::default());
        assert_eq!(&prepared.events[0].raw[..], raw);
        assert_eq!(prepared.events[0].source, "sshd");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_wrapper_gives_the_same_events_as_lines_do(values in prop::collection::vec("[a-z{}\\[\\]\\\\\" é]{0,9}", 0..6)) {
            let records: Vec<String> =
                values.iter().map(|value| serde_json::json!({"eventTime": "2026-11-21T11:59:00Z", "x": value}).to_string()).collect();
            let raw = |prepared: Prepared| prepared.events.into_iter().map(|event| (event.raw, event.time)).collect::<Vec<_>>();
            let lines = raw(run(&records.join("\n")));
            let list = records.join(" , ");
            let quoted: Vec<String> = records
                .iter()
                .map(|record| serde_json::json!({"id": "1", "message": record}).to_string())
                .collect();
            for body in [
                format!("{{\"Records\":[{list}]}}"),
                format!("{{\n\"records\" : [{list}]\n}}"),
                format!("{{\"kind\":\"EventList\",\"items\":[{list}]}}"),
                format!("{{\"eventType\":\"com.okta.event_hook\",\"data\":{{\"events\":[{list}]}}}}"),
                format!("{{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[{}]}}", quoted.join(",")),
            ] {
                prop_assert_eq!(&raw(run(&body)), &lines);
            }
        }
    }
}
