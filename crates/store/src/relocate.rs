//! Moving an installation from SQLite to PostgreSQL: every row, compared and proved before the file steps aside.
//!
//! Keys, events, checkpoints and the node's name stay in the data directory; afterwards it serves only with the database's
//! address.

use std::{collections::BTreeMap, path::Path};

use futures_util::{StreamExt as _, TryStreamExt as _, stream::TryChunksError};
use serde::Serialize;
use shieldops_model::TenantId;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row as _, any::AnyRow, query::Query};

use crate::{
    Result, Store, StoreError,
    db::{Database, Whose, clean, postgres, turn_to},
    keys::write_new,
    ledger::{DirectoryReport, io, verify_database},
};

pub(crate) const DATABASE: &str = "state.db";
pub(crate) const MOVED: &str = "state.db.moved";
/// Says in which PostgreSQL database the state of a data directory is, without the password.
const MARK: &str = "DATABASE";
/// Rows of one statement.
const ROWS: usize = 100;

/// What was copied.
#[derive(Debug, Clone, Serialize)]
pub struct Copied {
    /// The database, without its password.
    pub to: String,
    /// Rows of each table, equal on both sides.
    pub rows: BTreeMap<String, u64>,
    /// The proof of the ledger in its new place.
    pub ledger: DirectoryReport,
}

/// The PostgreSQL database of a data directory, if it ever had one.
pub(crate) fn elsewhere(dir: &Path) -> Result<Option<String>> {
    let path = dir.join(MARK);
    match std::fs::read_to_string(&path) {
        Ok(place) => Ok(Some(place.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path, doing: "reading where the state is", source }),
    }
}

/// Says it for later starts: one without the address would begin a new installation beside the keys of this one.
pub(crate) fn mark(dir: &Path, url: &str) -> Result<()> {
    let place = postgres::shown(url)?;
    if elsewhere(dir)?.as_ref() == Some(&place) {
        return Ok(());
    }
    let path = dir.join(MARK);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io(&path, "saying where the state is")(error))
        }
        _ => match write_new(&path, format!("{place}\n").as_bytes()) {
            // Another process was quicker.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        },
    }
}

/// Whether there is an installation in SQLite.
fn is_here(dir: &Path) -> bool {
    dir.join(DATABASE).exists()
}

/// What is in PostgreSQL does not serve from a file.
pub(crate) fn refuse_moved(dir: &Path) -> Result<()> {
    elsewhere(dir)?.map_or(Ok(()), |place| {
        Err(unsuitable(format!(
            "the state of {} is in {place}: set it, with its password, as `database.url`",
            dir.display()
        )))
    })
}

/// What is still here is not left behind; a file that a crash kept from stepping aside does so now.
pub(crate) fn refuse_unmoved(dir: &Path) -> Result<()> {
    match (is_here(dir), elsewhere(dir)?) {
        (false, _) => Ok(()),
        (true, Some(_)) => put_aside(dir),
        (true, None) => Err(unsuitable(format!(
            "{} holds an installation of its own in {DATABASE}: move it with `shieldops db copy`, or take away `database.url`",
            dir.display()
        ))),
    }
}

impl Store {
    /// Copies the SQLite installation in `data_dir` to an empty PostgreSQL database, compares rows and heads, proves the
    /// ledger, and puts the file aside, so that it never serves again. Nothing is changed here when anything fails.
    ///
    /// # Errors
    /// `InUse` while a server runs, `Unsuitable` when there is nothing to copy or the target is not empty.
    pub async fn copy_to(data_dir: &Path, url: &str) -> Result<Copied> {
        // The lock is a file in the directory: one that is no installation is left as it is.
        is_sqlite(data_dir)?;
        let _no_server = Self::lock(data_dir)?;
        is_sqlite(data_dir)?;
        let to = postgres::shown(url)?;
        let source = Database::sqlite(data_dir).await?;
        // Held to the end: no command line beside it writes what would not be copied.
        let mut from = source.begin(Whose::Installation).await?;
        let target = Database::postgres(url).await?;
        let rows = copy(&mut from, &target, url).await?;
        target.close().await;
        let ledger = verify_database(data_dir, url, &[]).await?;
        if !ledger.ok {
            return Err(unsuitable(format!(
                "the ledger is not sound: run `shieldops ledger verify {}`",
                data_dir.display()
            )));
        }
        mark(data_dir, url)?;
        drop(from);
        step_aside(data_dir, source).await?;
        Ok(Copied { to, rows, ledger })
    }
}

fn is_sqlite(data_dir: &Path) -> Result<()> {
    if is_here(data_dir) {
        return Ok(());
    }
    Err(unsuitable(match elsewhere(data_dir)? {
        Some(place) => format!("the installation in {} was moved to {place} before", data_dir.display()),
        None => format!("{} holds no {DATABASE}", data_dir.display()),
    }))
}

fn unsuitable(detail: String) -> StoreError {
    StoreError::Unsuitable { detail }
}

async fn step_aside(dir: &Path, source: Database) -> Result<()> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(source.writer()).await?;
    source.close().await;
    put_aside(dir)
}

fn put_aside(dir: &Path) -> Result<()> {
    std::fs::rename(dir.join(DATABASE), dir.join(MOVED)).map_err(io(dir, "putting the database aside"))?;
    std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir, "syncing the directory"))
}

