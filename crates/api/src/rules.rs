//! Rules: those that everybody has, and the tenant's own. List, read, try, reload.

pub(crate) mod backtests;
pub(crate) mod bundle;
pub(crate) mod correlation;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod matches;
pub(crate) mod proof;
pub(crate) mod raised;
pub(crate) mod switch;
pub(crate) mod throttle;
pub(crate) mod trying;
pub(crate) mod versions;
pub(crate) mod view;
pub(crate) mod write;

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use shieldops_bus::Stop;
use shieldops_detect::{CompileOptions, Rule, testing::SampleResult};
use shieldops_model::{Code, Severity};
use shieldops_pipeline::{Neighbours, OwnRule, samples};
use shieldops_store::rule_states;
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    alerts::FieldMatch,
    auth::Caller,
    page::{Body, Filter, ListQuery},
    precondition::Tagged,
};
use trying::trying;
use view::{DiagnosticView, RuleDetail, RuleView, Subject, Tenant};

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
    #[param(value_type = Option<rule_states::State>)]
    state: Option<String>,
    /// `built_in`, `directory` or `tenant`.
    origin: Option<String>,
}

/// The filters of a list, read.
struct Wanted {
    text: Option<String>,
    level: Option<Severity>,
    status: Option<String>,
    enabled: Option<bool>,
    state: Option<rule_states::State>,
    origin: Option<String>,
}

impl Wanted {
    fn of(filter: &RuleFilter) -> Result<Self, Problem> {
        let state = filter.state.as_deref().map(|text| {
            rule_states::State::parse(text)
                .ok_or_else(|| Problem::invalid(format!("`state` has no value `{text:.80}`")))
        });
        Ok(Self {
            text: filter.q.as_ref().map(|text| text.to_lowercase()),
            level: crate::alerts::severity(filter.level.as_ref())?,
            status: filter.status.clone(),
            enabled: filter.enabled,
            state: state.transpose()?,
            origin: filter.origin.clone(),
        })
    }

    fn state(&self, state: rule_states::State) -> bool {
        self.state.is_none_or(|wanted| wanted == state)
            && self.enabled.is_none_or(|enabled| enabled == (state == rule_states::State::Enabled))
    }

    fn origin(&self, origin: &str) -> bool {
        self.origin.as_ref().is_none_or(|wanted| wanted == origin)
    }

    fn rule(&self, rule: &Rule) -> bool {
        self.level.is_none_or(|level| rule.level == level)
            && self.status.as_ref().is_none_or(|status| rule.status == *status)
            && self.text.as_ref().is_none_or(|text| rule.title.to_lowercase().contains(text) || rule.id.contains(text))
    }
}

impl Filter for RuleFilter {
    const SORTS: &'static [&'static str] = &["id"];
}

type RuleQuery = ListQuery<RuleFilter>;

/// Rules in use and drafts, by id.
#[utoipa::path(get, path = "/api/v1/rules", operation_id = "list_rules", tag = "rules", params(RuleQuery), responses((status = 200, body = List<RuleView>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: RuleQuery,
) -> Result<Json<List<RuleView>>, Problem> {
    let wanted = Wanted::of(&query.filter)?;
    let content = Arc::clone(&app.pipeline.content);
    let tenant = Tenant::read(&caller, &content).await?;
    let (limit, after) = (query.page().limit(), query.page().cursor.clone().unwrap_or_default());
    let mut items = blocking(move || page(&content.book(), &tenant, &wanted, (&after, limit + 1))).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more).map(|rule| rule.id.as_str());
    let next_cursor = query.seal(last);
    Ok(Json(List { items, next_cursor }))
}

fn page(
    book: &shieldops_pipeline::RuleBook,
    tenant: &Tenant,
    wanted: &Wanted,
    (after, most): (&str, usize),
) -> Vec<RuleView> {
    let ids: BTreeSet<&String> = book.entries.keys().chain(tenant.rows.keys()).collect();
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| id.as_str() > after && wanted.state(tenant.state(id))) {
        let subject = match book.entries.get(id) {
            // What can be told without trying it on its samples.
            Some(entry) if !tenant.rows.contains_key(id) => {
                let origin = if entry.built_in { "built_in" } else { "directory" };
                (wanted.rule(&entry.rule) && wanted.origin(origin)).then(|| Subject::of_book(entry, &tenant.neighbours))
            }
            _ => tenant.subject(book, id).filter(|subject| wanted.rule(&subject.rule) && wanted.origin("tenant")),
        };
        found.extend(subject.map(|subject| tenant.view(&subject, book)));
        if found.len() >= most {
            break;
        }
    }
    found
}

/// One rule, with its text and samples.
#[utoipa::path(get, path = "/api/v1/rules/{id}", operation_id = "get_rule", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = RuleDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Tagged<RuleDetail>, Problem> {
    detail(&app, &caller, id).await
}

/// A rule as it is now.
pub(crate) async fn detail(app: &App, caller: &Caller, id: String) -> Result<Tagged<RuleDetail>, Problem> {
    let tenant = Tenant::read(caller, &app.pipeline.content).await?;
    let book = app.pipeline.content.book();
    let found = move || {
        let subject = tenant.subject(&book, &id);
        (subject, tenant, book)
    };
    let (subject, tenant, book) = blocking(found).await?;
    let subject = subject.ok_or_else(Problem::not_found)?;
    let proof = proof::of(&mut caller.scope.read().await?, &subject).await?;
    let version = tenant.version(&subject.rule.id);
    Ok(Tagged(version, RuleDetail::new(&tenant, subject, &book, proof)))
}

