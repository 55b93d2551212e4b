//! Targets that are reached over SSH, by the system's own client.
//!
//! What runs there is one of a few constant strings under `timeout`; what differs from one call to the next goes by
//! standard input, because a remote command is a line for a shell. Every call is a connection of its own, so that what is
//! read back after a change came over a new one. The private key and the host's key are files in memory that only this
//! user can open.

use std::{
    fs::File,
    io::{self, Write as _},
    net::IpAddr,
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use shieldops_model::{Ssh, Target};
use shieldops_policy::Facts;
use shieldops_respond::{Fault, Watch};

use super::{
    Linux, exec, facts,
    look::{Look, Tables},
    nft::{TABLES, isolation::Way},
    sockets,
    target::Access,
};

/// Under which the host's key is known to the client, whatever its address.
const ALIAS: &str = "shieldops-target";
const BEGIN: &[u8] = b"shieldops-begin\n";
const END: &[u8] = b"shieldops-end\n";
/// Another user becomes root, and still knows where it came from.
const AS_ROOT: &str = "sudo -n env SSH_CONNECTION=\"$SSH_CONNECTION\" ";
/// A program there said no: nothing of ours is at work any more.
const REFUSED: &[u8] = b"shieldops-refused\n";
const PART: &str = "shieldops-part\n";
/// The list of tables, each of ours, and six parts about the rest of the host.
const LOOKED: usize = 1 + TABLES.len() + 6;
/// What was begun on the target ends after this at the latest.
const WORK: Duration = Duration::from_secs(11);
/// Nothing of the user's or the system's settings, nobody else's keys, no prompt, no shared connection.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ConnectTimeout=5",
    "ConnectionAttempts=1",
    "ControlMaster=no",
    "ControlPath=none",
    "EscapeChar=none",
    "ForwardAgent=no",
    "ForwardX11=no",
    "GlobalKnownHostsFile=none",
    "HostKeyAlias=shieldops-target",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "KbdInteractiveAuthentication=no",
    "LogLevel=ERROR",
    "PasswordAuthentication=no",
    "PermitLocalCommand=no",
    "PreferredAuthentications=publickey",
    "ProxyCommand=none",
    "RequestTTY=no",
    "ServerAliveCountMax=2",
    "ServerAliveInterval=3",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
];

/// A constant line for the remote shell: what is said before `begin` is a greeting, what has no `end` was cut off.
macro_rules! line {
    ($body:literal) => {
        concat!(
            "timeout 10 sh -c '",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C; export PATH LC_ALL; ",
            "echo shieldops-begin; ",
            $body,
            " echo shieldops-end'"
        )
    };
}

/// What can be run on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remote {
    /// The names of all tables, and ours.
    Tables,
    /// One batch for nft, on the input.
    Batch,
    /// Tables, addresses, routes, where this connection comes from, name servers, and connections that are up.
    Look,
    /// Evidence: all sockets with the programs that hold them.
    Sockets,
    /// Evidence: all processes.
    Processes,
    /// Evidence: one file, whose path and the most bytes of it are on the input.
    File,
}

impl Remote {
    pub(super) const fn line(self) -> &'static str {
        match self {
            Self::Tables => line!(
                "nft -j list tables || exit 1; for table in shieldops shieldops_isolation shieldops_ranges; \
                 do echo shieldops-part; nft -j list table inet $table 2>/dev/null; done;"
            ),
            Self::Batch => line!("nft -j -f - || { echo shieldops-refused; exit 1; };"),
            Self::Look => line!(
                "nft -j list tables || exit 1; for table in shieldops shieldops_isolation shieldops_ranges; \
                 do echo shieldops-part; nft -j list table inet $table 2>/dev/null; done; \
                 for family in 4 6; do echo shieldops-part; ip -j -$family route || exit 1; done; \
                 echo shieldops-part; ip -j addr || exit 1; echo shieldops-part; echo $SSH_CONNECTION; \
                 echo shieldops-part; ss -Htun || exit 1; echo shieldops-part; cat /etc/resolv.conf 2>/dev/null; echo;"
            ),
            Self::Sockets => line!("ss -Htunap | head -c 1048577;"),
            Self::Processes => line!("ps -ww -eo pid,ppid,uid,stat,lstart,args | head -c 1048577;"),
            // What was opened is asked for its real path: a link anywhere on the way shows, whenever it was put there.
            Self::File => line!(
                "IFS= read -r most; IFS= read -r path; \
                 show() { \
                 if [ \"$(readlink /proc/self/fd/3)\" != \"$path\" ]; then echo link; return 0; fi; \
                 if [ ! -f /proc/self/fd/3 ]; then echo other; return 0; fi; \
                 stat -L -c \"file %s %a %u %g %Y %i\" /proc/self/fd/3; \
                 if [ \"$(stat -L -c %s /proc/self/fd/3)\" -le 268435456 ]; \
                 then sha256sum < /proc/self/fd/3 | head -c 64; fi; echo; \
                 head -c \"$most\" <&3; }; \
                 if [ -L \"$path\" ]; then echo link; \
                 elif [ ! -e \"$path\" ]; then echo missing; \
                 elif [ ! -f \"$path\" ]; then echo other; \
                 else show 3<\"$path\" || echo unreadable; fi;"
            ),
        }
    }

    /// Whether it changes the target: what it began has to be over before anybody looks.
    fn changes(self) -> bool {
        self == Self::Batch
    }
}

