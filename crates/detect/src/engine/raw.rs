//! A test in the form that compares bytes of a plain value: ASCII, in canonical spelling, without `\u00xx`.

use shieldops_vector::{Needle, View};

use super::bytes::{escaped, is_boundary, is_plain};
use crate::sigma::{
    item::Test,
    pattern::{Anchor, Parts, Pattern, Token},
    steps::{self, Step, Steps},
};

#[derive(Debug, Clone)]
pub(crate) enum Raw {
    /// Absent or null.
    Null,
    Exists(bool),
    /// Any value but null.
    Any,
    /// No plain value passes.
    Never,
    Text(Text),
    /// Text with wildcards.
    Wild(Box<Wild>),
    /// Decided on the decoded text.
    Decoded,
    /// The value is empty.
    Empty,
    /// Compared with the value of another field, by the rule set's number; `None`: no rule names it elsewhere.
    Reference {
        other: Option<usize>,
        anchor: Anchor,
        cased: bool,
    },
}

/// One text at a place of the value.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) needle: Needle,
    pub(crate) anchor: Anchor,
    /// As the rule has it, where case counts.
    pub(crate) cased: Option<Box<[u8]>>,
}

/// Runs between stars.
#[derive(Debug, Clone)]
pub(crate) struct Wild {
    first: Run,
    middle: Vec<Run>,
    last: Option<Run>,
    cased: bool,
}

/// Texts and dashes one behind the other: a fixed number of bytes.
#[derive(Debug, Clone, Default)]
struct Run {
    pieces: Vec<Piece>,
    length: usize,
    /// The longest text of it and where in the run that begins.
    needle: Option<(Needle, usize)>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(Box<[u8]>),
    Dash,
}

/// How often letters and signs stand in logs: the less, the rarer. Only speed hangs on it.
pub(crate) fn rarity(byte: u8) -> u32 {
    match byte {
        b'e' | b's' | b'i' | b'o' | b'n' | b't' | b'a' | b'r' | b'\\' => 9,
        b'c' | b'd' | b'l' | b'm' | b'p' | b'u' | b'0'..=b'9' | b' ' | b'.' | b'/' | b'-' => 7,
        b'w' | b'y' | b'h' | b'g' | b'f' | b'v' | b'b' | b'k' | b'x' => 5,
        b'{' | b'}' | b'_' | b':' | b'j' | b'q' | b'z' => 2,
        _ => 1,
    }
}

/// What looks for the text as it is compared.
fn needle(text: &[u8], cased: bool) -> Option<Needle> {
    if cased { Needle::cased(text, rarity) } else { Needle::new(text, rarity) }
}

impl Raw {
    /// `number` is the rule set's number of a field.
    pub(crate) fn of(test: &Test, number: &dyn Fn(&str) -> Option<usize>) -> Self {
        match test {
            Test::Null => Self::Null,
            Test::Exists(wanted) => Self::Exists(*wanted),
            Test::FieldRef { other, anchor, cased } => {
                Self::Reference { other: number(other), anchor: *anchor, cased: *cased }
            }
            Test::Pattern(pattern) => Self::of_pattern(pattern),
            _ => Self::Decoded,
        }
    }

    fn of_pattern(pattern: &Pattern) -> Self {
        let (parts, cased) = (pattern.parts(), pattern.is_cased());
        let (text, anchor) = match parts {
            Parts::Any => return Self::Any,
            Parts::Text(text, anchor) => (text, anchor),
            Parts::Runs(runs) => return Wild::raw(runs, cased).unwrap_or(Self::Decoded),
        };
        if !is_plain(text) {
            return Self::Never;
        }
        match needle(&escaped(text), cased) {
            Some(needle) => {
                let cased = cased.then(|| escaped(text).into());
                Self::Text(Text { needle, anchor, cased })
            }
            // An empty text: the value is empty, or any.
            None if anchor == Anchor::Whole => Self::Empty,
            None => Self::Any,
        }
    }
}

/// Bytes of a value times those of another that is looked for at each of its places.
const MAX_COMPARED: usize = 1_024 * 1_024;

