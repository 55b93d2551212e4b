//! The oracle: what is told of somebody else's id is what is told of an id that exists nowhere.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    contract::{Operation, Place, Takes},
    filled::is_id,
    site::{Caller, Reply},
};

/// Headers that differ between any two answers.
const OWN_TIME: [&str; 6] = ["date", "ratelimit", "ratelimit-policy", "x-request-id", "content-length", "connection"];

/// One question about one value in one place.
pub(crate) struct Case<'a> {
    pub(crate) operation: &'a Operation,
    /// Nothing: the tenant's header.
    pub(crate) place: Option<&'a Place>,
    /// Somebody else's, and one of the same form that exists nowhere.
    pub(crate) theirs: &'a str,
    pub(crate) nowhere: &'a str,
    /// One's own ids for the other places.
    pub(crate) own: &'a BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
}

impl Case<'_> {
    fn ask(&self, caller: &Caller, value: &str) -> Reply {
        let mut path = self.operation.path.clone();
        let mut query = self.operation.query.clone();
        let mut body = self.body.clone();
        for (place, takes) in &self.operation.places {
            let Place::Path(name) = place else { continue };
            let known = match takes {
                Takes::Id(prefix) => {
                    self.own.get(prefix).cloned().unwrap_or_else(|| format!("{prefix}_{}", "0".repeat(26)))
                }
                Takes::Slug => self.own["slug"].clone(),
                Takes::Rule => self.own["rule"].clone(),
                Takes::Name(kind) => self.own[*kind].clone(),
                _ => "x".to_owned(),
            };
            let value = if self.place == Some(place) { value } else { &known };
            path = path.replace(&format!("{{{name}}}"), value);
        }
        match self.place {
            Some(Place::Query(name)) => query.push((name.clone(), escaped(value))),
            Some(Place::Body(at)) => put(body.as_mut().unwrap(), at, value),
            _ => {}
        }
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let about = if self.place.is_none() { caller.about(value) } else { caller.clone() };
        about.call(&self.operation.method, &path, body.as_ref())
    }

    /// Nothing when both are told the same; else what each was told.
    pub(crate) fn differs(&self, caller: &Caller, known: &mut Option<Reply>) -> Option<(Reply, Reply)> {
        let theirs = plain(self.ask(caller, self.theirs), self.theirs);
        if known.as_ref() == Some(&theirs) {
            return None;
        }
        // What was asked before may have changed one's own things: both are asked again, one after the other.
        for _ in 0..3 {
            let nowhere = plain(self.ask(caller, self.nowhere), self.nowhere);
            let theirs = plain(self.ask(caller, self.theirs), self.theirs);
            let same = nowhere == theirs;
            *known = Some(nowhere);
            if same {
                return None;
            }
        }
        Some((theirs, known.clone().unwrap()))
    }
}

/// Puts a value where it belongs; what is missing on the way is made.
fn put(body: &mut Value, at: &[String], value: &str) {
    let Some((first, rest)) = at.split_first() else {
        *body = value.into();
        return;
    };
    if first == "0" {
        if !body.is_array() {
            *body = Value::Array(Vec::new());
        }
        let items = body.as_array_mut().unwrap();
        if items.is_empty() {
            items.push(Value::Null);
        }
        put(&mut items[0], rest, value);
    } else {
        if !body.is_object() {
            *body = Value::Object(serde_json::Map::new());
        }
        put(body.as_object_mut().unwrap().entry(first.clone()).or_insert(Value::Null), rest, value);
    }
}

fn escaped(value: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    value.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The answer without the value that was asked for and without what is new in each answer.
fn plain(reply: Reply, asked: &str) -> Reply {
    let Reply { status, mut headers, text } = reply;
    headers.retain(|name, _| !OWN_TIME.contains(&name.as_str()));
    let mut text = text.replace(asked, "«asked»");
    if let Ok(mut value) = serde_json::from_str::<Value>(&text) {
        if let Some(object) = value.as_object_mut() {
            object.remove("request_id");
        }
        if (200..300).contains(&status) {
            headers.remove("etag");
            settle(&mut value, "");
        }
        text = value.to_string();
    } else if (200..300).contains(&status) {
        // Counters of the process.
        text.retain(|character| !character.is_ascii_digit());
    }
    Reply { status, headers, text }
}

/// Of something that was made or changed: which one it is, when, and its secret.
fn settle(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| settle(item, name)),
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| settle(member, name)),
        Value::String(text) => {
            let time = text.len() >= 20 && text.starts_with("20") && text.as_bytes()[10] == b'T';
            if is_id(text)
                || time
                || name == "challenge"
                || text.contains("#invite=")
                || text.starts_with("so") && text.contains('_')
            {
                "«new»".clone_into(text);
            }
        }
        Value::Number(_) if name == "version" || name == "seq" => *value = Value::Null,
        _ => {}
    }
}

/// A text of the same form that exists nowhere.
pub(crate) fn elsewhere(known: &str) -> String {
    let turned = |character: char| match character {
        'a'..='m' => char::from(character as u8 + 13),
        'n'..='z' => char::from(character as u8 - 13),
        other => other,
    };
    if is_id(known) {
        let (head, tail) = known.split_at(18);
        // The alphabet of ids has no i, l, o and u.
        let tail = tail.bytes().map(|byte| match byte {
            b'0'..=b'8' => char::from(byte + 1),
            b'9' => '0',
            b'a' => 'b',
            _ => 'a',
        });
        return format!("{head}{}", tail.collect::<String>());
    }
    known.chars().map(turned).collect()
}
