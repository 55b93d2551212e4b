//! The vault of a filesystem: a folder at its root that only root can enter, with a file and a note for each entry.

use serde::{Deserialize, Serialize};

use crate::linux::ground::{
    Ground, Kind, Making, Outcome, Seen, Trouble, Who, check_path, is_beside, join, refused, split,
};

const NAME: &str = ".shieldops-vault";
/// Permission bits of everybody but the owner.
const NOT_ROOT: u32 = 0o077;
/// The largest note, in bytes.
const MAX_NOTE: u64 = 16 * 1024;
/// Folders on which a filesystem is commonly mounted; a vault elsewhere is found by its path.
const USUAL: [&str; 12] =
    ["/", "/home", "/tmp", "/var", "/var/tmp", "/var/www", "/opt", "/srv", "/usr", "/root", "/run", "/dev/shm"];

/// What an entry says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    marker: String,
    action: String,
    path: String,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// Where the file is now.
    pub(super) file: String,
    pub(super) seen: Seen,
    note: String,
    vault: String,
}

/// The root of the filesystem that a path is on, when its folder is there.
fn root(on: &dyn Ground, path: &str) -> Outcome<Option<String>> {
    let folder = on.find(split(path).0, Who::Root)?;
    Ok(folder.filter(|folder| folder.kind == Kind::Folder).map(|folder| folder.mount))
}

/// Where the vault of a filesystem may be: under a name of this installation's where somebody took the first one.
fn places(on: &dyn Ground, root: &str) -> [String; 2] {
    let installation = on.with().marker.rsplit(':').next().unwrap_or_default().to_owned();
    [NAME.to_owned(), format!("{NAME}-{installation}")].map(|name| join(root, &name))
}

/// Our vaults that are there.
fn vaults(on: &dyn Ground, root: &str) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for vault in places(on, root) {
        if whose(on, &vault)? == Whose::Ours {
            found.push(vault);
        }
    }
    Ok(found)
}

