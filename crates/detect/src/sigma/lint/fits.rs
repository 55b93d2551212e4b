//! Filters that take nothing out of any of these rules: their log source is none of the rules that they name.
//!
//! A filter that names no rule of these files is told where filters are joined; rules that a filter is for may lie in
//! other files, so a set without rules says nothing.

use super::super::{
    documents::Documents,
    filter::{Filter, FilterRules},
    rule::RuleSource,
};
use crate::diagnostic::{Diagnostic, Place, Report};

pub(super) fn check(documents: &Documents, found: &mut Vec<Diagnostic>) {
    if documents.rules.is_empty() {
        return;
    }
    for filter in &documents.filters {
        if documents.rules.iter().any(|rule| filter.applies(rule)) {
            continue;
        }
        let Some(message) = message(filter, documents) else { continue };
        let at = Place { line: filter.header.line, column: 1 };
        let mut report = Report::new(&filter.header.file);
        let fix = "A rule's log source must lie within the filter's: leave out what the rule does not name.";
        report.warning(at, "filter-fits-no-rule", message, fix);
        found.extend(report.into_found());
    }
}

/// Why it fits none; nothing where no rule that it names is there at all.
fn message(filter: &Filter, documents: &Documents) -> Option<String> {
    let own = shown(&filter.log_source);
    match &filter.rules {
        FilterRules::All => Some(format!("no rule here is for the filter's log source ({own})")),
        FilterRules::Listed(listed) => {
            let named = documents.rules.iter().find(|rule| listed.iter().any(|one| one.names(rule)))?;
            let theirs = shown(&named.log_source);
            Some(format!("the filter is for {own}, and `{}` for {theirs}: it takes nothing out", named.title))
        }
    }
}

fn shown(source: &RuleSource) -> String {
    let parts = [("product", &source.product), ("category", &source.category), ("service", &source.service)];
    let parts = parts.iter().filter_map(|(name, part)| part.as_ref().map(|part| format!("{name} {part}")));
    let said = parts.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "any log source".to_owned() } else { said }
}
