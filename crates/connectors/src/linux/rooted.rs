//! The rooted twin: a host of its own on this one, with a copy-on-write root, its own network, mounts, processes and IPC.
//!
//! Needs root. Its root is an overlay over ours whose upper side is memory; /home, /root, /run, /tmp, /var/spool and /dev
//! are empty memory. Nothing that happens in it reaches the real host, and all of it dies with us.

use std::{
    ffi::CStr,
    fmt, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount},
    process::{WaitOptions, chdir, geteuid, pivot_root, wait},
};

use super::{
    Linux, Unavailable,
    hand::{self, Here},
    process, twin,
};

/// How long a twin may take to come up.
const START: Duration = Duration::from_secs(10);
/// How often the twin's process 1 buries its dead.
const REAP: Duration = Duration::from_millis(100);
/// Where our binary is in the twin; that it is there tells a twin from a real host.
pub(super) const HAND: &str = "/run/shieldops-twin/hand";
/// Folders of the twin that start empty, and their permissions.
const EMPTY: [(&str, &CStr); 6] = [
    ("dev", c"mode=0755"),
    ("home", c"mode=0755"),
    ("root", c"mode=0700"),
    ("run", c"mode=0755"),
    ("tmp", c"mode=1777"),
    ("var/spool", c"mode=0755"),
];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Where the new root is put together: in our own mounts, so that nobody else sees it.
const BUILD: [&str; 4] = ["/mnt", "/media", "/srv", "/tmp"];

#[derive(Debug, Clone)]
pub struct RootedOptions {
    /// `host` of `twin/host`.
    pub name: String,
    /// Our own binary, which takes `twin-rooted` and `linux-hand`.
    pub exe: PathBuf,
}

/// A running rooted twin.
pub struct Rooted {
    /// Its process 1, as this host numbers it.
    pid: u32,
    /// Its life hangs on it.
    _stdin: ChildStdin,
    stop: Mutex<Option<SyncSender<()>>>,
    gone: Arc<AtomicBool>,
}

impl fmt::Debug for Rooted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooted").field("pid", &self.pid).finish_non_exhaustive()
    }
}

type Pipes = (u32, Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

fn unavailable(why: impl fmt::Display) -> Unavailable {
    Unavailable { why: why.to_string() }
}

impl Rooted {
    /// Starts a twin. Blocks until it is up, at most ten seconds.
    fn start(data_dir: &Path, options: &RootedOptions) -> Result<Self, Unavailable> {
        if !geteuid().is_root() {
            let why = format!("the rooted twin needs root, and this process has uid {}", geteuid().as_raw());
            return Err(unavailable(why));
        }
        let tag = twin::tag(data_dir, &format!("rooted/{}", options.name));
        process::with_argument(&tag).into_iter().for_each(process::kill);
        let (stop, stopped) = sync_channel::<()>(1);
        let (report, reported) = sync_channel(1);
        let argv = argv(&options.exe, &tag);
        let gone = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&gone);
        let life = move || {
            match twin::spawn(&argv) {
                Ok(mut child) => {
                    let pipes: Pipes = (child.id(), child.stdin.take(), child.stdout.take(), child.stderr.take());
                    if report.send(Ok(pipes)).is_ok() {
                        twin::live(&mut child, &stopped, &flag);
                    }
                    twin::end(child);
                }
                Err(error) => drop(report.send(Err(error))),
            }
            flag.store(true, Ordering::SeqCst);
        };
        thread::Builder::new().name(format!("rooted-{}", options.name)).spawn(life).map_err(unavailable)?;
        let spawned = reported.recv().map_err(unavailable)?;
        let (outer, stdin, stdout, stderr) =
            spawned.map_err(|error| unavailable(format!("cannot start it: {error}")))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(unavailable("no pipes"));
        };
        come_up(stdout, stderr)?;
        let pid = only_child(outer).ok_or_else(|| unavailable("the twin has no process 1"))?;
        Ok(Self { pid, _stdin: stdin, stop: Mutex::new(Some(stop)), gone })
    }

    /// Its process 1, as this host numbers it.
    pub fn process_id(&self) -> u32 {
        self.pid
    }

    pub fn runs(&self) -> bool {
        !self.gone.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// What enters it: a program and its arguments follow.
    pub fn enter(&self) -> Vec<String> {
        enter(self.pid)
    }

    fn hand(&self) -> Vec<String> {
        let mut argv = self.enter();
        argv.extend([HAND.to_owned(), hand::VERB.to_owned()]);
        argv
    }
}

