//! Other values in the lines of a rule.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;

use super::{
    draft::{Line, Now, Part, Value},
    size::{MAX_BYTES, MAX_LINES, MAX_VALUES},
    text,
    transformation::Chosen,
};
use crate::sigma::{
    decimal::Decimal,
    item::{Placeholders, Unexpanded, expand_with, placeholder_names},
    modifiers::Modifiers,
    pattern::{Token, tokens},
};

/// Each value through `change`: `None` keeps it. Once there are too many, or too much text, the rest is left out: who
/// looks at the size refuses the rule.
pub(super) fn each(mut line: Line, mut change: impl FnMut(&Value) -> Option<Vec<Now>>) -> (Line, bool) {
    let mut changed = false;
    let mut values = Vec::with_capacity(line.values.len());
    let mut bytes = 0_usize;
    for value in line.values {
        let old = values.len();
        match change(&value) {
            Some(new) => {
                changed = true;
                values.extend(new.into_iter().map(Value::new));
            }
            None => values.push(value),
        }
        let new = values.iter().skip(old).map(|value| value.now.bytes());
        bytes = new.fold(bytes, usize::saturating_add);
        if values.len() > MAX_VALUES || bytes > MAX_BYTES {
            break;
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
    let replace = |text: &str| replaced_in(text, pattern, with);
    let mut out = Vec::new();
    for token in found {
        match token {
            Token::Text(text) if interpret => out.extend(text::read(&replace(text))),
            Token::Text(text) => out.push(Token::Text(replace(text))),
            other => out.push(other.clone()),
        }
    }
    Some(vec![Now::Text(out)])
}

/// The text replaced. A backslash before the last wildcard is shown to the expression as one, as pySigma does.
fn replaced_whole(shown: &str, pattern: &Regex, with: &str) -> String {
    let Some(before) = shown.strip_suffix("\\\\*") else { return replaced_in(shown, pattern, with) };
    let new = replaced_in(&format!("{before}\\*"), pattern, with);
    match new.strip_suffix("\\*") {
        Some(before) => format!("{before}\\\\*"),
        None => new,
    }
}

/// The text with every place replaced, up to the length that a value may have and a little more.
fn replaced_in(text: &str, pattern: &Regex, with: &str) -> String {
    let (mut out, mut last) = (String::new(), 0);
    for found in pattern.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(text.get(last..whole.start()).unwrap_or_default());
        last = whole.end();
        found.expand(with, &mut out);
        if out.len() > MAX_BYTES {
            return out;
        }
    }
    out.push_str(text.get(last..).unwrap_or_default());
    out
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

/// The values that stand for the placeholders of a value; `None` where one of them has none.
pub(super) fn filled(
    value: &Value,
    chosen: &Chosen,
    list: &impl Fn(&str) -> Option<Arc<[String]>>,
) -> Option<Vec<Now>> {
    // Only plain text waits here; expressions with placeholders wait for the lists of the set.
    let (Some(waiting), Now::Text(found)) = (value.waiting(), &value.now) else { return None };
    let names = placeholder_names(&waiting.shown);
    if !names.iter().all(|name| chosen.has(name)) {
        return None;
    }
    let lists: Placeholders =
        names.into_iter().map(|name| Some((name.to_owned(), list(name)?))).collect::<Option<_>>()?;
    match expand_with(&text::written(found), |name| lists.get(name).map(|values| &**values)) {
        Ok(texts) => Some(texts.iter().map(|text| Now::Text(tokens(text))).collect()),
        Err(Unexpanded::NoList | Unexpanded::TooMany) => None,
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
    let (mut parts, mut made) = (Vec::new(), 0_usize);
    for value in &line.values {
        if made > MAX_LINES {
            break;
        }
        let text = value.text()?;
        let Some(found) = pattern.captures(&text) else {
            if keep_unmatched {
                made = made.saturating_add(1);
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
        made = made.saturating_add(lines.len());
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
