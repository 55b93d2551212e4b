//! The host that this process runs on: files by `openat2` without links, processes by `/proc` and pidfds.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Statx, StatxAttributes,
        StatxFlags, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fcntl_lock, fgetxattr, flistxattr,
        fsetxattr, futimens, linkat, mkdirat, openat2, renameat_with, statx, unlinkat,
    },
    io::Errno,
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::{
    Context, DIGITS, Ground, Identity, Kind, MAX_ENTRIES, Making, Outcome, Process, Seen, Sockets, Text, Trouble, Who,
    beside, processes, refused, split, staging::Thing, unchanged,
};

/// The most bytes of extended attributes that a rewritten file keeps.
const MAX_ATTRIBUTES: usize = 64 * 1024;
const NANOS: i64 = 1_000_000_000;
const PASSWORD_LOCK: &str = "/etc/.pwd.lock";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug)]
pub(in crate::linux) struct Real {
    with: Context,
    passwords: Option<OwnedFd>,
}

impl Real {
    pub(in crate::linux) fn new(with: Context) -> Self {
        Self { with, passwords: None }
    }
}

/// What an error of a path means.
fn trouble(path: &str, error: Errno) -> Trouble {
    let shown = path.escape_debug();
    match error {
        Errno::LOOP => {
            Trouble::Refused(format!("a symbolic link is at or on the way to `{shown}`: name the real path"))
        }
        Errno::XDEV => Trouble::Refused(format!("`{shown}` is on another filesystem")),
        Errno::EXIST => Trouble::Refused(format!("`{shown}` is occupied: nothing is overwritten")),
        Errno::BUSY => Trouble::Refused(format!("something is mounted on `{shown}`")),
        Errno::PERM | Errno::ACCESS => Trouble::Refused(format!("`{shown}`: {error}")),
        Errno::ROFS => Trouble::Refused(format!("`{shown}` is on a read-only filesystem")),
        _ => Trouble::Unavailable(format!("`{shown}`: {error}")),
    }
}

fn io_trouble(path: &str, error: &io::Error) -> Trouble {
    match error.raw_os_error() {
        Some(code) => trouble(path, Errno::from_raw_os_error(code)),
        None => Trouble::Unavailable(format!("`{}`: {error}", path.escape_debug())),
    }
}

/// Runs `what` with the rights of `who`, on this thread only.
fn as_who<T>(who: Who, what: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let Who::User { uid, gid } = who else { return what() };
    let root = (Uid::ROOT, Gid::ROOT);
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let failed = |error: Errno| Trouble::Unavailable(format!("cannot act as user {}: {error}", uid.as_raw()));
    let become_user = || {
        set_thread_groups(&[gid])?;
        set_thread_res_gid(root.1, gid, root.1)?;
        set_thread_res_uid(root.0, uid, root.0)
    };
    let done = become_user().map_err(failed).and_then(|()| what());
    set_thread_res_uid(root.0, root.0, root.0).map_err(failed)?;
    set_thread_res_gid(root.1, root.1, root.1).map_err(failed)?;
    set_thread_groups(&[root.1]).map_err(failed)?;
    done
}

const STRAIGHT: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);

fn open(path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat2(CWD, path, flags | OFlags::CLOEXEC, Mode::empty(), STRAIGHT)
}

fn open_folder(path: &str) -> Outcome<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY).map_err(|error| trouble(path, error))
}

fn number<T: TryInto<i64>>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn status(folder: &OwnedFd, name: &str, flags: AtFlags) -> Result<Statx, Errno> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    statx(folder, name, flags | AtFlags::SYMLINK_NOFOLLOW, mask)
}

/// The mount point of a mount, as this process sees it.
fn mount_point(id: u64) -> String {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let id = id.to_string();
    let found = text.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next()? == id).then(|| words.nth(3)).flatten()
    });
    found.unwrap_or_default().replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

fn seen(raw: &Statx) -> Seen {
    let mode = u32::from(raw.stx_mode);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    };
    let fixed = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    let time = raw.stx_mtime.tv_sec.saturating_mul(NANOS).saturating_add(number(raw.stx_mtime.tv_nsec));
    Seen {
        kind,
        dev: (u64::from(raw.stx_dev_major) << 32) | u64::from(raw.stx_dev_minor),
        inode: raw.stx_ino,
        mode: mode & 0o7777,
        uid: raw.stx_uid,
        gid: raw.stx_gid,
        size: raw.stx_size,
        mtime_ns: time,
        links: u64::from(raw.stx_nlink),
        immutable: raw.stx_attributes.intersects(fixed),
        mounted: raw.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        mount: mount_point(raw.stx_mnt_id),
    }
}

