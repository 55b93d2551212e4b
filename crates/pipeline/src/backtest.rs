//! What a rule would have found in events that are still there. It is work in the background: one at a time in a process,
//! in pieces with a pause after each, bounded in memory and time, and it ends when the server does.

mod sightings;
mod tally;

use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use shieldops_bus::{Bus, Query};
use shieldops_detect::{CompileOptions, CorrelationSet, Documents, EventRef, Rule, RuleSet, Worker};
use shieldops_ingest::normalise_checked;
use shieldops_model::{Event, EventId, Normalised, TenantId, Timestamp};
use shieldops_store::{TenantScope, alerts, backtests::Report, exceptions as stored, incidents};
use tokio_util::sync::CancellationToken;

use crate::{
    Pipeline, PipelineError, Result,
    content::{Case, RuleBook, facts_of},
    enabled::Exceptions,
    turns::{Turn, Turns},
};
use sightings::Sightings;
use tally::Tally;

/// One backtest at a time; that each tenant has one before the others have a second.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::at_once(1));
/// Events of one piece, and those that are looked at to find them.
const PIECE: usize = 2_000;
const LOOK: u64 = 100_000;
/// After each piece the processor is left to others for as long as it took, and no longer than this.
const PAUSE: Duration = Duration::from_millis(500);
/// What one backtest may read, and how long it may take.
const MOST_EVENTS: u64 = 50_000_000;
const LONGEST: Duration = Duration::from_hours(1);
/// How often whoever waits hears of it.
const TELL: Duration = Duration::from_secs(10);
/// Incidents that are compared.
const INCIDENTS: u32 = 200;

/// What is to be tried, and on which events.
pub struct Backtest {
    pub rule: Rule,
    /// How it is compiled.
    pub options: CompileOptions,
    /// Of a correlation.
    pub case: Option<Arc<Case>>,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Whoever asked for a backtest.
pub trait Asker: Send {
    /// Hears now and then how far it is, in per cent.
    fn progress(&mut self, percent: u32) -> impl Future<Output = Result<()>> + Send;
}

/// Tries the rule on every event of the window. Stopped or out of time, it says what it did not come to.
///
/// # Errors
/// `NoLog` in a process that owns no log, `Stopped` when the server drains.
pub async fn run(
    pipeline: &Pipeline,
    scope: &TenantScope,
    test: Backtest,
    asker: &mut impl Asker,
    stop: &CancellationToken,
) -> Result<Report> {
    let bus = Arc::clone(pipeline.bus()?);
    let _turn = turn(scope.tenant(), asker, stop).await?;
    let started = Instant::now();
    let mut told = started;
    let oldest = oldest(&bus, scope).await?;
    let mut run = Run::new(pipeline, scope, test).await?;
    loop {
        if stop.is_cancelled() {
            return Err(PipelineError::Stopped);
        }
        let (log, began) = (Arc::clone(&bus), Instant::now());
        run = tokio::task::spawn_blocking(move || run.piece(&log)).await.map_err(|_ended| PipelineError::Stopped)??;
        if run.ended || run.tally.report.events_read >= MOST_EVENTS || started.elapsed() > LONGEST {
            break;
        }
        if told.elapsed() > TELL {
            asker.progress(run.percent(oldest, pipeline.store.clock().now())).await?;
            told = Instant::now();
        }
        tokio::select! { () = tokio::time::sleep(began.elapsed().min(PAUSE)) => {}, () = stop.cancelled() => {} }
    }
    tokio::task::spawn_blocking(move || run.report(oldest, started)).await.map_err(|_ended| PipelineError::Stopped)
}

/// Waits for the one place, and says meanwhile that it waits.
async fn turn(tenant: TenantId, asker: &mut impl Asker, stop: &CancellationToken) -> Result<Turn> {
    let mut turn = pin!(TURNS.wait(tenant));
    loop {
        tokio::select! {
            turn = &mut turn => return turn,
            () = tokio::time::sleep(TELL) => asker.progress(0).await?,
            () = stop.cancelled() => return Err(PipelineError::Stopped),
        }
    }
}

/// When the oldest event came that is still there.
async fn oldest(bus: &Arc<Bus>, scope: &TenantScope) -> Result<Option<Timestamp>> {
    let (log, tenant) = (Arc::clone(bus), scope.tenant());
    let query = Query { newest_first: false, limit: 1, ..Query::default() };
    let page = tokio::task::spawn_blocking(move || log.scan(tenant, &query, &mut |_| true)).await;
    let page = page.map_err(|_ended| PipelineError::Stopped)??;
    Ok(page.events.first().map(|event| event.ingested_at))
}

/// A backtest on its way.
struct Run {
    scope: TenantScope,
    from: Timestamp,
    to: Timestamp,
    rule: Rule,
    set: RuleSet,
    worker: Worker,
    exceptions: Exceptions,
    /// Of a correlation: what was seen of its rules.
    over: Option<Sightings>,
    book: Arc<RuleBook>,
    tally: Tally,
    after: Option<EventId>,
    /// When the last event came that was looked at.
    reached: Option<Timestamp>,
    ended: bool,
}

impl Run {
    async fn new(pipeline: &Pipeline, scope: &TenantScope, test: Backtest) -> Result<Self> {
        let Backtest { rule, options, case, from, to } = test;
        let mut reader = scope.read().await?;
        let exceptions = Exceptions::new(&stored::after(&mut reader, from).await?);
        let (known, more) = incidents::in_window(&mut reader, (from, to), INCIDENTS).await?;
        let mut tally = Tally::new(scope.tenant(), Arc::new(facts_of(&rule)), pipeline.settings.dedupe_window);
        for incident in known {
            let events = alerts::of_incident(&mut reader, incident.id).await?;
            tally.know(incident, events.iter().flat_map(|alert| alert.event_ids.iter().copied()));
        }
        tally.report.incidents.more = more;
        // Of a correlation's rules some may be the tenant's and some everybody's.
        let options = case.as_ref().map_or(options, |case| case.options().clone());
        let of = case.as_ref().map_or_else(|| Documents::from(vec![rule.clone()]), |case| case.documents().clone());
        let compile = move || {
            let draft = case.as_ref().map(|_| CorrelationSet::draft(&of));
            let (set, _) = RuleSet::compile(of, &options);
            let over = draft.zip(case).map(|(draft, case)| Sightings::new(draft.compile(&set).0, case.id()));
            (set, over)
        };
        let (set, over) = tokio::task::spawn_blocking(compile).await.map_err(|_ended| PipelineError::Stopped)?;
        Ok(Self {
            scope: scope.clone(),
            from,
            to,
            rule,
            set,
            worker: Worker::new(),
            exceptions,
            over,
            book: pipeline.content.book(),
            tally,
            after: None,
            reached: None,
            ended: false,
        })
    }

