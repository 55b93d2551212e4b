//! Parameters of transformations and conditions: each read once, what is left over is an error.

use crate::{
    diagnostic::{Place, Report, nearest},
    sigma::{
        scalar::Scalar,
        yaml::{Entry, Kind, Node},
    },
};

/// Characters of one text.
const MAX_TEXT_CHARS: usize = 8_192;

pub(super) struct Params<'n> {
    entries: &'n [Entry],
    pub(super) at: Place,
    /// What they belong to, for messages.
    what: String,
    used: Vec<&'static str>,
}

impl<'n> Params<'n> {
    /// The parameters of a map; `None` after a report.
    pub(super) fn new(node: &'n Node, what: &str, report: &mut Report) -> Option<Self> {
        let Some(entries) = node.entries() else {
            report.error(node.at, "invalid-pipeline", format!("a {what} must be a map"), "Give it a `type`.");
            return None;
        };
        Some(Self { entries, at: node.at, what: what.to_owned(), used: Vec::new() })
    }

    /// Names the owner more exactly, once its type is known.
    pub(super) fn call(&mut self, what: &str) {
        what.clone_into(&mut self.what);
    }

    pub(super) fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.used.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn text(&mut self, key: &'static str, report: &mut Report) -> Option<String> {
        let entry = self.entry(key)?;
        let text = entry.value.text().map(str::to_owned);
        if text.is_none() {
            report.error(entry.at, "invalid-pipeline", format!("`{key}` of {} must be text", self.what), "Correct it.");
        }
        if text.as_ref().is_some_and(|text| text.chars().nth(MAX_TEXT_CHARS).is_some()) {
            let message = format!("`{key}` of {} has more than {MAX_TEXT_CHARS} characters", self.what);
            report.error(entry.value.at, "too-long", message, "Shorten it.");
            return None;
        }
        text
    }

    pub(super) fn need_text(&mut self, key: &'static str, report: &mut Report) -> Option<String> {
        let text = self.text(key, report);
        if text.is_none() {
            self.missing(key, report);
        }
        text
    }

    /// A text, or a list of texts; empty when it is absent.
    pub(super) fn texts(&mut self, key: &'static str, report: &mut Report) -> Vec<String> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let found = texts_of(&entry.value);
        if found.is_none() {
            let message = format!("`{key}` of {} must be text or a list of texts", self.what);
            report.error(entry.at, "invalid-pipeline", message, "Correct it.");
        }
        found.unwrap_or_default()
    }

    pub(super) fn need_texts(&mut self, key: &'static str, report: &mut Report) -> Vec<String> {
        if self.entries.iter().all(|entry| entry.key != key) {
            self.missing(key, report);
        }
        self.texts(key, report)
    }

    pub(super) fn flag(&mut self, key: &'static str, report: &mut Report) -> bool {
        let Some(entry) = self.entry(key) else { return false };
        if let Some(Scalar::Bool(value)) = Scalar::of(&entry.value) {
            return value;
        }
        let message = format!("`{key}` of {} takes true or false", self.what);
        report.error(entry.value.at, "invalid-pipeline", message, "Write `true` or `false`.");
        false
    }

    pub(super) fn need_scalar(&mut self, key: &'static str, report: &mut Report) -> Option<Scalar> {
        let scalar = self.entry(key).and_then(|entry| Scalar::of(&entry.value));
        if scalar.is_none() {
            self.missing(key, report);
        }
        scalar
    }

    /// One of some words, the first when it is absent.
    pub(super) fn choice(
        &mut self,
        key: &'static str,
        words: &[&'static str],
        report: &mut Report,
    ) -> Option<&'static str> {
        let Some(entry) = self.entry(key) else { return words.first().copied() };
        let text = entry.value.text().unwrap_or_default();
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let message = format!("`{key}` of {} cannot be `{text}`", self.what);
            report.error(entry.value.at, "invalid-pipeline", message, format!("Choose one of: {}.", words.join(", ")));
        }
        found
    }

    pub(super) fn missing(&self, key: &str, report: &mut Report) {
        report.error(self.at, "missing-parameter", format!("{} needs `{key}`", self.what), format!("Add `{key}`."));
    }

    /// Says what nobody asked for.
    pub(super) fn finish(self, also: &[&str], report: &mut Report) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.used.contains(&key) || also.contains(&key) {
                continue;
            }
            let fix = match nearest(key, self.used.iter().copied()) {
                Some(name) => format!("Did you mean `{name}`?"),
                None => "Remove it.".to_owned(),
            };
            report.error(entry.at, "unknown-parameter", format!("{} has no parameter `{key}`", self.what), fix);
        }
    }
}

pub(super) fn texts_of(node: &Node) -> Option<Vec<String>> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(vec![text.clone()]),
        Kind::List(nodes) => nodes.iter().map(|node| node.text().map(str::to_owned)).collect(),
        Kind::Map(_) => None,
    }
}
