//! Start and memory.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Bench,
    figures::{milliseconds, percentile, round, summary},
    server::{Folder, Server, pause},
};
use crate::output::Failure;

/// How long a server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(10);

/// From start to ready: on a new data directory, and on one that is there.
pub(super) fn start(bench: &Bench) -> Result<Value, Failure> {
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds(10) {
        let folder = Folder::new(&bench.dir)?;
        fresh.push(milliseconds(Server::start(folder.path(), &[])?.took));
        again.push(milliseconds(Server::start(folder.path(), &[])?.took));
    }
    Ok(json!({"bench": "start", "new_directory": summary(&fresh), "known_directory": summary(&again)}))
}

/// Resident memory of a server that has nothing to do.
pub(super) fn memory(bench: &Bench) -> Result<Value, Failure> {
    let mut seen = Vec::new();
    for _ in 0..bench.rounds(3) {
        let folder = Folder::new(&bench.dir)?;
        let server = Server::start(folder.path(), &[])?;
        pause(IDLE);
        let kib = u32::try_from(server.resident_bytes()? / 1024).unwrap_or(u32::MAX);
        seen.push(round(f64::from(kib) / 1024.0));
    }
    Ok(
        json!({"bench": "memory", "idle_s": IDLE.as_secs(), "rounds": seen.len(), "resident_mib": percentile(&seen, 50)}),
    )
}
