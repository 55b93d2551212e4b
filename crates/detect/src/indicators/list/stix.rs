//! STIX 2.1: indicators whose pattern compares observed values for equality. The bundle is cut into its objects as it comes,
//! so that one of any size takes the memory of one object.
//!
//! Source: STIX 2.1, sections 4.7 (indicator) and 9 (patterning).

use serde::Deserialize;

use crate::indicators::{
    block::Entry,
    value::{IndicatorKind, Value},
};

/// Bytes of one object.
const MAX_OBJECT_BYTES: usize = 1024 * 1024;
/// Comparisons of one pattern.
const MAX_COMPARISONS: usize = 1_000;

/// The objects of a stream of JSON: those one below the top where the top is a list, or in its list `objects`; else the top
/// itself.
#[derive(Debug, Default)]
pub(super) struct Objects {
    line: u32,
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// The object that is not whole yet, and where it began.
    object: Vec<u8>,
    began: u32,
    /// How deep the objects are; found by the first brackets.
    level: Option<usize>,
    head: Vec<u8>,
    too_long: bool,
}

impl Objects {
    pub(super) fn push(&mut self, piece: &[u8], found: &mut impl FnMut(u32, &[u8])) {
        for byte in piece {
            self.line = self.line.max(1).saturating_add(u32::from(*byte == b'\n'));
            self.byte(*byte, found);
        }
    }

    fn byte(&mut self, byte: u8, found: &mut impl FnMut(u32, &[u8])) {
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return self.keep(byte);
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.opened(byte);
            }
            _ => {}
        }
        self.keep(byte);
        if matches!(byte, b'}' | b']') {
            if byte == b'}' && (Some(self.depth) == self.level || (self.level.is_none() && self.depth == 1)) {
                let object = std::mem::take(&mut self.object);
                if !std::mem::take(&mut self.too_long) {
                    found(self.began, &object);
                }
            }
            self.depth = self.depth.saturating_sub(1);
            if self.depth == 0 {
                (self.level, self.head) = (None, Vec::new());
            }
        }
    }

    /// A bracket opened: is this where objects begin?
    fn opened(&mut self, byte: u8) {
        let list = byte == b'[';
        if self.level.is_none() && list && (self.depth == 1 || (self.depth == 2 && ends_with_objects(&self.head))) {
            self.level = Some(self.depth.saturating_add(1));
            self.object.clear();
        } else if !list && (Some(self.depth) == self.level || (self.level.is_none() && self.depth == 1)) {
            self.began = self.line;
            self.object.clear();
        }
    }

    fn keep(&mut self, byte: u8) {
        match self.level {
            Some(level) if self.depth < level => {}
            _ if self.object.len() >= MAX_OBJECT_BYTES => self.too_long = true,
            _ => self.object.push(byte),
        }
        if self.level.is_none() && self.depth == 1 && !byte.is_ascii_whitespace() {
            if self.head.len() >= 64 {
                self.head.drain(..32);
            }
            self.head.push(byte);
        }
    }

    /// What is wrong when nothing comes any more.
    pub(super) fn finish(self) -> Option<(u32, String)> {
        (self.depth > 0).then(|| (self.line, "the JSON is not whole: a bracket is not closed".to_owned()))
    }
}

fn ends_with_objects(head: &[u8]) -> bool {
    head.ends_with(b"\"objects\":")
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    id: String,
    pattern: Option<String>,
    pattern_type: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    confidence: Option<u8>,
    #[serde(default)]
    revoked: bool,
}

/// The entries of an object: none for one that is no indicator, or revoked.
pub(super) fn entries(line: u32, text: &[u8]) -> Result<Vec<Entry>, String> {
    let object: Object =
        serde_json::from_slice(text).map_err(|error| format!("the object is not readable: {error}"))?;
    if object.kind != "indicator" || object.revoked {
        return Ok(Vec::new());
    }
    if object.pattern_type.as_deref().is_some_and(|kind| kind != "stix") {
        return Err(format!("{}: the pattern is none of STIX", object.id));
    }
    let pattern = object.pattern.ok_or_else(|| format!("{}: the indicator has no pattern", object.id))?;
    let values = values(&pattern).ok_or_else(|| {
        let shown: String = pattern.chars().take(80).collect();
        format!("`{shown}` is more than equality of addresses, domains, URLs, hashes or e-mail addresses")
    })?;
    let entry = |value| Entry {
        value,
        line,
        added: object.valid_from.as_deref().and_then(super::time),
        expires: object.valid_until.as_deref().and_then(super::time),
        confidence: object.confidence.filter(|value| *value <= 100),
        reference: if object.name.is_empty() { object.id.clone() } else { object.name.clone() },
    };
    Ok(values.into_iter().map(entry).collect())
}

/// The values of `[path = 'value']`, comparisons joined by OR.
fn values(pattern: &str) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    let mut rest = pattern.trim();
    loop {
        rest = rest.trim_start_matches(|char: char| char == '[' || char.is_whitespace());
        let (path, after) = rest.split_once('=')?;
        let kind = kind_of(path.trim())?;
        let (text, after) = quoted(after.trim_start())?;
        let value = Value::parse(text.trim()).filter(|value| kind.contains(&value.kind()))?;
        values.push(value);
        rest = after.trim_start_matches(|char: char| char == ']' || char.is_whitespace());
        if rest.is_empty() {
            return Some(values);
        }
        rest = rest.strip_prefix("OR")?;
        if values.len() >= MAX_COMPARISONS {
            return None;
        }
    }
}

/// The kinds that a path's values may have.
fn kind_of(path: &str) -> Option<&'static [IndicatorKind]> {
    let (object, property) = path.split_once(':')?;
    let is_hash = property.starts_with("hashes.") || property.contains(".hashes.");
    Some(match (object, property) {
        ("ipv4-addr" | "ipv6-addr", "value") => &[IndicatorKind::Ip, IndicatorKind::Cidr],
        ("domain-name", "value") => &[IndicatorKind::Domain],
        ("url", "value") => &[IndicatorKind::Url],
        ("email-addr", "value") => &[IndicatorKind::Email],
        ("email-message", "from_ref.value" | "sender_ref.value") => &[IndicatorKind::Email],
        ("file" | "artifact", _) if is_hash => &[IndicatorKind::Hash],
        _ => return None,
    })
}

/// A text in single quotes, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.strip_prefix('\'')?.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => value.push(chars.next()?),
            '\'' => return Some((value, chars.as_str())),
            char => value.push(char),
        }
    }
    None
}
