//! Text with wildcards, compared without case unless the rule says otherwise.
//!
//! `*` is any run of characters, `?` one character; a backslash before `*`, `?` or a backslash makes it plain, any
//! other backslash is itself. Nothing else is special.

use std::ops::Range;

use memchr::memmem::Finder;

use super::steps::{self, Step, Steps};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
    /// Any of the dashes and the slash that Windows programs take before an option (`windash`).
    Dash,
}

/// What `windash` lets stand for each other.
pub(crate) const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// A rule's value, cut into text and wildcards.
pub(crate) fn tokens(value: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut text = String::new();
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        let wildcard = match char {
            '\\' => {
                let escaped = chars.next_if(|next| matches!(next, '*' | '?' | '\\'));
                text.push(escaped.unwrap_or('\\'));
                continue;
            }
            '*' => Token::Many,
            '?' => Token::One,
            other => {
                text.push(other);
                continue;
            }
        };
        flush(&mut tokens, &mut text);
        if wildcard != Token::Many || tokens.last() != Some(&Token::Many) {
            tokens.push(wildcard);
        }
    }
    flush(&mut tokens, &mut text);
    tokens
}

fn flush(tokens: &mut Vec<Token>, text: &mut String) {
    if !text.is_empty() {
        tokens.push(Token::Text(std::mem::take(text)));
    }
}

/// The text of tokens that hold no wildcard.
pub(crate) fn plain_text(tokens: &[Token]) -> Option<String> {
    let mut all = String::new();
    for token in tokens {
        let Token::Text(text) = token else { return None };
        all.push_str(text);
    }
    Some(all)
}

/// Where in the value the tokens must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Anchor {
    #[default]
    Whole,
    Start,
    End,
    Anywhere,
}

#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    shape: Shape,
    cased: bool,
}

/// The parts of a pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parts<'p> {
    /// Any value at all.
    Any,
    Text(&'p str, Anchor),
    /// Runs between stars: the first stands at the start, the last at the end.
    Runs(&'p [Vec<Token>]),
}

#[derive(Debug, Clone)]
enum Shape {
    /// `*`: any value at all.
    Any,
    Whole(Box<str>),
    Start(Box<str>),
    End(Box<str>),
    Anywhere(Box<Finder<'static>>),
    Wild(Wild),
}

impl Pattern {
    pub(crate) fn new(mut tokens: Vec<Token>, anchor: Anchor, cased: bool) -> Self {
        if matches!(anchor, Anchor::End | Anchor::Anywhere) && tokens.first() != Some(&Token::Many) {
            tokens.insert(0, Token::Many);
        }
        if matches!(anchor, Anchor::Start | Anchor::Anywhere) && tokens.last() != Some(&Token::Many) {
            tokens.push(Token::Many);
        }
        if !cased {
            for token in &mut tokens {
                if let Token::Text(text) = token {
                    *text = folded(text);
                }
            }
        }
        Self { shape: Shape::of(tokens), cased }
    }

    /// What the value must hold, as it is compared: in lower case unless case counts.
    pub(crate) fn parts(&self) -> Parts<'_> {
        match &self.shape {
            Shape::Any => Parts::Any,
            Shape::Whole(text) => Parts::Text(text, Anchor::Whole),
            Shape::Start(text) => Parts::Text(text, Anchor::Start),
            Shape::End(text) => Parts::Text(text, Anchor::End),
            Shape::Anywhere(finder) => {
                Parts::Text(std::str::from_utf8(finder.needle()).unwrap_or_default(), Anchor::Anywhere)
            }
            Shape::Wild(wild) => Parts::Runs(&wild.runs),
        }
    }

    pub(crate) fn is_cased(&self) -> bool {
        self.cased
    }

    /// `folded` is `text` in lower case, as `fold` makes it.
    pub(crate) fn matches(&self, text: &str, folded: &str) -> bool {
        let value = if self.cased { text } else { folded };
        match &self.shape {
            Shape::Any => true,
            Shape::Whole(whole) => **whole == *value,
            Shape::Start(start) => value.starts_with(&**start),
            Shape::End(end) => value.ends_with(&**end),
            Shape::Anywhere(finder) => finder.find(value.as_bytes()).is_some(),
            Shape::Wild(wild) => wild.matches(value),
        }
    }
}

impl Shape {
    fn of(tokens: Vec<Token>) -> Self {
        match tokens.as_slice() {
            [] => Self::Whole("".into()),
            [Token::Many] => Self::Any,
            [Token::Text(text)] => Self::Whole(text.as_str().into()),
            [Token::Text(text), Token::Many] => Self::Start(text.as_str().into()),
            [Token::Many, Token::Text(text)] => Self::End(text.as_str().into()),
            [Token::Many, Token::Text(text), Token::Many] => {
                Self::Anywhere(Box::new(Finder::new(text.as_bytes()).into_owned()))
            }
            _ => Self::Wild(Wild::new(tokens)),
        }
    }
}

/// Runs between stars: the first stands at the start, the last at the end, the others follow in order.
#[derive(Debug, Clone)]
struct Wild {
    runs: Vec<Vec<Token>>,
}

impl Wild {
    fn new(tokens: Vec<Token>) -> Self {
        let runs = tokens.split(|token| *token == Token::Many).map(<[Token]>::to_vec).collect();
        Self { runs }
    }

    fn matches(&self, value: &str) -> bool {
        match self.runs.as_slice() {
            [] => value.is_empty(),
            [only] => at_start(only, value).is_some_and(str::is_empty),
            [first, middle @ .., last] => {
                let Some(mut rest) = at_start(first, value) else { return false };
                for run in middle {
                    let after = leftmost(run, rest).and_then(|place| rest.get(place.end..));
                    let Some(after) = after else { return false };
                    rest = after;
                }
                at_end(last, rest).is_some()
            }
        }
    }
}

/// What follows the run where it stands at the start of the value.
pub(super) fn at_start<'v>(run: &[Token], mut value: &'v str) -> Option<&'v str> {
    for token in run {
        value = match token {
            Token::Text(text) => value.strip_prefix(text.as_str())?,
            Token::Dash => value.strip_prefix(DASHES)?,
            Token::One | Token::Many => {
                let mut chars = value.chars();
                chars.next()?;
                chars.as_str()
            }
        };
    }
    Some(value)
}

