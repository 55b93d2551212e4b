//! Rules: list, read, switch on and off, test against samples, reload.

pub(crate) mod switch;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use shieldops_detect::{
    Diagnostic, RuleSource,
    testing::{Sample, check_samples},
};
use shieldops_ingest::{normalise_parts, recognise};
use shieldops_model::{Attack, Code, Normalised, Severity, Timestamp};
use shieldops_pipeline::RuleEntry;
use shieldops_store::{
    alerts,
    rule_states::{self, RuleState},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    alerts::FieldMatch,
    auth::Caller,
    page::{Body, Filter, ListQuery},
    precondition::Tagged,
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RuleFilter {
    /// Part of title or id.
    q: Option<String>,
    #[param(value_type = Option<Severity>)]
    level: Option<String>,
    /// Sigma's status.
    status: Option<String>,
    /// Whether it raises alerts for this tenant.
    enabled: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// The Sigma id.
    id: String,
    title: String,
    level: Severity,
    status: String,
    #[schema(value_type = Object)]
    log_source: RuleSource,
    tags: Vec<String>,
    attack: Attack,
    /// `built_in` or `directory`.
    origin: &'static str,
    file: String,
    version: String,
    /// Whether it raises alerts for this tenant.
    enabled: bool,
    /// Who switched it last, and why; absent while nobody did.
    switched: Option<Switched>,
    tests: TestCounts,
    alert_count: u64,
    last_fired: Option<Timestamp>,
    diagnostics: Vec<DiagnosticView>,
}

/// How a rule was last switched on or off.
#[derive(Serialize, ToSchema)]
struct Switched {
    /// What its ETag says.
    version: i64,
    at: Timestamp,
    by: String,
    by_name: String,
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct TestCounts {
    #[serde(rename = "match")]
    matches: usize,
    miss: usize,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DiagnosticView {
    /// `error`, `warning` or `info`.
    severity: String,
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
            severity: format!("{:?}", said.severity).to_lowercase(),
            code: said.code,
            file: said.file.clone(),
            line: said.line,
            column: said.column,
            message: said.message.clone(),
            fix: said.fix.clone(),
        }
    }
}

/// What the tenant's own rows say of rules.
struct Own {
    fired: HashMap<String, (u64, Timestamp)>,
    states: BTreeMap<String, RuleState>,
}

impl Own {
    async fn read(caller: &Caller) -> Result<Self, Problem> {
        let mut reader = caller.scope.read().await?;
        let fired = alerts::by_rule(&mut reader).await?;
        let fired = fired.into_iter().map(|(rule, count, last)| (rule, (count, last))).collect();
        Ok(Self { fired, states: rule_states::all(&mut reader).await? })
    }

    fn enabled(&self, rule_id: &str) -> bool {
        self.states.get(rule_id).is_none_or(|state| state.enabled)
    }

    /// What a rule's ETag says; 0 while nobody switched it.
    fn version(&self, rule_id: &str) -> i64 {
        self.states.get(rule_id).map_or(0, |state| state.version)
    }
}

impl From<&RuleState> for Switched {
    fn from(state: &RuleState) -> Self {
        Self {
            version: state.version,
            at: state.at,
            by: state.by.clone(),
            by_name: state.by_name.clone(),
            reason: state.reason.clone(),
        }
    }
}

fn view(entry: &RuleEntry, own: &Own) -> RuleView {
    let rule = &entry.rule;
    let (alert_count, last_fired) = own.fired.get(&rule.id).map_or((0, None), |(count, last)| (*count, Some(*last)));
    RuleView {
        id: rule.id.clone(),
        title: rule.title.clone(),
        level: rule.level,
        status: rule.status.clone(),
        log_source: rule.log_source.clone(),
        tags: rule.tags.clone(),
        attack: rule.attack.clone(),
        origin: if entry.built_in { "built_in" } else { "directory" },
        file: entry.file.clone(),
        version: rule.version.clone(),
        enabled: own.enabled(&rule.id),
        switched: own.states.get(&rule.id).map(Switched::from),
        tests: TestCounts { matches: entry.matches.len(), miss: entry.misses.len() },
        alert_count,
        last_fired,
        diagnostics: entry.diagnostics.iter().map(DiagnosticView::from).collect(),
    }
}

impl Filter for RuleFilter {
    const SORTS: &'static [&'static str] = &["id"];
}

