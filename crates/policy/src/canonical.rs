//! Canonical JSON (RFC 8785) and hashes over it: what an approval, a permit and a decision are bound to.
//!
//! Object keys are sorted here, so that no feature of the JSON library can change a hash.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The canonical text of `value`.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// SHA-256 over the canonical text, hex.
pub fn hash(value: &Value) -> String {
    hex::encode(Sha256::digest(text(value).as_bytes()))
}

/// SHA-256 over the canonical text of anything serialisable, hex.
pub fn hash_of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(hash(&serde_json::to_value(value)?))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| by_units(a, b));
            out.push('{');
            for (place, (key, member)) in members.into_iter().enumerate() {
                separate(place, out);
                quote(key, out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                separate(place, out);
                write(item, out);
            }
            out.push(']');
        }
        Value::String(text) => quote(text, out),
        // Numbers, too, have one text each, as RFC 8785 wants it of integers.
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// By UTF-16 code units, which is by bytes as long as both are ASCII.
fn by_units(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Most texts stand for themselves; the others are left to the JSON library.
fn quote(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        out.push_str(&Value::from(text).to_string());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn separate(place: usize, out: &mut String) {
    if place > 0 {
        out.push(',');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_change_a_hash() {
        let a: Value = serde_json::from_str(r#"{"b":[1,{"y":null,"x":"\n"}],"a":true}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"x":"\n","y":null}]}"#).unwrap();
        assert_eq!(text(&a), r#"{"a":true,"b":[1,{"x":"\n","y":null}]}"#);
        assert_eq!(hash(&a), hash(&b));
    }

    #[test]
    fn every_text_is_written_as_the_json_library_writes_it() {
        let letters: String = (0..0x250).filter_map(char::from_u32).chain(['\u{2028}', '\u{e000}', '😀']).collect();
        for word in letters.chars().map(String::from).chain([letters.clone(), String::new()]) {
            assert_eq!(text(&json!({ &word: word })), json!({ &word: word }).to_string(), "{word:?}");
        }
    }

    #[test]
    fn keys_stand_in_the_order_of_their_utf_16_units() {
        assert_eq!(text(&json!({"\u{e000}": 1, "😀": 2, "z": 3, "é": 4})), "{\"z\":3,\"é\":4,\"😀\":2,\"\u{e000}\":1}");
    }

    #[test]
    fn any_other_value_has_another_hash() {
        assert_ne!(hash(&json!({"a": 1})), hash(&json!({"a": "1"})));
        assert_ne!(hash(&json!([1, 2])), hash(&json!([2, 1])));
    }
}
