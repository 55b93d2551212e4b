//! The state of all correlations of one tenant: matches of rules go in, and matches of correlations come out.
//!
//! A step is: [`Correlator::observe`] for each match, [`Correlator::advance`], [`Correlator::take`] what is to be told and
//! [`Correlator::save`] what is to be stored, both in one transaction.

mod saved;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use shieldops_model::{EventId, Timestamp};

use super::{
    CorrelationSet,
    alert::Superseded,
    group::{Change, Group, Inserted, Point},
    log::{BUCKETS, Entry, Label, Log},
    schedule::Schedule,
    set::{Feed, first_16, value_of},
    window::Member,
};

/// How much one tenant's correlations may remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of a group only the newest; the oldest go.
    pub events_per_group: usize,
    /// Of all correlations; those used least recently go.
    pub groups: usize,
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events_per_group: 10_000, groups: 100_000, bytes: 64 * 1_024 * 1_024 }
    }
}

/// What is remembered now, and what was counted since the state was made or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub groups: usize,
    pub bytes: usize,
    /// Events taken into groups.
    pub events: u64,
    /// Events that came after what they belong to was forgotten.
    pub too_late: u64,
    /// Events that went for want of room in their group.
    pub evicted_events: u64,
    /// Groups that went for want of room.
    pub evicted_groups: u64,
}

/// A match of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// The rule's place in its set.
    pub rule: usize,
    pub event: EventId,
    /// The time that windows use.
    pub time: Timestamp,
    /// Counted only with others that are apart: a demonstration's events.
    pub apart: bool,
}

/// A match of a correlation: new, grown, or superseded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationMatch {
    /// The correlation's place in its set.
    pub correlation: usize,
    /// A value for each of its `group_by`.
    pub group: Vec<String>,
    pub apart: bool,
    /// Its name among the matches of the group; it stays as the match grows.
    pub opened: Timestamp,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Events from the first to the last.
    pub count: u64,
    /// Some of its events that are still remembered, by id: the first of each rule and the newest.
    pub events: Vec<EventId>,
    /// It was not told before.
    pub is_new: bool,
    pub superseded: Option<Superseded>,
}

/// Bytes of a value that are kept; of a longer one the rest is a hash.
const MAX_VALUE: usize = 512;

#[derive(Debug)]
pub struct Correlator {
    set: Arc<CorrelationSet>,
    limits: Limits,
    groups: HashMap<u128, Group>,
    schedule: Schedule,
    /// Groups with something new, by the place of their correlation, so that those below come first.
    dirty: BTreeSet<(usize, u128)>,
    /// By the place of the correlation.
    off: Vec<bool>,
    watermark: i64,
    uses: u64,
    told: Vec<(u128, CorrelationMatch)>,
    /// What is told has been taken and not been saved yet.
    owed: bool,
    log: Log,
    /// The watermark as it was before the step. What a step brings is late by this one alone: a step may span hours, and
    /// what correlations below find in it comes in no order.
    before: i64,
    step: u64,
    /// The step after which each bucket was written.
    written: Vec<u64>,
    replaying: bool,
    counters: Counters,
}

impl Correlator {
    pub fn new(set: Arc<CorrelationSet>, limits: Limits) -> Self {
        Self {
            off: vec![false; set.len()],
            set,
            limits,
            groups: HashMap::new(),
            schedule: Schedule::default(),
            dirty: BTreeSet::new(),
            watermark: i64::MIN,
            uses: 0,
            told: Vec::new(),
            owed: false,
            log: Log::default(),
            before: i64::MIN,
            step: 0,
            written: vec![0; usize::from(BUCKETS)],
            replaying: false,
            counters: Counters::default(),
        }
    }

    pub fn set(&self) -> &Arc<CorrelationSet> {
        &self.set
    }

    pub fn counters(&self) -> Counters {
        Counters { groups: self.groups.len(), ..self.counters }
    }

