//! The installation's own ledger, for its operators: tenants made and destroyed, people, configuration. The table of access
//! puts these routes into the scope of the installation; everything else is as for a tenant's ledger.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};

use super::{EntryList, EntryQuery, ExportParams, Verification};
use crate::{App, Problem, auth::Caller, page::Params};

/// Entries of the installation's own ledger, newest first.
#[utoipa::path(get, path = "/api/v1/installation/ledger", operation_id = "list_installation_ledger", tag = "ledger", params(EntryQuery),
    responses((status = 200, body = EntryList), (status = 403, body = Problem)))]
pub(crate) async fn list(caller: Caller, query: EntryQuery) -> Result<Json<EntryList>, Problem> {
    super::list(caller, query).await
}

/// Proves the installation's own ledger, on a copy.
#[utoipa::path(get, path = "/api/v1/installation/ledger/verify", operation_id = "verify_installation_ledger", tag = "ledger",
    responses((status = 200, body = Verification), (status = 403, body = Problem)))]
pub(crate) async fn verify(state: State<Arc<App>>, caller: Caller) -> Result<Json<Verification>, Problem> {
    super::verify(state, caller).await
}

/// Writes the installation's own ledger to a file: a proof of all of it, or the entries that one asks for, oldest first.
#[utoipa::path(get, path = "/api/v1/installation/ledger/export", operation_id = "export_installation_ledger", tag = "ledger", params(ExportParams),
    responses((status = 200, description = "The file", content((String = "application/x-ndjson"), (String = "text/csv"))), (status = 400, body = Problem), (status = 403, body = Problem), (status = 413, body = Problem)))]
pub(crate) async fn export(caller: Caller, params: Params<ExportParams>) -> Result<Response, Problem> {
    super::export(caller, params).await
}
