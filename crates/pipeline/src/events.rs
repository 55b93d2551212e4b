//! Reading events back: by id, and by entity, time, source and text, with a word on how far the search looked.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use memchr::memmem::Finder;
use shieldops_bus::{Bus, Looked, Page, Query, Stop};
use shieldops_model::{Entity, Event, EventId, TenantId, Timestamp};
use shieldops_store::{TenantScope, cited};

use crate::{
    Pipeline, PipelineError, Result,
    turns::{Awaited, Turns},
};

/// Searches at a time: each reads and opens much of the log, and the workers want the processor too.
static SEARCHES: LazyLock<Turns> = LazyLock::new(Turns::default);
/// Events one request looks at, their bytes, and how long it looks before it answers with what it has.
const LOOK: u64 = 500_000;
const LOOK_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    pub entity: Option<Entity>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Text anywhere in the raw bytes, without regard to ASCII case.
    pub text: Option<String>,
    pub source: Option<String>,
    /// The last event of the page before.
    pub before: Option<EventId>,
    pub limit: usize,
}

pub struct EventSearch {
    pub events: Vec<Event>,
    pub next: Option<EventId>,
    pub looked: Looked,
}

/// What the log has of an event.
pub(crate) enum Stored {
    Event(Event),
    /// Retention has deleted it, or it is of another log.
    Gone,
    /// Its bytes cannot be read any more. That is the event's fault, and not that of who asks.
    Damaged,
}

pub(crate) fn stored(bus: &Bus, tenant: TenantId, id: EventId) -> Result<Stored> {
    match bus.get(tenant, id) {
        Ok(found) => Ok(found.map_or(Stored::Gone, Stored::Event)),
        Err(shieldops_bus::Error::Damaged { .. }) => Ok(Stored::Damaged),
        Err(error) => Err(error.into()),
    }
}

/// An event of the log, or the copy that was kept because it is cited. A process without a log has the copies.
pub async fn find(pipeline: &Pipeline, scope: &TenantScope, id: EventId) -> Result<Option<Event>> {
    if let Ok(bus) = pipeline.bus() {
        let (log, tenant) = (Arc::clone(bus), scope.tenant());
        let read = tokio::task::spawn_blocking(move || stored(&log, tenant, id));
        if let Stored::Event(event) = read.await.map_err(|_ended| PipelineError::Stopped)?? {
            return Ok(Some(event));
        }
    }
    Ok(cited::find(&mut scope.read().await?, id).await?)
}

/// One page, newest first. It ends early, and says so, when it took long or is no longer waited for.
///
/// # Errors
/// `NoLog` in a process that owns no log, `Busy` where others search already.
pub async fn search(pipeline: &Pipeline, scope: &TenantScope, query: EventQuery) -> Result<EventSearch> {
    let (log, tenant) = (Arc::clone(pipeline.bus()?), scope.tenant());
    let turn = SEARCHES.take(tenant).await?;
    let (stop, _awaited) = Awaited::new(LONGEST);
    let work = move || {
        // Held to the end of the work, though the request that asked may be gone.
        let _turn = turn;
        page(&log, tenant, &query, stop)
    };
    let page = tokio::task::spawn_blocking(work).await.map_err(|_ended| PipelineError::Stopped)??;
    Ok(EventSearch { events: page.events, next: page.next, looked: page.looked })
}

fn page(log: &Bus, tenant: TenantId, query: &EventQuery, stop: Stop) -> shieldops_bus::Result<Page> {
    let mut text = query.text.as_deref().map(Text::new);
    let mut wanted = |event: &Event| {
        query.source.as_ref().is_none_or(|source| event.source == *source)
            && text.as_mut().is_none_or(|text| text.is_in(&event.raw))
    };
    let range = Query {
        from: query.from,
        to: query.to,
        before: query.before,
        limit: query.limit,
        max_events: LOOK,
        max_bytes: LOOK_BYTES,
        stop,
        ..Query::default()
    };
    match &query.entity {
        Some(entity) => log.find_by_key(tenant, entity.key(), &range, &mut wanted),
        None => log.scan(tenant, &range, &mut wanted),
    }
}

/// A text that is looked for without regard to ASCII case, in time of the event and the text.
struct Text {
    finder: Finder<'static>,
    /// An event with its ASCII letters lowered.
    lowered: Vec<u8>,
}

impl Text {
    fn new(text: &str) -> Self {
        Self { finder: Finder::new(&text.to_ascii_lowercase()).into_owned(), lowered: Vec::new() }
    }

    fn is_in(&mut self, raw: &[u8]) -> bool {
        self.lowered.clear();
        self.lowered.extend_from_slice(raw);
        self.lowered.make_ascii_lowercase();
        self.finder.find(&self.lowered).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, time::Instant};

    use shieldops_store::Job;

    use super::*;
    use crate::testing::World;

    fn contains(raw: &[u8], text: &str) -> bool {
        Text::new(text).is_in(raw)
    }

    #[tokio::test]
    async fn a_search_is_its_tenants_only_one_and_gives_its_turn_back_when_it_is_dropped() {
        let world = World::new().await;
        world.sign_in(0..5).await;
        let scope = world.pipeline.store.job(world.tenant, Job::Cli).unwrap();
        let ask = |text: &str| EventQuery { text: Some(text.to_owned()), limit: 10, ..EventQuery::default() };
        let found = search(&world.pipeline, &scope, ask("PASSWORD FOR U3 ")).await.unwrap();
        assert_eq!((found.events.len(), found.looked.events, found.looked.complete), (1, 5, true));
        let turn = SEARCHES.take(world.tenant).await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(50), search(&world.pipeline, &scope, ask("x"))).await;
        assert!(waits.is_err(), "one of the tenant is at it");
        drop(turn);
        assert!(search(&world.pipeline, &scope, ask("u4")).await.is_ok());
    }

    #[test]
    fn text_is_found_without_regard_to_case() {
        assert!(contains(b"Failed Password for root", "failed password"));
        assert!(contains(b"failed password", "Failed Password"));
        assert!(!contains(b"short", "much longer than the event"));
        assert!(contains(b"", ""));
        assert!(contains("\u{dc}ber".as_bytes(), "\u{dc}BER") && !contains("\u{fc}ber".as_bytes(), "\u{dc}BER"));
    }

    #[test]
    fn a_text_that_almost_stands_everywhere_takes_no_longer_than_one_that_does_not() {
        let event = vec![b'a'; 1024 * 1024];
        let time = |text: &str| {
            let (mut text, began) = (Text::new(text), Instant::now());
            assert!(!text.is_in(black_box(&event)));
            began.elapsed()
        };
        let _warm = time("b");
        let (near, far) = (time(&format!("{}b", "a".repeat(1_023))), time(&format!("{}a", "b".repeat(1_023))));
        assert!(near < far * 40, "{near:?}, and {far:?} where it does not");
    }
}