    /// The next events of the window. Blocking.
    fn piece(mut self, bus: &Bus) -> Result<Self> {
        let query = Query {
            from: Some(self.from),
            to: Some(self.to),
            after: self.after,
            newest_first: false,
            limit: PIECE,
            max_events: LOOK,
            ..Query::default()
        };
        let page = bus.scan(self.scope.tenant(), &query, &mut |_| true)?;
        self.tally.looked(&page.looked);
        self.reached = page.looked.to.or(self.reached);
        self.ended = page.next.is_none();
        self.after = page.next;
        self.try_on(&page.events);
        Ok(self)
    }

    fn try_on(&mut self, events: &[Event]) {
        let mut bytes = Vec::new();
        let mut seen: Vec<(Normalised, std::ops::Range<usize>)> = Vec::with_capacity(events.len());
        for event in events {
            let (mut normalised, problem) = normalise_checked(event);
            self.book.fit(&mut normalised.log_source);
            self.tally.in_window(problem.is_some());
            let start = bytes.len();
            bytes.extend_from_slice(normalised.flat.as_bytes());
            seen.push((normalised, start..bytes.len()));
            bytes.push(b'\n');
        }
        let refs: Vec<EventRef<'_>> = seen
            .iter()
            .map(|(normalised, line)| EventRef { line: line.clone(), source: &normalised.log_source })
            .collect();
        let mut matched = Vec::new();
        self.set.scan(&mut self.worker, &refs, &bytes, &mut |index, rule| matched.push((index, rule.index)));
        for (index, rule) in matched {
            let (Some(event), Some((normalised, _))) = (events.get(index), seen.get(index)) else { continue };
            let line = normalised.flat.as_bytes();
            let of = self.set.rules().get(rule).map_or(&self.rule, |rule| &rule.rule);
            if self.exceptions.hold((of, self.set.options()), event.window_time(), &normalised.log_source, line) {
                continue;
            }
            match &mut self.over {
                Some(over) => over.see(&self.set, rule, event, normalised),
                None => self.tally.matched(event, normalised),
            }
        }
    }

    /// How far it is, by the times at which events came.
    fn percent(&self, oldest: Option<Timestamp>, now: Timestamp) -> u32 {
        let (Some(oldest), Some(reached)) = (oldest, self.reached) else { return 0 };
        let whole = now.since(oldest).as_secs().max(1);
        let part = reached.since(oldest).as_secs().min(whole).saturating_mul(99) / whole;
        u32::try_from(part).unwrap_or(99)
    }

    fn report(mut self, oldest: Option<Timestamp>, started: Instant) -> Report {
        let (from, over, reached) = (self.from, self.ended, self.reached);
        let left_out = self.over.as_ref().map_or(0, |over| over.left_out);
        let let_go = self.over.take().and_then(|sightings| sightings.tell(&mut self.tally));
        let held = left_out == 0 && let_go.is_none();
        let mut report = self.tally.report();
        let mut missing = |what: &str, events: u64, detail: String| {
            let what = what.to_owned();
            report.not_checked.push(shieldops_store::backtests::Unchecked { what, events, detail });
        };
        match oldest {
            Some(oldest) if oldest > from => {
                missing("retention", 0, format!("events that came before {oldest} are not kept any more"));
            }
            None => missing("retention", 0, "no events are kept".to_owned()),
            Some(_) => {}
        }
        if left_out > 0 {
            missing(
                "correlated_matches",
                left_out,
                "a correlation is tried on so many matches of its rules and no more: choose a smaller window"
                    .to_owned(),
            );
        }
        if let Some(detail) = let_go {
            missing("correlated_groups", 0, format!("{detail}: choose a smaller window"));
        }
        if !over {
            let to = reached.map_or_else(String::new, |at| format!(" that came after {at}"));
            missing("unread_events", 0, format!("there was no time for events{to}: choose a smaller window"));
        }
        report.complete = over && held;
        report.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        report
    }
}
