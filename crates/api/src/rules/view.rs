//! A rule as it is shown: what it says, how the tenant set it, how it was tested, and how it did.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use shieldops_detect::{CompileOptions, Diagnostic, Rule, RuleSource};
use shieldops_model::{Attack, JobId, Severity, Timestamp};
use shieldops_pipeline::{
    Case, Content, NeededBy as Above, Neighbours, OwnCorrelation, RuleBook, RuleEntry, samples, story_lines,
};
use shieldops_store::{
    Access,
    alerts::{self, Score},
    exceptions::{self, Exception},
    own_rules::{self, OwnRule, Version, versions},
    rule_states::{self, RuleState, State},
    shadow::{self, Counts},
    throttles::{self, Limit, Throttle},
};
use utoipa::ToSchema;

use super::correlation::CorrelationView;
use crate::{Problem, auth::Caller, exceptions::names};

/// Days over which a rule's volume is measured.
const DAYS: u32 = 30;

#[derive(Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// The Sigma id.
    pub(crate) id: String,
    title: String,
    pub(crate) level: Severity,
    pub(crate) status: String,
    #[schema(value_type = Object)]
    log_source: RuleSource,
    /// Of a rule that correlates others.
    correlation: Option<CorrelationView>,
    tags: Vec<String>,
    attack: Attack,
    /// `built_in`, `directory` or `tenant`.
    origin: &'static str,
    file: String,
    version: String,
    /// Whether it raises alerts for this tenant.
    enabled: bool,
    state: State,
    /// A rule of the tenant that stands in for one from elsewhere.
    overrides: bool,
    /// Who set it last, and why; absent while nobody did.
    switched: Option<Switched>,
    /// Of a rule of the tenant: its newest version, and the one that runs or last ran.
    head: Option<i64>,
    live: Option<i64>,
    tests: TestCounts,
    alert_count: u64,
    last_fired: Option<Timestamp>,
    /// Exceptions that hold now and name this rule or any.
    exceptions: usize,
    /// Correlations that build on it.
    needed_by: Vec<NeededBy>,
    /// At most so many alerts in a time; absent where there is no limit.
    throttle: Option<Limit>,
    scorecard: Scorecard,
    diagnostics: Vec<DiagnosticView>,
}

/// A correlation that builds on a rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RuleNeededBy)]
struct NeededBy {
    id: String,
    title: String,
    state: State,
}

impl From<Above> for NeededBy {
    fn from(above: Above) -> Self {
        Self { id: above.id, title: above.title, state: above.state }
    }
}

