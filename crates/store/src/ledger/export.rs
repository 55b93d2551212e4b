//! Exporting the ledger: NDJSON that `shieldops ledger verify` proves without a key and without this database.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use shieldops_ledger::{ExportLine, Frontier, Leaf, read_checkpoints};
use sqlx::Row as _;

use super::{append::head, blocking, io, signer};
use crate::{Access, Result, StoreError, TenantScope};

/// Entries read at a time.
const CHUNK: i64 = 200;

/// The whole log, part by part: what a reader has not taken yet is not read, and takes no memory.
pub struct Export {
    scope: TenantScope,
    frontier: Frontier,
    /// The entry that was written last.
    above: i64,
    next: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Entries,
    Checkpoints,
    Nothing,
}

/// Begins an export. The log only grows: what is committed after this is left out.
pub async fn export(scope: &TenantScope) -> Result<Export> {
    let frontier = head(scope.store(), scope.tenant()).await?.unwrap_or_default();
    Ok(Export { scope: scope.clone(), frontier, above: -1, next: Part::Head })
}

impl Export {
    /// Lines of NDJSON, without their ends; nothing when all are read. Payloads stand beside their leaves, opened.
    pub async fn next(&mut self) -> Result<Option<Vec<String>>> {
        loop {
            let lines = match self.next {
                Part::Head => {
                    self.next = Part::Entries;
                    vec![self.head()?]
                }
                Part::Entries => self.entries().await?,
                Part::Checkpoints => {
                    self.next = Part::Nothing;
                    self.checkpoints().await?
                }
                Part::Nothing => return Ok(None),
            };
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }

    fn head(&self) -> Result<String> {
        let tenant = self.scope.tenant();
        line(&ExportLine::Head {
            v: 1,
            tenant: tenant.to_string(),
            verifier_key: signer(self.scope.store(), tenant).verifier().to_text(),
            size: self.frontier.size(),
            root: hex::encode(self.frontier.root()),
        })
    }

    async fn entries(&mut self) -> Result<Vec<String>> {
        let mut reader = self.scope.read().await?;
        let size = i64::try_from(self.frontier.size()).unwrap_or(i64::MAX);
        let tenant = reader.t();
        let rows = sqlx::query(
            "SELECT seq, leaf FROM ledger_entries WHERE tenant_id=$1 AND seq>$2 AND seq<$3 ORDER BY seq LIMIT $4",
        )
        .bind(tenant)
        .bind(self.above)
        .bind(size)
        .bind(CHUNK)
        .fetch_all(reader.conn())
        .await?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            let bytes: Vec<u8> = row.try_get("leaf")?;
            let leaf = Leaf::parse(&bytes).map_err(|error| StoreError::Ledger { detail: error.to_string() })?;
            let payload = super::read::open(&reader, &leaf).ok();
            lines.push(line(&ExportLine::Entry { seq: leaf.header.seq, leaf: STANDARD.encode(&bytes), payload })?);
        }
        match rows.last() {
            Some(last) => self.above = last.try_get("seq")?,
            None => self.next = Part::Checkpoints,
        }
        Ok(lines)
    }

    async fn checkpoints(&self) -> Result<Vec<String>> {
        let (store, tenant) = (self.scope.store(), self.scope.tenant());
        let key = signer(store, tenant).verifier();
        let path = store.chains().path(tenant);
        let bytes = blocking(move || match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(io(&path, "reading the checkpoints")),
        });
        let notes = read_checkpoints(&bytes.await?).0.into_iter();
        // A note that does not open stays in: whoever verifies has to see it.
        let later = |note: &String| key.open(note).is_ok_and(|checkpoint| checkpoint.size > self.frontier.size());
        notes.filter(|note| !later(note)).map(|note| line(&ExportLine::Checkpoint { note })).collect()
    }
}

fn line(line: &ExportLine) -> Result<String> {
    serde_json::to_string(line).map_err(StoreError::damaged)
}
