//! What is wrong with a rule or an indicator list: data for the person who edits it, never a reason to stop a load.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosticSeverity {
    /// The rule, or the line, is not loaded.
    Error,
    /// It is loaded and probably does not do what was meant.
    Warning,
    Info,
}

impl DiagnosticSeverity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: DiagnosticSeverity,
    /// Stable, in kebab case: `unknown-modifier`.
    pub code: &'static str,
    pub file: String,
    /// From 1; 0 speaks of the whole file.
    pub line: usize,
    /// From 1, in characters; 0 speaks of the whole line.
    pub column: usize,
    pub message: String,
    /// What to do about it; may be empty.
    pub fix: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, code, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {}[{code}]: {message}", self.severity.as_str())?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, " ({})", self.fix) }
    }
}

/// A place in a file; both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The place `chars` further on the same line.
    pub(crate) fn right(self, chars: usize) -> Self {
        Self { line: self.line, column: self.column.saturating_add(chars) }
    }
}

/// The diagnostics of one file, as they are found.
#[derive(Debug)]
pub(crate) struct Report {
    file: String,
    found: Vec<Diagnostic>,
    errors: usize,
    /// What the tests of this file may still cost.
    budget: usize,
    /// Values that this file may still have.
    values: usize,
}

/// A file with more problems than this is not listed further.
const MAX_DIAGNOSTICS: usize = 500;
/// States of all automata and forms of all encoded values of one file, about 32 bytes each.
const MAX_COST: usize = 1_000_000;
/// Values in all documents of one file, those of aliases and of a global document counted as often as they are used.
pub(crate) const MAX_VALUES: usize = 200_000;
/// Characters of a message, which may quote what a file says.
const MAX_MESSAGE_CHARS: usize = 1_000;

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), found: Vec::new(), errors: 0, budget: MAX_COST, values: MAX_VALUES }
    }

    pub(crate) fn error(&mut self, at: Place, code: &'static str, message: impl Into<String>, fix: impl Into<String>) {
        self.errors = self.errors.saturating_add(1);
        self.push(DiagnosticSeverity::Error, at, code, message.into(), fix.into());
    }

    pub(crate) fn warning(
        &mut self,
        at: Place,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(DiagnosticSeverity::Warning, at, code, message.into(), fix.into());
    }

    pub(crate) fn info(&mut self, at: Place, code: &'static str, message: impl Into<String>, fix: impl Into<String>) {
        self.push(DiagnosticSeverity::Info, at, code, message.into(), fix.into());
    }

    /// How many errors so far: a rule whose parsing raised it is not loaded.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Takes `cost` from what the tests of this file may need; `false` once it is used up.
    pub(crate) fn spend(&mut self, cost: usize) -> bool {
        self.budget = self.budget.saturating_sub(cost);
        self.budget > 0
    }

    /// Takes so many values from those that this file may have; `false` once they are used up.
    pub(crate) fn hold(&mut self, values: usize) -> bool {
        let left = self.values.checked_sub(values);
        self.values = left.unwrap_or(0);
        left.is_some()
    }

    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }

    fn push(&mut self, severity: DiagnosticSeverity, at: Place, code: &'static str, message: String, fix: String) {
        if self.found.len() < MAX_DIAGNOSTICS {
            let file = self.file.clone();
            let (message, fix) = (shortened(message), shortened(fix));
            self.found.push(Diagnostic { severity, code, file, line: at.line, column: at.column, message, fix });
        }
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The candidate nearest to a word, where it is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = word.chars().count().div_euclid(3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_ascii_lowercase(), &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, over words of at most 64 characters.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, a) in one.chars().take(64).enumerate() {
        let mut diagonal = index;
        let mut left = index.saturating_add(1);
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let change = diagonal.saturating_add(usize::from(a != *b));
            diagonal = *cell;
            left = change.min(left.saturating_add(1)).min(cell.saturating_add(1));
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_word_and_nonsense_finds_none() {
        let words = ["contains", "startswith", "endswith", "re"];
        assert_eq!(nearest("contain", words), Some("contains"));
        assert_eq!(nearest("startwith", words), Some("startswith"));
        assert_eq!(nearest("EndsWith", words), Some("endswith"));
        assert_eq!(nearest("zzzzzzz", words), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
