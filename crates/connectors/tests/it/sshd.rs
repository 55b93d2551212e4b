//! A host behind a real sshd, in a network namespace of its own and reached from another. Neither is the host's own.

#![allow(dead_code, reason = "each test of the whole uses another part")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// This server's end of the link, the target's, and the ports that it listens on: managed by the first only.
pub(crate) const HERE: &str = "203.0.113.5";
pub(crate) const THERE: &str = "203.0.113.9";
pub(crate) const SSHD: u16 = 2222;
pub(crate) const OTHER: u16 = 8080;

/// A process that ends with its handle.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs a script that says when it is ready, and then stays.
fn stay(wrap: &[&str], script: &str) -> Result<Running, String> {
    let (program, arguments) = wrap.split_first().unwrap();
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", program])
        .args(arguments)
        .args(["sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).map_err(|error| error.to_string())?;
    if line == "ready\n" {
        return Ok(Running(child));
    }
    let said = child.wait_with_output().map_err(|error| error.to_string())?;
    Err(String::from_utf8_lossy(&said.stderr).into_owned())
}

pub(crate) fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) struct Host {
    folder: tempfile::TempDir,
    far: Running,
    /// Dropped first.
    pub(crate) sshd: Option<Running>,
}

impl Host {
    /// A target behind a link of its own, made from a thread that is in a namespace of its own already.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        let far = stay(
            &["unshare", "--net", "--mount"],
            "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && ip link set lo up && echo ready && exec sleep 1000",
        )
        .unwrap();
        let pid = far.0.id();
        sh(&format!(
            "ip link set lo up && ip link add here type veth peer name there netns {pid} && \
             ip addr add {HERE}/24 dev here && ip link set here up && \
             nsenter -t {pid} -n sh -c 'ip addr add {THERE}/24 dev there && ip link set there up' && \
             chmod 700 {at} && cd {at} && ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key && \
             cp key.pub authorized && \
             printf 'ListenAddress {THERE}:{SSHD}\\nListenAddress {THERE}:{OTHER}\\nHostKey {at}/host\\nAuthorizedKeysFile {at}/authorized\\nStrictModes no\\n\
             PermitRootLogin prohibit-password\\nUsePAM no\\nPidFile none\\nMaxStartups 100\\n' > config"
        ));
        let mut host = Self { folder, far, sshd: None };
        host.listen();
        host
    }

    pub(crate) fn at(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn inside(&self, program: &[&str]) -> String {
        let output = Command::new("nsenter")
            .args(["-t", &self.far.0.id().to_string(), "-n", "-m"])
            .args(program)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts sshd, which also listens where nobody manages the host.
    fn listen(&mut self) {
        let pid = self.far.0.id().to_string();
        let config = self.at().join("config").display().to_string();
        let script =
            format!("PATH=$PATH:/usr/sbin; echo ready; exec $(command -v sshd) -D -e -f {config} 2>{config}.log");
        self.sshd = Some(stay(&["nsenter", "-t", &pid, "-n", "-m"], &script).unwrap());
        let begun = std::time::Instant::now();
        while !(reaches(SSHD) && reaches(OTHER)) {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{}",
                fs::read_to_string(format!("{config}.log")).unwrap()
            );
        }
    }

    pub(crate) fn ruleset(&self) -> String {
        self.inside(&["nft", "list", "ruleset"])
    }

    /// One of the files of its folder: `host.pub`, `key`, `key.pub`.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at().join(name)).unwrap()
    }
}

/// A new connection from this server's side of the link.
pub(crate) fn reaches(port: u16) -> bool {
    let to = SocketAddr::new(THERE.parse().unwrap(), port);
    TcpStream::connect_timeout(&to, Duration::from_millis(300)).is_ok()
}

/// Runs a test on a thread that is in a network namespace of its own, as is all that it starts; says loudly where that
/// cannot be.
pub(crate) fn in_a_namespace(test: impl FnOnce() + Send + 'static) {
    for program in ["sshd", "ssh", "ssh-keygen", "nft", "ip"] {
        let found =
            Command::new("sh").args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin command -v {program}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: {program} is not installed here");
            return;
        }
    }
    let near = match stay(&["unshare", "--net"], "echo ready && exec sleep 1000") {
        Ok(near) => near,
        Err(why) => {
            eprintln!("SKIPPED: a network namespace that sshd can run in needs root: {why}");
            return;
        }
    };
    let net = fs::File::open(PathBuf::from(format!("/proc/{}/ns/net", near.0.id()))).unwrap();
    let run = move || {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&net), kind).unwrap();
        test();
    };
    let done = std::thread::Builder::new().spawn(run).unwrap().join();
    drop(near);
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}
