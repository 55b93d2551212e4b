//! Storing what correlations remember step by step, and going on from what was stored.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use shieldops_model::Timestamp;

use super::{Correlator, Limits};
use crate::correlation::{
    CorrelationSet,
    group::Group,
    log::{Entry, Label, Log, Saved, Step, Stored, bucket, read_groups, read_step, write_groups},
};

impl Correlator {
    /// What is to be stored since this was asked last; nothing when there is nothing.
    pub fn save(&mut self) -> Option<Saved> {
        let before = std::mem::replace(&mut self.before, self.watermark);
        if self.log.is_empty() && !self.owed && self.told.is_empty() {
            self.log = Log::default();
            return None;
        }
        self.owed = false;
        self.step = self.step.saturating_add(1);
        let log = self.log.finish(before, self.watermark);
        let bucket_now = bucket(self.step.into());
        let mut groups = BTreeMap::new();
        for (id, group) in self.groups.iter().filter(|(id, _)| bucket(**id) == bucket_now) {
            groups.extend(self.label(*id, group).map(|label| (*id, (label, group))));
        }
        let groups = write_groups(self.watermark, &groups);
        if let Some(slot) = self.written.get_mut(usize::from(bucket_now)) {
            *slot = self.step;
        }
        let forget = self.written.iter().copied().min().unwrap_or(0);
        Some(Saved { step: self.step, log, bucket: bucket_now, groups, forget })
    }

    /// Nothing of this is stored.
    pub(in crate::correlation) fn forget_steps(&mut self) {
        (self.log, self.owed, self.before) = (Log::default(), false, self.watermark);
    }

    /// The state after the last step that was stored, and what of it could not be read. Correlations that the set does not
    /// have, or that mean something else in it, begin anew.
    pub fn restore(set: Arc<CorrelationSet>, limits: Limits, stored: Stored) -> (Self, Vec<String>) {
        let mut own = Self::new(set, limits);
        let mut problems = Vec::new();
        let places: HashMap<u128, usize> = own.set.correlations().iter().map(|one| (one.meaning, one.index)).collect();
        own.replaying = true;
        for (bucket, step, bytes) in &stored.buckets {
            if let Some(slot) = own.written.get_mut(usize::from(*bucket)) {
                *slot = *step;
            }
            own.step = own.step.max(*step);
            match read_groups(bytes) {
                Some((_, groups)) => own.adopt_groups(groups, &places),
                None => problems.push(format!("part {bucket} of the groups, written at step {step}, is damaged")),
            }
        }
        let mut logs = stored.logs;
        logs.sort_by_key(|(step, _)| *step);
        for (step, bytes) in &logs {
            own.step = own.step.max(*step);
            match read_step(bytes) {
                Some(read) => own.replay(*step, &read, &places),
                None => problems.push(format!("the log of step {step} is damaged")),
            }
        }
        own.told.clear();
        own.log = Log::default();
        own.before = own.watermark;
        (own.replaying, own.owed, own.counters.events) = (false, false, 0);
        (own.counters.too_late, own.counters.evicted_events) = (0, 0);
        (own, problems)
    }

    fn adopt_groups(&mut self, groups: Vec<(Label, Group)>, places: &HashMap<u128, usize>) {
        for (label, mut group) in groups {
            let Some(index) = places.get(&label.meaning) else { continue };
            group.correlation = *index;
            self.uses = self.uses.max(group.used);
            self.counters.bytes = self.counters.bytes.saturating_add(group.cost());
            self.groups.insert(label.group, group);
            self.plan(label.group);
        }
    }

    fn replay(&mut self, step: u64, read: &Step, places: &HashMap<u128, usize>) {
        let [before, after] = &read.phases;
        self.before = read.before;
        // Steps of which nothing was stored moved event time, and no more.
        self.move_to(read.before);
        self.settle();
        for (watermark, phase) in [(read.before, before), (read.after, after)] {
            self.hold_back(Timestamp::from_micros(watermark));
            self.move_to(watermark);
            for (label, entry) in phase.iter().filter_map(|(at, entry)| Some((read.labels.get(*at)?, entry))) {
                let newer = self.written.get(usize::from(bucket(label.group))).copied().unwrap_or(0);
                let Some(index) = places.get(&label.meaning).copied().filter(|_| newer < step) else { continue };
                match entry {
                    Entry::Insert(member) => self.insert(label.group, index, label, *member),
                    Entry::Evict => self.forget(label.group),
                }
            }
            self.settle();
        }
    }

    pub(super) fn label(&self, id: u128, group: &Group) -> Option<Label> {
        let meaning = self.set.get(group.correlation)?.meaning;
        Some(Label { group: id, meaning, apart: group.apart, values: group.values.clone() })
    }
}
