//! What commands print: tables for people, one line of JSON for programs, and errors that say what, why and what to do.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Color, Style};
use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// One line of JSON.
    Json,
}

/// Everything went well.
pub(crate) const OK: u8 = 0;
/// The server refused or failed, or a check found something wrong.
pub(crate) const REFUSED: u8 = 1;
/// Wrong usage, or the work could not be begun: no server, no file, no permission.
pub(crate) const UNUSABLE: u8 = 2;

/// Why a command ends without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) what: String,
    pub(crate) why: Option<String>,
    pub(crate) fix: Option<String>,
}

impl Failure {
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { code: REFUSED, what: what.into(), why: None, fix: None }
    }

    pub(crate) fn unusable(what: impl Into<String>) -> Self {
        Self { code: UNUSABLE, ..Self::refused(what) }
    }

    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    pub(crate) fn print(&self) {
        say("error", AnsiColor::Red, &self.what);
        let mut err = anstream::stderr().lock();
        for (word, text) in [("why", &self.why), ("fix", &self.fix)] {
            if let Some(text) = text {
                // Nobody reads standard error: the exit code says it, too.
                drop(writeln!(err, "  {word}: {}", printable(text)));
            }
        }
    }
}

/// Errors of the system and of libraries: the work could not be done here.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let mut causes = error.chain().map(ToString::to_string);
        let failure = Self::unusable(causes.next().unwrap_or_default());
        let why: Vec<_> = causes.collect();
        if why.is_empty() { failure } else { failure.why(why.join(": ")) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::unusable("the output cannot be written").why(error.to_string())
    }
}

pub(crate) fn warn(text: &str) {
    say("warning", AnsiColor::Yellow, text);
}

/// For the person; programs read standard output.
pub(crate) fn note(text: &str) {
    say("note", AnsiColor::Cyan, text);
}

fn say(word: &str, colour: AnsiColor, text: &str) {
    let style = Style::new().fg_color(Some(Color::Ansi(colour))).bold();
    drop(writeln!(anstream::stderr().lock(), "{style}{word}{style:#}: {}", printable(text)));
}

/// One value as one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::unusable(error.to_string()))?;
    line(&text)
}

/// One line of text on standard output. A reader that left early is no error.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(anstream::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// One line of text that others wrote.
pub(crate) fn foreign_line(text: &str) -> Result<(), Failure> {
    line(&printable(text))
}

/// A table with a head, as wide as its content. An empty one says so.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    if rows.is_empty() {
        return line("nothing");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    line(&table.trim_fmt())
}

/// A row of an object's members, by JSON pointer.
pub(crate) fn row(value: &Value, pointers: &[&str]) -> Vec<String> {
    pointers.iter().map(|pointer| text(value.pointer(pointer).unwrap_or(&Value::Null))).collect()
}

/// A JSON value as a cell.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Text of events is written by attackers: nothing of it may steer the terminal.
fn printable(text: &str) -> String {
    let steers = |letter: char| {
        letter.is_control() && letter != '\n'
            || ('\u{202a}'..='\u{202e}').contains(&letter)
            || ('\u{2066}'..='\u{2069}').contains(&letter)
    };
    text.chars().map(|letter| if steers(letter) { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_attacker_does_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\rd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn a_failure_of_the_machine_is_not_a_refusal() {
        let failure = Failure::from(anyhow::anyhow!("disk full").context("cannot open"));
        assert_eq!(
            (failure.code, failure.what.as_str(), failure.why.as_deref()),
            (UNUSABLE, "cannot open", Some("disk full"))
        );
    }
}
