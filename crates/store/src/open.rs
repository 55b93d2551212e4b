//! Opening a data directory: locks, format, keys, database, first tenant.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use shieldops_model::{Clock, TenantId, id};
use sqlx::AnyPool;
use tokio::sync::broadcast;

use crate::{
    Change, Keys, Result, StoreError,
    db::Database,
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
    db: Database,
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
        let db = Database::sqlite(&dir).await?;
        let installation = installation_id(&db, clock.as_ref()).await?;
        let (live, _) = broadcast::channel(LIVE_QUEUE);
        let chains = Chains::new(dir.join("checkpoints"), installation.clone());
        let store = Self { inner: Arc::new(Inner { dir, db, keys, chains, live, clock, installation, _here: here }) };
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

    pub(crate) fn db(&self) -> &Database {
        &self.inner.db
    }

    pub(crate) fn writer(&self) -> &AnyPool {
        self.inner.db.writer()
    }

    pub(crate) fn readers(&self) -> &AnyPool {
        self.inner.db.readers()
    }

    pub(crate) fn chains(&self) -> &Chains {
        &self.inner.chains
    }

    /// Closes the database after the last transaction.
    pub async fn close(&self) {
        self.inner.db.close().await;
    }

    async fn first_tenant(&self, demo: bool) -> Result<()> {
        let mut tx = self.db().begin().await?;
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
            .bind(i64::from(demo))
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

async fn installation_id(db: &Database, clock: &dyn Clock) -> Result<String> {
    let mut tx = db.begin().await?;
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
