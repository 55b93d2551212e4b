//! Lines of authorized_keys and the fingerprints of their keys, as sshd reads them. Pure.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest, Sha256};

/// Keys are written with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_encode_padding(false),
);
const PREFIX: &str = "SHA256:";
/// Letters of a fingerprint after its prefix.
const LETTERS: usize = 43;

/// Types of keys by their short names, as sshd takes them too.
const SHORT: [&str; 7] = ["DSA", "ECDSA", "ECDSA-SK", "ED25519", "ED25519-SK", "RSA", "XMSS"];

/// Options of a key that is no way in for a person, or not for good.
const BOUND: [&str; 3] = ["cert-authority", "command", "expiry-time"];

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What stands before the first byte of some kind, and the rest from it.
fn until(line: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| ends(*byte)).unwrap_or(line.len());
    line.split_at_checked(end).unwrap_or((line, &[]))
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    until(line, |byte| !blank(byte)).1
}

fn is_type(word: &[u8]) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start.as_bytes()))
        || SHORT.iter().any(|short| word.eq_ignore_ascii_case(short.as_bytes()))
}

/// What stands before the first byte of some kind outside of quotes, and the rest from it.
fn until_unquoted(line: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let (mut quoted, mut place) = (false, 0);
    while let Some(byte) = line.get(place).copied() {
        if byte == b'\\' && line.get(place + 1) == Some(&b'"') {
            place += 1;
        } else if byte == b'"' {
            quoted = !quoted;
        } else if ends(byte) && !quoted {
            break;
        }
        place += 1;
    }
    line.split_at_checked(place).unwrap_or((line, &[]))
}

/// The fields of a key as it is sent: each with its length before it.
fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        found.push(field);
        bytes = rest;
    }
    Some(found)
}

/// A key whose numbers are written with zeros before them is the same key: sshd takes them away, and so do we.
fn plain(bytes: Vec<u8>) -> Vec<u8> {
    let Some(fields) = fields(&bytes) else { return bytes };
    if fields.first().is_none_or(|kind| !matches!(*kind, b"ssh-rsa" | b"ssh-dss")) {
        return bytes;
    }
    let mut made = Vec::with_capacity(bytes.len());
    for (place, field) in fields.into_iter().enumerate() {
        let first = if place == 0 { 0 } else { field.iter().position(|byte| *byte != 0).unwrap_or(field.len()) };
        let field = field.get(first..).unwrap_or_default();
        // A number whose first bit is set would be negative.
        let sign = if place > 0 && field.first().is_some_and(|byte| *byte >= 0x80) { &[0_u8][..] } else { &[] };
        let length = u32::try_from(sign.len() + field.len()).unwrap_or(u32::MAX);
        made.extend(length.to_be_bytes().iter().chain(sign).chain(field));
    }
    made
}

fn print(blob: &[u8]) -> Option<String> {
    // sshd skips these inside of it, too.
    let blob: Vec<u8> = blob.iter().copied().filter(|byte| !matches!(byte, 0x0b | 0x0c)).collect();
    let bytes = LENIENT.decode(blob).ok().filter(|bytes| !bytes.is_empty())?;
    Some(format!("{PREFIX}{}", LENIENT.encode(Sha256::digest(plain(bytes)))))
}

/// The key at the beginning of a text: its type, and the key itself.
fn at(line: &[u8]) -> Option<String> {
    let (kind, rest) = until(line, blank);
    let (blob, _) = until(skip_blanks(rest), |byte| blank(byte) || matches!(byte, b'\r' | b'\n'));
    if is_type(kind) { print(blob) } else { None }
}

/// The fingerprint of the key on a line of authorized_keys, read as sshd reads it: in bytes, up to the first zero;
/// `None` where there is none. What stands after the key may be anything.
pub(in crate::linux) fn fingerprint(line: &[u8]) -> Option<String> {
    let line = skip_blanks(until(line, |byte| byte == 0).0);
    if line.starts_with(b"#") {
        return None;
    }
    // Options stand before the type, where there are any.
    at(line).or_else(|| at(skip_blanks(until_unquoted(line, blank).1)))
}