    /// The watermark behind which there is something to do though nothing comes.
    pub fn waits_for(&self) -> Option<Timestamp> {
        self.schedule.next().map(Timestamp::from_micros)
    }

    /// Correlations with these ids take no part from now on; all others do.
    pub fn switch_off(&mut self, ids: &BTreeSet<String>) {
        self.off = self.set.correlations().iter().map(|one| ids.contains(&one.header.id)).collect();
    }

    /// Goes on with another set. Groups of correlations that mean the same in both stay.
    pub fn adopt(&mut self, set: Arc<CorrelationSet>) {
        if Arc::ptr_eq(&set, &self.set) {
            return;
        }
        let places: HashMap<u128, usize> = set.correlations().iter().map(|one| (one.meaning, one.index)).collect();
        let old = std::mem::replace(&mut self.set, set);
        self.off = vec![false; self.set.len()];
        let place = |group: &Group| places.get(&old.get(group.correlation)?.meaning).copied();
        let gone: Vec<u128> =
            self.groups.iter().filter(|(_, group)| place(group).is_none()).map(|(id, _)| *id).collect();
        for id in gone {
            self.forget(id);
        }
        for group in self.groups.values_mut() {
            if let Some(index) = place(group) {
                group.correlation = index;
            }
        }
        let dirty = std::mem::take(&mut self.dirty);
        for (_, id) in dirty {
            self.dirty.extend(self.groups.get(&id).map(|group| (group.correlation, id)));
        }
    }

    /// Takes a match of a rule. `read` gives a field of its event: the elements of a list, or one value; nothing when the
    /// event does not have it.
    pub fn observe(&mut self, observed: &Observed, read: &mut dyn FnMut(&str) -> Vec<String>) {
        let set = Arc::clone(&self.set);
        for feed in set.feeds(observed.rule) {
            let mut all = |fields: &[String]| -> Option<Vec<String>> {
                fields.iter().map(|field| one_value(read(field))).collect()
            };
            if let (Some(group), Some(values)) = (all(&feed.group_by), all(&feed.fields)) {
                let point = Point { time: observed.time.as_micros(), event: observed.event.bits() };
                self.feed(feed, point, observed.apart, (group, &values));
            }
        }
    }

    /// Evaluates what came in. [`Correlator::advance`] does so too; this spares it the work.
    pub fn settle(&mut self) {
        while let Some((correlation, id)) = self.dirty.pop_first() {
            self.settle_group(correlation, id);
        }
        self.make_room();
    }

    /// Event time has come this far; it never goes back.
    pub fn advance(&mut self, watermark: Option<Timestamp>) {
        self.settle();
        self.log.watermark_moves();
        self.move_to(watermark.map_or(i64::MIN, Timestamp::as_micros));
        self.settle();
    }

    /// The same, and no further than so many groups that wait for event time come due, or all of one instant; whether it
    /// came all the way. It is to be asked again, in a step of its own, until it does.
    pub fn advance_some(&mut self, watermark: Option<Timestamp>, groups: usize) -> bool {
        self.settle();
        let to = watermark.map_or(i64::MIN, Timestamp::as_micros);
        let some = self.as_far(to, groups);
        self.advance(Some(Timestamp::from_micros(some)));
        some == to
    }

    fn as_far(&self, watermark: i64, groups: usize) -> i64 {
        let waits = |(_, id): &(i64, u128)| {
            let Some(group) = self.groups.get(id) else { return false };
            let waits = self.set.get(group.correlation).is_some_and(|correlation| correlation.program.waits);
            // Others come to their end, of which nothing is told.
            waits && group.members.back().is_some_and(|last| last.time > group.done)
        };
        let mut due = self.schedule.between(self.watermark, watermark).filter(waits).map(|(look, _)| look);
        let Some(first) = due.next() else { return watermark };
        match due.nth(groups.saturating_sub(1)) {
            None => watermark,
            Some(look) if look > first => look,
            Some(look) => look.saturating_add(1).min(watermark),
        }
    }

