//! Bodies for a Splunk HTTP event collector: JSON objects one after another, or raw lines.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::value::RawValue;
use shieldops_model::Timestamp;

use super::{flat::members, shape::Shape, time::json_time};
use crate::{
    Hints, Limits, Prepared,
    lines::Refusal,
    prepare::{Intake, prepare},
    wrapped,
};

/// Which of the collector's two addresses a body came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/services/collector` and `/services/collector/event`.
    Event,
    /// `/services/collector/raw`.
    Raw,
}

/// A collector body, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// `line` counts objects (or lines of a raw body) from 1.
    pub prepared: Prepared,
}

/// Reads a body. The envelope's time and host win over what the event says or lacks; after a syntax error the rest is refused.
pub fn parse(body: &Bytes, endpoint: Endpoint, hints: Hints<'_>, received: Timestamp, limits: &Limits) -> Batch {
    match endpoint {
        Endpoint::Raw => {
            let hints = Hints { source: hints.source, content_type: Some("text/plain") };
            Batch { prepared: prepare(body, hints, received, limits) }
        }
        Endpoint::Event => Batch { prepared: objects(body, hints, received, limits) },
    }
}

fn objects(body: &Bytes, hints: Hints<'_>, received: Timestamp, limits: &Limits) -> Prepared {
    let mut intake = Intake::new(hints, received, limits);
    let mut stream = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    let mut number = 0_u64;
    loop {
        let start = stream.byte_offset();
        number = number.saturating_add(1);
        match stream.next() {
            None => return intake.prepared,
            Some(Ok(object)) => {
                let bytes = body.slice_ref(object.get().as_bytes());
                drop(match envelope(&bytes, object.get(), limits) {
                    Ok((event, time)) => intake.take_from(&event, time, number, &bytes, body),
                    Err(refusal) => intake.record(Err(refusal), number, &bytes, body),
                });
                if intake.prepared.overflow {
                    return intake.prepared;
                }
            }
            Some(Err(error)) => {
                let rest = body.slice(start.min(body.len())..);
                drop(intake.record(Err(Refusal::Invalid(error.to_string())), number, &rest, body));
                return intake.prepared;
            }
        }
    }
}

/// The event of an envelope and its time: a line in `event` stays inside it, an object in `event` is the event, or a list.
fn envelope(bytes: &Bytes, text: &str, limits: &Limits) -> Result<(Bytes, Option<Timestamp>), Refusal> {
    if bytes.len() > limits.event_bytes {
        return Err(Refusal::TooLarge);
    }
    let members = members(text).ok_or_else(|| Refusal::Invalid("not a JSON object".to_owned()))?;
    let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, raw)| *raw);
    let time = member("time").and_then(|raw| json_time(raw, &limits.zone));
    let event = match member("event") {
        None | Some("null") => return Err(Refusal::Invalid("the `event` field is required".to_owned())),
        Some("\"\"") => return Err(Refusal::Invalid("the `event` field is blank".to_owned())),
        Some(event) if event.starts_with('{') => with_host(bytes, event, member("host")),
        Some(_) => bytes.clone(),
    };
    Ok((event, time))
}

/// The inner event, with the envelope's host where it names none: otherwise a slice of the body.
fn with_host(bytes: &Bytes, event: &str, host: Option<&str>) -> Bytes {
    let named = |inner: &[(Cow<'_, str>, &str)]| {
        inner.iter().any(|(name, _)| matches!(name.as_ref(), "host" | "hostname" | "Computer" | "Hostname"))
    };
    let inner = members(event).unwrap_or_default();
    let has_list = inner.iter().any(|(_, raw)| raw.starts_with('[') || raw.starts_with('{'));
    let is_list = || has_list && Shape::read(event).is_ok_and(|shape| wrapped::list(&shape).is_some());
    let host = host.filter(|_| !is_list());
    match (host, event.strip_prefix('{')) {
        (Some(host), Some(rest)) if !named(&inner) => {
            let mut whole = BytesMut::with_capacity(event.len().saturating_add(host.len()).saturating_add(16));
            whole.put_slice(b"{\"host\":");
            whole.put_slice(host.as_bytes());
            whole.put_slice(if inner.is_empty() { b"" } else { b"," });
            whole.put_slice(rest.as_bytes());
            whole.freeze()
        }
        _ => bytes.slice_ref(event.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, endpoint: Endpoint) -> Vec<String> {
        let received = "2026-11-21T12:00:00Z".parse().unwrap();
        let batch =
            parse(&Bytes::copy_from_slice(body.as_bytes()), endpoint, Hints::default(), received, &Limits::default());
        let events = batch.prepared.events.iter().map(|event| {
            format!(
                "{} {} {} {} {}",
                event.line,
                event.source,
                event.format,
                event.time,
                String::from_utf8_lossy(&event.raw)
            )
        });
        events.chain(batch.prepared.errors.iter().map(ToString::to_string)).collect()
    }

    #[test]
    fn objects_come_one_after_another_with_time_and_host_of_their_envelope() {
        let body = r#"{"time":1795262341.5,"host":"web1","sourcetype":"linux_secure","event":"Failed password for root from 203.0.113.9 port 1 ssh2"}{"event":{"EventID":1,"Channel":"Security"},"host":"w1","time":"1795262342"}
{"event":{}} {"host":"x"} {"event":""}"#;
        assert_eq!(
            check(body, Endpoint::Event),
            [
                r#"1 sshd syslog/1 2026-11-21T11:59:01.500000Z {"time":1795262341.5,"host":"web1","sourcetype":"linux_secure","event":"Failed password for root from 203.0.113.9 port 1 ssh2"}"#,
                r#"2 windows windows/1 2026-11-21T11:59:02.000000Z {"host":"w1","EventID":1,"Channel":"Security"}"#,
                "3 json json/1 2026-11-21T12:00:00.000000Z {}",
                "line 4: invalid_json: the `event` field is required",
                "line 5: invalid_json: the `event` field is blank",
            ]
        );
    }

    #[test]
    fn a_syntax_error_refuses_the_rest_and_raw_bodies_are_lines() {
        let shown = check(r#"{"event":"a"}{"event":{"event":"b"}"#, Endpoint::Event);
        assert_eq!(shown.len(), 2);
        assert!(shown[1].starts_with("line 2: invalid_json: EOF"), "{}", shown[1]);
        assert_eq!(check("one\ntwo", Endpoint::Raw).len(), 2);
    }
}
