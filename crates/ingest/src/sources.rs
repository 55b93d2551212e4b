//! Sources: what listens, follows and unpacks, and pushes bytes into a sink. No parsing beyond frames and lines.

pub mod decompress;
pub mod file;
mod frames;
pub mod journal;
pub mod syslog;
pub mod tail;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

pub use decompress::{DecompressError, decompress, decompress_within};
pub use file::{FileError, FileEvent, FileOptions, read_file};
pub use journal::{Journal, JournalError};
pub use syslog::{Counters, SyslogConfig, SyslogLimits, SyslogListener};
pub use tail::Tail;

/// Where bytes go: intake, which makes them durable before it answers.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Takes lines of one source. `Full` and `Unavailable` mean: later, unchanged. What carries a mark at or below the last one
    /// of its producer was taken before: it is answered as taken, and stored once.
    async fn accept(&self, hint: Option<&str>, bytes: Bytes, mark: Option<Mark<'_>>) -> Result<(), SinkError>;

    /// The last number of a producer whose bytes were taken, durable with them.
    fn last(&self, producer: &str) -> Option<u64>;
}

/// What a source that can go back to its bytes numbers them with. Numbers of a producer grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark<'a> {
    pub producer: &'a str,
    pub number: u64,
}

/// Why a sink takes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Back-pressure: try again later.
    #[error("intake is full")]
    Full,
    /// Shutting down: nothing will be taken any more.
    #[error("intake is closed")]
    Closed,
    /// Nothing can be taken now, and it is not the bytes' fault (no space, for one): try again later.
    #[error("intake cannot take anything now: {0}")]
    Unavailable(String),
    /// These bytes will never be taken.
    #[error("refused: {0}")]
    Refused(String),
}

/// Where a source was when it last delivered. Saved only after the sink accepted.
pub trait Checkpoints: Send + Sync + 'static {
    fn load(&self, key: &str) -> Option<String>;
    fn save(&self, key: &str, value: &str);
}

/// How long a full sink is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(100);
/// How long one that cannot take anything is left alone.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

/// What became of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Accepted,
    Refused,
    /// Shut down before the sink took them.
    Stopped,
}

/// Delivers, waiting while the sink is full or cannot take anything.
async fn deliver(
    sink: &dyn Sink,
    hint: Option<&str>,
    bytes: Bytes,
    mark: Option<Mark<'_>>,
    cancel: &CancellationToken,
) -> Delivery {
    let mut complained = false;
    loop {
        let pause = match sink.accept(hint, bytes.clone(), mark).await {
            Ok(()) => return Delivery::Accepted,
            Err(SinkError::Closed) => return Delivery::Stopped,
            Err(SinkError::Refused(reason)) => {
                tracing::warn!(source = hint, bytes = bytes.len(), reason, "intake refused bytes");
                return Delivery::Refused;
            }
            Err(SinkError::Full) => FULL_PAUSE,
            Err(SinkError::Unavailable(reason)) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!(source = hint, reason, "intake takes nothing now: the source waits");
                }
                UNAVAILABLE_PAUSE
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return Delivery::Stopped,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
