//! Processes as `/proc` tells of them.

use std::{
    collections::HashSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{DELETED, Identity, MAX_ENTRIES, Outcome, Process, Seen, Sockets, Trouble, refused};

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(3);
/// No audit session.
const UNSET: u32 = u32::MAX;
/// Kernel threads hang on this process.
const KTHREADD: u32 = 2;
/// The most open files of one process that are looked at.
const MAX_OPEN: usize = 16_384;

pub(super) fn boot_id() -> Outcome<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .map_err(|error| Trouble::Unavailable(format!("no boot id: {error}")))
}

/// State, parent, start: what `/proc/<pid>/stat` says after the name, which may hold anything.
fn stat(pid: u32) -> Option<(String, char, u32, u64)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((name, state, parent, fields.nth(17)?.parse().ok()?))
}

fn uid(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok()?;
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().next()?.parse().ok()
}

/// A number that audit keeps of a process: `sessionid`, `loginuid`.
fn audited(pid: u32, what: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/{what}")).ok()?;
    text.trim().parse().ok().filter(|id| *id != UNSET)
}

/// A process that lives; a dead one that nobody buried yet is gone.
pub(super) fn one(pid: u32) -> Outcome<Option<Process>> {
    let boot_id = boot_id()?;
    Ok(read(pid, &boot_id, &ancestors()))
}

fn read(pid: u32, boot_id: &str, ours: &HashSet<u32>) -> Option<Process> {
    let (name, state, ppid, start_ticks) = stat(pid)?;
    if matches!(state, 'Z' | 'X') {
        return None;
    }
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.to_string_lossy().into_owned());
    let exe_inode = fs::metadata(format!("/proc/{pid}/exe")).map(|there| there.ino()).unwrap_or_default();
    let identity = Identity { boot_id: boot_id.to_owned(), pid, start_ticks, exe_inode };
    let of_root = exe.as_deref().is_some_and(|exe| of_root(pid, exe));
    Some(Process {
        identity,
        ppid,
        name,
        exe,
        uid: uid(pid)?,
        session: audited(pid, "sessionid"),
        login_uid: audited(pid, "loginuid"),
        kernel: pid == KTHREADD || ppid == KTHREADD && exe_inode == 0,
        ours: ours.contains(&pid),
        of_root,
    })
}

/// Whether nobody but root chose this program: a file of root's that is where its path says, in folders that only root
/// writes to. In a user namespace of its own a process mounts itself any path that it likes: nothing there counts.
fn of_root(pid: u32, exe: &str) -> bool {
    let users = |whose: &str| fs::read_link(format!("/proc/{whose}/ns/user")).ok();
    if users("self").is_none() || users("self") != users(&pid.to_string()) {
        return false;
    }
    let safe = |it: &fs::Metadata| it.uid() == 0 && it.mode() & 0o002 == 0 && (it.mode() & 0o020 == 0 || it.gid() == 0);
    let (path, gone) = exe.strip_suffix(DELETED).map_or((exe, false), |path| (path, true));
    let inside = |path: &Path| fs::symlink_metadata(format!("/proc/{pid}/root/{}", path.display()));
    let folder = |path: &Path| inside(path).is_ok_and(|it| it.is_dir() && safe(&it));
    let Ok(runs) = fs::metadata(format!("/proc/{pid}/exe")) else { return false };
    let there = inside(Path::new(path)).is_ok_and(|it| (it.dev(), it.ino()) == (runs.dev(), runs.ino()));
    safe(&runs) && (gone || there) && Path::new(path).ancestors().skip(1).all(folder)
}

/// We, and everything that we hang on, process 1 aside: it is protected by its own right.
fn ancestors() -> HashSet<u32> {
    let mut all = HashSet::new();
    let mut pid = std::process::id();
    while pid > 1 && all.insert(pid) {
        pid = stat(pid).map(|(_, _, parent, _)| parent).unwrap_or_default();
    }
    all
}

fn numbers() -> Outcome<Vec<u32>> {
    let entries = fs::read_dir("/proc").map_err(|error| Trouble::Unavailable(format!("/proc: {error}")))?;
    let mut pids: Vec<u32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.truncate(MAX_ENTRIES);
    Ok(pids)
}

pub(super) fn all() -> Outcome<Vec<Process>> {
    let (boot_id, ours) = (boot_id()?, ancestors());
    Ok(numbers()?.into_iter().filter_map(|pid| read(pid, &boot_id, &ours)).collect())
}

/// Inodes of the sockets that a process has open.
fn socket_inodes(pid: u32) -> HashSet<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return HashSet::new() };
    let targets = entries.flatten().take(MAX_OPEN).filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

pub(super) fn sockets(pid: u32) -> Sockets {
    let inodes = socket_inodes(pid);
    let mut found = Sockets::default();
    if inodes.is_empty() {
        return found;
    }
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for row in text.lines().skip(1).filter_map(row) {
            if !inodes.contains(&row.inode) {
                continue;
            }
            if row.listens {
                found.listens.push(row.local);
            } else if row.established && !row.peer.is_loopback() {
                found.peers.push(row.peer.to_string());
            }
        }
    }
    for list in [&mut found.listens, &mut found.peers] {
        list.sort_unstable();
        list.dedup();
    }
    found
}

struct Row {
    local: String,
    peer: IpAddr,
    listens: bool,
    established: bool,
    inode: u64,
}

/// One line of `/proc/net/tcp`.
fn row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, port) = address(fields.get(1)?)?;
    let (peer, _) = address(fields.get(2)?)?;
    let state = *fields.get(3)?;
    let inode = fields.get(9)?.parse().ok()?;
    Some(Row { local: format!("{local} port {port}"), peer, listens: state == "0A", established: state == "01", inode })
}

