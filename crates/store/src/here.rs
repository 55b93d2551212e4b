//! Which data directories this process has open. SQLite's locks belong to the process: closing any other handle on the
//! database's files would let go of them, so those files are never opened around SQLite while a store is open here.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Result, StoreError};

static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// An open directory, for as long as this lives.
pub(crate) struct OpenHere(PathBuf);

impl OpenHere {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let fail = |source| StoreError::Io { path: dir.to_owned(), doing: "finding the data directory", source };
        let dir = dir.canonicalize().map_err(fail)?;
        open().push(dir.clone());
        Ok(Self(dir))
    }
}

impl Drop for OpenHere {
    fn drop(&mut self) {
        let mut open = open();
        if let Some(place) = open.iter().position(|dir| *dir == self.0) {
            open.swap_remove(place);
        }
    }
}

pub(crate) fn is_open_here(dir: &Path) -> bool {
    dir.canonicalize().is_ok_and(|dir| open().contains(&dir))
}

fn open() -> MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
