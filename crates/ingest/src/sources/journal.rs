//! The systemd journal, through `journalctl -o json`: the live one, or a file of another machine's.
//!
//! Entries are numbered by the journal itself, within the sequence that their cursor names. Deliveries carry that number as
//! their mark, durable with the entries: what was delivered before the process ended is passed over though its cursor was not saved.

use std::{collections::HashMap, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;

use super::{Checkpoints, Delivery, Mark, Sink, deliver};

/// A journal to read.
pub struct Journal {
    /// A journal file; the machine's own journal where there is none.
    pub file: Option<PathBuf>,
    /// Whether to stay for what is added. A file is usually read once.
    pub follow: bool,
    pub hint: Option<String>,
    pub checkpoints: Arc<dyn Checkpoints>,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("journalctl cannot be started; install systemd or leave the journal out")]
    Start(#[source] io::Error),
    #[error("journalctl ended with {status}: {message}")]
    Ended { status: String, message: String },
}

/// How much output is read at once.
const CHUNK: usize = 256 * 1024;
/// The pause before journalctl is started again.
const RESTART: Duration = Duration::from_secs(5);
/// An entry over this is given up; journald itself keeps them far smaller.
const MAX_ENTRY: usize = 16 * 1024 * 1024;

impl Journal {
    /// Reads until cancelled. A file that is not followed is read once; a live journal's reader is started again when it ends.
    pub async fn run(self, sink: Arc<dyn Sink>, cancel: CancellationToken) -> Result<(), JournalError> {
        loop {
            let outcome = self.once(&*sink, &cancel).await;
            match outcome {
                Ok(Delivery::Stopped) => return Ok(()),
                Ok(_) if !self.follow => return Ok(()),
                Err(error) if !self.follow => return Err(error),
                Err(error @ JournalError::Start(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "journal reader ended; starting it again"),
                Ok(_) => {}
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(RESTART) => {}
            }
        }
    }

    async fn once(&self, sink: &dyn Sink, cancel: &CancellationToken) -> Result<Delivery, JournalError> {
        let mut child = self.start()?;
        let Some(mut output) = child.stdout.take() else { return Ok(Delivery::Accepted) };
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut known = Known::default();
        loop {
            let got = tokio::select! {
                () = cancel.cancelled() => return Ok(Delivery::Stopped),
                got = output.read_buf(&mut buffer) => got,
            };
            match got {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            if self.take(&mut buffer, &mut known, sink, cancel).await == Delivery::Stopped {
                return Ok(Delivery::Stopped);
            }
        }
        ended(child).await
    }

    /// Delivers the whole lines of the buffer and saves the last one's cursor.
    async fn take(
        &self,
        buffer: &mut BytesMut,
        known: &mut Known,
        sink: &dyn Sink,
        cancel: &CancellationToken,
    ) -> Delivery {
        let Some(end) = memchr::memrchr(b'\n', buffer) else {
            if buffer.len() > MAX_ENTRY {
                tracing::warn!(bytes = buffer.len(), "journal entry over the limit was left out");
                buffer.clear();
            }
            return Delivery::Accepted;
        };
        let lines = buffer.split_to(end.saturating_add(1)).freeze();
        for run in runs(lines) {
            if self.give(run, known, sink, cancel).await == Delivery::Stopped {
                return Delivery::Stopped;
            }
        }
        Delivery::Accepted
    }

    /// Delivers entries of one sequence, without those that were delivered before this start.
    async fn give(&self, run: Run, known: &mut Known, sink: &dyn Sink, cancel: &CancellationToken) -> Delivery {
        let Some(last) = run.entries.last().and_then(|(_, cursor)| cursor.clone()) else {
            let lines = run.lines.slice(run.start_after(0)..);
            return deliver(sink, self.hint.as_deref(), lines, None, cancel).await;
        };
        let producer = format!("{}:{}", self.key(), last.sequence);
        let marks = known.0.entry(last.sequence.clone()).or_insert_with(|| {
            let before = sink.last(&producer).unwrap_or(0);
            Marks { before, last: before }
        });
        let rest = run.lines.slice(run.start_after(marks.before)..);
        let mark = (last.number > marks.last).then_some(Mark { producer: &producer, number: last.number });
        if !rest.is_empty() {
            let delivery = deliver(sink, self.hint.as_deref(), rest, mark, cancel).await;
            if delivery == Delivery::Stopped {
                return delivery;
            }
            marks.last = marks.last.max(last.number);
        }
        self.checkpoints.save(&self.key(), &last.text);
        Delivery::Accepted
    }

    /// The child ends with us: by the parent-death signal where setpriv is there, and when it is dropped.
    fn start(&self) -> Result<Child, JournalError> {
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "KILL", "journalctl"]);
        match self.spawn(guarded) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.spawn(Command::new("journalctl")),
            started => started,
        }
        .map_err(JournalError::Start)
    }

    fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command.args(["-o", "json", "--all", "--no-pager", "--quiet"]);
        if self.follow {
            command.arg("--follow");
        }
        if let Some(file) = &self.file {
            command.arg("--file").arg(file);
        }
        match self.checkpoints.load(&self.key()) {
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")),
            None if self.follow => command.arg("--lines=all"),
            None => &mut command,
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()
    }

    fn key(&self) -> String {
        self.file.as_ref().map_or_else(|| "journal".to_owned(), |file| format!("journal:{}", file.display()))
    }
}

