//! A consistent copy of a database that another process may be writing.
//!
//! A commit appends to the WAL; a checkpoint of SQLite moves pages that are in the WAL into the database; only a restart
//! of the WAL overwrites it, and writes its header first. So the database, then the WAL, are together the state of the
//! later moment as long as the header stayed the same; else the copy is made again.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::super::io;
use crate::{Result, StoreError};

const ATTEMPTS: u32 = 20;
const HEADER_BYTES: u64 = 32;
const DATABASE: &str = "state.db";
const WAL: &str = "state.db-wal";

/// A directory that is removed when this is dropped.
pub(super) struct Copy(PathBuf);

impl Copy {
    pub(super) fn of(from: &Path) -> Result<Self> {
        let name = format!("shieldops-verify-{}-{}", std::process::id(), hex::encode(rand::random::<[u8; 8]>()));
        let to = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&to).map_err(io(&to, "making a copy"))?;
        let copy = Self(to);
        let take = || copy.take(from, DATABASE).and_then(|()| copy.take(from, WAL));
        if undisturbed(|| generation(from), take)? {
            return Ok(copy);
        }
        let source = std::io::Error::new(ErrorKind::ResourceBusy, "it was changed during every attempt");
        Err(StoreError::Io { path: from.join(DATABASE), doing: "copying the database", source })
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    fn take(&self, from: &Path, name: &str) -> Result<()> {
        let (source, to) = (from.join(name), self.0.join(name));
        match std::fs::copy(&source, &to) {
            Ok(_) => Ok(()),
            // What an attempt before this one copied is of another generation.
            Err(error) if error.kind() == ErrorKind::NotFound && name == WAL => match std::fs::remove_file(&to) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(io(&to, "copying")(error)),
                _ => Ok(()),
            },
            Err(error) => Err(io(&source, "copying")(error)),
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the copy that was verified could not be removed");
        }
    }
}

/// Copies until the generation is the same before and after; false when it never was.
fn undisturbed<G: PartialEq>(
    mut generation: impl FnMut() -> Result<G>,
    mut take: impl FnMut() -> Result<()>,
) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let before = generation()?;
        take()?;
        if generation()? == before {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What stays the same as long as no page that was copied can have been overwritten.
#[derive(Debug, PartialEq, Eq)]
enum Generation {
    Wal(Vec<u8>),
    /// Without a WAL only a whole run of a server can change the database.
    Database(u64, SystemTime),
}

fn generation(dir: &Path) -> Result<Generation> {
    let path = dir.join(WAL);
    let mut header = Vec::new();
    match File::open(&path).and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut header)) {
        Ok(0) => {}
        Ok(_) => return Ok(Generation::Wal(header)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io(&path, "reading")(error)),
    }
    let path = dir.join(DATABASE);
    let state = std::fs::metadata(&path).and_then(|meta| Ok((meta.len(), meta.modified()?)));
    let (length, modified) = state.map_err(io(&path, "reading"))?;
    Ok(Generation::Database(length, modified))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_copy_that_was_disturbed_is_made_again() {
        let copies = Cell::new(0);
        let take = || {
            copies.set(copies.get() + 1);
            Ok(())
        };
        // The WAL is restarted during the first two copies.
        assert!(undisturbed(|| Ok(copies.get().min(2)), take).unwrap());
        assert_eq!(copies.get(), 3);
        assert!(!undisturbed(|| Ok(copies.get()), take).unwrap());
    }

    #[test]
    fn a_restarted_wal_is_another_generation_and_a_grown_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(DATABASE), "pages").unwrap();
        let without = generation(dir.path()).unwrap();
        let wal = dir.path().join(WAL);
        std::fs::write(&wal, [1; 64]).unwrap();
        let first = generation(dir.path()).unwrap();
        std::fs::write(&wal, [1; 96]).unwrap();
        assert_eq!(generation(dir.path()).unwrap(), first);
        std::fs::write(&wal, [[2; 32], [1; 32]].concat()).unwrap();
        let second = generation(dir.path()).unwrap();
        assert!(first != second && without != first && without != second);
        std::fs::remove_file(&wal).unwrap();
        std::fs::write(dir.path().join(DATABASE), "more pages").unwrap();
        assert_ne!(generation(dir.path()).unwrap(), without);
    }
}
