//! The bounded queue before the disk: appends that wait for the next common fsync.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError, mpsc::SyncSender},
    time::Duration,
};

use crate::{Appended, Error, NewEvent, SealedSegment, error::Result, frame::Sequence, partition::lock};

pub(crate) type Done = Box<dyn FnOnce(Result<Appended>) + Send>;

pub(crate) struct Append {
    pub(crate) events: Vec<NewEvent>,
    pub(crate) sequence: Option<Sequence>,
    /// Bytes it takes of the queue.
    pub(crate) bytes: usize,
    pub(crate) done: Done,
}

pub(crate) struct Seal {
    /// Only when the active segment is over age.
    pub(crate) only_due: bool,
    pub(crate) done: SyncSender<Result<Option<SealedSegment>>>,
}

enum Item {
    Append(Append),
    Seal(Seal),
}

/// What the writer does next.
pub(crate) enum Work {
    Commit(Vec<Append>),
    Seal(Seal),
    /// Nothing came within the time.
    Idle,
    /// Closed and empty.
    End,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
    closed: bool,
    seal_at_end: bool,
}

pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    work: Condvar,
    room: Condvar,
    /// At most so many wait.
    bytes_waiting: usize,
    /// About so many are taken at once.
    bytes_together: usize,
}

impl Queue {
    pub(crate) fn new(bytes_waiting: usize, bytes_together: usize) -> Self {
        let (work, room) = (Condvar::new(), Condvar::new());
        Self { waiting: Mutex::default(), work, room, bytes_waiting, bytes_together }
    }

    /// Enqueues, waiting for room at most `wait`; hands the append back with the error when it cannot.
    pub(crate) fn append(&self, append: Append, wait: Duration) -> Result<(), (Append, Error)> {
        let full = |waiting: &mut Waiting| {
            !waiting.closed && waiting.bytes > 0 && waiting.bytes.saturating_add(append.bytes) > self.bytes_waiting
        };
        let waited = self.room.wait_timeout_while(lock(&self.waiting), wait, full);
        let (mut waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Err((append, Error::Closed));
        }
        if timeout.timed_out() {
            let queued_bytes = waiting.bytes;
            return Err((append, Error::Busy { queued_bytes, queue_bytes: self.bytes_waiting }));
        }
        waiting.bytes = waiting.bytes.saturating_add(append.bytes);
        waiting.items.push_back(Item::Append(append));
        drop(waiting);
        self.work.notify_one();
        Ok(())
    }

    pub(crate) fn seal(&self, seal: Seal) -> Result<()> {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return Err(Error::Closed);
        }
        waiting.items.push_back(Item::Seal(seal));
        drop(waiting);
        self.work.notify_one();
        Ok(())
    }

    /// Refuses all that comes from now on; what waits is still written.
    pub(crate) fn close(&self, seal_at_end: bool) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        waiting.seal_at_end |= seal_at_end;
        drop(waiting);
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Closes and drops what waits: whoever waits for an answer learns that none comes.
    pub(crate) fn abandon(&self) {
        self.close(false);
        let dropped = std::mem::take(&mut lock(&self.waiting).items);
        drop(dropped);
    }

    pub(crate) fn seals_at_end(&self) -> bool {
        lock(&self.waiting).seal_at_end
    }

    /// The next work; appends that wait together come together.
    pub(crate) fn take(&self, wait: Duration) -> Work {
        let idle = |waiting: &mut Waiting| waiting.items.is_empty() && !waiting.closed;
        let waited = self.work.wait_timeout_while(lock(&self.waiting), wait, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut appends = Vec::new();
        let mut bytes = 0_usize;
        while bytes < self.bytes_together {
            match waiting.items.pop_front() {
                Some(Item::Append(append)) => {
                    bytes = bytes.saturating_add(append.bytes);
                    appends.push(append);
                }
                Some(Item::Seal(seal)) if appends.is_empty() => return Work::Seal(seal),
                Some(seal) => {
                    waiting.items.push_front(seal);
                    break;
                }
                None => break,
            }
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        let closed = waiting.closed;
        drop(waiting);
        self.room.notify_all();
        match appends.is_empty() {
            false => Work::Commit(appends),
            true if closed => Work::End,
            true => Work::Idle,
        }
    }
}
