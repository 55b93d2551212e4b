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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Null,
    Bool,
    Number,
    Text,
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

    pub(crate) const fn kind(&self) -> ScalarKind {
        match self {
            Self::Null => ScalarKind::Null,
            Self::Bool(_) => ScalarKind::Bool,
            Self::Number(..) => ScalarKind::Number,
            Self::Text(_) => ScalarKind::Text,
        }
    }

    /// The scalar that is shown so.
    pub(crate) fn from_shown(shown: &str, kind: ScalarKind) -> Self {
        match (kind, Decimal::parse(shown)) {
            (ScalarKind::Null, _) => Self::Null,
            (ScalarKind::Bool, _) => Self::Bool(shown == "true"),
            (ScalarKind::Number, Some(number)) => Self::Number(shown.to_owned(), number),
            (ScalarKind::Number | ScalarKind::Text, _) => Self::Text(shown.to_owned()),
        }
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
        || is_octal(&lower)
        || is_grouped(&lower)
        || is_date(&lower)
}

/// `010`: ten here, eight elsewhere.
fn is_octal(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `1_000` and `12:30:45`: numbers elsewhere.
fn is_grouped(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    ['_', ':'].iter().any(|mark| text.contains(*mark) && text.split(*mark).all(digits))
}

/// `2024-01-02`: a date elsewhere.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-').map(|part| part.split(['t', ' ']).next().unwrap_or_default());
    let mut number = |digits: usize| {
        parts.next().is_some_and(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    number(4) && number(2) && number(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn node(text: &str) -> Node {
        Node { kind: Kind::Scalar { text: text.to_owned(), plain: true }, at: Place::default() }
    }

    #[test]
    fn what_other_readers_take_for_a_number_a_date_or_a_boolean_is_told() {
        let odd = ["yes", "On", "0x3e7", "0o17", "010", "1_000", "12:30:45", "2024-01-02", "2024-01-02T03:04", ".inf"];
        for text in odd {
            assert!(is_ambiguous(&node(text)), "{text}");
        }
        for text in ["1", "0", "1e3", "true", "10.0.0.1", "a-b-c", "2024-1", "fe80::1", "C:\\x", "0.5", "", "_", "x_1"]
        {
            assert!(!is_ambiguous(&node(text)), "{text}");
        }
    }
}
