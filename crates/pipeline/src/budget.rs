//! Memory of bodies on their way in: one bound for all of them together, whoever sends them. Nobody waits for a share: who gets
//! none is told to come again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Debug, Clone)]
pub struct Budget {
    taken: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        Self { taken: Arc::default(), bytes }
    }

    /// A share of nothing, to be grown.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }

    /// Bytes of all shares.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Bytes there are in all.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What one body takes; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    /// Takes more; false, and nothing taken, where there is not so much left.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.budget.bytes);
        let got = self.budget.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if got {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        got
    }

    /// Grows to so many bytes, or stays as it is and says false.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        more == 0 || self.take(more)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_stay_within_the_budget_and_come_back() {
        let budget = Budget::new(100);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.grow_to(60) && one.grow_to(40) && two.take(40));
        assert_eq!((budget.taken(), one.bytes()), (100, 60));
        assert!(!two.take(1) && !one.grow_to(61) && !two.take(usize::MAX));
        drop(one);
        assert!(two.grow_to(100));
        drop(two);
        assert_eq!(budget.taken(), 0);
    }
}
