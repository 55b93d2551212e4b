//! The encodings that modifiers apply to a value before it is looked for: UTF-16, base64, and option dashes.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::pattern::{DASHES, Token};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-16, little end first, with a byte-order mark.
    Utf16,
    /// Little end first; `wide` is another name for it.
    Utf16Le,
    Utf16Be,
    Base64,
    /// Base64 at each of the three places a text can have in a longer one.
    Base64Offset,
}

/// The bytes after the encodings, in the order of the rule; several where an encoding has several forms.
pub(crate) fn encode(text: &str, encodings: &[Encoding]) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec()];
    for encoding in encodings {
        forms = forms.iter().flat_map(|form| one(form, *encoding)).collect();
    }
    forms
}

/// The texts between wildcards encoded, where the encodings keep every character apart; `None` for the others.
pub(crate) fn encode_around(tokens: &[Token], encodings: &[Encoding]) -> Option<Vec<Token>> {
    if !encodings.iter().all(|encoding| matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be)) {
        return None;
    }
    let mut out = Vec::new();
    for token in tokens {
        match token {
            Token::Text(text) => {
                out.extend(encode(text, encodings).iter().map(|form| Token::Text(as_text(form))));
            }
            Token::Many => out.push(Token::Many),
            Token::One | Token::Dash => return None,
        }
    }
    Some(out)
}

fn one(form: &[u8], encoding: Encoding) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(form);
    match encoding {
        Encoding::Utf16 => {
            let bytes = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes));
            vec![bytes.collect()]
        }
        Encoding::Utf16Le => vec![text.encode_utf16().flat_map(u16::to_le_bytes).collect()],
        Encoding::Utf16Be => vec![text.encode_utf16().flat_map(u16::to_be_bytes).collect()],
        Encoding::Base64 => vec![STANDARD.encode(form).into_bytes()],
        Encoding::Base64Offset => (0..3).map(|shift| shifted_base64(form, shift).into_bytes()).collect(),
    }
}

/// The characters of the base64 text that depend on these bytes alone, when `shift` unknown bytes stand before them.
fn shifted_base64(bytes: &[u8], shift: usize) -> String {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let encoded = STANDARD.encode(&padded);
    let first = [0, 2, 3].get(shift).copied().unwrap_or(0);
    let unsure = match padded.len().checked_rem(3) {
        Some(1) => 3,
        Some(2) => 2,
        _ => 0,
    };
    encoded.get(first..encoded.len().saturating_sub(unsure)).unwrap_or_default().to_owned()
}

/// Bytes as the text that events show: each byte the character of that number.
pub(crate) fn as_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// `-` and `/` at the start of a word become any dash.
pub(crate) fn with_any_dash(tokens: Vec<Token>) -> Vec<Token> {
    let mut out = Vec::new();
    for token in tokens {
        let Token::Text(text) = token else {
            out.push(token);
            continue;
        };
        let chars: Vec<char> = text.chars().collect();
        let mut plain = String::new();
        for (index, char) in chars.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|index| chars.get(index));
            let after = chars.get(index.saturating_add(1));
            let starts_a_word = !before.is_some_and(|c| is_word(*c)) && after.is_some_and(|c| is_word(*c));
            if matches!(char, '-' | '/') && starts_a_word {
                if !plain.is_empty() {
                    out.push(Token::Text(std::mem::take(&mut plain)));
                }
                out.push(Token::Dash);
            } else {
                plain.push(*char);
            }
        }
        if !plain.is_empty() {
            out.push(Token::Text(plain));
        }
    }
    out
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Every text that tokens of text and dashes stand for; `None` beyond `limit` or with a wildcard.
pub(crate) fn spelled_out(tokens: &[Token], limit: usize) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    for token in tokens {
        match token {
            Token::Text(text) => all.iter_mut().for_each(|one| one.push_str(text)),
            Token::Dash => {
                all = all.iter().flat_map(|one| DASHES.map(|dash| format!("{one}{dash}"))).collect();
            }
            Token::One | Token::Many => return None,
        }
        if all.len() > limit {
            return None;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sigma::pattern::{Anchor, Pattern, tokens};

    #[test]
    fn utf16_has_a_mark_and_its_big_end_form_is_swapped() {
        assert_eq!(encode("a", &[Encoding::Utf16]), [b"\xff\xfea\0".to_vec()]);
        assert_eq!(encode("a", &[Encoding::Utf16Le]), [b"a\0".to_vec()]);
        assert_eq!(encode("a", &[Encoding::Utf16Be]), [b"\0a".to_vec()]);
        assert_eq!(as_text(b"\xff\xfea\0"), "\u{ff}\u{fe}a\0");
    }

    #[test]
    fn a_minus_inside_a_word_is_no_option() {
        assert_eq!(with_any_dash(tokens("wi-fi")), [Token::Text("wi-fi".into())]);
        assert_eq!(with_any_dash(tokens("a - b")), [Token::Text("a - b".into())]);
        assert_eq!(with_any_dash(tokens("-a")), [Token::Dash, Token::Text("a".into())]);
    }

    proptest! {
        #[test]
        fn base64offset_finds_its_text_wherever_it_stands(
            before in prop::collection::vec(any::<u8>(), 0..7),
            text in "[a-zA-Z ]{3,12}",
            after in prop::collection::vec(any::<u8>(), 0..7),
        ) {
            let mut whole = before.clone();
            whole.extend_from_slice(text.as_bytes());
            whole.extend_from_slice(&after);
            let encoded = STANDARD.encode(&whole);
            let forms = encode(&text, &[Encoding::Base64Offset]);
            prop_assert!(encoded.contains(&as_text(&forms[before.len() % 3])), "{encoded} {forms:?}");
        }

        #[test]
        fn windash_matches_each_spelling_and_nothing_else(
            rule in "[-/a ]{0,6}",
            value in "[-/a \u{2013}\u{2014}\u{2015}]{0,6}",
        ) {
            let dashed = with_any_dash(tokens(&rule));
            let spellings = spelled_out(&dashed, 100_000).unwrap();
            let pattern = Pattern::new(dashed, Anchor::Whole, true);
            for spelling in &spellings {
                prop_assert!(pattern.matches(spelling, spelling));
            }
            prop_assert_eq!(pattern.matches(&value, &value), spellings.contains(&value));
        }
    }
}