/// Work on the processor, away from the threads that answer.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_ended| Problem::new(Code::INTERNAL, Code::INTERNAL.help))
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
pub(crate) struct TestResult {
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
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<TestBody>,
) -> Result<Json<TestAnswer>, Problem> {
    if body.events.as_ref().is_some_and(|events| events.len() > 100) {
        return Err(Problem::invalid("`events` holds at most 100"));
    }
    if body.events.iter().flatten().any(|event| !event.is_object()) {
        return Err(Problem::invalid("`events` holds objects"));
    }
    let subject = view::find(&mut caller.scope.read().await?, &app.pipeline.content, &id).await?;
    let work = move |stop: &Stop| tried(&subject, body.events.as_deref(), stop);
    Ok(Json(trying(caller.scope.tenant(), work).await?))
}

fn tried(subject: &Subject, events: Option<&[serde_json::Value]>, stop: &Stop) -> Option<TestAnswer> {
    let (rule, options) = (&subject.rule, &subject.options);
    match (&subject.case, events) {
        (Some(case), Some(events)) => correlation::tried(case, events, stop),
        (Some(case), None) => correlation::test(case, &subject.matches, &subject.misses, stop),
        (None, Some(events)) => {
            let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
            TestAnswer::tried(rule, options, &lines, stop)
        }
        (None, None) => TestAnswer::of(rule, options, (&subject.matches, &subject.misses), stop),
    }
}

impl TestAnswer {
    /// Events that nobody said anything of.
    fn tried(rule: &Rule, options: &CompileOptions, lines: &[String], stop: &Stop) -> Option<Self> {
        let results = results(rule, options, (lines, &[]), stop)?;
        let results = results.into_iter().map(|result| TestResult { expected: None, ok: true, ..result }).collect();
        Some(Self { results, passed: 0, failed: 0 })
    }

    /// Samples; nothing when it had to stop. Blocking.
    fn of(rule: &Rule, options: &CompileOptions, samples: (&[String], &[String]), stop: &Stop) -> Option<Self> {
        let results = results(rule, options, samples, stop)?;
        let passed = results.iter().filter(|result| result.ok).count();
        Some(Self { failed: results.len() - passed, passed, results })
    }

    /// What a tenant wrote; nothing when it had to stop. A correlation that cannot be used finds nothing. Blocking.
    pub(crate) fn of_own(
        own: &OwnRule,
        neighbours: &Neighbours,
        samples: (&[String], &[String]),
        stop: &Stop,
    ) -> Option<Self> {
        match own.correlation.as_ref().map(|correlation| correlation.case.as_ref()) {
            Some(Some(case)) => correlation::test(case, samples.0, samples.1, stop),
            Some(None) => Some(Self::none()),
            None => Self::of(&own.rule, neighbours.options(), samples, stop),
        }
    }

    pub(crate) fn none() -> Self {
        Self { results: Vec::new(), passed: 0, failed: 0 }
    }
}

fn results(
    rule: &Rule,
    options: &CompileOptions,
    (matches, misses): (&[String], &[String]),
    stop: &Stop,
) -> Option<Vec<TestResult>> {
    let mut lines = matches.iter().chain(misses);
    let result = |result: SampleResult| TestResult {
        event: lines.next().cloned().unwrap_or_default(),
        expected: Some(if result.expected { "match" } else { "miss" }),
        matched: result.matched,
        ok: result.ok,
        fields: result.fields.into_iter().map(FieldMatch::from).collect(),
    };
    let report = samples::check_until(rule, options, (matches, misses), stop)?;
    Some(report.results.into_iter().map(result).collect())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReloadAnswer {
    loaded: usize,
    failed: usize,
    diagnostics: Vec<DiagnosticView>,
    took_ms: u64,
}

/// Looks at the directories of rules and the files of indicators now.
#[utoipa::path(post, path = "/api/v1/rules/reload", operation_id = "reload_rules", tag = "rules", responses((status = 200, body = ReloadAnswer)))]
pub(crate) async fn reload(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<ReloadAnswer>, Problem> {
    let content = Arc::clone(&app.pipeline.content);
    let before = content.book();
    let tables = Arc::clone(&app.pipeline.indicators);
    let book = blocking(move || {
        tables.reload_files();
        content.reload()
    })
    .await?;
    let of_files = app.pipeline.indicators.file_diagnostics();
    if !Arc::ptr_eq(&before, &book) {
        let mut tx = caller.scope.begin().await?;
        tx.record("rules.reloaded", &[], book.summary())?;
        tx.announce("rule", "all");
        tx.commit(caller.scope.store().clock().now()).await?;
    }
    Ok(Json(ReloadAnswer {
        loaded: book.set.len(),
        failed: book.failed(),
        diagnostics: book.diagnostics.iter().chain(&of_files).take(1_000).map(DiagnosticView::from).collect(),
        took_ms: u64::try_from(book.took.as_millis()).unwrap_or(u64::MAX),
    }))
}
