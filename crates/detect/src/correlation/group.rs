//! The events of one correlation that agree in their group, in order, and the matches among them.
//!
//! `done` is how far the condition was evaluated; a late event takes it back to where it belongs, and what comes after is
//! evaluated again.

use std::collections::{VecDeque, vec_deque};

use super::{
    LATENESS_US,
    alert::{Alert, Extent, Stretch, TakenIn, assign, join},
    program::Program,
    window::{Member, Window},
};

#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Its correlation's place in the set.
    pub(super) correlation: usize,
    /// Never counted with others that are not.
    pub(super) apart: bool,
    pub(super) values: Vec<String>,
    /// By time, event and rule.
    pub(super) members: VecDeque<Member>,
    /// The last time that was evaluated.
    pub(super) done: i64,
    pub(super) alerts: Vec<Alert>,
    /// What came late waits until the watermark is here: more of its kind may follow.
    pub(super) late_until: i64,
    /// The watermark or event time when something came last.
    pub(super) touched: i64,
    /// When it was used last, counted in uses.
    pub(super) used: u64,
    head: Option<Head>,
}

/// The window that ends at `done`.
#[derive(Debug, Clone)]
struct Head {
    window: Window,
    from: i64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It was here already.
    Known,
    /// It came after what it belongs to was forgotten.
    TooLate,
    Taken,
    /// Taken, and the oldest event had to go.
    Crowded,
}

/// Something about a match that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) opened: i64,
    pub(super) extent: Extent,
    pub(super) events: Vec<u128>,
    /// It is told for the first time.
    pub(super) is_new: bool,
    pub(super) superseded: Option<TakenIn>,
}

/// A time at which a correlation holds, for those that build on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) time: i64,
    pub(super) event: u128,
}

/// Events that a match names.
pub(super) const EVIDENCE: usize = 50;

impl Group {
    pub(super) fn new(correlation: usize, apart: bool, values: Vec<String>) -> Self {
        Self {
            correlation,
            apart,
            values,
            members: VecDeque::new(),
            done: i64::MIN,
            alerts: Vec::new(),
            late_until: i64::MIN,
            touched: i64::MIN,
            used: 0,
            head: None,
        }
    }

    /// Bytes it takes, about.
    pub(super) fn cost(&self) -> usize {
        let values: usize = self.values.iter().map(|value| value.len().saturating_add(24)).sum();
        let members = self.members.capacity().saturating_mul(size_of::<Member>());
        let alerts = self.alerts.capacity().saturating_mul(size_of::<Alert>());
        size_of::<Self>().saturating_add(values).saturating_add(members).saturating_add(alerts).saturating_add(160)
    }

    /// Puts an event in its place. `watermark` is how far event time has come.
    pub(super) fn insert(&mut self, member: Member, program: &Program, watermark: i64, room: usize) -> Inserted {
        let newest = self.members.back().map_or(member.time, |last| last.time.max(member.time));
        let base = watermark.min(newest.saturating_sub(LATENESS_US));
        if member.time < base.saturating_sub(program.span_us) {
            return Inserted::TooLate;
        }
        let whole = !program.counts_events();
        let key = |member: &Member| (member.time, member.event, if whole { member.rule } else { 0 });
        let Err(place) = self.members.binary_search_by_key(&key(&member), key) else { return Inserted::Known };
        if member.time <= self.done {
            self.done = member.time.saturating_sub(1);
            self.head = None;
        }
        if member.time < watermark {
            self.late_until = watermark.saturating_add(LATENESS_US);
        }
        self.touched = self.touched.max(member.time).max(watermark);
        self.members.insert(place, member);
        if self.members.len() <= room {
            return Inserted::Taken;
        }
        self.drop_first(program);
        Inserted::Crowded
    }

    /// The watermark was never further than this.
    pub(super) fn hold_back(&mut self, limit: i64) {
        let newest = self.members.back().map_or(limit, |last| last.time.max(limit));
        self.touched = self.touched.min(newest);
        self.late_until = self.late_until.min(limit.saturating_add(LATENESS_US));
    }

