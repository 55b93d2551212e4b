//! Rules in use: built in, and from directories that are looked at again by content hash. A swap is atomic between two
//! batches; a rule that does not load is a diagnostic and never stops the others.

mod correlations;
mod files;
mod shape;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use shieldops_detect::{
    CompileOptions, CompiledCorrelation, CompiledRule, CorrelationSet, Diagnostic, DiagnosticSeverity, Documents, Rule,
    RuleSet,
};
use shieldops_model::{EntityKind, LogSource};
use shieldops_store::{Job, rule_states::State};
use shieldops_triage::{GroupKey, RuleFacts};
use tokio_util::sync::CancellationToken;

pub(crate) use correlations::facts_of as correlation_facts;
pub use correlations::{Case, CorrelationEntry, stories};
use files::{ParsedFiles, SourceFile, gather};
pub use files::{file_problem, read_limited};
pub use shape::Shape;

use crate::{Pipeline, samples};

/// The mapping that is a category of events, and no names of fields.
const WINDOWS_4688: &str = "windows-4688";

/// A rule that comes with the binary, with its samples.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    pub file: &'static str,
    pub text: &'static str,
    pub matches: &'static str,
    pub misses: &'static str,
}

/// What the lists show beside the rule itself.
#[derive(Debug, Clone)]
pub struct RuleEntry {
    pub rule: Arc<Rule>,
    pub built_in: bool,
    pub file: String,
    pub matches: Vec<String>,
    pub misses: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
    /// Of a correlation: its stories, with what they need.
    pub(crate) case: Option<Arc<Case>>,
    /// How the rule is compiled.
    options: Arc<CompileOptions>,
    tests: OnceLock<(usize, usize)>,
}

impl RuleEntry {
    /// Samples that come out as they should, and those that do not. Blocking the first time.
    pub fn tests(&self) -> (usize, usize) {
        if self.matches.is_empty() && self.misses.is_empty() {
            return (0, 0);
        }
        *self.tests.get_or_init(|| {
            if let Some(case) = &self.case {
                return case.tests(&story_lines(&self.matches), &story_lines(&self.misses));
            }
            let report = samples::check_with(&self.rule, &self.options, &self.matches, &self.misses);
            (report.passed, report.failed)
        })
    }
}

impl RuleEntry {
    /// How the rule is compiled; where that is another way than before, its samples are to be tried once more.
    fn set_options(&mut self, options: &Arc<CompileOptions>, same: bool) {
        self.options = Arc::clone(options);
        if !same {
            self.tests = OnceLock::new();
        }
    }

    /// Whether the rule has words that a list of a tenant may say more about.
    pub fn names_lists(&self) -> bool {
        self.case.is_none() && self.rule.text.contains("expand")
    }
}

/// Stories, each of which is one sample.
pub fn story_lines(samples: &[String]) -> Vec<Vec<String>> {
    samples.iter().map(|story| story.lines().map(str::to_owned).collect()).collect()
}

impl RuleEntry {
    /// A correlation with everything that its stories need; nothing for a rule that is none.
    pub fn case(&self) -> Option<&Arc<Case>> {
        self.case.as_ref()
    }

    /// Whether a correlation finds each of these stories; nothing for a rule that is none. Blocking.
    pub fn finds(&self, stories: &[Vec<String>]) -> Option<Vec<bool>> {
        self.case.as_ref()?.finds(stories, &shieldops_bus::Stop::default())
    }
}

/// One compiled state of all content.
pub struct RuleBook {
    pub set: RuleSet,
    pub correlations: Arc<CorrelationSet>,
    pub entries: BTreeMap<String, RuleEntry>,
    pub correlation_entries: BTreeMap<String, CorrelationEntry>,
    pub diagnostics: Vec<Diagnostic>,
    pub took: Duration,
    facts: HashMap<String, Arc<RuleFacts>>,
    hash: [u8; 32],
    /// Windows' audit of processes is no creation of a process here.
    unmapped: bool,
    files: ParsedFiles,
}

impl RuleBook {
    pub fn facts(&self, rule_id: &str) -> Option<Arc<RuleFacts>> {
        self.facts.get(rule_id).map(Arc::clone)
    }

    /// The log source of an event as rules are to see it here: without what mappings add that are off.
    pub fn fit(&self, source: &mut LogSource) {
        if self.unmapped {
            shieldops_ingest::formats::windows::without_mappings(source);
        }
    }

    /// What the log of coverage calls it.
    pub(crate) fn base_hash(&self) -> String {
        format!("base:{}", hex::encode(self.hash.get(..8).unwrap_or_default()))
    }

