//! One line of a selection: a field and what its value must be, ready to be compared.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;

use super::{
    date::Part,
    decimal::Decimal,
    encode::{as_text, encode, encode_around, spelled_out, with_any_dash},
    expression::{self, Expression},
    modifiers::{Comparison, Flags, Kind, Modifiers},
    net,
    pattern::{Anchor, Parts, Pattern, Token, plain_text, tokens},
    scalar::{Scalar, ScalarKind},
};
use crate::diagnostic::{Place, Report};

/// Values that the rule names by `%name%`, each with what stands for it.
pub type Placeholders = BTreeMap<String, Arc<[String]>>;

#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Numbered within the rule, so that a compiled rule can keep field ids beside it.
    pub(crate) index: usize,
    /// `None`: a keyword, looked for in every value.
    pub(crate) field: Option<String>,
    pub(crate) modifiers: Modifiers,
    pub(crate) values: Vec<Candidate>,
    pub(crate) at: Place,
}

/// One value of the rule.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// As the rule writes it.
    pub(crate) shown: Box<str>,
    pub(crate) kind: ScalarKind,
    pub(crate) test: Test,
}

impl Candidate {
    pub(crate) fn new(value: &Scalar, test: Test) -> Self {
        Self { shown: value.shown().into(), kind: value.kind(), test }
    }

    /// The value before it became a test.
    pub(crate) fn scalar(&self) -> Scalar {
        Scalar::from_shown(&self.shown, self.kind)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Test {
    Pattern(Pattern),
    /// Several forms of one value.
    Either(Vec<Test>),
    /// A number: equal by value, whatever its spelling.
    Number {
        text: Box<str>,
        value: Decimal,
    },
    Compare {
        with: Comparison,
        value: Decimal,
    },
    Date {
        part: Part,
        with: Option<Comparison>,
        value: Decimal,
    },
    Regex(Expression),
    Network(IpNet),
    Null,
    Exists(bool),
    FieldRef {
        other: Box<str>,
        anchor: Anchor,
        cased: bool,
    },
    /// `%name%` without a list: never true until compiled with one.
    Unresolved,
}

impl Test {
    /// Equal for tests that pass the same values.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Regex(regex) => format!("re {}", regex.as_str()),
            Self::Pattern(pattern) => match (pattern.parts(), pattern.is_cased()) {
                (Parts::Text(text, anchor), false) => format!("{anchor:?} {text}"),
                (parts, cased) => format!("{cased} {parts:?}"),
            },
            other => format!("{other:?}"),
        }
    }
}

/// Texts that one value with dashes may stand for; more are refused.
const MAX_FORMS: usize = 1_000;
/// Texts that the placeholders of one value may stand for.
const MAX_EXPANDED: usize = 100_000;
/// What one expression may cost: a larger one is refused by itself, when it is compiled.
const MAX_REGEX_COST: usize = 131_072;
/// What one form of an encoded value costs of the budget of its file, beside its bytes.
const FORM_COST: usize = 16;
/// Bytes of forms that cost as much as one state of an automaton.
const BYTES_OF_COST: usize = 32;
/// Characters of one value.
pub(crate) const MAX_VALUE_CHARS: usize = 8_192;
/// Texts, `?` and dashes between two `*`: each may be tried at each place of an event's value.
const MAX_RUN: usize = 512;
/// A value of more parts than these costs of the budget of its file.
const FREE_TOKENS: usize = 8;
/// What one text that a placeholder stands for costs.
const EXPANDED_COST: usize = 2;

/// The test that a value is under these modifiers; problems are reported.
pub(crate) fn test(
    value: &Scalar,
    modifiers: &Modifiers,
    keyword: bool,
    at: Place,
    report: &mut Report,
) -> Option<Test> {
    let (Scalar::Text(text) | Scalar::Number(text, _)) = value else {
        return test_of(value, modifiers, keyword, at, report);
    };
    if !matches!(modifiers.kind, Kind::Regex(_)) && text.chars().nth(MAX_VALUE_CHARS).is_some() {
        let message = format!("a value of over {MAX_VALUE_CHARS} characters");
        report.error(at, "value-too-long", message, "Shorten it: a part of it finds the whole with `|contains`.");
        return None;
    }
    test_of(value, modifiers, keyword, at, report)
}

