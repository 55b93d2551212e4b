//! Text with wildcards, tried character by character, or piece by piece where there are only stars.

use memchr::memmem::Finder;

/// One place of a rule's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// Any of `DASHES`.
    Dash,
}

pub(crate) const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// A rule's value: `\*`, `\?` and `\\` are the characters, a backslash elsewhere is itself.
pub(crate) fn marks(value: &str) -> Vec<Mark> {
    let chars: Vec<char> = value.chars().collect();
    let (mut marks, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let next = chars.get(at + 1).copied();
        marks.push(match (chars[at], next) {
            ('\\', Some(special @ ('*' | '?' | '\\'))) => {
                at += 1;
                Mark::Char(special)
            }
            ('*', _) => Mark::Many,
            ('?', _) => Mark::One,
            (other, _) => Mark::Char(other),
        });
        at += 1;
    }
    marks
}

pub(crate) fn plain(text: &str) -> Vec<Mark> {
    text.chars().map(Mark::Char).collect()
}

/// `windash`: a minus or slash before a word and not behind one stands for any dash.
pub(crate) fn any_dash(marks: &[Mark]) -> Vec<Mark> {
    let word = |mark: Option<&Mark>| matches!(mark, Some(Mark::Char(c)) if c.is_alphanumeric() || *c == '_');
    let before = |at: usize| at.checked_sub(1).and_then(|at| marks.get(at));
    let dash = |at: usize| matches!(marks[at], Mark::Char('-' | '/')) && !word(before(at)) && word(marks.get(at + 1));
    (0..marks.len()).map(|at| if dash(at) { Mark::Dash } else { marks[at] }).collect()
}

/// Lower case, one character after the other.
pub(crate) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

pub(crate) fn lower_marks(marks: &[Mark]) -> Vec<Mark> {
    let mut all = Vec::new();
    for mark in marks {
        match mark {
            Mark::Char(c) => all.extend(c.to_lowercase().map(Mark::Char)),
            other => all.push(*other),
        }
    }
    all
}

/// What a value must be, as marks, and as text between stars where there is nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    marks: Vec<Mark>,
    pieces: Option<Vec<Finder<'static>>>,
    pub(crate) cased: bool,
}

impl Glob {
    pub(crate) fn new(marks: Vec<Mark>, cased: bool) -> Self {
        let marks = if cased { marks } else { lower_marks(&marks) };
        let mut pieces = vec![String::new()];
        for mark in &marks {
            match (mark, pieces.last_mut()) {
                (Mark::Char(c), Some(last)) => last.push(*c),
                (Mark::Many, _) => pieces.push(String::new()),
                _ => {}
            }
        }
        let simple = marks.iter().all(|mark| matches!(mark, Mark::Char(_) | Mark::Many));
        let pieces = pieces.iter().map(|piece| Finder::new(piece).into_owned()).collect();
        Self { marks, pieces: simple.then_some(pieces), cased }
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        match &self.pieces {
            Some(pieces) => in_order(pieces, value),
            None => tried(&self.marks, value),
        }
    }
}

/// The first piece stands at the start, the last at the end, the others between them in order.
fn in_order(pieces: &[Finder<'_>], value: &str) -> bool {
    let value = value.as_bytes();
    let (first, last) = (pieces[0].needle(), pieces[pieces.len() - 1].needle());
    if pieces.len() == 1 {
        return value == first;
    }
    if !value.starts_with(first) || !value.ends_with(last) || value.len() < first.len() + last.len() {
        return false;
    }
    let mut rest = &value[first.len()..value.len() - last.len()];
    for piece in &pieces[1..pieces.len() - 1] {
        match piece.find(rest) {
            Some(at) => rest = &rest[at + piece.needle().len()..],
            None => return false,
        }
    }
    true
}

/// Goes back to the last star whenever a character does not fit.
fn tried(marks: &[Mark], value: &str) -> bool {
    let value: Vec<char> = value.chars().collect();
    let (mut mark, mut at, mut star) = (0, 0, None);
    while at < value.len() {
        let fits = match marks.get(mark) {
            Some(Mark::Char(c)) => *c == value[at],
            Some(Mark::One) => true,
            Some(Mark::Dash) => DASHES.contains(&value[at]),
            Some(Mark::Many) => {
                star = Some((mark, at));
                mark += 1;
                continue;
            }
            None => false,
        };
        if fits {
            (mark, at) = (mark + 1, at + 1);
        } else if let Some((star_mark, from)) = star {
            star = Some((star_mark, from + 1));
            (mark, at) = (star_mark + 1, from + 1);
        } else {
            return false;
        }
    }
    marks[mark..].iter().all(|mark| *mark == Mark::Many)
}

#[test]
fn both_ways_decide_alike() {
    let values = ["", "a", "ab", "aab", "ba", "abab", "a*b", "bba", "aabbab"];
    for pattern in ["", "a", "*", "a*", "*a", "*a*", "a*b", "*ab*b", "a*b*a", "**", "*b*a*"] {
        let glob = Glob::new(marks(pattern), true);
        for value in values {
            assert_eq!(glob.matches(value), tried(&glob.marks, value), "{pattern} on {value}");
        }
    }
    assert!(Glob::new(marks(r"A\*\\*?"), false).matches(r"a*\xyz") && !Glob::new(marks("a?c"), true).matches("ac"));
}
