//! The hosts file: our marked lines at its head, and what others say of a name. Pure.

/// Nobody is there.
pub(super) const SINKS: [&str; 2] = ["0.0.0.0", "::"];
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// A name as DNS carries it: A-labels in lower case, at least two, and no address.
pub(super) fn canonical(text: &str) -> Result<String, String> {
    let shown: String = text.chars().take(80).collect();
    let want = |what: &str| Err(format!("domain: `{}` {what}", shown.escape_debug()));
    let Ok(name) = idna::domain_to_ascii(text.trim().trim_end_matches('.')) else {
        return want("is no domain name");
    };
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let labels: Vec<&str> = name.split('.').collect();
    let fits = |label: &&str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > MAX_NAME || !labels.iter().all(fits) {
        return want("is no domain name");
    }
    if labels.len() < 2 {
        return want("has one label only: a whole top-level domain or a bare host name is not blocked");
    }
    if labels.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return want("is an address: block the address");
    }
    Ok(name)
}

fn ours(marker: &str, line: &[u8], domain: &str) -> bool {
    marked(marker, line).is_some_and(|(_, name)| name == domain)
}

/// The action and the name on a line of ours.
fn marked<'a>(marker: &str, line: &'a [u8]) -> Option<(&'a str, &'a str)> {
    let (entry, comment) = std::str::from_utf8(line).ok()?.split_once(" # ")?;
    let action = comment.strip_prefix(marker)?.strip_prefix(':')?;
    let (address, name) = entry.split_once(' ')?;
    SINKS.contains(&address).then_some((action, name))
}

/// How many of our lines name this domain.
pub(super) fn count(text: &[u8], marker: &str, domain: &str) -> usize {
    text.split(|byte| *byte == b'\n').filter(|line| ours(marker, line, domain)).count()
}

/// Addresses that somebody else gave to this name.
pub(super) fn others(text: &[u8], marker: &str, domain: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !ours(marker, line, domain)) {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let address = words.next().unwrap_or_default().to_owned();
        if words.any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(domain)) {
            found.push(address);
        }
    }
    found
}

/// With our lines, at the head: an earlier line wins, and the end of the file stays as it is.
pub(super) fn with(text: &[u8], marker: &str, action: &str, domain: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for sink in SINKS {
        bytes.extend(format!("{sink} {domain} # {marker}:{action}\n").bytes());
    }
    bytes.extend(without(text, marker, domain));
    bytes
}

pub(super) fn without(text: &[u8], marker: &str, domain: &str) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !ours(marker, line, domain));
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Action and name of everything of ours, once each.
pub(super) fn marks(text: &[u8], marker: &str) -> Vec<(String, String)> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| marked(marker, line));
    let mut found: Vec<(String, String)> = lines.map(|(action, name)| (action.to_owned(), name.to_owned())).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARKER: &str = "shieldops:0123456789abcdef";

    #[test]
    fn a_name_is_what_dns_carries() {
        for (given, name) in [
            ("Evil.Example.", "evil.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.\u{440}\u{444}", "xn--e1afmkfd.xn--p1ai"),
            ("_dmarc.a-b.example", "_dmarc.a-b.example"),
            ("fa\u{df}.example", "xn--fa-hia.example"),
        ] {
            assert_eq!(canonical(given).unwrap(), name);
        }
        for bad in [
            "",
            "com",
            "localhost",
            ".",
            "a..b",
            "-a.example",
            "a b.example",
            "a.example\n0.0.0.0 b.example",
            "127.0.0.1",
            "2001:db8::1",
            "a/b.example",
            "$(id).example",
            "x#y.example",
            &"a.".repeat(200),
            &format!("{}.example", "a".repeat(64)),
        ] {
            assert!(canonical(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn our_lines_come_first_and_go_without_a_trace() {
        let text = b"127.0.0.1 localhost\n10.0.0.1 a.example b.example # evil.example\nno end";
        let blocked = with(text, MARKER, "act_1", "evil.example");
        let shown = String::from_utf8_lossy(&blocked).into_owned();
        assert!(
            shown.starts_with("0.0.0.0 evil.example # shieldops:0123456789abcdef:act_1\n:: evil.example # "),
            "{shown}"
        );
        assert_eq!(count(&blocked, MARKER, "evil.example"), 2);
        assert_eq!(marks(&blocked, MARKER), [("act_1".to_owned(), "evil.example".to_owned())]);
        assert_eq!(without(&blocked, MARKER, "evil.example"), text);
        assert!(others(&blocked, MARKER, "evil.example").is_empty(), "a comment names nothing");
        assert_eq!(others(&blocked, MARKER, "b.example"), ["10.0.0.1"]);
    }

    #[test]
    fn a_line_of_another_installation_is_somebody_else_s() {
        let theirs = with(b"", "shieldops:ffffffffffffffff", "act_1", "evil.example");
        assert_eq!(count(&theirs, MARKER, "evil.example"), 0);
        assert_eq!(others(&theirs, MARKER, "evil.example"), SINKS);
        assert_eq!(without(&theirs, MARKER, "evil.example"), theirs);
    }

    proptest! {
        #[test]
        fn a_file_comes_back_byte_for_byte(text in prop::collection::vec(any::<u8>(), 0..300), names in prop::collection::vec("[a-z]{1,5}\\.example", 1..4)) {
            let mut now = text.clone();
            for name in &names {
                now = with(&now, MARKER, "act_1", name);
                prop_assert_eq!(count(&now, MARKER, name), 2);
            }
            for name in &names {
                now = without(&now, MARKER, name);
            }
            prop_assert_eq!(now, text);
        }

        #[test]
        fn no_name_breaks_the_check(name in ".{0,80}") {
            if let Ok(name) = canonical(&name) {
                prop_assert_eq!(canonical(&name).unwrap(), name);
            }
        }
    }
}
