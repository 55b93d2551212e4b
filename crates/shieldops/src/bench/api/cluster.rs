//! A PostgreSQL server of its own, as it is installed: `fsync` on, nothing tuned but the number of connections.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

/// The user that runs the server where we are root, which it refuses to be.
const USER: &str = "postgres";

pub(super) struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    port: u16,
    as_root: bool,
}

impl Cluster {
    pub(super) fn start(above: &Path) -> anyhow::Result<Self> {
        let bin = programs()?;
        let dir = above.join(format!("shieldops-bench-pg-{}", std::process::id()));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { dir, bin, port, as_root: rustix::process::geteuid().is_root() };
        cluster.make_folder()?;
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"])?;
        let folder = cluster.dir.display();
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c max_connections=100"
        );
        cluster.run("pg_ctl", &["-s", "-w", "-D", &data, "-l", &format!("{folder}/log"), "-o", &options, "start"])?;
        Ok(cluster)
    }

    pub(super) fn url(&self) -> String {
        // By its socket, as a server on the same machine is reached.
        format!("postgres:///postgres?host={}&port={}&user={USER}", self.dir.display(), self.port)
    }

    /// What autovacuum does in the minutes after so many rows came, done at once: statistics and visibility.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        let port = self.port.to_string();
        self.run("vacuumdb", &["-q", "-z", "-h", "127.0.0.1", "-p", &port, "-U", USER, "postgres"])
    }

    /// `PostgreSQL 15.18`.
    pub(super) fn version(&self) -> anyhow::Result<String> {
        let output = Command::new(self.bin.join("postgres")).arg("--version").output()?;
        let text = String::from_utf8(output.stdout)?;
        let number = text.split_whitespace().nth(2).context("the server tells no version")?;
        Ok(format!("PostgreSQL {number}, fsync on, by its socket"))
    }

    fn data(&self) -> String {
        format!("{}/data", self.dir.display())
    }

    fn make_folder(&self) -> anyhow::Result<()> {
        let mut command = Command::new("install");
        command.args(["-d", "-m", "700"]);
        if self.as_root {
            command.args(["-o", USER]);
        }
        let made = command.arg(&self.dir).status().context("cannot run `install`")?;
        ensure!(made.success(), "cannot make {}", self.dir.display());
        Ok(())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let program = self.bin.join(program);
        let mut command = if self.as_root {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        // In files: a server that stays would hold a pipe open.
        let status = command.args(arguments).current_dir("/").stdout(Stdio::null()).status();
        ensure!(
            status.with_context(|| format!("cannot run {}", program.display()))?.success(),
            "{} failed",
            program.display()
        );
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What cannot be stopped or removed is left to the system.
        drop(self.run("pg_ctl", &["-s", "-D", &self.data(), "-m", "fast", "stop"]));
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

/// Where the newest server that is installed has its programs.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let Some((_, bin)) = found.pop() else {
        bail!("no PostgreSQL server is installed in /usr/lib/postgresql: install the package postgresql")
    };
    Ok(bin)
}
