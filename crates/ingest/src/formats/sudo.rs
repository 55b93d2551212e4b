//! sudo and su: who became whom, to run what.

use super::{
    class::{Class, Kind},
    flat::Flat,
    pam,
};

/// `bob : [reason ;] TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id`. The command comes last and may hold ` ; `.
pub fn read<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    let message = message.trim_start();
    if let Some(kind) = pam::read(message, flat) {
        return Some(pam::decided_elsewhere(kind));
    }
    let (user, rest) = message.split_once(" : ")?;
    let (rest, command) = match rest.split_once("COMMAND=") {
        Some((rest, command)) => (rest, Some(command)),
        None => (rest, None),
    };
    let mut reason = None;
    flat.put_text("user", user);
    for part in rest.split(" ; ").map(str::trim).filter(|part| !part.is_empty()) {
        match part.trim_end_matches(" ;").split_once('=') {
            Some(("TTY", value)) => flat.put_text("tty", value),
            Some(("PWD", value)) => flat.put_text("pwd", value),
            Some(("USER", value)) => flat.put_text("target_user", value),
            Some(("GROUP", value)) => flat.put_text("group", value),
            Some(_) => {}
            None => reason = Some(part.trim_end_matches(" ;")),
        }
    }
    if let Some(command) = command {
        flat.put_text("command", command);
    }
    if let Some(reason) = reason {
        flat.put_text("reason", reason);
    }
    flat.put_text("outcome", if reason.is_some() { "failure" } else { "success" });
    let wrong_password = reason.is_some_and(|reason| reason.contains("incorrect password"));
    Some(if wrong_password { (Class::Authentication, "Logon") } else { (Class::Process, "Launch") })
}

/// `(to root) bob on pts/0`, `FAILED SU (to root) bob on pts/0` and the older ways to say it.
pub fn read_su<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if let Some(kind) = pam::read(message, flat) {
        return Some(pam::decided_elsewhere(kind));
    }
    let failed = message.starts_with("FAILED");
    let (target, user) = to_by(message).or_else(|| for_by(message)).or_else(|| plus_minus(message))?;
    let (user, tty) = user.split_once(" on ").unwrap_or((user, ""));
    flat.put_text("user", user.trim());
    flat.put_text("target_user", target.trim());
    if !tty.is_empty() {
        flat.put_text("tty", tty);
    }
    flat.put_text("outcome", if failed || message.starts_with('-') { "failure" } else { "success" });
    Some((Class::Authentication, "Logon"))
}

fn to_by(message: &str) -> Option<(&str, &str)> {
    message.trim_start_matches("FAILED SU ").strip_prefix("(to ")?.split_once(") ")
}

fn for_by(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("Successful su for ").or_else(|| message.strip_prefix("FAILED su for "))?;
    rest.split_once(" by ")
}

/// `+ /dev/pts/0 bob:root`.
fn plus_minus(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("+ ").or_else(|| message.strip_prefix("- "))?;
    let (user, target) = rest.split_once(' ')?.1.split_once(':')?;
    Some((target, user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read: impl Fn(&'static str, &mut Flat<'static>) -> Option<Kind>, cases: &[(&'static str, &str)]) {
        for (message, wanted) in cases {
            let mut flat = Flat::new();
            let kind = read(message, &mut flat);
            assert_eq!(
                format!("{} {}", kind.map_or("-", |(class, _)| class.name()), flat.render()),
                *wanted,
                "{message}"
            );
        }
    }

    #[test]
    fn sudo_says_who_ran_what_as_whom() {
        check(
            |message, flat| read(message, flat),
            &[
                (
                    "  bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/sh -c id ; whoami",
                    r#"Process Activity {"user":"bob","tty":"pts/0","pwd":"/home/bob","target_user":"root","command":"/bin/sh -c id ; whoami","outcome":"success"}"#,
                ),
                (
                    "bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
                    r#"Authentication {"user":"bob","tty":"pts/0","pwd":"/","target_user":"root","command":"/usr/bin/id","reason":"3 incorrect password attempts","outcome":"failure"}"#,
                ),
                (
                    "eve : user NOT in sudoers ; TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash",
                    r#"Process Activity {"user":"eve","tty":"pts/1","pwd":"/tmp","target_user":"root","command":"/bin/bash","reason":"user NOT in sudoers","outcome":"failure"}"#,
                ),
                ("pam_unix(sudo:session): session closed for user root", r#"Authorize Session {"user":"root"}"#),
                ("nothing of ours", "- {}"),
            ],
        );
    }

    #[test]
    fn su_says_who_became_whom() {
        check(
            |message, flat| read_su(message, flat),
            &[
                (
                    "(to root) bob on pts/0",
                    r#"Authentication {"user":"bob","target_user":"root","tty":"pts/0","outcome":"success"}"#,
                ),
                (
                    "FAILED SU (to root) bob on pts/0",
                    r#"Authentication {"user":"bob","target_user":"root","tty":"pts/0","outcome":"failure"}"#,
                ),
                (
                    "Successful su for root by bob",
                    r#"Authentication {"user":"bob","target_user":"root","outcome":"success"}"#,
                ),
                ("- /dev/pts/0 bob:root", r#"Authentication {"user":"bob","target_user":"root","outcome":"failure"}"#),
            ],
        );
    }
}
