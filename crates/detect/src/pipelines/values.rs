//! Other values in the lines of a rule.

use std::collections::BTreeMap;

use regex::Regex;

use super::{
    draft::{Line, Now, Part, Value},
    text,
    transformation::Chosen,
};
use crate::sigma::{
    decimal::Decimal,
    item::{Unexpanded, expand_with, placeholder_names},
    modifiers::Modifiers,
    pattern::{Token, tokens},
};

/// Each value through `change`: `None` keeps it.
pub(super) fn each(mut line: Line, mut change: impl FnMut(&Value) -> Option<Vec<Now>>) -> (Line, bool) {
    let mut changed = false;
    let mut values = Vec::with_capacity(line.values.len());
    for value in line.values {
        match change(&value) {
            Some(new) => {
                changed = true;
                values.extend(new.into_iter().map(Value::new));
            }
            None => values.push(value),
        }
    }
    line.values = values;
    (line, changed)
}

pub(super) fn replaced(
    value: &Value,
    pattern: &Regex,
    with: &str,
    keep_special: bool,
    interpret: bool,
) -> Option<Vec<Now>> {
    let own;
    let found = match &value.now {
        Now::Text(found) => found,
        Now::Number(text) => {
            own = vec![Token::Text(text.clone())];
            &own
        }
        Now::Bool(_) | Now::Null | Now::Field(_) | Now::Other => return None,
    };
    if !keep_special {
        return Some(vec![Now::Text(text::read(&replaced_whole(&text::shown(found), pattern, with)))]);
    }
    let mut out = Vec::new();
    for token in found {
        match token {
            Token::Text(text) if interpret => out.extend(text::read(&pattern.replace_all(text, with))),
            Token::Text(text) => out.push(Token::Text(pattern.replace_all(text, with).into_owned())),
            other => out.push(other.clone()),
        }
    }
    Some(vec![Now::Text(out)])
}

/// The text replaced. A backslash before the last wildcard is shown to the expression as one, as pySigma does.
fn replaced_whole(shown: &str, pattern: &Regex, with: &str) -> String {
    let Some(before) = shown.strip_suffix("\\\\*") else { return pattern.replace_all(shown, with).into_owned() };
    let new = pattern.replace_all(&format!("{before}\\*"), with).into_owned();
    match new.strip_suffix("\\*") {
        Some(before) => format!("{before}\\\\*"),
        None => new,
    }
}

pub(super) fn mapped(value: &Value, names: &BTreeMap<String, Vec<String>>) -> Option<Vec<Now>> {
    let to = names.get(&value.text()?)?;
    Some(to.iter().map(|text| Now::Text(tokens(text))).collect())
}

/// Changes the text between wildcards.
pub(super) fn between(value: &Value, change: impl Fn(&str) -> String) -> Option<Vec<Now>> {
    let Now::Text(found) = &value.now else { return None };
    let one = |token: &Token| match token {
        Token::Text(text) => Token::Text(change(text)),
        other => other.clone(),
    };
    Some(vec![Now::Text(found.iter().map(one).collect())])
}

pub(super) fn to_text(value: &Value) -> Option<Vec<Now>> {
    match &value.now {
        Now::Number(text) => Some(vec![Now::Text(vec![Token::Text(text.clone())])]),
        _ => None,
    }
}

/// `Err` for text that is no number.
pub(super) fn to_number(value: &Value) -> Result<Option<Vec<Now>>, String> {
    let Some(text) = value.text() else { return Ok(None) };
    if Decimal::parse(&text).is_none() {
        return Err(text);
    }
    Ok(Some(vec![Now::Number(text)]))
}