/// What stands before the run where it ends the value.
pub(super) fn at_end<'v>(run: &[Token], mut value: &'v str) -> Option<&'v str> {
    for token in run.iter().rev() {
        value = match token {
            Token::Text(text) => value.strip_suffix(text.as_str())?,
            Token::Dash => value.strip_suffix(DASHES)?,
            Token::One | Token::Many => {
                let mut chars = value.chars();
                chars.next_back()?;
                chars.as_str()
            }
        };
    }
    Some(value)
}

/// The first place where the run stands.
pub(super) fn leftmost(run: &[Token], value: &str) -> Option<Range<usize>> {
    let mut at = 0_usize;
    let first = match run {
        [] => return Some(0..0),
        [Token::Text(text), ..] => Some(Finder::new(text)),
        _ => None,
    };
    if let ([_], Some(text)) = (run, &first) {
        let start = text.find(value.as_bytes())?;
        return Some(start..start.saturating_add(text.needle().len()));
    }
    let length = run.iter().map(|token| if let Token::Text(text) = token { text.len() } else { 1 });
    let length = length.fold(0, usize::saturating_add);
    let mut patience = steps::patience(value.len());
    loop {
        if let Some(text) = &first {
            at = at.saturating_add(text.find(value.as_bytes().get(at..)?)?);
        }
        let rest = value.get(at..)?;
        if let Some(after) = at_start(run, rest) {
            return Some(at..value.len().saturating_sub(after.len()));
        }
        at = at.saturating_add(rest.chars().next()?.len_utf8());
        match patience.checked_sub(length) {
            Some(left) => patience = left,
            None => return step_by_step(run, value, at),
        }
    }
}

/// The same from `from` on, in time of the value alone, however often the run almost stands there.
#[cold]
fn step_by_step(run: &[Token], value: &str, from: usize) -> Option<Range<usize>> {
    let of = |token: &Token| match token {
        Token::Text(text) => text.chars().map(Step::Is).collect(),
        Token::Dash => vec![Step::Dash],
        Token::One | Token::Many => vec![Step::Any],
    };
    let steps: Vec<Step> = run.iter().flat_map(of).collect();
    let rest = value.get(from..)?;
    let last = Steps::new(&steps).find(rest.chars(), |_| true)?;
    let (end, char) = rest.char_indices().nth(last)?;
    let (start, _) = rest.char_indices().nth(last.saturating_add(1).checked_sub(steps.len())?)?;
    let end = end.saturating_add(char.len_utf8());
    Some(from.saturating_add(start)..from.saturating_add(end))
}

/// Lower case, character by character: a text folds the same alone and inside another (no final sigma).
pub(crate) fn fold(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        if let Some(copy) = out.get_mut(start..) {
            copy.make_ascii_lowercase();
        }
    } else {
        out.extend(text.chars().flat_map(char::to_lowercase));
    }
}

