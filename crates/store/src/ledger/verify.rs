//! Proving a data directory with the server stopped or running: on a copy, so that nothing is altered.

use std::path::{Path, PathBuf};

use serde::Serialize;
use shieldops_ledger::{Checkpoint, Report, Stored, Verifier, VerifierKey, read_checkpoints};
use shieldops_model::{TenantId, Timestamp};
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::{SqliteConnectOptions, SqliteRow}};

use super::{blocking, io};
use crate::{Result, alerts::id_of};

/// Entries read at a time.
const CHUNK: i64 = 1_000;

#[derive(Debug, Clone, Serialize)]
pub struct DirectoryReport {
    pub ok: bool,
    pub logs: Vec<Report>,
    /// What the proof does not reach.
    pub uncovered: Vec<Uncovered>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Uncovered {
    pub what: String,
    pub why: String,
}

/// Verifies every log of a data directory. `outside` are checkpoints kept elsewhere, as notes.
///
/// # Errors
/// When the directory cannot be read at all: that is neither sound nor tampered.
pub async fn verify_directory(dir: &Path, outside: &[String]) -> Result<DirectoryReport> {
    let copy = copy(dir).await?;
    let result = verify_copy(&copy, outside).await;
    std::fs::remove_dir_all(&copy).map_err(io(&copy, "removing the copy"))?;
    result
}

async fn verify_copy(copy: &Path, outside: &[String]) -> Result<DirectoryReport> {
    let options = SqliteConnectOptions::new().filename(copy.join("state.db")).create_if_missing(false);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let tenants = sqlx::query("SELECT tenant FROM tenants ORDER BY tenant").fetch_all(&mut db).await?;
    let mut tenants: Vec<TenantId> = tenants.iter().map(|row| id_of(row, "tenant")).collect::<Result<_>>()?;
    // A log whose tenant row is gone is a log all the same.
    for name in checkpoint_names(copy)? {
        if let Ok(tenant) = name.parse() && !tenants.contains(&tenant) {
            tenants.push(tenant);
        }
    }
    let mut logs = Vec::new();
    for tenant in tenants {
        logs.push(verify_log(&mut db, copy, tenant, outside).await?);
    }
    db.close().await?;
    let uncovered = vec![Uncovered {
        what: "events of the active segment".to_owned(),
        why: "events are covered once their segment is sealed and has its entry".to_owned(),
    }];
    Ok(DirectoryReport { ok: logs.iter().all(|log| log.ok), logs, uncovered })
}

async fn verify_log(db: &mut SqliteConnection, copy: &Path, tenant: TenantId, outside: &[String]) -> Result<Report> {
    let (heads, faults) = heads(copy, tenant, outside);
    let mut verifier = Verifier::new(tenant.to_string(), &heads);
    for fault in faults {
        verifier.fail(None, fault);
    }
    let mut above = -1_i64;
    loop {
        let rows = sqlx::query("SELECT seq, time, kind, subjects, leaf, hash FROM ledger_entries WHERE tenant_id=$1 AND seq>$2 ORDER BY seq LIMIT $3")
            .bind(tenant.to_bytes().to_vec())
            .bind(above)
            .bind(CHUNK)
            .fetch_all(&mut *db)
            .await?;
        let Some(last) = rows.last() else { break };
        above = last.try_get("seq")?;
        for row in &rows {
            verifier.entry(&stored(row)?);
        }
    }
    let head = sqlx::query("SELECT size, root FROM ledger_heads WHERE tenant_id=$1").bind(tenant.to_bytes().to_vec()).fetch_optional(&mut *db).await?;
    let head = head.map(|row| -> Result<_> {
        let size: i64 = row.try_get("size")?;
        Ok((u64::try_from(size).unwrap_or(u64::MAX), row.try_get("root")?))
    });
    Ok(verifier.finish(head.transpose()?))
}

fn stored(row: &SqliteRow) -> Result<Stored> {
    let (seq, time): (i64, i64) = (row.try_get("seq")?, row.try_get("time")?);
    let subjects: String = row.try_get("subjects")?;
    Ok(Stored {
        seq: u64::try_from(seq).unwrap_or(u64::MAX),
        leaf: row.try_get("leaf")?,
        hash: row.try_get("hash")?,
        kind: row.try_get("kind")?,
        time: Timestamp::from_micros(time).to_string(),
        subjects: serde_json::from_str(&subjects).unwrap_or_else(|_bad| vec![subjects.clone()]),
    })
}

/// The opened checkpoints of a log, and what is wrong with those that do not open.
fn heads(copy: &Path, tenant: TenantId, outside: &[String]) -> (Vec<Checkpoint>, Vec<String>) {
    let path = copy.join("checkpoints").join(tenant.to_string());
    let key = std::fs::read_to_string(path.with_extension("vkey")).ok().and_then(|text| VerifierKey::parse(&text).ok());
    let Some(key) = key else { return (Vec::new(), vec!["the verifier key beside the checkpoints is missing or damaged".to_owned()]) };
    let bytes = std::fs::read(&path).unwrap_or_default();
    let (notes, whole) = read_checkpoints(&bytes);
    let mut faults = Vec::new();
    if whole < bytes.len() && torn(&bytes, whole) {
        faults.push(format!("the checkpoint file is damaged at byte {whole}"));
    }
    let mut heads = Vec::new();
    for (number, note) in notes.iter().enumerate() {
        match key.open(note) {
            Ok(head) => heads.push(head),
            Err(error) => faults.push(format!("checkpoint {number}: {error}")),
        }
    }
    if heads.windows(2).any(|pair| matches!(pair, [a, b] if a.size >= b.size)) {
        faults.push("the checkpoints are not in growing order".to_owned());
    }
    heads.extend(outside.iter().filter_map(|note| key.open(note).ok()));
    (heads, faults)
}

/// Whether what follows the whole records is more than a record cut short by a power loss.
fn torn(bytes: &[u8], whole: usize) -> bool {
    let rest = bytes.get(whole..).unwrap_or_default();
    let Some((length, after)) = rest.split_first_chunk::<4>() else { return false };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    after.len() >= length || length > 64 * 1024
}

fn checkpoint_names(copy: &Path) -> Result<Vec<String>> {
    let dir = copy.join("checkpoints");
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&dir).map_err(io(&dir, "listing the checkpoints"))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| !name.contains('.')).collect())
}

