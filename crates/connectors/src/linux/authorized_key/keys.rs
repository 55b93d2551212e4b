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

/// Words, where a quoted part may hold blanks.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut start, mut quoted, mut escaped) = (Vec::new(), None, false, false);
    for (place, letter) in line.char_indices() {
        let blank = matches!(letter, ' ' | '\t') && !quoted;
        match start {
            None if !blank => start = Some(place),
            Some(begun) if blank => {
                words.extend(line.get(begun..place));
                start = None;
            }
            _ => {}
        }
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = letter == '\\' && !escaped;
    }
    words.extend(start.and_then(|begun| line.get(begun..)));
    words
}

fn is_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
}

fn print(blob: &str) -> Option<String> {
    let bytes = LENIENT.decode(blob).ok().filter(|bytes| !bytes.is_empty())?;
    Some(format!("{PREFIX}{}", LENIENT.encode(Sha256::digest(bytes))))
}

/// The fingerprint of the key on a line of authorized_keys; `None` where there is none.
pub(in crate::linux) fn fingerprint(line: &str) -> Option<String> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.starts_with('#') {
        return None;
    }
    let words = words(line);
    let (first, second, third) = (words.first()?, words.get(1)?, words.get(2));
    // Options stand before the type, where there are any.
    if is_type(first) { print(second) } else { third.filter(|_| is_type(second)).and_then(|blob| print(blob)) }
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
    } else if let Some(print) = fingerprint(text) {
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
        let plain = fingerprint(&format!("ssh-ed25519 {BLOB}")).unwrap();
        assert!(plain.starts_with("SHA256:") && plain.len() == 50, "{plain}");
        for line in [
            format!("ssh-ed25519 {BLOB} alice@example"),
            format!("  ssh-ed25519\t{BLOB}\r"),
            format!("no-pty,command=\"echo \\\"a b\\\" ssh-rsa x\" ssh-ed25519 {BLOB} x y"),
            format!("from=\"10.0.0.0/8,*.example\",restrict ssh-ed25519 {BLOB}"),
        ] {
            assert_eq!(fingerprint(&line), Some(plain.clone()), "{line}");
            assert_eq!(named(&line).unwrap(), plain);
        }
        assert_eq!(named(&plain).unwrap(), plain);
        assert_eq!(named(&format!("{plain}=")).unwrap(), plain);
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
            assert_eq!(fingerprint(line), None, "{line}");
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
        fn no_line_breaks_the_reading(line in ".{0,300}") {
            let _print = fingerprint(&line);
            let _named = named(&line);
            let _files = files(&line, "a", 1, "/");
        }

        #[test]
        fn options_never_hide_a_key(options in "[a-z-]{1,10}(=\"[ -!#-\\[\\]-~]{0,20}\")?") {
            prop_assume!(!is_type(&options));
            let with = fingerprint(&format!("{options} ssh-ed25519 {BLOB}"));
            prop_assert_eq!(with, fingerprint(&format!("ssh-ed25519 {BLOB}")));
        }
    }
}
