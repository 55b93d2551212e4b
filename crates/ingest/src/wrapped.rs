//! Lists of events in one object, as clouds export them: CloudTrail's `Records`, Azure's `records`, the `items` of an
//! EventList, the `logEvents` of CloudWatch, the `value` of Microsoft Graph, Okta's event hook.
//!
//! One level is opened: what stands inside is an event, whatever it looks like. Each event keeps the limits of a line.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    formats::{
        flat::members,
        shape::{Name, Shape},
    },
    lines::Elements,
};

/// A list that an object wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct List<'a> {
    /// What it is called in the object, for reports.
    pub(crate) name: &'static str,
    /// The array, unparsed.
    raw: &'a str,
    /// Whether the events are lines in the `message` of its elements.
    carried: bool,
}

/// Lists that are all that their object holds; with anything beside them it would be an event that happens to have a list.
const ALONE: [&str; 4] = ["Records", "records", "events", "Events"];

/// The list in an object, if that is what the object is for.
pub(crate) fn list<'a>(shape: &Shape<'a>) -> Option<List<'a>> {
    let array = |name: &'static str| {
        let raw = shape.key(name).filter(|raw| raw.starts_with('['))?;
        Some(List { name, raw, carried: false })
    };
    let says = |name, words: &[&str]| shape.text(Name::Key(name)).is_some_and(|text| words.contains(&text.as_ref()));
    if shape.members() == 1 {
        return ALONE.into_iter().find_map(array).filter(|list| holds_objects(list.raw));
    }
    if says("messageType", &["DATA_MESSAGE"]) {
        return array("logEvents").map(|list| List { carried: true, ..list });
    }
    if says("kind", &["EventList", "admin#reports#activities"]) {
        return array("items");
    }
    if shape.key("@odata.context").is_some() || (shape.members() == 2 && shape.key("nextLink").is_some()) {
        return array("value").filter(|list| holds_objects(list.raw));
    }
    if says("eventType", &["com.okta.event_hook"]) {
        let data = shape.key("data").filter(|data| data.starts_with('{')).and_then(members)?;
        let raw = data.into_iter().find(|(name, raw)| name == "events" && raw.starts_with('['))?.1;
        return Some(List { name: "data.events", raw, carried: false });
    }
    None
}

fn holds_objects(array: &str) -> bool {
    array.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']))
}

impl List<'_> {
    /// The events: slices of `base`, which holds the list, or texts of their own where they were quoted. None where the list
    /// has more elements than any body may have.
    pub(crate) fn events(&self, base: &Bytes) -> Option<Vec<Bytes>> {
        let Elements(items) = serde_json::from_str::<Elements<'_>>(self.raw).ok()?;
        let slice = |item: &RawValue| base.slice_ref(item.get().as_bytes());
        Some(items.into_iter().map(|item| self.quoted(item.get()).unwrap_or_else(|| slice(item))).collect())
    }

    /// The object that stands in an element's `message` as text.
    fn quoted(&self, item: &str) -> Option<Bytes> {
        let element = if self.carried { Shape::read(item).ok()? } else { return None };
        let line = element.text(Name::Message).filter(|line| line.trim_start().starts_with('{'))?;
        Shape::read(line.trim()).ok()?;
        Some(Bytes::from(line.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> String {
        let base = Bytes::copy_from_slice(body.as_bytes());
        let text = std::str::from_utf8(&base).unwrap();
        let shape = Shape::read(text).unwrap();
        let Some(list) = list(&shape) else { return "one event".to_owned() };
        let events = list.events(&base).unwrap();
        let events: Vec<_> = events.iter().map(|event| String::from_utf8_lossy(event).into_owned()).collect();
        format!("{}: {}", list.name, events.join(" "))
    }

    #[test]
    fn each_wrapper_gives_its_events() {
        let cases = [
            (r#"{"Records":[{"a":1}, {"b":[2]}]}"#, r#"Records: {"a":1} {"b":[2]}"#),
            (r#"{"records": [ {"a":1} ]}"#, r#"records: {"a":1}"#),
            (r#"{"Records":[]}"#, "Records: "),
            (
                r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"a":1}]}"#,
                r#"items: {"a":1}"#,
            ),
            (r#"{"kind":"admin#reports#activities","etag":"x","items":[{"a":1}]}"#, r#"items: {"a":1}"#),
            (r#"{"@odata.context":"https://graph.example/x","value":[{"a":1}]}"#, r#"value: {"a":1}"#),
            (r#"{"value":[{"a":1}],"nextLink":"https://x"}"#, r#"value: {"a":1}"#),
            (
                r#"{"eventType":"com.okta.event_hook","data":{"events":[{"a":1},{"b":2}]}}"#,
                r#"data.events: {"a":1} {"b":2}"#,
            ),
            (
                r#"{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{"id":"1","timestamp":1,"message":"{\"a\":1}"},{"id":"2","message":"words"}]}"#,
                r#"logEvents: {"a":1} {"id":"2","message":"words"}"#,
            ),
        ];
        for (body, wanted) in cases {
            assert_eq!(check(body), wanted, "{body}");
        }
    }

    #[test]
    fn an_event_that_has_a_list_is_one_event() {
        for body in [
            r#"{"message":"x","records":[{"a":1}]}"#,
            r#"{"records":["a","b"]}"#,
            r#"{"Records":{"a":1}}"#,
            r#"{"kind":"Event","items":[{"a":1}]}"#,
            r#"{"value":[{"a":1}],"unit":"s"}"#,
            r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"x"}]}"#,
        ] {
            assert_eq!(check(body), "one event", "{body}");
        }
    }
}
