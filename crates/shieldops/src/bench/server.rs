//! A server of this binary in a temporary data directory, ended and removed when dropped.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{client::Client, config};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A folder that is removed when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(above: &Path) -> anyhow::Result<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = above.join(format!("shieldops-bench-{}-{number}", std::process::id()));
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's cleaning of temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(super) struct Server {
    child: Child,
    pub(super) url: String,
    /// From the start of the process to its word that it is ready.
    pub(super) took: Duration,
    data_dir: PathBuf,
}

impl Server {
    pub(super) fn start(data_dir: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(data_dir, arguments, &[])
    }

    pub(super) fn start_with(data_dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = command(data_dir, &["serve", "--listen", "127.0.0.1:0"]);
        command
            .args(arguments)
            .envs(env.iter().copied())
            .env("SHIELDOPS_LOG__LEVEL", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().context("cannot start a server of this binary")?;
        match ready(&mut child) {
            Ok(url) => Ok(Self { child, url, took: began.elapsed(), data_dir: data_dir.to_owned() }),
            Err(error) => {
                drop((child.kill(), child.wait()));
                Err(error)
            }
        }
    }

    pub(super) fn client(&self, token: &str) -> anyhow::Result<Client> {
        Client::local(&self.url, token).map_err(|failure| anyhow::anyhow!(failure.what))
    }

    /// A token made beside the running server.
    pub(super) fn token(&self, kind: &str, user: Option<&str>) -> anyhow::Result<String> {
        let mut command = command(&self.data_dir, &["token", "create", "--kind", kind, "--name", "bench"]);
        let made =
            command.args(user.map(|user| ["--user", user]).into_iter().flatten()).stderr(Stdio::inherit()).output()?;
        ensure!(made.status.success(), "cannot make a token");
        Ok(String::from_utf8(made.stdout)?.trim().to_owned())
    }

    pub(super) fn user(&self, name: &str) -> anyhow::Result<()> {
        let mut command = command(&self.data_dir, &["user", "create", "--name", name, "--role", "admin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // Of a data directory that is removed in a moment.
            writeln!(stdin, "a password for {}", std::process::id())?;
        }
        ensure!(child.wait()?.success(), "cannot make a user");
        Ok(())
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub(super) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(Path::new(&format!("/proc/{}/status", self.child.id())))
    }
}

/// Resident memory as a status file of /proc says it.
pub(super) fn resident_bytes(status: &Path) -> anyhow::Result<u64> {
    let status = fs::read_to_string(status)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // One that is gone already is ended.
            let _told = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + Duration::from_secs(12);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            pause(Duration::from_millis(20));
        }
        drop((self.child.kill(), self.child.wait()));
    }
}

fn command(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(config::current_exe());
    command.args(arguments).arg("--data-dir").arg(data_dir);
    command
}

fn ready(child: &mut Child) -> anyhow::Result<String> {
    let Some(out) = child.stdout.take() else { bail!("the server has no output") };
    for line in BufReader::new(out).lines() {
        if let Some(url) = line?.strip_prefix("ready ") {
            return Ok(url.to_owned());
        }
    }
    bail!("the server ended before it was ready")
}

pub(super) fn pause(time: Duration) {
    std::thread::park_timeout(time);
}
