//! One file read to its end, whatever it is: EVTX, NDJSON, a JSON array, JSON over several lines, text logs; plain, gzip or zstd.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;
use shieldops_model::{LogSource, TimeQuality, Timestamp};

use crate::{
    Hints, Limits, LineError, PreparedEvent,
    formats::{
        WINDOWS,
        audit::before_last_serial,
        evtx_file::{self, EvtxError, MAGIC},
        flat::members,
        shape::Shape,
    },
    prepare::{Intake, prepare},
};

/// One event of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEvent {
    /// EVTX: `EventRecordID`; text: the line from 1; a JSON array: the element from 1.
    pub record: u64,
    /// None where the event says no time.
    pub time: Option<Timestamp>,
    pub source: String,
    pub format: &'static str,
    pub raw: Bytes,
    /// Where reading the file has shown it already; then `raw` is the flat event as rules see it.
    pub log_source: Option<LogSource>,
}

/// Why a file or a part of it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot be read")]
    Io(#[source] io::Error),
    #[error("holds binary data of no known format")]
    Binary,
    #[error("holds more than {limit} bytes, too many to read at once")]
    TooLarge { limit: u64 },
    #[error(transparent)]
    Evtx(#[from] EvtxError),
    #[error(transparent)]
    Line(#[from] LineError),
}

/// How a file is read.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// The source's name; by shape where there is none.
    pub hint: Option<String>,
    /// When the file was last written: the year of stamps that name none is near it.
    pub modified: Timestamp,
    pub limits: Limits,
    /// The most that is held in memory at once, in bytes: for EVTX, JSON arrays and JSON over several lines.
    pub memory_bytes: u64,
}

impl FileOptions {
    /// Everything in the file counts, however old or new.
    pub fn new(modified: Timestamp) -> Self {
        let limits = Limits { event_bytes: 16 * 1024 * 1024, ..Limits::default() };
        Self { hint: None, modified, limits, memory_bytes: 2 * 1024 * 1024 * 1024 }
    }
}

/// How much text is prepared at once.
const CHUNK: usize = 1024 * 1024;
/// Binary data shows itself within this many bytes.
const PROBE: usize = 4_096;

type Each<'a> = &'a mut dyn FnMut(Result<FileEvent, FileError>);

/// Reads a file and gives each event, or error, in order. An error does not end the reading where more can be read.
pub fn read_file(reader: impl Read + Send + 'static, options: &FileOptions, each: Each<'_>) {
    let outcome =
        unpacked(Box::new(reader)).map_err(FileError::Io).and_then(|reader| read_unpacked(reader, options, each));
    if let Err(error) = outcome {
        each(Err(error));
    }
}

/// The file without its packing, which its first bytes tell.
fn unpacked(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let head = probe(&mut reader, 4)?;
    let whole = Cursor::new(head.clone()).chain(reader);
    Ok(match head.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::Decoder::new(whole)?;
            decoder.window_log_max(27)?;
            Box::new(decoder)
        }
        _ => Box::new(whole),
    })
}

fn probe(reader: &mut dyn Read, length: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(length);
    reader.take(u64::try_from(length).unwrap_or(0)).read_to_end(&mut head)?;
    Ok(head)
}

fn read_unpacked(mut reader: Box<dyn Read + Send>, options: &FileOptions, each: Each<'_>) -> Result<(), FileError> {
    let head = probe(&mut reader, PROBE).map_err(FileError::Io)?;
    let whole = Cursor::new(head.clone()).chain(reader);
    if head.starts_with(MAGIC) {
        return read_evtx(in_memory(whole, options)?, each);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    match text.first() {
        Some(b'[')
            if text.get(1..).is_none_or(|rest| matches!(rest.trim_ascii_start().first(), None | Some(b'{' | b']'))) =>
        {
            read_values(in_memory(whole, options)?.into(), options, each)
        }
        Some(b'{') if is_open(text) => read_values(in_memory(whole, options)?.into(), options, each),
        _ if memchr::memchr(0, &head).is_some() => Err(FileError::Binary),
        _ => read_lines(BufReader::with_capacity(CHUNK, whole), options, each),
    }
}

/// Whether the first line begins an object that another line ends.
fn is_open(text: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else { return false };
    let first = String::from_utf8_lossy(text.get(..end).unwrap_or_default());
    Shape::read(first.trim()).is_err()
}

fn in_memory(reader: impl Read, options: &FileOptions) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let limit = options.memory_bytes;
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::Io)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(FileError::TooLarge { limit });
    }
    Ok(bytes)
}