/// Whether one plain value stands in another, by their bytes; `None` where to try each place would take long.
pub(crate) fn refers(value: &[u8], other: &[u8], anchor: Anchor, cased: bool) -> Option<bool> {
    let same = |part: &[u8]| if cased { part == other } else { part.eq_ignore_ascii_case(other) };
    let at_end = || {
        let start = value.len().checked_sub(other.len())?;
        Some(same(value.get(start..)?) && is_boundary(value, start))
    };
    Some(match anchor {
        Anchor::Whole => same(value),
        Anchor::Start => value.get(..other.len()).is_some_and(same),
        Anchor::End => at_end().unwrap_or(false),
        Anchor::Anywhere if other.is_empty() => true,
        Anchor::Anywhere if value.len().saturating_mul(other.len()) > MAX_COMPARED => return None,
        Anchor::Anywhere => {
            let mut parts = value.windows(other.len()).enumerate();
            parts.any(|(start, part)| same(part) && is_boundary(value, start))
        }
    })
}

impl Text {
    pub(crate) fn matches(&self, value: View<'_>) -> bool {
        let (bytes, wanted) = (value.bytes(), self.needle.text());
        match self.anchor {
            Anchor::Whole => bytes.len() == wanted.len() && self.same(bytes),
            Anchor::Start => bytes.get(..wanted.len()).is_some_and(|start| self.same(start)),
            Anchor::End => bytes
                .len()
                .checked_sub(wanted.len())
                .is_some_and(|at| bytes.get(at..).is_some_and(|end| self.same(end)) && is_boundary(bytes, at)),
            Anchor::Anywhere => self.needle.find(value, 0, |at| is_boundary(bytes, at)).is_some(),
        }
    }

    fn same(&self, bytes: &[u8]) -> bool {
        match &self.cased {
            Some(cased) => bytes == &**cased,
            None => bytes.eq_ignore_ascii_case(self.needle.text()),
        }
    }
}

impl Wild {
    /// `None` where characters are counted or a run has no text to look for.
    fn raw(runs: &[Vec<Token>], cased: bool) -> Option<Raw> {
        let texts = runs.iter().flatten().filter_map(|token| match token {
            Token::Text(text) => Some(text.as_str()),
            Token::One | Token::Many | Token::Dash => None,
        });
        if !texts.clone().all(is_plain) {
            return Some(Raw::Never);
        }
        let mut runs: Vec<Run> = runs.iter().map(|run| Run::new(run, cased)).collect::<Option<_>>()?;
        let last = if runs.len() > 1 { runs.pop() } else { None };
        let mut runs = runs.into_iter();
        let first = runs.next()?;
        let middle: Vec<Run> = runs.collect();
        if middle.iter().any(|run| run.needle.is_none()) {
            return None;
        }
        Some(Raw::Wild(Box::new(Self { first, middle, last, cased })))
    }

    pub(crate) fn matches(&self, value: View<'_>) -> bool {
        let bytes = value.bytes();
        if !self.first.stands(bytes, 0, self.cased) {
            return false;
        }
        let Some(last) = &self.last else { return bytes.len() == self.first.length };
        let Some(end) = bytes.len().checked_sub(last.length) else { return false };
        let mut from = self.first.length;
        let before_last = value.part(0, end);
        for run in &self.middle {
            let Some(at) = run.find(before_last, from, self.cased) else { return false };
            from = at.saturating_add(run.length);
        }
        from <= end && last.stands(bytes, end, self.cased)
    }

    /// Runs in any order anywhere in a text: what must at least be there.
    pub(crate) fn may_stand_in(&self, text: View<'_>) -> bool {
        let runs = std::iter::once(&self.first).chain(&self.middle).chain(&self.last);
        runs.filter_map(|run| run.needle.as_ref()).all(|(needle, _)| needle.find(text, 0, |_| true).is_some())
    }
}

impl Run {
    fn new(tokens: &[Token], cased: bool) -> Option<Self> {
        let mut run = Self::default();
        for token in tokens {
            let length = match token {
                Token::Text(text) => {
                    let text = escaped(text);
                    let length = text.len();
                    let longest = run.needle.as_ref().map_or(0, |(needle, _)| needle.text().len());
                    if length > longest {
                        run.needle = needle(&text, cased).map(|needle| (needle, run.length));
                    }
                    run.pieces.push(Piece::Text(text.into()));
                    length
                }
                Token::Dash => {
                    run.pieces.push(Piece::Dash);
                    1
                }
                Token::One | Token::Many => return None,
            };
            run.length = run.length.saturating_add(length);
        }
        Some(run)
    }

