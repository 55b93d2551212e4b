//! The ledger of a tenant: entries in the state database, signed heads in the checkpoint file.

pub(crate) mod append;
mod checkpoint;
mod export;
mod read;
mod verify;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use shieldops_ledger::Signer;
use shieldops_model::TenantId;

pub(crate) use checkpoint::catch_up;
use checkpoint::{Known, Locked};
pub use export::{Export, export};
pub use read::{ByActor, Entry, Filter, Trace, by_actor, list, of_subject, since};
pub(crate) use verify::verify_log;
pub use verify::{DirectoryReport, Uncovered, verify_database, verify_directory};

use crate::{Result, Store, StoreError};

/// Where the checkpoint files are, the names of the logs, and how far each file was read.
pub(crate) struct Chains {
    dir: PathBuf,
    installation: String,
    /// The end of the file's name where several nodes have files of one tenant.
    node: Option<String>,
    known: Mutex<HashMap<TenantId, Known>>,
}

impl Chains {
    pub(crate) fn new(dir: PathBuf, installation: String, node: Option<String>) -> Self {
        Self { dir, installation, node, known: Mutex::default() }
    }

    pub(crate) fn path(&self, tenant: TenantId) -> PathBuf {
        match &self.node {
            None => self.dir.join(tenant.to_string()),
            Some(node) => self.dir.join(format!("{tenant}.{node}")),
        }
    }

    fn signer(&self, tenant: TenantId, seed: &[u8; 32]) -> Signer {
        Signer::new(origin(&self.installation, tenant), seed)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TenantId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a log and of its key.
fn origin(installation: &str, tenant: TenantId) -> String {
    format!("shieldops/{installation}/{tenant}")
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

/// The signer of a tenant's heads.
fn signer(store: &Store, tenant: TenantId) -> Signer {
    store.chains().signer(tenant, store.keys().signing_seed())
}
