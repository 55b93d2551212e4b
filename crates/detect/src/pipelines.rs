//! Processing pipelines: what is done to rules before they are compiled, so that they fit the events of a place.
//!
//! The files are pySigma's. What works on queries (postprocessing, finalizers, query expressions) has no meaning here:
//! it is read, and said to be ignored. A pipeline never runs a program and never reads from the network.

mod condition;
mod draft;
mod fields;
mod params;
mod read;
mod run;
mod size;
#[cfg(test)]
mod tests;
mod text;
mod transformation;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::{condition::Conditions, transformation::Transformation};
use crate::{
    diagnostic::{Diagnostic, Report},
    sigma::{item::Placeholders, rule::Rule},
};

/// A pipeline as it was read.
#[derive(Debug, Clone)]
pub struct Pipeline {
    pub name: String,
    /// Lower ones run first; among equals the name decides.
    pub priority: i64,
    /// Values of placeholders, by name.
    pub vars: Placeholders,
    pub file: String,
    items: Arc<[Step]>,
    /// Rules that it leaves alone, by id.
    spares: Arc<BTreeSet<String>>,
}

/// One transformation and when it is applied.
#[derive(Debug, Clone)]
struct Step {
    id: Option<String>,
    rules: Conditions<condition::OfRule>,
    lines: Conditions<condition::OfLine>,
    fields: Conditions<condition::OfField>,
    transformation: Transformation,
}

impl Pipeline {
    /// The pipeline of a file, unless it has errors. Never panics.
    pub fn parse(text: &str, file: &str) -> (Option<Self>, Vec<Diagnostic>) {
        let mut report = Report::new(file);
        let pipeline = read::pipeline(text, file, &mut report);
        let errors = report.errors();
        (pipeline.filter(|_| errors == 0), report.into_found())
    }

    /// How many transformations it has, those in nested ones not counted.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// From now on it does nothing to the rules of these ids, and they know none of its values.
    pub fn spare(&mut self, ids: Arc<BTreeSet<String>>) {
        self.spares = ids;
    }

    pub(crate) fn spares(&self, id: &str) -> bool {
        self.spares.contains(id)
    }
}

/// Pipelines in the order in which they run, with the values of all of them.
#[derive(Debug, Default)]
pub(crate) struct Pipelines<'p> {
    ordered: Vec<&'p Pipeline>,
    pub(crate) vars: Placeholders,
}

impl<'p> Pipelines<'p> {
    pub(crate) fn new(pipelines: impl IntoIterator<Item = &'p Pipeline>) -> Self {
        let mut ordered: Vec<&Pipeline> = pipelines.into_iter().collect();
        ordered.sort_by(|a, b| a.priority.cmp(&b.priority).then_with(|| a.name.cmp(&b.name)));
        let vars = ordered.iter().flat_map(|pipeline| pipeline.vars.clone()).collect();
        Self { ordered, vars }
    }

    /// What the pipelines make of a rule; `false`, with the reason in the report, when one of them refuses it.
    ///
    /// `fields` are names that others use for this rule's events: they are mapped with it.
    pub(crate) fn apply(&self, rule: &mut Rule, fields: &mut BTreeMap<String, String>, report: &mut Report) -> bool {
        if self.ordered.iter().any(|pipeline| pipeline.spares(&rule.id)) {
            let others = self.ordered.iter().copied().filter(|pipeline| !pipeline.spares(&rule.id));
            return Self::new(others).apply(rule, fields, report);
        }
        if self.ordered.is_empty() {
            return true;
        }
        let mut run = run::Run::new(rule, fields, &self.vars, report);
        for pipeline in &self.ordered {
            run.pipeline(&pipeline.items);
        }
        let Some(done) = run.finish() else { return false };
        rule.log_source = done.log_source;
        if let Some(detection) = done.detection {
            rule.detection = detection;
        }
        true
    }
}

/// The ids of what was applied to something.
type Applied = BTreeSet<String>;
