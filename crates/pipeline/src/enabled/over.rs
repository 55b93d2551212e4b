//! The correlations of one tenant that has some of its own: those, and the ones that everybody has, over the rules that any
//! of them is about. The rules are compiled for their places and the names of their fields alone: events are tried on them
//! where they are anyway.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use shieldops_detect::{CorrelationSet, Documents, RuleSet, Target};

use super::own::Options;
use crate::content::RuleBook;

pub(crate) struct Over {
    pub(crate) rules: RuleSet,
    pub(crate) correlations: Arc<CorrelationSet>,
    /// Those of the tenant among them, by id.
    pub(super) own: BTreeSet<String>,
}

impl Over {
    /// Nothing where none of the tenant's can be used. One that cannot stands in for none of everybody's.
    /// `below` says of what a row brings along which correlation the row is: without that one nothing of it is used.
    pub(super) fn new(
        book: &RuleBook,
        mut own: Documents,
        options: &Options,
        below: &HashMap<String, String>,
    ) -> Option<Self> {
        while !own.correlations.is_empty() {
            let over = Self::compile(book, own.clone(), options);
            let before = own.correlations.len();
            let there = |id: &str| over.correlations.find(id).is_some();
            let is_whole = |id: &str| there(id) && below.get(id).is_none_or(|main| there(main));
            own.correlations.retain(|one| is_whole(&one.header.id));
            if own.correlations.len() == before {
                return Some(over);
            }
        }
        None
    }

    fn compile(book: &RuleBook, own: Documents, options: &Options) -> Self {
        let ids = own.correlations.iter().map(|one| one.header.id.clone()).collect();
        let documents = needed(joined(book, own, &|_| true));
        let draft = CorrelationSet::draft(&documents);
        let fit = options.of(&documents, book);
        let (rules, _) = RuleSet::compile(documents, &fit);
        let (correlations, said) = draft.compile(&rules);
        for said in said.iter().filter(|said| said.severity == shieldops_detect::DiagnosticSeverity::Error) {
            tracing::error!(said = %said, "a correlation of a tenant cannot be used");
        }
        Self { rules, correlations: Arc::new(correlations), own: ids }
    }
}

/// A tenant's documents over those that everybody has, of which only wanted ones are taken. An id of the tenant's stands in
/// for the same one below.
pub(super) fn joined(book: &RuleBook, own: Documents, wanted: &dyn Fn(&str) -> bool) -> Documents {
    let taken: BTreeSet<String> = own
        .rules
        .iter()
        .map(|rule| rule.id.clone())
        .chain(own.correlations.iter().map(|one| one.header.id.clone()))
        .collect();
    let is_wanted = |id: &str| wanted(id) && !taken.contains(id);
    let mut all = Documents::default();
    let plain = book.entries.iter().filter(|(id, entry)| entry.case.is_none() && is_wanted(id));
    all.rules.extend(plain.map(|(_, entry)| Arc::clone(&entry.rule)));
    let correlations = book.correlation_entries.iter().filter(|(id, _)| is_wanted(id));
    all.correlations.extend(correlations.map(|(_, entry)| entry.correlation.as_ref().clone()));
    all.extend([own]);
    all
}

/// Without the rules that no correlation is about.
fn needed(mut documents: Documents) -> Documents {
    let (links, _) = documents.link();
    let members = links.correlations.iter().flat_map(|linked| &linked.members);
    let about: BTreeSet<&str> = members
        .filter_map(|member| match &member.target {
            Target::Rule(id) => Some(id.as_str()),
            Target::Correlation(_) => None,
        })
        .collect();
    documents.rules.retain(|rule| about.contains(rule.id.as_str()));
    documents
}
