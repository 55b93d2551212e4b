//! Copies of a SQLite database from before its migrations, and the file that stepped aside for PostgreSQL. They hold what
//! was shredded since, so shredding deletes them.

use std::path::{Path, PathBuf};

use sqlx::AnyConnection;

use super::{Kind, migrate};
use crate::{Result, ledger::io, relocate::MOVED};

const PREFIX: &str = "state.db.before-";

/// Writes `state.db.before-<next>-from-<version>` when a database that is in use lacks a step.
pub(crate) async fn before_migration(dir: &Path, conn: &mut AnyConnection) -> Result<()> {
    let applied = migrate::applied(conn, Kind::Sqlite).await?;
    let pending = migrate::pending(&applied)?;
    let (Some(from), Some(next)) = (applied.last(), pending.last()) else { return Ok(()) };
    let path = dir.join(format!("{PREFIX}{}-from-{from}", next.version));
    let staging = dir.join(format!("{PREFIX}partial"));
    if staging.exists() {
        std::fs::remove_file(&staging).map_err(io(&staging, "removing an unfinished backup"))?;
    }
    sqlx::query("VACUUM INTO $1").bind(staging.to_string_lossy().into_owned()).execute(conn).await?;
    std::fs::File::open(&staging).and_then(|file| file.sync_all()).map_err(io(&staging, "writing a backup"))?;
    std::fs::rename(&staging, &path).map_err(io(&path, "writing a backup"))?;
    tracing::info!(path = %path.display(), step = next.name, "the database was copied before its migration");
    Ok(())
}

/// The copies in a data directory.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let fail = || io(dir, "listing the data directory");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail())? {
        let entry = entry.map_err(fail())?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(PREFIX) || name.to_string_lossy().starts_with(MOVED) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
