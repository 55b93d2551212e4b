//! CSV with a header. The names of columns are those that feeds use; what is not known is not read.

use crate::indicators::{block::Entry, value::Value};

/// Which column is what, by the header.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    value: Option<usize>,
    /// MISP says with it whether the value is two joined by a bar.
    kind: Option<usize>,
    added: Option<usize>,
    expires: Option<usize>,
    confidence: Option<usize>,
    references: Vec<usize>,
    separator: u8,
}

const VALUES: [&str; 12] = [
    "value",
    "indicator",
    "ioc",
    "ioc_value",
    "ip",
    "ip_address",
    "domain",
    "url",
    "hash",
    "sha256_hash",
    "email",
    "dst_ip",
];
const KINDS: [&str; 4] = ["type", "ioc_type", "indicator_type", "kind"];
const ADDED: [&str; 7] = ["added", "date", "first_seen", "first_seen_utc", "timestamp", "created", "dateadded"];
const EXPIRES: [&str; 5] = ["expires", "expiration", "valid_until", "expires_at", "expiry"];
const CONFIDENCE: [&str; 2] = ["confidence", "confidence_level"];
const REFERENCES: [&str; 9] = [
    "reference",
    "comment",
    "description",
    "malware",
    "malware_printable",
    "threat",
    "link",
    "urlhaus_link",
    "event_id",
];

impl Columns {
    /// The columns of a header; `None` when it names none of values.
    pub(super) fn read(header: &str) -> Option<Self> {
        let header = header.trim().trim_start_matches(['#', ' ']);
        let separator = if header.contains('\t') {
            b'\t'
        } else if header.contains(',') || !header.contains(';') {
            b','
        } else {
            b';'
        };
        let names: Vec<String> = cells(header, separator)?
            .into_iter()
            .map(|name| name.trim().to_ascii_lowercase().replace(' ', "_"))
            .collect();
        let find = |known: &[&str]| known.iter().find_map(|word| names.iter().position(|name| name == word));
        let references = REFERENCES.iter().filter_map(|word| names.iter().position(|name| name == word)).collect();
        Some(Self {
            value: Some(find(&VALUES)?),
            kind: find(&KINDS),
            added: find(&ADDED),
            expires: find(&EXPIRES),
            confidence: find(&CONFIDENCE),
            references,
            separator,
        })
    }

    /// The entry of a line; none for a line whose cell of values is empty.
    pub(super) fn entry(&self, line: &str, number: u32) -> Result<Option<Entry>, String> {
        let Some(column) = self.value else { return Ok(None) };
        let cells = cells(line, self.separator).ok_or("a quoted cell does not end on its line")?;
        let cell = |column: Option<usize>| column.and_then(|column| cells.get(column)).map(|cell| cell.trim());
        let Some(word) = cell(Some(column)).filter(|word| !word.is_empty()) else { return Ok(None) };
        let value = of_misp(cell(self.kind).unwrap_or_default(), word).and_then(Value::parse);
        let value = value.ok_or_else(|| super::not_one(word))?;
        let words = self.references.iter().filter_map(|column| cell(Some(*column))).filter(|word| !word.is_empty());
        let mut entry = Entry::new(value, number);
        entry.reference = words.take(2).collect::<Vec<_>>().join("; ");
        entry.added = cell(self.added).and_then(super::time);
        entry.expires = cell(self.expires).and_then(super::time);
        entry.confidence = cell(self.confidence).and_then(|text| text.parse().ok()).filter(|value| *value <= 100);
        Ok(Some(entry))
    }
}

/// The part of a value that is looked for: MISP joins two with a bar (`filename|sha256`, `ip-dst|port`, `domain|ip`).
fn of_misp<'a>(kind: &str, word: &'a str) -> Option<&'a str> {
    let Some((kind_first, kind_second)) = kind.split_once('|') else {
        return Some(without_port(word));
    };
    let (first, second) = word.split_once('|')?;
    let is_first = !kind_first.starts_with("filename") && kind_second != "hash";
    Some(if is_first { first } else { second })
}

/// Feeds of addresses write `203.0.113.7:443`.
fn without_port(word: &str) -> &str {
    match word.rsplit_once(':') {
        Some((address, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && address.parse::<std::net::Ipv4Addr>().is_ok() =>
        {
            address
        }
        _ => word,
    }
}

/// The cells of a line; `None` when a quote is not closed.
fn cells(line: &str, separator: u8) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    let separator = char::from(separator);
    while let Some(char) = chars.next() {
        let cell = cells.last_mut()?;
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            char if char == separator && !quoted => cells.push(String::new()),
            char => cell.push(char),
        }
    }
    (!quoted).then_some(cells)
}
