//! Finds the files that rotation moved aside: by number (`app.log.1`), by date (`app.log-20261122`), or with the date before
//! the ending (`app-20261122.log`). What was packed since cannot be followed, and that is said.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Entries of a directory that are looked at.
const LOOK: usize = 10_000;
const PACKED: [&str; 5] = [".gz", ".xz", ".bz2", ".zst", ".lz4"];

/// A file that had the path's name before.
pub(super) struct Aside {
    pub(super) path: PathBuf,
    pub(super) inode: u64,
    modified: SystemTime,
    pub(super) is_packed: bool,
}

/// Those of a path, the one written last at the end.
pub(super) async fn aside(path: &Path) -> io::Result<Vec<Aside>> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut entries = tokio::fs::read_dir(dir).await?;
    let mut found = Vec::new();
    for _ in 0..LOOK {
        let Some(entry) = entries.next_entry().await? else { break };
        let other = entry.file_name();
        let Some(is_packed) = other.to_str().and_then(|other| rotated(name, other)) else { continue };
        // One that goes away meanwhile is not there any more.
        let Ok(there) = entry.metadata().await else { continue };
        if there.is_file() {
            let modified = there.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(Aside { path: entry.path(), inode: there.ino(), modified, is_packed });
        }
    }
    found.sort_by_key(|aside| aside.modified);
    Ok(found)
}

/// Those that came between this file and the one that has the name now, the oldest first.
pub(super) async fn since(path: &Path, left: &Metadata) -> io::Result<Vec<Aside>> {
    // A file system that keeps no times tells no order.
    let Ok(modified) = left.modified() else { return Ok(Vec::new()) };
    let mut found = aside(path).await?;
    found.retain(|other| other.modified > modified && other.inode != left.ino());
    Ok(found)
}

/// Whether `other` is what rotation makes of a name, and if so, whether it is packed.
fn rotated(name: &str, other: &str) -> Option<bool> {
    let unpacked = PACKED.iter().find_map(|ending| other.strip_suffix(ending));
    let other_name = unpacked.unwrap_or(other);
    let inserted = name
        .rsplit_once('.')
        .and_then(|(stem, ending)| other_name.strip_prefix(stem)?.strip_suffix(ending)?.strip_suffix('.'));
    let is_turn = |part: &str| {
        part.bytes().any(|byte| byte.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_digit() || b".-_".contains(&byte))
    };
    let added = other_name.strip_prefix(name);
    added.into_iter().chain(inserted).any(is_turn).then_some(unpacked.is_some())
}

#[cfg(test)]
mod tests {
    use super::rotated;

    #[test]
    fn names_that_rotation_gives_are_known_and_others_are_left_alone() {
        for other in ["a.log.1", "a.log.12", "a.log-20261122", "a.log.2026-11-22_10", "a-20261122.log"] {
            assert_eq!(rotated("a.log", other), Some(false), "{other}");
        }
        for other in ["a.log.2.gz", "a.log-20261122.zst", "a-20261122.log.xz"] {
            assert_eq!(rotated("a.log", other), Some(true), "{other}");
        }
        for other in ["a.log", "a.log.bak", "a.log1.old", "a-debug.log", "b.log.1", "a.log.gz", "a.log.swp"] {
            assert_eq!(rotated("a.log", other), None, "{other}");
        }
        assert_eq!(rotated("messages", "messages-20261122"), Some(false));
    }
}