/// `0100007F:1F90`: words in the machine's byte order.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let bytes = hex::decode(address).ok()?;
    let words = bytes.chunks_exact(4).flat_map(|word| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        u32::from_be_bytes(word).to_ne_bytes()
    });
    let bytes: Vec<u8> = words.collect();
    let ip = match bytes.len() {
        4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some((ip.to_canonical(), port))
}

/// How a process holds a file, if it does.
fn holds(pid: u32, seen: &Seen) -> Option<&'static str> {
    let is = |path: String| {
        fs::metadata(path).is_ok_and(|there| {
            let dev = there.dev();
            there.ino() == seen.inode && (u64::from(major(dev)) << 32 | u64::from(minor(dev))) == seen.dev
        })
    };
    if is(format!("/proc/{pid}/exe")) {
        return Some("runs");
    }
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    if maps.lines().any(|line| maps_it(line, seen)) {
        return Some("mapped");
    }
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok();
    let mut open = entries.into_iter().flatten().flatten().take(MAX_OPEN);
    open.any(|entry| is(entry.path().to_string_lossy().into_owned())).then_some("open")
}

/// One line of `/proc/<pid>/maps`: device and inode of what is mapped. A layered filesystem names another device there.
fn maps_it(line: &str, seen: &Seen) -> bool {
    let mut words = line.split_ascii_whitespace().skip(3);
    let (Some(dev), Some(inode)) = (words.next(), words.next()) else { return false };
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let dev = dev.split_once(':').and_then(|(major, minor)| Some(number(major)? << 32 | number(minor)?));
    let layered = seen.dev >> 32 == 0;
    inode.parse() == Ok(seen.inode) && (layered || dev == Some(seen.dev))
}

fn major(dev: u64) -> u32 {
    rustix::fs::major(dev)
}

fn minor(dev: u64) -> u32 {
    rustix::fs::minor(dev)
}

pub(super) fn holders(seen: &Seen) -> Outcome<Vec<(Process, String)>> {
    let me = std::process::id();
    let found = all()?.into_iter().filter(|process| process.identity.pid != me);
    Ok(found.filter_map(|process| holds(process.identity.pid, seen).map(|how| (process, how.to_owned()))).collect())
}

/// Kills exactly this process, by a handle that no later process of its number can have.
pub(super) fn kill(process: &Identity) -> Outcome<()> {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return refused("no such pid") };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(()),
        handle => handle.map_err(|error| Trouble::Unavailable(format!("process {}: {error}", process.pid)))?,
    };
    // The handle is of whoever has the number now: it is used only when that is the process that was seen.
    match one(process.pid)? {
        None => return Ok(()),
        Some(now) if now.identity == *process => {}
        Some(_) => return refused(format!("process {} is another one now", process.pid)),
    }
    match pidfd_send_signal(&handle, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => return Err(Trouble::Failed(format!("process {}: {error}", process.pid))),
    }
    let deadline = Instant::now() + GONE;
    let mut watched = [PollFd::new(&handle, PollFlags::IN)];
    while Instant::now() < deadline {
        let step = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        match poll(&mut watched, Some(&step)) {
            Ok(0) | Err(Errno::INTR) => {}
            _ => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_line_is_read_in_this_machine_s_order() {
        let v4 = "   0: 0100007F:1F90 4200A8C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000 20 4 30 10 -1";
        let found = row(v4).unwrap();
        assert_eq!((found.local.as_str(), found.peer.to_string().as_str()), ("127.0.0.1 port 8080", "192.168.0.66"));
        assert_eq!((found.listens, found.established, found.inode), (false, true, 4242));
        assert!(row("rubbish").is_none() && row("").is_none());
    }

    #[test]
    fn we_are_ours_and_alive() {
        let me = one(std::process::id()).unwrap().unwrap();
        assert!(me.ours && !me.kernel && me.identity.start_ticks > 0 && me.identity.exe_inode > 0);
        assert!(one(u32::MAX).unwrap().is_none());
    }

    #[test]
    fn what_is_mapped_is_told_by_device_and_inode() {
        let of = |major: u64, inode| Seen {
            kind: super::super::Kind::File,
            dev: major << 32 | 1,
            inode,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 1,
            mtime_ns: 0,
            links: 1,
            immutable: false,
            mounted: false,
            mount: "/".to_owned(),
        };
        let line = "7f1c-7f1d r-xp 00028000 fe:01 4242                       /usr/lib/x86_64-linux-gnu/libc.so.6";
        assert!(maps_it(line, &of(0xfe, 4242)) && maps_it(line, &of(0, 4242)));
        assert!(!maps_it(line, &of(0xfe, 4243)) && !maps_it(line, &of(8, 4242)) && !maps_it("rubbish", &of(0, 1)));
        assert!(!maps_it("7ffd-7ffe rw-p 00000000 00:00 0 [stack]", &of(8, 0)));
    }

    #[test]
    fn another_process_of_the_same_number_is_not_killed() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let seen = one(child.id()).unwrap().unwrap().identity;
        let other = Identity { start_ticks: seen.start_ticks + 1, ..seen.clone() };
        assert!(matches!(kill(&other), Err(Trouble::Refused(_))));
        assert!(one(child.id()).unwrap().is_some());
        kill(&seen).unwrap();
        // Dead and not yet buried counts as gone.
        assert!(one(child.id()).unwrap().is_none());
        assert!(!child.wait().unwrap().success());
        kill(&seen).unwrap();
    }
}
