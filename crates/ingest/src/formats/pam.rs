//! PAM modules, whatever program they speak for: `pam_unix(sshd:auth): authentication failure; ... rhost=... user=...`.

use std::net::IpAddr;

use super::{
    class::{Class, Kind, PREAUTH},
    flat::Flat,
};

/// Adds the fields of a PAM message; none where it is not one.
pub fn read<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if let Some(rest) = more_failures(message) {
        return Some(failure(rest, flat));
    }
    let (module, rest) = message.strip_prefix("pam_")?.split_once('(')?;
    if module.len() > 32 || module.contains(' ') {
        return None;
    }
    let (service, text) = rest.split_once("):")?;
    let (_, stage) = service.rsplit_once(':').unwrap_or((service, ""));
    Some(stage_fields(stage, text.trim_start(), flat))
}

/// A module's word on a logon of a program that says the outcome itself.
pub fn decided_elsewhere((class, activity): Kind) -> Kind {
    (class, if class == Class::Authentication { PREAUTH } else { activity })
}

/// `PAM 2 more authentication failures; logname= ...`.
fn more_failures(message: &str) -> Option<&str> {
    let (count, rest) = message.strip_prefix("PAM ")?.split_once(" more authentication failure")?;
    count.parse::<u32>().ok()?;
    rest.split_once(';').map(|(_, pairs)| pairs)
}

fn stage_fields<'a>(stage: &str, text: &'a str, flat: &mut Flat<'a>) -> Kind {
    if let Some((_, pairs)) = text.split_once("authentication failure;") {
        return failure(pairs, flat);
    }
    if let Some(rest) = text.strip_prefix("session opened for user ") {
        let (user, by) = rest.rsplit_once(" by ").unwrap_or((rest, ""));
        put(flat, "user", plain(user));
        put(flat, "by_user", plain(by));
        return (Class::AuthorizeSession, "Session opened");
    }
    if let Some(user) = text.strip_prefix("session closed for user ") {
        put(flat, "user", plain(user));
        return (Class::AuthorizeSession, "Session closed");
    }
    if let Some(user) = text.strip_prefix("password changed for ") {
        put(flat, "user", user);
        return (Class::AccountChange, "Password change");
    }
    if let Some(user) = text.strip_prefix("check pass; user unknown").or_else(|| text.strip_prefix("bad username [")) {
        put(flat, "user", user.trim_end_matches(']'));
        flat.put_text("outcome", "failure");
        return (Class::Authentication, "Logon");
    }
    match stage {
        "auth" => (Class::Authentication, "Logon"),
        "session" => (Class::AuthorizeSession, "Session"),
        _ => (Class::Base, "Other"),
    }
}

/// `logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=root`. The user comes last and may hold blanks.
fn failure<'a>(pairs: &'a str, flat: &mut Flat<'a>) -> Kind {
    let (pairs, user) = pairs.split_once(" user=").unwrap_or((pairs, ""));
    put(flat, "user", user.trim_end());
    for (name, value) in pairs.split(' ').filter_map(|pair| pair.split_once('=')) {
        match (name, value.parse::<IpAddr>()) {
            ("rhost", Ok(address)) => flat.put_text("src_ip", address.to_canonical().to_string()),
            ("rhost", Err(_)) => put(flat, "src_host", value),
            ("ruser", _) => put(flat, "by_user", value),
            _ => {}
        }
    }
    flat.put_text("outcome", "failure");
    (Class::Authentication, "Logon")
}

fn put<'a>(flat: &mut Flat<'a>, name: &'static str, value: &'a str) {
    if !value.is_empty() {
        flat.put_text(name, value);
    }
}

/// `bob(uid=1000)` is bob; `(uid=0)` names nobody.
fn plain(user: &str) -> &str {
    user.rsplit_once("(uid=").map_or(user, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str) -> String {
        let mut flat = Flat::new();
        let kind = read(message, &mut flat);
        format!("{} {}", kind.map_or("-", |(_, activity)| activity), flat.render())
    }

    #[test]
    fn each_message_gives_its_fields() {
        let cases = [
            (
                "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=root",
                r#"Logon {"user":"root","src_ip":"203.0.113.9","outcome":"failure"}"#,
            ),
            (
                "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=evil.example  user=bob",
                r#"Logon {"user":"bob","src_host":"evil.example","outcome":"failure"}"#,
            ),
            (
                "pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)",
                r#"Session opened {"user":"root","by_user":"bob"}"#,
            ),
            (
                "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
                r#"Session opened {"user":"root"}"#,
            ),
            ("pam_unix(su-l:session): session closed for user root", r#"Session closed {"user":"root"}"#),
            ("pam_unix(passwd:chauthtok): password changed for bob", r#"Password change {"user":"bob"}"#),
            ("pam_unix(sshd:auth): check pass; user unknown", r#"Logon {"outcome":"failure"}"#),
            ("not pam", "- {}"),
        ];
        for (message, wanted) in cases {
            assert_eq!(check(message), wanted, "{message}");
        }
    }
}