/// The same where the key gives a shell for good: bound to no command, without an end, and no authority of certificates.
pub(super) fn opening(line: &[u8]) -> Option<String> {
    let print = fingerprint(line)?;
    let line = skip_blanks(until(line, |byte| byte == 0).0);
    let mut options = if at(line).is_some() { &[][..] } else { until_unquoted(line, blank).0 };
    while !options.is_empty() {
        let (option, rest) = until_unquoted(options, |byte| byte == b',');
        let name = until(option, |byte| byte == b'=').0;
        if BOUND.iter().any(|bound| name.eq_ignore_ascii_case(bound.as_bytes())) {
            return None;
        }
        options = rest.get(1..).unwrap_or_default();
    }
    Some(print)
}

/// A key as somebody names it: its line, or its fingerprint.
pub(super) fn named(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/');
    if let Some(letters) = text.strip_prefix(PREFIX) {
        let letters = letters.trim_end_matches('=');
        if letters.len() == LETTERS && letters.chars().all(plain) {
            return Ok(format!("{PREFIX}{letters}"));
        }
    } else if let Some(print) = fingerprint(text.as_bytes()) {
        return Ok(print);
    }
    let shown: String = text.chars().take(40).collect();
    Err(format!(
        "key: `{}` is neither a fingerprint (`SHA256:` and {LETTERS} letters, as `ssh-keygen -lf` shows) nor a public key",
        shown.escape_debug()
    ))
}

