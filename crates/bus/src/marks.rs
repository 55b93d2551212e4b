//! What each producer sent last, so that a retry after a lost answer stores nothing twice.
//!
//! A producer's numbers grow: a number at or below its mark is a repetition.

use std::collections::HashMap;

use shieldops_model::EventId;

use crate::{
    Appended, Offset,
    frame::{Header, Sequence},
};

/// The last batch of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerMark {
    pub(crate) sequence: Sequence,
    pub(crate) first: EventId,
    pub(crate) last: EventId,
    pub(crate) count: u64,
    /// The offset after the batch.
    pub(crate) end: u64,
}

impl ProducerMark {
    pub(crate) fn of(header: &Header) -> Option<Self> {
        let sequence = header.producer?;
        let (first, last, count) = (header.first, header.last, u64::from(header.count));
        Some(Self { sequence, first, last, count, end: header.next() })
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    by_producer: HashMap<[u8; 16], ProducerMark>,
}

impl Marks {
    /// The answer to a repeated batch, `None` for a new one.
    pub(crate) fn repeated(&self, sequence: Sequence) -> Option<Appended> {
        let mark = self.by_producer.get(&sequence.producer)?;
        if sequence.number > mark.sequence.number {
            return None;
        }
        let offset = Offset(mark.end);
        if sequence.number < mark.sequence.number {
            return Some(Appended { first: None, last: None, count: 0, offset, duplicate: true });
        }
        let (first, last) = (Some(mark.first), Some(mark.last));
        Some(Appended { first, last, count: mark.count, offset, duplicate: true })
    }

    pub(crate) fn last_number(&self, producer: [u8; 16]) -> Option<u64> {
        self.by_producer.get(&producer).map(|mark| mark.sequence.number)
    }

    /// Takes in a frame's or batch's mark; the frames of one batch make one mark.
    pub(crate) fn put(&mut self, mark: ProducerMark) {
        let known = self.by_producer.entry(mark.sequence.producer).or_insert(mark);
        if known.end >= mark.end || known.sequence.number > mark.sequence.number {
            return;
        }
        let continued = known.sequence == mark.sequence;
        let (first, count) =
            if continued { (known.first, known.count.saturating_add(mark.count)) } else { (mark.first, mark.count) };
        *known = ProducerMark { first, count, ..mark };
    }

    /// Forgets those silent longest when more than `limit` are known.
    pub(crate) fn bound(&mut self, limit: usize) {
        if self.by_producer.len() <= limit {
            return;
        }
        let mut ends: Vec<u64> = self.by_producer.values().map(|mark| mark.end).collect();
        ends.sort_unstable_by(|left, right| right.cmp(left));
        // A tenth more than needed, so that this is rare.
        let keep = limit.saturating_sub(limit / 10).max(1);
        let oldest = ends.get(keep.saturating_sub(1)).copied().unwrap_or(0);
        self.by_producer.retain(|_, mark| mark.end >= oldest);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ProducerMark> {
        self.by_producer.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_producer.len()
    }
}
