//! Files that are never moved: without them a host does not start, nobody logs in, or nothing brings anything back.

use shieldops_model::Reason;

use crate::linux::ground::{self, Ground, Outcome};

const FILES: [&str; 14] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/nsswitch.conf",
    "/etc/fstab",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/ssh/sshd_config",
    "/etc/crontab",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/machine-id",
];
/// How paths begin that are as necessary.
const BEGINNINGS: [&str; 8] =
    ["/boot/", "/dev/", "/etc/pam.d/", "/etc/ssh/ssh_host_", "/etc/sudoers.d/", "/proc/", "/sys/", "/usr/lib/systemd/"];

/// Programs that an undo, an expiry or a rescue starts with, and those by which a person gets in to help.
const PROGRAMS: [&str; 18] = [
    "bash",
    "busybox",
    "dash",
    "getent",
    "ip",
    "login",
    "mount",
    "nft",
    "nsenter",
    "setpriv",
    "sh",
    "sshd",
    "sshd-auth",
    "sshd-session",
    "su",
    "sudo",
    "systemctl",
    "timeout",
];
const PROGRAM_FOLDERS: [&str; 9] = [
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/lib/openssh",
    "/usr/libexec",
    "/usr/libexec/openssh",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];
/// Whose libraries are needed as well.
const LINKED: [&str; 5] = ["nft", "setpriv", "sh", "sshd", "sudo"];
const LIBRARY_FOLDERS: [&str; 2] = ["/lib", "/usr/lib"];
/// The loader and the C library: what nearly every program begins with.
const FIRST: [&str; 5] = ["ld-linux", "ld-musl", "ld-2.", "libc-2.", "libc.so"];

/// Why this path is never moved.
pub(super) fn why(on: &dyn Ground, path: &str) -> Outcome<Option<String>> {
    if FILES.contains(&path) || BEGINNINGS.iter().any(|begins| path.starts_with(begins)) {
        return Ok(Some("is needed for the host to start or for anybody to log in".to_owned()));
    }
    let (folder, name) = ground::split(path);
    if PROGRAM_FOLDERS.contains(&folder) && PROGRAMS.contains(&name) {
        return Ok(Some("is needed to bring anything back, or for anybody to log in".to_owned()));
    }
    let of_system = LIBRARY_FOLDERS.iter().any(|lib| folder.starts_with(lib));
    if !of_system || !name.contains(".so") {
        return Ok(None);
    }
    if FIRST.iter().any(|first| name.starts_with(first)) {
        return Ok(Some("is what every program begins with".to_owned()));
    }
    for program in LINKED {
        if linked(on, program)?.iter().any(|library| is(name, library)) {
            return Ok(Some(format!("is a library of {program}, which brings things back or lets people in")));
        }
    }
    Ok(None)
}

/// `libcap-ng.so.0.0.0` is what `libcap-ng.so.0` leads to.
fn is(name: &str, library: &str) -> bool {
    name.strip_prefix(library).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The names of a program's libraries, as the loader finds them.
fn linked(on: &dyn Ground, program: &str) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
        let path = ground::join(folder, program);
        let Some(said) = on.ask(&["ldd", &path])? else { continue };
        let words = said.lines().filter_map(|line| line.split_ascii_whitespace().next());
        found.extend(words.map(|word| ground::split(word).1.to_owned()));
        break;
    }
    Ok(found)
}

/// Whether a process holds the host or us: the first one, ours, the listener of ssh.
pub(super) fn holds_all(reasons: &[Reason]) -> bool {
    reasons.iter().any(|reason| matches!(reason.code.as_str(), "first_process" | "own_process" | "ssh_listener"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_meant_by_every_length_of_its_version() {
        assert!(is("libcap-ng.so.0.0.0", "libcap-ng.so.0") && is("libm.so.6", "libm.so.6"));
        assert!(!is("libcap-ng.so.01", "libcap-ng.so.0") && !is("libcap.so.2", "libcap-ng.so.0"));
    }
}
