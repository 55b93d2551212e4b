//! The log of coverage: which set of rules was run on the events of a source, by the minute of their time. It is committed
//! with the place of the worker, so what it does not say was not looked at.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_bus::Frame;
use shieldops_model::{Event, EventId, Timestamp};
use shieldops_store::{
    Tx,
    coverage::{self, Minute, RuleSet},
};

use crate::{Result, batch::Outcome, enabled::TenantRules, seen::Counts};

/// Days for which the log is kept are looked at again in one of so many commits.
const PRUNE_ONE_IN: u64 = 4_096;
/// Sources and minutes of one batch. A sender chooses the times: of a batch with more, what is older than an hour is noted
/// with the beginning of its hour.
const MOST: usize = 1_000;
const HOUR: i64 = 60;

#[derive(Clone, Default)]
struct Minutes<'a> {
    counts: BTreeMap<(&'a str, i64), (u64, u64)>,
}

impl<'a> Minutes<'a> {
    fn of(events: &'a [Event], counts: &'a Counts, now: Timestamp) -> Self {
        let late: BTreeSet<EventId> = counts.late.iter().copied().collect();
        let mut minutes = Self::default();
        for event in events {
            minutes.add(counts.name(&event.source), event, late.contains(&event.id));
        }
        minutes.bounded(now.as_secs().div_euclid(60))
    }

    fn bounded(self, now: i64) -> Self {
        if self.counts.len() <= MOST {
            return self;
        }
        let mut bounded = Self::default();
        for ((source, minute), (events, late)) in self.counts {
            let old = minute < now.saturating_sub(HOUR);
            let minute = if old { minute.saturating_sub(minute.rem_euclid(HOUR)) } else { minute };
            let (all, behind) = bounded.counts.entry((source, minute)).or_default();
            *all = all.saturating_add(events);
            *behind = behind.saturating_add(late);
        }
        bounded
    }

    fn add(&mut self, source: &'a str, event: &Event, late: bool) {
        let minute = event.window_time().as_secs().div_euclid(60);
        let (events, behind) = self.counts.entry((source, minute)).or_default();
        *events = events.saturating_add(1);
        *behind = behind.saturating_add(u64::from(late));
    }

    fn rows(self, rules: &str, skipped: bool) -> Vec<Minute> {
        let row = |((source, minute), (events, late)): ((&str, i64), (u64, u64))| Minute {
            source: source.to_owned(),
            minute: Timestamp::from_secs(minute.saturating_mul(60)),
            rules: rules.to_owned(),
            evaluated: if skipped { 0 } else { events },
            late: if skipped { 0 } else { late },
            skipped: if skipped { events } else { 0 },
        };
        self.counts.into_iter().map(row).collect()
    }
}

/// The events of a batch on which the rules ran.
pub(crate) async fn evaluated(tx: &mut Tx, outcome: &Outcome, counts: &Counts, now: Timestamp) -> Result<()> {
    if outcome.events.is_empty() {
        return Ok(());
    }
    let minutes = Minutes::of(&outcome.events, counts, now);
    if !outcome.looked_up {
        coverage::add(tx, &minutes.clone().rows(coverage::INDICATORS, true)).await?;
    }
    coverage::add(tx, &minutes.rows(&outcome.rules.hash, false)).await?;
    keep(tx, &outcome.rules, now).await?;
    if rand::random_ratio(1, u32::try_from(PRUNE_ONE_IN).unwrap_or(u32::MAX)) {
        let month = std::time::Duration::from_hours(24 * coverage::DAYS);
        coverage::prune(tx, now.minus(month)).await?;
    }
    Ok(())
}

/// What the hash of the rules stands for.
async fn keep(tx: &mut Tx, rules: &TenantRules, now: Timestamp) -> Result<()> {
    let loaded = rules.book.set.rules().iter().map(|rule| (rule.id.clone(), rule.version.clone()));
    let base = rules.book.base_hash();
    if coverage::find_set(tx, &rules.hash).await?.is_none() {
        coverage::keep_set(tx, &base, &RuleSet::Base(loaded.collect()), now).await?;
        coverage::keep_set(tx, &rules.hash, &rules.set, now).await?;
    }
    Ok(())
}

/// Events on which no rule was run.
pub(crate) async fn skipped(tx: &mut Tx, events: &[Event], counts: &Counts, now: Timestamp) -> Result<()> {
    Ok(coverage::add(tx, &Minutes::of(events, counts, now).rows("", true)).await?)
}

/// Stretches of the log that cannot be read stand at the time at which that was seen.
pub(crate) async fn unreadable(tx: &mut Tx, damaged: &[Frame], now: Timestamp) -> Result<()> {
    let lost = damaged.iter().map(|frame| frame.next.0.saturating_sub(frame.offset.0)).sum();
    if lost == 0 {
        return Ok(());
    }
    unseen(tx, coverage::UNREADABLE, lost, now).await
}

/// The log is not the one that detection looked at; `lost` events that it never saw are known to be gone.
pub(crate) async fn moved(tx: &mut Tx, lost: Option<u64>, now: Timestamp) -> Result<()> {
    unseen(tx, coverage::REPLACED, lost.unwrap_or(0), now).await
}

async fn unseen(tx: &mut Tx, source: &str, skipped: u64, now: Timestamp) -> Result<()> {
    let minute = Timestamp::from_secs(now.as_secs().div_euclid(60).saturating_mul(60));
    let row = Minute { source: source.to_owned(), minute, rules: String::new(), evaluated: 0, late: 0, skipped };
    Ok(coverage::add(tx, &[row]).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_very_many_minutes_has_its_older_ones_by_the_hour() {
        let (now, week) = (30_000_000_i64, 7 * 24 * 60);
        let all =
            |minutes: std::ops::Range<i64>| Minutes { counts: minutes.map(|minute| (("a", minute), (2, 1))).collect() };
        let few = all(now - 900..now).bounded(now);
        assert_eq!(few.counts.len(), 900, "as they are");
        let many = all(now - week..now).bounded(now);
        assert!(many.counts.len() <= 7 * 24 + 1 + 60, "{}", many.counts.len());
        let (events, late) = many.counts.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let week = week.cast_unsigned();
        assert_eq!((events, late), (2 * week, week));
        assert_eq!(many.counts.get(&("a", now - 60)), Some(&(2, 1)), "the last hour by minutes");
    }
}
