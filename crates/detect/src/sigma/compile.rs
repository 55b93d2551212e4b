//! Rules made ready: one set, immutable, shared by every worker.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use shieldops_model::LogSource;

use super::{
    correlation::{Correlation, Links},
    detection::{Block, Detection},
    documents::Documents,
    field_map::FieldMap,
    item::{Item, Placeholders, Test},
    prepare::{self, Prepared},
    route,
    rule::{Rule, RuleSource},
};
use crate::{
    diagnostic::{Diagnostic, Report},
    engine::Engine,
    pipelines::Pipeline,
};

/// How rules are compiled.
#[derive(Debug, Clone)]
pub struct CompileOptions {
    /// Rules that name no log source run on every event, instead of being refused.
    pub allow_sourceless: bool,
    /// Lists for `|expand`, by name without the percent signs.
    pub placeholders: Placeholders,
    pub field_map: FieldMap,
    /// Applied to every rule, by priority and then by name; their `vars` are lists for `|expand` too.
    pub pipelines: Vec<Pipeline>,
    /// Rules for `auth` and `syslog` see the services that log there.
    pub service_groups: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            allow_sourceless: false,
            placeholders: Placeholders::new(),
            field_map: FieldMap::shipped(),
            pipelines: Vec::new(),
            service_groups: true,
        }
    }
}

#[derive(Debug)]
pub struct CompiledRule {
    pub rule: Arc<Rule>,
    /// Its place in the set, for bitmaps over the set.
    pub index: usize,
    /// What filters and pipelines made of the rule's own.
    pub(crate) detection: Arc<Detection>,
    /// Where the rule is evaluated: a pipeline may have changed the rule's own.
    pub(crate) log_source: RuleSource,
    /// The field id of each item, by the item's number; `None` is a keyword.
    pub(crate) fields: Vec<Option<usize>>,
}

impl Deref for CompiledRule {
    type Target = Rule;

    fn deref(&self) -> &Rule {
        &self.rule
    }
}

#[derive(Debug, Default)]
pub struct RuleSet {
    /// Told apart by workers, which keep routes between batches.
    pub(crate) id: u64,
    rules: Vec<CompiledRule>,
    by_id: HashMap<String, usize>,
    fields: Vec<String>,
    field_ids: HashMap<String, usize>,
    field_map: FieldMap,
    service_groups: bool,
    correlations: Vec<Correlation>,
    links: Links,
    options: CompileOptions,
    pub(crate) engine: Engine,
}

/// What the rules that see a log source need to know of it.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) rules: Vec<usize>,
    /// Other names of a field in events of this source.
    pub(crate) names: HashMap<usize, Vec<String>>,
}

static NEXT_SET: AtomicU64 = AtomicU64::new(1);

impl RuleSet {
    /// The set of these rules, with the filters joined to them. Of rules with one id the last counts.
    pub fn compile(documents: impl Into<Documents>, options: &CompileOptions) -> (Self, Vec<Diagnostic>) {
        let mut documents = documents.into();
        let (mut links, mut diagnostics) = documents.link();
        let placeholders = prepare::placeholders(options);
        let rules = prepare::rules(&mut documents, options, &mut links, &mut diagnostics);
        let mut set = Self {
            id: NEXT_SET.fetch_add(1, Ordering::Relaxed),
            field_map: options.field_map.clone(),
            service_groups: options.service_groups,
            correlations: documents.correlations,
            links,
            options: options.clone(),
            ..Self::default()
        };
        for prepared in rules {
            let mut report = Report::new(&prepared.rule.file);
            set.add(prepared, &placeholders, &mut report);
            diagnostics.extend(report.into_found());
        }
        set.engine = Engine::new(&set);
        (set, diagnostics)
    }

    /// The correlations of the documents, in their order; `links` says which can be used.
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    pub fn links(&self) -> &Links {
        &self.links
    }

