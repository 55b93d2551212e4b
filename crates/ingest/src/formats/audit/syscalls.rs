//! Names of the system calls that audit rules watch, for logs that give numbers only.

use crate::formats::flat::Flat;

/// The name of a call on x86-64 (`c000003e`) or AArch64 (`c00000b7`).
pub(super) fn name(arch: &str, number: &str) -> Option<&'static str> {
    let number: u16 = number.parse().ok()?;
    let table: &[(u16, &str)] = match arch {
        "c000003e" | "x86_64" => &X86_64,
        "c00000b7" | "aarch64" => &AARCH64,
        _ => return None,
    };
    table.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

const X86_64: [(u16, &str); 58] = [
    (0, "read"),
    (1, "write"),
    (2, "open"),
    (3, "close"),
    (9, "mmap"),
    (10, "mprotect"),
    (16, "ioctl"),
    (41, "socket"),
    (42, "connect"),
    (43, "accept"),
    (44, "sendto"),
    (49, "bind"),
    (50, "listen"),
    (56, "clone"),
    (57, "fork"),
    (58, "vfork"),
    (59, "execve"),
    (62, "kill"),
    (63, "uname"),
    (76, "truncate"),
    (77, "ftruncate"),
    (80, "chdir"),
    (82, "rename"),
    (83, "mkdir"),
    (84, "rmdir"),
    (85, "creat"),
    (86, "link"),
    (87, "unlink"),
    (88, "symlink"),
    (90, "chmod"),
    (91, "fchmod"),
    (92, "chown"),
    (93, "fchown"),
    (94, "lchown"),
    (99, "sysinfo"),
    (101, "ptrace"),
    (103, "syslog"),
    (105, "setuid"),
    (133, "mknod"),
    (135, "personality"),
    (159, "adjtimex"),
    (161, "chroot"),
    (165, "mount"),
    (166, "umount2"),
    (169, "reboot"),
    (170, "sethostname"),
    (175, "init_module"),
    (176, "delete_module"),
    (188, "setxattr"),
    (257, "openat"),
    (263, "unlinkat"),
    (264, "renameat"),
    (265, "linkat"),
    (268, "fchmodat"),
    (310, "process_vm_readv"),
    (313, "finit_module"),
    (319, "memfd_create"),
    (322, "execveat"),
];

const AARCH64: [(u16, &str); 29] = [
    (33, "mknodat"),
    (34, "mkdirat"),
    (35, "unlinkat"),
    (37, "linkat"),
    (38, "renameat"),
    (39, "umount2"),
    (40, "mount"),
    (49, "chdir"),
    (51, "chroot"),
    (52, "fchmod"),
    (53, "fchmodat"),
    (54, "fchownat"),
    (56, "openat"),
    (57, "close"),
    (63, "read"),
    (64, "write"),
    (92, "personality"),
    (105, "init_module"),
    (106, "delete_module"),
    (116, "syslog"),
    (117, "ptrace"),
    (129, "kill"),
    (160, "uname"),
    (179, "sysinfo"),
    (198, "socket"),
    (203, "connect"),
    (221, "execve"),
    (279, "memfd_create"),
    (281, "execveat"),
];

/// Whether an `open`, `openat` or `creat` asked to write (`O_WRONLY`, `O_RDWR`, `O_CREAT` or `O_TRUNC`).
pub(super) fn opens_for_writing(flat: &Flat<'_>) -> bool {
    let flags = match flat.text("SYSCALL").as_deref() {
        Some("creat") => return true,
        Some("open") => flat.text("a1"),
        Some("openat") => flat.text("a2"),
        _ => None,
    };
    flags.and_then(|flags| u64::from_str_radix(&flags, 16).ok()).is_some_and(|flags| flags & 0o1103 != 0)
}