    /// Event time cannot have come further than this: where it is thought to, it was kept while the clock was ahead.
    pub fn hold_back(&mut self, limit: Timestamp) {
        let limit = limit.as_micros();
        if self.watermark <= limit {
            return;
        }
        self.settle();
        // What was observed in this step was by the old one, and is replayed by it.
        self.watermark = limit;
        let ids: Vec<u128> = self.groups.keys().copied().collect();
        for id in ids {
            if let Some(group) = self.groups.get_mut(&id) {
                group.hold_back(limit);
            }
            self.plan(id);
        }
    }

    /// Marks what is due by that watermark.
    pub(super) fn move_to(&mut self, watermark: i64) {
        if watermark <= self.watermark {
            return;
        }
        self.watermark = watermark;
        let due: Vec<u128> = self.schedule.due(watermark).collect();
        let place = |id: &u128| self.groups.get(id).map(|group| (group.correlation, *id));
        let due: Vec<(usize, u128)> = due.iter().filter_map(place).collect();
        self.dirty.extend(due);
    }

    /// What is to be told since this was asked last, each match once as it is now. Of silent correlations nothing is.
    pub fn take(&mut self) -> Vec<CorrelationMatch> {
        let told = std::mem::take(&mut self.told);
        self.owed |= !told.is_empty();
        let mut latest: BTreeMap<(u128, Timestamp), CorrelationMatch> = BTreeMap::new();
        for (group, mut now) in told {
            let key = (group, now.opened);
            now.is_new |= latest.get(&key).is_some_and(|before| before.is_new);
            latest.insert(key, now);
        }
        latest.into_values().collect()
    }

    /// Puts a match of a rule, or of a correlation below, into its group.
    fn feed(&mut self, feed: &Feed, point: Point, apart: bool, (group, values): (Vec<String>, &[String])) {
        if self.off.get(feed.correlation).copied().unwrap_or(true) {
            return;
        }
        let set = Arc::clone(&self.set);
        let Some(correlation) = set.get(feed.correlation) else { return };
        let Some(value) = value_of(correlation.program.kind, values) else { return };
        let member = Member { time: point.time, event: point.event, rule: feed.rule, value, hit: false };
        let id = group_id(correlation.meaning, apart, &group);
        let label = Label { group: id, meaning: correlation.meaning, apart, values: group };
        self.insert(id, feed.correlation, &label, member);
    }

    fn insert(&mut self, id: u128, correlation: usize, label: &Label, member: Member) {
        let set = Arc::clone(&self.set);
        let Some(program) = set.get(correlation).map(|one| &one.program) else { return };
        self.uses = self.uses.saturating_add(1);
        let group = self.groups.entry(id).or_insert_with(|| Group::new(correlation, label.apart, label.values.clone()));
        let cost = if group.used == 0 { 0 } else { group.cost() };
        let inserted = group.insert(member, program, self.before, self.limits.events_per_group);
        group.used = self.uses;
        self.counters.bytes = self.counters.bytes.saturating_sub(cost).saturating_add(group.cost());
        match inserted {
            Inserted::Known => {}
            Inserted::TooLate => self.counters.too_late = self.counters.too_late.saturating_add(1),
            Inserted::Taken | Inserted::Crowded => {
                self.counters.events = self.counters.events.saturating_add(1);
                let crowded = u64::from(inserted == Inserted::Crowded);
                self.counters.evicted_events = self.counters.evicted_events.saturating_add(crowded);
                if !self.replaying {
                    self.log.add(|| label.clone(), id, Entry::Insert(member));
                }
            }
        }
        self.dirty.insert((correlation, id));
    }

