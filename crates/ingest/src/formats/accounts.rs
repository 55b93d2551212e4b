//! Tools that change accounts (useradd, usermod, groupadd, passwd, chpasswd, gpasswd, chage) and systemd-logind.

use super::{
    class::{Class, Kind},
    flat::{Field, Flat},
    pam,
};

/// Adds the fields of a message and says what it is.
pub fn read<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    pam::read(message, flat)
        .or_else(|| new_account(message, flat))
        .or_else(|| membership(message, flat))
        .or_else(|| changed(message, flat))
        .or_else(|| logind(message, flat))
}

/// `new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=/dev/pts/0`.
fn new_account<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    let (what, pairs) = message.split_once(": ")?;
    let user = match what {
        "new user" => true,
        "new group" => false,
        _ if what.starts_with("group added to ") => false,
        _ => return None,
    };
    for (name, value) in pairs.split(", ").filter_map(|pair| pair.split_once('=')) {
        match name {
            "name" => flat.put_text(if user { "user" } else { "group" }, value),
            "UID" => flat.put("uid", Field::scalar(value)),
            "GID" => flat.put("gid", Field::scalar(value)),
            "home" => flat.put_text("home", value),
            "shell" => flat.put_text("shell", value),
            _ => {}
        }
    }
    Some(if user { (Class::AccountChange, "Create") } else { (Class::GroupManagement, "Create") })
}

/// `add 'bob' to group 'sudo'`, `user bob added by root to group sudo`.
fn membership<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if let Some((user, group)) = message.strip_prefix("add '").and_then(|rest| rest.split_once("' to ")) {
        flat.put_text("user", user);
        flat.put_text("group", quoted(group)?);
        return Some((Class::GroupManagement, "Add user"));
    }
    if let Some((user, group)) = message.strip_prefix("delete '").and_then(|rest| rest.split_once("' from ")) {
        flat.put_text("user", user);
        flat.put_text("group", quoted(group)?);
        return Some((Class::GroupManagement, "Remove user"));
    }
    let (user, rest) = message.strip_prefix("user ")?.split_once(" added by ")?;
    let (by, group) = rest.split_once(" to group ")?;
    flat.put_text("user", user);
    flat.put_text("by_user", by);
    flat.put_text("group", group);
    Some((Class::GroupManagement, "Add user"))
}

/// Changes, locks and deletions of one account.
fn changed<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    const STARTS: [(&str, &str); 8] = [
        ("delete user '", "Delete"),
        ("failed adding user '", "Create"),
        ("lock user '", "Disable"),
        ("unlock user '", "Enable"),
        ("change user '", "Update"),
        ("password for '", "Password change"),
        ("changed password expiry for ", "Update"),
        ("password changed for ", "Password change"),
    ];
    let (start, rest, activity) =
        STARTS.into_iter().find_map(|(start, activity)| Some((start, message.strip_prefix(start)?, activity)))?;
    let user = if start.ends_with('\'') { rest.split_once('\'')?.0 } else { rest.split(' ').next()? };
    flat.put_text("user", user);
    if let Some((_, by)) = rest.split_once("changed by '") {
        flat.put_text("by_user", by.trim_end_matches('\''));
    }
    if start.starts_with("failed") {
        flat.put_text("outcome", "failure");
    }
    if rest.contains(" from '") {
        put_change(rest, flat);
    }
    Some((Class::AccountChange, activity))
}

/// `x' shell from '/bin/sh' to '/bin/bash'`: the new value under the name of what changed.
fn put_change<'a>(rest: &'a str, flat: &mut Flat<'a>) {
    let to = rest.rsplit_once("' to '").map(|(_, to)| to.trim_end_matches('\''));
    let Some(to) = to else { return };
    if rest.contains(" shell from ") {
        flat.put_text("shell", to);
    } else if rest.contains(" UID from ") {
        flat.put("uid", Field::scalar(to));
    } else if rest.contains(" home from ") {
        flat.put_text("home", to);
    }
}

/// `New session 5 of user bob.`, `Removed session 5.`
fn logind<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if let Some((session, user)) = message.strip_prefix("New session ").and_then(|rest| rest.split_once(" of user ")) {
        flat.put_text("user", user.trim_end_matches('.'));
        flat.put("session", Field::scalar(session.trim_matches('\'')));
        return Some((Class::AuthorizeSession, "Session opened"));
    }
    let rest = message.strip_prefix("Removed session ").or_else(|| message.strip_prefix("Session "))?;
    flat.put("session", Field::scalar(rest.split([' ', '.']).next()?));
    Some((Class::AuthorizeSession, "Session closed"))
}

/// The text between the first two single quotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('\'').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_gives_its_fields() {
        let cases = [
            (
                "new user: name=svc, UID=0, GID=0, home=/home/svc, shell=/bin/bash, from=/dev/pts/0",
                r#"Create {"user":"svc","uid":0,"gid":0,"home":"/home/svc","shell":"/bin/bash"}"#,
            ),
            ("new group: name=svc, GID=1002", r#"Create {"group":"svc","gid":1002}"#),
            ("group added to /etc/group: name=svc, GID=1002", r#"Create {"group":"svc","gid":1002}"#),
            ("add 'bob' to group 'sudo'", r#"Add user {"user":"bob","group":"sudo"}"#),
            ("add 'bob' to shadow group 'sudo'", r#"Add user {"user":"bob","group":"sudo"}"#),
            ("user bob added by root to group sudo", r#"Add user {"user":"bob","by_user":"root","group":"sudo"}"#),
            ("delete user 'bob'", r#"Delete {"user":"bob"}"#),
            ("change user 'bob' shell from '/bin/sh' to '/bin/bash'", r#"Update {"user":"bob","shell":"/bin/bash"}"#),
            ("change user 'bob' UID from '1001' to '0'", r#"Update {"user":"bob","uid":0}"#),
            ("password for 'bob' changed by 'root'", r#"Password change {"user":"bob","by_user":"root"}"#),
            ("pam_unix(chpasswd:chauthtok): password changed for bob", r#"Password change {"user":"bob"}"#),
            ("New session 5 of user bob.", r#"Session opened {"user":"bob","session":5}"#),
            ("Removed session c2.", r#"Session closed {"session":"c2"}"#),
            ("Session 5 logged out. Waiting for processes to exit.", r#"Session closed {"session":5}"#),
        ];
        for (message, wanted) in cases {
            let mut flat = Flat::new();
            let kind = read(message, &mut flat);
            assert_eq!(
                format!("{} {}", kind.map_or("-", |(_, activity)| activity), flat.render()),
                wanted,
                "{message}"
            );
        }
    }
}
