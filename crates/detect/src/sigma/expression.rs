//! Regular expressions under `re`: searched, not matched whole, in linear time, with limits.

mod run;

use std::ops::Range;

use regex::{Regex, RegexBuilder};
use regex_syntax::{
    ParserBuilder, ast,
    hir::{Class, Hir, HirKind},
};

use self::run::Run;

use super::modifiers::Flags;

/// An expression that is ready to be searched for.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    regex: Regex,
    /// The same as a count of characters, where it is no more than that.
    run: Option<Run>,
}

impl Expression {
    pub(crate) fn into_regex(self) -> Regex {
        self.regex
    }

    pub(crate) fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Where it is found, from left to right.
    pub(crate) fn places(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        self.regex.find_iter(text).map(|found| found.range())
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.run.as_ref().map_or_else(|| self.regex.is_match(text), |run| run.is_in(text))
    }
}

/// Characters of an expression.
const MAX_CHARS: usize = 8_192;
/// Bytes of a compiled expression.
const MAX_PROGRAM_BYTES: usize = 4 * 1_024 * 1_024;
/// Bytes of the cache of one expression's automaton.
const MAX_CACHE_BYTES: usize = 1_024 * 1_024;

/// Places that counted repetitions may unfold into. A search may have to keep all of them in mind at each character, so they
/// bound what one character costs.
const MAX_COUNTED: usize = 256;

/// What any expression costs, for the parts that do not grow with it.
const BASE_COST: usize = 1_000;

/// Why an expression is refused, and where in it.
pub(crate) struct Problem {
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) fix: &'static str,
}

/// About how many states the automaton of an expression has; 0 when it cannot be read.
pub(crate) fn cost(text: &str, flags: Flags) -> usize {
    if text.chars().nth(MAX_CHARS).is_some() {
        return 0;
    }
    let parser = ParserBuilder::new().case_insensitive(flags.ignore_case).build().parse(text);
    parser.map_or(0, |hir| states(&hir).saturating_add(BASE_COST))
}

fn states(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().map(states).fold(0, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().max(1),
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            states(&repetition.sub).saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
        }
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts).saturating_add(parts.len()),
    }
}

/// The places that counted repetitions unfold into.
fn counted(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().map(counted).fold(0, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => 0,
        HirKind::Repetition(repetition) => match repetition.max.unwrap_or(repetition.min) {
            0 | 1 => counted(&repetition.sub),
            times => places(&repetition.sub).saturating_mul(usize::try_from(times).unwrap_or(usize::MAX)),
        },
        HirKind::Capture(capture) => counted(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// Characters and classes, each as often as it is repeated.
fn places(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().map(places).fold(0, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            places(&repetition.sub).saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
        }
        HirKind::Capture(capture) => places(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

/// Refuses what would take long at each character, and says what is a mere count of characters.
fn weigh(text: &str) -> Result<Option<Run>, Problem> {
    let Ok(hir) = regex_syntax::Parser::new().parse(text) else { return Ok(None) };
    let run = Run::of(&hir);
    let counted = counted(&hir);
    if run.is_none() && counted > MAX_COUNTED {
        let message = format!("its counted repetitions unfold into {counted} places, more than {MAX_COUNTED}");
        let fix = "Lower the counts, or count nothing but one class of characters: `.{1000}`.";
        return Err(Problem { offset: 0, message, fix });
    }
    Ok(run)
}

pub(crate) fn compile(text: &str, flags: Flags) -> Result<Expression, Problem> {
    if text.chars().nth(MAX_CHARS).is_some() {
        let message = format!("the expression is longer than {MAX_CHARS} characters");
        return Err(Problem { offset: 0, message, fix: "Use several values instead of one expression." });
    }
    if let Err(error) = ast::parse::Parser::new().parse(text) {
        return Err(problem(&error));
    }
    let text = with_flags(text, flags);
    let built = RegexBuilder::new(&text).size_limit(MAX_PROGRAM_BYTES).dfa_size_limit(MAX_CACHE_BYTES).build();
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => Problem {
            offset: 0,
            message: format!("the expression needs more than {limit} bytes when compiled"),
            fix: "Lower its repetition counts.",
        },
        other => Problem { offset: 0, message: last_line(&other.to_string()), fix: "Correct the expression." },
    })?;
    Ok(Expression { run: weigh(&text)?, regex })
}

/// The flags stand in the expression, so that its text says all of it.
fn with_flags(text: &str, flags: Flags) -> String {
    let letters = [(flags.ignore_case, 'i'), (flags.multi_line, 'm'), (flags.dot_all, 's')];
    let set: String = letters.into_iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
    if set.is_empty() { text.to_owned() } else { format!("(?{set}){text}") }
}

fn problem(error: &ast::Error) -> Problem {
    let fix = match error.kind() {
        ast::ErrorKind::UnsupportedLookAround => {
            "Look-around needs backtracking, which is not offered: match without it and exclude by a filter selection."
        }
        ast::ErrorKind::UnsupportedBackreference => "Backreferences need backtracking, which is not offered.",
        _ => "Correct the expression; the syntax is that of Rust's regex crate.",
    };
    let offset = error.span().start.column.saturating_sub(1);
    Problem { offset, message: format!("invalid regular expression: {}", error.kind()), fix }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
