//! How many requests run at once, and who is next: interactive before batch before ingest.
//!
//! A bulkhead keeps some places for the lanes above, so that no flood of a lower one takes them all. Within a lane the
//! tenants take turns, so that one tenant's queue is not another's wait, and none holds all the places: who sends a body
//! slowly keeps a place for long. What waits too long is told to come again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shieldops_model::TenantId;
use tokio::sync::oneshot;

/// Which lane a request drives in, the first the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Interactive,
    Batch,
    Ingest,
}

impl Lane {
    const ALL: [Self; 3] = [Self::Interactive, Self::Batch, Self::Ingest];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Batch => "batch",
            Self::Ingest => "ingest",
        }
    }
}

/// Places, and the share of them that each lane may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widths {
    pub(crate) all: usize,
    pub(crate) batch: usize,
    pub(crate) ingest: usize,
    /// Waiting requests of one tenant in one lane.
    pub(crate) queue: usize,
}

impl Default for Widths {
    fn default() -> Self {
        Self { all: 64, batch: 8, ingest: 32, queue: 256 }
    }
}

impl Widths {
    const fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Interactive => self.all,
            Lane::Batch => self.batch,
            Lane::Ingest => self.ingest,
        }
    }

    /// Of those, the ones that a single tenant may hold: a quarter is left to the others.
    const fn of_tenant(&self, lane: Lane) -> usize {
        let all = self.of(lane);
        all - all / 4
    }
}

#[derive(Debug)]
pub(crate) struct Lanes {
    widths: Widths,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    queues: HashMap<Lane, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    /// Places that each tenant holds.
    held: HashMap<TenantId, usize>,
    /// Whose turn is next; each has somebody waiting.
    turns: VecDeque<TenantId>,
    waiting: HashMap<TenantId, VecDeque<oneshot::Sender<Place>>>,
}

/// A place in a lane, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    lanes: Arc<Lanes>,
    lane: Lane,
    tenant: TenantId,
}

/// Why a request got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Queue,
    Late,
}

impl Lanes {
    pub(crate) fn new(widths: Widths) -> Arc<Self> {
        Arc::new(Self { widths, state: Mutex::default() })
    }

    /// Waits for a place, at most `patience`.
    ///
    /// # Errors
    /// The tenant has too many waiting, or no place came free in time.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        lane: Lane,
        tenant: TenantId,
        patience: Duration,
    ) -> Result<Place, Full> {
        let waiting = {
            let mut state = self.lock();
            if state.is_free(lane, tenant, &self.widths) && !state.has_waiting(lane) {
                state.occupy(lane, tenant);
                return Ok(self.place(lane, tenant));
            }
            let (ticket, waiting) = oneshot::channel();
            state.wait(lane, tenant, ticket, self.widths.queue)?;
            // Those before may be of a tenant that holds all it may.
            self.serve(state);
            waiting
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(place) => place.map_err(|_gone| Full::Late),
            Err(_elapsed) => Err(Full::Late),
        }
    }

    fn place(self: &Arc<Self>, lane: Lane, tenant: TenantId) -> Place {
        Place { lanes: Arc::clone(self), lane, tenant }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(self: &Arc<Self>, lane: Lane, tenant: TenantId) {
        let mut state = self.lock();
        state.vacate(lane, tenant);
        self.serve(state);
    }

    /// Gives the places that are free to who is next. Whoever waits no longer is passed over.
    fn serve(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        // A place that nobody took comes back when it is dropped: outside the lock.
        let mut refused = Vec::new();
        while let Some((lane, tenant, ticket)) = state.next(&self.widths) {
            if ticket.is_closed() {
                continue;
            }
            state.occupy(lane, tenant);
            if let Err(place) = ticket.send(self.place(lane, tenant)) {
                refused.push(place);
            }
        }
        drop(state);
        drop(refused);
    }
}

impl State {
    fn queue(&mut self, lane: Lane) -> &mut Queue {
        self.queues.entry(lane).or_default()
    }

    fn is_free(&mut self, lane: Lane, tenant: TenantId, widths: &Widths) -> bool {
        let all = self.running < widths.all;
        let queue = self.queue(lane);
        all && queue.running < widths.of(lane) && queue.held_by(tenant) < widths.of_tenant(lane)
    }

    fn has_waiting(&mut self, lane: Lane) -> bool {
        !self.queue(lane).turns.is_empty()
    }

    fn occupy(&mut self, lane: Lane, tenant: TenantId) {
        self.running += 1;
        let queue = self.queue(lane);
        queue.running += 1;
        *queue.held.entry(tenant).or_default() += 1;
    }

    fn vacate(&mut self, lane: Lane, tenant: TenantId) {
        self.running = self.running.saturating_sub(1);
        let queue = self.queue(lane);
        queue.running = queue.running.saturating_sub(1);
        let left = queue.held_by(tenant).saturating_sub(1);
        if left == 0 {
            queue.held.remove(&tenant);
        } else {
            queue.held.insert(tenant, left);
        }
    }

    fn wait(&mut self, lane: Lane, tenant: TenantId, ticket: oneshot::Sender<Place>, most: usize) -> Result<(), Full> {
        let queue = self.queue(lane);
        let line = queue.waiting.entry(tenant).or_default();
        line.retain(|ticket| !ticket.is_closed());
        if line.len() >= most {
            return Err(Full::Queue);
        }
        line.push_back(ticket);
        if !queue.turns.contains(&tenant) {
            queue.turns.push_back(tenant);
        }
        Ok(())
    }

