//! Import of a list: what is sent is read line by line into blocks, staged beside what is in use, and put to use in one
//! transaction. A list that is longer than a request comes in pieces, and counts with the last one.

use std::sync::Arc;

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use serde::{Deserialize, Serialize};
use shieldops_detect::{Defaults, ListFormat, MAX_INDICATORS, ReadList, read_list};
use shieldops_model::{Code, IdMint, IndicatorListId, Timestamp, id};
use shieldops_store::{
    Tx,
    indicators::{self, Imported, IndicatorList, blocks},
};
use utoipa::{IntoParams, ToSchema};

use super::IndicatorListView;
use crate::{
    App, Problem,
    auth::Caller,
    bodies::{self, beside},
    page::{Params, PathId},
    rules::view::DiagnosticView,
};

/// Threads that read a large request.
const THREADS: usize = 2;
/// What begins a list, as far as its format is guessed by it.
const START: usize = 4 * 1024;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// `text`, `csv`, `stix` or `misp`; guessed when absent.
    format: Option<String>,
    /// `replace` unless told, or `append`.
    mode: Option<String>,
    /// The number of the first line: greater than 1 goes on with the pieces sent before.
    #[param(minimum = 1)]
    from_line: Option<u32>,
    /// Where `from_line` is greater than 1: the `next` of the answer to the piece before.
    after: Option<String>,
    /// Another piece will come: nothing changes before the last one.
    more: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ImportAnswer {
    list: IndicatorListView,
    /// Entries of this request.
    imported: u64,
    /// Lines of this request that are no indicator.
    refused: u64,
    /// What was sent waits for its last piece.
    staged: bool,
    /// What the next piece says as `after`; absent after the last one.
    next: Option<String>,
    diagnostics: Vec<DiagnosticView>,
}

