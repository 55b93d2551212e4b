//! What a batch must be to be taken at all, and who is told to wait while too much is unprocessed.

use crate::{
    Error, Limits, NewEvent,
    error::Result,
    limits::{NAME_BYTES, full_at},
    payload, share,
};

/// The bytes that the batch takes of the queue.
pub(crate) fn batch(limits: &Limits, events: &[NewEvent]) -> Result<usize> {
    let mut total = 0_usize;
    for (index, event) in events.iter().enumerate() {
        let (bytes, limit) = (event.raw.len(), limits.event_bytes);
        if bytes > limit {
            return Err(Error::EventTooLarge { index, bytes, limit });
        }
        if event.source.len().max(event.format.len()) > NAME_BYTES {
            return Err(Error::NameTooLong { index, limit: NAME_BYTES });
        }
        total = total.saturating_add(bytes).saturating_add(payload::ENVELOPE);
    }
    let limit = limits.batch_bytes.saturating_add(payload::ENVELOPE);
    if total > limit { Err(Error::BatchTooLarge { bytes: total, limit }) } else { Ok(total) }
}

/// The unprocessed bytes of a tenant, and what is looked at to judge them.
pub(crate) struct Waiting {
    pub(crate) bytes: u64,
    /// Over all tenants.
    pub(crate) of_all: u64,
    pub(crate) tenants: u64,
}

impl Waiting {
    /// Below its equal part a tenant is never told to wait, whatever the others do.
    pub(crate) fn is_little(&self, limits: &Limits) -> bool {
        self.bytes < share::equal(full_at(limits.max_bytes), self.tenants)
    }

    /// Refuses a tenant that has more waiting than the others leave it, with what these have on disk.
    pub(crate) fn check(&self, limits: &Limits, others: Vec<u64>) -> Result<()> {
        let unprocessed_bytes = self.bytes;
        let max_bytes = share::beside(limits.max_bytes, others);
        if unprocessed_bytes >= full_at(max_bytes) {
            return Err(Error::Full { unprocessed_bytes, max_bytes });
        }
        if self.of_all >= full_at(limits.max_bytes) {
            let max_bytes = share::equal(limits.max_bytes, self.tenants);
            return Err(Error::Full { unprocessed_bytes, max_bytes });
        }
        Ok(())
    }
}