/// How a rule was last set.
#[derive(Serialize, ToSchema)]
struct Switched {
    /// What its ETag says.
    version: i64,
    at: Timestamp,
    by: String,
    by_name: String,
    reason: String,
    /// A person enabled it without its proof.
    unproved: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TestCounts {
    #[serde(rename = "match")]
    matches: usize,
    miss: usize,
    passed: usize,
    failed: usize,
    /// `passed`, `failed`, or `none` for a rule without samples.
    verdict: &'static str,
}

impl TestCounts {
    pub(crate) fn new((matches, miss): (usize, usize), (passed, failed): (usize, usize)) -> Self {
        let verdict = match (matches + miss, failed) {
            (0, _) => "none",
            (_, 0) => "passed",
            _ => "failed",
        };
        Self { matches, miss, passed, failed, verdict }
    }
}

/// How a rule did.
#[derive(Serialize, ToSchema)]
struct Scorecard {
    /// Of the alerts that a person judged true or false, the part that is true. Benign ones are true: the rule saw what it
    /// looks for.
    precision: Option<f64>,
    judged: u64,
    true_positives: u64,
    false_positives: u64,
    benign: u64,
    /// Over the last 30 days.
    alerts_per_day: f64,
    last_fired: Option<Timestamp>,
    /// Matches of the last 30 days that raised no alert: while it was in shadow, and those that an exception took out.
    shadow_matches: u64,
    excepted_matches: u64,
    /// Matches of the last 30 days that were counted on another alert, because there were as many as the throttle allows.
    throttled_matches: u64,
}

impl Scorecard {
    fn new(score: Score, silent: Counts) -> Self {
        let right = score.true_positives + score.benign;
        let judged = right + score.false_positives;
        let ratio = |part: u64, whole: u64| f64::from(small(part)) / f64::from(small(whole));
        Self {
            precision: (judged > 0).then(|| ratio(right, judged)),
            judged,
            true_positives: score.true_positives,
            false_positives: score.false_positives,
            benign: score.benign,
            alerts_per_day: f64::from(small(score.recent)) / f64::from(DAYS),
            last_fired: score.last_fired,
            shadow_matches: silent.shadow,
            excepted_matches: silent.excepted,
            throttled_matches: silent.throttled,
        }
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DiagnosticView {
    /// `error`, `warning` or `info`.
    severity: &'static str,
    code: &'static str,
    file: String,
    line: usize,
    column: usize,
    message: String,
    fix: String,
}

impl From<&Diagnostic> for DiagnosticView {
    fn from(said: &Diagnostic) -> Self {
        Self {
            severity: said.severity.as_str(),
            code: said.code,
            file: said.file.clone(),
            line: said.line,
            column: said.column,
            message: said.message.clone(),
            fix: said.fix.clone(),
        }
    }
}

/// A rule of this tenant: from the book, or a row of its own.
pub(crate) struct Subject {
    pub(crate) rule: Arc<Rule>,
    pub(crate) matches: Vec<String>,
    pub(crate) misses: Vec<String>,
    file: String,
    origin: &'static str,
    /// Its row, where the tenant owns it.
    pub(crate) own: Option<OwnRule>,
    /// How it is compiled.
    pub(crate) options: Arc<CompileOptions>,
    /// A correlation of the tenant.
    pub(crate) correlation: Option<OwnCorrelation>,
    /// Of any correlation: what its stories need.
    pub(crate) case: Option<Arc<Case>>,
    /// It could run: what it refers to is there.
    pub(crate) usable: bool,
    pub(crate) diagnostics: Vec<Diagnostic>,
    tests: (usize, usize),
}

impl Subject {
    /// A rule of the book. Blocking: it may be tried on its samples.
    pub(crate) fn of_book(entry: &RuleEntry, neighbours: &Neighbours) -> Self {
        Self {
            rule: Arc::clone(&entry.rule),
            matches: entry.matches.clone(),
            misses: entry.misses.clone(),
            diagnostics: entry.diagnostics.clone(),
            file: entry.file.clone(),
            origin: if entry.built_in { "built_in" } else { "directory" },
            own: None,
            options: Arc::clone(neighbours.base_options()),
            correlation: None,
            case: entry.case().map(Arc::clone),
            usable: true,
            tests: entry.tests(),
        }
    }

    /// A version of a rule of the tenant; nothing when its text is no rule any more. Blocking.
    pub(crate) fn of_version(row: &OwnRule, version: Version, neighbours: &Neighbours) -> Option<Self> {
        let (read, diagnostics) = neighbours.rule(&version.written.text);
        let read = read?;
        let (matches, misses) = (&version.written.matches, &version.written.misses);
        let case = read.correlation.as_ref().and_then(|correlation| correlation.case.clone());
        let tests = match (&read.correlation, &case) {
            (Some(_), Some(case)) => case.tests(&story_lines(matches), &story_lines(misses)),
            (Some(_), None) => (0, matches.len().saturating_add(misses.len())),
            (None, _) => {
                let report = samples::check_with(&read.rule, neighbours.options(), matches, misses);
                (report.passed, report.failed)
            }
        };
        Some(Self {
            rule: Arc::new(read.rule),
            options: Arc::clone(neighbours.options()),
            correlation: read.correlation,
            case,
            usable: read.usable,
            matches: version.written.matches,
            misses: version.written.misses,
            diagnostics,
            file: format!("version {}", version.number),
            origin: "tenant",
            own: Some(row.clone()),
            tests,
        })
    }

    pub(crate) fn test_counts(&self) -> TestCounts {
        TestCounts::new((self.matches.len(), self.misses.len()), self.tests)
    }

    /// It has samples, and all come out as they should.
    pub(crate) fn is_tested(&self) -> bool {
        self.tests.0 > 0 && self.tests.1 == 0
    }

    /// Samples that do not come out as they should.
    pub(crate) fn failed(&self) -> usize {
        self.tests.1
    }
}

/// What the tenant's rows say of rules.
pub(crate) struct Tenant {
    scores: HashMap<String, Score>,
    silent: HashMap<String, Counts>,
    states: BTreeMap<String, RuleState>,
    pub(crate) rows: BTreeMap<String, OwnRule>,
    heads: BTreeMap<String, Version>,
    exceptions: Vec<Exception>,
    throttles: BTreeMap<String, Throttle>,
    pub(crate) neighbours: Neighbours,
    default: State,
}

impl Tenant {
    pub(crate) async fn read(caller: &Caller, content: &Content) -> Result<Self, Problem> {
        let mut reader = caller.scope.read().await?;
        let month = caller.now().minus(Duration::from_hours(24 * u64::from(DAYS)));
        let rows = own_rules::all(&mut reader).await?;
        Ok(Self {
            scores: alerts::scores(&mut reader, month).await?,
            silent: shadow::counts(&mut reader, month).await?,
            states: rule_states::all(&mut reader).await?,
            rows: rows.into_iter().map(|row| (row.rule_id.clone(), row)).collect(),
            heads: versions::heads(&mut reader).await?.into_iter().collect(),
            exceptions: exceptions::after(&mut reader, caller.now()).await?,
            throttles: throttles::all(&mut reader).await?,
            neighbours: Neighbours::read(&mut reader, content).await?,
            default: content.default_state(),
        })
    }

    /// The rule of this id, the tenant's own first. Blocking.
    pub(crate) fn subject(&self, book: &RuleBook, id: &str) -> Option<Subject> {
        let own = self.rows.get(id).zip(self.heads.get(id));
        let own = own.and_then(|(row, version)| Subject::of_version(row, version.clone(), &self.neighbours));
        own.or_else(|| book.entries.get(id).map(|entry| Subject::of_book(entry, &self.neighbours)))
    }

    pub(crate) fn state(&self, id: &str) -> State {
        match self.rows.get(id) {
            Some(row) => row.state,
            None => self.states.get(id).map_or(self.default, |state| state.state),
        }
    }

    /// What a rule's ETag says; 0 while nobody set it.
    pub(crate) fn version(&self, id: &str) -> i64 {
        match self.rows.get(id) {
            Some(row) => row.version,
            None => self.states.get(id).map_or(0, |state| state.version),
        }
    }

    fn switched(&self, id: &str) -> Option<Switched> {
        if let Some(row) = self.rows.get(id) {
            return Some(Switched {
                version: row.version,
                at: row.updated_at,
                by: row.by.clone(),
                by_name: row.by_name.clone(),
                reason: row.reason.clone(),
                unproved: row.unproved,
            });
        }
        self.states.get(id).map(|state| Switched {
            version: state.version,
            at: state.at,
            by: state.by.clone(),
            by_name: state.by_name.clone(),
            reason: state.reason.clone(),
            unproved: false,
        })
    }

    pub(crate) fn view(&self, subject: &Subject, book: &RuleBook) -> RuleView {
        let rule = &subject.rule;
        let score = self.scores.get(&rule.id).copied().unwrap_or_default();
        let silent = self.silent.get(&rule.id).copied().unwrap_or_default();
        let state = self.state(&rule.id);
        let named = |exception: &&Exception| exception.rules.is_empty() || names(exception, rule);
        RuleView {
            id: rule.id.clone(),
            title: rule.title.clone(),
            level: rule.level,
            status: rule.status.clone(),
            log_source: rule.log_source.clone(),
            correlation: match (&subject.own, &subject.correlation) {
                (Some(_), correlation) => correlation.as_ref().map(CorrelationView::of_own),
                (None, _) => book.correlation_entries.get(&rule.id).map(CorrelationView::of),
            },
            tags: rule.tags.clone(),
            attack: rule.attack.clone(),
            origin: subject.origin,
            file: subject.file.clone(),
            version: rule.version.clone(),
            enabled: state == State::Enabled,
            state,
            overrides: state.runs() && subject.own.is_some() && book.entries.contains_key(&rule.id),
            switched: self.switched(&rule.id),
            head: subject.own.as_ref().map(|row| row.head),
            live: subject.own.as_ref().and_then(|row| row.live),
            tests: subject.test_counts(),
            alert_count: score.alerts,
            last_fired: score.last_fired,
            exceptions: self.exceptions.iter().filter(named).count(),
            needed_by: self.neighbours.needed_by(&rule.id).into_iter().map(NeededBy::from).collect(),
            throttle: self.throttles.get(&rule.id).and_then(|throttle| throttle.limit),
            scorecard: Scorecard::new(score, silent),
            diagnostics: subject.diagnostics.iter().map(DiagnosticView::from).collect(),
        }
    }
}

/// The rule of this id as the tenant has it, without what is counted of it.
pub(crate) async fn find(access: &mut impl Access, content: &Content, id: &str) -> Result<Subject, Problem> {
    let (book, neighbours) = (content.book(), Neighbours::read(access, content).await?);
    let row = own_rules::find(access, id).await?;
    let version = match &row {
        Some(row) => versions::find(access, id, row.head).await?,
        None => None,
    };
    let id = id.to_owned();
    let found = move || {
        let own = row.zip(version).and_then(|(row, version)| Subject::of_version(&row, version, &neighbours));
        own.or_else(|| book.entries.get(&id).map(|entry| Subject::of_book(entry, &neighbours)))
    };
    super::blocking(found).await?.ok_or_else(Problem::not_found)
}

/// A version of a rule of the tenant.
pub(crate) async fn version(
    access: &mut impl Access,
    content: &Content,
    row: OwnRule,
    number: i64,
) -> Result<Subject, Problem> {
    let version = versions::find(access, &row.rule_id, number).await?;
    let version = version.ok_or_else(|| Problem::invalid(format!("`version` is 1 to {}", row.head)))?;
    let neighbours = Neighbours::read(access, content).await?;
    let found = super::blocking(move || Subject::of_version(&row, version, &neighbours)).await?;
    found.ok_or_else(|| Problem::invalid(format!("version {number} is no rule any more")))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RuleDetail {
    #[serde(flatten)]
    rule: RuleView,
    /// The rule's own text; of a rule of the tenant, that of its newest version.
    source: String,
    description: String,
    references: Vec<String>,
    falsepositives: Vec<String>,
    /// What to look at first when it fires.
    triage: String,
    samples: Samples,
    proof: Proof,
}

#[derive(Serialize, ToSchema)]
struct Samples {
    #[serde(rename = "match")]
    matches: Vec<String>,
    miss: Vec<String>,
}

/// What there is to show before a rule of the tenant may be enabled.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleProof)]
pub(crate) struct Proof {
    /// A backtest of this version that looked at all of its window.
    pub(crate) backtest: Option<JobId>,
    pub(crate) backtest_at: Option<Timestamp>,
    /// On how many events it was tried: on none, it shows nothing.
    pub(crate) backtest_events: Option<u64>,
    pub(crate) ready: bool,
    /// `tests_missing`, `tests_failed` or `backtest_missing`.
    pub(crate) missing: Vec<String>,
}

impl RuleDetail {
    pub(crate) fn new(tenant: &Tenant, subject: Subject, book: &RuleBook, proof: Proof) -> Self {
        Self {
            rule: tenant.view(&subject, book),
            source: subject.rule.text.clone(),
            description: subject.rule.description.clone(),
            references: subject.rule.references.clone(),
            falsepositives: subject.rule.falsepositives.clone(),
            triage: subject.rule.triage.clone(),
            samples: Samples { matches: subject.matches, miss: subject.misses },
            proof,
        }
    }
}
