//! Elasticsearch `_bulk` bodies: an action line, then the document, for each item.

use std::borrow::Cow;

use bytes::Bytes;
use shieldops_model::Timestamp;

use super::flat::{json_text, members};
use crate::{
    Hints, Limits, LineError, Prepared,
    limits::INVALID_JSON,
    lines::{Refusal, pieces},
    prepare::Intake,
};

/// What an item asks for. Events are only ever added: `update` and `delete` are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    Index,
    Update,
    Delete,
}

impl Action {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One item and what became of it, in the order of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub action: Action,
    pub index: Option<String>,
    pub id: Option<String>,
    pub result: Result<(), LineError>,
}

/// A `_bulk` body, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub prepared: Prepared,
    pub items: Vec<Item>,
    /// An action line that is none: nothing after it can be told apart, and the protocol refuses the whole body.
    pub malformed: Option<LineError>,
}

/// Reads a body; `source` is the sender's word for what its documents are. An empty line at its end is no item.
pub fn parse(
    body: &Bytes,
    default_index: Option<&str>,
    source: Option<&str>,
    received: Timestamp,
    limits: &Limits,
) -> Batch {
    let mut intake = Intake::new(Hints { source, content_type: None }, received, limits);
    let mut batch = Batch::default();
    let mut lines = pieces(body, Hints { source: None, content_type: Some("text/plain") });
    while let Some((number, line)) = lines.next() {
        let Some(mut item) = action(&line, default_index) else {
            let detail = "malformed action line: expected create, index, update or delete".to_owned();
            batch.malformed = Some(LineError::new(number, INVALID_JSON, detail, &line, limits));
            break;
        };
        item.result = match item.action {
            Action::Delete => Err(unsupported(number, &line, limits)),
            action => document(&mut intake, action, lines.next(), number, body, limits),
        };
        batch.items.push(item);
        if intake.prepared.overflow || batch.items.len() > limits.events {
            intake.prepared.overflow = true;
            break;
        }
    }
    batch.prepared = intake.prepared;
    batch
}

fn unsupported(number: u64, line: &Bytes, limits: &Limits) -> LineError {
    LineError::new(
        number,
        "unsupported_action",
        "events are never changed or deleted; use create or index".to_owned(),
        line,
        limits,
    )
}

/// The document of an item.
fn document(
    intake: &mut Intake<'_>,
    action: Action,
    line: Option<(u64, Bytes)>,
    after: u64,
    body: &Bytes,
    limits: &Limits,
) -> Result<(), LineError> {
    let Some((number, bytes)) = line else {
        let detail = "the document is missing after its action line".to_owned();
        return Err(LineError::new(after, INVALID_JSON, detail, &Bytes::new(), limits));
    };
    if action == Action::Update {
        return Err(unsupported(number, &bytes, limits));
    }
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        return intake.take(&bytes, number, body);
    }
    let refusal = Refusal::Invalid("the document is not a JSON object".to_owned());
    intake.record(Err(refusal), number, &bytes, body)
}

/// `{"create": {"_index": "logs", "_id": "1"}}`.
fn action(line: &Bytes, default_index: Option<&str>) -> Option<Item> {
    let text = std::str::from_utf8(line).ok()?;
    let outer = members(text)?;
    let [(name, meta)] = outer.as_slice() else { return None };
    let action = [Action::Create, Action::Index, Action::Update, Action::Delete]
        .into_iter()
        .find(|action| action.as_str() == name)?;
    let meta = members(meta)?;
    let member = |name: &str| {
        let found = meta.iter().find(|(known, _)| known == name).map(|(_, raw)| *raw);
        found.and_then(json_text).map(Cow::into_owned)
    };
    let index = member("_index").or_else(|| default_index.map(str::to_owned));
    Some(Item { action, index, id: member("_id"), result: Ok(()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> (Vec<String>, usize) {
        let received = "2026-11-21T12:00:00Z".parse().unwrap();
        let batch = parse(&Bytes::copy_from_slice(body.as_bytes()), Some("logs"), None, received, &Limits::default());
        let items = batch.items.iter().map(|item| {
            let result = item.result.as_ref().map_or_else(ToString::to_string, |()| "ok".to_owned());
            format!(
                "{} {} {} {result}",
                item.action.as_str(),
                item.index.as_deref().unwrap_or("-"),
                item.id.as_deref().unwrap_or("-")
            )
        });
        (
            items.chain(batch.malformed.iter().map(|error| format!("malformed {error}"))).collect(),
            batch.prepared.events.len(),
        )
    }

    #[test]
    fn every_item_has_its_own_result() {
        let body = "{\"index\":{\"_index\":\"a\",\"_id\":\"7\"}}\n{\"message\":\"x\"}\n{\"create\":{}}\n{broken\n{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{}}\n{\"doc\":{}}\n{\"create\":{}}\n{\"y\":1}\n\n";
        let (items, events) = check(body);
        assert_eq!(events, 2);
        assert_eq!(items[0], "index a 7 ok");
        assert!(items[1].starts_with("create logs - line 4: invalid_json"), "{}", items[1]);
        assert!(items[2].contains("unsupported_action") && items[3].contains("unsupported_action"));
        assert_eq!(items[4], "create logs - ok");
    }

    #[test]
    fn a_malformed_action_line_is_named() {
        let (items, events) = check("{\"index\":{}}\n{\"a\":1}\nwhat\n{\"b\":1}\n");
        assert_eq!((items.len(), events), (2, 1));
        assert!(items[1].starts_with("malformed line 3"), "{}", items[1]);
        let (items, _) = check("{\"index\":{}}\n");
        assert!(items[0].contains("missing"), "{}", items[0]);
    }
}