/// Copies database, WAL and checkpoints: opening them in place would write beside them.
async fn copy(dir: &Path) -> Result<PathBuf> {
    let from = dir.to_owned();
    blocking(move || {
        let name = format!("shieldops-verify-{}-{}", std::process::id(), hex::encode(rand::random::<[u8; 8]>()));
        let to = std::env::temp_dir().join(name);
        std::fs::create_dir(&to).map_err(io(&to, "making a copy"))?;
        let done = copy_into(&from, &to);
        if done.is_err() {
            drop(std::fs::remove_dir_all(&to));
        }
        done.map(|()| to)
    })
    .await
}

fn copy_into(from: &Path, to: &Path) -> Result<()> {
    // Checkpoints first: entries that come after them are uncovered, never missing.
    let checkpoints = from.join("checkpoints");
    if checkpoints.is_dir() {
        let copies = to.join("checkpoints");
        std::fs::create_dir(&copies).map_err(io(&copies, "making a copy"))?;
        for entry in std::fs::read_dir(&checkpoints).map_err(io(&checkpoints, "listing"))? {
            let entry = entry.map_err(io(&checkpoints, "listing"))?;
            std::fs::copy(entry.path(), copies.join(entry.file_name())).map_err(io(&entry.path(), "copying"))?;
        }
    }
    for name in ["state.db", "state.db-wal"] {
        let path = from.join(name);
        if name == "state.db" || path.exists() {
            std::fs::copy(&path, to.join(name)).map_err(io(&path, "copying"))?;
        }
    }
    Ok(())
}
