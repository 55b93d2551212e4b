//! One event as a tree of its values.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::lower;

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    /// Text, number or boolean as text, and in lower case.
    Scalar(String, String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

#[derive(Debug, Clone)]
pub(crate) struct Event(BTreeMap<String, Value>);

/// The members of an object in their order, equal keys too.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

fn value(raw: &str) -> Option<Value> {
    let scalar = |text: String| {
        let folded = lower(&text);
        Value::Scalar(text, folded)
    };
    Some(match raw.as_bytes().first()? {
        b'{' => Value::Map(map(raw)?),
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(raw).ok()?;
            Value::List(items.iter().map(|item| value(item.get())).collect::<Option<_>>()?)
        }
        b'"' => scalar(serde_json::from_str(raw).ok()?),
        b'n' => Value::Null,
        // Numbers keep their spelling.
        _ => scalar(raw.to_owned()),
    })
}

/// Of equal keys the last one counts.
fn map(raw: &str) -> Option<BTreeMap<String, Value>> {
    let mut reader = serde_json::Deserializer::from_str(raw);
    let members = reader.deserialize_map(Members).ok()?;
    reader.end().ok()?;
    members.into_iter().map(|(key, raw)| Some((key, value(raw.get())?))).collect()
}

/// What a field of a rule finds in an event.
pub(crate) type Found<'e> = Option<Vec<&'e Value>>;

impl Event {
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        map(std::str::from_utf8(line).ok()?.trim()).map(Self)
    }

    /// The text of a top-level value.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Scalar(text, _)) => Some(text),
            _ => None,
        }
    }

    /// The values of a field; None where it is absent. Lists give their elements.
    pub(crate) fn find(&self, path: &str) -> Found<'_> {
        find(&self.0, path)
    }

    /// Every scalar, at any depth.
    pub(crate) fn scalars(&self) -> Vec<&Value> {
        let mut all = Vec::new();
        self.0.values().for_each(|value| scalars(value, &mut all));
        all
    }
}

fn find<'e>(map: &'e BTreeMap<String, Value>, path: &str) -> Found<'e> {
    if let Some(value) = map.get(path) {
        return Some(elements(value));
    }
    path.match_indices('.').find_map(|(dot, _)| below(map.get(path.get(..dot)?)?, path.get(dot + 1..)?))
}

fn below<'e>(value: &'e Value, path: &str) -> Found<'e> {
    match value {
        Value::Map(map) => find(map, path),
        Value::List(items) => {
            let found: Vec<Vec<&Value>> = items.iter().filter_map(|item| below(item, path)).collect();
            (!found.is_empty()).then(|| found.concat())
        }
        Value::Null | Value::Scalar(..) => None,
    }
}

fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::List(items) => items.iter().flat_map(elements).collect(),
        other => vec![other],
    }
}

fn scalars<'e>(value: &'e Value, all: &mut Vec<&'e Value>) {
    match value {
        Value::Null => {}
        Value::Scalar(..) => all.push(value),
        Value::List(items) => items.iter().for_each(|item| scalars(item, all)),
        Value::Map(map) => map.values().for_each(|item| scalars(item, all)),
    }
}