fn test_of(value: &Scalar, modifiers: &Modifiers, keyword: bool, at: Place, report: &mut Report) -> Option<Test> {
    if modifiers.expand && matches!(value, Scalar::Text(text) if has_placeholder(text)) {
        return Some(Test::Unresolved);
    }
    if let Some(part) = modifiers.part {
        return date(value, part, modifiers, at, report);
    }
    match modifiers.kind {
        Kind::Value => plain(value, modifiers, keyword, at, report),
        Kind::Regex(flags) => regex(value, flags, at, report),
        Kind::Cidr => cidr(value, at, report),
        Kind::Exists => exists(value, keyword, at, report),
        Kind::FieldRef => field_ref(value, modifiers, keyword, at, report),
        Kind::Compare(with) => number(value, at, report).map(|value| Test::Compare { with, value }),
    }
}

fn plain(value: &Scalar, modifiers: &Modifiers, keyword: bool, at: Place, report: &mut Report) -> Option<Test> {
    let text = match value {
        Scalar::Null if keyword => {
            report.error(at, "invalid-value", "a keyword cannot be null", "Name the field that must be null.");
            return None;
        }
        Scalar::Null => return Some(Test::Null),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(text, value) if !keyword && is_bare(modifiers) => {
            return Some(Test::Number { text: text.as_str().into(), value: value.clone() });
        }
        Scalar::Number(text, _) => return pattern(vec![Token::Text(text.clone())], modifiers, keyword, at, report),
        Scalar::Text(text) => text.clone(),
    };
    pattern(tokens(&text), modifiers, keyword, at, report)
}

fn is_bare(modifiers: &Modifiers) -> bool {
    modifiers.anchor == Anchor::Whole && modifiers.encodings.is_empty()
}

/// Keywords stand anywhere in a value.
fn pattern(tokens: Vec<Token>, modifiers: &Modifiers, keyword: bool, at: Place, report: &mut Report) -> Option<Test> {
    let anchor = if keyword && modifiers.anchor == Anchor::Whole { Anchor::Anywhere } else { modifiers.anchor };
    let tokens = if modifiers.windash { with_any_dash(tokens) } else { tokens };
    if !has_short_runs(&tokens, at, report) {
        return None;
    }
    if tokens.len() > FREE_TOKENS && !report.spend(tokens.len().saturating_mul(2)) {
        return too_costly(at, report);
    }
    if modifiers.encodings.is_empty() {
        return Some(Test::Pattern(Pattern::new(tokens, anchor, modifiers.cased)));
    }
    if !report.spend(FORM_COST) {
        return too_costly(at, report);
    }
    let texts = match plain_text(&tokens) {
        Some(text) => Some(vec![text]),
        None if modifiers.windash => spelled_out(&tokens, MAX_FORMS),
        None => None,
    };
    let forms: Option<Vec<Vec<Token>>> = match texts {
        Some(texts) => {
            let forms = texts.iter().flat_map(|text| encode(text, &modifiers.encodings));
            Some(forms.map(|form| vec![Token::Text(as_text(&form))]).collect())
        }
        None => encode_around(&tokens, &modifiers.encodings).map(|tokens| vec![tokens]),
    };
    let Some(forms) = forms else {
        let message = "a wildcard, or too many dashes, in a value that is encoded";
        report.error(at, "invalid-value", message, "Escape it with a backslash, or use several values.");
        return None;
    };
    let bytes = forms.iter().flatten().map(|token| if let Token::Text(text) = token { text.len() } else { 0 });
    let bytes = bytes.fold(0, usize::saturating_add).div_euclid(BYTES_OF_COST);
    if !report.spend(forms.len().saturating_mul(FORM_COST).saturating_add(bytes)) {
        return too_costly(at, report);
    }
    let tests = forms.into_iter().map(|tokens| Test::Pattern(Pattern::new(tokens, anchor, modifiers.cased)));
    Some(Test::Either(tests.collect()))
}