type RuleQuery = ListQuery<RuleFilter>;

/// Rules in use, by id.
#[utoipa::path(get, path = "/api/v1/rules", operation_id = "list_rules", tag = "rules", params(RuleQuery), responses((status = 200, body = List<RuleView>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: RuleQuery,
) -> Result<Json<List<RuleView>>, Problem> {
    let (page, params) = (query.page(), &query.filter);
    let level = crate::alerts::severity(params.level.as_ref())?;
    let wanted = params.q.as_ref().map(|text| text.to_lowercase());
    let own = Own::read(&caller).await?;
    let book = app.pipeline.content.book();
    let after = page.cursor.clone().unwrap_or_default();
    let matching = book.entries.iter().filter(|(id, entry)| {
        **id > after
            && level.is_none_or(|level| entry.rule.level == level)
            && params.status.as_ref().is_none_or(|status| entry.rule.status == *status)
            && params.enabled.is_none_or(|enabled| own.enabled(id) == enabled)
            && wanted.as_ref().is_none_or(|text| entry.rule.title.to_lowercase().contains(text) || id.contains(text))
    });
    let mut items: Vec<RuleView> = matching.take(page.limit() + 1).map(|(_, entry)| view(entry, &own)).collect();
    let more = items.len() > page.limit();
    items.truncate(page.limit());
    let last = items.last().filter(|_| more).map(|rule| rule.id.as_str());
    let next_cursor = query.seal(last);
    Ok(Json(List { items, next_cursor }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RuleDetail {
    #[serde(flatten)]
    rule: RuleView,
    /// The rule's own text.
    source: String,
    description: String,
    references: Vec<String>,
    falsepositives: Vec<String>,
    samples: Samples,
}

#[derive(Serialize, ToSchema)]
struct Samples {
    #[serde(rename = "match")]
    matches: Vec<String>,
    miss: Vec<String>,
}

impl RuleDetail {
    fn new(entry: &RuleEntry, own: &Own) -> Self {
        Self {
            rule: view(entry, own),
            source: entry.rule.text.clone(),
            description: entry.rule.description.clone(),
            references: entry.rule.references.clone(),
            falsepositives: entry.rule.falsepositives.clone(),
            samples: Samples { matches: entry.matches.clone(), miss: entry.misses.clone() },
        }
    }
}

/// One rule, with its text and samples.
#[utoipa::path(get, path = "/api/v1/rules/{id}", operation_id = "get_rule", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = RuleDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Tagged<RuleDetail>, Problem> {
    let own = Own::read(&caller).await?;
    let book = app.pipeline.content.book();
    let entry = book.entries.get(&id).ok_or_else(Problem::not_found)?;
    Ok(Tagged(own.version(&id), RuleDetail::new(entry, &own)))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestBody {
    /// Events to try, as they would be sent; the rule's own samples when absent. At most 100.
    #[schema(value_type = Option<Vec<Object>>)]
    events: Option<Vec<serde_json::Value>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TestAnswer {
    results: Vec<TestResult>,
    passed: usize,
    failed: usize,
}

#[derive(Serialize, ToSchema)]
struct TestResult {
    event: String,
    /// `match` or `miss` for a sample; absent for an event that was sent to try.
    expected: Option<&'static str>,
    matched: bool,
    ok: bool,
    fields: Vec<FieldMatch>,
}

/// Tries a rule on its samples, or on the events sent.
#[utoipa::path(post, path = "/api/v1/rules/{id}/test", operation_id = "test_rule", tag = "rules", params(("id" = String, Path)), request_body = TestBody,
    responses((status = 200, body = TestAnswer), (status = 404, body = Problem)))]
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    _caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<TestBody>,
) -> Result<Json<TestAnswer>, Problem> {
    let book = app.pipeline.content.book();
    if body.events.as_ref().is_some_and(|events| events.len() > 100) {
        return Err(Problem::invalid("`events` holds at most 100"));
    }
    if body.events.iter().flatten().any(|event| !event.is_object()) {
        return Err(Problem::invalid("`events` holds objects"));
    }
    let tried = tokio::task::spawn_blocking(move || book.entries.get(&id).map(|entry| answer(entry, body))).await;
    let tried = tried.map_err(|_ended| Problem::new(Code::INTERNAL, Code::INTERNAL.help))?;
    tried.map(Json).ok_or_else(Problem::not_found)
}

fn answer(entry: &RuleEntry, body: TestBody) -> TestAnswer {
    if let Some(events) = body.events {
        let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
        let results = run(entry, &lines, &[])
            .into_iter()
            .map(|result| TestResult { expected: None, ok: true, ..result })
            .collect();
        return TestAnswer { results, passed: 0, failed: 0 };
    }
    let results = run(entry, &entry.matches, &entry.misses);
    let passed = results.iter().filter(|result| result.ok).count();
    TestAnswer { failed: results.len() - passed, passed, results }
}

/// Normalises samples as intake would, and tries the rule on them.
fn run(entry: &RuleEntry, matches: &[String], misses: &[String]) -> Vec<TestResult> {
    let normalised = |lines: &[String]| -> Vec<Normalised> {
        let one = |line: &String| {
            let seen = recognise(line.as_bytes(), None);
            normalise_parts(&seen.source, seen.format, line.as_bytes()).0
        };
        lines.iter().map(one).collect()
    };
    let (hits, near) = (normalised(matches), normalised(misses));
    let hit_samples: Vec<Sample<'_>> = hits.iter().map(sample).collect();
    let miss_samples: Vec<Sample<'_>> = near.iter().map(sample).collect();
    let report = check_samples(&entry.rule, &hit_samples, &miss_samples);
    let mut lines = matches.iter().chain(misses);
    let result = |result: shieldops_detect::testing::SampleResult| TestResult {
        event: lines.next().cloned().unwrap_or_default(),
        expected: Some(if result.expected { "match" } else { "miss" }),
        matched: result.matched,
        ok: result.ok,
        fields: result.fields.into_iter().map(FieldMatch::from).collect(),
    };
    report.results.into_iter().map(result).collect()
}

fn sample(seen: &Normalised) -> Sample<'_> {
    Sample { source: Some(&seen.log_source), line: &seen.flat }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReloadAnswer {
    loaded: usize,
    failed: usize,
    diagnostics: Vec<DiagnosticView>,
    took_ms: u64,
}

/// Looks at the directories of rules now.
#[utoipa::path(post, path = "/api/v1/rules/reload", operation_id = "reload_rules", tag = "rules", responses((status = 200, body = ReloadAnswer)))]
pub(crate) async fn reload(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<ReloadAnswer>, Problem> {
    let content = Arc::clone(&app.pipeline.content);
    let before = content.book();
    let book = tokio::task::spawn_blocking(move || content.reload())
        .await
        .map_err(|_ended| Problem::new(Code::INTERNAL, "the reload was stopped"))?;
    if !Arc::ptr_eq(&before, &book) {
        let mut tx = caller.scope.begin().await?;
        tx.record("rules.reloaded", &[], book.summary())?;
        tx.announce("rule", "all");
        tx.commit(caller.scope.store().clock().now()).await?;
    }
    Ok(Json(ReloadAnswer {
        loaded: book.set.len(),
        failed: book.failed(),
        diagnostics: book.diagnostics.iter().take(1_000).map(DiagnosticView::from).collect(),
        took_ms: u64::try_from(book.took.as_millis()).unwrap_or(u64::MAX),
    }))
}