impl Drop for Rooted {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(super) fn enter(pid: u32) -> Vec<String> {
    let line = format!("setpriv --pdeathsig KILL nsenter -m -p -n -i -t {pid}");
    line.split(' ').map(str::to_owned).collect()
}

fn argv(exe: &Path, tag: &str) -> Vec<String> {
    let wrap = "setpriv --pdeathsig KILL unshare --net --mount --pid --ipc --fork --kill-child=KILL";
    let mut argv: Vec<String> = wrap.split(' ').map(str::to_owned).collect();
    argv.extend([exe.to_string_lossy().into_owned(), "twin-rooted".to_owned(), tag.to_owned()]);
    argv
}

fn come_up(stdout: ChildStdout, stderr: ChildStderr) -> Result<(), Unavailable> {
    let (line, first) = sync_channel(1);
    let reader = move || {
        let mut said = BufReader::new(stdout);
        let mut text = String::new();
        if said.read_line(&mut text).is_ok_and(|read| read > 0) {
            drop(line.send(text));
        }
    };
    thread::Builder::new().name("rooted-ready".to_owned()).spawn(reader).map_err(unavailable)?;
    if first.recv_timeout(START).is_ok() {
        return Ok(());
    }
    let mut why = String::new();
    let read = stderr.take(2_000).read_to_string(&mut why);
    let why = if read.is_err() || why.trim().is_empty() { "it did not come up" } else { why.trim() };
    Err(unavailable(format!("namespaces do not work here: {}", why.replace('\n', "; "))))
}

fn only_child(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

impl Linux {
    pub fn rooted(&self, name: &str) -> Option<Arc<Rooted>> {
        let twins = self.hosts.rooted.lock().unwrap_or_else(PoisonError::into_inner);
        twins.get(name).filter(|twin| twin.runs()).map(Arc::clone)
    }

    /// Starts a rooted twin and tries our hand in it.
    pub async fn start_rooted(self: &Arc<Self>, options: RootedOptions) -> Result<Arc<Rooted>, Unavailable> {
        let name = options.name.clone();
        Self::check_target_name(&format!("twin/{name}")).map_err(unavailable)?;
        self.stop_rooted(&name);
        let data_dir = self.with.data_dir.clone();
        let started = tokio::task::spawn_blocking(move || Rooted::start(&data_dir, &options)).await;
        let twin = Arc::new(started.map_err(unavailable)??);
        self.hosts.rooted.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&twin));
        if let Err(fault) = self.try_hand(&twin).await {
            self.stop_rooted(&name);
            return Err(unavailable(format!("our program does not work in a twin here: {fault}")));
        }
        Ok(twin)
    }

    async fn try_hand(&self, twin: &Rooted) -> Result<String, shieldops_respond::Fault> {
        self.hand_by(&twin.hand(), false, Here {}, None).await
    }

    pub fn stop_rooted(&self, name: &str) {
        let twin = self.hosts.rooted.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(twin) = twin {
            twin.stop();
        }
    }

    pub(super) fn stop_rooted_twins(&self) {
        let mut twins = self.hosts.rooted.lock().unwrap_or_else(PoisonError::into_inner);
        twins.drain().for_each(|(_, twin)| twin.stop());
    }
}

/// Whether this process is in a rooted twin.
pub(super) fn is_here() -> bool {
    Path::new(HAND).exists()
}

/// `twin-rooted --tag=…`: process 1 of a twin. Puts its root together, says `ready`, and ends when its input does.
pub fn rooted_main(args: &[String]) -> i32 {
    let [_tag] = args else { return twin::complain("want --tag=…") };
    match build().and_then(|()| serve()) {
        Ok(()) => 0,
        Err(error) => twin::complain(&error.to_string()),
    }
}

fn build() -> io::Result<()> {
    if std::process::id() != 1 {
        return Err(io::Error::other("this is process 1 of a twin and of nothing else"));
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let place = BUILD.into_iter().find(|place| Path::new(place).is_dir()).ok_or_else(|| io::Error::other("no /mnt"))?;
    let place = Path::new(place);
    mount("shieldops-twin", place, "tmpfs", MountFlags::empty(), c"mode=0700")?;
    let root = place.join("root");
    for name in ["upper", "work", "root"] {
        fs::create_dir(place.join(name))?;
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755))?;
    }
    let layers = format!("lowerdir=/,upperdir={0}/upper,workdir={0}/work\0", place.display());
    let layers = CStr::from_bytes_with_nul(layers.as_bytes()).map_err(io::Error::other)?;
    mount("overlay", &root, "overlay", MountFlags::empty(), layers)?;
    furnish(&root)?;
    chdir(&root)?;
    pivot_root(".", "run/old")?;
    chdir("/")?;
    unmount("/run/old", UnmountFlags::DETACH)?;
    fs::remove_dir("/run/old")?;
    if let Err(error) = twin::ip(&["link", "set", "lo", "up"]) {
        tracing::debug!(%error, "the twin has no loopback");
    }
    Ok(())
}

fn furnish(root: &Path) -> io::Result<()> {
    for (name, options) in EMPTY {
        let folder = root.join(name);
        fs::create_dir_all(&folder)?;
        mount("shieldops-twin", &folder, "tmpfs", MountFlags::empty(), options)?;
    }
    mount("proc", root.join("proc"), "proc", MountFlags::empty(), None)?;
    for name in DEVICES {
        let file = root.join("dev").join(name);
        fs::write(&file, "")?;
        mount_bind(Path::new("/dev").join(name), &file)?;
    }
    for folder in ["run/old", "run/shieldops-twin", "run/sshd", "run/lock", "var/spool/cron/crontabs"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::set_permissions(root.join("var/spool/cron/crontabs"), fs::Permissions::from_mode(0o1730))?;
    let hand = root.join(HAND.trim_start_matches('/'));
    fs::write(&hand, "")?;
    // Wherever our file is: what runs is what is bound.
    Ok(mount_bind(root.join("proc/self/exe"), &hand)?)
}

fn serve() -> io::Result<()> {
    let (over, ended) = sync_channel::<()>(1);
    let watch = move || {
        let mut rest = Vec::new();
        drop(io::stdin().lock().read_to_end(&mut rest));
        drop(over);
    };
    thread::Builder::new().name("input".to_owned()).spawn(watch)?;
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    loop {
        match ended.recv_timeout(REAP) {
            Err(RecvTimeoutError::Timeout) => while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {},
            _ => return Ok(()),
        }
    }
}
