//! Turns of proofs and exports, which copy or hold a whole ledger: one at a time of each tenant, a few altogether, and a short
//! line before them. Who finds it full is told to come again, so that none of them keeps the places of other requests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shieldops_model::{Code, TenantId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Problem;

/// At once, of all tenants.
const ALL: usize = 2;
/// Of one tenant: the one that runs, and those that wait.
const LINE: usize = 3;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tenants that are remembered before those without a turn are forgotten.
const REMEMBERED: usize = 64;

pub(super) struct Turns {
    all: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Arc<Line>>>,
}

struct Line {
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// Held as long as the work lasts.
pub(super) struct Turn {
    _all: Option<OwnedSemaphorePermit>,
    _own: [OwnedSemaphorePermit; 2],
    _line: Arc<Line>,
}

impl Turn {
    /// Lets other tenants go on: what comes is as slow as its reader. The tenant's own turn stays taken.
    pub(super) fn let_others(self) -> Self {
        Self { _all: None, ..self }
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL)), tenants: Mutex::default() }
    }

    fn line(&self, tenant: TenantId) -> Arc<Line> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= REMEMBERED {
            tenants.retain(|_, line| Arc::strong_count(line) > 1);
        }
        let fresh = || Line { places: Arc::new(Semaphore::new(LINE)), turn: Arc::new(Semaphore::new(1)) };
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(fresh())))
    }

    /// # Errors
    /// `queue_full` when the tenant's line is full, or no turn came in time.
    pub(super) async fn take(&self, tenant: TenantId) -> Result<Turn, Problem> {
        let line = self.line(tenant);
        let place = Arc::clone(&line.places).try_acquire_owned().map_err(|_full| full())?;
        let turns = async {
            let own = Arc::clone(&line.turn).acquire_owned().await;
            let any = Arc::clone(&self.all).acquire_owned().await;
            own.ok().zip(any.ok())
        };
        let taken = tokio::time::timeout(PATIENCE, turns).await;
        let (own, any) = taken.ok().flatten().ok_or_else(full)?;
        Ok(Turn { _all: Some(any), _own: [own, place], _line: line })
    }
}

fn full() -> Problem {
    let detail = "proofs and exports of this ledger are under way already: wait for them";
    Problem { retry_after_s: Some(PATIENCE.as_secs()), ..Problem::new(Code::QUEUE_FULL, detail) }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_bits(number)
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_one_at_a_time_a_short_line_and_none_of_anothers_places() {
        let turns = Turns::new();
        let first = turns.take(tenant(1)).now_or_never().unwrap().unwrap();
        let (mut second, mut third) = (Box::pin(turns.take(tenant(1))), Box::pin(turns.take(tenant(1))));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        let fourth = turns.take(tenant(1)).now_or_never().unwrap().err().unwrap();
        assert_eq!((fourth.status, fourth.code.as_str(), fourth.retry_after_s), (429, "queue_full", Some(10)));
        let other = turns.take(tenant(2)).now_or_never().unwrap().unwrap();
        drop(first);
        let second = second.now_or_never().unwrap().unwrap();
        assert!(poll!(&mut third).is_pending());
        let late = third.await.err().unwrap();
        assert_eq!((late.status, late.retry_after_s), (429, Some(10)), "no turn came in time");
        let mut next = Box::pin(turns.take(tenant(3)));
        assert!(poll!(&mut next).is_pending(), "two are at work");
        drop((second, other));
        assert!(poll!(&mut next).is_ready());
        drop(next);
        let all: Vec<_> = (10..10 + 2 * u128::try_from(REMEMBERED).unwrap()).map(tenant).collect();
        for tenant in all {
            drop(turns.take(tenant).await.unwrap());
        }
        assert!(turns.tenants.lock().unwrap().len() <= REMEMBERED);
    }
}
