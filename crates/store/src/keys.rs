//! Key files: the installation key, the data keys it wraps, and the ledger's signing key. All of mode 0600.

use std::{
    collections::HashMap,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use shieldops_model::TenantId;
use shieldops_seal::{DataKey, InstallationKey};
use zeroize::Zeroizing;

use crate::{Result, StoreError};

pub struct Keys {
    dir: PathBuf,
    installation: InstallationKey,
    signing: Zeroizing<[u8; 32]>,
    data: Mutex<HashMap<TenantId, DataKey>>,
}

impl Keys {
    /// Opens `dir`, making it and its keys when it is new.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let fail = |source| StoreError::Io { path: dir.to_owned(), doing: "making the key directory", source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.join("tenants")).map_err(fail)?;
        let installation = InstallationKey::from_bytes(*secret(&dir.join("installation.key"))?);
        let signing = secret(&dir.join("ledger.key"))?;
        Ok(Self { dir: dir.to_owned(), installation, signing, data: Mutex::new(HashMap::new()) })
    }

    /// A tenant's data key from a folder of keys alone: no database is opened and nothing is made.
    pub fn read_data_key(keys_dir: &Path, tenant: TenantId) -> Result<DataKey> {
        if !keys_dir.join("installation.key").exists() {
            return Err(StoreError::NotFound);
        }
        let installation = InstallationKey::from_bytes(*secret(&keys_dir.join("installation.key"))?);
        let path = keys_dir.join("tenants").join(format!("{tenant}.key"));
        let wrapped = std::fs::read(&path).map_err(|source| StoreError::Io {
            path: path.clone(),
            doing: "reading a key",
            source,
        })?;
        DataKey::unwrap(&installation, &tenant.to_bytes(), &wrapped)
            .map_err(|error| StoreError::Key { path, detail: error.to_string() })
    }

    /// The seed of the Ed25519 key that signs checkpoints.
    pub fn signing_seed(&self) -> &[u8; 32] {
        &self.signing
    }

    /// A tenant's data key. Its file is looked at each time: a key that any node destroyed is used by none.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none (it was never made, or was shredded).
    pub fn data_key(&self, tenant: TenantId) -> Result<DataKey> {
        let mut cache = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(tenant);
        match cache.get(&tenant) {
            Some(key) if path.exists() => return Ok(key.clone()),
            Some(_destroyed) => drop(cache.remove(&tenant)),
            None => {}
        }
        let wrapped = match std::fs::read(&path) {
            Ok(wrapped) => wrapped,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::NotFound),
            Err(source) => return Err(StoreError::Io { path, doing: "reading a key", source }),
        };
        let key = DataKey::unwrap(&self.installation, &tenant.to_bytes(), &wrapped)
            .map_err(|error| StoreError::Key { path, detail: error.to_string() })?;
        cache.insert(tenant, key.clone());
        Ok(key)
    }

    pub(crate) fn create(&self, tenant: TenantId) -> Result<()> {
        let mut rng = rand::rng();
        let wrapped = DataKey::generate(&mut rng).wrap(&self.installation, &tenant.to_bytes(), &mut rng);
        write_new(&self.path(tenant), &wrapped)
    }

    /// The key that rests under no tenant, made at the first start.
    pub(crate) fn ensure(&self, tenant: TenantId) -> Result<()> {
        if self.path(tenant).exists() {
            return Ok(());
        }
        match self.create(tenant) {
            // Another node that shares the keys was quicker.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    /// Overwrites and removes a tenant's data key; one that is gone already is no error.
    pub(crate) fn destroy(&self, tenant: TenantId) -> Result<()> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
        let path = self.path(tenant);
        let length = match std::fs::metadata(&path) {
            Ok(meta) => usize::try_from(meta.len()).unwrap_or(0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(StoreError::Io { path, doing: "destroying a key", source }),
        };
        let fail = |source| StoreError::Io { path: path.clone(), doing: "destroying a key", source };
        let overwrite = |mut file: std::fs::File| {
            file.write_all(&vec![0; length])?;
            file.sync_all()
        };
        std::fs::OpenOptions::new().write(true).open(&path).and_then(overwrite).map_err(fail)?;
        std::fs::remove_file(&path).map_err(fail)?;
        let parent = path.parent().unwrap_or(&path);
        std::fs::File::open(parent).and_then(|dir| dir.sync_all()).map_err(fail)
    }

    fn path(&self, tenant: TenantId) -> PathBuf {
        self.dir.join("tenants").join(format!("{tenant}.key"))
    }
}

/// Reads a key file of 32 bytes, or makes it. Two processes that start together agree: the loser reads the winner's.
fn secret(path: &Path) -> Result<Zeroizing<[u8; 32]>> {
    if !path.exists() {
        let fresh = Zeroizing::new(rand::random::<[u8; 32]>());
        match write_new(path, fresh.as_slice()) {
            Ok(()) => return Ok(fresh),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let fail = |source| StoreError::Io { path: path.to_owned(), doing: "reading a key", source };
    let bytes = Zeroizing::new(std::fs::read(path).map_err(fail)?);
    let wrong =
        |_error| StoreError::Key { path: path.to_owned(), detail: format!("want 32 bytes, found {}", bytes.len()) };
    Ok(Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).map_err(wrong)?))
}

/// Writes a whole new file durably: a hidden sibling first, then a link, which fails when the name is taken.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |doing| move |source| StoreError::Io { path: path.to_owned(), doing, source };
    // A name of its own: two that wrote to one file would each believe that the other's bytes are theirs.
    let staging = path.with_extension(format!("new-{}", hex::encode(rand::random::<[u8; 8]>())));
    let mut file = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&staging)
        .map_err(fail("writing a file"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail("writing a file"))?;
    let linked = std::fs::hard_link(&staging, path).map_err(fail("writing a file"));
    std::fs::remove_file(&staging).map_err(fail("removing a staging file"))?;
    linked?;
    let parent = path.parent().unwrap_or(path);
    std::fs::File::open(parent).and_then(|dir| dir.sync_all()).map_err(fail("syncing the directory"))
}
