//! What the names in correlations mean: rules and correlations of the same set, in an order that evaluation can follow.

use std::collections::{BTreeSet, HashMap};

use super::{AliasedField, Bounds, Correlation, CorrelationCondition, RuleReference};
use crate::{
    diagnostic::{Diagnostic, Place, Report},
    sigma::{documents::Documents, rule::Rule},
};

/// What a correlation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The rule of that id.
    Rule(String),
    /// The correlation of that number among the documents' correlations.
    Correlation(usize),
}

/// One of the rules of a correlation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub target: Target,
    /// For each entry of `group_by`, the field in this rule's events.
    pub group_by: Vec<String>,
    /// For each field of the condition, the field in this rule's events.
    pub fields: Vec<String>,
}

/// A correlation whose references all mean something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Its number among the documents' correlations.
    pub correlation: usize,
    /// In the order of its `rules`.
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Each stands behind those that it builds on; what cannot be used is left out.
    pub correlations: Vec<Linked>,
    /// Ids of rules and correlations that raise no alerts of their own.
    pub silent: BTreeSet<String>,
}

impl Documents {
    /// Resolves every reference of the correlations. A correlation that names no rule, or itself, is left out with a
    /// diagnostic, and so are those that build on it.
    pub fn link(&self) -> (Links, Vec<Diagnostic>) {
        let mut linker = Linker { documents: self, names: Names::of(self), diagnostics: Vec::new() };
        let usable = linker.without_duplicates();
        let mut found: Vec<Option<Linked>> = (0..self.correlations.len()).map(|_| None).collect();
        for index in usable {
            if let Some(slot) = found.get_mut(index) {
                *slot = linker.resolve(index);
            }
        }
        let order = linker.in_order(&found);
        let correlations: Vec<Linked> =
            order.into_iter().filter_map(|index| found.get_mut(index).and_then(Option::take)).collect();
        let silent = self.silent(&correlations);
        (Links { correlations, silent }, linker.diagnostics)
    }

    fn silent(&self, linked: &[Linked]) -> BTreeSet<String> {
        let files: HashMap<&str, &str> = self.rules.iter().map(|rule| (rule.id.as_str(), rule.file.as_str())).collect();
        let mut silent = BTreeSet::new();
        for one in linked {
            let Some(correlation) = self.correlations.get(one.correlation) else { continue };
            for member in &one.members {
                let (id, file) = match &member.target {
                    Target::Rule(id) => (id.as_str(), files.get(id.as_str()).copied()),
                    Target::Correlation(index) => match self.correlations.get(*index) {
                        Some(other) => (other.header.id.as_str(), Some(other.header.file.as_str())),
                        None => continue,
                    },
                };
                let same_file = file == Some(correlation.header.file.as_str());
                if correlation.generate.map_or(same_file, |generate| !generate) {
                    silent.insert(id.to_owned());
                }
            }
        }
        silent
    }
}

/// What ids and names stand for. Names count within their file first.
struct Names<'d> {
    ids: HashMap<&'d str, Target>,
    names: HashMap<&'d str, Vec<(&'d str, Target)>>,
}

impl<'d> Names<'d> {
    fn of(documents: &'d Documents) -> Self {
        let mut all = Self { ids: HashMap::new(), names: HashMap::new() };
        for (index, correlation) in documents.correlations.iter().enumerate() {
            let header = &correlation.header;
            all.add(&header.id, &header.name, &header.file, &Target::Correlation(index));
        }
        for rule in &documents.rules {
            let Rule { id, name, file, .. } = &**rule;
            all.add(id, name, file, &Target::Rule(id.clone()));
        }
        all
    }

    fn add(&mut self, id: &'d str, name: &'d str, file: &'d str, target: &Target) {
        self.ids.insert(id, target.clone());
        if !name.is_empty() {
            let named = self.names.entry(name).or_default();
            named.retain(|(other, old)| !(*other == file && old == target));
            named.push((file, target.clone()));
        }
    }

