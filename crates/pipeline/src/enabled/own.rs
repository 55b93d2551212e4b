//! A tenant's own rules that run, compiled beside the set that everybody has.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use shieldops_detect::{
    CompileOptions, Correlation, Diagnostic, DiagnosticSeverity, Documents, Pipeline, Rule, RuleSet, parse,
};
use shieldops_store::{coverage::Differs, rule_states::State};
use shieldops_triage::RuleFacts;

use super::over::Over;
use crate::content::{RuleBook, correlation_facts, facts_of};

/// How the rules of one tenant are compiled. Its lists are for all of them, its pipelines for its own alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Those that everybody has.
    pub(crate) base: Arc<CompileOptions>,
    /// The tenant's own: as everybody's, and behind those the tenant's pipelines.
    pub(crate) own: Arc<CompileOptions>,
}

impl Options {
    /// What is no pipeline any more is left out.
    pub(crate) fn new(book: &CompileOptions, lists: &[(String, String)], pipelines: &[(String, String)]) -> Self {
        let mut base = book.clone();
        for (name, text) in lists {
            base.placeholders.insert(name.clone(), values(text).map(str::to_owned).collect());
        }
        let mut own = base.clone();
        for (name, text) in pipelines {
            own.pipelines.extend(Pipeline::parse(text, &format!("pipeline {name}")).0);
        }
        Self { base: Arc::new(base), own: Arc::new(own) }
    }

    /// For documents among which rules of the book stand as they are: the tenant's pipelines leave those alone.
    pub(crate) fn of(&self, documents: &Documents, book: &RuleBook) -> CompileOptions {
        let mut options = CompileOptions::clone(&self.own);
        let of_book =
            |rule: &&Arc<Rule>| book.entries.get(&rule.id).is_some_and(|entry| Arc::ptr_eq(&entry.rule, rule));
        let spared: BTreeSet<String> = documents.rules.iter().filter(of_book).map(|rule| rule.id.clone()).collect();
        let spared = Arc::new(spared);
        for pipeline in options.pipelines.iter_mut().skip(self.base.pipelines.len()) {
            pipeline.spare(Arc::clone(&spared));
        }
        options
    }
}

/// The values of a list: one a line.
pub fn values(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

/// What one row of a tenant holds: a rule, or a correlation with the rules that it brings along.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) documents: Documents,
    /// The correlation that the row is, by its place among them.
    pub(crate) main: Option<usize>,
}

impl Row {
    /// Nothing when the text is not what a row may be. `file` tells the rows of a tenant apart.
    pub(crate) fn read(text: &str, file: &str) -> Option<Self> {
        let (documents, said) = parse(text, file);
        let failed = said.iter().any(|said| said.severity == DiagnosticSeverity::Error);
        if failed { None } else { Self::of(documents, text).ok() }
    }

    /// # Errors
    /// What is wrong with these documents as one row, in words.
    pub(crate) fn of(mut documents: Documents, text: &str) -> Result<Self, String> {
        let (rules, filters) = (documents.rules.len(), documents.filters.len());
        let main = main(&documents.correlations);
        match (documents.correlations.len(), main.as_slice()) {
            _ if filters > 0 => Err(format!("{filters} of its documents are filters")),
            (0, _) if rules == 1 => Ok(Self { documents, main: None }),
            (0, _) => Err(format!("this is {rules} rules and no correlation of them")),
            (_, [main]) => {
                if let Some(correlation) = documents.correlations.get_mut(*main) {
                    // The row's version is that of all its text.
                    correlation.header.version = version(text);
                }
                Ok(Self { documents, main: Some(*main) })
            }
            (_, []) => Err("its correlations refer to each other in a circle".to_owned()),
            (_, several) => Err(format!("{} of its correlations are built upon by no other", several.len())),
        }
    }

    /// The id of the row.
    pub(crate) fn id(&self) -> Option<&str> {
        match self.main {
            Some(main) => self.documents.correlations.get(main).map(|one| one.header.id.as_str()),
            None => self.documents.rules.first().map(|rule| rule.id.as_str()),
        }
    }