/// The vault to put a file in, and whether it is there.
pub(super) fn room(on: &dyn Ground, path: &str) -> Outcome<(String, bool)> {
    let root = root(on, path)?.ok_or_else(|| Trouble::Failed(format!("the folder of {path} is gone")))?;
    for vault in places(on, &root) {
        match whose(on, &vault)? {
            Whose::Ours => return Ok((vault, true)),
            Whose::Nobodys => return Ok((vault, false)),
            Whose::Others => {}
        }
    }
    refused(format!("what has the names of our vaults in {root} is not root's: it is not ours"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// A folder that only root can enter.
    Ours,
    Nobodys,
    /// Somebody made it who is not root: nothing of ours is in it.
    Others,
}

/// Whose vault it is; one of root's that others can enter may be ours, and is not gone by.
fn whose(on: &dyn Ground, vault: &str) -> Outcome<Whose> {
    match on.find(vault, Who::Root)? {
        None => Ok(Whose::Nobodys),
        Some(seen) if seen.uid != 0 => Ok(Whose::Others),
        Some(seen) if seen.kind == Kind::Folder && seen.mode & NOT_ROOT == 0 => Ok(Whose::Ours),
        Some(_) => refused(format!("{vault} is not a folder that only root can enter")),
    }
}

/// The entries of one vault: the action, the path, and the entry.
fn entries(on: &dyn Ground, vault: &str) -> Outcome<Vec<(Note, Entry)>> {
    let mut found = Vec::new();
    for name in on.list(vault, Who::Root)?.unwrap_or_default() {
        let Some(key) = name.strip_suffix(".json") else { continue };
        let (note_path, file) = (join(vault, &name), join(vault, key));
        let Some(text) = on.read(&note_path, Who::Root, MAX_NOTE)? else { continue };
        let Ok(note) = serde_json::from_slice::<Note>(&text.bytes) else { continue };
        if note.marker != on.with().marker || check_path(&note.path).is_err() {
            continue;
        }
        let seen = on.find(&file, Who::Root)?.filter(|seen| seen.kind == Kind::File);
        let Some(seen) = seen else { continue };
        found.push((note, Entry { file, seen, note: note_path, vault: vault.to_owned() }));
    }
    Ok(found)
}

pub(super) fn find(on: &dyn Ground, path: &str) -> Outcome<Option<Entry>> {
    let Some(root) = root(on, path)? else { return Ok(None) };
    for vault in vaults(on, &root)? {
        let found = entries(on, &vault)?.into_iter().find(|(note, _)| note.path == path);
        if let Some((_, entry)) = found {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Whether a note of ours about this path is there and its file is not, or the vault is there for nothing.
pub(super) fn leftover(on: &dyn Ground, path: &str) -> Outcome<bool> {
    let Some(root) = root(on, path)? else { return Ok(false) };
    let of_path = |note: &Option<Note>| note.as_ref().is_none_or(|note| note.path == path);
    for vault in vaults(on, &root)? {
        let empty = on.list(&vault, Who::Root)?.is_some_and(|all| all.is_empty());
        if empty || stale(on, &vault)?.iter().any(|(_, note)| of_path(note)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The end of a move that was cut off.
pub(super) fn tidy(on: &mut dyn Ground, path: &str) -> Outcome<()> {
    let Some(root) = root(on, path)? else { return Ok(()) };
    for vault in vaults(on, &root)? {
        sweep(on, &vault)?;
        on.remove_empty(&vault)?;
    }
    Ok(())
}

/// Action and path of everything in the vaults at the usual places.
pub(super) fn all(on: &dyn Ground) -> Outcome<Vec<(String, String)>> {
    let mut found = Vec::new();
    for folder in USUAL {
        let mount = match on.find(folder, Who::Root) {
            Ok(Some(seen)) => seen.mount,
            // A link: the folder that it names is asked for by its own name.
            Ok(None) | Err(_) => continue,
        };
        let vaults = if mount == folder { vaults(on, &mount)? } else { Vec::new() };
        for vault in vaults {
            found.extend(entries(on, &vault)?.into_iter().map(|(note, _)| (note.action, note.path)));
        }
    }
    Ok(found)
}

/// Moves the file in. The note comes first: a file without one could not be found again.
pub(super) fn put(on: &mut dyn Ground, path: &str, seen: &Seen, action: &str) -> Outcome<()> {
    let (vault, there) = room(on, path)?;
    if !there {
        on.make_folder(&vault)?;
    }
    sweep(on, &vault)?;
    if find(on, path)?.is_some() {
        return refused(format!("{path} is in quarantine already"));
    }
    let note = Note { marker: on.with().marker.clone(), action: action.to_owned(), path: path.to_owned() };
    let bytes = serde_json::to_vec(&note).map_err(|error| Trouble::Failed(error.to_string()))?;
    let (file, note) = (join(&vault, action), join(&vault, &format!("{action}.json")));
    let making = Making { mode: 0o600, uid: 0, gid: 0, mtime_ns: None };
    let moved = on.write(&note, Who::Root, None, &bytes, making).and_then(|()| on.shift(path, seen, &file));
    // Moved and then not synced it is in there, and is found by its note.
    if moved.is_err() && on.find(&file, Who::Root)?.is_none() {
        sweep(on, &vault)?;
        on.remove_empty(&vault)?;
    }
    moved
}

/// Moves the file back; the vault goes with its last entry.
pub(super) fn take(on: &mut dyn Ground, path: &str, entry: &Entry) -> Outcome<()> {
    on.shift(&entry.file, &entry.seen, path)?;
    on.remove(&entry.note, Who::Root)?;
    sweep(on, &entry.vault)?;
    on.remove_empty(&entry.vault)
}

/// Notes of ours whose file never came or has gone, and what was to become one: a process that ended between two steps
/// left them. What was not written to its end says nothing.
fn stale(on: &dyn Ground, vault: &str) -> Outcome<Vec<(String, Option<Note>)>> {
    let mut found = Vec::new();
    for name in on.list(vault, Who::Root)?.unwrap_or_default() {
        let new = is_beside(&name).is_some();
        let alone = match name.strip_suffix(".json") {
            Some(key) => on.find(&join(vault, key), Who::Root)?.is_none(),
            None => new,
        };
        let text = if alone { on.read(&join(vault, &name), Who::Root, MAX_NOTE)? } else { None };
        let Some(text) = text else { continue };
        let note = serde_json::from_slice::<Note>(&text.bytes).ok();
        if note.as_ref().map_or(new, |note| note.marker == on.with().marker) {
            found.push((name, note));
        }
    }
    Ok(found)
}

fn sweep(on: &mut dyn Ground, vault: &str) -> Outcome<()> {
    stale(on, vault)?.iter().try_for_each(|(name, _)| on.remove(&join(vault, name), Who::Root))
}