/// What a target said, whole.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) body: Vec<u8>,
}

impl Said {
    /// Between the marks; `None` where one of them is missing.
    pub(super) fn read(stdout: &[u8]) -> Option<Self> {
        let begun = stdout.windows(BEGIN.len()).position(|window| window == BEGIN)? + BEGIN.len();
        let body = stdout.get(begun..)?.strip_suffix(END)?;
        Some(Self { body: body.to_vec() })
    }

    /// Exactly so many parts.
    pub(super) fn parts(&self, count: usize) -> Result<Vec<&[u8]>, Fault> {
        let text =
            std::str::from_utf8(&self.body).map_err(|error| Fault::Unavailable(format!("the target: {error}")))?;
        let parts: Vec<&[u8]> = text.split(PART).map(str::as_bytes).collect();
        if parts.len() == count {
            return Ok(parts);
        }
        Err(Fault::Unavailable(format!("the target answered {} parts of {count}", parts.len())))
    }
}

/// How one target is reached.
#[derive(Debug, Clone)]
pub(super) struct Route(Box<Ssh>);

impl Route {
    pub(super) fn of(target: &Target) -> Result<Self, Fault> {
        let Some(ssh) = target.ssh.as_ref() else {
            return Err(Fault::Unavailable(format!("{} has no SSH settings: give it some", target.name)));
        };
        ssh.check().map_err(Fault::Params)?;
        if ssh.private_key.is_empty() {
            return Err(Fault::Unavailable(format!("the private key of {} is not here: give it one", target.name)));
        }
        Ok(Self(ssh.clone()))
    }

    fn argv(&self, key: &File, hosts: &File, remote: Remote) -> Vec<String> {
        let Ssh { address, port, user, .. } = self.0.as_ref();
        let ours = |file: &File| format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        let mut argv: Vec<String> =
            ["setpriv", "--pdeathsig", "KILL", "ssh", "-F", "none", "-T"].map(str::to_owned).to_vec();
        let files = [format!("IdentityFile={}", ours(key)), format!("UserKnownHostsFile={}", ours(hosts))];
        for option in OPTIONS.iter().map(|option| (*option).to_owned()).chain(files) {
            argv.extend(["-o".to_owned(), option]);
        }
        argv.extend(["-p".to_owned(), port.to_string(), "-l".to_owned(), user.clone()]);
        let sudo = if user == "root" { "" } else { AS_ROOT };
        argv.extend(["--".to_owned(), address.clone(), format!("{sudo}{}", remote.line())]);
        argv
    }
}

