//! What a record of a cloud tells, in the terms that all of them share.

use serde_json::Value;
use shieldops_model::Ocsf;

use crate::formats::{
    class::{Class, Kind},
    facts::address,
};

/// The longest text that is kept of a name or an address.
const MAX_NAME: usize = 512;
/// The longest message.
const MAX_MESSAGE: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(super) kind: Kind,
    /// Whether it worked; none where the record does not decide it.
    pub(super) worked: Option<bool>,
    /// Who acts.
    pub(super) actor: Option<String>,
    /// Who is acted upon.
    pub(super) upon: Option<String>,
    /// Where the request came from.
    pub(super) from: Option<String>,
    /// The sentence for people: what was done, to what and where.
    pub(super) words: Vec<String>,
}

impl Told {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, worked: None, actor: None, upon: None, from: None, words: Vec::new() }
    }

    /// Adds a part of the sentence, if there is one.
    pub(super) fn say(&mut self, before: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let text: String = text.chars().take(MAX_NAME).collect();
            self.words.push(if before.is_empty() { text } else { format!("{before} {text}") });
        }
    }

    /// The typed facts. In a sign-in the person is the one who signs in.
    pub(crate) fn ocsf(&self) -> Ocsf {
        let (class, activity) = self.kind;
        let name = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|name| !name.is_empty() && name.len() <= MAX_NAME).map(str::to_owned)
        };
        let (mut actor, mut upon) = (name(&self.actor), name(&self.upon));
        if class == Class::Authentication && upon.is_none() {
            (actor, upon) = (None, actor);
        }
        if actor == upon {
            actor = None;
        }
        Ocsf {
            class_uid: class.uid(),
            class_name: class.name().to_owned(),
            activity: activity.to_owned(),
            status: self.worked.map(|worked| if worked { "success" } else { "failure" }.to_owned()),
            message: (!self.words.is_empty()).then(|| self.words.join(" ").chars().take(MAX_MESSAGE).collect()),
            actor_user: actor,
            user: upon,
            src_ip: self.from.as_deref().and_then(address),
            ..Ocsf::default()
        }
    }
}

/// The text at a path of member names.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// The value at a path of member names; a list stands for its first element.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Array(items) => items.first()?.get(name),
        value => value.get(name),
    })
}

/// The first text of several paths.
pub(super) fn first<'v>(value: &'v Value, paths: &[&[&str]]) -> Option<&'v str> {
    paths.iter().find_map(|path| text(value, path))
}

/// A number, also where it is written as text.
pub(super) fn number(value: &Value, path: &[&str]) -> Option<i64> {
    let value = at(value, path)?;
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// What a call does, by the verb that its name begins with.
pub(super) fn activity(call: &str) -> &'static str {
    const VERBS: [(&str, &str); 25] = [
        ("create", "Create"),
        ("add", "Create"),
        ("insert", "Create"),
        ("run", "Create"),
        ("generate", "Create"),
        ("invite", "Create"),
        ("get", "Read"),
        ("list", "Read"),
        ("describe", "Read"),
        ("lookup", "Read"),
        ("search", "Read"),
        ("watch", "Read"),
        ("access", "Read"),
        ("head", "Read"),
        ("delete", "Delete"),
        ("remove", "Delete"),
        ("terminate", "Delete"),
        ("update", "Update"),
        ("put", "Update"),
        ("set", "Update"),
        ("modify", "Update"),
        ("patch", "Update"),
        ("attach", "Update"),
        ("write", "Update"),
        ("reset", "Update"),
    ];
    let call = call.trim_start().get(..12).unwrap_or(call).to_ascii_lowercase();
    VERBS.into_iter().find(|(verb, _)| call.starts_with(verb)).map_or("Other", |(_, activity)| activity)
}
