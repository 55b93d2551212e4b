//! The checkpoint files of a directory, read twice: before the database and after it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use shieldops_ledger::read_checkpoints;
use shieldops_model::TenantId;

use super::super::io;
use crate::Result;

#[derive(Default)]
pub(super) struct Files(BTreeMap<TenantId, Checkpoints>);

/// The files of one log: one, or one of each node, with one key.
#[derive(Default, Clone)]
pub(super) struct Checkpoints {
    pub(super) key: Option<String>,
    /// By the node's name; that of a SQLite database has none.
    pub(super) of_node: BTreeMap<String, OneFile>,
}

/// The second reading takes up where the whole records of the first ended.
#[derive(Default, Clone)]
pub(super) struct OneFile {
    pub(super) bytes: Vec<u8>,
    /// Notes of the reading before this one.
    pub(super) before: usize,
}

impl Files {
    /// Of all logs, or of `only` one.
    pub(super) fn read(dir: &Path, only: Option<TenantId>, mut before: Self) -> Result<Self> {
        let names = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(before),
            Err(error) => return Err(io(dir, "listing the checkpoints")(error)),
        };
        for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            let (tenant, node) = name.split_once('.').unwrap_or((&name, ""));
            let Ok(tenant) = tenant.parse() else { continue };
            if only.is_some_and(|only| only != tenant) {
                continue;
            }
            if node != "vkey" && !node.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                // One that is just being written.
                continue;
            }
            let log = before.0.entry(tenant).or_default();
            if node != "vkey" {
                log.of_node.entry(node.to_owned()).or_default();
            }
        }
        for (tenant, log) in &mut before.0 {
            log.read(&dir.join(tenant.to_string()))?;
        }
        Ok(before)
    }

    pub(super) fn of(&self, tenant: TenantId) -> Option<&Checkpoints> {
        self.0.get(&tenant)
    }

    pub(super) fn tenants(&self) -> impl Iterator<Item = TenantId> {
        self.0.keys().copied()
    }
}

impl Checkpoints {
    fn read(&mut self, path: &Path) -> Result<()> {
        for (node, file) in &mut self.of_node {
            file.read(&if node.is_empty() { path.to_owned() } else { path.with_extension(node) })?;
        }
        let key = path.with_extension("vkey");
        self.key = match std::fs::read_to_string(&key) {
            Ok(text) => Some(text),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => None,
            Err(error) => return Err(io(&key, "reading the verifier key")(error)),
        };
        Ok(())
    }
}

impl OneFile {
    fn read(&mut self, path: &Path) -> Result<()> {
        let (notes, whole) = read_checkpoints(&self.bytes);
        self.before = notes.len();
        self.bytes.truncate(whole);
        let length = u64::try_from(whole).unwrap_or(u64::MAX);
        self.bytes.extend(from(path, length).or_else(absent).map_err(io(path, "reading the checkpoints"))?);
        Ok(())
    }
}

fn absent(error: std::io::Error) -> std::io::Result<Vec<u8>> {
    if error.kind() == ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
}

/// The bytes from `start`, between two commits: a commit holds the lock until its head is in the file.
fn from(path: &Path, start: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.lock_shared()?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
