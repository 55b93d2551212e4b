//! Windows event log files: the good records, and a named error for each part that cannot be read.

mod padded;

use std::{
    fs::File,
    io::{Cursor, Read, Seek},
    path::Path,
    sync::Arc,
};

use evtx::{EvtxParser, ParserSettings, SerializedEvtxRecord};
use jiff::tz::TimeZone;
use shieldops_model::{LogSource, Timestamp};

use self::padded::Padded;
use super::{time, windows};

/// One record, flat, in the format `windows/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `EventRecordID`.
    pub id: u64,
    pub time: Timestamp,
    /// One line of JSON.
    pub json: String,
    pub log_source: LogSource,
}

/// Why a file or a part of it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvtxError {
    #[error("not an EVTX file: {0}")]
    NotEvtx(String),
    #[error("a part of the EVTX file cannot be read: {0}")]
    Damaged(String),
    #[error("the file is cut: its last part lacks {missing} bytes")]
    Cut { missing: u64 },
    #[error("the file is cut: its header names {named} parts, it holds {held}")]
    Short { named: u64, held: u64 },
    #[error("record {id} is no event")]
    NotAnEvent { id: u64 },
}

/// The first bytes of every EVTX file.
pub const MAGIC: &[u8] = b"ElfFile\0";

/// Errors of one file are reported up to this many; a file that is noise from end to end is not worth more.
const MAX_ERRORS: usize = 100;

/// The records of a file in memory.
pub fn read(bytes: Vec<u8>) -> Result<impl Iterator<Item = Result<Record, EvtxError>>, EvtxError> {
    records(Cursor::new(bytes))
}

/// The records of a file on disk, read piece by piece.
pub fn open(path: &Path) -> Result<impl Iterator<Item = Result<Record, EvtxError>>, EvtxError> {
    records(File::open(path).map_err(|error| EvtxError::NotEvtx(error.to_string()))?)
}

fn records<R: Read + Seek + 'static>(file: R) -> Result<impl Iterator<Item = Result<Record, EvtxError>>, EvtxError> {
    let file = Padded::new(file).map_err(|error| EvtxError::NotEvtx(error.to_string()))?;
    let (missing, held) = (file.missing(), file.chunks());
    let whole_bytes = move |chunk: u64| {
        if chunk.checked_add(1) == Some(held) { padded::CHUNK.saturating_sub(missing) } else { u64::MAX }
    };
    let settings = ParserSettings::default().num_threads(1).indent(false).separate_json_attributes(false);
    let parser = EvtxParser::from_read_seek(file).map_err(|error| EvtxError::NotEvtx(chain(&error)))?;
    let named = u64::from(parser.header().chunk_count);
    let cut = (missing > 0).then_some(EvtxError::Cut { missing });
    let short = (named > held).then_some(EvtxError::Short { named, held });
    let parser = parser.with_configuration(settings.clone());
    let settings = Arc::new(settings);
    let mut errors = 0_usize;
    let records = parser.into_chunks().flat_map(move |chunk| chunk_records(chunk, &settings, &whole_bytes)).take_while(
        move |record| {
            errors = errors.saturating_add(usize::from(record.is_err()));
            errors <= MAX_ERRORS
        },
    );
    Ok(records.chain(cut.into_iter().chain(short).map(Err)))
}

fn chunk_records(
    chunk: Result<evtx::EvtxChunkData, evtx::err::EvtxError>,
    settings: &Arc<ParserSettings>,
    whole_bytes: &impl Fn(u64) -> u64,
) -> Vec<Result<Record, EvtxError>> {
    let damaged = |error: &dyn std::error::Error| Err(EvtxError::Damaged(chain(error)));
    let mut chunk = match chunk {
        Ok(chunk) => chunk,
        Err(error) => return vec![damaged(&error)],
    };
    // A record that runs over the end of a cut file would have zeros for values.
    let end = chunk.number.map_or(u64::MAX, whole_bytes);
    let mut parsed = match chunk.parse(Arc::clone(settings)) {
        Ok(parsed) => parsed,
        Err(error) => return vec![damaged(&error)],
    };
    parsed
        .iter()
        .filter(|record| !record.as_ref().is_ok_and(|record| end_of(record) > end))
        .map(|record| match record.and_then(evtx::EvtxRecord::into_json) {
            Ok(record) => flat(&record),
            Err(error) => damaged(&error),
        })
        .collect()
}

/// Where a record ends in its chunk.
fn end_of(record: &evtx::EvtxRecord<'_>) -> u64 {
    record.binxml_offset.saturating_add(u64::from(record.binxml_size))
}

fn flat(record: &SerializedEvtxRecord<String>) -> Result<Record, EvtxError> {
    let id = record.event_record_id;
    let flat = windows::read(&record.data).filter(|flat| flat.has("EventID")).ok_or(EvtxError::NotAnEvent { id })?;
    let created = flat.text("TimeCreated").and_then(|text| time::iso(&text, &TimeZone::UTC));
    let header_time = Timestamp::from_micros(record.timestamp.as_microsecond());
    // An exported log counts its records anew in their headers; the event keeps the number it had.
    let id = flat.text("EventRecordID").and_then(|text| text.parse().ok()).unwrap_or(id);
    let (json, log_source) = (flat.render(), windows::source_of(&flat));
    Ok(Record { id, time: created.unwrap_or(header_time), json, log_source })
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