/// A file in memory that this user alone can read, under `/proc/<pid>/fd`.
fn memory(name: &str, text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

impl Linux {
    /// Runs one of the lines on a host of this machine or over SSH: nothing that is read differs between them.
    pub(super) async fn say(&self, access: &Access, remote: Remote, stdin: &[u8]) -> Result<Said, Fault> {
        match access {
            Access::Ssh(route) => self.remote(route, remote, stdin, None).await,
            Access::Sim(_) => Err(Fault::Refused("a simulated host runs no programs".to_owned())),
            Access::Real { prefix, .. } => {
                let mut argv = prefix.clone();
                argv.extend(["sh", "-c", remote.line()].map(str::to_owned));
                let output = exec::run(&self.spawner, &argv, stdin, None).await?;
                let half = || Fault::Unavailable(format!("the host answered half: {}", output.stderr));
                Said::read(&output.stdout).ok_or_else(half)
            }
        }
    }

    /// Runs one of the lines on the target, over a connection of its own.
    pub(super) async fn remote(
        &self,
        route: &Route,
        remote: Remote,
        stdin: &[u8],
        watch: Option<&dyn Watch>,
    ) -> Result<Said, Fault> {
        let begun = Instant::now();
        let said = self.connect(route, remote, stdin, watch).await;
        if remote.changes() && matches!(said, Err(Fault::Unavailable(_))) {
            // Cut off in the middle: whether it is done is known when it can no longer be at work.
            tokio::time::sleep(WORK.saturating_sub(begun.elapsed())).await;
        }
        said
    }

    async fn connect(
        &self,
        route: &Route,
        remote: Remote,
        stdin: &[u8],
        watch: Option<&dyn Watch>,
    ) -> Result<Said, Fault> {
        let unavailable = |error: io::Error| Fault::Unavailable(format!("a file in memory: {error}"));
        // OpenSSH wants the key's last line ended.
        let key = memory("key", &format!("{}\n", route.0.private_key.expose().trim_end())).map_err(unavailable)?;
        let hosts = memory("known_hosts", &format!("{ALIAS} {}\n", route.0.host_key)).map_err(unavailable)?;
        let argv = route.argv(&key, &hosts, remote);
        let output = exec::run_far(&self.spawner, &argv, stdin, watch).await?;
        drop((key, hosts));
        let place = format!("ssh {}@{}", route.0.user, route.0.address);
        match Said::read(&output.stdout) {
            Some(said) => Ok(said),
            None if output.stdout.ends_with(REFUSED) => Err(Fault::Failed(format!("{place}: {}", output.stderr))),
            None if output.stdout.windows(BEGIN.len()).any(|window| window == BEGIN) => {
                Err(Fault::Unavailable(format!("{place} answered half: {}", output.stderr)))
            }
            None => Err(Fault::Unavailable(format!("{place}: {}", refusal(&output.stderr)))),
        }
    }
}

/// What the client says of a connection that did not come up, where it says it at length.
fn refusal(said: &str) -> &str {
    if said.contains("HOST IDENTIFICATION HAS CHANGED") || said.contains("Host key verification failed") {
        return "the host shows another key than the one it is known by: if that is right, give the target its new one";
    }
    if said.is_empty() { "it ended without a word" } else { said }
}

/// What [`Remote::Look`] tells of a target.
pub(super) fn look(said: &Said) -> Result<Look, Fault> {
    let parts = said.parts(LOOKED)?;
    let [tables @ .., routes, routes6, addresses, way, live, resolv] = parts.as_slice() else {
        return Err(Fault::Unavailable("the target answered too few parts".to_owned()));
    };
    let odd = |error: serde_json::Error| Fault::Unavailable(format!("ip: {error}"));
    let mut gateways = facts::gateways(routes).map_err(odd)?;
    gateways.extend(facts::gateways(routes6).map_err(odd)?);
    let facts = Facts {
        own_addresses: facts::own_addresses(addresses).map_err(odd)?,
        gateways: facts::tidy(gateways),
        dns_servers: facts::dns_servers(&String::from_utf8_lossy(resolv)),
        ..Facts::default()
    };
    let connections = sockets::parse(&String::from_utf8_lossy(live));
    Ok(Look { tables: Tables::listed(tables)?, facts, connections, way: Some(way_of(way)?) })
}

/// Where the target sees this server come from, and by which port.
fn way_of(part: &[u8]) -> Result<Way, Fault> {
    let text = String::from_utf8_lossy(part).into_owned();
    let mut words = text.split_ascii_whitespace();
    let from = words.next().and_then(|word| word.split('%').next()?.parse::<IpAddr>().ok());
    let port = words.nth(2).and_then(|word| word.parse().ok());
    match (from, port) {
        (Some(from), Some(port)) => Ok(Way { from: IpNet::from(from.to_canonical()), port }),
        _ => Err(Fault::Unavailable("the target does not say where this connection comes from".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_was_cut_off_and_a_greeting_is_passed_over() {
        let read = |text: &str| Said::read(text.as_bytes()).map(|said| String::from_utf8(said.body).unwrap());
        assert_eq!(read("Welcome!\nshieldops-begin\nx\nshieldops-end\n").unwrap(), "x\n");
        assert_eq!(read("shieldops-begin\nx\n"), None);
        assert_eq!(read("x\nshieldops-end\n"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn the_lines_are_constant_and_quoted_once() {
        for remote in [Remote::Tables, Remote::Batch, Remote::Look, Remote::Sockets, Remote::Processes, Remote::File] {
            assert_eq!(remote.line().matches('\'').count(), 2, "{remote:?}");
            assert!(remote.line().starts_with("timeout 10 "), "{remote:?}");
        }
    }

    #[test]
    fn every_table_of_ours_is_asked_for_in_the_order_in_which_it_is_read() {
        for remote in [Remote::Tables, Remote::Look] {
            assert!(remote.line().contains(&format!("in {};", TABLES.join(" "))), "{remote:?}");
        }
    }

    #[test]
    fn the_way_is_read_from_the_target() {
        let read = way_of(b"::ffff:192.0.2.7 40000 192.0.2.9 2222\n").unwrap();
        assert_eq!((read.from.to_string().as_str(), read.port), ("192.0.2.7/32", 2222));
        assert!(way_of(b"\n").is_err());
    }
}
