//! A few events of one shard, kept to learn from.

use super::learn::{MAX_SAMPLE_BYTES, MAX_SAMPLES};

#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    lines: Vec<Box<[u8]>>,
    /// Taken since the beginning.
    taken: u64,
    /// The count at which the shard is made again.
    due: Option<u64>,
    bytes: usize,
}

/// Counts of samples after which a shard is made again; later at every doubling.
const FIRST_DUE: u64 = 40;

impl Samples {
    /// Takes a canonical line; whether the shard should be made again.
    pub(crate) fn take(&mut self, line: &[u8]) -> bool {
        if line.len() > MAX_SAMPLE_BYTES {
            return false;
        }
        self.taken = self.taken.saturating_add(1);
        self.bytes = self.bytes.saturating_add(line.len());
        if self.lines.len() < MAX_SAMPLES {
            self.lines.push(line.into());
        } else if let Some(slot) =
            usize::try_from(self.taken).ok().and_then(|taken| self.lines.get_mut(taken & MAX_SAMPLES.saturating_sub(1)))
        {
            self.bytes = self.bytes.saturating_sub(slot.len());
            *slot = line.into();
        }
        self.taken >= self.due.unwrap_or(FIRST_DUE)
    }

    /// The samples, where it is time to use them.
    pub(crate) fn take_due(&mut self) -> Option<Vec<Box<[u8]>>> {
        let due = self.due.unwrap_or(FIRST_DUE);
        if self.taken < due {
            return None;
        }
        self.due = Some(due.saturating_mul(8).max(due.saturating_add(1)));
        Some(self.lines.clone())
    }

    /// The samples, where a shard was made from some.
    pub(crate) fn used(&self) -> Option<&[Box<[u8]>]> {
        self.due.map(|_| self.lines.as_slice())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
