//! What can go wrong, by what it means for the caller. Cloneable: one failed write answers many waiting appends.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use shieldops_model::TenantId;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Events come faster than they are processed: nothing of this batch was stored. The numbers are the tenant's own.
    #[error("{unprocessed_bytes} bytes wait to be processed, of at most {max_bytes}")]
    Full { unprocessed_bytes: u64, max_bytes: u64 },
    /// The queue before the disk is full: nothing of this batch was stored.
    #[error("{queued_bytes} bytes wait for the disk, of at most {queue_bytes}")]
    Busy { queued_bytes: usize, queue_bytes: usize },
    #[error("no space left for {}", path.display())]
    NoSpace { path: PathBuf },
    #[error("event {index} of the batch has {bytes} bytes, of at most {limit}")]
    EventTooLarge { index: usize, bytes: usize, limit: usize },
    #[error("source or format of event {index} of the batch is longer than {limit} bytes")]
    NameTooLong { index: usize, limit: usize },
    #[error("the batch has {bytes} bytes, of at most {limit}")]
    BatchTooLarge { bytes: usize, limit: usize },
    #[error("the bus is closed")]
    Closed,
    #[error("no frame key for {tenant}: {why}")]
    Key { tenant: TenantId, why: String },
    #[error("{} has format {version}, newer than this version reads", path.display())]
    Newer { path: PathBuf, version: u8 },
    #[error("{} is damaged at byte {position}: {why}", path.display())]
    Damaged { path: PathBuf, position: u64, why: String },
    #[error("{operation} {} failed", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("limit {name}: {why}")]
    Limit { name: &'static str, why: &'static str },
}

impl Error {
    /// Whether waiting and sending the same again may help.
    pub fn is_pressure(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. })
    }

    /// Whether the disk has the bytes and cannot give them, as for a bad sector: asking again gives no more.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_unreadable(source))
    }

    /// Whether the same batch will never be taken.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::EventTooLarge { .. } | Self::NameTooLong { .. } | Self::BatchTooLarge { .. })
    }
}

/// What Linux answers for bytes that the medium does not give back or the file system finds damaged: `EIO`, `ENODATA`,
/// `EBADMSG`, `EUCLEAN`. Rights and a lack of anything are not among them: those can be mended.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 61 | 74 | 117))
}

/// Names what failed on which path.
pub(crate) fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace { path },
        _ => Error::Io { operation, path, source: Arc::new(source) },
    }
}
