//! Values as pipelines see them: text with wildcards, and Python's regular expressions and replacements over it.

use regex::Regex;

use crate::{
    diagnostic::{Place, Report},
    sigma::{
        expression,
        modifiers::Flags,
        pattern::{Token, tokens},
    },
};

/// The value whole, with the wildcards that modifiers add: `*` and `?` are wildcards, behind a backslash characters.
pub(super) fn shown(tokens: &[Token]) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Text(text) => text.chars().for_each(|char| {
                if matches!(char, '*' | '?') {
                    out.push('\\');
                }
                out.push(char);
            }),
            Token::One | Token::Many => {
                if out.ends_with('\\') {
                    out.push('\\');
                }
                out.push(if *token == Token::One { '?' } else { '*' });
            }
            Token::Dash => out.push('-'),
        }
    }
    out
}

/// The value that is shown so. Other than in rules, a backslash that stands before no wildcard is always itself.
pub(super) fn read(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let is_wildcard = |at: usize| matches!(chars.get(at), Some('*' | '?'));
    let mut escaped = String::new();
    let mut at = 0_usize;
    while let Some(char) = chars.get(at) {
        let next = at.saturating_add(1);
        if *char != '\\' {
            escaped.push(*char);
        } else if is_wildcard(next) {
            escaped.push('\\');
            escaped.extend(chars.get(next));
            at = next;
        } else {
            escaped.push_str("\\\\");
            if chars.get(next) == Some(&'\\') && is_wildcard(next.saturating_add(1)) {
                at = next;
            }
        }
        at = at.saturating_add(1);
    }
    tokens(&escaped)
}

/// The value as a rule would write it, every backslash doubled.
pub(super) fn written(tokens: &[Token]) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Text(text) => text.chars().for_each(|char| {
                if matches!(char, '*' | '?' | '\\') {
                    out.push('\\');
                }
                out.push(char);
            }),
            Token::One => out.push('?'),
            Token::Many => out.push('*'),
            Token::Dash => out.push('-'),
        }
    }
    out
}

/// A wildcard at either end, where there is none.
pub(super) fn anywhere(tokens: &mut Vec<Token>) {
    if tokens.first() != Some(&Token::Many) {
        tokens.insert(0, Token::Many);
    }
    if tokens.last() != Some(&Token::Many) {
        tokens.push(Token::Many);
    }
}

/// A regular expression of a pipeline; `None` after a report. `whole` matches from the start, as Python's `match`.
pub(super) fn regex(text: &str, from_start: bool, at: Place, report: &mut Report) -> Option<Regex> {
    let flags = Flags::default();
    if !report.spend(expression::cost(text, flags)) {
        report.error(at, "too-costly", "the expressions of this file need too much memory", "Use fewer of them.");
        return None;
    }
    let anchored = format!("^(?:{text})");
    // Compiled as it is written first, so that problems have their place.
    let found = match expression::compile(text, flags) {
        Ok(regex) if !from_start => Ok(regex),
        Ok(_) => expression::compile(&anchored, flags),
        Err(problem) => Err(problem),
    };
    match found {
        Ok(expression) => Some(expression.into_regex()),
        Err(problem) => {
            report.error(at.right(problem.offset), "invalid-regex", problem.message, problem.fix);
            None
        }
    }
}

/// Python's replacement (`\1`, `\g<name>`) in the words of Rust (`${1}`).
pub(super) fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let after = rest.get(char.len_utf8()..).unwrap_or_default();
        if char == '$' {
            out.push_str("$$");
            rest = after;
            continue;
        }
        if char != '\\' {
            out.push(char);
            rest = after;
            continue;
        }
        let digits = after.chars().take_while(char::is_ascii_digit).take(2).count();
        if let Some((name, behind)) = after.strip_prefix("g<").and_then(|named| named.split_once('>')) {
            push_group(&mut out, name);
            rest = behind;
        } else if digits > 0 {
            push_group(&mut out, after.get(..digits).unwrap_or_default());
            rest = after.get(digits..).unwrap_or_default();
        } else {
            let next = after.chars().next();
            out.push(match next {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            });
            rest = after.get(next.map_or(0, char::len_utf8)..).unwrap_or_default();
        }
    }
    out
}

fn push_group(out: &mut String, name: &str) {
    out.push_str("${");
    out.push_str(name);
    out.push('}');
}

/// `CommandLine` to `command_line`.
pub(super) fn snake_case(text: &str) -> String {
    let mut out = String::new();
    let mut before: Option<char> = None;
    for char in text.chars() {
        let starts = char.is_uppercase() && before.is_some_and(|before| before.is_lowercase() || before.is_numeric());
        if starts {
            out.push('_');
        }
        out.extend(char.to_lowercase());
        before = Some(char);
    }
    out
}
