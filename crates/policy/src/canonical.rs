//! Canonical JSON (RFC 8785) and hashes over it: what an approval, a permit and a decision are bound to.
//!
//! Object keys are sorted here, so that no feature of the JSON library can change a hash.

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
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            let members = keys.iter().filter_map(|key| map.get(*key).map(|member| (*key, member)));
            out.push('{');
            for (place, (key, member)) in members.enumerate() {
                separate(place, out);
                write(&Value::String(key.clone()), out);
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
        // Scalars have one text each: integers and strings are written as RFC 8785 wants them.
        scalar => out.push_str(&scalar.to_string()),
    }
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
    fn any_other_value_has_another_hash() {
        assert_ne!(hash(&json!({"a": 1})), hash(&json!({"a": "1"})));
        assert_ne!(hash(&json!([1, 2])), hash(&json!([2, 1])));
    }
}
