//! Saved state: a log of what each step put into groups, and groups as a whole, a part of them at each step.
//!
//! A step's log is as long as what came in. Groups are divided into [`BUCKETS`] parts by their hash and one part is written
//! anew at each step, so a step never writes everything, and the log behind the oldest part is not needed any more.
//! Replaying does to a group what was done to it then: the log names events group by group, also those that come from
//! correlations below, so parts of different age fit together.

use std::collections::{BTreeMap, HashMap};

use super::{
    alert::{Alert, Extent, Gone},
    blob::{Reader, Writer},
    group::Group,
    window::Member,
};

/// Parts that groups are saved in.
pub const BUCKETS: u8 = 64;
const VERSION: u8 = 1;

/// What a step changed, to be stored with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Grows by one with each.
    pub step: u64,
    pub log: Vec<u8>,
    /// The part of the groups that is written anew, as it is after the step.
    pub bucket: u8,
    pub groups: Vec<u8>,
    /// Logs of steps up to this one are not needed any more.
    pub forget: u64,
}

/// What was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bucket, the step after which it was written, its bytes.
    pub buckets: Vec<(u8, u64, Vec<u8>)>,
    /// Step and its log.
    pub logs: Vec<(u64, Vec<u8>)>,
}

impl Stored {
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.logs.is_empty()
    }

    /// What is stored after a step.
    pub fn take(&mut self, saved: Saved) {
        self.buckets.retain(|(bucket, _, _)| *bucket != saved.bucket);
        self.buckets.push((saved.bucket, saved.step, saved.groups));
        self.logs.retain(|(step, _)| *step > saved.forget);
        self.logs.push((saved.step, saved.log));
    }
}

/// The bucket of a group.
pub(super) fn bucket(group: u128) -> u8 {
    group.checked_rem(u128::from(BUCKETS)).and_then(|bucket| u8::try_from(bucket).ok()).unwrap_or(0)
}

/// What identifies a group in saved state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) group: u128,
    pub(super) meaning: u128,
    pub(super) apart: bool,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Insert(Member),
    /// For want of room.
    Evict,
}

/// The log of the step that is going on.
#[derive(Debug, Default)]
pub(super) struct Log {
    labels: Vec<Label>,
    places: HashMap<u128, usize>,
    /// Before the watermark moved, and after.
    phases: [Vec<(usize, Entry)>; 2],
    moved: bool,
}

impl Log {
    pub(super) fn is_empty(&self) -> bool {
        self.phases.iter().all(Vec::is_empty)
    }

    pub(super) fn watermark_moves(&mut self) {
        self.moved = true;
    }

    pub(super) fn add(&mut self, label: impl FnOnce() -> Label, group: u128, entry: Entry) {
        let place = *self.places.entry(group).or_insert_with(|| {
            self.labels.push(label());
            self.labels.len().saturating_sub(1)
        });
        let [before, after] = &mut self.phases;
        if self.moved { after } else { before }.push((place, entry));
    }

    /// The step's bytes; the log begins anew.
    pub(super) fn finish(&mut self, before: i64, after: i64) -> Vec<u8> {
        let log = std::mem::take(self);
        let mut out = Writer::default();
        out.raw(&[VERSION]);
        out.time(before);
        out.time(after);
        out.length(log.labels.len());
        for label in &log.labels {
            write_label(&mut out, label);
        }
        for phase in &log.phases {
            out.length(phase.len());
            for (place, entry) in phase {
                out.length(*place);
                match entry {
                    Entry::Insert(member) => {
                        out.flag(true);
                        write_member(&mut out, member);
                    }
                    Entry::Evict => out.flag(false),
                }
            }
        }
        out.bytes
    }
}

/// A step as it is replayed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) before: i64,
    pub(super) after: i64,
    pub(super) labels: Vec<Label>,
    pub(super) phases: [Vec<(usize, Entry)>; 2],
}