/// The values that stand for the placeholders of a value; `Err` with the name that has none.
pub(super) fn filled(
    value: &Value,
    chosen: &Chosen,
    list: &impl Fn(&str) -> Option<Vec<String>>,
) -> Result<Option<Vec<Now>>, String> {
    let Some(waiting) = value.waiting() else { return Ok(None) };
    // Only plain text waits here; expressions with placeholders wait for the lists of the set.
    let Now::Text(found) = &value.now else { return Ok(None) };
    let names = placeholder_names(&waiting.shown);
    if !names.iter().all(|name| chosen.has(name)) {
        return Ok(None);
    }
    let mut lists = BTreeMap::new();
    for name in names {
        lists.insert(name.to_owned(), list(name).ok_or_else(|| name.to_owned())?);
    }
    match expand_with(&text::written(found), |name| lists.get(name).map(Vec::as_slice)) {
        Ok(texts) => Ok(Some(texts.iter().map(|text| Now::Text(tokens(text))).collect())),
        Err(Unexpanded::NoList | Unexpanded::TooMany) => Ok(None),
    }
}

/// The lines that take the place of a line of hashes; `None` when none of its values is one.
pub(super) fn hashes(line: &Line, algorithms: &[String], prefix: &str, drop_algorithm: bool) -> Option<Part> {
    let mut fields: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for value in &line.values {
        let text = value.text()?;
        let (algorithm, hash) = hash(&text);
        if algorithms.iter().any(|known| known.eq_ignore_ascii_case(&algorithm)) {
            let name = format!("{prefix}{}", if drop_algorithm { "" } else { algorithm.as_str() });
            fields.entry(name).or_default().push(Value::new(Now::Text(vec![Token::Text(hash)])));
        }
    }
    let lines: Vec<Part> =
        fields.into_iter().map(|(field, values)| Part::Line(Box::new(plain(line, field, values)))).collect();
    (!lines.is_empty()).then_some(Part::Any(lines))
}

/// The algorithm and the hash of `SHA1=5F1C...`, or of a hash alone by its length.
fn hash(text: &str) -> (String, String) {
    let trimmed = |text: &str| text.trim_matches(['*', '?']).to_owned();
    let mark = if text.contains('|') { '|' } else { '=' };
    let parts: Vec<&str> = text.split(mark).collect();
    if let [algorithm, hash] = parts.as_slice() {
        return (algorithm.trim_start_matches('*').to_uppercase(), trimmed(hash));
    }
    let hash = trimmed(parts.first().copied().unwrap_or_default());
    let algorithm = match hash.chars().count() {
        32 => "MD5",
        40 => "SHA1",
        64 => "SHA256",
        128 => "SHA512",
        _ => "",
    };
    (algorithm.to_owned(), hash)
}

/// A line of other field and values, without the modifiers of the first.
fn plain(line: &Line, field: String, values: Vec<Value>) -> Line {
    let modifiers = Modifiers { negated: line.modifiers.negated, ..Modifiers::default() };
    Line { field: Some(field), modifiers, values, at: line.at, applied: line.applied.clone() }
}

/// The lines that the named groups of an expression make of a line; `None` when nothing matched.
pub(super) fn extracted(line: &Line, pattern: &Regex, prefix: Option<&str>, keep_unmatched: bool) -> Option<Part> {
    let mut parts = Vec::new();
    for value in &line.values {
        let text = value.text()?;
        let Some(found) = pattern.captures(&text) else {
            if keep_unmatched {
                let kept = Line { values: vec![value.clone()], ..line.clone() };
                parts.push(Part::Line(Box::new(kept)));
            }
            continue;
        };
        let groups = pattern.capture_names().flatten().filter_map(|name| Some((name, found.name(name)?.as_str())));
        let lines: Vec<Part> = groups
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| {
                let field = prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"));
                Part::Line(Box::new(plain(line, field, vec![Value::new(typed(text))])))
            })
            .collect();
        if !lines.is_empty() {
            parts.push(Part::All(lines));
        }
    }
    match parts.len() {
        0 => None,
        1 => parts.pop(),
        _ if line.modifiers.all => Some(Part::All(parts)),
        _ => Some(Part::Any(parts)),
    }
}

/// Null, a number without a leading zero, or text.
fn typed(text: &str) -> Now {
    if matches!(text.to_lowercase().as_str(), "null" | "none") {
        return Now::Null;
    }
    let is_number = (text == "0" || !text.starts_with('0')) && Decimal::parse(text).is_some();
    if is_number { Now::Number(text.to_owned()) } else { Now::Text(vec![Token::Text(text.to_owned())]) }
}