/// All rows in one transaction, which is committed when both sides are equal.
async fn copy(from: &mut AnyConnection, target: &Database, url: &str) -> Result<BTreeMap<String, u64>> {
    let mut to = target.begin(Whose::Installation).await?;
    let there: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM installation) + (SELECT count(*) FROM tenants)")
        .fetch_one(&mut *to)
        .await?;
    if there > 0 {
        return Err(unsuitable(format!("{} holds an installation already: name an empty one", postgres::shown(url)?)));
    }
    let mut copied = BTreeMap::new();
    for name in tables(from).await? {
        let table = Table::of(&mut to, name).await?;
        let rows = table.copy(from, &mut to).await?;
        copied.insert(table.name, rows);
    }
    to.commit().await?;
    Ok(copied)
}

/// All but what the target counts by itself.
async fn tables(from: &mut AnyConnection) -> Result<Vec<String>> {
    let names = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' \
        AND name NOT IN ('_sqlx_migrations','alert_tally','alert_timeline') ORDER BY name";
    Ok(sqlx::query_scalar(names).fetch_all(from).await?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    Text,
    Bytes,
}

struct Table {
    name: String,
    columns: Vec<(String, Type)>,
}

impl Table {
    /// As the target has it.
    async fn of(to: &mut AnyConnection, name: String) -> Result<Self> {
        let rows = sqlx::query(
            "SELECT column_name::TEXT AS name, data_type::TEXT AS type FROM information_schema.columns \
             WHERE table_schema=current_schema() AND table_name=$1 ORDER BY ordinal_position",
        )
        .bind(&name)
        .fetch_all(&mut *to)
        .await?;
        let mut columns = Vec::new();
        for row in &rows {
            let type_of: String = row.try_get("type")?;
            let column = match type_of.as_str() {
                "bigint" => Type::Integer,
                "text" => Type::Text,
                "bytea" => Type::Bytes,
                other => return Err(StoreError::damaged(format!("a column of {name} is {other}"))),
            };
            columns.push((row.try_get("name")?, column));
        }
        if columns.is_empty() {
            return Err(StoreError::damaged(format!("the target has no table {name}")));
        }
        Ok(Self { name, columns })
    }

    async fn copy(&self, from: &mut AnyConnection, to: &mut AnyConnection) -> Result<u64> {
        if !self.columns.iter().any(|(name, _)| name == "tenant_id") {
            return self.part(from, to, None).await;
        }
        let sql = AssertSqlSafe(format!("SELECT DISTINCT tenant_id FROM {}", self.name));
        let tenants: Vec<Vec<u8>> = sqlx::query_scalar(sql).fetch_all(&mut *from).await?;
        let mut copied = 0_u64;
        for tenant in tenants {
            let bytes: [u8; 16] = tenant.try_into().map_err(|_other| StoreError::damaged("a row of no tenant"))?;
            let tenant = TenantId::from_bytes(bytes);
            turn_to(to, tenant).await?;
            copied = copied.saturating_add(self.part(from, to, Some(tenant)).await?);
        }
        Ok(copied)
    }

    /// The rows of a tenant, or all of an installation table, in pieces.
    async fn part(&self, from: &mut AnyConnection, to: &mut AnyConnection, tenant: Option<TenantId>) -> Result<u64> {
        let filter = if tenant.is_some() { " WHERE tenant_id=$1" } else { "" };
        let mut query = sqlx::query(AssertSqlSafe(format!("SELECT {} FROM {}{filter}", self.names(), self.name)));
        if let Some(tenant) = tenant {
            query = query.bind(tenant.to_bytes().to_vec());
        }
        let mut pieces = query.fetch(from).try_chunks(ROWS);
        let mut copied = 0_usize;
        while let Some(rows) = pieces.next().await {
            let rows = rows.map_err(|TryChunksError(_, error)| error)?;
            self.insert(&rows, to).await?;
            copied = copied.saturating_add(rows.len());
        }
        let copied = u64::try_from(copied).unwrap_or(u64::MAX);
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", self.name));
        let there: i64 = sqlx::query_scalar(sql).fetch_one(&mut *to).await?;
        if u64::try_from(there).ok() != Some(copied) {
            return Err(StoreError::damaged(format!("{}: {copied} rows here, {there} there", self.name)));
        }
        Ok(copied)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
    }

    async fn insert(&self, rows: &[AnyRow], to: &mut AnyConnection) -> Result<()> {
        let width = self.columns.len();
        let line = |row: usize| {
            let places = (1..=width).map(|place| format!("${}", row * width + place)).collect::<Vec<_>>();
            format!("({})", places.join(","))
        };
        let names = self.names();
        let values = (0..rows.len()).map(line).collect::<Vec<_>>().join(",");
        let mut query = sqlx::query(AssertSqlSafe(format!("INSERT INTO {} ({names}) VALUES {values}", self.name)));
        for row in rows {
            for (name, column) in &self.columns {
                query = bind(query, row, name, *column)?;
            }
        }
        query.execute(to).await?;
        Ok(())
    }
}

type Insert<'q> = Query<'q, Any, sqlx::any::AnyArguments>;

fn bind<'q>(query: Insert<'q>, row: &AnyRow, name: &str, column: Type) -> Result<Insert<'q>> {
    Ok(match column {
        Type::Integer => query.bind(row.try_get::<Option<i64>, _>(name)?),
        Type::Bytes => query.bind(row.try_get::<Option<Vec<u8>>, _>(name)?),
        Type::Text => query.bind(row.try_get::<Option<String>, _>(name)?.map(|text| clean(&text).into_owned())),
    })
}