    /// Who waits first in the fastest lane that has a place for them.
    fn next(&mut self, widths: &Widths) -> Option<(Lane, TenantId, oneshot::Sender<Place>)> {
        if self.running >= widths.all {
            return None;
        }
        Lane::ALL.into_iter().find_map(|lane| {
            let (tenant, ticket) = self.queue(lane).next(widths.of(lane), widths.of_tenant(lane))?;
            Some((lane, tenant, ticket))
        })
    }
}

impl Queue {
    fn held_by(&self, tenant: TenantId) -> usize {
        self.held.get(&tenant).copied().unwrap_or_default()
    }

    fn next(&mut self, width: usize, of_tenant: usize) -> Option<(TenantId, oneshot::Sender<Place>)> {
        if self.running >= width {
            return None;
        }
        let turn = self.turns.iter().position(|tenant| self.held_by(*tenant) < of_tenant)?;
        let tenant = self.turns.remove(turn)?;
        let line = self.waiting.get_mut(&tenant)?;
        let ticket = line.pop_front();
        if line.is_empty() {
            self.waiting.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        ticket.map(|ticket| (tenant, ticket))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.leave(self.lane, self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::{FutureExt as _, poll};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn tenant(number: u128) -> TenantId {
        TenantId::from_bits(number)
    }

    fn lanes(all: usize, batch: usize) -> Arc<Lanes> {
        Lanes::new(Widths { all, batch, ingest: 1, queue: 3 })
    }

    #[tokio::test(start_paused = true)]
    async fn the_bulkhead_keeps_places_for_the_lane_above() {
        let lanes = lanes(3, 2);
        let _held = (
            lanes.enter(Lane::Batch, tenant(1), LONG).await.unwrap(),
            lanes.enter(Lane::Batch, tenant(1), LONG).await.unwrap(),
        );
        assert_eq!(lanes.enter(Lane::Batch, tenant(1), Duration::from_secs(1)).await.unwrap_err(), Full::Late);
        assert!(lanes.enter(Lane::Interactive, tenant(1), LONG).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_free_place_goes_to_the_fastest_lane_and_tenants_take_turns() {
        let lanes = lanes(1, 1);
        let held = lanes.enter(Lane::Ingest, tenant(1), LONG).await.unwrap();
        let mut batch = Box::pin(lanes.enter(Lane::Batch, tenant(2), LONG));
        let mut one = Box::pin(lanes.enter(Lane::Interactive, tenant(1), LONG));
        let mut two = Box::pin(lanes.enter(Lane::Interactive, tenant(1), LONG));
        let mut other = Box::pin(lanes.enter(Lane::Interactive, tenant(2), LONG));
        for waiting in [&mut batch, &mut one, &mut two, &mut other] {
            assert!(poll!(waiting).is_pending());
        }
        drop(held);
        for (name, next) in [("one", &mut one), ("other", &mut other), ("two", &mut two), ("batch", &mut batch)] {
            let Poll::Ready(place) = poll!(next) else { panic!("it is the turn of {name}") };
            drop(place.unwrap());
        }
    }

    #[tokio::test]
    async fn one_tenant_holds_no_more_than_its_share_and_another_gets_in_past_its_queue() {
        let lanes = Lanes::new(Widths { all: 4, batch: 4, ingest: 4, queue: 9 });
        let enter = |number| Box::pin(lanes.enter(Lane::Interactive, tenant(number), LONG));
        let mut held: Vec<_> = (0..3).map(|_| enter(1).now_or_never().unwrap().unwrap()).collect();
        let mut more = enter(1);
        assert!(poll!(&mut more).is_pending(), "one place is left to the others");
        let other = enter(2).now_or_never().unwrap().unwrap();
        drop(held.pop());
        assert!(poll!(&mut more).is_ready());
        drop((held, other, more));
        assert_eq!(lanes.lock().running, 0);
        assert!(lanes.lock().queue(Lane::Interactive).held.is_empty());
    }

    #[tokio::test]
    async fn a_request_that_was_given_up_leaves_its_place_to_the_next() {
        let lanes = lanes(1, 1);
        let held = lanes.enter(Lane::Interactive, tenant(1), LONG).await.unwrap();
        let mut gone = Box::pin(lanes.enter(Lane::Interactive, tenant(1), LONG));
        let mut stays = Box::pin(lanes.enter(Lane::Interactive, tenant(1), LONG));
        assert!(poll!(&mut gone).is_pending() && poll!(&mut stays).is_pending());
        drop(held);
        // It was given its place and never took it.
        drop(gone);
        assert!(poll!(&mut stays).is_ready());
        assert_eq!(lanes.lock().running, 0);
    }

    #[tokio::test]
    async fn a_queue_has_an_end() {
        let lanes = lanes(1, 1);
        let _held = lanes.enter(Lane::Interactive, tenant(1), LONG).await.unwrap();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(lanes.enter(Lane::Interactive, tenant(1), LONG))).collect();
        for request in &mut waiting {
            assert!(poll!(request).is_pending());
        }
        let refused = lanes.enter(Lane::Interactive, tenant(1), LONG).now_or_never();
        assert_eq!(refused.unwrap().unwrap_err(), Full::Queue);
        waiting.clear();
        let mut again = Box::pin(lanes.enter(Lane::Interactive, tenant(1), LONG));
        assert!(poll!(&mut again).is_pending(), "those who left do not count");
    }
}
