//! The ledger: list, verify, export.

pub(crate) mod installation;
mod table;
mod turns;

use std::sync::{Arc, LazyLock};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_model::{Code, Timestamp};
use shieldops_store::{
    PageRequest, StoreError,
    ledger::{self, Entry, Uncovered},
};
use utoipa::{IntoParams, ToSchema};

use self::turns::{Turn, Turns};
use crate::{
    App, List, Problem,
    auth::Caller,
    exports::Exports,
    page::{Filter, ListQuery, Params, parse},
};

/// Entries read at a time for a table.
const PAGE: u32 = 200;
/// Entries of one table.
const EXPORTED: usize = 50_000;
static EXPORTS: Exports = Exports::new();
static TURNS: LazyLock<Turns> = LazyLock::new(Turns::new);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntryFilter {
    /// A kind or its beginning: `plan.approved`, `plan.`.
    kind: Option<String>,
    /// An id that the entry is about.
    subject: Option<String>,
    /// Who acted: `usr_…`, `tok_…` or `system:…`. It is sealed in each entry, so entries are looked through, newest first;
    /// `searched` says how many were for this page, and a page with few items or none can have a cursor.
    actor: Option<String>,
    /// Recorded at this time or later.
    #[param(value_type = Option<Timestamp>)]
    from: Option<String>,
    /// Recorded before this time.
    #[param(value_type = Option<Timestamp>)]
    to: Option<String>,
}

impl Filter for EntryFilter {
    const SORTS: &'static [&'static str] = &["-seq"];
}

type EntryQuery = ListQuery<EntryFilter>;

/// A page of entries, and how far the search for an actor looked.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryList {
    items: Vec<Entry>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    searched: Option<EntriesSearched>,
}

#[derive(Serialize, ToSchema)]
struct EntriesSearched {
    /// Entries looked at for this page.
    entries: u64,
    /// False when there is more to look at, with the cursor.
    complete: bool,
}

