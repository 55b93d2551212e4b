//! A simulated host's files and processes: the same rules as a kernel's, in a file of JSON.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use shieldops_respond::Fault;

use crate::linux::ground::{
    Context, Ground, Identity, Kind, Making, Outcome, Process, Seen, Sockets, Text, Trouble, Who, refused, split,
    staging::{Bytes, Thing},
    unchanged,
};

/// The largest state file, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const DEV: u64 = 1;

/// A file, a folder or a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    kind: Kind,
    #[serde(default)]
    text: Bytes,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime_ns: i64,
    inode: u64,
    #[serde(default = "one")]
    links: u64,
    #[serde(default)]
    immutable: bool,
    /// Something is mounted here.
    #[serde(default)]
    mounted: bool,
}

fn one() -> u64 {
    1
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Running {
    process: Process,
    #[serde(default)]
    sockets: Sockets,
    /// Inodes that it has open.
    #[serde(default)]
    open: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    boot_id: String,
    inodes: u64,
    files: BTreeMap<String, Node>,
    processes: BTreeMap<u32, Running>,
}

#[derive(Debug)]
pub(in crate::linux) struct Simulated {
    with: Context,
    host: Host,
    /// The login that what is started belongs to.
    login: Option<(u32, u32)>,
}

impl Default for Host {
    fn default() -> Self {
        let mut host = Self {
            boot_id: "00000000-0000-4000-8000-000000000001".to_owned(),
            inodes: 100,
            files: BTreeMap::new(),
            processes: BTreeMap::new(),
        };
        for (path, mode, owner) in [
            ("/etc", 0o755, 0),
            ("/etc/cron.d", 0o755, 0),
            ("/home", 0o755, 0),
            ("/home/alice", 0o750, 1000),
            ("/home/alice/.ssh", 0o700, 1000),
            ("/home/bob", 0o750, 1001),
            ("/var", 0o755, 0),
            ("/var/spool", 0o755, 0),
            ("/var/spool/cron", 0o755, 0),
            ("/var/spool/cron/crontabs", 0o1730, 0),
            ("/tmp", 0o1777, 0),
        ] {
            host.put(&Thing::folder(path, mode, owner));
        }
        for (path, text, mode, owner) in [
            ("/etc/passwd", PASSWD, 0o644, 0),
            ("/etc/shadow", SHADOW, 0o640, 0),
            ("/etc/group", GROUP, 0o644, 0),
            ("/etc/hosts", "127.0.0.1 localhost\n", 0o644, 0),
            ("/etc/hostname", "simulated\n", 0o644, 0),
            ("/etc/crontab", "17 * * * * root run-parts /etc/cron.hourly\n", 0o644, 0),
            ("/home/alice/.ssh/authorized_keys", KEY, 0o600, 1000),
            ("/tmp/dropper", "not a real program\n", 0o755, 1000),
            ("/var/spool/cron/crontabs/alice", "*/5 * * * * /tmp/dropper\n", 0o600, 1000),
        ] {
            host.put(&Thing::file(path, text, mode, owner, 1_700_000_000));
        }
        for place in ["/home", "/tmp"] {
            if let Some(node) = host.files.get_mut(place) {
                node.mounted = true;
            }
        }
        for (pid, ppid, name, uid) in
            [(1, 0, "systemd", 0), (300, 1, "sshd", 0), (400, 1, "nginx", 33), (500, 1, "dropper", 1000)]
        {
            host.start(pid, ppid, name, uid);
        }
        for (pid, ppid, name, uid) in [(600, 300, "sshd", 0), (601, 600, "bash", 1000), (700, 300, "sshd", 0)] {
            host.start(pid, ppid, name, uid);
            if let Some(running) = host.processes.get_mut(&pid) {
                running.process.session = Some(pid / 100);
                running.process.login_uid = Some(1000);
            }
        }
        if let Some(sshd) = host.processes.get_mut(&300) {
            sshd.sockets.listens.push("0.0.0.0 port 22".to_owned());
        }
        host
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n\
    alice:x:1000:1000::/home/alice:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\ncarol:x:1002:1002::/home/carol:/bin/bash\n";
const SHADOW: &str = "root:*:19700:0:99999:7:::\nwww-data:*:19700:0:99999:7:::\nalice:$y$simulated:19700:0:99999:7:::\n\
    bob:$y$simulated:19700:0:99999:7:::\ncarol:$y$simulated:19700:0:99999:7:::\n";
const GROUP: &str = "root:x:0:\nsudo:x:27:bob,carol\nalice:x:1000:\n";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVuYm9ybiBrZXkgb2YgYSBzaW11bGF0ZWQgaG9zdCEh simulated\n";

impl Host {
    fn put(&mut self, thing: &Thing) {
        self.inodes += 1;
        let node = Node {
            kind: if thing.text.is_some() { Kind::File } else { Kind::Folder },
            text: thing.text.clone().unwrap_or_default(),
            mode: thing.mode,
            uid: thing.uid,
            gid: thing.gid,
            mtime_ns: thing.mtime_ns,
            inode: self.inodes,
            links: 1,
            immutable: false,
            mounted: false,
        };
        self.files.insert(thing.path.clone(), node);
    }

    fn start(&mut self, pid: u32, ppid: u32, name: &str, uid: u32) {
        let identity = Identity { boot_id: self.boot_id.clone(), pid, start_ticks: u64::from(pid), exe_inode: 7 };
        let process = Process {
            identity,
            ppid,
            name: name.to_owned(),
            exe: Some(format!("/usr/bin/{name}")),
            uid,
            session: None,
            login_uid: None,
            kernel: false,
            ours: false,
            of_root: true,
        };
        self.processes.insert(pid, Running { process, sockets: Sockets::default(), open: Vec::new() });
    }

    /// The nearest mount at or above a path.
    fn mount(&self, path: &str) -> String {
        let mut at = path;
        loop {
            if self.files.get(at).is_some_and(|node| node.mounted) || at == "/" {
                return at.to_owned();
            }
            at = split(at).0;
        }
    }

    fn check_way(&self, path: &str) -> Outcome<bool> {
        let mut at = split(path).0;
        while at != "/" {
            match self.files.get(at).map(|node| node.kind) {
                Some(Kind::Folder) => at = split(at).0,
                Some(Kind::Other) => {
                    return refused(format!("a symbolic link is at or on the way to `{path}`: name the real path"));
                }
                Some(Kind::File) | None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn seen(&self, path: &str) -> Outcome<Option<Seen>> {
        if !self.check_way(path)? {
            return Ok(None);
        }
        if path == "/" {
            let root = Thing::folder("/", 0o755, 0);
            return Ok(Some(Seen {
                kind: Kind::Folder,
                dev: DEV,
                inode: 2,
                mode: root.mode,
                uid: 0,
                gid: 0,
                size: 0,
                mtime_ns: root.mtime_ns,
                links: 1,
                immutable: false,
                mounted: true,
                mount: "/".to_owned(),
            }));
        }
        Ok(self.files.get(path).map(|node| Seen {
            kind: node.kind,
            dev: DEV,
            inode: node.inode,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            size: u64::try_from(node.text.0.len()).unwrap_or(u64::MAX),
            mtime_ns: node.mtime_ns,
            links: node.links,
            immutable: node.immutable,
            mounted: node.mounted,
            mount: self.mount(path),
        }))
    }

    fn below(&self, path: &str) -> Vec<String> {
        let inside = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        self.files.keys().filter(|key| key.starts_with(&inside)).cloned().collect()
    }
}

impl Simulated {
    pub(in crate::linux) fn load(path: &Path, with: Context) -> Result<Self, Fault> {
        let unavailable = |error: io::Error| Fault::Unavailable(format!("{}: {error}", path.display()));
        let host = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Host::default(),
            Err(error) => return Err(unavailable(error)),
            Ok(there) if there.len() > MAX_BYTES => {
                return Err(Fault::Unavailable(format!("{}: the simulated host is too large", path.display())));
            }
            Ok(_) => {
                let bytes = fs::read(path).map_err(unavailable)?;
                serde_json::from_slice(&bytes).map_err(io::Error::other).map_err(unavailable)?
            }
        };
        Ok(Self { with, host, login: None })
    }

    /// Durable when it returns.
    pub(in crate::linux) fn save(&self, path: &Path) -> Result<(), Fault> {
        let unavailable = |error: io::Error| Fault::Unavailable(format!("{}: {error}", path.display()));
        let bytes = serde_json::to_vec(&self.host).map_err(io::Error::other).map_err(unavailable)?;
        save_bytes(path, &bytes).map_err(unavailable)
    }

    fn node(&self, path: &str) -> Outcome<Option<&Node>> {
        Ok(if self.host.check_way(path)? { self.host.files.get(path) } else { None })
    }

    fn folder_of(&self, path: &str) -> Outcome<()> {
        let folder = split(path).0;
        match self.host.seen(folder)? {
            Some(seen) if seen.kind == Kind::Folder => Ok(()),
            _ => Err(Trouble::Unavailable(format!("`{folder}`: No such file or directory"))),
        }
    }

    fn may_write(&self, path: &str, who: Who) -> Outcome<()> {
        self.folder_of(path)?;
        let Who::User { uid, .. } = who else { return Ok(()) };
        let folder = self.host.seen(split(path).0)?;
        let allowed = folder.is_some_and(|seen| seen.uid == uid && seen.mode & 0o300 == 0o300);
        if allowed { Ok(()) } else { refused(format!("`{path}`: Permission denied")) }
    }
}

/// Written beside, synced, renamed, and the folder synced.
fn save_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
    fs::create_dir_all(folder)?;
    let beside = path.with_extension("json.new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    fs::File::open(folder)?.sync_all()
}

impl Ground for Simulated {
    fn with(&self) -> &Context {
        &self.with
    }

    fn boot_id(&self) -> Outcome<String> {
        Ok(self.host.boot_id.clone())
    }

    fn find(&self, path: &str, _who: Who) -> Outcome<Option<Seen>> {
        self.host.seen(path)
    }

    fn read(&self, path: &str, _who: Who, limit: u64) -> Outcome<Option<Text>> {
        let Some(seen) = self.host.seen(path)? else { return Ok(None) };
        if seen.kind == Kind::Other {
            return refused(format!("a symbolic link is at or on the way to `{path}`: name the real path"));
        }
        if seen.kind != Kind::File {
            return refused(format!("`{path}` is no regular file"));
        }
        if seen.size > limit {
            return refused(format!("`{path}` has {} bytes, more than {limit}", seen.size));
        }
        let bytes = self.node(path)?.map(|node| node.text.0.clone()).unwrap_or_default();
        Ok(Some(Text { seen, bytes }))
    }

    fn list(&self, path: &str, _who: Who) -> Outcome<Option<Vec<String>>> {
        if self.host.seen(path)?.is_none() {
            return Ok(None);
        }
        let inside = self.host.below(path);
        Ok(Some(inside.iter().filter(|key| split(key).0 == path).map(|key| split(key).1.to_owned()).collect()))
    }

    fn write(&mut self, path: &str, who: Who, over: Option<&Seen>, bytes: &[u8], as_: Making) -> Outcome<()> {
        self.may_write(path, who)?;
        let there = self.host.seen(path)?;
        match (over, &there) {
            (None, Some(_)) => return refused(format!("`{path}` is occupied: nothing is overwritten")),
            (Some(_), None) => return Err(Trouble::Unavailable(format!("`{path}`: No such file or directory"))),
            (Some(over), Some(now)) if !unchanged(now, over) => {
                return refused(format!("`{path}` changed since it was read: nothing was done"));
            }
            (_, Some(now)) if now.immutable => return refused(format!("`{path}`: Operation not permitted")),
            (_, Some(now)) if now.mounted => return refused(format!("something is mounted on `{path}`")),
            _ => {}
        }
        let mtime_ns = as_.mtime_ns.unwrap_or(self.with.now_ns);
        self.host.put(&Thing {
            path: path.to_owned(),
            text: Some(Bytes(bytes.to_vec())),
            mode: as_.mode,
            uid: as_.uid,
            gid: as_.gid,
            mtime_ns,
        });
        Ok(())
    }

    fn shift(&mut self, from: &str, seen: &Seen, to: &str) -> Outcome<()> {
        self.folder_of(to)?;
        match self.host.seen(from)? {
            Some(now) if now.kind == Kind::File && unchanged(&now, seen) => {}
            _ => return refused(format!("`{from}` is another file than the one that was seen")),
        }
        if self.host.seen(to)?.is_some() {
            return refused(format!("`{to}` is occupied: nothing is overwritten"));
        }
        if seen.immutable {
            return refused(format!("`{from}`: Operation not permitted"));
        }
        if seen.mounted || self.host.mount(split(from).0) != self.host.mount(split(to).0) {
            return refused(format!("`{from}` is on another filesystem"));
        }
        if let Some(node) = self.host.files.remove(from) {
            self.host.files.insert(to.to_owned(), node);
        }
        Ok(())
    }

    fn remove(&mut self, path: &str, _who: Who) -> Outcome<()> {
        let gone = self.host.files.remove(path).is_some();
        if gone { Ok(()) } else { Err(Trouble::Unavailable(format!("`{path}`: No such file or directory"))) }
    }

    fn make_folder(&mut self, path: &str) -> Outcome<()> {
        self.folder_of(path)?;
        if self.host.seen(path)?.is_some() {
            return refused(format!("`{path}` is occupied: nothing is overwritten"));
        }
        self.host.put(&Thing::folder(path, 0o700, 0));
        Ok(())
    }

    fn remove_empty(&mut self, path: &str) -> Outcome<()> {
        if self.host.below(path).is_empty() {
            self.host.files.remove(path);
        }
        Ok(())
    }

    fn processes(&self) -> Outcome<Vec<Process>> {
        Ok(self.host.processes.values().map(|running| running.process.clone()).collect())
    }

    fn keeps_sessions(&self) -> bool {
        true
    }

    fn process(&self, pid: u32) -> Outcome<Option<Process>> {
        Ok(self.host.processes.get(&pid).map(|running| running.process.clone()))
    }

    fn sockets(&self, pid: u32) -> Outcome<Sockets> {
        Ok(self.host.processes.get(&pid).map(|running| running.sockets.clone()).unwrap_or_default())
    }

    fn holders(&self, seen: &Seen) -> Outcome<Vec<(Process, String)>> {
        let holding = self.host.processes.values().filter(|running| running.open.contains(&seen.inode));
        Ok(holding.map(|running| (running.process.clone(), "open".to_owned())).collect())
    }

    fn kill(&mut self, process: &Identity) -> Outcome<()> {
        match self.host.processes.get(&process.pid) {
            None => Ok(()),
            Some(running) if running.process.identity == *process => {
                self.host.processes.remove(&process.pid);
                Ok(())
            }
            Some(_) => refused(format!("process {} is another one now", process.pid)),
        }
    }

    fn lock_passwords(&mut self) -> Outcome<()> {
        Ok(())
    }

    /// `getent` answers from the hosts file; nothing else is installed.
    fn ask(&self, program: &[&str]) -> Outcome<Option<String>> {
        let ["getent", "ahosts", name] = program else { return Ok(None) };
        let hosts = self.host.files.get("/etc/hosts").map(|node| String::from_utf8_lossy(&node.text.0).into_owned());
        let hosts = hosts.unwrap_or_default();
        let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
        let found: Vec<String> = lines
            .filter_map(|line| {
                let mut words = line.split_ascii_whitespace();
                let address = words.next()?;
                words.any(|word| word.eq_ignore_ascii_case(name)).then(|| format!("{address} STREAM {name}"))
            })
            .collect();
        Ok((!found.is_empty()).then(|| found.join("\n")))
    }

    fn stage(&mut self, thing: &Thing) -> Outcome<()> {
        let mut at = split(&thing.path).0.to_owned();
        while at != "/" {
            if !self.host.files.contains_key(&at) {
                self.host.put(&Thing::folder(&at, 0o755, 0));
            }
            at = split(&at).0.to_owned();
        }
        if thing.text.is_some() || !self.host.files.contains_key(&thing.path) {
            self.host.put(thing);
        }
        Ok(())
    }

    fn start(&mut self, name: &str, uid: u32, login: bool) -> Outcome<(u32, Option<u32>)> {
        let pid = self.host.processes.keys().next_back().map_or(1_000, |last| last + 1);
        self.host.start(pid, 1, name, uid);
        self.login = if login { Some((pid, uid)) } else { self.login };
        if let (Some(running), Some((session, uid))) = (self.host.processes.get_mut(&pid), self.login) {
            (running.process.session, running.process.login_uid) = (Some(session), Some(uid));
        }
        Ok((pid, self.login.map(|(session, _)| session)))
    }

    fn clear(&mut self, path: &str) -> Outcome<()> {
        self.host.below(path).iter().for_each(|inside| drop(self.host.files.remove(inside)));
        self.host.files.remove(path);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
