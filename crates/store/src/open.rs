//! Opening a data directory: locks, format, keys, database, first tenant.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use shieldops_model::{Clock, TenantId, id};
use sqlx::{
    Connection as _, SqlSafeStr as _, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::broadcast;

use crate::{
    Change, Keys, Result, StoreError,
    here::OpenHere,
    keys::write_new,
    ledger::{Chains, blocking, io},
};

/// The format of the data directory that this version writes.
pub(crate) const FORMAT: u32 = 1;
const LIVE_QUEUE: usize = 1_024;

#[derive(Debug, Clone)]
pub struct Options {
    pub data_dir: PathBuf,
    /// The first tenant, made when the directory has none, is a demonstration.
    pub demo: bool,
}

/// Held by `serve` for its lifetime: a second server on the same directory is refused.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    keys: Keys,
    chains: Chains,
    live: broadcast::Sender<Change>,
    clock: Arc<dyn Clock>,
    installation: String,
    /// Last, so that the connections close before it is forgotten.
    _here: OpenHere,
}

impl Store {
    /// Opens the directory, making it when absent; beside a running server this is safe (the CLI does it).
    pub async fn open(options: &Options, clock: Arc<dyn Clock>) -> Result<Self> {
        let dir = options.data_dir.clone();
        prepare_directory(&dir)?;
        check_format(&dir)?;
        // Two that open a new directory at once would both make its keys, tables and first tenant.
        let _opening = opening_lock(&dir).await?;
        if !check_format(&dir)? {
            write_new(&dir.join("FORMAT"), format!("{FORMAT}\n").as_bytes())?;
        }
        let keys = Keys::open(&dir.join("keys"))?;
        let here = OpenHere::new(&dir)?;
        let writer = connect(&dir, 1, false).await?;
        migrate(&writer).await?;
        let readers = connect(&dir, 4, true).await?;
        let installation = installation_id(&writer, clock.as_ref()).await?;
        let (live, _) = broadcast::channel(LIVE_QUEUE);
        let chains = Chains::new(dir.join("checkpoints"), installation.clone());
        let store = Self {
            inner: Arc::new(Inner { dir, writer, readers, keys, chains, live, clock, installation, _here: here }),
        };
        store.first_tenant(options.demo).await?;
        crate::ledger::catch_up(&store).await?;
        Ok(store)
    }

    /// Takes the server's lock on the directory.
    pub fn lock(data_dir: &Path) -> Result<ServeLock> {
        prepare_directory(data_dir)?;
        let path = data_dir.join("serve.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| StoreError::Io { path: path.clone(), doing: "opening the lock", source })?;
        match file.try_lock() {
            Ok(()) => Ok(ServeLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: data_dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StoreError::Io { path, doing: "locking", source }),
        }
    }

    pub fn data_dir(&self) -> &Path {
        &self.inner.dir
    }

    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The installation's own id: part of checkpoint origins and of marks on targets.
    pub fn installation(&self) -> &str {
        &self.inner.installation
    }

    /// What commits change, from now on; a receiver that lags is told so.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.inner.live.subscribe()
    }

    pub(crate) fn publish(&self, change: Change) {
        // No receiver is no error: nobody watches.
        drop(self.inner.live.send(change));
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.inner.writer
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    pub(crate) fn chains(&self) -> &Chains {
        &self.inner.chains
    }

    /// Closes the database after the last transaction.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    async fn first_tenant(&self, demo: bool) -> Result<()> {
        let mut tx = self.writer().begin_with("BEGIN IMMEDIATE").await?;
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM tenants").fetch_one(&mut *tx).await?;
        if known > 0 {
            return Ok(());
        }
        let now = self.clock().now();
        let tenant: TenantId = id::mint(now, &mut rand::rng());
        self.keys().create(tenant)?;
        let (slug, name) = if demo { ("demo", "Demonstration") } else { ("main", "Main") };
        sqlx::query("INSERT INTO tenants (tenant, slug, name, demo, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(tenant.to_bytes().to_vec())
            .bind(slug)
            .bind(name)
            .bind(demo)
            .bind(now.as_micros())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn prepare_directory(dir: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let fail = |source| StoreError::Io { path: dir.to_owned(), doing: "making the data directory", source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
    let mode = std::fs::metadata(dir).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %dir.display(), "the data directory can be read by others: chmod 700 it");
    }
    Ok(())
}

/// Whether the directory says its format; an error when this version cannot read it.
fn check_format(dir: &Path) -> Result<bool> {
    let path = dir.join("FORMAT");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(StoreError::Io { path, doing: "reading the format", source }),
    };
    match text.trim().parse() {
        Ok(found) if found > FORMAT => Err(StoreError::TooNew { path: dir.to_owned(), found, known: FORMAT }),
        Ok(_) => Ok(true),
        Err(_nan) => Err(StoreError::damaged(format!("{} does not hold a number", path.display()))),
    }
}

/// Held while a directory is opened.
async fn opening_lock(dir: &Path) -> Result<File> {
    let path = dir.join("open.lock");
    blocking(move || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(io(&path, "opening the lock"))?;
        file.lock().map_err(io(&path, "locking"))?;
        Ok(file)
    })
    .await
}

async fn connect(dir: &Path, connections: u32, read_only: bool) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(dir.join("state.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("secure_delete", "ON")
        .pragma("query_only", if read_only { "ON" } else { "OFF" });
    let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(15));
    // A full disk makes SQLite end a transaction by itself; the connection still counts it and would begin no other one.
    let at_rest = pool.after_release(|connection, _| {
        Box::pin(async move {
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    });
    Ok(at_rest.connect_with(options).await?)
}

/// Every migration, in order: version, name, text. One that was released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "first", include_str!("../migrations/0001_first.sql"))];

async fn migrate(pool: &SqlitePool) -> Result<()> {
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect());
    migrator.run(pool).await.map_err(|error| StoreError::Database(error.into()))
}

async fn installation_id(pool: &SqlitePool, clock: &dyn Clock) -> Result<String> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let known: Option<String> = sqlx::query_scalar("SELECT id FROM installation").fetch_optional(&mut *tx).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let fresh = hex::encode(rand::random::<[u8; 8]>());
    let insert = sqlx::query("INSERT INTO installation (one, id, created_at) VALUES (1, $1, $2)");
    insert.bind(&fresh).bind(clock.now().as_micros()).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_a_full_disk_ended_does_not_block_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let pool = connect(dir.path(), 1, false).await.unwrap();
        sqlx::query("CREATE TABLE heap (bytes BLOB)").execute(&pool).await.unwrap();
        // For SQLite the same as no space: error 13.
        sqlx::query("PRAGMA max_page_count = 8").execute(&pool).await.unwrap();
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let full = sqlx::query("INSERT INTO heap VALUES (zeroblob(1000000))").execute(&mut *tx).await.unwrap_err();
        assert!(full.to_string().contains("full"), "{full}");
        drop(tx);
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("INSERT INTO heap VALUES (zeroblob(10))").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}
