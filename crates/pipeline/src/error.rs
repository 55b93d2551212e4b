//! What stops a worker's step; it is logged and tried again.

pub type Result<T> = std::result::Result<T, PipelineError>;

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Store(#[from] shieldops_store::StoreError),
    #[error(transparent)]
    Bus(#[from] shieldops_bus::Error),
    /// This process has neither the role `ingest` nor `detect`, so it owns no log of events.
    #[error("this process has no log of events: ask one with the role ingest")]
    NoLog,
    /// Nothing of the body was stored.
    #[error("a body holds at most {limit} events")]
    TooManyEvents { limit: usize },
    /// Others of the same tenant are at such work, or too many tenants are.
    #[error("work of this kind is under way already: wait for it")]
    Busy,
    /// The blocking pool is gone: the process is ending.
    #[error("the worker was stopped")]
    Stopped,
    /// An error in our code; the log holds its trace.
    #[error("the worker failed unexpectedly")]
    Panicked,
}
