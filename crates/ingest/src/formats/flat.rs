//! The flat object that rules read: names and values in the order of the source, borrowed from its bytes where possible.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// More names than this are no event; the rest is dropped and reported.
pub const MAX_FIELDS: usize = 4_096;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Field<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Bool(bool),
    List(Vec<Cow<'a, str>>),
    /// A JSON value as its sender wrote it.
    Json(Cow<'a, str>),
}

impl<'a> Field<'a> {
    /// Text, or a number where the text is one and would print the same.
    pub fn scalar(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        match integer(&text) {
            Some(number) => Self::Int(number),
            None => Self::Text(text),
        }
    }

    /// The value as text; none for objects, arrays and null.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            Self::List(items) => items.first().map(|item| Cow::Borrowed(item.as_ref())),
            Self::Json(raw) => json_text(raw),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => write_string(out, text),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Json(raw) => out.push_str(&one_line(raw)),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_string(out, item);
                }
                out.push(']');
            }
        }
    }
}

/// JSON over several lines as one: a line end inside a text is always escaped.
pub fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}

/// The text of a JSON scalar; none for objects, arrays and null.
pub fn json_text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' if !raw.contains('\\') => raw.get(1..raw.len().checked_sub(1)?).map(Cow::Borrowed),
        b'"' => serde_json::from_str(raw).ok().map(Cow::Owned),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = match digits.as_bytes() {
        [b'0'] => text.len() == 1,
        [first, ..] => first.is_ascii_digit() && *first != b'0' && digits.len() <= 18,
        [] => false,
    };
    if plain { text.parse().ok() } else { None }
}

/// Writes a JSON string, escaped.
pub fn write_string(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(_) => out.push_str("\"\""),
    }
}

/// The fields of one event. The first value of a name stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flat<'a> {
    fields: Vec<(Cow<'a, str>, Field<'a>)>,
    dropped: usize,
}

impl<'a> Flat<'a> {
    pub fn new() -> Self {
        Self { fields: Vec::with_capacity(16), dropped: 0 }
    }

    /// Adds a field unless the name is taken.
    pub fn put(&mut self, name: impl Into<Cow<'a, str>>, value: Field<'a>) {
        let name = name.into();
        if self.fields.len() >= MAX_FIELDS {
            self.dropped = self.dropped.saturating_add(1);
        } else if self.get(&name).is_none() {
            self.fields.push((name, value));
        }
    }

    pub fn put_text(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.put(name, Field::Text(value.into()));
    }

    /// Adds a field, in the place of one of the same name.
    pub fn set(&mut self, name: &'static str, value: Field<'a>) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, slot)) => *slot = value,
            None => self.put(name, value),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A field's text, if it has any.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).and_then(Field::as_text).filter(|text| !text.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Field<'a>)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// How many fields were over `MAX_FIELDS`.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Adds the members of a JSON object as they are; false where it is not an object.
    pub fn put_object(&mut self, raw: &'a str) -> bool {
        let Some(members) = members(raw) else { return false };
        for (name, value) in members {
            self.put(name, Field::Json(Cow::Borrowed(value)));
        }
        true
    }

    /// One JSON object on one line.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(self.fields.len().saturating_mul(32));
        out.push('{');
        for (at, (name, value)) in self.fields.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_string(&mut out, name);
            out.push(':');
            value.write(&mut out);
        }
        out.push('}');
        out
    }
}

/// The members of a JSON object, in order, values unparsed.
pub fn members(raw: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    serde_json::from_str::<Members<'_>>(raw).ok().map(|members| members.0)
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(Key(name)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            members.push((name, value.get()));
        }
        Ok(Members(members))
    }
}

/// An object's key, borrowed unless it holds escapes.
pub struct Key<'a>(pub Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> serde::de::Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_name_stays_and_text_is_escaped() {
        let mut flat = Flat::new();
        flat.put_text("a", "x\"\\\n\u{1}");
        flat.put_text("a", "later");
        flat.put("n", Field::scalar("42"));
        flat.put("z", Field::scalar("007"));
        flat.put("l", Field::List(vec!["p".into(), "q".into()]));
        assert_eq!(flat.render(), r#"{"a":"x\"\\\n\u0001","n":42,"z":"007","l":["p","q"]}"#);
    }

    #[test]
    fn members_keep_their_order_and_their_bytes() {
        let mut flat = Flat::new();
        assert!(flat.put_object(r#"{"b": 1.50, "a":{"x" : [1]}, "\u0063": null}"#));
        assert_eq!(flat.render(), r#"{"b":1.50,"a":{"x" : [1]},"c":null}"#);
        assert!(!flat.put_object("[1]"));
    }

    /// Found by the fuzzer.
    #[test]
    fn what_was_written_over_several_lines_is_one_line() {
        let mut flat = Flat::new();
        assert!(flat.put_object("{\"a\":{\r\n  \"x\": [\n1]\n},\"b\":\"\\n\"}"));
        assert_eq!(flat.render(), r#"{"a":{    "x": [ 1] },"b":"\n"}"#);
    }

    #[test]
    fn an_object_of_too_many_names_is_cut_and_says_so() {
        let names: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":1")).collect();
        let raw = format!("{{{}}}", names.join(","));
        let mut flat = Flat::new();
        flat.put_object(&raw);
        assert_eq!(flat.dropped(), 5_000 - MAX_FIELDS);
    }
}
