//! The wall clock held against the clock since boot. What was counted, and what has to wait, does not end because somebody set
//! the wall clock: it is as old as the clock since boot says. A freeze ends on both, for an hour: then the calendar goes by the
//! wall clock again, as at the start of the process.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use shieldops_model::Timestamp;
use shieldops_policy::{ActiveFreeze, GateSettings, active_freezes};

use crate::{Engine, Entry, Error, Finding, FindingKind};

/// So much may the two clocks differ.
const DISAGREE: Duration = Duration::from_mins(1);
/// How long the calendar of a clock that was set is not believed.
const DOUBTED: Duration = Duration::from_hours(1);
/// How long what was noted before it was set is told from what was noted after: the longest pause there is, as it comes.
const TOLD: Duration = Duration::from_hours(24);
/// Times it was set that are told apart; of more, the first are taken for one.
const TOLD_APART: usize = 64;

/// Somebody set the wall clock.
#[derive(Debug, Clone, Copy)]
struct Leap {
    /// What it said when that was seen.
    from: Timestamp,
    /// How far it is ahead of what it would say, in microseconds; behind where negative.
    ahead: i64,
}

#[derive(Debug)]
struct Known {
    wall: Timestamp,
    boot: Duration,
    /// Since `wall`, oldest first.
    leaps: Vec<Leap>,
    /// The last of them, on the clock since boot.
    set_at: Duration,
    untold: bool,
}

#[derive(Debug)]
pub(crate) struct Clocks(Mutex<Known>);

impl Clocks {
    pub(crate) fn new(wall: Timestamp, boot: Duration) -> Self {
        let known = Known { wall, boot, leaps: Vec::new(), set_at: Duration::ZERO, untold: false };
        Self(Mutex::new(known))
    }

    fn look(&self, wall: Timestamp, boot: Duration) -> Times {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = ahead((known.wall, known.boot), (wall, boot));
        let before = known.leaps.last().map_or(0, |leap| leap.ahead);
        if is_far(ahead.saturating_sub(before)) {
            if known.leaps.len() == TOLD_APART {
                known.leaps.remove(1);
            }
            known.leaps.push(Leap { from: wall, ahead });
            known.set_at = boot;
            known.untold = true;
        } else if !known.leaps.is_empty() && boot >= known.set_at.saturating_add(TOLD) {
            (known.wall, known.boot) = (wall, boot);
            known.leaps.clear();
        }
        let doubted = !known.leaps.is_empty() && boot < known.set_at.saturating_add(DOUBTED);
        Times { now: wall, leaps: known.leaps.clone(), doubted }
    }

    fn take_untold(&self) -> bool {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).untold)
    }

    fn is_untold(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).untold = true;
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn forward(ahead: i64) -> Duration {
    Duration::from_micros(u64::try_from(ahead).unwrap_or_default())
}

fn is_far(ahead: i64) -> bool {
    ahead.unsigned_abs() > micros(DISAGREE).unsigned_abs()
}

/// Whether somebody set the wall clock between two moments on both clocks.
pub(crate) fn disagree(then: (Timestamp, Duration), now: (Timestamp, Duration)) -> bool {
    is_far(ahead(then, now))
}

/// How much further the wall clock went than the clock since boot, in microseconds.
fn ahead(then: (Timestamp, Duration), now: (Timestamp, Duration)) -> i64 {
    let by_wall = now.0.as_micros().saturating_sub(then.0.as_micros());
    by_wall.saturating_sub(micros(now.1).saturating_sub(micros(then.1)))
}

/// One moment on both clocks.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) now: Timestamp,
    leaps: Vec<Leap>,
    /// The calendar may be somebody's lie.
    doubted: bool,
}

impl Times {
    fn ahead(&self) -> i64 {
        self.leaps.last().map_or(0, |leap| leap.ahead)
    }

    /// What the wall clock would say, had nobody set it.
    fn steady(&self) -> Timestamp {
        Timestamp::from_micros(self.now.as_micros().saturating_sub(self.ahead()))
    }

    /// Before this nothing is counted or waited for that was not before it on both clocks.
    pub(crate) fn earliest(&self) -> Timestamp {
        self.now.min(self.steady())
    }

    /// How far ahead the wall clock was when it said this.
    fn ahead_at(&self, at: Timestamp) -> i64 {
        self.leaps.iter().rev().find(|leap| at >= leap.from).map_or(0, |leap| leap.ahead)
    }

    /// Whether what was noted at this time is younger than that, on either clock.
    pub(crate) fn is_within(&self, at: Timestamp, span: Duration) -> bool {
        let steady_then = Timestamp::from_micros(at.as_micros().saturating_sub(self.ahead_at(at)));
        at > self.now.minus(span) || steady_then > self.steady().minus(span)
    }

    /// When the wall clock will say that a pause since then is over on both.
    pub(crate) fn end_of(&self, pause: Duration, since: Timestamp) -> Timestamp {
        since.plus(pause).plus(forward(self.ahead().saturating_sub(self.ahead_at(since))))
    }

    /// The freezes that hold on either clock.
    pub(crate) fn freezes(&self, settings: &GateSettings) -> Vec<ActiveFreeze> {
        let mut all = active_freezes(settings, self.now);
        if !self.doubted {
            return all;
        }
        for mut freeze in active_freezes(settings, self.steady()) {
            if !all.iter().any(|one| one.name == freeze.name) {
                freeze.until = freeze.until.plus(forward(self.ahead()));
                all.push(freeze);
            }
        }
        all
    }
}

impl Engine {
    pub(crate) fn times(&self) -> Times {
        self.clocks.look(self.now(), self.with.clock.boot())
    }

    /// Whoever answers for the server is told that its clock was set: in the ledger, by a notice and by an alert.
    pub(crate) async fn tell_clock(&self) -> Result<(), Error> {
        let times = self.times();
        if !self.clocks.take_untold() {
            return Ok(());
        }
        let seconds = times.ahead() / 1_000_000;
        let way = if seconds < 0 { "back" } else { "forward" };
        let detail = format!(
            "the wall clock was set {way} by {} s against the clock since boot: rates and pauses go on as if it had not been, \
             and for an hour a freeze holds that holds on either",
            seconds.unsigned_abs()
        );
        tracing::warn!("{detail}");
        let payload = json!({"ahead_s": seconds, "detail": detail});
        let told = Entry { kind: "clock.set", subjects: Vec::new(), actor: "system:watch".to_owned(), payload };
        if let Err(error) = self.commit(Vec::new(), told).await {
            self.clocks.is_untold();
            return Err(error);
        }
        self.hand_on(vec![Finding { kind: FindingKind::ClockSet, on: None, detail }], &mut Vec::new());
        Ok(())
    }
}
