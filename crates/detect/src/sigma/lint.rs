//! What is likely wrong with rules that load: the linter behind `shieldops rules lint`, the API and the editor.
//!
//! Pure: documents and what is known of the events in, diagnostics out. What the parser says comes with its own.

mod condition;
mod cost;
mod dates;
mod fits;
mod ids;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use super::{
    correlation::{Linked, Target},
    detection::{Block, Selection},
    documents::Documents,
    item::{Item, Test},
    rule::Rule,
};
use crate::diagnostic::{Diagnostic, Place, Report, nearest};

pub use self::cost::{Cost, CostClass, cost};

/// Unknown fields of one rule for which a like name is looked for.
const MAX_SUGGESTIONS: usize = 20;

/// What is known beside the rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'c> {
    /// Every field that sources have sent; nothing when that is not known.
    pub seen_fields: Option<&'c BTreeSet<String>>,
}

/// Everything that looks wrong, by document.
pub fn lint(documents: &Documents, context: &Context<'_>) -> Vec<Diagnostic> {
    let (_, mut found) = documents.link();
    duplicates(documents, &mut found);
    ids::check(documents, &mut found);
    fits::check(documents, &mut found);
    for rule in &documents.rules {
        let mut report = Report::new(&rule.file);
        condition::check(rule, &mut report);
        for selection in &rule.detection.selections {
            check_block(&selection.block, selection, &mut report);
        }
        if let Some(seen) = context.seen_fields {
            unseen(rule, seen, &mut report);
        }
        tell_cost(rule, &mut report);
        found.extend(report.into_found());
    }
    silenced(documents, &mut found);
    found
}

fn place(rule: &Rule) -> Place {
    Place { line: rule.line, column: 1 }
}

/// Rules and correlations with an id that was there before.
fn duplicates(documents: &Documents, found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, (&str, usize)> = HashMap::new();
    for rule in &documents.rules {
        match seen.get(rule.id.as_str()) {
            None => {
                seen.insert(&rule.id, (&rule.file, rule.line));
            }
            Some((file, line)) => {
                let mut report = Report::new(&rule.file);
                let message = format!("the id `{}` is that of the rule in {file}:{line}", rule.id);
                report.error(place(rule), "duplicate-id", message, "Give each rule an id of its own: a random UUID.");
                found.extend(report.into_found());
            }
        }
    }
}

/// Rules and correlations that raise no alerts of their own, because a correlation uses them so.
fn silenced(documents: &Documents, found: &mut Vec<Diagnostic>) {
    let (links, _) = documents.link();
    let mut tell = |id: &str, file: &str, at: Place, what: &str| {
        let uses = |linked: &&Linked| linked.members.iter().any(|member| is(&member.target, id, documents));
        let by = links.correlations.iter().find(uses);
        let by = by.and_then(|linked| documents.correlations.get(linked.correlation));
        let title = by.map_or("", |correlation| correlation.header.title.as_str());
        let mut report = Report::new(file);
        let message = format!("the {what} raises no alerts of its own: the correlation `{title}` stands for it");
        report.info(at, "silenced-rule", message, "Write `generate: true` in the correlation to have both.");
        found.extend(report.into_found());
    };
    for rule in documents.rules.iter().filter(|rule| links.silent.contains(&rule.id)) {
        tell(&rule.id, &rule.file, place(rule), "rule");
    }
    for header in documents.correlations.iter().map(|correlation| &correlation.header) {
        if links.silent.contains(&header.id) {
            tell(&header.id, &header.file, Place { line: header.line, column: 1 }, "correlation");
        }
    }
}

fn is(target: &Target, id: &str, documents: &Documents) -> bool {
    match target {
        Target::Rule(rule) => rule == id,
        Target::Correlation(index) => documents.correlations.get(*index).is_some_and(|found| found.header.id == id),
    }
}

/// Lines that cannot hold together, and lines that say less than they seem to.
fn check_block(block: &Block, selection: &Selection, report: &mut Report) {
    match block {
        Block::Any(blocks) => blocks.iter().for_each(|block| check_block(block, selection, report)),
        Block::All(blocks) => {
            check_absence(blocks, selection, report);
            for block in blocks {
                check_block(block, selection, report);
            }
        }
        Block::Item(item) if item.modifiers.all && item.values.len() == 1 => {
            report.info(item.at, "all-of-one", "`all` over one value says nothing", "Remove `all`, or add values.");
        }
        Block::Item(item) => dates::check(item, report),
    }
}

/// A field that must be absent in one line, and have a value in another.
fn check_absence(blocks: &[Block], selection: &Selection, report: &mut Report) {
    let items = || {
        blocks.iter().filter_map(|block| match block {
            Block::Item(item) => Some(item.as_ref()),
            Block::All(_) | Block::Any(_) => None,
        })
    };
    for absent in items().filter(|item| wants_absence(item)) {
        if let Some(other) = items().find(|item| item.field == absent.field && wants_value(item)) {
            let field = absent.field.as_deref().unwrap_or_default();
            let message = format!("`{field}` must be absent and have a value: `{}` never holds", selection.name);
            report.warning(other.at, "contradiction", message, "Put the two lines into different selections.");
        }
    }
}

fn wants_absence(item: &Item) -> bool {
    !item.modifiers.negated && item.values.iter().all(|value| matches!(value.test, Test::Null | Test::Exists(false)))
}

fn wants_value(item: &Item) -> bool {
    let is_value = |test: &Test| !matches!(test, Test::Null | Test::Exists(_) | Test::Unresolved);
    !item.modifiers.negated && item.values.iter().all(|value| is_value(&value.test))
}

/// Fields that no source has ever sent.
fn unseen(rule: &Rule, seen: &BTreeSet<String>, report: &mut Report) {
    let mut told = BTreeSet::new();
    for selection in &rule.detection.selections {
        selection.block.each_item(&mut |item| {
            let Some(field) = item.field.as_deref().filter(|field| !seen.contains(*field)) else { return };
            if told.insert(field.to_owned()) {
                // To look for a name costs as much as there are fields.
                let near =
                    if told.len() <= MAX_SUGGESTIONS { nearest(field, seen.iter().map(String::as_str)) } else { None };
                let fix = match near {
                    Some(name) => format!("Did you mean `{name}`?"),
                    None => "Check the spelling, or the source that should send it.".to_owned(),
                };
                report.warning(item.at, "unseen-field", format!("no source has ever sent `{field}`"), fix);
            }
        });
    }
}

fn tell_cost(rule: &Rule, report: &mut Report) {
    let found = cost(rule);
    let reason = found.reasons.join("; ");
    match found.class {
        CostClass::Cheap => {}
        CostClass::Medium => {
            report.info(found.place(rule), "medium-rule", format!("the rule costs more than most: {reason}"), "");
        }
        CostClass::Expensive => {
            let fix = "Add a value that an event must have, as long and as plain as possible.";
            report.warning(found.place(rule), "expensive-rule", format!("the rule is expensive: {reason}"), fix);
        }
    }
}
