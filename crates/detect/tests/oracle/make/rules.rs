//! Rules as YAML text.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Dice, FIELDS, TIME, other_case, text};

const NETWORKS: [&str; 7] =
    ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "fe80::/10", "::ffff:10.0.0.0/104", "192.168.0.0/16"];
const EXPRESSIONS: [&str; 14] = [
    r"^C:\\.*cmd\.exe$",
    r"(?i)desktop",
    r"[0-9]{2,4}",
    r"a.c",
    r"\bncat\b",
    r"^\s*$",
    r"ü|Ü|ss",
    r"-(enc|ma)\b",
    r"x{1,3}y?",
    r"^.{10,}$",
    r"break$",
    r"(power)?shell",
    r"[^\x00-\x7f]",
    r"k",
];
/// Modifiers of text, in an order that the specification allows.
const TEXT: [&str; 22] = [
    "",
    "",
    "",
    "|contains",
    "|contains",
    "|contains",
    "|startswith",
    "|endswith",
    "|endswith",
    "|contains|all",
    "|all",
    "|cased",
    "|contains|cased",
    "|endswith|cased",
    "|startswith|cased",
    "|windash",
    "|windash|contains",
    "|windash|contains|all",
    "|windash|endswith",
    "|neq",
    "|contains|neq",
    "|expand",
];
const ENCODED: [&str; 9] = [
    "|base64|contains",
    "|base64offset|contains",
    "|base64offset|contains|cased",
    "|wide|base64offset|contains",
    "|utf16|base64|contains",
    "|utf16be|base64offset|contains",
    "|utf16le|contains",
    "|wide|contains|all",
    "|base64",
];
const NAMES: [&str; 5] = ["sel_a", "sel_b", "filter_x", "filter_y", "_hidden"];
const SOURCES: [&str; 6] = [
    "{category: test}",
    "{category: test}",
    "{product: p}",
    "{product: p, category: test}",
    "{product: p, service: s}",
    "{category: other}",
];

/// A rule of this id; what its values are is added to `hints` with their fields.
pub(crate) fn rule(id: &str, dice: &mut Dice, hints: &mut Vec<(String, String)>) -> String {
    let mut rule = format!("title: T\nid: {id}\nlevel: low\nlogsource: {}\ndetection:\n", dice.pick(&SOURCES));
    let mut names: Vec<&str> = NAMES.to_vec();
    let count = 1 + dice.below(3);
    while names.len() > count {
        names.remove(dice.below(names.len()));
    }
    for name in &names {
        let _written = writeln!(rule, "  {name}:");
        selection(&mut rule, dice, hints);
    }
    let condition = condition(&names, dice, 2);
    let _written = writeln!(rule, "  condition: {condition}");
    rule
}

fn selection(rule: &mut String, dice: &mut Dice, hints: &mut Vec<(String, String)>) {
    match dice.below(10) {
        0 => {
            for _ in 0..=dice.below(3) {
                let word = value(dice, false, hints, "");
                let _written = writeln!(rule, "    - {}", quoted(&word, dice));
            }
        }
        1 => {
            let words = values(&value_of(dice, hints, ""), dice, hints, "");
            let _written = writeln!(rule, "    '|all': [{words}]");
        }
        2 | 3 => {
            for _ in 0..=dice.below(2) {
                let lines = items(dice, hints);
                let _written = writeln!(rule, "    - {}", lines.join("\n      "));
            }
        }
        _ => {
            let lines = items(dice, hints);
            let _written = writeln!(rule, "    {}", lines.join("\n    "));
        }
    }
}

/// Lines with keys of their own.
fn items(dice: &mut Dice, hints: &mut Vec<(String, String)>) -> Vec<String> {
    let mut keys = BTreeSet::new();
    let mut lines = Vec::new();
    for _ in 0..=dice.below(3) {
        let (key, body) = item(dice, hints);
        if keys.insert(key.clone()) {
            lines.push(format!("{key}: {body}"));
        }
    }
    lines
}