/// Whether what stands between two `*` can be tried at each place of a value.
pub(crate) fn has_short_runs(tokens: &[Token], at: Place, report: &mut Report) -> bool {
    let long = tokens.split(|token| *token == Token::Many).any(|run| run.len() > MAX_RUN);
    if long {
        let message = format!("more than {MAX_RUN} texts, `?` and dashes one behind the other");
        report.error(at, "value-too-long", message, "Put a `*` between them, or shorten the value.");
    }
    !long
}

fn too_costly(at: Place, report: &mut Report) -> Option<Test> {
    let message = "the expressions and encoded values of this file need too much memory";
    report.error(at, "too-costly", message, "Use fewer or simpler ones, or several files.");
    None
}

fn regex(value: &Scalar, flags: Flags, at: Place, report: &mut Report) -> Option<Test> {
    let text = match value {
        Scalar::Text(text) | Scalar::Number(text, _) => text,
        Scalar::Null | Scalar::Bool(_) => {
            report.error(at, "invalid-regex", "`re` needs a regular expression", "Quote the expression.");
            return None;
        }
    };
    if !report.spend(expression::cost(text, flags).min(MAX_REGEX_COST)) {
        return too_costly(at, report);
    }
    match expression::compile(text, flags) {
        Ok(regex) => Some(Test::Regex(regex)),
        Err(problem) => {
            report.error(at.right(problem.offset), "invalid-regex", problem.message, problem.fix);
            None
        }
    }
}

fn cidr(value: &Scalar, at: Place, report: &mut Report) -> Option<Test> {
    let text = value.shown();
    let Some(network) = net::parse_network(&text) else {
        let message = format!("`{text}` is not a network");
        report.error(at, "invalid-cidr", message, "Write it as `10.0.0.0/8` or `fe80::/10`.");
        return None;
    };
    if net::has_host_bits(&text) {
        let message = format!("`{text}` has address bits behind its prefix");
        report.warning(at, "cidr-host-bits", message, format!("It is read as `{network}`."));
    }
    Some(Test::Network(network))
}

fn exists(value: &Scalar, keyword: bool, at: Place, report: &mut Report) -> Option<Test> {
    if keyword {
        report.error(at, "invalid-value", "`exists` needs a field", "Write the field before it: `field|exists: true`.");
        return None;
    }
    if let Scalar::Bool(wanted) = value {
        return Some(Test::Exists(*wanted));
    }
    report.error(at, "invalid-value", "`exists` takes true or false", "Write `true` or `false` without quotes.");
    None
}

fn field_ref(value: &Scalar, modifiers: &Modifiers, keyword: bool, at: Place, report: &mut Report) -> Option<Test> {
    match value {
        Scalar::Text(other) if !keyword && !other.is_empty() && !other.contains(['*', '?']) => {
            let other = other.as_str().into();
            Some(Test::FieldRef { other, anchor: modifiers.anchor, cased: modifiers.cased })
        }
        _ => {
            report.error(at, "invalid-value", "`fieldref` compares two fields", "Give the other field's whole name.");
            None
        }
    }
}

fn date(value: &Scalar, part: Part, modifiers: &Modifiers, at: Place, report: &mut Report) -> Option<Test> {
    let value = number(value, at, report)?;
    let with = match modifiers.kind {
        Kind::Compare(with) => Some(with),
        Kind::Value | Kind::Regex(_) | Kind::Cidr | Kind::Exists | Kind::FieldRef => None,
    };
    Some(Test::Date { part, with, value })
}