/// Entries, newest first.
#[utoipa::path(get, path = "/api/v1/ledger", operation_id = "list_ledger", tag = "ledger", params(EntryQuery), responses((status = 200, body = EntryList)))]
pub(crate) async fn list(caller: Caller, query: EntryQuery) -> Result<Json<EntryList>, Problem> {
    let asked = &query.filter;
    let filter = ledger::Filter {
        kind: asked.kind.clone(),
        subject: asked.subject.clone(),
        from: parse("from", asked.from.as_ref())?,
        to: parse("to", asked.to.as_ref())?,
    };
    let mut reader = caller.scope.read().await?;
    let (page, searched) = match &asked.actor {
        None => (ledger::list(&mut reader, &filter, query.page()).await?, None),
        Some(actor) => {
            let found = ledger::by_actor(&mut reader, &filter, actor, query.page()).await?;
            let complete = found.page.next_cursor.is_none();
            (found.page, Some(EntriesSearched { entries: found.looked, complete }))
        }
    };
    let List { items, next_cursor } = query.answer(page);
    Ok(Json(EntryList { items, next_cursor, searched }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Verification {
    ok: bool,
    entries: u64,
    head: Head,
    /// Entries that the last signed checkpoint covers.
    checkpoint_size: u64,
    first_bad: Option<FirstBad>,
    /// What this proof does not reach.
    uncovered: Vec<UncoveredView>,
    /// Events stored and not yet covered by an entry of their segment.
    uncovered_events: u64,
    checked_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Head {
    size: u64,
    root: String,
}

#[derive(Serialize, ToSchema)]
struct FirstBad {
    seq: Option<u64>,
    why: String,
}

#[derive(Serialize, ToSchema)]
struct UncoveredView {
    what: String,
    why: String,
}

/// Proves the ledger from the first entry to the signed head, on a copy.
#[utoipa::path(get, path = "/api/v1/ledger/verify", operation_id = "verify_ledger", tag = "ledger", responses((status = 200, body = Verification), (status = 429, body = Problem)))]
pub(crate) async fn verify(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Verification>, Problem> {
    let _turn = TURNS.take(caller.scope.tenant()).await?;
    let report = app.store.verify_log(caller.scope.tenant()).await?;
    let log = report.logs.into_iter().next().ok_or_else(Problem::not_found)?;
    let bus = app.pipeline.stats(caller.scope.tenant());
    Ok(Json(Verification {
        ok: log.ok,
        entries: log.entries,
        head: Head { size: log.entries, root: log.root },
        checkpoint_size: log.checkpoint_size,
        first_bad: log.first_bad.map(|bad| FirstBad { seq: bad.seq, why: bad.why }),
        uncovered: report.uncovered.into_iter().map(|Uncovered { what, why }| UncoveredView { what, why }).collect(),
        uncovered_events: bus.unsealed_events,
        checked_at: app.store.clock().now(),
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ExportFormat {
    /// Everything, as NDJSON that `shieldops ledger verify` proves offline.
    #[default]
    Proof,
    /// Entries, one a line.
    Ndjson,
    /// Entries as a table; what a spreadsheet would run as a formula is made text.
    Csv,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// A proof is of everything; the other two take the filters of the list.
    #[param(inline)]
    format: Option<ExportFormat>,
    /// A kind or its beginning: `plan.approved`, `plan.`.
    kind: Option<String>,
    /// An id that the entry is about.
    subject: Option<String>,
    /// Who acted: `usr_…`, `tok_…` or `system:…`.
    actor: Option<String>,
    /// Recorded at this time or later.
    #[param(value_type = Option<Timestamp>)]
    from: Option<String>,
    /// Recorded before this time.
    #[param(value_type = Option<Timestamp>)]
    to: Option<String>,
}

/// Writes the ledger to a file: a proof of all of it, or the entries that one asks for, oldest first.
#[utoipa::path(get, path = "/api/v1/ledger/export", operation_id = "export_ledger", tag = "ledger", params(ExportParams),
    responses((status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv"))), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub(crate) async fn export(caller: Caller, Params(params): Params<ExportParams>) -> Result<Response, Problem> {
    let filter = ledger::Filter {
        kind: params.kind.clone(),
        subject: params.subject.clone(),
        from: parse("from", params.from.as_ref())?,
        to: parse("to", params.to.as_ref())?,
    };
    let format = params.format.unwrap_or_default();
    let asks = [&params.kind, &params.subject, &params.actor, &params.from, &params.to];
    if format == ExportFormat::Proof && asks.iter().any(|asked| asked.is_some()) {
        return Err(Problem::invalid("a proof is of the whole ledger: ask with `format=ndjson` or `format=csv`"));
    }
    let turn = TURNS.take(caller.scope.tenant()).await?;
    let now = caller.scope.store().clock().now();
    let record = async {
        let mut tx = caller.scope.begin().await?;
        tx.record("ledger.exported", &[], serde_json::json!({"format": format}))?;
        tx.commit(now).await
    };
    let what = format!("{} ledger {format:?}", caller.scope.tenant());
    EXPORTS.once(&caller.scope.actor().id, &what, now, record).await?;
    let body = match format {
        ExportFormat::Proof => proof(ledger::export(&caller.scope).await?, turn.let_others()),
        ExportFormat::Ndjson => {
            let line = |entry: &Entry| serde_json::to_string(entry).unwrap_or_default() + "\n";
            let found = entries(&caller, &filter, params.actor.as_deref()).await?;
            Body::from(found.iter().map(line).collect::<String>())
        }
        ExportFormat::Csv => {
            let found = entries(&caller, &filter, params.actor.as_deref()).await?;
            let rows = std::iter::once(table::HEAD.to_owned()).chain(found.iter().map(table::row));
            Body::from(rows.map(|row| row + "\r\n").collect::<String>())
        }
    };
    Ok(file(format, body))
}

/// Lines as the reader takes them. One that is broken off lacks entries of the size that its first line says.
fn proof(export: ledger::Export, turn: Turn) -> Body {
    let parts = futures_util::stream::try_unfold((export, turn), async |(mut export, turn)| {
        let lines = export.next().await?;
        Ok::<_, StoreError>(lines.map(|lines| (lines.join("\n") + "\n", (export, turn))))
    });
    Body::from_stream(parts)
}

fn file(format: ExportFormat, body: Body) -> Response {
    let (kind, named) = match format {
        ExportFormat::Proof => ("application/x-ndjson", "attachment; filename=\"ledger.ndjson\""),
        ExportFormat::Ndjson => ("application/x-ndjson", "attachment; filename=\"audit.ndjson\""),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
    };
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, named)], body).into_response()
}

/// The entries of a filter, oldest first.
async fn entries(caller: &Caller, filter: &ledger::Filter, actor: Option<&str>) -> Result<Vec<Entry>, Problem> {
    let mut reader = caller.scope.read().await?;
    let (mut found, mut page) = (Vec::new(), PageRequest { limit: Some(PAGE), cursor: None });
    loop {
        let next = match actor {
            None => ledger::list(&mut reader, filter, &page).await?,
            Some(actor) => ledger::by_actor(&mut reader, filter, actor, &page).await?.page,
        };
        found.extend(next.items);
        if found.len() > EXPORTED {
            let detail = format!("more than {EXPORTED} entries: export them in parts, with `from` and `to`");
            return Err(Problem::new(Code::TOO_MANY_ITEMS, detail));
        }
        page.cursor = next.next_cursor;
        if page.cursor.is_none() {
            found.reverse();
            return Ok(found);
        }
    }
}