/// The files that sshd looks into for a user: patterns of `AuthorizedKeysFile`, made whole.
pub(super) fn files(patterns: &str, user: &str, uid: u32, home: &str) -> Vec<String> {
    let whole = |pattern: &str| {
        let (mut path, mut letters) = (String::new(), pattern.chars());
        while let Some(letter) = letters.next() {
            match (letter, if letter == '%' { letters.next() } else { None }) {
                ('%', Some('h')) => path.push_str(home),
                ('%', Some('u')) => path.push_str(user),
                ('%', Some('U')) => path.push_str(&uid.to_string()),
                ('%', Some('%')) => path.push('%'),
                ('%', _) => return None,
                (letter, _) => path.push(letter),
            }
        }
        Some(if path.starts_with('/') { path } else { format!("{}/{path}", home.trim_end_matches('/')) })
    };
    patterns.split_ascii_whitespace().filter(|pattern| *pattern != "none").filter_map(whole).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";

    #[test]
    fn a_key_is_the_same_key_with_any_options_and_comment() {
        let plain = fingerprint(format!("ssh-ed25519 {BLOB}").as_bytes()).unwrap();
        assert!(plain.starts_with("SHA256:") && plain.len() == 50, "{plain}");
        for line in [
            format!("ssh-ed25519 {BLOB} alice@example"),
            format!("  ssh-ed25519\t{BLOB}\r"),
            format!("no-pty,command=\"echo \\\"a b\\\" ssh-rsa x\" ssh-ed25519 {BLOB} x y"),
            format!("from=\"10.0.0.0/8,*.example\",restrict ssh-ed25519 {BLOB}"),
        ] {
            assert_eq!(fingerprint(line.as_bytes()), Some(plain.clone()), "{line}");
            assert_eq!(named(&line).unwrap(), plain);
        }
        assert_eq!(named(&plain).unwrap(), plain);
        assert_eq!(named(&format!("{plain}=")).unwrap(), plain);
    }

    #[test]
    fn a_key_that_is_bound_opens_nothing() {
        let opens = |options: &str| opening(format!("{options}ssh-ed25519 {BLOB} x").as_bytes()).is_some();
        for free in
            ["", "restrict,pty ", "from=\"10.0.0.0/8,command=\" ", "environment=\"A=\\\",command=x\" ", "no-pty, "]
        {
            assert!(opens(free), "{free}");
        }
        for bound in [
            "command=\"a b\" ",
            "no-pty,Command=\"x\",no-x11-forwarding ",
            "cert-authority ",
            "restrict,expiry-time=\"20300101\" ",
            "# ",
        ] {
            assert!(!opens(bound), "{bound}");
        }
    }

    #[test]
    fn what_sshd_takes_for_the_key_is_the_key_whatever_else_is_on_the_line() {
        let key = format!("ssh-ed25519 {BLOB}");
        let plain = fingerprint(key.as_bytes());
        let (half, rest) = BLOB.split_at(20);
        let mut lines: Vec<Vec<u8>> = [
            format!("{key}\0\0 what C does not see"),
            format!("{key}\rx"),
            format!("ED25519 {BLOB}"),
            format!("ed25519 {BLOB}"),
            format!("ssh-ed25519 {half}\u{b}{rest}"),
            format!("command=\"a\\\\\" b\" {key}"),
            format!("{key} {}", "x".repeat(40_000)),
            format!("environment=\"A={}\" {key}", "x".repeat(40_000)),
        ]
        .map(String::into_bytes)
        .into();
        lines.push([key.as_bytes(), b" caf\xe9"].concat());
        lines.push([b"command=\"caf\xe9\" ", key.as_bytes()].concat());
        for line in lines {
            assert_eq!(fingerprint(&line), plain, "{}", String::from_utf8_lossy(&line[..line.len().min(200)]));
        }
    }

    #[test]
    fn zeros_before_its_numbers_make_no_other_key() {
        let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let line = |kind: &[u8], numbers: [&[u8]; 2]| {
            let blob = [field(kind), field(numbers[0]), field(numbers[1])].concat();
            format!("ssh-rsa {}", LENIENT.encode(blob))
        };
        let of = |numbers| fingerprint(line(b"ssh-rsa", numbers).as_bytes()).unwrap();
        let plain = of([&[1, 0, 1], &[0, 0x80, 7]]);
        assert_eq!(of([&[0, 0, 1, 0, 1], &[0, 0, 0, 0x80, 7]]), plain);
        assert_ne!(of([&[1, 0, 1], &[0, 0x81, 7]]), plain);
        // As it is sent: `ssh-keygen -lf` shows the digest of just these bytes.
        let sent = [field(b"ssh-rsa"), field(&[1, 0, 1]), field(&[0, 0x80, 7])].concat();
        assert_eq!(plain, format!("{PREFIX}{}", LENIENT.encode(Sha256::digest(sent))));
        assert_ne!(
            fingerprint(line(b"other", [&[0, 1], &[1]]).as_bytes()),
            fingerprint(line(b"other", [&[1], &[1]]).as_bytes())
        );
    }

    #[test]
    fn what_is_no_key_is_none() {
        for line in [
            "",
            "#",
            "ssh-ed25519",
            "ssh-ed25519 !!!",
            "rubbish",
            &format!("# ssh-ed25519 {BLOB}"),
            &format!("x y ssh-ed25519 {BLOB}"),
        ] {
            assert_eq!(fingerprint(line.as_bytes()), None, "{line}");
            assert!(named(line).is_err());
        }
        for bad in ["SHA256:", "SHA256:$(id)", "MD5:aa:bb", "../../x"] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_files_of_a_user_are_those_that_sshd_names() {
        let files = files(".ssh/authorized_keys %h/.ssh/two /etc/ssh/keys/%u.%U none %q", "alice", 1000, "/home/alice");
        assert_eq!(files, ["/home/alice/.ssh/authorized_keys", "/home/alice/.ssh/two", "/etc/ssh/keys/alice.1000"]);
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reading(line in ".{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _print = (fingerprint(line.as_bytes()), fingerprint(&bytes));
            let _named = named(&line);
            let _files = files(&line, "a", 1, "/");
        }

        #[test]
        fn options_never_hide_a_key(options in "[a-z-]{1,10}(=\"[ -!#-\\[\\]-~]{0,20}\")?") {
            prop_assume!(!is_type(options.as_bytes()));
            let with = fingerprint(format!("{options} ssh-ed25519 {BLOB}").as_bytes());
            prop_assert_eq!(with, fingerprint(format!("ssh-ed25519 {BLOB}").as_bytes()));
        }
    }
}
