//! Documents to the rules that are compiled: one for each id, filters joined to them.

use std::collections::HashMap;

use super::{compile::CompileOptions, documents::Documents, filter, rule::Rule};
use crate::diagnostic::{Diagnostic, Place, Report};

/// The rules to compile, in the order of the documents.
pub(crate) fn rules(
    documents: &mut Documents,
    options: &CompileOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Rule> {
    let rules = without_duplicates(std::mem::take(&mut documents.rules), diagnostics);
    let mut usable = Vec::with_capacity(rules.len());
    let mut joiner = filter::Joiner::new(&documents.filters);
    for mut rule in rules {
        let mut report = Report::new(&rule.file);
        if rule.log_source.is_empty() && !options.allow_sourceless {
            let message = format!("the rule `{}` names no log source and would see every event", rule.title);
            let fix = "Add `logsource` with product, category or service.";
            report.error(place(&rule), "no-log-source", message, fix);
        } else {
            joiner.join(&mut rule);
            usable.push(rule);
        }
        diagnostics.extend(report.into_found());
    }
    diagnostics.extend(joiner.finish());
    usable
}

fn place(rule: &Rule) -> Place {
    Place { line: rule.line, column: 1 }
}

fn without_duplicates(rules: Vec<Rule>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let last: HashMap<String, usize> = rules.iter().enumerate().map(|(index, rule)| (rule.id.clone(), index)).collect();
    let winners: HashMap<String, String> =
        last.iter().filter_map(|(id, index)| rules.get(*index).map(|rule| (id.clone(), rule.file.clone()))).collect();
    let mut kept = Vec::with_capacity(last.len());
    for (index, rule) in rules.into_iter().enumerate() {
        if last.get(&rule.id) == Some(&index) {
            kept.push(rule);
            continue;
        }
        let mut report = Report::new(&rule.file);
        let winner = winners.get(&rule.id).map_or("", String::as_str);
        let message = format!("the id `{}` comes again in {winner}; this rule is not used", rule.id);
        report.warning(place(&rule), "duplicate-id", message, "Give one of them another id, or remove one.");
        diagnostics.extend(report.into_found());
    }
    kept
}