    /// What the set was compiled with, for those who compile a rule of it again.
    pub fn options(&self) -> &CompileOptions {
        &self.options
    }

    /// Whether a rule raises no alerts of its own, because a correlation uses it so.
    pub fn is_silent(&self, rule: usize) -> bool {
        self.rules.get(rule).is_some_and(|rule| self.links.silent.contains(&rule.id))
    }

    /// In the order of compilation, which is the order of matches.
    pub fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    pub fn get(&self, id: &str) -> Option<&CompiledRule> {
        self.rules.get(*self.by_id.get(id)?)
    }

    /// The place of a rule in the set.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn field_id(&self, name: &str) -> Option<usize> {
        self.field_ids.get(name).copied()
    }

    pub(crate) fn field_map(&self) -> &FieldMap {
        &self.field_map
    }

    pub(crate) fn field_name(&self, id: usize) -> &str {
        self.fields.get(id).map_or("", String::as_str)
    }

    pub(crate) fn field_count(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn route(&self, source: &LogSource) -> Route {
        let sees = |rule: &CompiledRule| route::sees(&rule.log_source, source, self.service_groups);
        let rules: Vec<usize> =
            self.rules.iter().enumerate().filter(|(_, rule)| sees(rule)).map(|(index, _)| index).collect();
        let mut names = HashMap::new();
        for (id, field) in self.fields.iter().enumerate() {
            let others: Vec<String> = self.field_map.names(source, field).map(str::to_owned).collect();
            if !others.is_empty() {
                names.insert(id, others);
            }
        }
        Route { rules, names }
    }

    fn add(&mut self, prepared: Prepared, placeholders: &Placeholders, report: &mut Report) {
        let Prepared { rule, detection, log_source } = prepared;
        let detection = resolved(detection, placeholders, report);
        let mut fields = vec![None; detection.items];
        for selection in &detection.selections {
            selection.block.each_item(&mut |item| {
                if let Some(slot) = fields.get_mut(item.index) {
                    *slot = item.field.as_ref().map(|name| self.intern(name));
                }
                for candidate in &item.values {
                    if let Test::FieldRef { other, .. } = &candidate.test {
                        self.intern(other);
                    }
                }
            });
        }
        let index = self.rules.len();
        self.by_id.insert(rule.id.clone(), index);
        self.rules.push(CompiledRule { rule: Arc::new(rule), index, detection, log_source, fields });
    }

    fn intern(&mut self, name: &str) -> usize {
        if let Some(id) = self.field_ids.get(name) {
            return *id;
        }
        let id = self.fields.len();
        self.fields.push(name.to_owned());
        self.field_ids.insert(name.to_owned(), id);
        id
    }
}

impl Block {
    pub(crate) fn each_item(&self, visit: &mut impl FnMut(&Item)) {
        match self {
            Self::All(blocks) | Self::Any(blocks) => blocks.iter().for_each(|block| block.each_item(visit)),
            Self::Item(item) => visit(item),
        }
    }

    pub(crate) fn each_item_mut(&mut self, visit: &mut impl FnMut(&mut Item)) {
        match self {
            Self::All(blocks) | Self::Any(blocks) => blocks.iter_mut().for_each(|block| block.each_item_mut(visit)),
            Self::Item(item) => visit(item),
        }
    }
}

/// The detection with the lists of its placeholders.
fn resolved(detection: Arc<Detection>, placeholders: &Placeholders, report: &mut Report) -> Arc<Detection> {
    let mut waits = false;
    if !placeholders.is_empty() {
        let mut look = |item: &Item| waits |= item.values.iter().any(|c| matches!(c.test, Test::Unresolved));
        detection.selections.iter().for_each(|selection| selection.block.each_item(&mut look));
    }
    if !waits {
        return detection;
    }
    let mut detection = Detection::clone(&detection);
    for selection in &mut detection.selections {
        selection.block.each_item_mut(&mut |item| {
            item.resolve(placeholders, report);
        });
    }
    Arc::new(detection)
}
