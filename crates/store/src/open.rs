//! Opening a data directory: locks, format, keys, database, first tenant.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use shieldops_model::{Clock, TenantId, Timestamp, id};
use sqlx::AnyPool;
use tokio::sync::broadcast;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Change, Keys, Result, StoreError,
    db::{Database, Kind, Whose, backup},
    feed::Feed,
    here::OpenHere,
    keys::write_new,
    ledger::{Chains, DirectoryReport, blocking, io, verify_database, verify_directory, verify_log},
    principal::Known,
    relocate,
};

/// The format of the data directory that this version writes.
pub(crate) const FORMAT: u32 = 1;
const LIVE_QUEUE: usize = 1_024;

#[derive(Clone, Default)]
pub struct Options {
    pub data_dir: PathBuf,
    /// The first tenant, made when there is none, is a demonstration.
    pub demo: bool,
    /// `postgres://...`; state is in SQLite in the data directory when absent.
    pub database_url: Option<String>,
    /// Where the keys are, `keys` in the data directory when absent. The nodes of one database share them.
    pub keys_dir: Option<PathBuf>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("data_dir", &self.data_dir)
            .field("demo", &self.demo)
            .field("postgres", &self.database_url.is_some())
            .field("keys_dir", &self.keys_dir)
            .finish()
    }
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
    known: Known,
    /// This data directory among the nodes of one database.
    node: String,
    /// This process among those that take leases.
    holder: String,
    feed: Option<(TaskTracker, DropGuard)>,
    /// Of PostgreSQL, with its password.
    url: Option<String>,
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
        let keys = Keys::open(&options.keys_dir.clone().unwrap_or_else(|| dir.join("keys")))?;
        let node = node_name(&dir)?;
        let here = OpenHere::new(&dir)?;
        let db = database(&dir, options).await?;
        let installation = installation_id(&db, clock.as_ref()).await?;
        let (live, _) = broadcast::channel(LIVE_QUEUE);
        let shared = (db.kind() == Kind::Postgres).then(|| node.clone());
        let chains = Chains::new(dir.join("checkpoints"), installation.clone(), shared);
        let feed = match &options.database_url {
            Some(url) => Some(join(&db, url, &node, &live, clock.now()).await?),
            None => None,
        };
        let holder = format!("{node}-{}", hex::encode(rand::random::<[u8; 8]>()));
        let url = options.database_url.clone();
        let known = Known::default();
        let inner =
            Inner { dir, db, keys, chains, live, clock, installation, known, node, holder, feed, url, _here: here };
        let store = Self { inner: Arc::new(inner) };
        store.keys().ensure(TenantId::INSTALLATION)?;
        store.first_tenant(options.demo).await?;
        crate::ledger::catch_up(&store).await?;
        crate::settings::repair(&store).await?;
        // What is owed to one tenant keeps nobody out of the others: it is tried again while the server runs.
        if let Err(error) = store.deliver_notices(store.clock().now()).await {
            tracing::error!(%error, "what the ledgers of tenants are owed waits");
        }
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

    /// Verifies every log of the installation, wherever its rows are, against the checkpoints of this data directory.
    pub async fn verify(&self) -> Result<DirectoryReport> {
        match &self.inner.url {
            None => verify_directory(&self.inner.dir, &[]).await,
            Some(url) => verify_database(&self.inner.dir, url, &[]).await,
        }
    }

    /// Verifies the log of one tenant, as [`Self::verify`] does all of them.
    pub async fn verify_log(&self, tenant: TenantId) -> Result<DirectoryReport> {
        verify_log(&self.inner.dir, self.inner.url.as_deref(), tenant).await
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

    /// This data directory's name among the nodes of one database.
    pub fn node(&self) -> &str {
        &self.inner.node
    }

    pub(crate) fn holder(&self) -> &str {
        &self.inner.holder
    }

    /// Copies of the database from before its migrations, which hold what was shredded since.
    pub fn backups(&self) -> Result<Vec<PathBuf>> {
        backup::list(self.data_dir())
    }

    /// What commits change, on whichever node, from now on; a receiver that lags is told so.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.inner.live.subscribe()
    }

    pub(crate) fn publish(&self, change: Change) {
        // No receiver is no error: nobody watches.
        drop(self.inner.live.send(change));
    }

    pub(crate) fn known(&self) -> &Known {
        &self.inner.known
    }

    pub(crate) fn db(&self) -> &Database {
        &self.inner.db
    }

    pub(crate) fn writer(&self) -> &AnyPool {
        self.inner.db.writer()
    }

    pub(crate) fn chains(&self) -> &Chains {
        &self.inner.chains
    }

    /// Closes the database after the last transaction.
    pub async fn close(&self) {
        if let Some((task, stop)) = &self.inner.feed {
            stop.token().cancel();
            task.wait().await;
        }
        self.inner.db.close().await;
    }

    async fn first_tenant(&self, demo: bool) -> Result<()> {
        let mut tx = self.db().begin(Whose::Installation).await?;
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

async fn database(dir: &Path, options: &Options) -> Result<Database> {
    let Some(url) = &options.database_url else {
        relocate::refuse_moved(dir)?;
        return Database::sqlite(dir).await;
    };
    relocate::refuse_unmoved(dir)?;
    let db = Database::postgres(url).await?;
    relocate::mark(dir, url)?;
    Ok(db)
}

/// Says that this node is one of those that serve a database, and begins to hear of the others.
async fn join(
    db: &Database,
    url: &str,
    node: &str,
    live: &broadcast::Sender<Change>,
    now: Timestamp,
) -> Result<(TaskTracker, DropGuard)> {
    let put =
        "INSERT INTO nodes (node, seen_at) VALUES ($1,$2) ON CONFLICT (node) DO UPDATE SET seen_at=excluded.seen_at";
    sqlx::query(put).bind(node).bind(now.as_micros()).execute(db.writer()).await?;
    let (task, stop) = (TaskTracker::new(), CancellationToken::new());
    let feed = Feed {
        url: url.to_owned(),
        node: node.to_owned(),
        readers: db.readers().clone(),
        live: live.clone(),
        stop: stop.clone(),
    };
    task.spawn(feed.run());
    task.close();
    Ok((task, stop.drop_guard()))
}

/// The name that a data directory has for good.
fn node_name(dir: &Path) -> Result<String> {
    let path = dir.join("NODE");
    if !path.exists() {
        let fresh = hex::encode(rand::random::<[u8; 6]>());
        match write_new(&path, format!("{fresh}\n").as_bytes()) {
            Ok(()) => return Ok(fresh),
            // Another process was quicker.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let name = std::fs::read_to_string(&path).map_err(io(&path, "reading the node's name"))?;
    let name = name.trim();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(StoreError::damaged(format!("{} does not hold a name of hexadecimal digits", path.display())));
    }
    Ok(name.to_owned())
}

async fn installation_id(db: &Database, clock: &dyn Clock) -> Result<String> {
    let mut tx = db.begin(Whose::Installation).await?;
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