fn item(dice: &mut Dice, hints: &mut Vec<(String, String)>) -> (String, String) {
    let field = dice.pick(&FIELDS);
    match dice.below(20) {
        0 | 1 => (format!("{field}|re{}", dice.pick(&["", "", "|i", "|m", "|s", "|i|m"])), {
            let expression = dice.pick(&EXPRESSIONS);
            quoted(expression, dice)
        }),
        2 => (format!("{field}|cidr{}", dice.pick(&["", "|neq"])), format!("'{}'", dice.pick(&NETWORKS))),
        3 => (format!("{field}|exists"), dice.pick(&["true", "false"]).to_owned()),
        4 => {
            let how = dice.pick(&["", "|contains", "|startswith", "|endswith", "|cased", "|neq", "|contains|neq"]);
            (format!("{field}|fieldref{how}"), dice.pick(&FIELDS).to_owned())
        }
        5 => {
            let number = dice.pick(&["1", "10", "4688", "1.5", "-35", "9007199254740993"]);
            hints.push((field.to_owned(), number.to_owned()));
            (format!("{field}|{}", dice.pick(&["lt", "lte", "gt", "gte"])), number.to_owned())
        }
        6 => {
            let part = dice.pick(&["minute", "hour", "day", "week", "month", "year"]);
            let number = dice.pick(&["1", "10", "12", "23", "29", "53", "59", "2025"]);
            (format!("{TIME}|{part}{}", dice.pick(&["", "|gt", "|lte", "|neq"])), number.to_owned())
        }
        7 | 8 => {
            let key = format!("{field}{}", dice.pick(&ENCODED));
            let texts: Vec<String> = (0..=dice.below(2)).map(|_| plain(dice)).collect();
            hints.extend(texts.iter().map(|text| (field.to_owned(), text.clone())));
            let shown: Vec<String> = texts.iter().map(|text| quoted(&text.replace('\\', r"\\"), dice)).collect();
            (key, format!("[{}]", shown.join(", ")))
        }
        9 => (field.to_owned(), scalar(dice, hints, field)),
        10 => {
            let list: Vec<String> = (0..=dice.below(3)).map(|_| scalar(dice, hints, field)).collect();
            (field.to_owned(), format!("[{}]", list.join(", ")))
        }
        _ => {
            let key = format!("{field}{}", dice.pick(&TEXT));
            let first = value_of(dice, hints, field);
            (key, format!("[{}]", values(&first, dice, hints, field)))
        }
    }
}

/// Null, a boolean, a number or a text.
fn scalar(dice: &mut Dice, hints: &mut Vec<(String, String)>, field: &str) -> String {
    match dice.below(6) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 | 3 => {
            let number =
                dice.pick(&["1", "10", "4688", "1.0", "-35", "1e3", "9007199254740993", "18446744073709551617"]);
            hints.push((field.to_owned(), number.to_owned()));
            number.to_owned()
        }
        4 => "''".to_owned(),
        _ => {
            let text = value_of(dice, hints, field);
            quoted(&text, dice)
        }
    }
}

fn value_of(dice: &mut Dice, hints: &mut Vec<(String, String)>, field: &str) -> String {
    value(dice, true, hints, field)
}

/// A text as a rule writes it: with wildcards and escapes here and there.
fn value(dice: &mut Dice, wild: bool, hints: &mut Vec<(String, String)>, field: &str) -> String {
    let own = text(dice);
    hints.push((field.to_owned(), own.clone()));
    let mut value: Vec<char> = other_case(&own, dice).chars().collect();
    if wild && dice.percent(25) {
        for _ in 0..=dice.below(2) {
            let at = dice.below(value.len() + 1);
            value.insert(at, dice.pick(&['*', '*', '?', '\\']));
        }
    }
    value.into_iter().collect()
}

fn values(first: &str, dice: &mut Dice, hints: &mut Vec<(String, String)>, field: &str) -> String {
    let mut all = vec![quoted(first, dice)];
    let more = dice.pick(&[0, 0, 0, 1, 2, 4, 9]);
    for _ in 0..more {
        let next = value_of(dice, hints, field);
        all.push(quoted(&next, dice));
    }
    all.join(", ")
}

/// What can be encoded: no wildcard, and not nothing.
fn plain(dice: &mut Dice) -> String {
    let text: String = text(dice).chars().filter(|c| !matches!(c, '*' | '?')).collect();
    if text.is_empty() { "whoami".to_owned() } else { text }
}

fn quoted(text: &str, dice: &mut Dice) -> String {
    if text.chars().any(char::is_control) || dice.percent(20) {
        serde_json::to_string(text).unwrap()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn condition(names: &[&str], dice: &mut Dice, depth: usize) -> String {
    let shown = names.iter().filter(|name| !name.starts_with('_')).count();
    let starting = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 | 1 => dice.pick(names).to_owned(),
        2 if shown > 0 => dice.pick(&["1 of them", "all of them", "any of them"]).to_owned(),
        3 if starting("sel_") > 0 => dice.pick(&["1 of sel_*", "all of sel_*"]).to_owned(),
        4 if starting("filter_") > 1 => "2 of filter_*".to_owned(),
        5 => format!("not {}", dice.pick(names)),
        6 => format!("{} and {}", condition(names, dice, depth - 1), condition(names, dice, depth - 1)),
        7 => format!("{} or {}", condition(names, dice, depth - 1), condition(names, dice, depth - 1)),
        8 => format!("not ({})", condition(names, dice, depth - 1)),
        _ => dice.pick(names).to_owned(),
    }
}
