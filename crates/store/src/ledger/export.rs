//! Exporting the ledger: NDJSON that `shieldops ledger verify` proves without a key and without this database.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use shieldops_ledger::{ExportLine, Leaf, read_checkpoints};
use sqlx::Row as _;

use super::{append::head, blocking, io, signer};
use crate::{Access, Result, StoreError, TenantScope};

/// Entries read at a time.
const CHUNK: i64 = 1_000;

/// The whole log as lines, payloads opened beside their leaves.
pub async fn export(scope: &TenantScope) -> Result<Vec<String>> {
    let (store, tenant) = (scope.store(), scope.tenant());
    // The log only grows: what is committed after this read is left out.
    let frontier = head(store, tenant).await?.unwrap_or_default();
    let key = signer(store, tenant).verifier();
    let first = ExportLine::Head {
        v: 1,
        tenant: tenant.to_string(),
        verifier_key: key.to_text(),
        size: frontier.size(),
        root: hex::encode(frontier.root()),
    };
    let mut lines = vec![line(&first)?];
    entries(scope, frontier.size(), &mut lines).await?;
    let path = store.chains().path(tenant);
    let bytes = blocking(move || match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(io(&path, "reading the checkpoints")),
    });
    for note in read_checkpoints(&bytes.await?).0 {
        // A note that does not open stays in: whoever verifies has to see it.
        if key.open(&note).is_ok_and(|checkpoint| checkpoint.size > frontier.size()) {
            continue;
        }
        lines.push(line(&ExportLine::Checkpoint { note })?);
    }
    Ok(lines)
}

async fn entries(scope: &TenantScope, size: u64, lines: &mut Vec<String>) -> Result<()> {
    let mut reader = scope.read().await?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let mut above = -1_i64;
    loop {
        let tenant = reader.t();
        let rows = sqlx::query(
            "SELECT seq, leaf FROM ledger_entries WHERE tenant_id=$1 AND seq>$2 AND seq<$3 ORDER BY seq LIMIT $4",
        )
        .bind(tenant)
        .bind(above)
        .bind(size)
        .bind(CHUNK)
        .fetch_all(reader.conn())
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        above = last.try_get("seq")?;
        for row in &rows {
            let bytes: Vec<u8> = row.try_get("leaf")?;
            let leaf = Leaf::parse(&bytes).map_err(|error| StoreError::Ledger { detail: error.to_string() })?;
            let payload = super::read::open(&reader, &leaf).ok();
            lines.push(line(&ExportLine::Entry { seq: leaf.header.seq, leaf: STANDARD.encode(&bytes), payload })?);
        }
    }
}

fn line(line: &ExportLine) -> Result<String> {
    serde_json::to_string(line).map_err(StoreError::damaged)
}