    /// The target of a reference in that file; several are an error of its writer.
    fn find(&self, reference: &str, file: &str) -> Result<&Target, Unknown> {
        if let Some(target) = self.ids.get(reference) {
            return Ok(target);
        }
        let named = self.names.get(reference).map_or(&[][..], Vec::as_slice);
        let mut own = named.iter().filter(|(other, _)| *other == file);
        match (own.next(), own.next(), named) {
            (Some((_, target)), None, _) | (None, _, [(_, target)]) => Ok(target),
            (None, _, []) => Err(Unknown::Nothing),
            _ => Err(Unknown::Several),
        }
    }
}

enum Unknown {
    Nothing,
    Several,
}

struct Linker<'d> {
    documents: &'d Documents,
    names: Names<'d>,
    diagnostics: Vec<Diagnostic>,
}

impl Linker<'_> {
    fn say(&mut self, file: &str, say: impl FnOnce(&mut Report)) {
        let mut report = Report::new(file);
        say(&mut report);
        self.diagnostics.extend(report.into_found());
    }

    /// Of correlations with one id the last counts, and an id of a rule is the rule's.
    fn without_duplicates(&mut self) -> Vec<usize> {
        let mut usable = Vec::new();
        for (index, correlation) in self.documents.correlations.iter().enumerate() {
            let header = &correlation.header;
            match self.names.ids.get(header.id.as_str()) {
                Some(Target::Correlation(winner)) if *winner == index => usable.push(index),
                _ => {
                    let message = format!("the id `{}` is used again; this correlation is not used", header.id);
                    self.say(&header.file, |report| {
                        let at = Place { line: header.line, column: 1 };
                        report.warning(at, "duplicate-id", message, "Give one of them another id, or remove one.");
                    });
                }
            }
        }
        usable
    }

    fn resolve(&mut self, index: usize) -> Option<Linked> {
        let correlation = self.documents.correlations.get(index)?;
        let targets: Vec<Option<Target>> =
            correlation.rules.iter().map(|reference| self.target(reference, correlation)).collect();
        let targets: Vec<Target> = targets.into_iter().collect::<Option<_>>()?;
        let mut columns: Vec<Vec<String>> = vec![Vec::new(); targets.len()];
        for field in &correlation.group_by {
            for (column, name) in columns.iter_mut().zip(self.field(field, correlation, &targets)) {
                column.push(name);
            }
        }
        let mut counted: Vec<Vec<String>> = vec![Vec::new(); targets.len()];
        if let CorrelationCondition::Bounds(Bounds { fields, .. }) = &correlation.condition {
            for field in fields {
                for (column, name) in counted.iter_mut().zip(self.field(field, correlation, &targets)) {
                    column.push(name);
                }
            }
        }
        let members = targets.into_iter().zip(columns).zip(counted);
        let members = members.map(|((target, group_by), fields)| Member { target, group_by, fields }).collect();
        Some(Linked { correlation: index, members })
    }

    fn target(&mut self, reference: &RuleReference, correlation: &Correlation) -> Option<Target> {
        let unknown = match self.names.find(&reference.name, &correlation.header.file) {
            Ok(target) => return Some(target.clone()),
            Err(unknown) => unknown,
        };
        let (code, message, fix) = match unknown {
            Unknown::Nothing => (
                "unknown-rule",
                format!("there is no rule with the id or name `{}`", reference.name),
                "Load the rule too, or correct the reference.",
            ),
            Unknown::Several => (
                "ambiguous-rule",
                format!("several rules have the name `{}`", reference.name),
                "Refer to the rule by its id.",
            ),
        };
        self.say(&correlation.header.file, |report| report.error(reference.at, code, message, fix));
        None
    }

    /// A field, or alias, as each of the rules calls it.
    fn field(&mut self, name: &str, correlation: &Correlation, targets: &[Target]) -> Vec<String> {
        let Some(alias) = correlation.aliases.iter().find(|alias| alias.alias == name) else {
            return vec![name.to_owned(); targets.len()];
        };
        let mut names = vec![None; targets.len()];
        for (reference, field) in &alias.fields {
            let Ok(target) = self.names.find(&reference.name, &correlation.header.file) else { continue };
            for (slot, _) in names.iter_mut().zip(targets).filter(|(_, other)| *other == target) {
                *slot = Some(field.clone());
            }
        }
        self.check_alias(alias, &names, correlation, targets);
        names.into_iter().map(|found| found.unwrap_or_else(|| name.to_owned())).collect()
    }

    fn check_alias(
        &mut self,
        alias: &AliasedField,
        names: &[Option<String>],
        correlation: &Correlation,
        targets: &[Target],
    ) {
        for ((found, target), reference) in names.iter().zip(targets).zip(&correlation.rules) {
            if found.is_none() && matches!(target, Target::Rule(_)) {
                let message = format!("the alias `{}` names no field of `{}`", alias.alias, reference.name);
                let fix = "Add the field; until then the alias itself is taken for its name.";
                self.say(&correlation.header.file, |report| {
                    report.warning(alias.at, "incomplete-alias", message, fix);
                });
            }
        }
    }

    /// The correlations in an order in which each stands behind those that it builds on.
    fn in_order(&mut self, found: &[Option<Linked>]) -> Vec<usize> {
        let mut waiting: Vec<usize> = vec![0; found.len()];
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); found.len()];
        for linked in found.iter().flatten() {
            for base in linked.bases() {
                if let (Some(users), Some(count)) = (users.get_mut(base), waiting.get_mut(linked.correlation)) {
                    users.push(linked.correlation);
                    *count = count.saturating_add(1);
                }
            }
        }
        let is_ready = |index: &usize| matches!(found.get(*index), Some(Some(_))) && waiting.get(*index) == Some(&0);
        let mut order: Vec<usize> = (0..found.len()).filter(is_ready).collect();
        let mut next = 0;
        while let Some(done) = order.get(next).copied() {
            next = next.saturating_add(1);
            for user in users.get(done).into_iter().flatten() {
                let Some(count) = waiting.get_mut(*user) else { continue };
                *count = count.saturating_sub(1);
                if *count == 0 {
                    order.push(*user);
                }
            }
        }
        self.tell_left_out(found, &order);
        order
    }

    fn tell_left_out(&mut self, found: &[Option<Linked>], order: &[usize]) {
        let placed: BTreeSet<usize> = order.iter().copied().collect();
        let mut seen = BTreeSet::new();
        for linked in found.iter().flatten().filter(|linked| !placed.contains(&linked.correlation)) {
            let cycle = cycle(linked.correlation, found, &placed, &mut seen);
            let Some(correlation) = self.documents.correlations.get(linked.correlation) else { continue };
            let (code, message) = match cycle {
                Some(path) => {
                    ("correlation-cycle", format!("the correlations refer to each other: {}", self.shown(&path)))
                }
                None => ("unusable-correlation", "it builds on a correlation that cannot be used".to_owned()),
            };
            let at = Place { line: correlation.header.line, column: 1 };
            self.say(&correlation.header.file, |report| {
                report.error(at, code, message, "Let each build on others, not on itself.");
            });
        }
    }

    fn shown(&self, path: &[usize]) -> String {
        let title = |index: &usize| self.documents.correlations.get(*index).map(|one| one.header.title.as_str());
        let titles: Vec<String> = path.iter().take(8).filter_map(title).map(|title| format!("`{title}`")).collect();
        titles.join(" -> ")
    }
}

impl Linked {
    /// The correlations that it builds on.
    fn bases(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().filter_map(|member| match member.target {
            Target::Correlation(index) => Some(index),
            Target::Rule(_) => None,
        })
    }
}

/// The circle that following unplaced bases from `start` runs into first; none where it was told before, or where the
/// way ends.
fn cycle(
    start: usize,
    found: &[Option<Linked>],
    placed: &BTreeSet<usize>,
    seen: &mut BTreeSet<usize>,
) -> Option<Vec<usize>> {
    let mut path = vec![start];
    let mut at = start;
    while seen.insert(at) {
        let linked = found.get(at)?.as_ref()?;
        at = linked.bases().find(|base| !placed.contains(base))?;
        path.push(at);
    }
    let first = path.iter().position(|index| *index == at)?;
    (first.saturating_add(1) < path.len()).then(|| path.split_off(first))
}
