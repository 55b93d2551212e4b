//! Rules made ready: one set, immutable, shared by every worker.

use std::{
    borrow::Cow,
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest as _, Sha256};
use shieldops_model::LogSource;

use super::{
    correlation::{Correlation, Links},
    detection::{Block, Detection},
    documents::Documents,
    field_map::FieldMap,
    filter::Filter,
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
    /// Filters that are joined to every rule they are for, before those of its documents. What they name and no rule is, is
    /// nothing to tell.
    pub filters: Arc<[Arc<Filter>]>,
    /// Rules for `auth` and `syslog` see the services that log there.
    pub service_groups: bool,
}

impl CompileOptions {
    /// The same for parts of rules, and for those that look at what a rule itself says.
    #[must_use]
    pub fn without_filters(&self) -> Self {
        Self { filters: Arc::default(), ..self.clone() }
    }
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            allow_sourceless: false,
            placeholders: Placeholders::new(),
            field_map: FieldMap::shipped(),
            pipelines: Vec::new(),
            filters: Arc::default(),
            service_groups: true,
        }
    }
}

#[derive(Debug)]
pub struct CompiledRule {
    pub rule: Arc<Rule>,
    /// Its place in the set, for bitmaps over the set.
    pub index: usize,
    /// Its place among all rules of this set and those before it, from which it took what did not change.
    pub(crate) slot: usize,
    /// What filters and pipelines made of the rule's own.
    pub(crate) detection: Arc<Detection>,
    /// Where the rule is evaluated: a pipeline may have changed the rule's own.
    pub(crate) log_source: RuleSource,
    /// The field id of each item, by the item's number; `None` is a keyword.
    pub(crate) fields: Arc<[Option<usize>]>,
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
    /// A hash of the filters and pipelines of the options and documents.
    fitting: [u8; 32],
    /// By slot: the place of the rule in this set.
    places: Vec<Option<u32>>,
    /// Slots that are taken.
    slots: usize,
    pub(crate) engine: Engine,
}

/// What the rules that see a log source need to know of it.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) rules: Vec<usize>,
    /// Other names of a field in events of this source.
    pub(crate) names: Arc<HashMap<usize, Vec<String>>>,
}

/// Rules that went and came since a set was compiled anew, beside as many as the set has.
const SPARE_SLOTS: usize = 256;

static NEXT_SET: AtomicU64 = AtomicU64::new(1);

impl RuleSet {
    /// The set of these rules, with the filters joined to them. Of rules with one id the last counts.
    pub fn compile(documents: impl Into<Documents>, options: &CompileOptions) -> (Self, Vec<Diagnostic>) {
        Self::make(documents.into(), options, None)
    }

    /// The set of these rules, which is to follow this one: the same as a set compiled anew, but what it has in common
    /// with this one is shared, and with it what was learned of events. A rule is the same where its document was not
    /// parsed again.
    pub fn recompile(&self, documents: impl Into<Documents>, options: &CompileOptions) -> (Self, Vec<Diagnostic>) {
        Self::make(documents.into(), options, Some(self))
    }

    fn make(mut documents: Documents, options: &CompileOptions, before: Option<&Self>) -> (Self, Vec<Diagnostic>) {
        let (mut links, mut diagnostics) = documents.link();
        let lists = prepare::Lists::new(options);
        let options = with_filters(options, &documents.filters);
        let options = options.as_ref();
        let fitting = fitting(options);
        let rules = prepare::rules(&mut documents, options, &mut links, &mut diagnostics);
        let before = before.filter(|before| before.can_be_followed(options, &fitting, rules.len()));
        let mut set = Self {
            id: NEXT_SET.fetch_add(1, Ordering::Relaxed),
            field_map: options.field_map.clone(),
            service_groups: options.service_groups,
            correlations: documents.correlations,
            links,
            options: options.clone(),
            fitting,
            slots: before.map_or(0, |before| before.slots),
            fields: before.map_or_else(Vec::new, |before| before.fields.clone()),
            field_ids: before.map_or_else(HashMap::new, |before| before.field_ids.clone()),
            ..Self::default()
        };
        for prepared in rules {
            let mut report = Report::new(&prepared.rule.file);
            set.add(prepared, &lists, before, &mut report);
            diagnostics.extend(report.into_found());
        }
        set.places = set.by_slot();
        set.engine = Engine::new(&set, before);
        (set, diagnostics)
    }

    /// Whether a set of so many rules may take over what this one has: it is made the same way, and not too much of
    /// what would be taken over is of no use any more.
    fn can_be_followed(&self, options: &CompileOptions, fitting: &[u8; 32], rules: usize) -> bool {
        self.is_made_with(options, fitting) && self.slots <= rules.saturating_mul(2).saturating_add(SPARE_SLOTS)
    }