fn find(path: &str) -> Outcome<Option<Seen>> {
    let (folder, name) = split(path);
    let folder = match open(folder, OFlags::PATH | OFlags::DIRECTORY) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        folder => folder.map_err(|error| trouble(path, error))?,
    };
    let name = if name.is_empty() { "." } else { name };
    match status(&folder, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(None),
        raw => raw.map(|raw| Some(seen(&raw))).map_err(|error| trouble(path, error)),
    }
}

fn seen_of(file: &OwnedFd, path: &str) -> Outcome<Seen> {
    status(file, "", AtFlags::EMPTY_PATH).map(|raw| seen(&raw)).map_err(|error| trouble(path, error))
}

fn read(path: &str, limit: u64) -> Outcome<Option<Text>> {
    match find(path)? {
        None => return Ok(None),
        Some(there) if there.kind == Kind::File => {}
        Some(_) => return refused(format!("`{}` is no regular file", path.escape_debug())),
    }
    let file = match open(path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(Errno::NOENT) => return Ok(None),
        file => file.map_err(|error| trouble(path, error))?,
    };
    let seen = seen_of(&file, path)?;
    if seen.size > limit {
        return refused(format!("`{}` has {} bytes, more than {limit}", path.escape_debug(), seen.size));
    }
    let mut bytes = Vec::new();
    File::from(file).take(limit + 1).read_to_end(&mut bytes).map_err(|error| io_trouble(path, &error))?;
    Ok(Some(Text { seen, bytes }))
}

fn times(mtime_ns: i64) -> Timestamps {
    let mtime = Timespec { tv_sec: mtime_ns.div_euclid(NANOS), tv_nsec: mtime_ns.rem_euclid(NANOS) };
    Timestamps { last_access: mtime, last_modification: mtime }
}

/// Digits that nobody knows beforehand.
fn digits() -> Outcome<String> {
    const SOURCE: &str = "/proc/sys/kernel/random/uuid";
    let text = fs::read_to_string(SOURCE).map_err(|error| io_trouble(SOURCE, &error))?;
    Ok(text.chars().filter(char::is_ascii_hexdigit).take(DIGITS).collect())
}

/// A whole file under a name beside the one that it is for. Where the filesystem can, it has no name until it is whole.
fn make(folder: &OwnedFd, name: &str, content: (&[u8], Making), old: Option<&OwnedFd>) -> Outcome<()> {
    let failed = |error: Errno| trouble(name, error);
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match openat2(folder, ".", flags | OFlags::TMPFILE, Mode::RUSR, STRAIGHT) {
        Err(Errno::NOTSUP | Errno::ISDIR | Errno::INVAL) => {
            let file = openat2(folder, name, flags | OFlags::CREATE | OFlags::EXCL, Mode::RUSR, STRAIGHT);
            let filled = fill(file.map_err(failed)?, name, content, old);
            if filled.is_err() {
                unlinkat(folder, name, AtFlags::empty()).map_err(failed)?;
            }
            filled.map(drop)
        }
        file => {
            let file = fill(file.map_err(failed)?, name, content, old)?;
            let magic = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, &magic, folder, name, AtFlags::SYMLINK_FOLLOW).map_err(failed)
        }
    }
}

fn fill(file: OwnedFd, name: &str, content: (&[u8], Making), old: Option<&OwnedFd>) -> Outcome<OwnedFd> {
    let ((bytes, as_), failed) = (content, |error: Errno| trouble(name, error));
    let mut file = File::from(file);
    file.write_all(bytes).map_err(|error| io_trouble(name, &error))?;
    fchown(&file, Some(Uid::from_raw(as_.uid)), Some(Gid::from_raw(as_.gid))).map_err(failed)?;
    fchmod(&file, Mode::from_raw_mode(as_.mode)).map_err(failed)?;
    let file = OwnedFd::from(file);
    if let Some(old) = old {
        keep_attributes(old, &file, name)?;
    }
    if let Some(mtime_ns) = as_.mtime_ns {
        futimens(&file, &times(mtime_ns)).map_err(failed)?;
    }
    rustix::fs::fsync(&file).map_err(failed)?;
    Ok(file)
}

