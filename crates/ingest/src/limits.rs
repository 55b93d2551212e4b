//! What one request may hold, what its sender says about it, and how a refused line is reported.

use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;

/// The limits and clock rules of intake.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest line, in bytes.
    pub event_bytes: usize,
    /// The deepest nesting of a JSON line.
    pub depth: usize,
    /// How many bytes of a refused line are kept.
    pub sample_bytes: usize,
    /// How many events one body may hold.
    pub events: usize,
    /// Bytes that all bodies on their way in may take together, packed and unpacked.
    pub memory_bytes: usize,
    /// How many refused lines of one body are reported one by one; the rest is only counted.
    pub errors: usize,
    /// An event older than this is flagged `old`.
    pub retention: Duration,
    /// An event further ahead than this is flagged `future`.
    pub future: Duration,
    /// The zone of time stamps that name none.
    pub zone: TimeZone,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes: 1024 * 1024,
            depth: 64,
            sample_bytes: 64 * 1024,
            events: 500_000,
            memory_bytes: 256 * 1024 * 1024,
            errors: 1_000,
            retention: Duration::from_hours(7 * 24),
            future: Duration::from_mins(10),
            zone: TimeZone::UTC,
        }
    }
}

/// What the sender says about a body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// `?source=`, or the token's default source.
    pub source: Option<&'a str>,
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
}

impl Hints<'_> {
    /// Whether any text line is an event: the sender named a source or sends plain text.
    pub fn accepts_text(&self) -> bool {
        self.source.is_some() || self.is_plain_text()
    }

    fn is_plain_text(&self) -> bool {
        let kind = self.content_type.and_then(|kind| kind.split(';').next());
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"))
    }
}

/// A line that was refused: it is not stored, and its first bytes become a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {code}: {detail}")]
pub struct LineError {
    /// Counted from 1, blank lines included; of a JSON array, the element's number.
    pub line: u64,
    /// `invalid_json` or `line_too_large`.
    pub code: &'static str,
    pub detail: String,
    /// The first bytes of the line.
    pub sample: Bytes,
    /// The line's whole length in bytes.
    pub size: u64,
}

/// The code of a line that is neither JSON nor a known kind of text.
pub const INVALID_JSON: &str = "invalid_json";
/// The code of a line over `Limits::event_bytes`.
pub const LINE_TOO_LARGE: &str = "line_too_large";

impl LineError {
    pub(crate) fn new(line: u64, code: &'static str, detail: String, bytes: &Bytes, limits: &Limits) -> Self {
        let kept = bytes.len().min(limits.sample_bytes);
        Self { line, code, detail, sample: bytes.slice(..kept), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }

    pub(crate) fn too_large(line: u64, bytes: &Bytes, limits: &Limits) -> Self {
        let detail = format!("{} bytes, the limit is {}", bytes.len(), limits.event_bytes);
        Self::new(line, LINE_TOO_LARGE, detail, bytes, limits)
    }
}
