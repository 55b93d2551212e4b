//! An attacker and a victim in network namespaces of their own, a wire between them, and real packets over it. The host
//! gets no interface, route or rule.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    process::Command,
    thread,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::server::until;

pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const VICTIM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
const PORT: u16 = 22;
/// Long enough for a first packet that was lost to be sent again.
const SILENCE: Duration = Duration::from_millis(1_500);
/// Set in the test that runs in a user namespace.
const INSIDE: &str = "SHIELDOPS_TEST_INSIDE";

pub(crate) struct Lab {
    attacker: Namespace,
    victim: Namespace,
}

/// A named network namespace, removed with this value.
struct Namespace(String);

fn works(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

impl Namespace {
    fn make(name: &str) -> Option<Self> {
        let name = format!("{name}-{}", std::process::id());
        works("ip", &["netns", "add", &name]).then_some(Self(name))
    }

    fn ip(&self, args: &[&str]) -> Option<()> {
        works("ip", &[&["-n", &self.0], args].concat()).then_some(())
    }

    /// Does something in it: on a thread of its own, which ends there.
    fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        let inside = move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        thread::spawn(inside).join().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        works("ip", &["netns", "del", &self.0]);
    }
}

impl Lab {
    /// `None`, loudly, where the kernel or a missing program forbids it.
    pub(crate) fn make() -> Option<Self> {
        let lab = Self::wired();
        if lab.is_none() {
            eprintln!(
                "SKIPPED: no packets are sent: network namespaces cannot be made here (this needs ip and nft, and root or user namespaces)"
            );
        }
        lab
    }

    fn wired() -> Option<Self> {
        let lab = Self { attacker: Namespace::make("so-attacker")?, victim: Namespace::make("so-victim")? };
        let wire = ["link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &lab.victim.0];
        lab.attacker.ip(&wire)?;
        for (side, own, other) in [(&lab.attacker, ATTACKER, VICTIM), (&lab.victim, VICTIM, ATTACKER)] {
            side.ip(&["addr", "add", &own.to_string(), "peer", &other.to_string(), "dev", "wire"])?;
            side.ip(&["link", "set", "wire", "up"])?;
        }
        works("ip", &["netns", "exec", &lab.victim.0, "nft", "-j", "list", "ruleset"]).then_some(())?;
        let listener = lab.victim.within(|| TcpListener::bind((VICTIM, PORT))).ok()?;
        thread::spawn(move || listener.incoming().for_each(drop));
        until(|| lab.reaches().then_some(()));
        Some(lab)
    }

    /// What the victim is registered as.
    pub(crate) fn target(&self) -> String {
        format!("netns/{}", self.victim.0)
    }

    /// Whether the attacker gets through to the victim: one real connection.
    pub(crate) fn reaches(&self) -> bool {
        let to = SocketAddr::from((VICTIM, PORT));
        self.attacker.within(move || TcpStream::connect_timeout(&to, SILENCE).is_ok())
    }

    /// Whether the victim's packet filter is as it was made: empty.
    pub(crate) fn is_clean(&self) -> bool {
        let args = ["netns", "exec", &self.victim.0, "nft", "list", "ruleset"];
        let output = Command::new("ip").args(args).output().unwrap();
        output.status.success() && output.stdout.iter().all(u8::is_ascii_whitespace)
    }
}

/// Runs a test again as the root of a user namespace, where only that allows network namespaces. Whether it did so.
pub(crate) fn ran_inside(test: &str) -> bool {
    if rustix::process::geteuid().is_root() || std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        // Names of network namespaces live below /run.
        command.args(["--user", "--map-root-user", "--net", "--mount", "--fork", "sh", "-c"]);
        command.arg(format!("ip link set lo up && mount -t tmpfs none /run && {script}"));
        command
    };
    if !unshare("ip netns add try").output().is_ok_and(|output| output.status.success()) {
        return false;
    }
    let mut again = unshare("exec \"$0\" \"$@\"");
    again.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    assert!(again.env(INSIDE, "1").status().unwrap().success(), "{test} failed in a user namespace");
    true
}
