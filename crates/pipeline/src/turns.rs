//! Turns of work that takes the processor for long: of each tenant one at a time, a few altogether, and a short line before
//! them. Who finds it full is told to come again. And what ends such work when nobody waits for it any more, or it took long.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use shieldops_bus::Stop;
use shieldops_model::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{PipelineError, Result};

/// At once, of all tenants.
const ALL: usize = 2;
/// Of one tenant: the one that runs, and those that wait.
const LINE: usize = 6;
/// How long one waits for its turn.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Tenants that are remembered before those without a turn are forgotten.
const REMEMBERED: usize = 64;

pub struct Turns {
    all: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Arc<Line>>>,
}

struct Line {
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// Held as long as the work lasts, though the request that asked for it may be gone.
#[derive(Debug)]
pub struct Turn {
    _all: OwnedSemaphorePermit,
    _own: [OwnedSemaphorePermit; 2],
}

impl Default for Turns {
    fn default() -> Self {
        Self::at_once(ALL)
    }
}

impl Turns {
    /// So many at once, of all tenants.
    pub fn at_once(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), tenants: Mutex::default() }
    }

    fn line(&self, tenant: TenantId) -> Arc<Line> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= REMEMBERED {
            let idle = |line: &Line| line.places.available_permits() == LINE;
            tenants.retain(|_, line| Arc::strong_count(line) > 1 || !idle(line));
        }
        let fresh = || Line { places: Arc::new(Semaphore::new(LINE)), turn: Arc::new(Semaphore::new(1)) };
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(fresh())))
    }

    /// # Errors
    /// `Busy` when the tenant's line is full, or no turn came in time.
    pub async fn take(&self, tenant: TenantId) -> Result<Turn> {
        tokio::time::timeout(PATIENCE, self.wait(tenant)).await.map_err(|_late| PipelineError::Busy)?
    }

    /// The same, however long it takes. A tenant has one place before that of all: its others wait behind it, not before
    /// other tenants.
    ///
    /// # Errors
    /// `Busy` when the tenant's line is full.
    pub async fn wait(&self, tenant: TenantId) -> Result<Turn> {
        let line = self.line(tenant);
        let place = Arc::clone(&line.places).try_acquire_owned().map_err(|_full| PipelineError::Busy)?;
        let own = Arc::clone(&line.turn).acquire_owned().await.map_err(|_closed| PipelineError::Busy)?;
        let any = Arc::clone(&self.all).acquire_owned().await.map_err(|_closed| PipelineError::Busy)?;
        Ok(Turn { _all: any, _own: [own, place] })
    }
}

/// Work that is waited for: once this is gone, its [`Stop`] is due.
#[derive(Debug)]
pub struct Awaited(Arc<AtomicBool>);

impl Awaited {
    /// What the work asks now and then, and what whoever waits for it holds.
    pub fn new(longest: Duration) -> (Stop, Self) {
        let stop = Stop { at: Instant::now().checked_add(longest), ..Stop::default() };
        let gone = Arc::clone(&stop.now);
        (stop, Self(gone))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll};

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_bits(number)
    }

    /// What comes of it without waiting.
    async fn now<T>(work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_one_at_a_time_a_short_line_and_none_of_anothers_places() {
        let turns = Turns::default();
        let first = turns.take(tenant(1)).await.unwrap();
        let mut waiting: Vec<_> = (1..LINE).map(|_| Box::pin(turns.take(tenant(1)))).collect();
        for waits in &mut waiting {
            assert!(now(waits.as_mut()).await.is_none());
        }
        assert!(matches!(turns.take(tenant(1)).await, Err(PipelineError::Busy)), "the line is full");
        let other = now(turns.take(tenant(2))).await.unwrap().unwrap();
        drop(first);
        assert!(now(waiting.remove(0)).await.is_some(), "and its turn is given back at once");
        assert!(waiting.remove(0).await.is_ok());
        drop(other);
        let all: Vec<_> = (10..10 + 2 * u128::try_from(REMEMBERED).unwrap()).map(tenant).collect();
        drop(waiting);
        for tenant in all {
            drop(turns.take(tenant).await.unwrap());
        }
        assert!(turns.tenants.lock().unwrap().len() <= REMEMBERED);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_turn_in_time_is_told_so() {
        let turns = Turns::default();
        let _held = (turns.take(tenant(1)).await.unwrap(), turns.take(tenant(2)).await.unwrap());
        assert!(matches!(turns.take(tenant(3)).await, Err(PipelineError::Busy)));
    }

    #[tokio::test]
    async fn what_a_tenant_has_waiting_comes_after_what_another_asks_for_meanwhile() {
        let turns = Turns::at_once(1);
        let first = turns.wait(tenant(1)).await.unwrap();
        let mut second = Box::pin(turns.wait(tenant(1)));
        assert!(now(second.as_mut()).await.is_none());
        let mut other = Box::pin(turns.wait(tenant(2)));
        assert!(now(other.as_mut()).await.is_none());
        drop(first);
        assert!(now(second.as_mut()).await.is_none(), "the other tenant was there before it was its turn");
        let theirs = now(other.as_mut()).await.unwrap().unwrap();
        drop(theirs);
        assert!(now(second.as_mut()).await.is_some());
    }

    #[test]
    fn work_that_nobody_waits_for_is_to_stop() {
        let (stop, awaited) = Awaited::new(Duration::from_hours(1));
        assert!(!stop.is_due());
        drop(awaited);
        assert!(stop.is_due());
        let (stop, _awaited) = Awaited::new(Duration::ZERO);
        assert!(stop.is_due());
    }
}
