//! The checkpoint file of a tenant, locked from before a commit until the head is in it.
//!
//! At most the last commit may lack its checkpoint. One is caught up; anything else contradicts the database and is
//! refused: signing on would hide it from `verify`.

use std::{io::ErrorKind, path::PathBuf};

use shieldops_ledger::{CheckpointFile, FileDisk, Frontier, Hash, Signer};
use shieldops_model::TenantId;
use sqlx::AnyConnection;

use super::{append, blocking, io, signer};
use crate::{
    Result, Store, StoreError,
    db::{Kind, Whose},
    keys::write_new,
};

/// What was read of a tenant's file: where it ends and its last head. Kept, so that a commit reads only what others
/// appended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    end: u64,
    size: u64,
    root: Hash,
}

/// An open and locked checkpoint file.
pub(crate) struct Locked {
    store: Store,
    tenant: TenantId,
    path: PathBuf,
    signer: Signer,
    file: CheckpointFile<FileDisk>,
    last: Known,
}

impl Locked {
    /// Waits for the lock and reads what others appended.
    pub(crate) async fn take(store: &Store, tenant: TenantId) -> Result<Self> {
        let store = store.clone();
        blocking(move || Self::open(store, tenant)).await
    }

    fn open(store: Store, tenant: TenantId) -> Result<Self> {
        let path = store.chains().path(tenant);
        let signer = signer(&store, tenant);
        prepare(&path, &signer)?;
        let disk = FileDisk::open(&path).map_err(io(&path, "opening the checkpoints"))?;
        disk.lock().map_err(io(&path, "locking the checkpoints"))?;
        let length = std::fs::metadata(&path).map_err(io(&path, "reading the checkpoints"))?.len();
        let mut last = store.chains().known().get(&tenant).copied().unwrap_or_default();
        if length < last.end {
            tracing::error!(path = %path.display(), "the checkpoint file is shorter than it was: run `shieldops ledger verify`");
            last = Known::default();
        }
        let (file, note) = CheckpointFile::resume(disk, last.end).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => StoreError::Ledger { detail: format!("{}: {error}", path.display()) },
            _ => io(&path, "reading the checkpoints")(error),
        })?;
        if let Some(note) = note {
            let head = signer
                .verifier()
                .open(&note)
                .map_err(|error| contradiction(tenant, &format!("the last checkpoint: {error}")))?;
            (last.size, last.root) = (head.size, head.root);
        }
        last.end = file.end();
        store.chains().known().insert(tenant, last);
        Ok(Self { store, tenant, path, signer, file, last })
    }

    /// Sees that the file ends with the committed head, and writes the one checkpoint that a crash or a full disk left
    /// out.
    ///
    /// # Errors
    /// `Ledger` when file and database contradict each other.
    pub(crate) async fn catch_up(self, conn: &mut AnyConnection, head: &Frontier) -> Result<Self> {
        let (size, root, signed) = (head.size(), head.root(), self.last.size);
        if signed == size {
            let same = size == 0 || self.last.root == root;
            return if same {
                Ok(self)
            } else {
                Err(contradiction(self.tenant, "the log is not the one that was signed"))
            };
        }
        if signed > size {
            return Err(contradiction(
                self.tenant,
                &format!("the log has {size} entries, a signed checkpoint has {signed}"),
            ));
        }
        if self.store.db().kind() == Kind::Postgres {
            // Other nodes committed; their heads are in files of their own, and the next commit covers them all.
            return Ok(self);
        }
        let commits: i64 =
            sqlx::query_scalar("SELECT count(DISTINCT time) FROM ledger_entries WHERE tenant_id=$1 AND seq>=$2")
                .bind(self.tenant.to_bytes().to_vec())
                .bind(i64::try_from(signed).map_err(StoreError::damaged)?)
                .fetch_one(conn)
                .await?;
        if commits > 1 {
            return Err(contradiction(
                self.tenant,
                &format!("{commits} commits have no checkpoint, at most the last one may lack it"),
            ));
        }
        self.append(size, root).await
    }

    /// Appends the signed head of this size.
    pub(crate) async fn append(mut self, size: u64, root: Hash) -> Result<Self> {
        blocking(move || {
            let note = self.signer.sign(size, root);
            self.file.append(&note).map_err(io(&self.path, "appending a checkpoint"))?;
            self.last = Known { end: self.file.end(), size, root };
            self.store.chains().known().insert(self.tenant, self.last);
            Ok(self)
        })
        .await
    }
}

fn contradiction(tenant: TenantId, what: &str) -> StoreError {
    StoreError::Ledger { detail: format!("{tenant}: {what}; nothing was changed: run `shieldops ledger verify`") }
}

/// Makes the directory, and the verifier key beside the file.
fn prepare(path: &std::path::Path, signer: &Signer) -> Result<()> {
    let beside = path.with_extension("vkey");
    if beside.exists() {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(path);
    std::fs::create_dir_all(dir).map_err(io(dir, "making the checkpoint directory"))?;
    match write_new(&beside, format!("{}\n", signer.verifier().to_text()).as_bytes()) {
        // Another process was quicker.
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Writes the checkpoint that a crash between commit and append left out. A contradiction does not stop the opening, so
/// that the log can be read and proved; every commit is refused then.
pub(crate) async fn catch_up(store: &Store) -> Result<()> {
    let tenants = store.tenants().await?.into_iter().map(|tenant| tenant.id);
    for tenant in [TenantId::INSTALLATION].into_iter().chain(tenants) {
        match catch_up_tenant(store, tenant).await {
            Err(StoreError::Ledger { detail }) => {
                tracing::error!(tenant.id = %tenant, detail, "the ledger is not sound");
            }
            done => done?,
        }
    }
    Ok(())
}

async fn catch_up_tenant(store: &Store, tenant: TenantId) -> Result<()> {
    if append::head(store, tenant).await?.is_none() && !store.chains().path(tenant).exists() {
        return Ok(());
    }
    let locked = Locked::take(store, tenant).await?;
    // Read under the lock: no commit comes between.
    let head = append::head(store, tenant).await?.unwrap_or_default();
    let mut reading = store.db().read(Whose::Tenant(tenant)).await?;
    locked.catch_up(reading.conn(), &head).await.map(drop)
}