/// How the child ended, and its last words.
async fn ended(mut child: Child) -> Result<Delivery, JournalError> {
    let mut words = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let read = stderr.take(4_096).read_to_end(&mut words).await;
        tracing::trace!(?read, "journalctl's last words");
    }
    let status = child.wait().await.map_err(JournalError::Start)?;
    if status.success() {
        return Ok(Delivery::Accepted);
    }
    Err(JournalError::Ended { status: status.to_string(), message: String::from_utf8_lossy(&words).trim().to_owned() })
}

/// What was delivered of each sequence: before this start, and until now.
#[derive(Default)]
struct Known(HashMap<String, Marks>);

struct Marks {
    before: u64,
    last: u64,
}

/// Entries that follow one another in one sequence, and where each of them begins.
struct Run {
    lines: Bytes,
    entries: Vec<(usize, Option<Cursor>)>,
}

impl Run {
    /// Where the first entry begins that is numbered above `number`; the end where there is none.
    fn start_after(&self, number: u64) -> usize {
        let new = |cursor: &Option<Cursor>| cursor.as_ref().is_none_or(|cursor| cursor.number > number);
        self.entries.iter().find(|(_, cursor)| new(cursor)).map_or(self.lines.len(), |(start, _)| *start)
    }
}

/// Whole lines as runs of one sequence each.
fn runs(mut lines: Bytes) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut entries: Vec<(usize, Option<Cursor>)> = Vec::new();
    let mut at = 0_usize;
    while let Some(rest) = lines.get(at..).filter(|rest| !rest.is_empty()) {
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end.saturating_add(1));
        let cursor = rest.get(..length).and_then(Cursor::of);
        let sequence = |cursor: &Option<Cursor>| cursor.as_ref().map(|cursor| cursor.sequence.clone());
        if entries.last().is_some_and(|(_, before)| sequence(before) != sequence(&cursor)) {
            runs.push(Run { lines: lines.split_to(at), entries: std::mem::take(&mut entries) });
            at = 0;
        }
        entries.push((at, cursor));
        at = at.saturating_add(length);
    }
    if !entries.is_empty() {
        runs.push(Run { lines, entries });
    }
    runs
}

/// The cursor of an entry: `s` names its sequence, `i` is its number in it, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    text: String,
    sequence: String,
    number: u64,
}

impl Cursor {
    fn of(line: &[u8]) -> Option<Self> {
        let entry = crate::formats::flat::members(std::str::from_utf8(line).ok()?)?;
        let (_, raw) = entry.into_iter().find(|(name, _)| name == "__CURSOR")?;
        let text = crate::formats::flat::json_text(raw)?.into_owned();
        let part = |name: &str| text.split(';').find_map(|part| part.strip_prefix(name));
        let (sequence, number) = (part("s=")?.to_owned(), u64::from_str_radix(part("i=")?, 16).ok()?);
        Some(Self { text, sequence, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_taken_by_sequence_and_those_delivered_before_are_passed_over() {
        let line = |sequence: &str, number: u64| {
            format!("{{\"__CURSOR\":\"s={sequence};i={number:x};b=1\",\"MESSAGE\":\"{number}\"}}\n")
        };
        let text =
            [line("a", 9), line("a", 10), line("b", 3), "{\"MESSAGE\":\"x\"}\n".to_owned(), line("a", 11)].concat();
        let runs = runs(Bytes::from(text));
        let shown: Vec<(usize, Option<u64>)> = runs
            .iter()
            .map(|run| {
                (run.entries.len(), run.entries.last().and_then(|(_, cursor)| cursor.as_ref().map(|c| c.number)))
            })
            .collect();
        assert_eq!(shown, [(2, Some(10)), (1, Some(3)), (1, None), (1, Some(11))]);
        let first = &runs[0];
        assert_eq!(&first.lines[first.start_after(9)..], line("a", 10).as_bytes());
        assert_eq!((first.start_after(8), first.start_after(10)), (0, first.lines.len()));
        assert_eq!(&runs[3].lines[..], line("a", 11).as_bytes());
    }
}
