//! What a JSON line is, from its own top-level members: one pass, nothing else parsed or kept.

use std::{borrow::Cow, sync::LazyLock};

use rustc_hash::FxHashMap;
use serde_json::value::RawValue;

use super::flat::{Key, json_text};

/// The members of an object that tell what it is and when it was. Values are unparsed.
#[derive(Debug, Default)]
pub struct Shape<'a> {
    /// In the order of the line; the first of a name counts.
    known: Vec<(Name, &'a str)>,
    /// How many members the object has.
    members: usize,
}

/// Members that matter to recognition. Times are ordered by how much they are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Time(u8),
    Message,
    /// Other names of `message`.
    Line,
    Program,
    Source,
    SourceType,
    Channel,
    EventId,
    Winlog,
    Event,
    System,
    JournalTransport,
    JournalMessage,
    AuditType,
    AuditMsg,
    AuditMark,
    AccessMark,
    Image,
    CommandLine,
    /// A name that tells clouds, identity providers, sensors and wrappers of lists from one another.
    Key(&'static str),
}

/// What a member of this name tells. Asked for every member of every line; what is in the table is ours, so nobody chooses
/// keys that collide.
fn name(key: &str) -> Option<Name> {
    static TABLE: LazyLock<FxHashMap<&str, Name>> =
        LazyLock::new(|| KEYS.iter().map(|key| (*key, Name::Key(key))).chain(NAMES).collect());
    TABLE.get(key).copied()
}

#[rustfmt::skip]
const NAMES: [(&str, Name); 56] = [
    ("time", Name::Time(0)),
    ("@timestamp", Name::Time(1)),
    ("timestamp", Name::Time(2)),
    ("_time", Name::Time(3)),
    ("TimeCreated", Name::Time(4)),
    ("__REALTIME_TIMESTAMP", Name::Time(5)),
    ("TimeGenerated", Name::Time(6)),
    ("UtcTime", Name::Time(7)),
    ("EventTime", Name::Time(8)),
    ("eventTime", Name::Time(9)),
    ("published", Name::Time(10)),
    ("ts", Name::Time(11)),
    // The stage is told when it is over; a watch may have been received an hour before.
    ("stageTimestamp", Name::Time(12)),
    ("requestReceivedTimestamp", Name::Time(13)),
    ("activityDateTime", Name::Time(14)),
    ("createdDateTime", Name::Time(15)),
    ("eventTimestamp", Name::Time(16)),
    ("CreationTime", Name::Time(17)),
    ("message", Name::Message),
    ("event", Name::Line),
    ("log", Name::Line),
    ("line", Name::Line),
    ("raw", Name::Line),
    ("program", Name::Program),
    ("SYSLOG_IDENTIFIER", Name::Program),
    ("ident", Name::Program),
    ("appname", Name::Program),
    ("app_name", Name::Program),
    ("syslogtag", Name::Program),
    ("programname", Name::Program),
    ("_COMM", Name::Program),
    ("source", Name::Source),
    ("sourcetype", Name::SourceType),
    ("Channel", Name::Channel),
    ("EventID", Name::EventId),
    ("EventId", Name::EventId),
    ("winlog", Name::Winlog),
    ("Event", Name::Event),
    ("System", Name::System),
    ("_TRANSPORT", Name::JournalTransport),
    ("__CURSOR", Name::JournalTransport),
    ("MESSAGE", Name::JournalMessage),
    ("type", Name::AuditType),
    ("msg", Name::AuditMsg),
    ("auid", Name::AuditMark),
    ("syscall", Name::AuditMark),
    ("a0", Name::AuditMark),
    ("exe", Name::AuditMark),
    ("comm", Name::AuditMark),
    ("proctitle", Name::AuditMark),
    ("cs-method", Name::AccessMark),
    ("cs-uri-stem", Name::AccessMark),
    ("cs-uri-query", Name::AccessMark),
    ("cs-uri", Name::AccessMark),
    ("Image", Name::Image),
    ("CommandLine", Name::CommandLine),
];

/// The names of `Name::Key`, sorted.
#[rustfmt::skip]
const KEYS: [&str; 68] = [
    "@odata.context",
    "CategoryValue",
    "Events",
    "InitiatedBy",
    "Operation",
    "OperationName",
    "OperationNameValue",
    "OrganizationId",
    "Records",
    "ResultType",
    "UserPrincipalName",
    "Workload",
    "_path",
    "activityDisplayName",
    "actor",
    "apiVersion",
    "appId",
    "auditID",
    "authorization",
    "awsRegion",
    "caller",
    "category",
    "certificate.serial",
    "cipher",
    "class_uid",
    "conditionalAccessStatus",
    "conn_state",
    "data",
    "detail",
    "detail-type",
    "endpoint",
    "event.dataset",
    "eventName",
    "eventSource",
    "eventType",
    "events",
    "id",
    "id.orig_h",
    "id.resp_h",
    "initiatedBy",
    "items",
    "kind",
    "logEvents",
    "logName",
    "messageType",
    "metadata",
    "method",
    "nextLink",
    "operation",
    "operationName",
    "outcome",
    "properties",
    "protoPayload",
    "qtype_name",
    "query",
    "record_type",
    "records",
    "request_type",
    "resourceId",
    "riskEventType",
    "riskLevel",
    "share_type",
    "uid",
    "uri",
    "userIdentity",
    "uuid",
    "value",
    "verb",
];

/// Why a line is not a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("{0}")]
    Json(String),
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
}