    fn by_slot(&self) -> Vec<Option<u32>> {
        let mut places = vec![None; self.slots];
        for rule in &self.rules {
            if let Some(place) = places.get_mut(rule.slot) {
                *place = u32::try_from(rule.index).ok();
            }
        }
        places
    }

    /// The place of the rule in a slot.
    pub(crate) fn place(&self, slot: usize) -> Option<usize> {
        usize::try_from(self.places.get(slot).copied().flatten()?).ok()
    }

    pub(crate) fn in_slot(&self, slot: usize) -> Option<&CompiledRule> {
        self.rules.get(self.place(slot)?)
    }

    /// The slot of the rule at a place.
    pub(crate) fn slot(&self, place: usize) -> Option<usize> {
        self.rules.get(place).map(|rule| rule.slot)
    }

    /// The correlations of the documents, in their order; `links` says which can be used.
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Whether another set was compiled in the same way.
    pub fn is_made_as(&self, other: &Self) -> bool {
        self.is_made_with(&other.options, &other.fitting)
    }

    fn is_made_with(&self, options: &CompileOptions, fitting: &[u8; 32]) -> bool {
        let own = &self.options;
        self.fitting == *fitting
            && own.placeholders == options.placeholders
            && own.service_groups == options.service_groups
            && own.field_map == options.field_map
    }

    /// What the set was compiled with, its filters among it, for those who compile a rule of it again.
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
        let seen = self.rules.iter().enumerate().filter(|(_, rule)| self.sees(rule, source));
        let rules = seen.map(|(index, _)| index).collect();
        Route { rules, names: Arc::new(self.other_names(source)) }
    }

    /// Whether the rule sees events of the source.
    pub(crate) fn sees(&self, rule: &CompiledRule, source: &LogSource) -> bool {
        route::sees(&rule.log_source, source, self.service_groups)
    }

    /// Other names of the fields in events of a source.
    pub(crate) fn other_names(&self, source: &LogSource) -> HashMap<usize, Vec<String>> {
        let mut names = HashMap::new();
        for (id, field) in self.fields.iter().enumerate() {
            let others: Vec<String> = self.field_map.names(source, field).map(str::to_owned).collect();
            if !others.is_empty() {
                names.insert(id, others);
            }
        }
        names
    }

    fn add(&mut self, prepared: Prepared, lists: &prepare::Lists<'_>, before: Option<&Self>, report: &mut Report) {
        let Prepared { rule, detection, log_source } = prepared;
        let detection = resolved(detection, (&rule.id, lists), report);
        let index = self.rules.len();
        self.by_id.insert(rule.id.clone(), index);
        let same = |old: &&CompiledRule| {
            Arc::ptr_eq(&old.rule.detection, &rule.detection)
                && old.log_source == log_source
                && old.rule.text == rule.text
        };
        if let Some(old) = before.and_then(|before| before.get(&rule.id)).filter(same) {
            let (slot, detection, fields) = (old.slot, Arc::clone(&old.detection), Arc::clone(&old.fields));
            self.rules.push(CompiledRule { rule, index, slot, detection, log_source, fields });
            return;
        }
        let fields = self.intern_all(&detection).into();
        let slot = self.slots;
        self.slots = slot.saturating_add(1);
        self.rules.push(CompiledRule { rule, index, slot, detection, log_source, fields });
    }

    /// The field ids of a detection's items.
    fn intern_all(&mut self, detection: &Detection) -> Vec<Option<usize>> {
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
        fields
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

/// Everything beside the rules themselves that changes their detections.
fn fitting(options: &CompileOptions) -> [u8; 32] {
    if options.pipelines.is_empty() && options.filters.is_empty() {
        return [0; 32];
    }
    Sha256::digest(format!("{:?} {:?}", options.pipelines, options.filters)).into()
}

/// The options, with the filters of documents behind their own.
fn with_filters<'o>(options: &'o CompileOptions, filters: &[Filter]) -> Cow<'o, CompileOptions> {
    if filters.is_empty() {
        return Cow::Borrowed(options);
    }
    let all = options.filters.iter().cloned().chain(filters.iter().cloned().map(Arc::new));
    let filters = all.collect();
    Cow::Owned(CompileOptions { filters, ..options.clone() })
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
fn resolved(
    detection: Arc<Detection>,
    (id, lists): (&str, &prepare::Lists<'_>),
    report: &mut Report,
) -> Arc<Detection> {
    let mut waits = false;
    let mut look = |item: &Item| waits |= item.values.iter().any(|c| matches!(c.test, Test::Unresolved));
    detection.selections.iter().for_each(|selection| selection.block.each_item(&mut look));
    if !waits {
        return detection;
    }
    let placeholders = lists.of(id);
    let mut detection = Detection::clone(&detection);
    for selection in &mut detection.selections {
        selection.block.each_item_mut(&mut |item| item.resolve(&placeholders, report));
    }
    Arc::new(detection)
}
