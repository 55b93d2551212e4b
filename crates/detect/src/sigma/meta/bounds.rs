//! How long what a rule says about itself may be: it stands on every alert, in lists and in exports.

use crate::{
    diagnostic::{Place, Report},
    sigma::yaml::{Entry, Kind, Node},
};

/// Characters of each text.
const TEXTS: [(&str, usize); 9] = [
    ("title", 256),
    ("id", 128),
    ("name", 256),
    ("status", 64),
    ("level", 64),
    ("description", 16_384),
    ("author", 4_096),
    ("date", 64),
    ("action", 64),
];
/// Lists of texts, or texts alone.
const LISTS: [&str; 4] = ["references", "falsepositives", "tags", "related"];
/// Entries of a list, and characters of each.
pub(super) const MAX_ENTRIES: usize = 500;
const MAX_ENTRY_CHARS: usize = 4_096;
/// Characters of what is to be looked at first.
const MAX_TRIAGE_CHARS: usize = 8_192;
/// Characters of product, category or service.
const MAX_SOURCE_CHARS: usize = 128;

/// Refuses a document that says too much about itself.
pub(super) fn check(root: &Node, report: &mut Report) {
    for (key, limit) in TEXTS {
        if let Some(entry) = root.get(key) {
            text(&entry.value, key, limit, report);
        }
    }
    for entry in LISTS.iter().filter_map(|key| root.get(key)) {
        list(entry, report);
    }
}

/// Refuses notes for triage that are long, or no text.
pub(super) fn triage(entry: &Entry, report: &mut Report) {
    if entry.value.text().is_none() {
        let fix = "For example `triage: Ask who made the account.`, or a text of several lines after `|`.";
        report.error(entry.value.at, "invalid-extension", "`triage` must be a text", fix);
    }
    text(&entry.value, "triage", MAX_TRIAGE_CHARS, report);
}

/// Tells of a text beyond its limit.
fn text(node: &Node, key: &str, limit: usize, report: &mut Report) {
    let long = node.text().is_some_and(|text| text.chars().nth(limit).is_some());
    if long {
        let message = format!("`{key}` has more than {limit} characters");
        report.error(node.at, "too-long", message, "Shorten it.");
    }
}

fn list(entry: &Entry, report: &mut Report) {
    let nodes = match &entry.value.kind {
        Kind::List(nodes) => nodes.as_slice(),
        Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(&entry.value),
    };
    if nodes.len() > MAX_ENTRIES {
        let message = format!("`{}` has more than {MAX_ENTRIES} entries", entry.key);
        report.error(entry.at, "too-long", message, "Keep those that help whoever reads an alert.");
        return;
    }
    for node in nodes {
        let parts = node.entries().unwrap_or_default().iter().map(|part| &part.value);
        std::iter::once(node).chain(parts).for_each(|node| text(node, &entry.key, MAX_ENTRY_CHARS, report));
    }
}

/// Whether a part of a log source is short enough.
pub(crate) fn source_fits(part: &str, at: Place, report: &mut Report) -> bool {
    let long = part.chars().nth(MAX_SOURCE_CHARS).is_some();
    if long {
        let message = format!("a part of a log source has more than {MAX_SOURCE_CHARS} characters");
        report.error(at, "too-long", message, "Shorten it.");
    }
    !long
}