impl<'a> Shape<'a> {
    /// Reads one JSON object; the whole line is checked to be JSON.
    pub fn read(text: &'a str) -> Result<Self, ShapeError> {
        serde_json::from_str(text).map_err(|error| ShapeError::Json(error.to_string()))
    }

    /// Like `read`, and refuses deep nesting before parsing.
    pub fn read_limited(text: &'a str, depth: usize) -> Result<Self, ShapeError> {
        if deeper_than(text, depth) {
            return Err(ShapeError::TooDeep(depth));
        }
        Self::read(text)
    }

    pub fn raw(&self, name: Name) -> Option<&'a str> {
        self.known.iter().find(|(known, _)| *known == name).map(|(_, raw)| *raw)
    }

    pub fn has(&self, name: Name) -> bool {
        self.raw(name).is_some()
    }

    /// The bytes of a member that is one of `KEYS`.
    pub fn key(&self, name: &'static str) -> Option<&'a str> {
        self.raw(Name::Key(name))
    }

    /// Whether it has every one of these members.
    pub fn keys(&self, names: &[&'static str]) -> bool {
        names.iter().all(|name| self.key(name).is_some())
    }

    pub fn members(&self) -> usize {
        self.members
    }

    pub fn text(&self, name: Name) -> Option<Cow<'a, str>> {
        self.raw(name).and_then(json_text)
    }

    /// The line that the object carries: `message`, the journal's `MESSAGE`, `event`, `log`, `line`, `raw`.
    pub fn inner_text(&self) -> Option<Cow<'a, str>> {
        let mut texts = [Name::Message, Name::JournalMessage, Name::Line].into_iter().filter_map(|name| self.raw(name));
        texts.find_map(line_text)
    }

    /// Time members, the most trusted first, then those inside the wrappers of Windows shippers.
    pub fn times(&self) -> impl Iterator<Item = &'a str> + '_ {
        let mut times: Vec<_> = self.known.iter().filter(|(known, _)| matches!(known, Name::Time(_))).collect();
        times.sort_by_key(|(known, _)| *known);
        times.into_iter().map(|(_, raw)| *raw).chain(self.system_time()).chain(self.report_time())
    }

    fn system_time(&self) -> Option<&'a str> {
        let event = self.raw(Name::Event).or_else(|| self.raw(Name::System))?;
        let at = event.find("\"SystemTime\"")?;
        let value = event.get(at..)?.strip_prefix("\"SystemTime\"")?.trim_start().strip_prefix(':')?.trim_start();
        let end = value.get(1..)?.find('"')?.checked_add(2)?;
        value.get(..end)
    }
}

impl<'a> Shape<'a> {
    /// The time in the `id` of a Google Workspace report.
    fn report_time(&self) -> Option<&'a str> {
        let id = self.key("id").filter(|id| id.starts_with('{') && self.key("kind").is_some())?;
        super::flat::members(id)?.into_iter().find(|(name, _)| name == "time").map(|(_, raw)| raw)
    }
}

/// A line in a string, or in a list of byte values as the journal writes what is not UTF-8.
fn line_text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => json_text(raw),
        b'[' => {
            let bytes: Vec<u8> = serde_json::from_str(raw).ok()?;
            Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
        }
        _ => None,
    }
}

/// Whether brackets nest deeper than `limit`, outside strings.
fn deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth = depth.saturating_add(1),
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth > limit {
            return true;
        }
    }
    false
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Shape<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shape { known, members } = deserializer.deserialize_map(ShapeVisitor)?;
        Ok(Shape { known, members })
    }
}

struct ShapeVisitor;

impl<'de> serde::de::Visitor<'de> for ShapeVisitor {
    type Value = Shape<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut known, mut members) = (Vec::with_capacity(8), 0_usize);
        while let Some(Key(key)) = map.next_key()? {
            members = members.saturating_add(1);
            match name(&key) {
                Some(name) => known.push((name, map.next_value::<&'de RawValue>()?.get())),
                None => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
        }
        Ok(Shape { known, members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_in_the_order_of_trust() {
        let shape = Shape::read(r#"{"ts":1,"timestamp":"t","@timestamp":"at","time":"first"}"#).unwrap();
        assert_eq!(shape.times().collect::<Vec<_>>(), [r#""first""#, r#""at""#, r#""t""#, "1"]);
        let nested =
            Shape::read(r##"{"Event":{"System":{"TimeCreated":{"#attributes":{"SystemTime":"2020"}}}}}"##).unwrap();
        assert_eq!(nested.times().collect::<Vec<_>>(), [r#""2020""#]);
    }

    #[test]
    fn the_names_that_tell_sources_apart_are_sorted() {
        assert!(KEYS.is_sorted_by(|a, b| a < b));
        let shape = Shape::read(r#"{"x":1,"eventSource":"a","verb":"get"}"#).unwrap();
        assert!(shape.keys(&["eventSource", "verb"]) && !shape.keys(&["verb", "auditID"]) && shape.members() == 3);
    }

    #[test]
    fn deep_nesting_is_refused_but_brackets_in_text_are_not_nesting() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
        assert_eq!(Shape::read_limited(&deep, 64).unwrap_err(), ShapeError::TooDeep(64));
        let flat = format!(r#"{{"a":"{}\"[["}}"#, "[".repeat(200));
        assert!(Shape::read_limited(&flat, 64).is_ok());
    }

    #[test]
    fn what_is_not_one_object_is_an_error() {
        for text in ["{", "{}x", "[]", "{\"a\":}", "{\"a\":1}{\"b\":2}", "", "nul"] {
            assert!(Shape::read(text).is_err(), "{text}");
        }
    }
}