fn read_evtx(bytes: Vec<u8>, each: Each<'_>) -> Result<(), FileError> {
    for record in evtx_file::read(bytes)? {
        each(record.map_err(FileError::Evtx).map(|record| FileEvent {
            record: record.id,
            time: Some(record.time),
            source: "windows".to_owned(),
            format: WINDOWS,
            raw: record.json.into(),
            log_source: Some(record.log_source),
        }));
    }
    Ok(())
}

/// JSON values one after another; arrays, and the lists of wrapping objects, are opened.
fn read_values(body: Bytes, options: &FileOptions, each: Each<'_>) -> Result<(), FileError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| body.clone(), |rest| body.slice_ref(rest));
    let hints = Hints { source: options.hint.as_deref(), content_type: None };
    let mut intake = Intake::new(hints, options.modified, &options.limits);
    let mut number = 0_u64;
    for value in serde_json::Deserializer::from_slice(&body).into_iter::<&RawValue>() {
        let value = match value {
            Ok(value) => value.get(),
            Err(_) if number == 0 => return read_lines(Cursor::new(body), options, each),
            Err(error) => {
                let detail = error.to_string();
                let line = number.saturating_add(1);
                return Err(
                    LineError::new(line, crate::limits::INVALID_JSON, detail, &Bytes::new(), &options.limits).into()
                );
            }
        };
        for element in elements(value) {
            number = number.saturating_add(1);
            let bytes = body.slice_ref(element.as_bytes());
            drop(intake.take(&bytes, number, &body));
        }
    }
    let prepared = intake.prepared;
    prepared.events.into_iter().for_each(|event| each(Ok(file_event(event, 0))));
    prepared.errors.into_iter().for_each(|error| each(Err(error.into())));
    Ok(())
}

fn elements(value: &str) -> Vec<&str> {
    if value.starts_with('[') {
        return opened(value).unwrap_or_default();
    }
    let wrapped = members(value).filter(|members| members.len() == 1).and_then(|members| members.into_iter().next());
    wrapped
        .filter(|(name, _)| matches!(name.as_ref(), "Records" | "records" | "events" | "Events"))
        .and_then(|(_, raw)| opened(raw))
        .unwrap_or_else(|| vec![value])
}

