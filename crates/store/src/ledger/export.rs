//! Exporting the ledger: NDJSON that `shieldops ledger verify` proves without a key and without this database.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use shieldops_ledger::{ExportLine, Leaf, read_checkpoints};
use sqlx::Row as _;

use super::{append::head, io, signer};
use crate::{Access, Result, StoreError, TenantScope};

/// The whole log as lines, payloads opened beside their leaves.
pub async fn export(scope: &TenantScope) -> Result<Vec<String>> {
    let store = scope.store();
    let tenant = scope.tenant();
    let mut reader = scope.read().await?;
    let rows = sqlx::query("SELECT leaf FROM ledger_entries WHERE tenant_id=$1 ORDER BY seq").bind(reader.t()).fetch_all(reader.conn()).await?;
    let frontier = head(store, tenant).await?.unwrap_or_default();
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let bytes: Vec<u8> = row.try_get("leaf")?;
        let leaf = Leaf::parse(&bytes).map_err(|error| StoreError::Ledger { detail: error.to_string() })?;
        let payload = super::read::open(&reader, &leaf).ok();
        // Entries committed between the two reads are left out: the head is of this size.
        if leaf.header.seq < frontier.size() {
            entries.push(ExportLine::Entry { seq: leaf.header.seq, leaf: STANDARD.encode(&bytes), payload });
        }
    }
    let path = store.chains().path(tenant);
    let bytes = if path.exists() { std::fs::read(&path).map_err(io(&path, "reading the checkpoints"))? } else { Vec::new() };
    let key = signer(store, tenant).verifier();
    let notes = read_checkpoints(&bytes).0.into_iter();
    let notes = notes.filter(|note| key.open(note).is_ok_and(|checkpoint| checkpoint.size <= frontier.size()));
    let first = ExportLine::Head {
        v: 1,
        tenant: tenant.to_string(),
        verifier_key: key.to_text(),
        size: frontier.size(),
        root: hex::encode(frontier.root()),
    };
    let lines = std::iter::once(first).chain(entries).chain(notes.map(|note| ExportLine::Checkpoint { note }));
    lines.map(|line| serde_json::to_string(&line).map_err(StoreError::damaged)).collect()
}