    /// Evaluates what can be, and says what is new.
    pub(super) fn settle(&mut self, program: &Program, watermark: i64) -> (Vec<Change>, Vec<Point>) {
        let before = self.done;
        self.run(program, self.due(program, watermark));
        let from = self.members.partition_point(|member| member.time <= before);
        let new = self.members.range(from..).take_while(|member| member.time <= self.done).filter(|member| member.hit);
        let points = new.map(|member| Point { time: member.time, event: member.event }).collect();
        (self.reconcile(program), points)
    }

    /// Matches that began before the watermark and that nobody above has heard of; each is told once.
    pub(super) fn pass_on(&mut self, watermark: i64) -> Vec<Point> {
        let mut points = Vec::new();
        for alert in self.alerts.iter_mut().filter(|alert| !alert.passed_on && alert.first < watermark) {
            alert.passed_on = true;
            let place = self.members.partition_point(|member| member.time < alert.first);
            let first = self.members.get(place).filter(|member| member.time == alert.first);
            points.extend(first.map(|member| Point { time: member.time, event: member.event }));
        }
        points
    }

    /// The watermark behind which the group is to be looked at again.
    pub(super) fn next_look(&self, program: &Program, passes_on: bool, watermark: i64) -> i64 {
        let mut next = self.end_of_life(program);
        if program.waits {
            let place = self.members.partition_point(|member| member.time <= self.done);
            let waiting = self.members.get(place).map(|member| member.time);
            next = next.min(waiting.map_or(i64::MAX, |time| if time < watermark { self.late_until } else { time }));
        }
        if passes_on {
            let untold = self.alerts.iter().filter(|alert| !alert.passed_on).map(|alert| alert.first);
            next = next.min(untold.min().unwrap_or(i64::MAX));
        }
        next
    }

    /// Whether nothing that may still come can concern it.
    pub(super) fn is_over(&self, program: &Program, watermark: i64) -> bool {
        watermark > self.end_of_life(program)
    }

    fn end_of_life(&self, program: &Program) -> i64 {
        self.touched.saturating_add(program.span_us.saturating_mul(2)).saturating_add(LATENESS_US)
    }

    /// Times before this one can be evaluated.
    fn due(&self, program: &Program, watermark: i64) -> i64 {
        if !program.waits {
            return i64::MAX;
        }
        if watermark >= self.late_until {
            return watermark;
        }
        let newest = self.members.back().map_or(i64::MIN, |last| last.time);
        watermark.min(newest.saturating_sub(LATENESS_US))
    }

    fn run(&mut self, program: &Program, due: i64) {
        let mut at = self.members.partition_point(|member| member.time <= self.done);
        if self.members.get(at).is_none_or(|member| member.time >= due) {
            return;
        }
        let mut head = self.head.take().unwrap_or_else(|| self.window_at(self.done, program));
        while let Some(time) = self.members.get(at).map(|member| member.time).filter(|time| *time < due) {
            let mut end = at;
            while let Some(member) = self.members.get(end).filter(|member| member.time == time) {
                head.window.add(member);
                end = end.saturating_add(1);
            }
            let from = time.saturating_sub(program.span_us);
            let mut out = self.members.partition_point(|member| member.time < head.from);
            while let Some(member) = self.members.get(out).filter(|member| member.time < from) {
                head.window.remove(member);
                out = out.saturating_add(1);
            }
            head.from = head.from.max(from);
            let hit = head.window.holds(program);
            self.members.range_mut(at..end).for_each(|member| member.hit = hit);
            (at, self.done) = (end, time);
        }
        self.head = Some(head);
    }

    /// The window that ends at a time, made anew.
    fn window_at(&self, time: i64, program: &Program) -> Head {
        let from = time.saturating_sub(program.span_us);
        let mut window = Window::new(program);
        let start = self.members.partition_point(|member| member.time < from);
        self.members.range(start..).take_while(|member| member.time <= time).for_each(|member| window.add(member));
        Head { window, from }
    }

