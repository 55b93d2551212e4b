//! The ledger of a tenant: entries in the state database, signed heads in the checkpoint file.

pub(crate) mod append;
mod export;
mod read;
mod verify;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use shieldops_ledger::{CheckpointFile, FileDisk, Signer};
use shieldops_model::TenantId;

pub use export::export;
pub use read::{Entry, Filter, list, of_subject};
pub use verify::{DirectoryReport, Uncovered, verify_directory};

use crate::{Result, Store, StoreError};

/// Where the checkpoint files are, and the names of the logs.
pub(crate) struct Chains {
    dir: PathBuf,
    installation: String,
}

impl Chains {
    pub(crate) fn new(dir: PathBuf, installation: String) -> Self {
        Self { dir, installation }
    }

    pub(crate) fn path(&self, tenant: TenantId) -> PathBuf {
        self.dir.join(tenant.to_string())
    }

    pub(crate) fn origin(&self, tenant: TenantId) -> String {
        format!("shieldops/{}/{tenant}", self.installation)
    }

    fn signer(&self, tenant: TenantId, seed: &[u8; 32]) -> Signer {
        Signer::new(self.origin(tenant), seed)
    }
}

/// A locked checkpoint file: held from before the commit until the head is in it.
pub(crate) struct Locked {
    path: PathBuf,
    disk: FileDisk,
}

impl Locked {
    pub(crate) async fn take(store: &Store, tenant: TenantId) -> Result<Self> {
        let chains = store.chains();
        let path = chains.path(tenant);
        let key = chains.signer(tenant, store.keys().signing_seed()).verifier().to_text();
        blocking(move || {
            let dir = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(dir).map_err(io(&path, "making the checkpoint directory"))?;
            let beside = path.with_extension("vkey");
            if !beside.exists() {
                std::fs::write(&beside, format!("{key}\n")).map_err(io(&beside, "writing the verifier key"))?;
            }
            let disk = FileDisk::open(&path).map_err(io(&path, "opening the checkpoints"))?;
            disk.lock().map_err(io(&path, "locking the checkpoints"))?;
            Ok(Self { path, disk })
        })
        .await
    }

    /// Appends the signed head and lets go of the lock.
    pub(crate) async fn append(self, note: String) -> Result<()> {
        blocking(move || {
            let (mut file, _last) = CheckpointFile::open(self.disk).map_err(io(&self.path, "reading the checkpoints"))?;
            file.append(&note).map_err(io(&self.path, "appending a checkpoint"))
        })
        .await
    }

    /// The last note of the file.
    pub(crate) async fn last(self) -> Result<(Self, Option<String>)> {
        blocking(move || {
            let again = self.path.clone();
            let (file, last) = CheckpointFile::open(self.disk).map_err(io(&again, "reading the checkpoints"))?;
            // The lock ends with the file; kept, the next line would wait for itself.
            drop(file);
            let disk = FileDisk::open(&again).map_err(io(&again, "opening the checkpoints"))?;
            disk.lock().map_err(io(&again, "locking the checkpoints"))?;
            Ok((Self { path: again, disk }, last))
        })
        .await
    }
}

pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { path, doing, source }
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => Err(StoreError::Ledger { detail: ended.to_string() }),
    }
}

/// Writes the checkpoint that a crash between commit and append left out.
pub(crate) async fn catch_up(store: &Store) -> Result<()> {
    for tenant in store.tenants().await? {
        let Some(head) = append::head(store, tenant.id).await? else { continue };
        let locked = Locked::take(store, tenant.id).await?;
        let (locked, last) = locked.last().await?;
        let signer = store.chains().signer(tenant.id, store.keys().signing_seed());
        let covered = last.and_then(|note| signer.verifier().open(&note).ok()).map_or(0, |checkpoint| checkpoint.size);
        if covered < head.size() {
            locked.append(signer.sign(head.size(), head.root())).await?;
        }
    }
    Ok(())
}

/// The chain of a store, for append.
pub(crate) fn signer(store: &Store, tenant: TenantId) -> Arc<Signer> {
    Arc::new(store.chains().signer(tenant, store.keys().signing_seed()))
}
