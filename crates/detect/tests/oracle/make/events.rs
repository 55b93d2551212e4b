//! Events as JSON text, in every legal spelling.

use std::fmt::Write as _;

use super::{Dice, FIELDS, TIME, TIMES, other_case, text};

/// A log source as product, categories and service.
const SOURCES: [(&str, &[&str], &str); 4] =
    [("p", &["test"], ""), ("p", &["other", "test"], "s"), ("", &["test"], ""), ("q", &["other"], "s")];

/// An event with values that resemble the hints, and its log source.
pub(crate) fn event(dice: &mut Dice, hints: &[(String, String)]) -> (String, shieldops_model::LogSource) {
    let known = if dice.percent(90) { &SOURCES[..3] } else { &SOURCES };
    let (product, categories, service) = dice.pick(known);
    let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let source = shieldops_model::LogSource {
        product: named(product),
        categories: categories.iter().map(|name| (*name).to_owned()).collect(),
        service: named(service),
    };
    let mut members = Vec::new();
    for _ in 0..=dice.below(7) {
        let (field, hint) = match hints.len() {
            0 => (String::new(), text(dice)),
            count => hints[dice.below(count)].clone(),
        };
        let field = if field.is_empty() || dice.percent(10) { dice.pick(&FIELDS).to_owned() } else { field };
        let value = value(&hint, dice, 0);
        members.push(member(&field, &value, dice));
    }
    if dice.percent(40) {
        let time = string(dice.pick(&TIMES), dice);
        members.push(member(TIME, &time, dice));
    }
    let gap = if dice.percent(10) { " " } else { "" };
    (format!("{{{gap}{}{gap}}}", members.join(&format!("{gap},{gap}"))), source)
}

/// A field as a flat key, or as a path through objects and lists.
fn member(field: &str, value: &str, dice: &mut Dice) -> String {
    match field.split_once('.') {
        Some((head, tail)) if dice.percent(70) => {
            let inner = format!("{{{}}}", member(tail, value, dice));
            let inner = match dice.below(5) {
                0 => format!("[{inner}]"),
                1 => format!(r#"[{{"z":1}},{inner},{{"b":"x"}}]"#),
                _ => inner,
            };
            format!("{}:{inner}", string(head, dice))
        }
        _ => format!("{}:{value}", string(field, dice)),
    }
}

fn value(hint: &str, dice: &mut Dice, depth: usize) -> String {
    let is_number = serde_json::from_str::<serde_json::Number>(hint).is_ok();
    match dice.below(14) {
        0 => dice.pick(&["null", "true", "false", "{}", "[]", "[null]", "\"\"", "1", "-35.0", "1e1"]).to_owned(),
        1 if depth < 2 => {
            let items: Vec<String> = (0..=dice.below(3)).map(|_| value(hint, dice, depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        2 | 3 if is_number => hint.to_owned(),
        4 => string(
            dice.pick(&[
                "2025-01-01 10:15:00",
                "2024-02-29T12:59:59.1Z",
                "fe80::1%eth0",
                "10.9.8.7:80",
                " 10 ",
                "1000",
            ]),
            dice,
        ),
        5 => {
            let other = text(dice);
            string(&other, dice)
        }
        _ => {
            let like = like(hint, dice);
            string(&like, dice)
        }
    }
}

/// A text that the hint may match: itself, inside another, in another case, or encoded.
fn like(hint: &str, dice: &mut Dice) -> String {
    let mut text = hint.to_owned();
    if dice.percent(40) {
        text = other_case(&text, dice);
    }
    if dice.percent(15) {
        let dash = dice.pick(&["-", "/", "\u{2013}", "\u{2014}", "\u{2015}"]);
        text = text.replace(['-', '/'], dash);
    }
    if dice.percent(8) {
        text = text.replace(['k', 'K'], "\u{212a}");
    }
    if dice.percent(20) {
        text = encoded(&text, dice);
    }
    let around = ["", "", "a", "x ", r"C:\", "\\", "ü", "12345678901234567890"];
    match dice.below(5) {
        0 => format!("{}{text}", dice.pick(&around)),
        1 => format!("{text}{}", dice.pick(&around)),
        2 => format!("{}{text}{}", dice.pick(&around), dice.pick(&around)),
        _ => text,
    }
}

fn encoded(text: &str, dice: &mut Dice) -> String {
    let bytes: Vec<u8> = match dice.below(3) {
        0 => text.bytes().collect(),
        1 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    };
    if dice.percent(30) {
        return String::from_utf8(bytes).unwrap_or_default();
    }
    let mut shifted = vec![b'#'; dice.below(4)];
    shifted.extend(bytes);
    shifted.extend(std::iter::repeat_n(b'.', dice.below(3)));
    crate::slow::encode::base64(&shifted)
}

/// A JSON string with escapes where they must be, and now and then where they need not.
fn string(text: &str, dice: &mut Dice) -> String {
    if dice.percent(70) {
        return serde_json::to_string(text).unwrap();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '/' if dice.percent(50) => out.push_str("\\/"),
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || dice.percent(15) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _written = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
