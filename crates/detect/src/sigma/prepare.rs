//! Documents to the rules that are compiled: one for each id, with filters joined and pipelines applied.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    compile::CompileOptions,
    correlation::{Links, Target},
    detection::Detection,
    documents::Documents,
    filter,
    item::Placeholders,
    rule::{Rule, RuleSource},
};
use crate::{
    diagnostic::{Diagnostic, Place, Report},
    pipelines::{Pipeline, Pipelines},
};

/// A rule as it was read, with what filters and pipelines made of it.
pub(crate) struct Prepared {
    pub(crate) rule: Arc<Rule>,
    pub(crate) detection: Arc<Detection>,
    pub(crate) log_source: RuleSource,
}

impl Prepared {
    /// Puts the rule's own detection and log source back in their place.
    fn new(mut rule: Rule, own: Arc<Detection>, source: RuleSource) -> Self {
        let detection = std::mem::replace(&mut rule.detection, own);
        let log_source = std::mem::replace(&mut rule.log_source, source);
        Self { rule: Arc::new(rule), detection, log_source }
    }

    /// A rule that nothing is to be made of.
    fn untouched(rule: Arc<Rule>) -> Self {
        let (detection, log_source) = (Arc::clone(&rule.detection), rule.log_source.clone());
        Self { rule, detection, log_source }
    }
}

/// What rules that wait for lists are given.
pub(crate) struct Lists<'o> {
    options: &'o CompileOptions,
    all: Placeholders,
}

impl<'o> Lists<'o> {
    pub(crate) fn new(options: &'o CompileOptions) -> Self {
        Self { options, all: placeholders(options, |_| true) }
    }

    /// Without the values of pipelines that leave the rule alone.
    pub(crate) fn of(&self, id: &str) -> Cow<'_, Placeholders> {
        if self.options.pipelines.iter().any(|pipeline| pipeline.spares(id)) {
            return Cow::Owned(placeholders(self.options, |pipeline| !pipeline.spares(id)));
        }
        Cow::Borrowed(&self.all)
    }
}

/// The lists of the options, and those of pipelines where the options have none.
fn placeholders(options: &CompileOptions, counts: impl Fn(&Pipeline) -> bool) -> Placeholders {
    let mut all = Pipelines::new(options.pipelines.iter().filter(|pipeline| counts(pipeline))).vars;
    all.extend(options.placeholders.clone());
    all
}

/// The rules to compile, in the order of the documents. Fields that correlations name are mapped with their rules.
pub(crate) fn rules(
    documents: &mut Documents,
    options: &CompileOptions,
    links: &mut Links,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Prepared> {
    let rules = without_duplicates(std::mem::take(&mut documents.rules), diagnostics);
    let mut usable = Vec::with_capacity(rules.len());
    let mut joiner = filter::Joiner::new(&options.filters, documents.filters.len());
    let pipelines = Pipelines::new(&options.pipelines);
    let mut names = if options.pipelines.is_empty() { HashMap::new() } else { names(links) };
    let untouched = options.filters.is_empty() && options.pipelines.is_empty();
    for rule in rules {
        let mut report = Report::new(&rule.file);
        if untouched && (options.allow_sourceless || !rule.log_source.is_empty()) {
            usable.push(Prepared::untouched(rule));
            continue;
        }
        let mut rule = Arc::unwrap_or_clone(rule);
        let (own_detection, own_source) = (Arc::clone(&rule.detection), rule.log_source.clone());
        joiner.join(&mut rule);
        let mut own = names.remove(&rule.id).unwrap_or_default();
        let loaded = pipelines.apply(&mut rule, &mut own, &mut report);
        rename(links, &rule.id, &own);
        if loaded && rule.log_source.is_empty() && !options.allow_sourceless {
            let message = format!("the rule `{}` names no log source and would see every event", rule.title);
            let fix = "Add `logsource` with product, category or service.";
            report.error(place(&rule), "no-log-source", message, fix);
        } else if loaded {
            usable.push(Prepared::new(rule, own_detection, own_source));
        }
        diagnostics.extend(report.into_found());
    }
    diagnostics.extend(joiner.finish());
    usable
}

/// Per rule, the fields that correlations name in its events, each as itself.
fn names(links: &Links) -> HashMap<String, BTreeMap<String, String>> {
    let mut names: HashMap<String, BTreeMap<String, String>> = HashMap::new();
    for member in links.correlations.iter().flat_map(|linked| &linked.members) {
        if let Target::Rule(id) = &member.target {
            let fields = member.group_by.iter().chain(&member.fields).map(|field| (field.clone(), field.clone()));
            names.entry(id.clone()).or_default().extend(fields);
        }
    }
    names
}

fn rename(links: &mut Links, id: &str, names: &BTreeMap<String, String>) {
    if names.iter().all(|(old, new)| old == new) {
        return;
    }
    for member in links.correlations.iter_mut().flat_map(|linked| &mut linked.members) {
        if matches!(&member.target, Target::Rule(rule) if rule == id) {
            for field in member.group_by.iter_mut().chain(&mut member.fields) {
                if let Some(new) = names.get(field) {
                    field.clone_from(new);
                }
            }
        }
    }
}

fn place(rule: &Rule) -> Place {
    Place { line: rule.line, column: 1 }
}

fn without_duplicates(rules: Vec<Arc<Rule>>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<Rule>> {
    let last: HashMap<String, usize> = rules.iter().enumerate().map(|(index, rule)| (rule.id.clone(), index)).collect();
    let file = |index: &usize| rules.get(*index).map_or("", |rule| rule.file.as_str());
    for (index, rule) in rules.iter().enumerate() {
        let Some(winner) = last.get(&rule.id).filter(|winner| **winner != index) else { continue };
        let mut report = Report::new(&rule.file);
        let message = format!("the id `{}` comes again in {}; this rule is not used", rule.id, file(winner));
        report.warning(place(rule), "duplicate-id", message, "Give one of them another id, or remove one.");
        diagnostics.extend(report.into_found());
    }
    let kept = rules.into_iter().enumerate().filter(|(index, rule)| last.get(&rule.id) == Some(index));
    kept.map(|(_, rule)| rule).collect()
}
