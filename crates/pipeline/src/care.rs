//! How carefully a worker reads after a failure: the same again, then halves, then the one event alone.

/// Times the same is tried before less is, and the last event before it is given up.
const TRIES: u32 = 3;

#[derive(Debug)]
pub(crate) struct Care {
    failures: u32,
    /// Events of the next batch.
    take: usize,
}

impl Default for Care {
    fn default() -> Self {
        Self { failures: 0, take: usize::MAX }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Again,
    /// The one event of the batch cannot be processed.
    GiveUp,
}

impl Care {
    pub(crate) fn take(&self) -> usize {
        self.take
    }

    /// A batch of so many events failed, and the fault is its own.
    pub(crate) fn failed(&mut self, events: usize) -> Next {
        self.failures += 1;
        if self.failures < TRIES {
            return Next::Again;
        }
        if events <= 1 {
            return Next::GiveUp;
        }
        self.take = events / 2;
        // Once the fault is known to be in the batch, halves need no second try; the last event has all of them.
        self.failures = if self.take == 1 { 0 } else { TRIES };
        Next::Again
    }

    /// So many events are what one transaction takes of such: the next read little more at once.
    pub(crate) fn fits(&mut self, events: usize) {
        self.take = events.max(1);
        self.succeeded();
    }

    /// A batch went through, or its event was given up: read on, twice as much each time.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.take = self.take.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through `events` events of which one always fails; says which were given up, and in how many steps.
    fn walk(events: usize, poison: usize) -> (Vec<usize>, usize) {
        let (mut care, mut place, mut steps, mut given_up) = (Care::default(), 0, 0, Vec::new());
        while place < events {
            steps += 1;
            let batch = care.take().min(events - place);
            if !(place..place + batch).contains(&poison) {
                place += batch;
                care.succeeded();
            } else if care.failed(batch) == Next::GiveUp {
                given_up.push(place);
                place += batch;
                care.succeeded();
            }
        }
        (given_up, steps)
    }

    #[test]
    fn one_event_that_cannot_be_processed_is_given_up_alone_and_soon() {
        for (events, poison) in [(1, 0), (2, 1), (1_000, 0), (1_000, 999), (10_000, 4_321)] {
            let (given_up, steps) = walk(events, poison);
            assert_eq!(given_up, [poison], "{events}");
            assert!(steps < 80, "{events} {poison}: {steps}");
        }
    }

    #[test]
    fn what_is_written_in_pieces_is_not_read_again_and_again() {
        let (mut care, mut place, mut read) = (Care::default(), 0, 0);
        while place < 10_000 {
            let batch = care.take().min(10_000 - place);
            read += batch;
            place += batch.min(100);
            if batch > 100 { care.fits(100) } else { care.succeeded() }
        }
        assert!(read < 30_001, "{read}");
    }

    #[test]
    fn a_fault_that_passes_costs_no_event() {
        let mut care = Care::default();
        assert_eq!(care.failed(100), Next::Again);
        assert_eq!(care.failed(100), Next::Again);
        care.succeeded();
        assert_eq!(care.take(), usize::MAX);
    }
}
