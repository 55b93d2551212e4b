//! Windows event log files: the good records, and a named error for each part that cannot be read.

use std::path::Path;

use evtx::{EvtxParser, ParserSettings, SerializedEvtxRecord};
use jiff::tz::TimeZone;
use shieldops_model::Timestamp;

use super::{time, windows};

/// One record, flat, in the format `windows/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `EventRecordID`.
    pub id: u64,
    pub time: Timestamp,
    /// One line of JSON.
    pub json: String,
}

/// Why a file or a part of it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvtxError {
    #[error("not an EVTX file: {0}")]
    NotEvtx(String),
    #[error("a part of the EVTX file cannot be read: {0}")]
    Damaged(String),
    #[error("record {id} is no event")]
    NotAnEvent { id: u64 },
}

/// The first bytes of every EVTX file.
pub const MAGIC: &[u8] = b"ElfFile\0";

/// Errors of one file are reported up to this many; a file that is noise from end to end is not worth more.
const MAX_ERRORS: usize = 100;

/// The records of a file in memory.
pub fn read(bytes: Vec<u8>) -> Result<impl Iterator<Item = Result<Record, EvtxError>>, EvtxError> {
    EvtxParser::from_buffer(bytes).map(records).map_err(|error| EvtxError::NotEvtx(chain(&error)))
}

/// The records of a file on disk, read piece by piece.
pub fn open(path: &Path) -> Result<impl Iterator<Item = Result<Record, EvtxError>>, EvtxError> {
    EvtxParser::from_path(path).map(records).map_err(|error| EvtxError::NotEvtx(chain(&error)))
}

fn records<T: std::io::Read + std::io::Seek + 'static>(parser: EvtxParser<T>) -> impl Iterator<Item = Result<Record, EvtxError>> {
    let settings = ParserSettings::default().num_threads(1).indent(false).separate_json_attributes(false);
    let parser = parser.with_configuration(settings.clone());
    let settings = std::sync::Arc::new(settings);
    let mut errors = 0_usize;
    parser.into_chunks().flat_map(move |chunk| chunk_records(chunk, &settings)).take_while(move |record| {
        errors = errors.saturating_add(usize::from(record.is_err()));
        errors <= MAX_ERRORS
    })
}

fn chunk_records(
    chunk: Result<evtx::EvtxChunkData, evtx::err::EvtxError>,
    settings: &std::sync::Arc<ParserSettings>,
) -> Vec<Result<Record, EvtxError>> {
    let damaged = |error: &dyn std::error::Error| Err(EvtxError::Damaged(chain(error)));
    let mut chunk = match chunk {
        Ok(chunk) => chunk,
        Err(error) => return vec![damaged(&error)],
    };
    let mut parsed = match chunk.parse(std::sync::Arc::clone(settings)) {
        Ok(parsed) => parsed,
        Err(error) => return vec![damaged(&error)],
    };
    parsed
        .iter()
        .map(|record| match record.and_then(|record| record.into_json()) {
            Ok(record) => flat(&record),
            Err(error) => damaged(&error),
        })
        .collect()
}

fn flat(record: &SerializedEvtxRecord<String>) -> Result<Record, EvtxError> {
    let id = record.event_record_id;
    let flat = windows::read(&record.data).filter(|flat| flat.has("EventID")).ok_or(EvtxError::NotAnEvent { id })?;
    let created = flat.text("TimeCreated").and_then(|text| time::iso(&text, &TimeZone::UTC));
    let header_time = Timestamp::from_micros(record.timestamp.as_microsecond());
    let json = flat.render();
    Ok(Record { id, time: created.unwrap_or(header_time), json })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
