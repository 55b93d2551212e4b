//! Lists as people and feeds write them, read piece by piece: one indicator a line, CSV with a header (MISP's among them),
//! and STIX 2.1 bundles. A line that is no indicator is said and left out; the others count.

mod csv;
mod stix;
mod whole;

use super::{
    block::Entry,
    value::{MAX_VALUE_BYTES, Value},
};
use crate::diagnostic::{Diagnostic, DiagnosticSeverity};

pub use whole::{ReadList, read_list};

/// Bytes of a line.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Problems that are told one by one; the rest is counted.
const MAX_DIAGNOSTICS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// One a line; `#` begins a comment at the start of a line or behind a blank.
    Text,
    /// A header names the columns. MISP's export of attributes is one.
    Csv,
    /// A STIX 2.1 bundle, or objects one a line.
    Stix,
}

impl ListFormat {
    pub const ALL: [Self; 3] = [Self::Text, Self::Csv, Self::Stix];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Stix => "stix",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        // MISP's export is CSV with its own names of columns, all of which are known.
        if word == "misp" { Some(Self::Csv) } else { Self::ALL.into_iter().find(|format| format.as_str() == word) }
    }

    /// What a list is, by how it begins.
    pub fn guess(start: &str) -> Self {
        let start = start.trim_start_matches('\u{feff}').trim_start();
        let line = start.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty()).unwrap_or_default();
        if line.starts_with('{') || line.starts_with('[') {
            Self::Stix
        } else if csv::Columns::read(line).is_some() {
            Self::Csv
        } else {
            Self::Text
        }
    }
}

/// What is said of entries that say nothing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Defaults {
    /// Seconds since 1970.
    pub added: Option<u32>,
    pub expires: Option<u32>,
    pub confidence: Option<u8>,
}

/// Reads a list that comes in pieces of any size.
#[derive(Debug)]
pub struct ListReader {
    format: ListFormat,
    defaults: Defaults,
    name: String,
    /// The line that is not whole yet.
    rest: Vec<u8>,
    /// The line is too long: what follows of it is thrown away.
    skipping: bool,
    line: u32,
    columns: Option<csv::Columns>,
    stix: stix::Objects,
    diagnostics: Vec<Diagnostic>,
    refused: u64,
}

impl ListReader {
    /// `name` is how diagnostics call the list.
    pub fn new(name: &str, format: ListFormat, defaults: Defaults) -> Self {
        Self {
            format,
            defaults,
            name: name.to_owned(),
            rest: Vec::new(),
            skipping: false,
            line: 0,
            columns: None,
            stix: stix::Objects::default(),
            diagnostics: Vec::new(),
            refused: 0,
        }
    }

    /// Whether each line of the rest can be read apart from the others.
    fn may_be_shared(&self) -> bool {
        match self.format {
            ListFormat::Text => true,
            ListFormat::Csv => self.columns.is_some(),
            ListFormat::Stix => false,
        }
    }

    /// A reader that goes on behind so many lines of the list.
    fn behind(&self, line: u32) -> Self {
        Self { line, columns: self.columns.clone(), ..Self::new(&self.name, self.format, self.defaults) }
    }