/// Imports a list: one indicator a line, CSV with a header, or STIX. The body may be compressed with gzip or zstd.
#[utoipa::path(post, path = "/api/v1/indicators/lists/{id}/import", operation_id = "import_indicators", tag = "indicators", params(("id" = IndicatorListId, Path), ImportParams),
    request_body(content((String = "text/plain"), (String = "text/csv"), (Object = "application/json"))),
    responses((status = 200, body = ImportAnswer), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn import(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::IndicatorListKind>,
    Params(params): Params<ImportParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportAnswer>, Problem> {
    let append = append(&params)?;
    let format = format(&params)?;
    let now = caller.now();
    let list = indicators::get(&mut caller.scope.read().await?, id).await?;
    let taken = bodies::take(&app, &headers, body).await?;
    let first = params.from_line.unwrap_or(1).max(1);
    let defaults = defaults(&list, now);
    let format = format.unwrap_or_else(|| {
        let start = taken.bytes.get(..START).unwrap_or(&taken.bytes);
        ListFormat::guess(&String::from_utf8_lossy(start))
    });
    let read = beside(taken.bytes.len(), || read(&list.about.name, &taken.bytes, (format, defaults, first)));
    is_list(format, &read)?;
    let more = params.more.unwrap_or(false);
    let mut tx = caller.scope.begin().await?;
    let mut list = staged(&mut tx, id, (first, params.after.as_deref())).await?;
    // The order of names is that of the blocks.
    let mut mint = IdMint::default();
    for block in &read.blocks {
        let name: IndicatorListId = mint.mint(now, &mut rand::rng());
        let plain: &[u8] = block.bytes();
        blocks::add(&mut tx, id, list.staged, name.to_bytes(), (plain, block.len())).await?;
    }
    let next = if more { Some(indicators::place(&mut tx, &list).await?) } else { None };
    if !more {
        let imported = Imported { append, refused: read.refused };
        list = indicators::put_to_use(&mut tx, list, imported, now).await?;
    }
    room(&mut tx, &list, append).await?;
    tx.commit(now).await?;
    // The tables are built anew from here on.
    let loaded = super::loaded(&app, &caller.scope).await?;
    Ok(Json(ImportAnswer {
        list: IndicatorListView::new(list, loaded),
        imported: read.entries,
        refused: read.refused,
        staged: more,
        next,
        diagnostics: read.diagnostics.iter().map(DiagnosticView::from).collect(),
    }))
}

fn append(params: &ImportParams) -> Result<bool, Problem> {
    match params.mode.as_deref() {
        None | Some("replace") => Ok(false),
        Some("append") => Ok(true),
        Some(_) => Err(Problem::invalid("`mode` is replace or append")),
    }
}

fn format(params: &ImportParams) -> Result<Option<ListFormat>, Problem> {
    let wrong = || Problem::invalid("`format` is text, csv, stix or misp");
    params.format.as_deref().map(|word| ListFormat::parse(word).ok_or_else(wrong)).transpose()
}

fn defaults(list: &IndicatorList, now: Timestamp) -> Defaults {
    let seconds = |time: Timestamp| u32::try_from(time.as_secs().max(0)).ok();
    let expires = list.about.valid_days.map(|days| now.plus(std::time::Duration::from_hours(24 * u64::from(days))));
    Defaults { added: seconds(now), expires: expires.and_then(seconds), confidence: None }
}

fn read(name: &str, body: &[u8], (format, defaults, first): (ListFormat, Defaults, u32)) -> ReadList {
    read_list(body, name, (format, defaults), first.saturating_sub(1), THREADS)
}

/// A file of which most lines are no indicators is the wrong file, and would take the place of a good list. Bundles of STIX hold
/// much besides.
fn is_list(format: ListFormat, read: &ReadList) -> Result<(), Problem> {
    const FEW: u64 = 20;
    let lines = read.entries.saturating_add(read.refused);
    if format == ListFormat::Stix || lines < FEW || read.refused <= read.entries {
        return Ok(());
    }
    let first = read.diagnostics.first().map(|found| format!("; line {}: {}", found.line, found.message));
    Err(Problem::invalid(format!(
        "{} of {lines} lines are no indicators, so this is no list and nothing was changed{}",
        read.refused,
        first.unwrap_or_default()
    )))
}

/// The list with the import that this request belongs to.
async fn staged(
    tx: &mut Tx,
    id: IndicatorListId,
    (first, after): (u32, Option<&str>),
) -> Result<IndicatorList, Problem> {
    let mut list = indicators::get(tx, id).await?;
    if first == 1 {
        indicators::stage(tx, &mut list).await?;
        return Ok(list);
    }
    if list.staged <= list.revision {
        return Err(Problem::invalid(
            "`from_line` goes on with pieces sent before, and there are none: begin with line 1",
        ));
    }
    let after = after.ok_or_else(|| {
        Problem::invalid("`from_line` goes on with pieces sent before: `after` is the `next` of the last answer")
    })?;
    if indicators::place(tx, &list).await? != after {
        let detail = "another import of the list began since, or another piece comes after `after`: nothing was changed; begin with line 1";
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    Ok(list)
}

/// Refuses what no table holds: of all lists, what is in use and what this import makes of its list; and what waits.
async fn room(tx: &mut Tx, list: &IndicatorList, append: bool) -> Result<(), Problem> {
    let most = u64::try_from(MAX_INDICATORS).unwrap_or(u64::MAX);
    let others = indicators::all(tx).await?.into_iter().filter(|other| other.id != list.id);
    let others = others.fold(0_u64, |sum, other| sum.saturating_add(other.entries));
    let stays = if append && list.revision < list.staged { list.entries } else { 0 };
    let sent = blocks::entries(tx, list.id, list.staged).await?;
    let all = others.saturating_add(stays).saturating_add(sent);
    if all > most || blocks::staged(tx).await? > most {
        return Err(Problem::invalid(format!(
            "the lists of a tenant hold at most {MAX_INDICATORS} indicators, and imports that are not at their end as many"
        )));
    }
    Ok(())
}