/// Reads a step; nothing when its bytes are damaged or of another version.
pub(super) fn read_step(bytes: &[u8]) -> Option<Step> {
    let mut from = Reader::new(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let (before, after) = (from.time()?, from.time()?);
    let labels = (0..from.length()?).map(|_| read_label(&mut from)).collect::<Option<Vec<_>>>()?;
    let mut phase = || -> Option<Vec<(usize, Entry)>> {
        (0..from.length()?)
            .map(|_| {
                // A place is no length: it may be greater than the number of bytes that follow.
                let place = usize::try_from(from.word()?).ok()?;
                let entry = if from.flag()? { Entry::Insert(read_member(&mut from)?) } else { Entry::Evict };
                Some((place, entry))
            })
            .collect()
    };
    let phases = [phase()?, phase()?];
    from.is_empty().then_some(Step { before, after, labels, phases })
}

/// The groups of a bucket, each with what identifies it.
pub(super) fn write_groups(watermark: i64, groups: &BTreeMap<u128, (Label, &Group)>) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(&[VERSION]);
    out.time(watermark);
    out.length(groups.len());
    for (label, group) in groups.values() {
        write_label(&mut out, label);
        write_group(&mut out, group);
    }
    out.bytes
}

/// The watermark and the groups of a bucket, with the meaning of their correlations; nothing when damaged.
pub(super) fn read_groups(bytes: &[u8]) -> Option<(i64, Vec<(Label, Group)>)> {
    let mut from = Reader::new(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let watermark = from.time()?;
    let groups = (0..from.length()?)
        .map(|_| {
            let label = read_label(&mut from)?;
            let group = read_group(&mut from, &label)?;
            Some((label, group))
        })
        .collect::<Option<Vec<_>>>()?;
    from.is_empty().then_some((watermark, groups))
}

fn write_label(out: &mut Writer, label: &Label) {
    out.id(label.group);
    out.id(label.meaning);
    out.flag(label.apart);
    out.length(label.values.len());
    label.values.iter().for_each(|value| out.text(value));
}

fn read_label(from: &mut Reader<'_>) -> Option<Label> {
    let (group, meaning, apart) = (from.id()?, from.id()?, from.flag()?);
    let values = (0..from.length()?).map(|_| from.text()).collect::<Option<Vec<_>>>()?;
    Some(Label { group, meaning, apart, values })
}

fn write_member(out: &mut Writer, member: &Member) {
    out.time(member.time);
    out.id(member.event);
    out.small(member.rule);
    out.flag(member.value != 0);
    if member.value != 0 {
        out.amount(member.value);
    }
    out.flag(member.hit);
}

fn read_member(from: &mut Reader<'_>) -> Option<Member> {
    let (time, event, rule) = (from.time()?, from.id()?, from.small()?);
    let value = if from.flag()? { from.amount()? } else { 0 };
    Some(Member { time, event, rule, value, hit: from.flag()? })
}

fn write_group(out: &mut Writer, group: &Group) {
    out.time(group.done);
    out.time(group.late_until);
    out.time(group.touched);
    out.number(group.used);
    out.length(group.alerts.len());
    for alert in &group.alerts {
        out.time(alert.opened);
        out.time(alert.first);
        out.time(alert.last);
        out.maybe(alert.gone.points.map(|(first, _)| first));
        out.maybe(alert.gone.points.map(|(_, last)| last));
        out.maybe(alert.gone.first_seen);
        out.number(alert.gone.count);
        out.flag(alert.told.is_some());
        let told = alert.told.unwrap_or(Extent { first_seen: 0, last_seen: 0, count: 0 });
        out.time(told.first_seen);
        out.time(told.last_seen);
        out.number(told.count);
        out.flag(alert.passed_on);
    }
    out.length(group.members.len());
    group.members.iter().for_each(|member| write_member(out, member));
}

fn read_group(from: &mut Reader<'_>, label: &Label) -> Option<Group> {
    let mut group = Group::new(0, label.apart, label.values.clone());
    (group.done, group.late_until, group.touched, group.used) =
        (from.time()?, from.time()?, from.time()?, from.number()?);
    group.alerts = (0..from.length()?).map(|_| read_alert(from)).collect::<Option<Vec<_>>>()?;
    group.members = (0..from.length()?).map(|_| read_member(from)).collect::<Option<_>>()?;
    Some(group)
}

fn read_alert(from: &mut Reader<'_>) -> Option<Alert> {
    let (opened, first, last) = (from.time()?, from.time()?, from.time()?);
    let some = |(is_some, time): (bool, i64)| is_some.then_some(time);
    let points = some(from.maybe()?).zip(some(from.maybe()?));
    let gone = Gone { points, first_seen: some(from.maybe()?), count: from.number()? };
    let is_told = from.flag()?;
    let told = Extent { first_seen: from.time()?, last_seen: from.time()?, count: from.number()? };
    Some(Alert { opened, first, last, gone, told: is_told.then_some(told), passed_on: from.flag()? })
}
