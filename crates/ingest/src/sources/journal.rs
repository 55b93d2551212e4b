//! The systemd journal, through `journalctl -o json`: the live one, or a file of another machine's.

use std::{io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};
use tokio_util::sync::CancellationToken;

use super::{Checkpoints, Delivery, Sink, deliver};

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
        loop {
            let got = tokio::select! {
                () = cancel.cancelled() => return Ok(Delivery::Stopped),
                got = output.read_buf(&mut buffer) => got,
            };
            match got {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            if self.take(&mut buffer, sink, cancel).await == Delivery::Stopped {
                return Ok(Delivery::Stopped);
            }
        }
        ended(child).await
    }

    /// Delivers the whole lines of the buffer and saves the last one's cursor.
    async fn take(&self, buffer: &mut BytesMut, sink: &dyn Sink, cancel: &CancellationToken) -> Delivery {
        let Some(end) = memchr::memrchr(b'\n', buffer) else {
            if buffer.len() > MAX_ENTRY {
                tracing::warn!(bytes = buffer.len(), "journal entry over the limit was left out");
                buffer.clear();
            }
            return Delivery::Accepted;
        };
        let lines = buffer.split_to(end.saturating_add(1)).freeze();
        let cursor = last_cursor(&lines);
        let delivery = deliver(sink, self.hint.as_deref(), lines, cancel).await;
        if let (Some(cursor), true) = (cursor, delivery != Delivery::Stopped) {
            self.checkpoints.save(&self.key(), &cursor);
        }
        delivery
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

/// `__CURSOR` of the last line.
fn last_cursor(lines: &Bytes) -> Option<String> {
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    let from = memchr::memrchr(b'\n', lines).map_or(0, |at| at.saturating_add(1));
    let text = std::str::from_utf8(lines.get(from..)?).ok()?;
    let entry = crate::formats::flat::members(text)?;
    let (_, cursor) = entry.into_iter().find(|(name, _)| name == "__CURSOR")?;
    crate::formats::flat::json_text(cursor).map(std::borrow::Cow::into_owned)
}
