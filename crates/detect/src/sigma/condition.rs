//! The condition of a rule: `not` before `and` before `or`, parentheses, and counts over named selections.

use crate::diagnostic::{Place, Report, nearest};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr {
    /// The selection of that number.
    Selection(usize),
    Not(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// That many of these selections.
    AtLeast(usize, Vec<usize>),
}

impl Expr {
    /// Whether it holds, where `one` decides each selection.
    pub(crate) fn decide(&self, one: &mut impl FnMut(usize) -> bool) -> bool {
        match self {
            Self::Selection(index) => one(*index),
            Self::Not(inner) => !inner.decide(one),
            Self::All(parts) => parts.iter().all(|part| part.decide(one)),
            Self::Any(parts) => parts.iter().any(|part| part.decide(one)),
            Self::AtLeast(count, chosen) => chosen.iter().filter(|index| one(**index)).count() >= *count,
        }
    }

    /// Whether a `not` stands anywhere in it.
    pub(crate) fn has_not(&self) -> bool {
        match self {
            Self::Not(_) => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::has_not),
            Self::Selection(_) | Self::AtLeast(..) => false,
        }
    }
}

const MAX_DEPTH: usize = 64;
/// Words of one condition, and of all conditions of a rule that has several.
pub(crate) const MAX_WORDS: usize = 2_000;

struct Word<'t> {
    text: &'t str,
    at: Place,
}

/// Why a condition is not taken.
pub(crate) struct Refusal {
    at: Place,
    code: &'static str,
    message: String,
    fix: String,
}

impl Refusal {
    fn new(at: Place, code: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { at, code, message: message.into(), fix: fix.into() }
    }

    pub(crate) fn tell(self, report: &mut Report) {
        report.error(self.at, self.code, self.message, self.fix);
    }
}

/// How many words a condition has, at least.
pub(crate) fn length(text: &str) -> usize {
    text.split(['(', ')']).map(|part| part.split_whitespace().count()).sum()
}

/// The condition over selections of these names.
pub(crate) fn parse(text: &str, at: Place, names: &[&str]) -> Result<Expr, Refusal> {
    if let Some(before) = text.find('|').map(|index| text.chars().take(index).count()) {
        let message = "an aggregation (`| count() ...`) is Sigma 1 and in the language no more";
        let fix = "Take it out of the condition, and write a correlation rule that counts the matches.";
        return Err(Refusal::new(at.right(before), "unsupported-aggregation", message, fix));
    }
    let words = words(text, at);
    if words.len() > MAX_WORDS {
        return Err(Refusal::new(at, "condition-too-long", format!("more than {MAX_WORDS} words"), "Shorten it."));
    }
    let end = at.right(text.chars().count());
    let mut parser = Parser { words: &words, next: 0, names, end, depth: 0 };
    let expr = parser.any()?;
    match parser.words.get(parser.next) {
        None => Ok(expr),
        Some(word) => Err(Refusal::new(
            word.at,
            "invalid-condition",
            format!("`{}` is not expected here", word.text),
            "Join selections with `and` or `or`, and check the parentheses.",
        )),
    }
}

fn words(text: &str, at: Place) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    for (column, (index, char)) in text.char_indices().enumerate() {
        let single = matches!(char, '(' | ')');
        if !(single || char.is_whitespace()) {
            start.get_or_insert((index, column));
            continue;
        }
        if let Some((from, column)) = start.take() {
            words.extend(text.get(from..index).map(|text| Word { text, at: at.right(column) }));
        }
        if single {
            let next = index.saturating_add(1);
            words.extend(text.get(index..next).map(|text| Word { text, at: at.right(column) }));
        }
    }
    if let Some((from, column)) = start {
        words.extend(text.get(from..).map(|text| Word { text, at: at.right(column) }));
    }
    words
}

struct Parser<'p> {
    words: &'p [Word<'p>],
    next: usize,
    names: &'p [&'p str],
    end: Place,
    depth: usize,
}

impl<'p> Parser<'p> {
    fn peek(&self) -> Option<&'p Word<'p>> {
        self.words.get(self.next)
    }

    fn take(&mut self) -> Option<&'p Word<'p>> {
        let word = self.peek();
        self.next = self.next.saturating_add(1);
        word
    }

