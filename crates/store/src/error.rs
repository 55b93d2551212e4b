//! What can go wrong with state, by what it means for the caller.

use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, StoreError>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no such object")]
    NotFound,
    #[error("`{what}` exists already")]
    AlreadyExists { what: String },
    /// The row changed since it was read.
    #[error("the object changed since it was read")]
    Conflict,
    /// Another version than the one that the caller saw.
    #[error("the object is at version {version} by now")]
    Stale { version: i64 },
    /// Nobody would be left who can administer the tenant, or run the installation.
    #[error("this is the last administrator")]
    LastAdministrator,
    #[error("it is in use by {what}")]
    InUseBy { what: String },
    /// The state of the object does not allow it.
    #[error("{detail}")]
    Refused { detail: String },
    #[error("at most {limit} {what}")]
    TooMany { what: &'static str, limit: u32 },
    #[error("the cursor is not of this list")]
    InvalidCursor,
    /// A domain change was about to be committed without its ledger entry: an error in our code, refused.
    #[error("a change without a ledger entry was refused")]
    Unrecorded,
    #[error("the data directory {path} is in use by another server")]
    InUse { path: PathBuf },
    #[error("the data directory {path} was written by a newer version (format {found}, this one knows {known})")]
    TooNew { path: PathBuf, found: u32, known: u32 },
    #[error("the database was written by a newer version (schema {found}, this one knows {known})")]
    SchemaTooNew { found: i64, known: i64 },
    #[error("the database {place} cannot be reached: check its address, the login and the TLS settings")]
    Unreachable {
        /// Without the password.
        place: String,
        #[source]
        source: sqlx::Error,
    },
    /// The database or its login cannot serve as it is.
    #[error("the database cannot be used: {detail}")]
    Unsuitable { detail: String },
    /// Somebody else holds the lease now: what this one was about to commit is not committed.
    #[error("the lease `{lease}` has another holder; nothing was changed")]
    Fenced { lease: String },
    #[error("{path}: {doing} failed; check that the directory exists, is writable and has space")]
    Io {
        path: PathBuf,
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("key file {path} is damaged: {detail}")]
    Key { path: PathBuf, detail: String },
    #[error("stored data cannot be opened: {detail}")]
    Damaged { detail: String },
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the ledger failed: {detail}")]
    Ledger { detail: String },
}

impl StoreError {
    /// Whether the disk, here or at the database, had no space left.
    pub fn is_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded),
            // SQLITE_FULL, and disk_full of PostgreSQL.
            Self::Database(sqlx::Error::Database(cause)) => {
                matches!(cause.code().as_deref(), Some("13" | "53100")) || cause.message().contains("disk is full")
            }
            _ => false,
        }
    }

    pub(crate) fn damaged(detail: impl std::fmt::Display) -> Self {
        Self::Damaged { detail: detail.to_string() }
    }

    /// `Stale` when a caller who says which version they saw saw another one.
    pub(crate) fn stale_unless(expected: Option<i64>, version: i64) -> Result<()> {
        if expected.is_none_or(|expected| expected == version) { Ok(()) } else { Err(Self::Stale { version }) }
    }

    /// `AlreadyExists` where an `INSERT ... ON CONFLICT DO NOTHING` inserted nothing. A violated key would end the
    /// whole transaction on PostgreSQL.
    pub(crate) fn exists_unless_inserted(done: &sqlx::any::AnyQueryResult, what: &str) -> Result<()> {
        if done.rows_affected() == 0 { Err(Self::AlreadyExists { what: what.to_owned() }) } else { Ok(()) }
    }
}
