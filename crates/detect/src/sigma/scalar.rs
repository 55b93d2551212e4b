//! What a YAML scalar is in a rule: null, boolean, number or text.
//!
//! The core schema of YAML 1.2, with one deliberate difference: only decimal numbers are numbers. `0x3e7`, `0o17`,
//! `1_000`, `yes` and dates stay the text that is written, because that is what events carry.

use super::{
    decimal::Decimal,
    yaml::{Kind, Node},
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    /// As written, and its value.
    Number(String, Decimal),
    Text(String),
}

impl Scalar {
    /// The scalar that a node is; a list or map is none.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        let Kind::Scalar { text, plain } = &node.kind else { return None };
        if !plain {
            return Some(Self::Text(text.clone()));
        }
        Some(match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Bool(true),
            "false" | "False" | "FALSE" => Self::Bool(false),
            text => match Decimal::parse(text) {
                Some(number) => Self::Number(text.to_owned(), number),
                None => Self::Text(text.to_owned()),
            },
        })
    }

    /// How the rule shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text, _) | Self::Text(text) => text.clone(),
        }
    }
}

/// A plain scalar that other YAML readers take for something else than the text it is here.
pub(crate) fn is_ambiguous(node: &Node) -> bool {
    let Kind::Scalar { text, plain: true } = &node.kind else { return false };
    let lower = text.to_ascii_lowercase();
    let prefixed = |prefix: &str, radix: u32| {
        lower.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    matches!(lower.as_str(), "yes" | "no" | "on" | "off" | ".inf" | "-.inf" | ".nan")
        || prefixed("0x", 16)
        || prefixed("0o", 8)
}
