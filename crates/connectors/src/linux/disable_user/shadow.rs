//! One line of /etc/shadow: what locks a user and when it expires, and nothing of its secret. Pure.

use serde::{Deserialize, Serialize};

use crate::linux::ground;

/// The first day: an account that expires then has expired.
pub(super) const LONG_AGO: &str = "1";
const FIELDS: usize = 9;
const PASSWORD: usize = 1;
const EXPIRES: usize = 7;
/// Bytes of the shortest hash of a password.
const MIN_HASH: usize = 13;

/// What of a line is ours to change, and how the rest is recognised. No hash of a password is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// How many `!` stand before the password.
    pub locks: u32,
    /// The day field as it is written; empty: never.
    pub expires_day: String,
    /// SHA-256 of the line without both.
    pub rest_sha256: String,
}

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

impl Entry {
    /// Whether the account's last day is over: from its expiry day on nobody is let in by it.
    pub(super) fn expired(&self, now_ns: i64) -> bool {
        self.expires_day.parse::<i64>().is_ok_and(|day| day >= 0 && now_ns.div_euclid(DAY_NS) >= day)
    }
}

/// The place of a user's line, when there is exactly one.
fn place(lines: &[&[u8]], user: &str) -> Result<Option<usize>, String> {
    let is = |line: &&[u8]| line.split(|byte| *byte == b':').next() == Some(user.as_bytes());
    let mut places = lines.iter().enumerate().filter(|(_, line)| is(line)).map(|(place, _)| place);
    match (places.next(), places.next()) {
        (first, None) => Ok(first),
        _ => Err(format!("{user} has more than one line in /etc/shadow")),
    }
}

fn fields(line: &[u8]) -> Result<Vec<&[u8]>, String> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    if fields.len() == FIELDS { Ok(fields) } else { Err(format!("a line of /etc/shadow has {} fields", fields.len())) }
}

fn entry_of(line: &[u8]) -> Result<Entry, String> {
    let mut fields = fields(line)?;
    let password = fields.get(PASSWORD).copied().unwrap_or_default();
    let locks = password.iter().take_while(|byte| **byte == b'!').count();
    let day = String::from_utf8_lossy(fields.get(EXPIRES).copied().unwrap_or_default()).into_owned();
    let digits = day.strip_prefix('-').unwrap_or(&day);
    if day.len() > 10 || !digits.bytes().all(|byte| byte.is_ascii_digit()) || day == "-" {
        return Err("the expiry day in /etc/shadow is no number".to_owned());
    }
    if let Some(field) = fields.get_mut(PASSWORD) {
        *field = password.get(locks..).unwrap_or_default();
    }
    if let Some(field) = fields.get_mut(EXPIRES) {
        *field = b"";
    }
    let locks = u32::try_from(locks).map_err(|error| error.to_string())?;
    Ok(Entry { locks, expires_day: day, rest_sha256: ground::sha256(&fields.join(&b':')) })
}

/// The entry of a user; `None` where there is no line.
pub(super) fn read(text: &[u8], user: &str) -> Result<Option<Entry>, String> {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    place(&lines, user)?.and_then(|place| lines.get(place)).map(|line| entry_of(line)).transpose()
}

/// Whether a user's line has the hash of a password, and no lock before it. What is no hash (`*`, `!`) opens nothing.
pub(super) fn has_password(text: &[u8], user: &str) -> bool {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let line = place(&lines, user).ok().flatten().and_then(|place| lines.get(place).copied()).unwrap_or_default();
    let password = line.split(|byte| *byte == b':').nth(PASSWORD).unwrap_or_default();
    password.len() >= MIN_HASH && !password.iter().any(|byte| matches!(byte, b'!' | b'*'))
}