/// Access lists and labels go with the file.
fn keep_attributes(from: &OwnedFd, to: &OwnedFd, path: &str) -> Outcome<()> {
    let failed = |error: Errno| trouble(path, error);
    let mut names = vec![0_u8; MAX_ATTRIBUTES];
    let length = match flistxattr(from, names.as_mut_slice()) {
        Err(Errno::NOTSUP) => return Ok(()),
        length => length.map_err(failed)?,
    };
    names.truncate(length);
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0_u8; MAX_ATTRIBUTES];
        let length = fgetxattr(from, name, value.as_mut_slice()).map_err(failed)?;
        value.truncate(length);
        let set = fsetxattr(to, name, &value, XattrFlags::empty());
        // A label that the new file has already need not be set, and often may not be.
        let mut there = vec![0_u8; MAX_ATTRIBUTES];
        let same =
            fgetxattr(to, name, there.as_mut_slice()).is_ok_and(|length| there.get(..length) == Some(&value[..]));
        if !same {
            set.map_err(failed)?;
        }
    }
    Ok(())
}

fn write(path: &str, over: Option<&Seen>, bytes: &[u8], as_: Making) -> Outcome<()> {
    let (folder, name) = split(path);
    let fd = open_folder(folder)?;
    let failed = |error: Errno| trouble(path, error);
    let old = match over {
        Some(_) => Some(open(path, OFlags::RDONLY | OFlags::NONBLOCK).map_err(failed)?),
        None => None,
    };
    let new = &beside(name, &digits()?);
    make(&fd, new, (bytes, as_), old.as_ref())?;
    let still = over.is_none_or(|over| find(path).ok().flatten().is_some_and(|now| unchanged(&now, over)));
    let how = if over.is_some() { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
    let renamed = if still {
        renameat_with(&fd, new, &fd, name, how).map_err(failed)
    } else {
        refused(format!("`{}` changed since it was read: nothing was done", path.escape_debug()))
    };
    if renamed.is_err() {
        unlinkat(&fd, new, AtFlags::empty()).map_err(failed)?;
    }
    renamed?;
    sync_folder(folder)
}

fn sync_folder(folder: &str) -> Outcome<()> {
    let opened = open(folder, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|error| trouble(folder, error))?;
    rustix::fs::fsync(&opened).map_err(|error| trouble(folder, error))
}

impl Ground for Real {
    fn with(&self) -> &Context {
        &self.with
    }

    fn boot_id(&self) -> Outcome<String> {
        processes::boot_id()
    }

    fn find(&self, path: &str, who: Who) -> Outcome<Option<Seen>> {
        as_who(who, || find(path))
    }

    fn read(&self, path: &str, who: Who, limit: u64) -> Outcome<Option<Text>> {
        as_who(who, || read(path, limit))
    }

    fn list(&self, path: &str, who: Who) -> Outcome<Option<Vec<String>>> {
        let opened = as_who(who, || match open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOENT) => Ok(None),
            opened => opened.map(Some).map_err(|error| trouble(path, error)),
        })?;
        let Some(opened) = opened else { return Ok(None) };
        let through = format!("/proc/self/fd/{}", opened.as_fd().as_raw_fd());
        let entries = fs::read_dir(&through).map_err(|error| io_trouble(path, &error))?;
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).take(MAX_ENTRIES).collect();
        names.sort_unstable();
        Ok(Some(names))
    }

    fn write(&mut self, path: &str, who: Who, over: Option<&Seen>, bytes: &[u8], as_: Making) -> Outcome<()> {
        as_who(who, || write(path, over, bytes, as_))
    }

    fn shift(&mut self, from: &str, seen: &Seen, to: &str) -> Outcome<()> {
        let ((from_folder, from_name), (to_folder, to_name)) = (split(from), split(to));
        let (source, goal) = (open_folder(from_folder)?, open_folder(to_folder)?);
        let is = |folder: &OwnedFd, name: &str| {
            status(folder, name, AtFlags::empty()).is_ok_and(|raw| {
                let now = self::seen(&raw);
                now.kind == Kind::File && unchanged(&now, seen)
            })
        };
        let other = || refused(format!("`{}` is another file than the one that was seen", from.escape_debug()));
        if !is(&source, from_name) {
            return other();
        }
        renameat_with(&source, from_name, &goal, to_name, RenameFlags::NOREPLACE)
            .map_err(|error| trouble(if error == Errno::EXIST { to } else { from }, error))?;
        // Between the look and the move somebody may have put another file there: then it goes back.
        if !is(&goal, to_name) {
            renameat_with(&goal, to_name, &source, from_name, RenameFlags::NOREPLACE)
                .map_err(|error| trouble(from, error))?;
            return other();
        }
        sync_folder(from_folder)?;
        sync_folder(to_folder)
    }

    fn remove(&mut self, path: &str, who: Who) -> Outcome<()> {
        let (folder, name) = split(path);
        as_who(who, || {
            let folder = open_folder(folder)?;
            unlinkat(&folder, name, AtFlags::empty()).map_err(|error| trouble(path, error))
        })
    }

    fn make_folder(&mut self, path: &str) -> Outcome<()> {
        let (folder, name) = split(path);
        mkdirat(open_folder(folder)?, name, Mode::RWXU).map_err(|error| trouble(path, error))
    }

    fn remove_empty(&mut self, path: &str) -> Outcome<()> {
        let (folder, name) = split(path);
        match unlinkat(open_folder(folder)?, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(error) => Err(trouble(path, error)),
        }
    }

    fn processes(&self) -> Outcome<Vec<Process>> {
        processes::all()
    }

    fn keeps_sessions(&self) -> bool {
        Path::new("/proc/self/sessionid").exists()
    }

    fn process(&self, pid: u32) -> Outcome<Option<Process>> {
        processes::one(pid)
    }

    fn sockets(&self, pid: u32) -> Outcome<Sockets> {
        Ok(processes::sockets(pid))
    }

    fn holders(&self, seen: &Seen) -> Outcome<Vec<(Process, String)>> {
        processes::holders(seen)
    }

    fn kill(&mut self, process: &Identity) -> Outcome<()> {
        processes::kill(process)
    }

    fn lock_passwords(&mut self) -> Outcome<()> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = openat2(CWD, PASSWORD_LOCK, flags, Mode::RUSR | Mode::WUSR, STRAIGHT)
            .map_err(|error| trouble(PASSWORD_LOCK, error))?;
        match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.passwords = Some(lock),
            Err(error) => {
                return Err(Trouble::Unavailable(format!("somebody else is changing the password files: {error}")));
            }
        }
        Ok(())
    }

    fn ask(&self, program: &[&str]) -> Outcome<Option<String>> {
        let Some((name, arguments)) = program.split_first() else { return Ok(None) };
        let output = Command::new(name)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        Ok(output
            .ok()
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn stage(&mut self, thing: &Thing) -> Outcome<()> {
        let failed = |error: io::Error| io_trouble(&thing.path, &error);
        let path = Path::new(&thing.path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        match &thing.text {
            Some(text) => {
                self.clear(&thing.path)?;
                fs::write(path, &text.0).map_err(failed)?;
            }
            None => fs::create_dir_all(path).map_err(failed)?,
        }
        let file = File::open(path).map_err(failed)?;
        let errno = |error: Errno| trouble(&thing.path, error);
        fchown(&file, Some(Uid::from_raw(thing.uid)), Some(Gid::from_raw(thing.gid))).map_err(errno)?;
        fchmod(&file, Mode::from_raw_mode(thing.mode)).map_err(errno)?;
        futimens(&file, &times(thing.mtime_ns)).map_err(errno)
    }

    fn start(&mut self, name: &str, uid: u32, login: bool) -> Outcome<(u32, Option<u32>)> {
        let failed = |error: io::Error| Trouble::Unavailable(format!("{name}: {error}"));
        if login {
            // What is started from here on belongs to a login of this user.
            fs::write("/proc/self/loginuid", uid.to_string()).map_err(failed)?;
        }
        let child = Command::new(name)
            .arg("86400")
            .uid(uid)
            .gid(uid)
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let pid = child.id();
        Ok((pid, processes::one(pid)?.and_then(|process| process.session)))
    }

    fn clear(&mut self, path: &str) -> Outcome<()> {
        let gone = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(error),
            Ok(there) if there.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
        };
        gone.map_err(|error| io_trouble(path, &error))
    }
}
