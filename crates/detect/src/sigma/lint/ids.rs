//! Ids that are no UUIDs: they load, and may be those of another rule some day.

use std::collections::BTreeSet;

use super::super::{documents::Documents, rule::Related};
use crate::diagnostic::{Diagnostic, Place, Report};

pub(super) fn check(documents: &Documents, found: &mut Vec<Diagnostic>) {
    let rules = documents.rules.iter().map(|rule| rule.id.as_str());
    let correlations = documents.correlations.iter().map(|correlation| correlation.header.id.as_str());
    let known: BTreeSet<&str> = rules.chain(correlations).collect();
    for rule in &documents.rules {
        let at = Place { line: rule.line, column: 1 };
        one(&rule.file, at, &rule.id, &rule.related, &known, found);
    }
    let correlations = documents.correlations.iter().map(|correlation| &correlation.header);
    for header in correlations.chain(documents.filters.iter().map(|filter| &filter.header)) {
        let at = Place { line: header.line, column: 1 };
        one(&header.file, at, &header.id, &header.related, &known, found);
    }
}

fn one(file: &str, at: Place, id: &str, related: &[Related], known: &BTreeSet<&str>, found: &mut Vec<Diagnostic>) {
    let mut report = Report::new(file);
    // Documents under one global document get a number behind the id, and those without an id one of their title.
    let own = id.split('#').next().unwrap_or(id);
    if !(is_uuid(own) || own.starts_with("title-")) {
        let message = format!("the id `{id}` is no UUID: another rule may have the same");
        report.info(at, "id-no-uuid", message, "Give it a random UUID.");
    }
    for other in related.iter().filter(|other| !is_uuid(&other.id) && !known.contains(other.id.as_str())) {
        let message = format!("`related` names `{}`, which is neither a UUID nor a rule of these files", other.id);
        report.warning(at, "unknown-related", message, "Give the id of the other rule.");
    }
    found.extend(report.into_found());
}

/// Five groups of hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    groups.len() == lengths.len()
        && groups
            .iter()
            .zip(lengths)
            .all(|(group, length)| group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
