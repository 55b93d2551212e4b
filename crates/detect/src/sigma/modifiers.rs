//! The modifiers behind a field name: `CommandLine|windash|contains|all`.

use super::{date::Part, encode::Encoding, pattern::Anchor};
use crate::diagnostic::{Place, Report, nearest};

#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a modifier of the specification")]
pub(crate) struct Modifiers {
    pub(crate) kind: Kind,
    pub(crate) anchor: Anchor,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) part: Option<Part>,
    pub(crate) all: bool,
    pub(crate) cased: bool,
    pub(crate) negated: bool,
    pub(crate) expand: bool,
    pub(crate) windash: bool,
    /// As the rule writes them, joined by bars.
    pub(crate) text: String,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Value,
    Regex(Flags),
    Cidr,
    Exists,
    FieldRef,
    Compare(Comparison),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Modifiers of one field.
const MAX_WORDS: usize = 16;

/// Every modifier, for suggestions.
const NAMES: [&str; 33] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "ignorecase",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "multiline",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
    "year",
];

/// The modifiers of these words, each with its place. Problems are reported; `None` when the item cannot be used.
pub(crate) fn parse(words: &[(&str, Place)], report: &mut Report) -> Option<Modifiers> {
    if let Some((_, at)) = words.get(MAX_WORDS) {
        let message = format!("more than {MAX_WORDS} modifiers");
        report.error(*at, "conflicting-modifiers", message, "Write each once.");
        return None;
    }
    let mut modifiers = Modifiers::default();
    let mut usable = true;
    for (word, at) in words {
        usable &= apply(word, *at, &mut modifiers, report);
    }
    let shown: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    modifiers.text = shown.join("|");
    let at = words.first().map_or(Place::default(), |(_, at)| *at);
    (usable && is_consistent(&modifiers, at, report)).then_some(modifiers)
}

fn apply(word: &str, at: Place, modifiers: &mut Modifiers, report: &mut Report) -> bool {
    match word {
        "all" => modifiers.all = true,
        "cased" => modifiers.cased = true,
        "neq" => modifiers.negated = true,
        "expand" => modifiers.expand = true,
        "windash" => modifiers.windash = true,
        "contains" => return set_anchor(Anchor::Anywhere, word, at, modifiers, report),
        "startswith" => return set_anchor(Anchor::Start, word, at, modifiers, report),
        "endswith" => return set_anchor(Anchor::End, word, at, modifiers, report),
        "re" => return set_kind(Kind::Regex(Flags::default()), word, at, modifiers, report),
        "i" | "ignorecase" | "m" | "multiline" | "s" | "dotall" => return set_flag(word, at, modifiers, report),
        "cidr" => return set_kind(Kind::Cidr, word, at, modifiers, report),
        "exists" => return set_kind(Kind::Exists, word, at, modifiers, report),
        "fieldref" => return set_kind(Kind::FieldRef, word, at, modifiers, report),
        "lt" => return set_kind(Kind::Compare(Comparison::Less), word, at, modifiers, report),
        "lte" => return set_kind(Kind::Compare(Comparison::LessOrEqual), word, at, modifiers, report),
        "gt" => return set_kind(Kind::Compare(Comparison::Greater), word, at, modifiers, report),
        "gte" => return set_kind(Kind::Compare(Comparison::GreaterOrEqual), word, at, modifiers, report),
        _ => return apply_encoding_or_part(word, at, modifiers, report),
    }
    true
}

fn apply_encoding_or_part(word: &str, at: Place, modifiers: &mut Modifiers, report: &mut Report) -> bool {
    let encoding = match word {
        "base64" => Some(Encoding::Base64),
        "base64offset" => Some(Encoding::Base64Offset),
        "utf16" => Some(Encoding::Utf16),
        "wide" | "utf16le" => Some(Encoding::Utf16Le),
        "utf16be" => Some(Encoding::Utf16Be),
        _ => None,
    };
    if let Some(encoding) = encoding {
        modifiers.encodings.push(encoding);
        return true;
    }
    modifiers.part = match word {
        "minute" => Some(Part::Minute),
        "hour" => Some(Part::Hour),
        "day" => Some(Part::Day),
        "week" => Some(Part::Week),
        "month" => Some(Part::Month),
        "year" => Some(Part::Year),
        unknown => {
            let fix = match nearest(unknown, NAMES) {
                Some(name) => format!("Did you mean `{name}`?"),
                None => format!("The modifiers are: {}.", NAMES.join(", ")),
            };
            report.error(at, "unknown-modifier", format!("there is no modifier `{unknown}`"), fix);
            return false;
        }
    };
    true
}

fn set_anchor(anchor: Anchor, word: &str, at: Place, modifiers: &mut Modifiers, report: &mut Report) -> bool {
    if modifiers.anchor != Anchor::Whole && modifiers.anchor != anchor {
        return conflict(word, at, report);
    }
    modifiers.anchor = anchor;
    true
}

fn set_kind(kind: Kind, word: &str, at: Place, modifiers: &mut Modifiers, report: &mut Report) -> bool {
    if modifiers.kind != Kind::Value {
        return conflict(word, at, report);
    }
    modifiers.kind = kind;
    true
}

fn set_flag(word: &str, at: Place, modifiers: &mut Modifiers, report: &mut Report) -> bool {
    let Kind::Regex(flags) = &mut modifiers.kind else {
        let message = format!("`{word}` is a flag of `re` and stands behind it");
        report.error(at, "conflicting-modifiers", message, format!("Write `re|{word}`."));
        return false;
    };
    match word {
        "i" | "ignorecase" => flags.ignore_case = true,
        "m" | "multiline" => flags.multi_line = true,
        _ => flags.dot_all = true,
    }
    true
}

fn conflict(word: &str, at: Place, report: &mut Report) -> bool {
    let message = format!("`{word}` does not go together with the modifiers before it");
    report.error(at, "conflicting-modifiers", message, "Keep one of them.");
    false
}

fn is_consistent(modifiers: &Modifiers, at: Place, report: &mut Report) -> bool {
    let changes_text = !modifiers.encodings.is_empty() || modifiers.windash || modifiers.expand;
    let clash = match modifiers.kind {
        Kind::Value => modifiers.part.is_some() && (changes_text || modifiers.anchor != Anchor::Whole),
        Kind::Regex(_) => {
            changes_text && !modifiers.expand || modifiers.anchor != Anchor::Whole || modifiers.part.is_some()
        }
        Kind::FieldRef => changes_text || modifiers.part.is_some(),
        Kind::Cidr => modifiers.anchor != Anchor::Whole || !modifiers.encodings.is_empty() || modifiers.windash,
        Kind::Exists | Kind::Compare(_) => changes_text || modifiers.anchor != Anchor::Whole,
    };
    if clash {
        let message = format!("`{}` do not go together", modifiers.text);
        report.error(at, "conflicting-modifiers", message, "See the Sigma specification for what each takes.");
    }
    !clash
}