pub(crate) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::new(tokens(pattern), Anchor::Whole, false).matches(value, &folded(value))
    }

    #[test]
    fn backslashes_escape_wildcards_and_themselves_and_are_plain_elsewhere() {
        let table = [
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*b", r"a\xyzb", true),
            (r"a\\*b", "a*b", false),
            (r"a\\\*b", r"a\*b", true),
            (r"a\\\*b", r"a\xb", false),
            (r"a\\\b", r"a\\b", true),
            (r"a\\\\b", r"a\\b", true),
            (r"a\b", r"a\b", true),
            (r"a\\b", r"a\b", true),
            (r"a\", r"a\", true),
            (r"a\?c", "a?c", true),
            (r"a\?c", "abc", false),
            ("a?c", "aüc", true),
            ("a?c", "ac", false),
            ("[a]{b}^", "[A]{B}^", true),
            ("[a]", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "A", true),
            ("*b?d*", "xxbbcdbxd", true),
        ];
        for (pattern, value, expected) in table {
            assert_eq!(matches(pattern, value), expected, "{pattern} on {value}");
        }
    }

    #[test]
    fn a_trailing_backslash_does_not_eat_the_star_that_contains_adds() {
        let pattern = Pattern::new(tokens(r"\Desktop\"), Anchor::Anywhere, false);
        let value = r"C:\Users\me\Desktop\x.exe";
        assert!(pattern.matches(value, &folded(value)));
        assert!(!pattern.matches(r"C:\Desktop", &folded(r"C:\Desktop")));
    }

    #[test]
    fn case_folds_by_plain_unicode_lower_case() {
        let table = [
            ("k", "\u{212A}", true),
            ("K", "\u{212A}", true),
            ("\u{212A}", "k", true),
            ("i\u{307}", "\u{130}", true),
            ("i", "\u{130}", false),
            ("I", "\u{131}", false),
            ("ß", "ẞ", true),
            ("ß", "ss", false),
            ("ΑΣ", "ασ", true),
            ("ΑΣ", "ας", false),
            ("ÄÖ", "äö", true),
        ];
        for (pattern, value, expected) in table {
            assert_eq!(matches(pattern, value), expected, "{pattern} on {value}");
        }
    }

    /// The obvious matcher: tries everything.
    fn obvious(tokens: &[Token], value: &[char]) -> bool {
        match tokens.split_first() {
            None => value.is_empty(),
            Some((Token::Many, rest)) => (0..=value.len()).any(|skip| obvious(rest, &value[skip..])),
            Some((Token::One, rest)) => !value.is_empty() && obvious(rest, &value[1..]),
            Some((Token::Dash, rest)) => {
                value.first().is_some_and(|char| DASHES.contains(char)) && obvious(rest, &value[1..])
            }
            Some((Token::Text(text), rest)) => {
                let text: Vec<char> = text.chars().collect();
                value.starts_with(&text) && obvious(rest, &value[text.len()..])
            }
        }
    }

    fn any_token() -> impl Strategy<Value = Token> {
        prop_oneof!["[abü/]{1,3}".prop_map(Token::Text), Just(Token::One), Just(Token::Many), Just(Token::Dash)]
    }

    proptest! {
        #[test]
        fn a_pattern_decides_as_the_obvious_matcher_does(
            tokens in prop::collection::vec(any_token(), 0..7),
            value in "[abü/\u{2013}-]{0,10}",
        ) {
            let chars: Vec<char> = value.chars().collect();
            let expected = obvious(&tokens, &chars);
            let pattern = Pattern::new(tokens, Anchor::Whole, true);
            prop_assert_eq!(pattern.matches(&value, &value), expected);
        }

        #[test]
        fn a_run_is_found_step_by_step_where_trying_each_place_finds_it(
            run in prop::collection::vec(any_token().prop_filter("a star ends a run", |token| *token != Token::Many), 1..5),
            value in "[abü/\u{2013}-]{0,20}",
        ) {
            let tried = |at: usize| Some(at..value.len() - at_start(&run, value.get(at..)?)?.len());
            let expected = (0..=value.len()).find_map(tried);
            prop_assert_eq!(leftmost(&run, &value), expected.clone());
            prop_assert_eq!(step_by_step(&run, &value, 0), expected);
        }

        #[test]
        fn text_without_specials_is_itself(value in "[^*?\\\\]{0,12}") {
            prop_assert_eq!(plain_text(&tokens(&value)), Some(value));
        }

        #[test]
        fn a_folded_part_is_part_of_the_folded_whole(a in ".{0,5}", b in ".{0,5}", c in ".{0,5}") {
            let whole = folded(&format!("{a}{b}{c}"));
            prop_assert_eq!(whole, format!("{}{}{}", folded(&a), folded(&b), folded(&c)));
        }
    }
}
