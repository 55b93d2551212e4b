//! A disk for tests: it keeps unsynced writes and names in memory, loses them at power loss (all, or a random prefix,
//! torn at any byte), runs out of space, and fails when told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::{Rng, RngExt as _};

use crate::{Disk, DiskFile};

/// Shared by its clones.
#[derive(Clone, Default)]
pub struct LossyDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Counts power losses: what was open before one is dead after it.
    epoch: u64,
    files: BTreeMap<u64, Contents>,
    next_file: u64,
    names: Names,
    durable_names: Names,
    /// Changes of names since the last sync of their directory, in order.
    changes: Vec<Change>,
    /// Bytes that may still be written.
    space: Option<u64>,
    /// Operations until the power is lost.
    operations_left: Option<u64>,
    syncs_to_fail: u32,
    syncs: u64,
}

#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<PathBuf, u64>,
    dirs: BTreeSet<PathBuf>,
}

#[derive(Clone)]
struct Change {
    dir: PathBuf,
    kind: ChangeKind,
}

#[derive(Clone)]
enum ChangeKind {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Dir(PathBuf),
    UnlinkDir(PathBuf),
    /// One step, whatever the power does.
    Rename(PathBuf, PathBuf, u64),
}

#[derive(Default)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Write>,
    /// Bytes that it cannot give back.
    bad: Vec<Range<usize>>,
    /// It may not be opened.
    forbidden: bool,
    /// It may not be removed.
    kept: bool,
}

enum Write {
    Bytes(usize, Vec<u8>),
    Len(usize),
}

impl Write {
    fn apply(&self, to: &mut Vec<u8>, bytes_of: usize) {
        match self {
            Self::Len(len) => to.resize(*len, 0),
            Self::Bytes(at, bytes) => {
                let kept = bytes.get(..bytes_of.min(bytes.len())).unwrap_or_default();
                let end = at.saturating_add(kept.len());
                if !kept.is_empty() && to.len() < end {
                    to.resize(end, 0);
                }
                if let Some(place) = to.get_mut(*at..end) {
                    place.copy_from_slice(kept);
                }
            }
        }
    }
}

impl Names {
    /// What is in a directory whose own name was lost is lost with it.
    fn drop_orphans(&mut self) {
        let dirs = self.dirs.clone();
        let rooted = |path: &Path| path.ancestors().skip(1).all(|dir| dir.parent().is_none() || dirs.contains(dir));
        self.dirs.retain(|dir| rooted(dir));
        self.files.retain(|file, _| rooted(file));
    }

    fn apply(&mut self, change: &ChangeKind) {
        match change {
            ChangeKind::Link(path, file) => {
                self.files.insert(path.clone(), *file);
            }
            ChangeKind::Unlink(path) => {
                self.files.remove(path);
            }
            ChangeKind::Dir(path) => {
                self.dirs.insert(path.clone());
            }
            ChangeKind::UnlinkDir(path) => {
                self.dirs.remove(path);
            }
            ChangeKind::Rename(from, to, file) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *file);
            }
        }
    }
}

fn lost() -> io::Error {
    io::Error::other("the power is lost")
}

impl LossyDisk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses power: of each file, and of the changes of names, a random prefix of what was not synced survives. A write
    /// may be torn at any byte. Everything that was open is dead.
    pub fn lose_power(&self, rng: &mut impl Rng) {
        let mut inner = self.inner();
        inner.epoch += 1;
        inner.operations_left = None;
        for contents in inner.files.values_mut() {
            let keep = if rng.random_bool(0.3) { 0 } else { rng.random_range(0..=contents.unsynced.len()) };
            let mut now = std::mem::take(&mut contents.durable);
            for write in contents.unsynced.iter().take(keep) {
                write.apply(&mut now, usize::MAX);
            }
            if let Some(write @ Write::Bytes(_, bytes)) = contents.unsynced.get(keep) {
                write.apply(&mut now, rng.random_range(0..=bytes.len()));
            }
            contents.unsynced.clear();
            contents.durable.clone_from(&now);
            contents.now = now;
        }
        let changes = std::mem::take(&mut inner.changes);
        let keep = rng.random_range(0..=changes.len());
        for change in changes.iter().take(keep) {
            inner.durable_names.apply(&change.kind);
        }
        inner.durable_names.drop_orphans();
        inner.names = inner.durable_names.clone();
    }

    /// After so many more operations every one fails, until `lose_power`.
    pub fn fail_after(&self, operations: u64) {
        self.inner().operations_left = Some(operations);
    }

    /// So many bytes may still be written; `None` for no limit.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.inner().space = bytes;
    }

    /// The next so many syncs of files fail.
    pub fn fail_syncs(&self, count: u32) {
        self.inner().syncs_to_fail = count;
    }

    /// Syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.inner().syncs
    }

    /// The files there are.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.inner().names.files.keys().cloned().collect()
    }

    /// The bytes of a file; empty when there is none.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let inner = self.inner();
        let contents = inner.names.files.get(path).and_then(|file| inner.files.get(file));
        contents.map(|contents| contents.now.clone()).unwrap_or_default()
    }

    /// From now on these bytes of a file cannot be read, as on a bad sector; with none, all can be again.
    pub fn spoil(&self, path: &Path, bytes: Option<Range<usize>>) {
        let mut inner = self.inner();
        let file = inner.names.files.get(path).copied();
        if let Some(contents) = file.and_then(|file| inner.files.get_mut(&file)) {
            contents.bad = bytes.into_iter().collect();
        }
    }

    /// Whether a file may not be opened, as one of another owner.
    pub fn forbid(&self, path: &Path, forbidden: bool) {
        let mut inner = self.inner();
        let file = inner.names.files.get(path).copied();
        if let Some(contents) = file.and_then(|file| inner.files.get_mut(&file)) {
            contents.forbidden = forbidden;
        }
    }

    /// Whether a file may not be removed, as on a file system that became read-only.
    pub fn keep(&self, path: &Path, kept: bool) {
        let mut inner = self.inner();
        let file = inner.names.files.get(path).copied();
        if let Some(contents) = file.and_then(|file| inner.files.get_mut(&file)) {
            contents.kept = kept;
        }
    }

    /// Changes the bytes of a file behind everyone's back, durably.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.inner();
        let file = inner.names.files.get(path).copied();
        if let Some(contents) = file.and_then(|file| inner.files.get_mut(&file)) {
            change(&mut contents.now);
            contents.durable.clone_from(&contents.now);
            contents.unsynced.clear();
        }
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        match &mut inner.operations_left {
            Some(0) => Err(lost()),
            Some(left) => {
                *left -= 1;
                Ok(inner)
            }
            None => Ok(inner),
        }
    }

    fn handle(&self, inner: &Inner, file: u64) -> Arc<dyn DiskFile> {
        Arc::new(LossyFile { disk: self.clone(), file, epoch: inner.epoch })
    }
}

