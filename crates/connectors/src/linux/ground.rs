//! What is under our feet on a target: files, processes and a few programs. Capabilities of files, users and processes
//! are written against this, so that the simulator runs the very code that a host does.
//!
//! No path is ever followed through a symbolic link, and what is replaced or moved is what was seen.

pub(super) mod processes;
pub(super) mod real;
pub(super) mod staging;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shieldops_respond::Fault;

/// The longest path, in bytes.
pub(super) const MAX_PATH: usize = 4096;
/// The largest text file that is read or written, in bytes.
pub(super) const MAX_TEXT: u64 = 4 * 1024 * 1024;
/// The most of a file that is hashed, in bytes.
pub(super) const MAX_HASHED: u64 = 32 * 1024 * 1024;
/// The most entries of a directory and processes of a host.
pub(super) const MAX_ENTRIES: usize = 65_536;

/// What the kernel writes behind the path of a program whose file is gone.
pub(super) const DELETED: &str = " (deleted)";

/// Why something was not done, as the hand reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "why")]
pub(super) enum Trouble {
    Params(String),
    Refused(String),
    Unavailable(String),
    Failed(String),
}

pub(super) type Outcome<T> = Result<T, Trouble>;

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Params(why) => Self::Params(why),
            Trouble::Refused(why) => Self::Refused(why),
            Trouble::Unavailable(why) => Self::Unavailable(why),
            Trouble::Failed(why) => Self::Failed(why),
        }
    }
}

pub(super) fn refused<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Trouble::Refused(why.into()))
}

/// What a job is told besides its own fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Context {
    /// `shieldops:` and 16 hex digits of the installation.
    pub(super) marker: String,
    /// Our own files and folders, when the target is the host that we run on.
    pub(super) own: Vec<String>,
    /// Nanoseconds after 1970.
    pub(super) now_ns: i64,
    /// A simulator or a twin: only these are ever put into a state.
    pub(super) stand_in: bool,
}

/// In whose name a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Who {
    Root,
    User { uid: u32, gid: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    File,
    Folder,
    Other,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) dev: u64,
    pub(super) inode: u64,
    /// Permission bits, set-uid and sticky included.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) links: u64,
    /// `+i` or `+a`: it can be neither renamed nor replaced.
    pub(super) immutable: bool,
    /// Something is mounted exactly here.
    pub(super) mounted: bool,
    /// Where its filesystem is mounted.
    pub(super) mount: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) seen: Seen,
    pub(super) bytes: Vec<u8>,
}

/// The owner and permissions of a file that is made, and its time where that is not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Making {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime_ns: Option<i64>,
}

impl Making {
    /// As what it replaces.
    pub(super) fn like(seen: &Seen, mtime_ns: Option<i64>) -> Self {
        Self { mode: seen.mode, uid: seen.uid, gid: seen.gid, mtime_ns }
    }
}

/// What tells a process from a later one of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub boot_id: String,
    pub pid: u32,
    /// Clock ticks after boot.
    pub start_ticks: u64,
    /// Of its program; 0 where it cannot be read.
    pub exe_inode: u64,
}

impl Identity {
    /// Whatever program it runs by now: a process may take another at any time.
    pub(super) fn is_same_process(&self, other: &Self) -> bool {
        (&self.boot_id, self.pid, self.start_ticks) == (&other.boot_id, other.pid, other.start_ticks)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) identity: Identity,
    pub(super) ppid: u32,
    pub(super) name: String,
    /// The path of its program, where it can be read.
    pub(super) exe: Option<String>,
    pub(super) uid: u32,
    /// The audit session; `None` where it has none or the kernel keeps none.
    pub(super) session: Option<u32>,
    /// Who logged in, whoever it is now.
    pub(super) login_uid: Option<u32>,
    /// A thread of the kernel.
    pub(super) kernel: bool,
    /// We, or what we hang on.
    pub(super) ours: bool,
    /// Its program is root's: where its path says, in folders that only root writes to. What a process calls itself says
    /// nothing of it.
    #[serde(default = "yes")]
    pub(super) of_root: bool,
}

fn yes() -> bool {
    true
}

impl Process {
    /// The name of its program, where nobody but root chose it.
    pub(super) fn program(&self) -> Option<&str> {
        self.exe.as_deref().filter(|_| self.of_root).map(|exe| split(exe.trim_end_matches(DELETED)).1)
    }

    /// As what a protected entry names it: the path of its program.
    pub(super) fn resource(&self) -> String {
        let known = self.exe.as_deref().map(|exe| exe.trim_end_matches(DELETED));
        known.map_or_else(|| format!("process:[{}]", self.name), |exe| format!("process:{exe}"))
    }
}

/// What a process has open towards the network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Sockets {
    /// Local addresses that it listens on.
    pub(super) listens: Vec<String>,
    pub(super) peers: Vec<String>,
}

pub(super) trait Ground {
    fn with(&self) -> &Context;
    fn boot_id(&self) -> Outcome<String>;

