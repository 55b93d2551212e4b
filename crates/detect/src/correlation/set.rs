//! Correlations made ready: what each match of a rule is to which of them, and what each of them is to others.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::{Limits, amount, program::Program};
use crate::{
    diagnostic::{Diagnostic, Place, Report},
    sigma::{Correlation, CorrelationKind, Documents, Linked, RuleSet, Target},
};

/// The correlations of a set of rules, each behind those that it builds on.
#[derive(Debug, Default)]
pub struct CorrelationSet {
    correlations: Vec<CompiledCorrelation>,
    by_id: HashMap<String, usize>,
    /// By the place of the rule in its set.
    feeds: Vec<Vec<Feed>>,
    /// By the place of the rule in its set.
    silent: Vec<bool>,
}

/// Correlations without the rules that they refer to.
#[derive(Debug, Clone)]
pub struct CorrelationDraft {
    correlations: Vec<Correlation>,
}

impl CorrelationDraft {
    /// Over the set that was compiled of the same documents, whose diagnostics tell what their references are not.
    pub fn compile(self, rules: &RuleSet) -> (CorrelationSet, Vec<Diagnostic>) {
        CorrelationSet::of(self, rules)
    }
}

#[derive(Debug)]
pub struct CompiledCorrelation {
    pub correlation: Arc<Correlation>,
    /// Its place in the set.
    pub index: usize,
    /// The ids of its rules, in its order.
    pub members: Vec<String>,
    /// It raises no alerts of its own.
    pub silent: bool,
    /// What it means; state of another meaning is not its own.
    pub(super) meaning: u128,
    pub(super) program: Program,
    pub(super) feeds: Vec<Feed>,
}

impl Deref for CompiledCorrelation {
    type Target = Correlation;

    fn deref(&self) -> &Correlation {
        &self.correlation
    }
}

/// What a match is to a correlation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) correlation: usize,
    /// Which of its rules it is.
    pub(super) rule: u16,
    pub(super) group_by: Vec<String>,
    pub(super) fields: Vec<String>,
}

impl CompiledCorrelation {
    /// Whether a correlation above counts its matches.
    pub(super) fn passes_on(&self, set: &CorrelationSet) -> bool {
        self.feeds.iter().any(|feed| set.get(feed.correlation).is_some_and(|above| above.program.wants_matches()))
    }
}

impl CorrelationSet {
    /// The correlations of these documents over a set that was compiled of them.
    pub fn compile(documents: &Documents, rules: &RuleSet) -> (Self, Vec<Diagnostic>) {
        Self::draft(documents).compile(rules)
    }

    /// What is to be had of documents before a set is compiled of them and they are gone.
    pub fn draft(documents: &Documents) -> CorrelationDraft {
        CorrelationDraft { correlations: documents.correlations.clone() }
    }

    fn of(draft: CorrelationDraft, rules: &RuleSet) -> (Self, Vec<Diagnostic>) {
        let (CorrelationDraft { correlations }, links, mut diagnostics) = (draft, rules.links(), Vec::new());
        let mut set =
            Self { feeds: vec![Vec::new(); rules.len()], silent: vec![false; rules.len()], ..Self::default() };
        let mut places: HashMap<usize, usize> = HashMap::new();
        for linked in &links.correlations {
            let Some(correlation) = correlations.get(linked.correlation) else { continue };
            let mut report = Report::new(&correlation.header.file);
            let silent = links.silent.contains(&correlation.header.id);
            if let Some(index) = set.add(correlation, linked, silent, &mut report) {
                places.insert(linked.correlation, index);
                set.connect(index, linked, (rules, &places), &mut report);
            }
            diagnostics.extend(report.into_found());
        }
        for id in &links.silent {
            if let Some(slot) = rules.position(id).and_then(|index| set.silent.get_mut(index)) {
                *slot = true;
            }
        }
        (set, diagnostics)
    }

    /// In the order of evaluation.
    pub fn correlations(&self) -> &[CompiledCorrelation] {
        &self.correlations
    }

    pub fn get(&self, index: usize) -> Option<&CompiledCorrelation> {
        self.correlations.get(index)
    }

    pub fn find(&self, id: &str) -> Option<&CompiledCorrelation> {
        self.get(*self.by_id.get(id)?)
    }

    pub fn is_empty(&self) -> bool {
        self.correlations.is_empty()
    }

    pub fn len(&self) -> usize {
        self.correlations.len()
    }

    /// Whether matches of the rule at that place of its set are for correlations alone.
    pub fn is_silent(&self, rule: usize) -> bool {
        self.silent.get(rule).copied().unwrap_or(false)
    }

    /// Whether matches of the rule at that place of its set are for any correlation.
    pub fn wants(&self, rule: usize) -> bool {
        self.feeds.get(rule).is_some_and(|feeds| !feeds.is_empty())
    }