fn opened(list: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

/// Text and NDJSON, some lines at a time.
fn read_lines(mut reader: impl BufRead, options: &FileOptions, each: Each<'_>) -> Result<(), FileError> {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    let mut line = 0_u64;
    let mut skipping = false;
    loop {
        let part = reader.fill_buf().map_err(FileError::Io)?;
        let (length, ended) = (part.len(), part.is_empty());
        buffer.extend_from_slice(part);
        reader.consume(length);
        let end =
            if ended { buffer.len() } else { memchr::memrchr(b'\n', &buffer).map_or(0, |at| at.saturating_add(1)) };
        if std::mem::take(&mut skipping) {
            skipping = end == 0;
            let rest = memchr::memchr(b'\n', &buffer).map_or(buffer.len(), |at| at.saturating_add(1));
            drop(buffer.split_to(rest));
        } else if buffer.len() >= CHUNK || ended {
            let whole = buffer.get(..end).unwrap_or_default();
            let cut = if ended { end } else { before_last_serial(whole) };
            let cut = if cut == 0 { end } else { cut };
            let too_long = cut == 0 && buffer.len() > options.limits.event_bytes;
            let piece = if too_long { buffer.split() } else { buffer.split_to(cut) };
            skipping = too_long;
            line = give(piece.freeze(), line, options, each);
        }
        if ended {
            return Ok(());
        }
    }
}

/// Prepares whole lines and gives their events; returns the number of the last line.
fn give(piece: Bytes, before: u64, options: &FileOptions, each: Each<'_>) -> u64 {
    let hints = Hints { source: options.hint.as_deref(), content_type: Some("text/plain") };
    let prepared = prepare(&piece, hints, options.modified, &options.limits);
    for event in prepared.events {
        each(Ok(file_event(event, before)));
    }
    for mut error in prepared.errors {
        error.line = error.line.saturating_add(before);
        each(Err(error.into()));
    }
    let ends = memchr::memchr_iter(b'\n', &piece).count();
    let open = usize::from(!piece.is_empty() && piece.last() != Some(&b'\n'));
    before.saturating_add(u64::try_from(ends.saturating_add(open)).unwrap_or(0))
}

fn file_event(event: PreparedEvent, before: u64) -> FileEvent {
    FileEvent {
        record: event.line.saturating_add(before),
        time: (event.time_quality != TimeQuality::Missing).then_some(event.time),
        source: event.source,
        format: event.format,
        raw: event.raw,
        log_source: None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, io::Write as _};

    use super::*;

    fn check(bytes: Vec<u8>) -> Vec<String> {
        let mut out = Vec::new();
        let options = FileOptions::new("2026-11-21T12:00:00Z".parse().unwrap());
        read_file(Cursor::new(bytes), &options, &mut |event| {
            out.push(match event {
                Ok(event) => format!("{} {} {}", event.record, event.source, event.format),
                Err(error) => error.to_string(),
            });
        });
        out
    }

    #[test]
    fn each_kind_of_file_is_read_by_what_it_is() {
        let log = "\nNov 21 11:59:01 web1 sshd[1]: x\n203.0.113.9 - - [21/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 1\nwords\n{broken\n{\"EventID\":1,\"Channel\":\"Security\"}";
        let wanted = ["2 sshd syslog/1", "3 nginx access/1", "4 text text/1", "6 windows windows/1"];
        let shown = check(log.into());
        assert_eq!(shown[..4], wanted);
        assert!(shown[4].starts_with("line 5: invalid_json"), "{}", shown[4]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(log.as_bytes()).unwrap();
        assert_eq!(check(gzip.finish().unwrap()), shown);
        assert_eq!(check(zstd::encode_all(log.as_bytes(), 1).unwrap()), shown);
        assert_eq!(
            check(b"[{\"a\":1},\n {\"Channel\":\"Security\",\"EventID\":1}]".to_vec()),
            ["1 json json/1", "2 windows windows/1"]
        );
        assert_eq!(check(b"{\n \"a\": 1\n}\n{\n \"b\": 2 }".to_vec()), ["1 json json/1", "2 json json/1"]);
        assert_eq!(check(b"{\n\"Records\": [{\"a\":1}, {\"b\":1}]}".to_vec()), ["1 json json/1", "2 json json/1"]);
        assert_eq!(check(b"[Sat Nov 21] [error] apache says\n".to_vec()), ["1 text text/1"]);
        assert_eq!(check(b"\x7fELF\0\0".to_vec()), ["holds binary data of no known format"]);
        assert_eq!(check(Vec::new()), Vec::<String>::new());
        assert!(check(b"ElfFile\0short".to_vec())[0].starts_with("not an EVTX file"));
    }

    #[test]
    fn lines_keep_their_numbers_over_large_files_and_overlong_lines() {
        let mut log = String::new();
        for n in 1..=60_000 {
            writeln!(log, "Nov 21 11:59:01 web1 app[{n}]: some message of a usual length").unwrap();
        }
        log.push_str(&"x".repeat(17 * 1024 * 1024));
        log.push_str("\nlast\n");
        let shown = check(log.into());
        assert_eq!(shown.len(), 60_002);
        assert_eq!(shown[59_999], "60000 syslog syslog/1");
        assert!(shown[60_000].starts_with("line 60001: line_too_large"), "{}", shown[60_000]);
        assert_eq!(shown[60_001], "60002 text text/1");
    }
}