    pub(crate) fn correlation(&self) -> Option<&Correlation> {
        self.documents.correlations.get(self.main?)
    }

    /// Ids and names of everything in it.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let rules = self.documents.rules.iter().flat_map(|rule| [rule.id.as_str(), rule.name.as_str()]);
        let headers = self.documents.correlations.iter().map(|one| &one.header);
        rules
            .chain(headers.flat_map(|header| [header.id.as_str(), header.name.as_str()]))
            .filter(|word| !word.is_empty())
    }

    /// Ids of everything in it.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        let correlations = self.documents.correlations.iter().map(|one| one.header.id.as_str());
        self.documents.rules.iter().map(|rule| rule.id.as_str()).chain(correlations)
    }

    /// Rules of it that its correlations keep from raising alerts, whatever those refer to beside them.
    fn silent(&self) -> impl Iterator<Item = String> + '_ {
        let silences = |one: &Correlation, rule: &Rule| {
            let named = one.rules.iter().any(|reference| reference.names(rule));
            named && one.generate != Some(true)
        };
        let rules = self.documents.rules.iter();
        let silent = move |rule: &&Arc<Rule>| self.documents.correlations.iter().any(|one| silences(one, rule));
        rules.filter(silent).map(|rule| rule.id.clone())
    }

    /// As long as it is only watched it silences no rule outside.
    pub(super) fn watched(mut self) -> Self {
        for correlation in &mut self.documents.correlations {
            correlation.generate = correlation.generate.filter(|generate| *generate);
        }
        self
    }
}

/// First 12 hex characters of a text's SHA-256, as of every rule.
fn version(text: &str) -> String {
    hex::encode(Sha256::digest(text).get(..6).unwrap_or_default())
}

/// The correlations that no other one builds on.
fn main(all: &[Correlation]) -> Vec<usize> {
    let names =
        |one: &Correlation, word: &str| one.header.id == word || !one.header.name.is_empty() && one.header.name == word;
    let used =
        |one: &Correlation| all.iter().any(|above| above.rules.iter().any(|reference| names(one, &reference.name)));
    all.iter().enumerate().filter(|(_, one)| !used(one)).map(|(index, _)| index).collect()
}

#[derive(Default)]
pub(crate) struct Own {
    pub(crate) set: RuleSet,
    /// Correlations of the tenant, with those that everybody has.
    pub(crate) over: Option<Over>,
    states: HashMap<String, State>,
    /// Rules that everybody has, compiled again.
    fitted: BTreeSet<String>,
    /// Rules that a correlation has brought along.
    below: HashMap<String, String>,
    /// Those among them that the correlation keeps from raising alerts, though it cannot be used.
    silent: BTreeSet<String>,
    facts: HashMap<String, Arc<RuleFacts>>,
    versions: BTreeMap<String, String>,
}

impl Own {
    /// Nothing when no rule of the tenant runs. A text that is no rule any more is left out, and the rule below it runs.
    /// `fitted` are rules that everybody has and that this tenant's lists say more about: with their states.
    pub(crate) fn compile(
        running: &[(String, State, String)],
        (book, fitted): (&RuleBook, Vec<(Arc<Rule>, State)>),
        options: &Options,
    ) -> Option<Self> {
        let mut own = Self::default();
        let mut documents = Documents::default();
        for (rule, state) in fitted {
            own.states.insert(rule.id.clone(), state);
            own.fitted.insert(rule.id.clone());
            documents.rules.push(rule);
        }
        for (id, state, text) in running {
            let Some(row) = Row::read(text, &file(id)).filter(|row| row.id() == Some(id)) else {
                tracing::error!(rule.id = %id, "a tenant's rule cannot be used");
                continue;
            };
            documents.extend([own.take(id, *state, row)]);
        }
        let correlations = std::mem::take(&mut documents.correlations);
        let mut rules = documents.rules.clone();
        let fit = options.of(&documents, book);
        let (set, said) = RuleSet::compile(documents, &fit);
        own.set = set;
        own.note_rules();
        rules.retain(|rule| own.set.get(&rule.id).is_some());
        let documents = Documents { rules, correlations, ..Documents::default() };
        own.over = Over::new(book, documents, options, &own.below);
        own.note_correlations();
        own.silence();
        own.drop_unused(&said);
        (!own.set.is_empty() || own.over.is_some()).then_some(own)
    }