    /// What the ledger keeps of a reload.
    pub fn summary(&self) -> serde_json::Value {
        serde_json::json!({"loaded": self.set.len(), "failed": self.failed(), "content": hex::encode(self.hash)})
    }

    /// Errors among the diagnostics: rules that did not load.
    pub fn failed(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == DiagnosticSeverity::Error).count()
    }
}

/// The content of this process, and where it comes from.
pub struct Content {
    built_in: &'static [BuiltIn],
    dirs: Vec<PathBuf>,
    shape: Shape,
    default_state: State,
    book: ArcSwap<RuleBook>,
    reloading: Mutex<()>,
}

impl Content {
    /// `default_state` is how a rule is that a tenant did not set.
    pub fn load(built_in: &'static [BuiltIn], dirs: Vec<PathBuf>, default_state: State) -> Self {
        Self::load_shaped(built_in, dirs, Shape::default(), default_state)
    }

    /// Rules fitted to this installation.
    pub fn load_shaped(built_in: &'static [BuiltIn], dirs: Vec<PathBuf>, shape: Shape, default_state: State) -> Self {
        let book = ArcSwap::from_pointee(build(gather(built_in, &dirs), &shape, &shape.gather(), None));
        Self { built_in, dirs, shape, default_state, book, reloading: Mutex::new(()) }
    }

    /// How a rule is that a tenant did not set.
    pub fn default_state(&self) -> State {
        self.default_state
    }

    pub fn book(&self) -> Arc<RuleBook> {
        self.book.load_full()
    }

    /// Reads everything again and swaps when anything changed; says what is loaded now. Blocking.
    pub fn reload(&self) -> Arc<RuleBook> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, shaping) = (gather(self.built_in, &self.dirs), self.shape.gather());
        let before = self.book();
        if files::hash_of_all(files::hashes(&files).iter().chain(&files::hashes(&shaping))) != before.hash {
            self.book.store(Arc::new(build(files, &self.shape, &shaping, Some(&before))));
        }
        self.book()
    }
}

/// Polls the directories until `stop`; a change of what rules run is an entry of every tenant's ledger.
pub(crate) async fn watch(pipeline: Pipeline, stop: CancellationToken) {
    let content = &pipeline.content;
    if content.dirs.is_empty() && content.shape.is_empty() {
        return;
    }
    loop {
        tokio::select! { () = tokio::time::sleep(pipeline.settings.reload_every) => {}, () = stop.cancelled() => return }
        let before = content.book();
        let again = Arc::clone(content);
        if let Ok(book) = tokio::task::spawn_blocking(move || again.reload()).await
            && !Arc::ptr_eq(&before, &book)
        {
            tracing::info!(rules = book.set.len(), failed = book.failed(), "rules reloaded");
            if let Err(error) = record_reload(&pipeline, &book).await {
                tracing::error!(error = &error as &dyn std::error::Error, "a reload of rules could not be recorded");
            }
        }
    }
}

async fn record_reload(pipeline: &Pipeline, book: &RuleBook) -> crate::Result<()> {
    for tenant in pipeline.store.tenants().await? {
        let mut tx = pipeline.store.job(tenant.id, Job::Pipeline)?.begin().await?;
        tx.record("rules.reloaded", &[], book.summary())?;
        tx.announce("rule", "all");
        tx.commit(pipeline.store.clock().now()).await?;
    }
    Ok(())
}