fn number(value: &Scalar, at: Place, report: &mut Report) -> Option<Decimal> {
    let number = match value {
        Scalar::Number(_, number) => Some(number.clone()),
        Scalar::Text(text) => Decimal::parse(text),
        Scalar::Null | Scalar::Bool(_) => None,
    };
    if number.is_none() {
        let message = format!("`{}` is not a number", value.shown());
        report.error(at, "invalid-value", message, "This modifier compares numbers.");
    }
    number
}

/// `%name%` with at least one character between.
fn has_placeholder(text: &str) -> bool {
    next_placeholder(text).is_some()
}

impl Item {
    /// The lists put in for the placeholders; one that has none is told, and stays false.
    pub(crate) fn resolve(&mut self, placeholders: &Placeholders, report: &mut Report) {
        let modifiers = Modifiers { expand: false, ..self.modifiers.clone() };
        let keyword = self.field.is_none();
        let mut told = false;
        for candidate in &mut self.values {
            // Once the budget is used up there is no use in more texts.
            if !matches!(candidate.test, Test::Unresolved) || !report.spend(0) {
                continue;
            }
            match expanded(&candidate.shown, placeholders) {
                Ok(texts) if !report.spend(texts.len().saturating_mul(EXPANDED_COST)) => {
                    let message = "the placeholders of this rule stand for too many values together";
                    report.error(self.at, "too-costly", message, "Shorten the lists; until then it is false.");
                }
                Ok(texts) => {
                    let texts = texts.into_iter().map(Scalar::Text);
                    let tests = texts.filter_map(|text| test(&text, &modifiers, keyword, self.at, report)).collect();
                    candidate.test = Test::Either(tests);
                }
                Err(Unexpanded::NoList) if told => {}
                Err(Unexpanded::NoList) => {
                    told = true;
                    let names = placeholder_names(&candidate.shown).into_iter();
                    let names = names.filter(|name| !placeholders.contains_key(*name));
                    let names: Vec<String> = names.map(|name| format!("`%{name}%`")).collect();
                    let message = format!("{} is false until a list is given for it", names.join(" and "));
                    let fix = "Give the list in the settings, in a pipeline (`vars`) or as `placeholders/<name>.txt`, or write the values out.";
                    report.warning(self.at, "unresolved-placeholder", message, fix);
                }
                Err(Unexpanded::TooMany) => {
                    let message = format!("`{}` stands for more than {MAX_EXPANDED} values", candidate.shown);
                    report.error(self.at, "too-many-values", message, "Shorten the lists; until then it is false.");
                }
            }
        }
    }
}

/// Why a value keeps its placeholders.
pub(crate) enum Unexpanded {
    NoList,
    TooMany,
}

/// What stands before the first placeholder, its name, and what follows.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('%')?;
    let (name, after) = rest.split_once('%')?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(is_name)).then_some((before, name, after))
}

/// The names of the placeholders in a text.
pub(crate) fn placeholder_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next_placeholder(rest) {
        names.push(name);
        rest = after;
    }
    names
}

/// Every text that `text` stands for.
fn expanded(text: &str, placeholders: &Placeholders) -> Result<Vec<String>, Unexpanded> {
    expand_with(text, |name| placeholders.get(name).map(|values| &**values))
}

/// Every text that `text` stands for, with the values that `list` knows for a name.
pub(crate) fn expand_with<'l>(
    text: &str,
    list: impl Fn(&str) -> Option<&'l [String]>,
) -> Result<Vec<String>, Unexpanded> {
    let mut done = Vec::new();
    let mut open = vec![(String::new(), text)];
    while let Some((head, tail)) = open.pop() {
        if done.len().saturating_add(open.len()) > MAX_EXPANDED {
            return Err(Unexpanded::TooMany);
        }
        match next_placeholder(tail) {
            None => done.push(format!("{head}{tail}")),
            Some((before, name, after)) => {
                let values = list(name).ok_or(Unexpanded::NoList)?;
                open.extend(values.iter().rev().map(|value| (format!("{head}{before}{value}"), after)));
            }
        }
    }
    Ok(done)
}
