//! Proving a data directory with the server stopped or running; nothing in it is altered.
//!
//! The checkpoint files are read before the database and again after it. The heads of the first reading must all be met;
//! those of the second cover what was committed in between. So a log that grows meanwhile is neither called tampered nor
//! proved less strictly than one at rest.

mod copy;
mod files;
mod log;

use std::path::Path;

use serde::Serialize;
use shieldops_ledger::{Report, Verifier};
use shieldops_model::TenantId;
use sqlx::{AnyConnection, Connection as _, Row as _};

use self::{
    copy::Copy,
    files::{Checkpoints, Files},
    log::Log,
};
use super::{blocking, origin};
use crate::{
    Result,
    db::{Kind, kind_of, postgres, sqlite},
    here,
};

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

/// What is proved: every log, or one; and the checkpoints kept elsewhere that must be met, as notes.
#[derive(Clone, Copy)]
struct Asked<'a> {
    only: Option<TenantId>,
    outside: &'a [String],
}

/// Verifies every log of a data directory. `outside` are checkpoints kept elsewhere, as notes.
///
/// # Errors
/// When the directory cannot be read at all: that is neither sound nor tampered.
pub async fn verify_directory(dir: &Path, outside: &[String]) -> Result<DirectoryReport> {
    let asked = Asked { only: None, outside };
    if here::is_open_here(dir) { in_place(dir, asked).await } else { on_a_copy(dir, asked).await }
}

/// Verifies the log of one tenant beside a running server: the cost is of that log, however many others there are.
pub(crate) async fn verify_log(dir: &Path, url: Option<&str>, tenant: TenantId) -> Result<DirectoryReport> {
    let asked = Asked { only: Some(tenant), outside: &[] };
    match url {
        None => in_place(dir, asked).await,
        Some(url) => in_database(dir, url, asked).await,
    }
}

/// Through a connection of its own, whose empty cache reads what is on disk, and in one snapshot.
async fn in_place(dir: &Path, asked: Asked<'_>) -> Result<DirectoryReport> {
    let before = files(dir, asked.only, None).await?;
    let mut db = sqlite::beside(&dir.join("state.db"), "ro").await?;
    sqlx::query("BEGIN").execute(&mut db).await?;
    // The snapshot is of the first read.
    sqlx::query("SELECT count(*) FROM tenants").fetch_one(&mut db).await?;
    let files = files(dir, asked.only, Some(before)).await?;
    let result = verify(&mut db, &files, asked).await;
    db.close().await?;
    result
}

/// A copy, because SQLite writes beside a database that it opens.
async fn on_a_copy(dir: &Path, asked: Asked<'_>) -> Result<DirectoryReport> {
    let before = files(dir, asked.only, None).await?;
    let from = dir.to_owned();
    let copy = blocking(move || Copy::of(&from)).await?;
    let files = files(dir, asked.only, Some(before)).await?;
    let mut db = sqlite::beside(&copy.database(), "rw").await?;
    let result = verify(&mut db, &files, asked).await;
    db.close().await?;
    result
}

/// Verifies the logs in a PostgreSQL database against the checkpoint files of a data directory.
///
/// # Errors
/// When the database cannot be reached or read: that is neither sound nor tampered.
pub async fn verify_database(dir: &Path, url: &str, outside: &[String]) -> Result<DirectoryReport> {
    in_database(dir, url, Asked { only: None, outside }).await
}

async fn in_database(dir: &Path, url: &str, asked: Asked<'_>) -> Result<DirectoryReport> {
    let before = files(dir, asked.only, None).await?;
    let mut db = postgres::beside(url).await?;
    sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut db).await?;
    // The snapshot is of the first read.
    sqlx::query("SELECT count(*) FROM tenants").fetch_one(&mut db).await?;
    let files = files(dir, asked.only, Some(before)).await?;
    let result = verify(&mut db, &files, asked).await;
    db.close().await?;
    result
}

async fn files(dir: &Path, only: Option<TenantId>, before: Option<Files>) -> Result<Files> {
    let dir = dir.join("checkpoints");
    blocking(move || Files::read(&dir, only, before.unwrap_or_default())).await
}

