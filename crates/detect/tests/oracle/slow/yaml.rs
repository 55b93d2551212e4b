//! YAML by libyaml's port, which shares nothing with the reader of the engine. Each document is read twice: once for what
//! each scalar is, and once for the text of the numbers, which a reader of values does not keep.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::number;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Every document of a file.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, String> {
    let all = || serde_norway::Deserializer::from_str(text);
    let kinds = all().map(|document| Kind::deserialize(document).map_err(|error| error.to_string()));
    let kinds = kinds.collect::<Result<Vec<Kind>, String>>()?;
    let nodes = kinds.iter().zip(all());
    nodes.map(|(kind, document)| Guided(kind).deserialize(document).map_err(|error| error.to_string())).collect()
}

/// What stands where, without the text of numbers.
enum Kind {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Kind>),
    Map(Vec<Kind>),
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("YAML without tags")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut kinds = Vec::new();
        while let Some(kind) = list.next_element()? {
            kinds.push(kind);
        }
        Ok(Kind::List(kinds))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let (mut keys, mut kinds) = (Vec::<String>::new(), Vec::new());
        while let Some((key, kind)) = map.next_entry()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format!("the key `{key}` comes twice")));
            }
            keys.push(key);
            kinds.push(kind);
        }
        Ok(Kind::Map(kinds))
    }
}

/// Reads what the kind says is there.
#[derive(Clone, Copy)]
struct Guided<'k>(&'k Kind);

impl<'de> DeserializeSeed<'de> for Guided<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        let node = match self.0 {
            Kind::Null => Node::Null,
            Kind::Bool(value) => Node::Bool(*value),
            Kind::Text(text) => Node::Text(text.clone()),
            Kind::Number => {
                let text = String::deserialize(from)?;
                return Ok(if number::parse(&text).is_some() { Node::Number(text) } else { Node::Text(text) });
            }
            Kind::List(_) => return from.deserialize_seq(self),
            Kind::Map(_) => return from.deserialize_map(self),
        };
        IgnoredAny::deserialize(from).map(|_| node)
    }
}

impl<'de> Visitor<'de> for Guided<'_> {
    type Value = Node;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let Kind::List(kinds) = self.0 else { return Err(A::Error::custom("no list")) };
        let mut nodes = Vec::new();
        for kind in kinds {
            nodes.extend(list.next_element_seed(Guided(kind))?);
        }
        // The list is read to its end only when it is asked for one more.
        list.next_element::<IgnoredAny>().map(|_| Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let Kind::Map(kinds) = self.0 else { return Err(A::Error::custom("no map")) };
        let mut entries = Vec::new();
        for kind in kinds {
            let Some(key) = map.next_key::<String>()? else { break };
            entries.push((key, map.next_value_seed(Guided(kind))?));
        }
        map.next_key::<IgnoredAny>().map(|_| Node::Map(entries))
    }
}

#[test]
fn scalars_are_told_apart_and_numbers_keep_their_text() {
    let read =
        documents("a: 1\nb: 0x3e7\nc: '1'\nd: 1e3\ne: ~\nf: true\ng: [1.0, x]\nh:\n---\n- 9007199254740993\n").unwrap();
    let number = |text: &str| Node::Number(text.to_owned());
    let text = |text: &str| Node::Text(text.to_owned());
    let pairs = [
        ("a", number("1")),
        ("b", text("0x3e7")),
        ("c", text("1")),
        ("d", number("1e3")),
        ("e", Node::Null),
        ("f", Node::Bool(true)),
        ("g", Node::List(vec![number("1.0"), text("x")])),
        ("h", Node::Null),
    ];
    let map = Node::Map(pairs.map(|(key, value)| (key.to_owned(), value)).into());
    assert_eq!(read, [map, Node::List(vec![number("9007199254740993")])]);
    assert!(documents("a: 1\na: 2\n").is_err());
}
