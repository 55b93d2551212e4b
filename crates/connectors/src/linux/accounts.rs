//! The accounts of a host, as its files tell them: who is who, and who may become root. Pure but for the reading.

use super::ground::{Ground, MAX_TEXT, Outcome, Trouble, Who};

/// Groups whose members may become root.
const ADMIN_GROUPS: [&str; 3] = ["admin", "sudo", "wheel"];
/// The longest name of a user.
const MAX_USER: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
}

/// A name that a user may have, and that is no option, path or pattern.
pub(super) fn check_user(name: &str) -> Result<(), String> {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '$');
    let first = name.chars().next().is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if first && name.len() <= MAX_USER && name.chars().all(letters) && !name.contains("..") {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(format!("user: `{}` is no user name: up to {MAX_USER} letters, digits, `-`, `_`, `.`", shown.escape_debug()))
}

pub(super) fn user<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = <String as serde::Deserialize>::deserialize(deserializer)?;
    check_user(&name).map_err(serde::de::Error::custom)?;
    Ok(name)
}

pub(super) fn accounts(passwd: &str) -> Vec<Account> {
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        Some(Account {
            name: (*fields.first()?).to_owned(),
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: (*fields.get(5)?).to_owned(),
        })
    };
    passwd.lines().filter_map(account).collect()
}

pub(super) fn text(on: &dyn Ground, path: &str) -> Outcome<String> {
    let read = on.read(path, Who::Root, MAX_TEXT)?;
    Ok(read.map(|text| String::from_utf8_lossy(&text.bytes).into_owned()).unwrap_or_default())
}

pub(super) fn find(on: &dyn Ground, name: &str) -> Outcome<Account> {
    let all = accounts(&text(on, "/etc/passwd")?);
    all.into_iter().find(|account| account.name == name).ok_or_else(|| {
        Trouble::Refused(format!("{name} is not in /etc/passwd: users of a directory are dealt with where they live"))
    })
}

/// The user of this number, or the number.
pub(super) fn name_of(on: &dyn Ground, uid: u32) -> Outcome<String> {
    let all = accounts(&text(on, "/etc/passwd")?);
    Ok(all.into_iter().find(|account| account.uid == uid).map_or_else(|| uid.to_string(), |account| account.name))
}

/// Users who may become root: by group, by primary group, or by name in a sudoers file.
pub(super) fn administrators(on: &dyn Ground) -> Outcome<Vec<String>> {
    let groups = text(on, "/etc/group")?;
    let mut sudoers = text(on, "/etc/sudoers").unwrap_or_default();
    for name in on.list("/etc/sudoers.d", Who::Root).ok().flatten().unwrap_or_default() {
        if !name.contains('.') && !name.ends_with('~') {
            sudoers.push('\n');
            sudoers.push_str(&text(on, &format!("/etc/sudoers.d/{name}")).unwrap_or_default());
        }
    }
    Ok(of(&accounts(&text(on, "/etc/passwd")?), &groups, &sudoers))
}

fn of(accounts: &[Account], groups: &str, sudoers: &str) -> Vec<String> {
    let first_words: Vec<&str> = sudoers
        .lines()
        .filter(|line| line.contains('='))
        .filter_map(|line| line.split_ascii_whitespace().next())
        .filter(|word| !word.starts_with('#') && !word.starts_with("Defaults") && !word.ends_with("_Alias"))
        .collect();
    let grants = |group: &str| ADMIN_GROUPS.contains(&group) || first_words.contains(&format!("%{group}").as_str());
    let mut names: Vec<String> = first_words
        .iter()
        .filter(|word| accounts.iter().any(|account| account.name == **word))
        .map(|word| (*word).to_owned())
        .collect();
    for line in groups.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let (Some(name), Some(gid), Some(members)) = (fields.first(), fields.get(2), fields.get(3)) else { continue };
        if !grants(name) {
            continue;
        }
        names.extend(members.split(',').filter(|member| !member.is_empty()).map(str::to_owned));
        let primary = accounts.iter().filter(|account| account.gid.to_string() == **gid);
        names.extend(primary.map(|account| account.name.clone()));
    }
    names.retain(|name| name != "root");
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_may_become_root_is_read_from_groups_and_sudoers() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\ncarol:x:1002:27::/home/carol:/bin/sh\ndave:x:1003:1003::/:/bin/sh\n";
        let groups = "root:x:0:\nsudo:x:27:bob\nops:x:50:dave,erin\nother:x:51:frank\n";
        let sudoers =
            "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%ops ALL=(ALL) ALL\n# bob ALL=ALL\nUser_Alias X = frank\n";
        assert_eq!(of(&accounts(passwd), groups, sudoers), ["bob", "carol", "dave", "erin"]);
        assert_eq!(of(&accounts(passwd), "", "dave ALL=(ALL) NOPASSWD: ALL"), ["dave"]);
    }

    #[test]
    fn a_name_that_is_shell_or_a_path_is_refused() {
        for good in ["alice", "_apt", "svc-1.x", "host$"] {
            check_user(good).unwrap();
        }
        for bad in ["", "-rf", "$(id)", "a b", "../x", "a/b", "a..b", "ünal", "a\nb", "a:b", "a;b", &"a".repeat(33)] {
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_file_breaks_the_reading(passwd in ".{0,200}", groups in ".{0,200}", sudoers in ".{0,200}") {
            of(&accounts(&passwd), &groups, &sudoers);
        }
    }
}