/// `before` is the book that this one is to follow: what did not change is taken from it.
fn build(files: Vec<SourceFile>, shape: &Shape, shaping: &[SourceFile], before: Option<&RuleBook>) -> RuleBook {
    let started = Instant::now();
    let own = files::hashes(&files);
    let hash = files::hash_of_all(own.iter().chain(&files::hashes(shaping)));
    let (options, mut diagnostics) = shape.options(shaping);
    let options = Arc::new(options);
    let mut documents = Documents::default();
    let mut entries = BTreeMap::new();
    let mut with_correlations = Vec::new();
    let mut parsed_files = ParsedFiles::with_capacity(files.len());
    let parsed = files::parsed(&files, &own, before.map(|before| &before.files));
    for (file, parsed) in files.into_iter().zip(parsed) {
        diagnostics.extend(file.problem.as_ref().map(|problem| file_problem(&file.name, problem)));
        let (found, said) = (&parsed.documents, &parsed.said);
        for rule in &found.rules {
            let same =
                before.and_then(|before| before.entries.get(&rule.id)).filter(|old| Arc::ptr_eq(&old.rule, rule));
            let entry = same.map_or_else(|| entry(rule, &file, (found, said), &options), RuleEntry::clone);
            entries.insert(rule.id.clone(), entry);
        }
        diagnostics.extend(said.iter().cloned());
        documents.extend([found.clone()]);
        parsed_files.insert(file.name.clone(), Arc::clone(&parsed));
        if !found.correlations.is_empty() {
            with_correlations.push((file, said.clone()));
        }
    }
    let draft = CorrelationSet::draft(&documents);
    let (set, said) = match before {
        Some(before) => before.set.recompile(documents, &options),
        None => RuleSet::compile(documents, &options),
    };
    diagnostics.extend(said);
    let (correlations, said) = draft.compile(&set);
    diagnostics.extend(said);
    entries.retain(|id, _| set.get(id).is_some());
    // With the filters.
    let options = Arc::new(set.options().clone());
    let same = before.is_some_and(|before| before.set.is_made_as(&set));
    for entry in entries.values_mut() {
        entry.set_options(&options, same);
    }
    let correlation_entries = correlation_entries(&correlations, &with_correlations);
    for (id, entry) in &correlation_entries {
        let case = Case::new(&correlations, &entries, entry, &options);
        entries.extend(correlations.find(id).map(|one| (id.clone(), entry.as_rule_entry(one.as_rule(&set), case))));
    }
    let facts = all_facts(&set, &correlations, before);
    RuleBook {
        set,
        correlations: Arc::new(correlations),
        entries,
        correlation_entries,
        diagnostics,
        took: started.elapsed(),
        facts,
        hash,
        unmapped: shape.is_off(WINDOWS_4688),
        files: parsed_files,
    }
}

fn all_facts(
    set: &RuleSet,
    correlations: &CorrelationSet,
    before: Option<&RuleBook>,
) -> HashMap<String, Arc<RuleFacts>> {
    let known = |rule: &CompiledRule| {
        let before = before?;
        let same = before.set.get(&rule.id).is_some_and(|old| Arc::ptr_eq(&old.rule, &rule.rule));
        before.facts(&rule.id).filter(|_| same)
    };
    let of_rule = |rule: &CompiledRule| known(rule).unwrap_or_else(|| Arc::new(facts_of(rule)));
    let mut facts: HashMap<_, _> = set.rules().iter().map(|rule| (rule.id.clone(), of_rule(rule))).collect();
    facts.extend(correlations.correlations().iter().map(|one| {
        let facts = correlations::facts_of(one);
        (facts.id.clone(), Arc::new(facts))
    }));
    facts
}

fn correlation_entries(
    set: &CorrelationSet,
    files: &[(SourceFile, Vec<Diagnostic>)],
) -> BTreeMap<String, CorrelationEntry> {
    let entry = |compiled: &CompiledCorrelation| {
        let (file, said) = files.iter().rev().find(|(file, _)| file.name == compiled.header.file)?;
        Some((compiled.header.id.clone(), CorrelationEntry::new(compiled, file, said)))
    };
    set.correlations().iter().filter_map(entry).collect()
}

/// The samples of a file with a correlation are the correlation's.
fn entry(
    rule: &Arc<Rule>,
    file: &SourceFile,
    (found, said): (&Documents, &[Diagnostic]),
    options: &Arc<CompileOptions>,
) -> RuleEntry {
    let is_own = found.correlations.is_empty();
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| is_own && !line.trim().is_empty()).map(str::to_owned).collect()
    };
    RuleEntry {
        rule: Arc::clone(rule),
        built_in: file.built_in,
        file: file.name.clone(),
        matches: lines(&file.matches),
        misses: lines(&file.misses),
        diagnostics: said.to_vec(),
        case: None,
        options: Arc::clone(options),
        tests: OnceLock::new(),
    }
}

pub(crate) fn facts_of(rule: &Rule) -> RuleFacts {
    RuleFacts {
        id: rule.id.clone(),
        title: rule.title.clone(),
        version: rule.version.clone(),
        level: rule.level,
        attack: rule.attack.clone(),
        group_by: rule.group_by.iter().filter_map(|kind| group_key(*kind)).collect(),
    }
}

fn group_key(kind: EntityKind) -> Option<GroupKey> {
    match kind {
        EntityKind::Ip => Some(GroupKey::SrcIp),
        EntityKind::Host => Some(GroupKey::Host),
        EntityKind::User => Some(GroupKey::User),
        EntityKind::Process => Some(GroupKey::Process),
        EntityKind::File => Some(GroupKey::File),
        EntityKind::Domain => Some(GroupKey::Domain),
        EntityKind::Url | EntityKind::Hash => None,
    }
}