    /// Lines, or objects, that were no indicator.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes a piece and gives the entries that are whole with it.
    pub fn push(&mut self, piece: &[u8], found: &mut impl FnMut(Entry)) {
        if self.format == ListFormat::Stix {
            let mut objects = std::mem::take(&mut self.stix);
            objects.push(piece, &mut |line, text| self.stix_object(line, text, found));
            self.stix = objects;
            return;
        }
        let mut piece = piece;
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, after) = piece.split_at(end);
            piece = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() && !self.skipping && line.len() <= MAX_LINE_BYTES {
                self.whole_line(line, found);
                continue;
            }
            self.keep(line);
            let whole = std::mem::take(&mut self.rest);
            if std::mem::take(&mut self.skipping) {
                self.line = self.line.saturating_add(1);
                self.refuse(self.line, format!("the line is longer than {MAX_LINE_BYTES} bytes"));
            } else {
                self.whole_line(&whole, found);
            }
        }
        self.keep(piece);
    }

    /// The list is over. What was wrong with it.
    pub fn finish(&mut self, found: &mut impl FnMut(Entry)) -> Vec<Diagnostic> {
        if !self.rest.is_empty() || self.skipping {
            self.push(b"\n", found);
        }
        if let Some((line, message)) = std::mem::take(&mut self.stix).finish() {
            self.refuse(line, message);
        }
        std::mem::take(&mut self.diagnostics)
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.rest.len().saturating_add(piece.len()) > MAX_LINE_BYTES {
            self.skipping = true;
            self.rest.clear();
        }
        if !self.skipping {
            self.rest.extend_from_slice(piece);
        }
    }

    fn whole_line(&mut self, line: &[u8], found: &mut impl FnMut(Entry)) {
        self.line = self.line.saturating_add(1);
        let Ok(text) = std::str::from_utf8(line) else {
            return self.refuse(self.line, "the line is not UTF-8".to_owned());
        };
        let text = if self.line == 1 { text.trim_start_matches('\u{feff}') } else { text };
        let text = text.trim_end_matches('\r');
        if self.format == ListFormat::Text {
            return self.text_line(text, found);
        }
        if text.trim().is_empty() || text.starts_with('#') {
            return;
        }
        let Some(columns) = &self.columns else {
            self.columns = csv::Columns::read(text);
            if self.columns.is_none() {
                self.columns = Some(csv::Columns::default());
                self.refuse(
                    self.line,
                    "the header names no column of values: value, indicator, ioc, ip, domain, url, hash".to_owned(),
                );
            }
            return;
        };
        match columns.entry(text, self.line) {
            Ok(Some(entry)) => self.take(entry, found),
            Ok(None) => {}
            Err(message) => self.refuse(self.line, message),
        }
    }

    fn text_line(&mut self, line: &str, found: &mut impl FnMut(Entry)) {
        let word = without_comment(line).trim();
        if word.is_empty() {
            return;
        }
        match Value::parse(word) {
            Some(value) => self.take(Entry::new(value, self.line), found),
            None => self.refuse(self.line, not_one(word)),
        }
    }

    fn stix_object(&mut self, line: u32, text: &[u8], found: &mut impl FnMut(Entry)) {
        match stix::entries(line, text) {
            Ok(entries) => entries.into_iter().for_each(|entry| self.take(entry, found)),
            Err(message) => self.refuse(line, message),
        }
    }

    fn take(&mut self, mut entry: Entry, found: &mut impl FnMut(Entry)) {
        entry.added = entry.added.or(self.defaults.added);
        entry.expires = entry.expires.or(self.defaults.expires);
        entry.confidence = entry.confidence.or(self.defaults.confidence);
        found(entry);
    }

    fn refuse(&mut self, line: u32, message: String) {
        self.refused = self.refused.saturating_add(1);
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            return;
        }
        let fix = match self.format {
            ListFormat::Text => {
                "A line is an address, a network, a domain, an MD5, SHA-1, SHA-256 or SHA-512, an http(s) or ftp URL, or an e-mail address."
            }
            ListFormat::Csv => "The first line names the columns; one of them holds the indicators.",
            ListFormat::Stix => {
                "Indicators have a pattern of simple comparisons, as in [ipv4-addr:value = '203.0.113.7']."
            }
        };
        self.diagnostics.push(Diagnostic {
            severity: DiagnosticSeverity::Error,
            code: "invalid-indicator",
            file: self.name.clone(),
            line: usize::try_from(line).unwrap_or(usize::MAX),
            column: 1,
            message,
            fix: fix.to_owned(),
        });
    }
}

fn not_one(word: &str) -> String {
    if word.len() > MAX_VALUE_BYTES {
        return format!("an indicator has at most {MAX_VALUE_BYTES} bytes");
    }
    format!("`{}` is no indicator", word.chars().take(80).collect::<String>())
}

/// The line up to a `#` at its start or behind a blank: URLs may have one inside.
fn without_comment(line: &str) -> &str {
    let mut before = b' ';
    for (index, byte) in line.bytes().enumerate() {
        if byte == b'#' && before.is_ascii_whitespace() {
            return line.get(..index).unwrap_or_default();
        }
        before = byte;
    }
    line
}

/// Seconds since 1970 of a time as feeds write it.
fn time(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(seconds);
    }
    let whole = text.parse::<jiff::Timestamp>().ok();
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let seconds = whole.or_else(|| civil().map(|zoned| zoned.timestamp()))?.as_second();
    u32::try_from(seconds.max(0)).ok()
}

#[cfg(test)]
mod tests;
