//! Expressions that only count characters of one class (`.{1000,}`, `^[a-z]{50}`): counted here, in one pass. Searched for
//! as expressions they would keep a place in mind for each character that is counted.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// At least so many characters of a class in a row.
#[derive(Debug, Clone)]
pub(super) struct Run {
    ranges: Box<[(char, char)]>,
    count: usize,
    /// Only at the start of the text.
    at_start: bool,
}

impl Run {
    /// What the expression counts, where it does nothing else.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        match hir.kind() {
            HirKind::Concat(parts) => match parts.as_slice() {
                [start, rest] if matches!(start.kind(), HirKind::Look(Look::Start)) => {
                    Some(Self { at_start: true, ..Self::counted(rest)? })
                }
                _ => None,
            },
            _ => Self::counted(hir),
        }
    }

    fn counted(hir: &Hir) -> Option<Self> {
        match hir.kind() {
            HirKind::Capture(capture) => Self::counted(&capture.sub),
            HirKind::Repetition(repetition) if repetition.min > 0 => {
                let ranges = class(&repetition.sub)?;
                Some(Self { ranges, count: usize::try_from(repetition.min).ok()?, at_start: false })
            }
            _ => None,
        }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        let mut found = 0_usize;
        for char in text.chars() {
            if self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&char)) {
                found = found.saturating_add(1);
                if found == self.count {
                    return true;
                }
            } else if self.at_start {
                return false;
            } else {
                found = 0;
            }
        }
        false
    }
}

/// Few enough ranges to be tried one by one.
const MAX_RANGES: usize = 8;

fn class(hir: &Hir) -> Option<Box<[(char, char)]>> {
    match hir.kind() {
        HirKind::Capture(capture) => class(&capture.sub),
        HirKind::Class(Class::Unicode(class)) if (1..=MAX_RANGES).contains(&class.ranges().len()) => {
            Some(class.ranges().iter().map(|range| (range.start(), range.end())).collect())
        }
        HirKind::Class(Class::Bytes(class)) if class.is_ascii() && (1..=MAX_RANGES).contains(&class.ranges().len()) => {
            Some(class.ranges().iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Option<Run> {
        Run::of(&regex_syntax::Parser::new().parse(text).unwrap())
    }

    #[test]
    fn a_count_of_characters_finds_what_the_expression_finds() {
        let texts = ["", "a", "aa", "aaa", "baab", "aa\naa", "äöü", "ÄÖ", "a b", "\naaa", "aab", "\u{212a}kk"];
        let expressions = [
            ".{2}",
            ".{3,}",
            "(.){3,}",
            "^.{3}",
            "^(.){2,}",
            "[^/]{3,9}",
            "(?s).{5}",
            "(?i)k{3}",
            "(?i)[a-z]{2}",
            "[ab]+",
            "(?s)^.{5,}",
            "((a|b)){3}",
            "a{2}",
        ];
        for expression in expressions {
            let regex = regex::Regex::new(expression).unwrap();
            let Some(run) = run(expression) else { continue };
            for text in texts {
                assert_eq!(run.is_in(text), regex.is_match(text), "{expression} on {text:?}");
            }
        }
    }

    #[test]
    fn what_does_more_than_count_is_left_to_the_expression() {
        for expression in
            [".{2}$", ".{2}a", "x.{2}", r"\b.{2}", "(?m)^.{2}", ".{0,5}", "(ab){2}", "a*", r"\w{300}", "a|b{2}"]
        {
            assert!(run(expression).is_none(), "{expression}");
        }
        for expression in [".{1000,}", "(.){200,}", "^.{2000}", ".{150}"] {
            assert!(run(expression).is_some(), "{expression}");
        }
    }
}
