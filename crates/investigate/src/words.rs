//! Words for people: text of others made harmless, names checked, times and numbers in their usual form.

use std::fmt::Write as _;

use shieldops_model::{EventId, Timestamp, address};

/// Characters of a detail.
pub(crate) const DETAIL_MAX: usize = 200;

/// Text that somebody else wrote, as a detail: cut to 200 characters, control characters and invisible direction marks
/// escaped.
pub(crate) fn detail(text: &str) -> String {
    let mut shown = String::new();
    let mut room = DETAIL_MAX;
    for letter in text.chars() {
        let hidden = letter.is_control() || is_invisible(letter);
        let width = if hidden { letter.escape_default().count() } else { 1 };
        if width > room {
            shown.push('…');
            break;
        }
        room -= width;
        if hidden {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Marks that reorder or hide text: bidirectional controls, zero-width characters, tags.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A user or host name that may stand in a title; `other` where it holds anything but name characters.
pub(crate) fn name<'a>(value: Option<&'a str>, other: &'a str) -> &'a str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@\\$".contains(&byte);
    match value {
        Some(value) if !value.is_empty() && value.len() <= 64 && value.bytes().all(plain) => value,
        _ => other,
    }
}

/// An address that may stand in a title.
pub(crate) fn address_or(value: Option<&str>, other: &str) -> String {
    value.and_then(address::parse).map_or_else(|| other.to_owned(), |ip| ip.to_string())
}

/// The program of an image path: what follows the last slash or backslash.
pub(crate) fn program(image: &str) -> &str {
    let last = image.rsplit(['/', '\\']).next().unwrap_or(image);
    name(Some(last), "a program")
}

/// `1 event`, `2 events`.
pub(crate) fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `10:04:20` of a time, UTC.
pub(crate) fn clock(time: Timestamp) -> String {
    time.to_string().chars().skip(11).take(8).collect()
}

/// ` [evt_…] [evt_…]`.
pub(crate) fn cites(events: &[EventId]) -> String {
    let mut text = String::new();
    for event in events {
        // Writing to a string does not fail.
        if write!(text, " [{event}]").is_err() {
            break;
        }
    }
    text
}

/// Words joined as `a, b and c`.
pub(crate) fn list(words: &[String]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_cut_and_holds_no_control_or_direction_mark() {
        assert_eq!(detail("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\n");
        assert_eq!(detail(&"é".repeat(500)).chars().count(), DETAIL_MAX + 1);
        assert_eq!(detail("curl http://x | sh"), "curl http://x | sh");
    }

    #[test]
    fn only_plain_names_reach_a_title() {
        assert_eq!(name(Some("deploy"), "an account"), "deploy");
        for odd in ["a b", "<b>", "ä", "", "x\n"] {
            assert_eq!(name(Some(odd), "an account"), "an account");
        }
        assert_eq!(program("/usr/bin/curl"), "curl");
        assert_eq!(program("C:\\Windows\\cmd.exe"), "cmd.exe");
        assert_eq!(program("/tmp/a b"), "a program");
        assert_eq!(address_or(Some("::ffff:10.0.0.1"), "x"), "10.0.0.1");
    }

    #[test]
    fn lists_and_numbers_read_as_people_write_them() {
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((list(&words), list(&words[..1]), list(&[])), ("a, b and c".into(), "a".into(), String::new()));
        assert_eq!((number(1, "event", "events"), number(2, "event", "events")), ("1 event".into(), "2 events".into()));
    }
}