    /// What is at `path`; `None` where nothing is.
    fn find(&self, path: &str, who: Who) -> Outcome<Option<Seen>>;
    /// A regular file of at most `limit` bytes.
    fn read(&self, path: &str, who: Who, limit: u64) -> Outcome<Option<Text>>;
    /// Names in a folder, sorted; `None` where there is none.
    fn list(&self, path: &str, who: Who) -> Outcome<Option<Vec<String>>>;
    /// Makes a file whole or not at all. `over`: what it replaces, which must still be what was seen.
    fn write(&mut self, path: &str, who: Who, over: Option<&Seen>, bytes: &[u8], as_: Making) -> Outcome<()>;
    /// Moves exactly the file that was seen to where nothing is.
    fn shift(&mut self, from: &str, seen: &Seen, to: &str) -> Outcome<()>;
    fn remove(&mut self, path: &str, who: Who) -> Outcome<()>;
    /// A folder of root's, for root only.
    fn make_folder(&mut self, path: &str) -> Outcome<()>;
    /// Removes a folder when nothing is in it.
    fn remove_empty(&mut self, path: &str) -> Outcome<()>;

    fn processes(&self) -> Outcome<Vec<Process>>;
    /// Whether the kernel counts processes to audit sessions.
    fn keeps_sessions(&self) -> bool;
    fn process(&self, pid: u32) -> Outcome<Option<Process>>;
    fn sockets(&self, pid: u32) -> Outcome<Sockets>;
    /// The processes that hold this file, and how (`open`, `runs`, `mapped`).
    fn holders(&self, seen: &Seen) -> Outcome<Vec<(Process, String)>>;
    /// Kills exactly this process; one that is gone is no error.
    fn kill(&mut self, process: &Identity) -> Outcome<()>;
    /// Held until the ground is left: nobody else changes the password files.
    fn lock_passwords(&mut self) -> Outcome<()>;
    /// What a program says; `None` where it is missing or fails.
    fn ask(&self, program: &[&str]) -> Outcome<Option<String>>;

    /// Makes this the only thing at the path, folders on the way included. Stand-ins only.
    fn stage(&mut self, thing: &staging::Thing) -> Outcome<()>;
    /// Starts a program that only waits, as a login of that user or without one: its number and session. Stand-ins only.
    fn start(&mut self, name: &str, uid: u32, login: bool) -> Outcome<(u32, Option<u32>)>;
    /// Removes what is at the path, with all that is in it. Stand-ins only.
    fn clear(&mut self, path: &str) -> Outcome<()>;
}

/// An absolute path without detours.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    let shown: String = path.chars().take(80).collect();
    let want = |what: &str| Err(format!("path: `{}` {what}", shown.escape_debug()));
    let Some(rest) = path.strip_prefix('/') else { return want("is not absolute") };
    if path.len() > MAX_PATH {
        return want("is longer than 4096 bytes");
    }
    if path.chars().any(char::is_control) {
        return want("has a control character");
    }
    if rest.is_empty() || rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return want("has an empty, `.` or `..` part: name the file itself");
    }
    if rest.split('/').any(|part| part.len() > 255) {
        return want("has a part of more than 255 bytes");
    }
    Ok(())
}

/// Whether a path is one of these files, or below one of these folders.
pub(super) fn is_in(path: &str, places: &[String]) -> bool {
    let in_it =
        |place: &String| path.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    places.iter().any(in_it)
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Folder and name.
pub(super) fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => ("/", path),
    }
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") }
}

/// How the name of content ends that is to take a file's place.
const NEW: &str = ".shieldops-new";
/// Hexadecimal digits in such a name that nobody can know beforehand, to be in the way.
pub(super) const DIGITS: usize = 16;

/// The name of content beside the file whose place it is to take.
pub(super) fn beside(name: &str, digits: &str) -> String {
    format!(".{name}.{digits}{NEW}")
}

/// Whose place the content of this name was to take.
pub(super) fn is_beside(new: &str) -> Option<&str> {
    let (name, digits) = new.strip_prefix('.')?.strip_suffix(NEW)?.rsplit_once('.')?;
    (digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(name)
}

/// Takes away what programs left that were killed before the content took its place.
pub(super) fn sweep(on: &mut dyn Ground, path: &str, who: Who) -> Outcome<()> {
    let (folder, name) = split(path);
    for new in on.list(folder, who)?.unwrap_or_default() {
        let found = join(folder, &new);
        if is_beside(&new) == Some(name) && on.find(&found, who)?.is_some_and(|seen| seen.kind == Kind::File) {
            on.remove(&found, who)?;
        }
    }
    Ok(())
}

/// Nothing in it was changed since it was seen.
pub(super) fn unchanged(now: &Seen, then: &Seen) -> bool {
    now.inode == then.inode && now.dev == then.dev && now.size == then.size && now.mtime_ns == then.mtime_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_a_file_is_told_by_its_name() {
        let new = beside("x.conf", "0123456789abcdef");
        assert_eq!((new.as_str(), is_beside(&new)), (".x.conf.0123456789abcdef.shieldops-new", Some("x.conf")));
        for other in [".x.conf.shieldops-new", "x.0123456789abcdef.shieldops-new", ".x.0123456789abcdeg.shieldops-new"]
        {
            assert_eq!(is_beside(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_has_no_detours() {
        for good in ["/etc/passwd", "/home/alice/ü b", "/a"] {
            check_path(good).unwrap();
        }
        for bad in ["", "/", "etc", "/a/../b", "/a//b", "/a/", "/./a", "/a\nb", "/a\0", "../x"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        assert!(check_path(&format!("/{}", "a".repeat(256))).is_err());
        assert!(check_path(&"/aaaaaaaa".repeat(600)).is_err());
        assert_eq!((split("/a/b"), split("/a")), (("/a", "b"), ("/", "a")));
        assert_eq!((join("/", "a"), join("/a", "b")), ("/a".to_owned(), "/a/b".to_owned()));
    }
}
