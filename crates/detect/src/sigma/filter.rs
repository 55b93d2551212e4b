//! Filters: conditions that are laid on rules from outside, to leave out what is known to be harmless.

mod join;

use std::sync::Arc;

use serde::Serialize;

use super::{
    correlation::RuleReference,
    detection::{self, Detection},
    meta,
    rule::{Header, Rule, RuleSource},
    yaml::{Entry, Kind, Node},
};
use crate::diagnostic::Report;

pub(crate) use self::join::Joiner;

/// A filter over the rules that it names, where their log source lies within its own.
#[derive(Debug, Clone, Serialize)]
pub struct Filter {
    #[serde(flatten)]
    pub header: Header,
    pub log_source: RuleSource,
    pub rules: FilterRules,
    #[serde(skip)]
    pub(crate) detection: Arc<Detection>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterRules {
    /// Every rule of the log source.
    All,
    /// Rules by id or name.
    Listed(Vec<RuleReference>),
}

/// Rules that one filter names.
const MAX_RULES: usize = 1_000;

/// The filter, or `None` after a report of why not.
pub(crate) fn parse(header: Header, root: &Node, entry: &Entry, report: &mut Report) -> Option<Filter> {
    if entry.value.entries().is_none() {
        let message = "`filter` must be a map";
        report.error(entry.at, "invalid-filter", message, "Give rules, selections and a condition.");
        return None;
    }
    let log_source = meta::log_source(root, report);
    if root.get("logsource").is_none() {
        let message = "the filter has no `logsource`";
        report.error(root.at, "no-log-source", message, "Name the log source of the rules that it is for.");
    }
    let rules = rules(entry, report);
    let detection = detection::parse_filter(entry, report)?;
    if !detection.condition.has_not()
        && let Some(condition) = entry.value.get("condition")
    {
        let message = "without `not` the filter keeps what it describes, and leaves out all else";
        let fix = "Write `not` before the condition, as most filters mean it.";
        report.warning(condition.at, "filter-without-not", message, fix);
    }
    Some(Filter { header, log_source, rules: rules?, detection: Arc::new(detection) })
}

fn rules(entry: &Entry, report: &mut Report) -> Option<FilterRules> {
    let fix = "Write `any`, or ids or names of rules.";
    let Some(found) = entry.value.get("rules") else {
        report.error(entry.at, "missing-rules", "the filter does not say which `rules` it is for", fix);
        return None;
    };
    let nodes = match &found.value.kind {
        Kind::List(nodes) => nodes.as_slice(),
        Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(&found.value),
    };
    if nodes.len() > MAX_RULES {
        report.error(found.at, "too-large", format!("more than {MAX_RULES} rules"), "Use several filters, or `any`.");
        return None;
    }
    let mut listed = Vec::new();
    for node in nodes {
        let name = node.text().unwrap_or_default().trim();
        if name.is_empty() {
            report.error(node.at, "invalid-value", "this is no rule", fix);
            return None;
        }
        listed.push(RuleReference { name: name.to_owned(), at: node.at });
    }
    let word =
        |word: &str| matches!(&found.value.kind, Kind::Scalar { text, .. } if text.trim().eq_ignore_ascii_case(word));
    let every = listed.is_empty() || word("any") || word("all");
    Some(if every { FilterRules::All } else { FilterRules::Listed(listed) })
}

impl Filter {
    /// Whether the filter is laid on the rule: it names it, and the rule's log source lies within its own.
    pub fn applies(&self, rule: &Rule) -> bool {
        let within = |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
        let named = match &self.rules {
            FilterRules::All => true,
            FilterRules::Listed(listed) => listed.iter().any(|one| one.names(rule)),
        };
        named
            && within(&self.log_source.product, &rule.log_source.product)
            && within(&self.log_source.category, &rule.log_source.category)
            && within(&self.log_source.service, &rule.log_source.service)
    }
}
