//! The simulator: a host in a JSON file that answers nft batches as nft does, refusals included. No kernel, no packet.
//!
//! Only targets that are registered as simulated use it, and every surface says so.

mod filter;
pub(super) mod ground;
mod packets;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    net::IpAddr,
    path::Path,
};

use serde::{Deserialize, Serialize};
use shieldops_policy::Facts;

use super::sockets::Connection;

/// The largest state file, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) facts: Facts,
    /// The table of blocked addresses.
    table: Option<filter::Table>,
    /// The other tables, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, filter::Table>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) connections: Vec<Connection>,
}

impl Default for Host {
    fn default() -> Self {
        let documentation = [IpAddr::from([203, 0, 113, 10]), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10])];
        let facts = Facts { own_addresses: documentation.to_vec(), ..Facts::default() };
        Self { facts, table: None, tables: BTreeMap::new(), connections: Vec::new() }
    }
}

impl Host {
    /// The host in this file; a new one when there is none.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
            Ok(meta) if meta.len() > MAX_BYTES => return Err(io::Error::other("the simulator's state is too large")),
            Ok(_) => {}
        }
        serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
    }

    /// Durable when it returns: written beside, synced, renamed, and the folder synced.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
        fs::create_dir_all(folder)?;
        let beside = path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests;