    fn settle_group(&mut self, correlation: usize, id: u128) {
        let set = Arc::clone(&self.set);
        let Some(compiled) = set.get(correlation) else { return };
        let Some(group) = self.groups.get_mut(&id) else { return };
        let (passes_on, cost) = (compiled.passes_on(&set), group.cost());
        let (changes, points) = group.settle(&compiled.program, self.watermark);
        let matches = if passes_on { group.pass_on(self.watermark) } else { Vec::new() };
        group.expire(&compiled.program, self.watermark);
        let (apart, values) = (group.apart, group.values.clone());
        self.counters.bytes = self.counters.bytes.saturating_sub(cost).saturating_add(group.cost());
        if !compiled.silent {
            self.told.extend(changes.into_iter().map(|change| (id, told(correlation, apart, &values, change))));
        }
        self.plan(id);
        if self.replaying {
            return;
        }
        for feed in &compiled.feeds {
            let Some(above) = set.get(feed.correlation) else { continue };
            let fed = if above.program.wants_matches() { &matches } else { &points };
            let value = |field: &String| {
                let place = compiled.group_by.iter().position(|name| name == field)?;
                values.get(place).cloned()
            };
            let all = |fields: &[String]| fields.iter().map(value).collect::<Option<Vec<_>>>();
            let (Some(group), Some(counted)) = (all(&feed.group_by), all(&feed.fields)) else { continue };
            for point in fed {
                self.feed(feed, *point, apart, (group.clone(), &counted));
            }
        }
    }

    /// Says when a group is to be looked at, or forgets it.
    fn plan(&mut self, id: u128) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(compiled) = self.set.get(group.correlation) else { return };
        if group.members.is_empty() || group.is_over(&compiled.program, self.watermark) {
            self.forget(id);
            return;
        }
        let look = group.next_look(&compiled.program, compiled.passes_on(&self.set), self.watermark);
        self.schedule.set(id, look, group.used);
    }

    fn forget(&mut self, id: u128) {
        self.schedule.remove(id);
        if let Some(group) = self.groups.remove(&id) {
            self.counters.bytes = self.counters.bytes.saturating_sub(group.cost());
        }
    }

    fn make_room(&mut self) {
        while !self.replaying && (self.groups.len() > self.limits.groups || self.counters.bytes > self.limits.bytes) {
            let Some(id) = self.schedule.least_used() else { return };
            if let Some(label) = self.groups.get(&id).and_then(|group| self.label(id, group)) {
                self.log.add(|| label, id, Entry::Evict);
            }
            self.forget(id);
            self.counters.evicted_groups = self.counters.evicted_groups.saturating_add(1);
        }
    }
}

fn told(correlation: usize, apart: bool, values: &[String], change: Change) -> CorrelationMatch {
    CorrelationMatch {
        correlation,
        group: values.to_vec(),
        apart,
        opened: Timestamp::from_micros(change.opened),
        first_seen: Timestamp::from_micros(change.extent.first_seen),
        last_seen: Timestamp::from_micros(change.extent.last_seen),
        count: change.extent.count,
        events: change.events.into_iter().map(EventId::from_bits).collect(),
        is_new: change.is_new,
        superseded: change.superseded.map(|taken| Superseded { by: taken.by.map(Timestamp::from_micros) }),
    }
}

/// One value for a field: a list's elements together.
fn one_value(mut values: Vec<String>) -> Option<String> {
    if values.len() > 1 {
        values = vec![values.join("\u{1f}")];
    }
    let value = values.pop()?;
    if value.len() <= MAX_VALUE {
        return Some(value);
    }
    let kept = value.get(..value.floor_char_boundary(MAX_VALUE.saturating_sub(64))).unwrap_or_default();
    Some(format!("{kept}…{}", hex::encode(Sha256::digest(&value))))
}

fn group_id(meaning: u128, apart: bool, values: &[String]) -> u128 {
    let mut hash = Sha256::new();
    hash.update(meaning.to_be_bytes());
    hash.update([u8::from(apart)]);
    for value in values {
        hash.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(value);
    }
    first_16(&hash.finalize())
}
