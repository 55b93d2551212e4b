//! Rules in use: built in, and from directories that are looked at again by content hash. A swap is atomic between two
//! batches; a rule that does not load is a diagnostic and never stops the others.

mod correlations;
mod shape;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use shieldops_detect::{
    CompiledCorrelation, CorrelationSet, Diagnostic, DiagnosticSeverity, Documents, Rule, RuleSet, parse,
};
use shieldops_model::EntityKind;
use shieldops_store::{Job, rule_states::State};
use shieldops_triage::{GroupKey, RuleFacts};
use tokio_util::sync::CancellationToken;

use correlations::Case;
pub use correlations::{CorrelationEntry, stories};
pub use shape::Shape;

use crate::{Pipeline, samples};

/// Bytes of one rule file that are read.
const FILE_BYTES: u64 = 1024 * 1024;
/// Files of one directory tree.
const FILES: usize = 50_000;

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
                return case.tests();
            }
            let report = samples::check(&self.rule, &self.matches, &self.misses);
            (report.passed, report.failed)
        })
    }
}

impl RuleEntry {
    /// Whether a correlation finds each of these stories; nothing for a rule that is none. Blocking.
    pub fn finds(&self, stories: &[Vec<String>]) -> Option<Vec<bool>> {
        self.case.as_ref().map(|case| case.finds(stories))
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
}

impl RuleBook {
    pub fn facts(&self, rule_id: &str) -> Option<Arc<RuleFacts>> {
        self.facts.get(rule_id).map(Arc::clone)
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
        let book = ArcSwap::from_pointee(build(gather(built_in, &dirs), &shape, &shape.gather()));
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
        if content_hash(files.iter().chain(&shaping)) != self.book.load().hash {
            self.book.store(Arc::new(build(files, &self.shape, &shaping)));
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

struct SourceFile {
    name: String,
    text: String,
    built_in: bool,
    matches: String,
    misses: String,
    problem: Option<String>,
}

fn gather(built_in: &[BuiltIn], dirs: &[PathBuf]) -> Vec<SourceFile> {
    let own = |rule: &BuiltIn| SourceFile {
        name: rule.file.to_owned(),
        text: rule.text.to_owned(),
        built_in: true,
        matches: rule.matches.to_owned(),
        misses: rule.misses.to_owned(),
        problem: None,
    };
    let mut files: Vec<_> = built_in.iter().map(own).collect();
    for dir in dirs {
        let mut paths = Vec::new();
        if let Err(error) = walk(dir, &mut paths, 0) {
            files.push(SourceFile { problem: Some(format!("cannot read the directory: {error}")), ..empty(dir) });
        }
        paths.sort();
        files.extend(paths.iter().map(|path| read_rule(path)));
    }
    files
}

fn empty(path: &Path) -> SourceFile {
    SourceFile {
        name: path.display().to_string(),
        text: String::new(),
        built_in: false,
        matches: String::new(),
        misses: String::new(),
        problem: None,
    }
}

fn walk(dir: &Path, paths: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        // Links are not followed: a tree of rules has no business outside itself.
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < 16 {
            walk(&path, paths, depth + 1)?;
        } else if kind.is_file()
            && path.extension().is_some_and(|ext| ext == "yml" || ext == "yaml")
            && paths.len() < FILES
        {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_rule(path: &Path) -> SourceFile {
    match read_limited(path) {
        Ok(text) => {
            let sample =
                |name: &str| path.parent().and_then(|dir| read_limited(&dir.join(name)).ok()).unwrap_or_default();
            SourceFile { text, matches: sample("match.ndjson"), misses: sample("miss.ndjson"), ..empty(path) }
        }
        Err(problem) => SourceFile { problem: Some(problem), ..empty(path) },
    }
}

fn read_limited(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES {
        return Err(format!("{size} bytes are over the limit of {FILE_BYTES}"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_invalid| "not UTF-8".to_owned())
}

fn content_hash<'f>(files: impl Iterator<Item = &'f SourceFile>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(0).to_be_bytes());
        hash.update(text);
    };
    for file in files {
        for text in [&file.name, &file.text, &file.matches, &file.misses] {
            part(text);
        }
        part(file.problem.as_deref().unwrap_or(""));
    }
    hash.finalize().into()
}

fn build(files: Vec<SourceFile>, shape: &Shape, shaping: &[SourceFile]) -> RuleBook {
    let started = Instant::now();
    let hash = content_hash(files.iter().chain(shaping));
    let (options, mut diagnostics) = shape.options(shaping);
    let mut documents = Documents::default();
    let mut entries = BTreeMap::new();
    let mut with_correlations = Vec::new();
    for file in files {
        diagnostics.extend(file.problem.as_ref().map(|problem| file_problem(&file.name, problem)));
        let (found, said) = parse(&file.text, &file.name);
        for rule in &found.rules {
            entries.insert(rule.id.clone(), entry(rule, &file, (&found, &said)));
        }
        diagnostics.extend(said.iter().cloned());
        if !found.correlations.is_empty() {
            with_correlations.push((file, said));
        }
        documents.extend([found]);
    }
    let draft = CorrelationSet::draft(&documents);
    let (set, said) = RuleSet::compile(documents, &options);
    diagnostics.extend(said);
    let (correlations, said) = draft.compile(&set);
    diagnostics.extend(said);
    entries.retain(|id, _| set.get(id).is_some());
    let correlation_entries = correlation_entries(&correlations, &with_correlations);
    for (id, entry) in &correlation_entries {
        let case = Case::new(&correlations, &entries, entry);
        entries.extend(correlations.find(id).map(|one| (id.clone(), entry.as_rule_entry(one.as_rule(&set), case))));
    }
    let mut facts: HashMap<_, _> = set.rules().iter().map(|rule| (rule.id.clone(), Arc::new(facts_of(rule)))).collect();
    facts.extend(correlations.correlations().iter().map(|one| {
        let facts = correlations::facts_of(one);
        (facts.id.clone(), Arc::new(facts))
    }));
    RuleBook {
        set,
        correlations: Arc::new(correlations),
        entries,
        correlation_entries,
        diagnostics,
        took: started.elapsed(),
        facts,
        hash,
    }
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
fn entry(rule: &Rule, file: &SourceFile, (found, said): (&Documents, &[Diagnostic])) -> RuleEntry {
    let is_own = found.correlations.is_empty();
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| is_own && !line.trim().is_empty()).map(str::to_owned).collect()
    };
    RuleEntry {
        rule: Arc::new(rule.clone()),
        built_in: file.built_in,
        file: file.name.clone(),
        matches: lines(&file.matches),
        misses: lines(&file.misses),
        diagnostics: said.to_vec(),
        case: None,
        tests: OnceLock::new(),
    }
}

fn file_problem(file: &str, problem: &str) -> Diagnostic {
    Diagnostic {
        severity: DiagnosticSeverity::Error,
        code: "unreadable-file",
        file: file.to_owned(),
        line: 0,
        column: 0,
        message: problem.to_owned(),
        fix: "check that the file exists, is UTF-8 text and can be read by the server".to_owned(),
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