    /// What was not compiled stands in for nothing: the rule below it runs.
    fn drop_unused(&mut self, said: &[Diagnostic]) {
        let unused = |id: &&String| !self.versions.contains_key(*id);
        let unused: Vec<String> = self.states.keys().filter(unused).cloned().collect();
        for id in unused {
            tracing::error!(rule.id = %id, "a rule of a tenant does not compile, and does not run");
            self.states.remove(&id);
            self.below.remove(&id);
        }
        for said in said.iter().filter(|said| said.severity == DiagnosticSeverity::Error) {
            tracing::error!(said = %said, "why a rule of a tenant does not compile");
        }
    }

    /// What works for a correlation raises no alerts though that cannot be used any more: what it refers to may come back.
    fn silence(&mut self) {
        let (versions, below) = (&self.versions, &self.below);
        self.silent.retain(|id| below.get(id).is_some_and(|main| !versions.contains_key(main)));
        for id in &self.silent {
            tracing::error!(rule.id = %id, "a rule raises no alerts, and the correlation of the tenant that it works for cannot be used");
        }
    }

    fn take(&mut self, id: &str, state: State, row: Row) -> Documents {
        for one in row.ids() {
            self.fitted.remove(one);
            self.states.insert(one.to_owned(), state);
        }
        if row.main.is_some() {
            self.silent.extend(row.silent());
            self.below.extend(row.ids().filter(|one| *one != id).map(|one| (one.to_owned(), id.to_owned())));
        }
        if state == State::Shadow { row.watched().documents } else { row.documents }
    }

    fn note_rules(&mut self) {
        for rule in self.set.rules() {
            self.facts.insert(rule.id.clone(), Arc::new(facts_of(rule)));
            self.versions.insert(rule.id.clone(), rule.version.clone());
        }
    }

    fn note_correlations(&mut self) {
        let Some(over) = &self.over else { return };
        for one in over.correlations.correlations().iter().filter(|one| over.own.contains(&one.header.id)) {
            self.facts.insert(one.header.id.clone(), Arc::new(correlation_facts(one)));
            self.versions.insert(one.header.id.clone(), one.header.version.clone());
        }
    }

    pub(crate) fn is_shadow(&self, rule_id: &str) -> bool {
        self.states.get(rule_id) == Some(&State::Shadow)
    }

    /// Whether the rule that runs here is the tenant's, and not one that everybody has.
    pub(super) fn is_own(&self, rule_id: &str) -> bool {
        self.states.contains_key(rule_id) && !self.fitted.contains(rule_id)
    }

    /// How the tenant has set one of its own.
    pub(crate) fn state(&self, id: &str) -> Option<State> {
        self.states.get(id).copied()
    }

    /// Whether the rule works for a correlation that cannot be used.
    pub(crate) fn is_silent(&self, rule_id: &str) -> bool {
        self.silent.contains(rule_id)
    }

    /// Whether a correlation of the tenant brought the rule along: it is watched where that is watched.
    pub(crate) fn is_below(&self, rule_id: &str) -> bool {
        self.below.contains_key(rule_id)
    }

    pub(crate) fn facts(&self, rule_id: &str) -> Option<Arc<RuleFacts>> {
        self.facts.get(rule_id).map(Arc::clone)
    }

    pub(super) fn differs(&self) -> impl Iterator<Item = (String, Differs)> + '_ {
        self.versions.iter().filter_map(|(id, version)| {
            let state = *self.states.get(id)?;
            Some((id.clone(), Differs { state, version: Some(version.clone()) }))
        })
    }
}

/// The name of a row's text among those of the tenant.
pub(super) fn file(id: &str) -> String {
    format!("rule {id}")
}