    pub(super) fn feeds(&self, rule: usize) -> &[Feed] {
        self.feeds.get(rule).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, correlation: &Correlation, linked: &Linked, silent: bool, report: &mut Report) -> Option<usize> {
        let program = Program::of(correlation);
        let room = Limits::default().events_per_group;
        if program.least_events() > amount::of_count(room).checked_div(amount::ONE).unwrap_or(0) {
            let message = format!("it takes more events than a group remembers ({room})");
            report.error(place(correlation), "limit-out-of-reach", message, "Choose a lower limit.");
            return None;
        }
        let index = self.correlations.len();
        let meaning = meaning(correlation, linked);
        self.by_id.insert(correlation.header.id.clone(), index);
        let (correlation, members) = (Arc::new(correlation.clone()), Vec::new());
        self.correlations.push(CompiledCorrelation {
            correlation,
            index,
            members,
            silent,
            meaning,
            program,
            feeds: Vec::new(),
        });
        Some(index)
    }

    /// Tells each rule and correlation of it that it feeds it.
    fn connect(
        &mut self,
        index: usize,
        linked: &Linked,
        (rules, places): (&RuleSet, &HashMap<usize, usize>),
        report: &mut Report,
    ) {
        for (number, member) in linked.members.iter().enumerate() {
            let rule = u16::try_from(number).unwrap_or(u16::MAX);
            let feed =
                Feed { correlation: index, rule, group_by: member.group_by.clone(), fields: member.fields.clone() };
            let (id, feeds) = match &member.target {
                Target::Rule(id) => (id.clone(), rules.position(id).and_then(|position| self.feeds.get_mut(position))),
                Target::Correlation(number) => {
                    let below = places.get(number).and_then(|place| self.correlations.get_mut(*place));
                    match below {
                        Some(below) => (below.header.id.clone(), Some(&mut below.feeds)),
                        None => (String::new(), None),
                    }
                }
            };
            match feeds {
                Some(feeds) => feeds.push(feed),
                None => self.tell_missing(index, &id, report),
            }
            self.check_fields(index, number, member, places, report);
            if let Some(own) = self.correlations.get_mut(index) {
                own.members.push(id);
            }
        }
    }

    fn tell_missing(&self, index: usize, id: &str, report: &mut Report) {
        let Some(own) = self.get(index) else { return };
        let message = format!("its rule `{id}` is not in use, so nothing comes from it");
        report.warning(place(own), "unused-reference", message, "See why that rule was not loaded.");
    }

    /// What comes from a correlation has its group's values and nothing else.
    fn check_fields(
        &self,
        index: usize,
        number: usize,
        member: &crate::sigma::Member,
        places: &HashMap<usize, usize>,
        report: &mut Report,
    ) {
        let Target::Correlation(below) = &member.target else { return };
        let (Some(own), Some(below)) = (self.get(index), places.get(below).and_then(|place| self.get(*place))) else {
            return;
        };
        let fields = member.group_by.iter().chain(&member.fields);
        for field in fields.filter(|field| !below.group_by.contains(field)) {
            let name = own.rules.get(number).map_or("", |rule| rule.name.as_str());
            let message = format!("`{name}` is not grouped by `{field}`, so nothing comes from it");
            report.warning(place(own), "missing-group", message, "Add it to its `group-by`, or name an alias.");
        }
    }
}

fn place(correlation: &Correlation) -> Place {
    Place { line: correlation.header.line, column: 1 }
}

/// A hash of what makes two correlations the same: their text and what their references stand for.
fn meaning(correlation: &Correlation, linked: &Linked) -> u128 {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    };
    add(&correlation.header.id);
    add(&correlation.header.version);
    for (reference, member) in correlation.rules.iter().zip(&linked.members) {
        match &member.target {
            Target::Rule(id) => add(id),
            Target::Correlation(_) => add(&reference.name),
        }
        member.group_by.iter().chain(&member.fields).for_each(|field| add(field));
    }
    first_16(&hash.finalize())
}

/// What a value is counted as.
pub(super) fn value_of(kind: CorrelationKind, values: &[String]) -> Option<i128> {
    match kind {
        CorrelationKind::EventCount | CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => Some(0),
        CorrelationKind::ValueCount => {
            let mut hash = Sha256::new();
            for value in values {
                hash.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(value);
            }
            Some(i128::from_be_bytes(first_16(&hash.finalize()).to_be_bytes()))
        }
        CorrelationKind::ValueSum
        | CorrelationKind::ValueAvg
        | CorrelationKind::ValueMedian
        | CorrelationKind::ValuePercentile => values.first().and_then(|value| amount::parse(value)),
    }
}

pub(super) fn first_16(hash: &[u8]) -> u128 {
    hash.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}