    fn stands(&self, bytes: &[u8], at: usize, cased: bool) -> bool {
        let Some(mut rest) = bytes.get(at..) else { return false };
        for piece in &self.pieces {
            let length = match piece {
                Piece::Text(text) => {
                    let Some(have) = rest.get(..text.len()) else { return false };
                    if !(if cased { have == &**text } else { have.eq_ignore_ascii_case(text) }) {
                        return false;
                    }
                    text.len()
                }
                Piece::Dash if matches!(rest.first(), Some(b'-' | b'/')) => 1,
                Piece::Dash => return false,
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        is_boundary(bytes, at)
    }

    /// The first place from `from` on where the run stands.
    fn find(&self, value: View<'_>, from: usize, cased: bool) -> Option<usize> {
        let (needle, offset) = self.needle.as_ref()?;
        let (start, bytes) = (from.saturating_add(*offset), value.bytes());
        if self.pieces.len() == 1 {
            return needle.find(value, start, |at| is_boundary(bytes, at));
        }
        let mut patience = steps::patience(value.len());
        let mut lost = false;
        let found = needle.find(value, start, |at| {
            lost = patience < self.length;
            patience = patience.saturating_sub(self.length);
            lost || self.stands(bytes, at.saturating_sub(*offset), cased)
        })?;
        let found = found.saturating_sub(*offset);
        if lost { self.find_linear(bytes, found, cased) } else { Some(found) }
    }

    /// In time of the value alone, however often the run almost stands there.
    #[cold]
    fn find_linear(&self, bytes: &[u8], from: usize, cased: bool) -> Option<usize> {
        let of = |piece: &Piece| match piece {
            Piece::Text(text) => text.iter().map(|byte| Step::Is(char::from(*byte))).collect(),
            Piece::Dash => vec![Step::Dash],
        };
        let steps = Steps::new(&self.pieces.iter().flat_map(of).collect::<Vec<Step>>());
        let folded = |byte: &u8| char::from(if cased { *byte } else { byte.to_ascii_lowercase() });
        let start = |last: usize| from.saturating_add(last).saturating_add(1).saturating_sub(self.length);
        let rest = bytes.get(from..)?.iter().map(folded);
        steps.find(rest, |last| is_boundary(bytes, start(last))).map(start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shieldops_vector::Padded;

    use super::*;
    use crate::sigma::pattern::folded;

    fn any_token() -> impl Strategy<Value = Token> {
        prop_oneof![
            3 => "[abAB\\\\/\n]{1,3}".prop_map(Token::Text),
            2 => Just(Token::Many),
            1 => Just(Token::Dash),
            1 => Just(Token::One),
            1 => "[aü\u{0}]{1,2}".prop_map(Token::Text),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn on_plain_values_the_bytes_say_what_the_text_says(
            tokens in prop::collection::vec(any_token(), 0..6),
            value in "[abAB\\\\/\n-]{0,10}",
            anchor in prop::sample::select(&[Anchor::Whole, Anchor::Start, Anchor::End, Anchor::Anywhere][..]),
            cased: bool,
        ) {
            let pattern = Pattern::new(tokens, anchor, cased);
            let expected = pattern.matches(&value, &folded(&value));
            let mut padded = Padded::new();
            padded.fill(|out| super::super::bytes::escape(&value, out));
            let found = match Raw::of_pattern(&pattern) {
                Raw::Any => true,
                Raw::Empty => padded.view().is_empty(),
                Raw::Never => false,
                Raw::Text(text) => text.matches(padded.view()),
                Raw::Wild(wild) => wild.matches(padded.view()),
                Raw::Decoded | Raw::Reference { .. } | Raw::Null | Raw::Exists(_) => return Ok(()),
            };
            prop_assert_eq!(found, expected, "{:?}", pattern);
        }

        #[test]
        fn a_value_refers_to_another_by_their_bytes_as_by_their_texts(
            value in "[abA\\\\\n]{0,6}", other in "[abA\\\\\n]{0,3}", cased: bool,
            anchor in prop::sample::select(&[Anchor::Whole, Anchor::Start, Anchor::End, Anchor::Anywhere][..]),
        ) {
            let [text, wanted] = [&value, &other].map(|text| if cased { text.clone() } else { folded(text) });
            let expected = match anchor {
                Anchor::Whole => text == wanted,
                Anchor::Start => text.starts_with(&wanted),
                Anchor::End => text.ends_with(&wanted),
                Anchor::Anywhere => text.contains(&wanted),
            };
            prop_assert_eq!(refers(&escaped(&value), &escaped(&other), anchor, cased), Some(expected));
        }
    }
}
