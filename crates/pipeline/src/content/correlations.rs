//! Correlations of a book, beside its rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use shieldops_bus::Stop;
use shieldops_detect::{CompileOptions, CompiledCorrelation, Correlation, CorrelationSet, Diagnostic, Documents, Rule};
use shieldops_triage::RuleFacts;

use super::{RuleEntry, SourceFile};
use crate::samples::stories::{Stories, Told};

/// What the lists show beside a correlation itself.
#[derive(Debug, Clone)]
pub struct CorrelationEntry {
    pub correlation: Arc<Correlation>,
    /// The ids of its rules.
    pub members: Vec<String>,
    /// It raises no alerts of its own.
    pub silent: bool,
    pub built_in: bool,
    pub file: String,
    /// Stories that it must find, each a list of events, and near misses.
    pub matches: Vec<Vec<String>>,
    pub misses: Vec<Vec<String>>,
    pub diagnostics: Vec<Diagnostic>,
}

impl CorrelationEntry {
    pub(super) fn new(compiled: &CompiledCorrelation, file: &SourceFile, said: &[Diagnostic]) -> Self {
        Self {
            correlation: Arc::clone(&compiled.correlation),
            members: compiled.members.clone(),
            silent: compiled.silent,
            built_in: file.built_in,
            file: file.name.clone(),
            matches: stories(&file.matches),
            misses: stories(&file.misses),
            diagnostics: said.to_vec(),
        }
    }
}

impl CorrelationEntry {
    /// Its place in a list of rules. A story is one sample there.
    pub(super) fn as_rule_entry(&self, rule: Rule, case: Case) -> RuleEntry {
        let lines = |stories: &[Vec<String>]| stories.iter().map(|story| story.join("\n")).collect();
        RuleEntry {
            rule: Arc::new(rule),
            built_in: self.built_in,
            file: self.file.clone(),
            matches: lines(&self.matches),
            misses: lines(&self.misses),
            diagnostics: self.diagnostics.clone(),
            options: Arc::clone(&case.options),
            case: Some(Arc::new(case)),
            tests: OnceLock::new(),
        }
    }
}

/// A correlation with everything that its stories need.
#[derive(Debug)]
pub struct Case {
    id: String,
    documents: Documents,
    options: Arc<CompileOptions>,
}

impl Case {
    /// The correlation of this id among documents that hold all it builds on.
    pub(crate) fn of(id: String, documents: Documents, options: Arc<CompileOptions>) -> Self {
        Self { id, documents, options }
    }

    pub(super) fn new(
        set: &CorrelationSet,
        rules: &BTreeMap<String, RuleEntry>,
        entry: &CorrelationEntry,
        options: &Arc<CompileOptions>,
    ) -> Self {
        let mut documents = Documents::default();
        let mut wanted = vec![entry.correlation.header.id.clone()];
        let mut seen = BTreeSet::new();
        while let Some(id) = wanted.pop() {
            if !seen.insert(id.clone()) {
                continue;
            }
            if let Some(below) = set.find(&id) {
                documents.correlations.push(Correlation::clone(&below.correlation));
                wanted.extend(below.members.iter().cloned());
            } else if let Some(rule) = rules.get(&id) {
                documents.rules.push(Arc::clone(&rule.rule));
            }
        }
        Self::of(entry.correlation.header.id.clone(), documents, Arc::clone(options))
    }

    /// Stories that come out as they should, and those that do not. Blocking.
    pub fn tests(&self, matches: &[Vec<String>], misses: &[Vec<String>]) -> (usize, usize) {
        let told = self.told().check(&self.id, matches, misses);
        let right = told.iter().filter(|told| Told::is_right(told)).count();
        (right, told.len().saturating_sub(right))
    }

    /// Which stories are found; nothing when it had to stop between two of them. Blocking.
    pub fn finds(&self, stories: &[Vec<String>], stop: &Stop) -> Option<Vec<bool>> {
        let all = self.told();
        stories.iter().map(|story| (!stop.is_due()).then(|| all.finds(&self.id, story))).collect()
    }

    fn told(&self) -> Stories {
        Stories::with(self.documents.clone(), &self.options)
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The rules that it is made of, the correlations between left aside.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.documents.rules
    }

    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// How all of it is compiled.
    pub fn options(&self) -> &CompileOptions {
        &self.options
    }
}

/// The stories of a file of samples: an empty line stands between two of them.
pub fn stories(text: &str) -> Vec<Vec<String>> {
    let mut stories = vec![Vec::new()];
    for line in text.lines() {
        match (line.trim().is_empty(), stories.last_mut()) {
            (false, Some(story)) => story.push(line.to_owned()),
            (true, Some(story)) if !story.is_empty() => stories.push(Vec::new()),
            _ => {}
        }
    }
    stories.retain(|story| !story.is_empty());
    stories
}

pub(crate) fn facts_of(correlation: &Correlation) -> RuleFacts {
    let header = &correlation.header;
    RuleFacts {
        id: header.id.clone(),
        title: header.title.clone(),
        version: header.version.clone(),
        level: header.level,
        attack: header.attack.clone(),
        group_by: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::stories;

    #[test]
    fn an_empty_line_ends_a_story() {
        assert_eq!(stories("a\nb\n\n\nc\n"), [vec!["a", "b"], vec!["c"]]);
        assert!(stories("\n \n").is_empty());
    }
}