    fn take_if(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text.eq_ignore_ascii_case(keyword));
        if found {
            self.next = self.next.saturating_add(1);
        }
        found
    }

    fn any(&mut self) -> Result<Expr, Refusal> {
        let mut parts = vec![self.all()?];
        while self.take_if("or") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, Refusal> {
        let mut parts = vec![self.term()?];
        while self.take_if("and") {
            parts.push(self.term()?);
        }
        Ok(single_or(parts, Expr::All))
    }

    fn term(&mut self) -> Result<Expr, Refusal> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Refusal::new(self.end, "condition-too-deep", message, "Use more selections."));
        }
        let term = if self.take_if("not") { self.term().map(|term| Expr::Not(Box::new(term))) } else { self.atom() };
        self.depth = self.depth.saturating_sub(1);
        term
    }

    fn atom(&mut self) -> Result<Expr, Refusal> {
        let Some(word) = self.take() else {
            let message = "the condition ends where a selection is expected";
            return Err(Refusal::new(self.end, "invalid-condition", message, "Name a selection."));
        };
        if word.text == "(" {
            let inner = self.any()?;
            if self.take_if(")") {
                return Ok(inner);
            }
            return Err(Refusal::new(word.at, "invalid-condition", "this parenthesis is not closed", "Add `)`."));
        }
        if self.peek().is_some_and(|next| next.text.eq_ignore_ascii_case("of"))
            && let Some(count) = Count::parse(word.text)
        {
            self.next = self.next.saturating_add(1);
            return self.of(&count, word);
        }
        self.named(word)
    }

    fn named(&self, word: &Word<'_>) -> Result<Expr, Refusal> {
        if let Some(index) = self.names.iter().position(|name| *name == word.text) {
            return Ok(Expr::Selection(index));
        }
        if word.text.contains('*') {
            let message = format!("`{}` is a pattern without a count", word.text);
            return Err(Refusal::new(word.at, "invalid-condition", message, "Write `1 of` or `all of` before it."));
        }
        let message = format!("there is no selection `{}`", word.text);
        let fix = match nearest(word.text, self.names.iter().copied()) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("The selections are: {}.", self.names.join(", ")),
        };
        Err(Refusal::new(word.at, "unknown-selection", message, fix))
    }

    fn of(&mut self, count: &Count, first: &Word<'_>) -> Result<Expr, Refusal> {
        let Some(pattern) = self.take() else {
            let message = "`of` needs a name, a pattern or `them`";
            return Err(Refusal::new(self.end, "invalid-condition", message, "For example `1 of selection_*`."));
        };
        let them = pattern.text.eq_ignore_ascii_case("them");
        let chosen: Vec<usize> = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.starts_with('_') || pattern.text.starts_with('_'))
            .filter(|(_, name)| them || matches_name(pattern.text, name))
            .map(|(index, _)| index)
            .collect();
        if chosen.is_empty() {
            let message = format!("`{}` names no selection", pattern.text);
            let fix = format!("The selections are: {}.", self.names.join(", "));
            return Err(Refusal::new(pattern.at, "unknown-selection", message, fix));
        }
        let needed = match count {
            Count::All => chosen.len(),
            Count::Number(number) => *number,
        };
        if needed == 0 || needed > chosen.len() {
            let message = format!("{needed} of {} selections is never or always true", chosen.len());
            return Err(Refusal::new(first.at, "invalid-condition", message, "Correct the number."));
        }
        Ok(Expr::AtLeast(needed, chosen))
    }
}

enum Count {
    All,
    Number(usize),
}

impl Count {
    fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "all" => Some(Self::All),
            "any" => Some(Self::Number(1)),
            number => number.parse().ok().map(Self::Number),
        }
    }
}

fn single_or(mut parts: Vec<Expr>, join: impl Fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        only
    } else {
        join(parts)
    }
}

/// A name against a pattern whose only special character is `*`.
fn matches_name(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let names = ["sel", "sel_and_more", "filter_a", "filter_b", "_hidden", "1st"];
        match parse(text, Place { line: 1, column: 1 }, &names) {
            Ok(expr) => show(&expr),
            Err(refusal) => format!("{}@{}", refusal.code, refusal.at.column),
        }
    }

    fn show(expr: &Expr) -> String {
        let list = |parts: &[Expr], by: &str| format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(by));
        match expr {
            Expr::Selection(index) => index.to_string(),
            Expr::Not(inner) => format!("!{}", show(inner)),
            Expr::All(parts) => list(parts, "&"),
            Expr::Any(parts) => list(parts, "|"),
            Expr::AtLeast(count, of) => format!("{count}of{of:?}"),
        }
    }

    #[test]
    fn a_condition_reads_as_the_grammar_says_and_errors_name_their_column() {
        let table = [
            ("sel", "0"),
            ("sel or sel and not sel", "(0|(0&!0))"),
            ("not sel and sel", "(!0&0)"),
            ("not (sel or sel)", "!(0|0)"),
            ("SEL", "unknown-selection@1"),
            ("sel AND NOT 1 OF filter_*", "(0&!1of[2, 3])"),
            ("all of filter_*", "2of[2, 3]"),
            ("2 of filter*", "2of[2, 3]"),
            ("any of them", "1of[0, 1, 2, 3, 5]"),
            ("all of them", "5of[0, 1, 2, 3, 5]"),
            ("1 of _*", "1of[4]"),
            ("1 of *_a*", "1of[1, 2]"),
            ("1 of *hidden", "unknown-selection@6"),
            ("all of *", "5of[0, 1, 2, 3, 5]"),
            ("1 of sel", "1of[0]"),
            ("sel_and_more", "1"),
            ("(sel)and(sel)", "(0&0)"),
            ("1st and sel", "(5&0)"),
            ("1 of nothing_*", "unknown-selection@6"),
            ("sel and", "invalid-condition@8"),
            ("sel sel", "invalid-condition@5"),
            ("(sel", "invalid-condition@1"),
            ("sel)", "invalid-condition@4"),
            ("", "invalid-condition@1"),
            ("filter_*", "invalid-condition@1"),
            ("3 of filter_*", "invalid-condition@1"),
            ("0 of filter_*", "invalid-condition@1"),
            ("sel | count() > 5", "unsupported-aggregation@5"),
            ("not not sel", "!!0"),
        ];
        for (text, expected) in table {
            assert_eq!(check(text), expected, "{text}");
        }
        assert_eq!(check(&"not ".repeat(1_000)), "condition-too-deep@4001");
        assert_eq!(check(&"(".repeat(1_900)), "condition-too-deep@1901");
    }
}