async fn verify(db: &mut AnyConnection, files: &Files, asked: Asked<'_>) -> Result<DirectoryReport> {
    let installation: Option<String> =
        sqlx::query_scalar("SELECT id FROM installation").fetch_optional(&mut *db).await?;
    let installation = installation.unwrap_or_default();
    let nodes = nodes(db).await?;
    let outside = asked.outside;
    let mut logs = Vec::new();
    let mut names = Vec::new();
    let tenants = match asked.only {
        Some(tenant) => vec![tenant.to_bytes().to_vec()],
        None => tenants(db, files).await?,
    };
    for tenant in tenants {
        let Ok(bytes) = <[u8; 16]>::try_from(tenant.as_slice()) else {
            logs.push(broken(&hex::encode(tenant), "rows of the ledger name a tenant that cannot be"));
            continue;
        };
        let tenant = TenantId::from_bytes(bytes);
        let of = files.of(tenant);
        let nodes = match &nodes {
            None => Some(1),
            Some(nodes) => nodes_here(nodes, of),
        };
        let log = Log { tenant, name: origin(&installation, tenant), files: of, outside, nodes };
        names.push(log.name().to_owned());
        logs.push(log.verify(db).await?);
    }
    let mut uncovered = vec![Uncovered {
        what: "events of the active segment".to_owned(),
        why: "events are covered once their segment is sealed and has its entry".to_owned(),
    }];
    let origins = outside.iter().filter_map(|note| note.lines().next());
    for stray in origins.filter(|origin| !names.iter().any(|name| name == origin)) {
        match stray.strip_prefix(&format!("shieldops/{installation}/")) {
            Some(tenant) => {
                logs.push(broken(tenant, "a checkpoint kept elsewhere is of this log, and the log is gone"));
            }
            None => uncovered.push(Uncovered {
                what: format!("the checkpoint of {}", stray.chars().take(200).collect::<String>()),
                why: "no log of this name is here".to_owned(),
            }),
        }
    }
    Ok(DirectoryReport { ok: logs.iter().all(|log| log.ok), logs, uncovered })
}

/// The nodes of a PostgreSQL database.
async fn nodes(db: &mut AnyConnection) -> Result<Option<Vec<String>>> {
    if kind_of(db) == Kind::Sqlite {
        return Ok(None);
    }
    Ok(Some(sqlx::query_scalar("SELECT node FROM nodes ORDER BY node LIMIT 10000").fetch_all(db).await?))
}

/// How many nodes write to a log, when the files of all of them are here.
fn nodes_here(nodes: &[String], files: Option<&Checkpoints>) -> Option<u64> {
    let known = |node: &String| files.is_some_and(|files| files.of_node.contains_key(node));
    if nodes.len() > 1 && !nodes.iter().all(known) { None } else { u64::try_from(nodes.len().max(1)).ok() }
}

fn broken(tenant: &str, why: &str) -> Report {
    let mut verifier = Verifier::new(tenant, &[]);
    verifier.fail(None, why);
    verifier.finish(None)
}

/// Every tenant that any row or file speaks of: a log whose tenant row is gone is a log all the same.
async fn tenants(db: &mut AnyConnection, files: &Files) -> Result<Vec<Vec<u8>>> {
    let rows = sqlx::query(
        "SELECT tenant FROM tenants UNION SELECT tenant_id FROM ledger_heads UNION SELECT tenant_id FROM ledger_entries \
         UNION SELECT tenant_id FROM ledger_subjects ORDER BY 1 LIMIT 10000",
    )
    .fetch_all(db)
    .await?;
    let mut tenants =
        rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<Vec<Vec<u8>>, sqlx::Error>>()?;
    tenants.extend(files.tenants().map(|tenant| tenant.to_bytes().to_vec()));
    tenants.sort_unstable();
    tenants.dedup();
    Ok(tenants)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shieldops_model::SystemClock;

    use super::*;
    use crate::{Job, Options, Store};

    const EVERYTHING: Asked<'_> = Asked { only: None, outside: &[] };

    /// As another process does it, which has no connection of its own to the database.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    async fn a_copy_made_beside_a_busy_server_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { data_dir: dir.path().to_owned(), demo: false, ..Options::default() };
        let store = Store::open(&options, Arc::new(SystemClock)).await.unwrap();
        let scope = store.job(store.first().await.unwrap().id, Job::Cli).unwrap();
        let writer = tokio::task::spawn(async move {
            for number in 0..40_u32 {
                let mut tx = scope.begin().await.unwrap();
                // Large enough that SQLite restarts its WAL every few commits.
                tx.record("some.thing", &[&number], "x".repeat(400_000)).unwrap();
                tx.commit(scope.store().clock().now()).await.unwrap();
            }
        });
        let mut proofs = 0;
        while !writer.is_finished() {
            let report = on_a_copy(dir.path(), EVERYTHING).await.unwrap();
            assert!(report.ok, "{report:?}");
            proofs += 1;
        }
        writer.await.unwrap();
        assert!(proofs > 0);
        assert_eq!(on_a_copy(dir.path(), EVERYTHING).await.unwrap().logs[0].entries, 40);
        store.close().await;
    }
}