impl Inner {
    fn change(&mut self, path: &Path, kind: ChangeKind) {
        self.names.apply(&kind);
        let dir = path.parent().unwrap_or(Path::new("")).to_path_buf();
        self.changes.push(Change { dir, kind });
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        self.names.files.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for LossyDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let missing: Vec<_> = path.ancestors().take_while(|dir| !inner.names.dirs.contains(*dir)).collect();
        for dir in missing.into_iter().rev() {
            inner.change(dir, ChangeKind::Dir(dir.to_path_buf()));
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let inner = self.operate()?;
        let files = inner.names.files.keys().chain(&inner.names.dirs);
        let here = files.filter(|file| file.parent() == Some(path));
        Ok(here.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.operate()?;
        if !path.parent().is_some_and(|dir| inner.names.dirs.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        inner.next_file += 1;
        let file = inner.next_file;
        inner.files.insert(file, Contents::default());
        inner.change(path, ChangeKind::Link(path.to_path_buf(), file));
        Ok(self.handle(&inner, file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inner = self.operate()?;
        let file = inner.file(path)?;
        if inner.files.get(&file).is_some_and(|contents| contents.forbidden) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(self.handle(&inner, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let file = inner.file(from)?;
        inner.change(to, ChangeKind::Rename(from.to_path_buf(), to.to_path_buf(), file));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let file = inner.file(path)?;
        if inner.files.get(&file).is_some_and(|contents| contents.kept) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        inner.change(path, ChangeKind::Unlink(path.to_path_buf()));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        inner.change(path, ChangeKind::UnlinkDir(path.to_path_buf()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.operate()?;
        let (synced, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.changes).into_iter().partition(|change| change.dir == path);
        for change in synced {
            inner.durable_names.apply(&change.kind);
        }
        inner.changes = left;
        Ok(())
    }
}

struct LossyFile {
    disk: LossyDisk,
    file: u64,
    epoch: u64,
}

impl LossyFile {
    fn contents<T>(&self, act: impl FnOnce(&mut Contents, &mut Option<u64>) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.disk.operate()?;
        if inner.epoch != self.epoch {
            return Err(lost());
        }
        let inner = &mut *inner;
        act(inner.files.entry(self.file).or_default(), &mut inner.space)
    }
}

impl DiskFile for LossyFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.contents(|contents, _| {
            let start = usize::try_from(position).unwrap_or(usize::MAX);
            let there = contents.now.get(start..).unwrap_or_default();
            let len = there.len().min(buffer.len());
            let end = start.saturating_add(len);
            if contents.bad.iter().any(|bad| bad.start < end && start < bad.end) {
                return Err(io::Error::from_raw_os_error(5));
            }
            if let (Some(to), Some(from)) = (buffer.get_mut(..len), there.get(..len)) {
                to.copy_from_slice(from);
            }
            Ok(len)
        })
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.contents(|contents, space| {
            let fits = space.map_or(bytes.len(), |space| usize::try_from(space).unwrap_or(usize::MAX).min(bytes.len()));
            let write = Write::Bytes(
                usize::try_from(position).unwrap_or(usize::MAX),
                bytes.get(..fits).unwrap_or_default().to_vec(),
            );
            write.apply(&mut contents.now, usize::MAX);
            contents.unsynced.push(write);
            if let Some(space) = space {
                *space -= u64::try_from(fits).unwrap_or(u64::MAX);
            }
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.contents(|contents, _| {
            let write = Write::Len(usize::try_from(len).unwrap_or(usize::MAX));
            write.apply(&mut contents.now, usize::MAX);
            contents.unsynced.push(write);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        {
            let mut inner = self.disk.inner();
            inner.syncs += 1;
            if inner.syncs_to_fail > 0 {
                inner.syncs_to_fail -= 1;
                return Err(io::Error::other("the sync failed"));
            }
        }
        self.contents(|contents, _| {
            contents.durable.clone_from(&contents.now);
            contents.unsynced.clear();
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.contents(|contents, _| Ok(u64::try_from(contents.now.len()).unwrap_or(u64::MAX)))
    }
}