    /// Brings the matches in line with the times at which the condition holds.
    fn reconcile(&mut self, program: &Program) -> Vec<Change> {
        let stretches = self.stretches(program.span_us);
        let left_over = assign(&mut self.alerts, &stretches);
        let mut changes = Vec::new();
        for (alert, taken) in left_over {
            if let Some(extent) = alert.told {
                changes.push(Change {
                    opened: alert.opened,
                    extent,
                    events: Vec::new(),
                    is_new: false,
                    superseded: Some(taken),
                });
            }
        }
        for place in 0..self.alerts.len() {
            let Some(alert) = self.alerts.get(place) else { break };
            let extent = self.extent(alert, program.span_us);
            if alert.told == Some(extent) {
                continue;
            }
            let (opened, is_new, events) = (alert.opened, alert.told.is_none(), self.evidence(alert, program));
            changes.push(Change { opened, extent, events, is_new, superseded: None });
            if let Some(alert) = self.alerts.get_mut(place) {
                alert.told = Some(extent);
            }
        }
        changes
    }

    fn stretches(&self, span: i64) -> Vec<Stretch> {
        let gone = self.alerts.iter().filter_map(|alert| alert.gone.points);
        let mut stretches: Vec<Stretch> = gone.map(|(first, last)| Stretch { first, last }).collect();
        let hits = self.members.iter().filter(|member| member.hit).map(|member| member.time);
        stretches.extend(join(hits.map(|time| Stretch { first: time, last: time }), span));
        stretches.sort_by_key(|stretch| stretch.first);
        join(stretches, span)
    }

    /// The members that a match spans.
    fn within(&self, alert: &Alert, span: i64) -> vec_deque::Iter<'_, Member> {
        let from = alert.first.saturating_sub(span);
        let start = self.members.partition_point(|member| member.time < from);
        let end = self.members.partition_point(|member| member.time <= alert.last);
        self.members.range(start..end.max(start))
    }

    fn extent(&self, alert: &Alert, span: i64) -> Extent {
        let mut count = alert.gone.count;
        let mut last = None;
        for member in self.within(alert, span) {
            count = count.saturating_add(u64::from(last != Some(member.event)));
            last = Some(member.event);
        }
        let first = self.within(alert, span).next().map(|member| member.time);
        let first_seen = [first, alert.gone.first_seen].into_iter().flatten().min().unwrap_or(alert.first);
        Extent { first_seen, last_seen: alert.last, count }
    }

    /// Events that show the match: the first ones of each rule, then the newest.
    fn evidence(&self, alert: &Alert, program: &Program) -> Vec<u128> {
        let members = self.within(alert, program.span_us);
        let share = EVIDENCE.saturating_sub(5).checked_div(program.rules.max(1)).unwrap_or(0).max(1);
        let mut taken = vec![0_usize; program.rules];
        let mut events: Vec<u128> = Vec::new();
        for member in members.clone() {
            if let Some(taken) = taken.get_mut(usize::from(member.rule)).filter(|taken| **taken < share) {
                *taken = taken.saturating_add(1);
                events.push(member.event);
            }
        }
        events.dedup();
        events.truncate(EVIDENCE.saturating_sub(5));
        for event in members.rev().map(|member| member.event) {
            if events.len() >= EVIDENCE {
                break;
            }
            if !events.contains(&event) {
                events.push(event);
            }
        }
        events.sort_unstable();
        events.dedup();
        events
    }

    /// Forgets what nothing that may still come can concern.
    pub(super) fn expire(&mut self, program: &Program, watermark: i64) {
        let newest = self.members.back().map_or(i64::MIN, |last| last.time);
        let base = watermark.min(newest.saturating_sub(LATENESS_US));
        let horizon = base.saturating_sub(program.span_us.saturating_mul(2));
        while self.members.front().is_some_and(|first| first.time < horizon && first.time <= self.done) {
            self.drop_first(program);
        }
        self.alerts.retain(|alert| alert.last >= horizon);
    }

    fn drop_first(&mut self, program: &Program) {
        let Some(member) = self.members.pop_front() else { return };
        if let Some(head) = self.head.as_mut().filter(|head| head.from <= member.time && member.time <= self.done) {
            head.window.remove(&member);
        }
        let counts = self.members.front().is_none_or(|next| next.event != member.event);
        for alert in &mut self.alerts {
            if alert.first.saturating_sub(program.span_us) <= member.time && member.time <= alert.last {
                alert.gone.add(member.time, member.hit, counts);
            }
        }
    }
}
