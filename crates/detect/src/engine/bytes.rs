//! Why raw bytes may be compared: the one place for it.
//!
//! A line is *canonical* when no control character stands in it as itself and every escape is `\"`, `\\`, `\b`, `\f`,
//! `\n`, `\r`, `\t` or `\u00xx` in lower case for another control character. Then each text has exactly one spelling
//! ([`escape`]), and one text is within another only if its spelling is within the other's. The reverse holds where the
//! spelling begins between two escapes ([`is_boundary`]) and no `\u00xx` is about. Lines that are not canonical are
//! written again ([`Doc::write`]) from what the exact reader understood.
//!
//! Case: patterns are in lower case. ASCII letters are compared without case on the bytes. A value all ASCII cannot hold a
//! pattern with other characters. A value with other characters is decoded and folded before it is compared; its bytes
//! serve to look for ASCII witnesses only if it holds neither U+212A nor U+0130, the two characters outside ASCII whose
//! lower case has an ASCII letter in it ([`folds_to_ascii`]).

use crate::sigma::event::Doc;

/// The one spelling of a text in a canonical line, without its quotes.
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            0..32 => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or(b'0')));
            }
            _ => out.push(byte),
        }
    }
}

pub(crate) fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    escape(text, &mut out);
    out
}

/// The text of a spelling in a canonical line. Broken UTF-8 becomes U+FFFD, as the exact reader does it.
pub(crate) fn unescape(mut raw: &[u8], out: &mut String) {
    out.clear();
    loop {
        let plain = memchr::memchr(b'\\', raw).unwrap_or(raw.len());
        let (before, rest) = raw.split_at_checked(plain).unwrap_or((raw, &[]));
        match std::str::from_utf8(before) {
            Ok(text) => out.push_str(text),
            Err(_) => out.push_str(&String::from_utf8_lossy(before)),
        }
        let Some((escape, rest)) = rest.get(1..).and_then(<[u8]>::split_first) else { return };
        raw = rest;
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let (digits, rest) = raw.split_at_checked(4).unwrap_or((raw, &[]));
                let code = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
                out.push(code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
                raw = rest;
            }
            other => out.push(char::from(*other)),
        }
    }
}

/// Whether every odd escape of the line is `\u00xx` for a control character that has no shorter spelling.
pub(crate) fn is_canonical(line: &[u8]) -> bool {
    let mut at = 0_usize;
    while let Some(found) = line.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let escape = line.get(at.saturating_add(found).saturating_add(1)..).unwrap_or_default();
        at = at.saturating_add(found).saturating_add(2);
        let fine = match escape {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => true,
            [b'u', b'0', b'0', b'0', b'8' | b'9' | b'a' | b'c' | b'd', ..] => false,
            [b'u', b'0', b'0', b'0' | b'1', b'0'..=b'9' | b'a'..=b'f', ..] => true,
            _ => false,
        };
        if !fine {
            return false;
        }
    }
    true
}

/// Whether a character begins at `at`, that is, an even number of backslashes stands before it.
#[inline]
pub(crate) fn is_boundary(value: &[u8], at: usize) -> bool {
    let before = value.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() & 1 == 0
}

/// KELVIN SIGN and I WITH DOT ABOVE.
pub(crate) fn folds_to_ascii(line: &[u8]) -> bool {
    let has = |bytes: &[u8]| memchr::memmem::find(line, bytes).is_some();
    has("\u{212A}".as_bytes()) || has("\u{130}".as_bytes())
}

/// Whether a pattern's text can stand in a value that is all ASCII and free of `\u00xx`.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && (byte >= 32 || matches!(byte, 8 | 9 | 10 | 12 | 13)))
}

/// Writes what the exact reader read as a canonical line; `false` where it cannot read the line.
pub(crate) fn rewrite(line: &[u8], doc: &mut Doc, out: &mut Vec<u8>) -> bool {
    let readable = doc.read(line).is_ok();
    if readable {
        doc.write(out);
    }
    readable
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sigma::pattern::folded;

    #[test]
    fn only_two_characters_outside_ascii_fold_into_it() {
        let into: Vec<char> = ('\u{80}'..=char::MAX).filter(|char| char.to_lowercase().any(|c| c.is_ascii())).collect();
        assert_eq!(into, ['\u{130}', '\u{212A}']);
        assert!(folds_to_ascii("a\u{212A}".as_bytes()) && folds_to_ascii("\u{130}".as_bytes()));
        assert!(!folds_to_ascii("a\u{2122}ä".as_bytes()));
    }

    #[test]
    fn a_line_is_canonical_when_each_text_has_its_one_spelling() {
        for line in [r#"{"a":"C:\\u0041"}"#, r#"{"a":"\u0000\u001f\n"}"#, r#"{"a":"b"}"#] {
            assert!(is_canonical(line.as_bytes()), "{line}");
        }
        for line in [r#"{"a":"\/"}"#, r#"{"a":"\u0041"}"#, r#"{"a":"\u000a"}"#, r#"{"a":"\u001F"}"#, r#"{"a":"\x"}"#] {
            assert!(!is_canonical(line.as_bytes()), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_spelling_gives_its_text_again(text in "[a\\\\\"\u{0}-\u{1f}ü/u0]{0,12}") {
            let mut back = String::new();
            unescape(&escaped(&text), &mut back);
            prop_assert_eq!(&back, &text);
            prop_assert!(is_canonical(&escaped(&text)));
        }

        #[test]
        fn a_part_is_a_part_of_the_spelling_at_a_boundary(
            value in "[aAnN\\\\\"\n\tu0]{0,12}", part in "[aAnN\\\\\"\n\tu0]{1,4}",
        ) {
            let (spelled, wanted) = (escaped(&value), escaped(&folded(&part)));
            let found = spelled.windows(wanted.len()).enumerate()
                .any(|(at, have)| have.eq_ignore_ascii_case(&wanted) && is_boundary(&spelled, at));
            prop_assert_eq!(found, folded(&value).contains(&folded(&part)));
        }
    }
}
