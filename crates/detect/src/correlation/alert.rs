//! One match of a correlation as it grows: from when it has held, until when, and what of it is no longer in memory.

use shieldops_model::Timestamp;

/// A match that late events took the ground from. It is not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded {
    /// When the match opened that has taken it in; `None` when nothing stands in its place.
    pub by: Option<Timestamp>,
}

/// The same in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TakenIn {
    pub(super) by: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    /// Its name within the group: the first time at which it held, as that was known when it was first told.
    pub(super) opened: i64,
    /// The first and the last time at which it held.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) gone: Gone,
    /// As it was told last.
    pub(super) told: Option<Extent>,
    /// Correlations that count its kind have heard of it.
    pub(super) passed_on: bool,
}

/// What a match spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first_seen: i64,
    pub(super) last_seen: i64,
    pub(super) count: u64,
}

/// Events of a match that were dropped from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Gone {
    /// The first and the last time among them at which it held.
    pub(super) points: Option<(i64, i64)>,
    pub(super) first_seen: Option<i64>,
    pub(super) count: u64,
}

impl Gone {
    /// Adds an event; `counts` when no other row of it stays.
    pub(super) fn add(&mut self, time: i64, hit: bool, counts: bool) {
        self.count = self.count.saturating_add(u64::from(counts));
        self.first_seen = Some(self.first_seen.map_or(time, |first| first.min(time)));
        if hit {
            self.points = Some(self.points.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        }
    }

    fn join(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_seen = [self.first_seen, other.first_seen].into_iter().flatten().min();
        self.points = match (self.points, other.points) {
            (Some((one, two)), Some((three, four))) => Some((one.min(three), two.max(four))),
            (one, other) => one.or(other),
        };
    }
}

/// A stretch of time at whose ends the condition holds, without a gap of more than one timespan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: i64,
    pub(super) last: i64,
}

/// Joins stretches that are no more than `span` apart. They come in the order of `first`.
pub(super) fn join(stretches: impl IntoIterator<Item = Stretch>, span: i64) -> Vec<Stretch> {
    let mut joined: Vec<Stretch> = Vec::new();
    for next in stretches {
        match joined.last_mut() {
            Some(open) if next.first.saturating_sub(open.last) <= span => open.last = open.last.max(next.last),
            _ => joined.push(next),
        }
    }
    joined
}

/// Gives every stretch its match: the oldest of those that it meets, or a new one. Returns those that are left over, with
/// the name of what took them in.
pub(super) fn assign(alerts: &mut Vec<Alert>, stretches: &[Stretch]) -> Vec<(Alert, TakenIn)> {
    let mut old = std::mem::take(alerts);
    let mut left_over = Vec::new();
    for stretch in stretches {
        let meets = |alert: &mut Alert| alert.first <= stretch.last && stretch.first <= alert.last;
        let mut met: Vec<Alert> = old.extract_if(.., meets).collect();
        met.sort_by_key(|alert| alert.opened);
        let mut met = met.into_iter();
        let mut kept = met.next().unwrap_or_else(|| fresh(stretch.first, alerts, &old));
        (kept.first, kept.last) = (stretch.first, stretch.last);
        for other in met {
            kept.gone.join(other.gone);
            kept.passed_on |= other.passed_on;
            left_over.push((other, TakenIn { by: Some(kept.opened) }));
        }
        alerts.push(kept);
    }
    left_over.extend(old.into_iter().map(|alert| (alert, TakenIn { by: None })));
    left_over
}

/// A new match, under a name that no other of the group has.
fn fresh(first: i64, alerts: &[Alert], old: &[Alert]) -> Alert {
    let mut opened = first;
    while alerts.iter().chain(old).any(|alert| alert.opened == opened) {
        opened = opened.saturating_add(1);
    }
    Alert { opened, first, last: first, gone: Gone::default(), told: None, passed_on: false }
}