/// The whole file with the user's line so locked and expiring, and nothing else changed.
pub(super) fn write(text: &[u8], user: &str, locks: u32, expires_day: &str) -> Result<Vec<u8>, String> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let place = place(&lines, user)?.ok_or_else(|| format!("{user} has no line in /etc/shadow"))?;
    let mut line = Vec::new();
    for (index, field) in fields(lines.get(place).copied().unwrap_or_default())?.into_iter().enumerate() {
        if index > 0 {
            line.push(b':');
        }
        match index {
            PASSWORD => {
                line.extend(std::iter::repeat_n(b'!', usize::try_from(locks).unwrap_or_default()));
                let bare = field.iter().take_while(|byte| **byte == b'!').count();
                line.extend(field.get(bare..).unwrap_or_default());
            }
            EXPIRES => line.extend(expires_day.as_bytes()),
            _ => line.extend(field),
        }
    }
    if let Some(slot) = lines.get_mut(place) {
        *slot = &line;
    }
    Ok(lines.join(&b'\n'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &[u8] =
        b"root:*:19700:0:99999:7:::\nalice:$y$j9T$abc$def:19700:0:99999:7:::\nbob:!:19700:0:99999:7::20000:\n";

    #[test]
    fn a_line_is_locked_and_expired_and_comes_back_byte_for_byte() {
        let before = read(FILE, "alice").unwrap().unwrap();
        assert_eq!((before.locks, before.expires_day.as_str()), (0, ""));
        let off = write(FILE, "alice", 1, LONG_AGO).unwrap();
        assert!(String::from_utf8_lossy(&off).contains("alice:!$y$j9T$abc$def:19700:0:99999:7::1:\n"));
        let after = read(&off, "alice").unwrap().unwrap();
        assert_eq!(after.rest_sha256, before.rest_sha256);
        assert_eq!(write(&off, "alice", before.locks, &before.expires_day).unwrap(), FILE);
    }

    #[test]
    fn an_account_is_over_from_its_day_on() {
        let over = |day: &str, today: i64| {
            let entry = Entry { locks: 0, expires_day: day.to_owned(), rest_sha256: String::new() };
            entry.expired(today * DAY_NS + 1)
        };
        assert!(over("20000", 20_000) && over("20000", 20_001) && over(LONG_AGO, 20_000) && over("0", 20_000));
        assert!(!over("20000", 19_999) && !over("", 20_000) && !over("-1", 20_000));
    }

    #[test]
    fn a_lock_without_a_password_is_undone_too() {
        // `usermod -U` leaves such a line as it is and reports success.
        let before = read(FILE, "bob").unwrap().unwrap();
        assert_eq!((before.locks, before.expires_day.as_str()), (1, "20000"));
        let off = write(FILE, "bob", 1, LONG_AGO).unwrap();
        assert_eq!(write(&off, "bob", 1, "20000").unwrap(), FILE);
    }

    #[test]
    fn a_locked_or_missing_password_is_none() {
        assert!(has_password(FILE, "alice"));
        assert!(["root", "bob", "carol"].iter().all(|user| !has_password(FILE, user)));
        assert!(!has_password(&write(FILE, "alice", 1, "").unwrap(), "alice"));
    }

    #[test]
    fn no_hash_of_a_password_is_in_what_is_kept() {
        let kept = serde_json::to_string(&read(FILE, "alice").unwrap()).unwrap();
        assert!(!kept.contains("abc") && !kept.contains("$y$"), "{kept}");
    }

    #[test]
    fn a_file_that_is_not_understood_is_refused() {
        assert_eq!(read(FILE, "carol").unwrap(), None);
        assert!(read(b"a:x:1\n", "a").is_err());
        assert!(read(b"a:x:1:::::never:\n", "a").is_err());
        assert!(read(b"a:x:1::::::\na:y:1::::::\n", "a").unwrap_err().contains("more than one"));
    }

    fn field() -> impl Strategy<Value = String> {
        "[!-9;-~]{0,12}"
    }

    proptest! {
        #[test]
        fn every_line_comes_back(users in prop::collection::vec((field(), 0_u32..4, "(|-1|[0-9]{1,6})"), 1..5), which in 0_usize..5, end in "(|\n)") {
            let line = |(n, (password, locks, day)): (usize, &(String, u32, String))| {
                let bare = password.trim_start_matches('!');
                format!("u{n}:{}{bare}:1:2:3:4:5:{day}:x", "!".repeat(usize::try_from(*locks).unwrap()))
            };
            let text = users.iter().enumerate().map(line).collect::<Vec<_>>().join("\n") + &end;
            let user = format!("u{}", which % users.len());
            let before = read(text.as_bytes(), &user).unwrap().unwrap();
            let off = write(text.as_bytes(), &user, before.locks.max(1), LONG_AGO).unwrap();
            let after = read(&off, &user).unwrap().unwrap();
            prop_assert_eq!((after.locks >= 1, after.expires_day.as_str()), (true, LONG_AGO));
            prop_assert_eq!(write(&off, &user, before.locks, &before.expires_day).unwrap(), text.as_bytes());
        }

        #[test]
        fn no_file_breaks_the_reading(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = read(&text, "a");
            let _written = write(&text, "", 1, LONG_AGO);
        }
    }
}
