//! Programs that write to syslog and that we read: the source and Sigma service of each.

use super::{accounts, class::Kind, cron, flat::Flat, pam, sshd, sudo};

/// How a program's messages are read.
pub type Reader = for<'a> fn(&'a str, &mut Flat<'a>) -> Option<Kind>;

/// What a syslog tag means.
#[derive(Clone, Copy)]
pub struct Program {
    pub source: &'static str,
    pub service: &'static str,
    pub read: Reader,
}

/// The program of a tag: `/usr/sbin/CRON` is cron. What we do not know is plain syslog, read for PAM only.
pub fn program(tag: &str) -> Program {
    let name = tag.rsplit('/').next().unwrap_or(tag);
    let known = PROGRAMS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    match known {
        Some((_, source, service, read)) => Program { source, service, read: *read },
        None => Program { source: "syslog", service: "syslog", read: |message, flat| pam::read(message, flat) },
    }
}

#[rustfmt::skip]
const PROGRAMS: [(&str, &str, &str, Reader); 36] = [
    ("sshd", "sshd", "sshd", |message, flat| sshd::read(message, flat)),
    ("sshd-session", "sshd", "sshd", |message, flat| sshd::read(message, flat)),
    ("sshd-auth", "sshd", "sshd", |message, flat| sshd::read(message, flat)),
    ("sudo", "sudo", "sudo", |message, flat| sudo::read(message, flat)),
    ("su", "su", "su", |message, flat| sudo::read_su(message, flat)),
    ("su-l", "su", "su", |message, flat| sudo::read_su(message, flat)),
    ("cron", "cron", "cron", |message, flat| cron::read(message, flat)),
    ("crond", "cron", "cron", |message, flat| cron::read(message, flat)),
    ("crontab", "cron", "cron", |message, flat| cron::read(message, flat)),
    ("anacron", "cron", "cron", |message, flat| cron::read(message, flat)),
    ("useradd", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("usermod", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("userdel", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("adduser", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("groupadd", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("groupmod", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("groupdel", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("gpasswd", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("newusers", "auth", "useradd", |message, flat| accounts::read(message, flat)),
    ("passwd", "auth", "passwd", |message, flat| accounts::read(message, flat)),
    ("chpasswd", "auth", "passwd", |message, flat| accounts::read(message, flat)),
    ("chage", "auth", "passwd", |message, flat| accounts::read(message, flat)),
    ("chfn", "auth", "passwd", |message, flat| accounts::read(message, flat)),
    ("chsh", "auth", "passwd", |message, flat| accounts::read(message, flat)),
    ("systemd-logind", "auth", "systemd-logind", |message, flat| accounts::read(message, flat)),
    ("login", "auth", "login", |message, flat| pam::read(message, flat)),
    ("pkexec", "auth", "pam", |message, flat| pam::read(message, flat)),
    ("polkitd", "auth", "pam", |message, flat| pam::read(message, flat)),
    ("gdm-password", "auth", "pam", |message, flat| pam::read(message, flat)),
    ("lightdm", "auth", "pam", |message, flat| pam::read(message, flat)),
    ("vsftpd", "syslog", "vsftpd", |message, flat| pam::read(message, flat)),
    ("guacd", "syslog", "guacamole", |message, flat| pam::read(message, flat)),
    ("clamd", "syslog", "clamav", |message, flat| pam::read(message, flat)),
    ("freshclam", "syslog", "clamav", |message, flat| pam::read(message, flat)),
    ("clamav-daemon", "syslog", "clamav", |message, flat| pam::read(message, flat)),
    ("modsecurity", "syslog", "modsecurity", |message, flat| pam::read(message, flat)),
];
