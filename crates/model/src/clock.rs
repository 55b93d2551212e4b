//! The clock as a parameter, so that a test sets the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;

    /// Time since boot, sleep included: it does not jump when somebody sets the time (`CLOCK_BOOTTIME`).
    fn boot(&self) -> Duration;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    fn boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}

/// A clock that stands until it is set; clones share the time.
#[derive(Debug, Clone)]
pub struct FixedClock {
    wall: Arc<AtomicI64>,
    /// So far the wall clock was set forward, which the clock since boot does not see.
    leapt: Arc<AtomicI64>,
}

impl FixedClock {
    pub fn at(time: Timestamp) -> Self {
        Self { wall: Arc::new(AtomicI64::new(time.as_micros())), leapt: Arc::default() }
    }

    pub fn set(&self, time: Timestamp) {
        self.wall.store(time.as_micros(), Ordering::SeqCst);
    }

    pub fn advance(&self, span: Duration) {
        self.set(self.now().plus(span));
    }

    /// Somebody sets the wall clock forward: no time passes.
    pub fn leap(&self, span: Duration) {
        self.leapt.fetch_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.advance(span);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Duration {
        let since = self.wall.load(Ordering::SeqCst).saturating_sub(self.leapt.load(Ordering::SeqCst));
        Duration::from_micros(u64::try_from(since).unwrap_or_default())
    }
}
