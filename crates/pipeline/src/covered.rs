//! The log of coverage: which set of rules was run on the events of a source, by the minute of their time. It is committed
//! with the place of the worker, so what it does not say was not looked at.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_bus::Frame;
use shieldops_model::{Event, EventId, Timestamp};
use shieldops_store::{
    Tx,
    coverage::{self, Minute, RuleSet},
};

use crate::{Result, batch::Outcome, enabled::TenantRules};

/// The source of events that cannot be read: nobody knows theirs.
const UNREADABLE: &str = "unreadable";
/// Days for which the log is kept are looked at again in one of so many commits.
const PRUNE_ONE_IN: u64 = 4_096;

#[derive(Clone, Default)]
struct Minutes<'a> {
    counts: BTreeMap<(&'a str, i64), (u64, u64)>,
}

impl<'a> Minutes<'a> {
    fn add(&mut self, event: &'a Event, late: bool) {
        let minute = event.window_time().as_secs().div_euclid(60);
        let (events, behind) = self.counts.entry((event.source.as_str(), minute)).or_default();
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

/// The events of a batch on which the rules ran; `late` came behind the watermark.
pub(crate) async fn evaluated(tx: &mut Tx, outcome: &Outcome, late: Vec<EventId>, now: Timestamp) -> Result<()> {
    if outcome.events.is_empty() {
        return Ok(());
    }
    let late: BTreeSet<EventId> = late.into_iter().collect();
    let mut minutes = Minutes::default();
    for event in &outcome.events {
        minutes.add(event, late.contains(&event.id));
    }
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
pub(crate) async fn skipped(tx: &mut Tx, events: &[Event]) -> Result<()> {
    let mut minutes = Minutes::default();
    for event in events {
        minutes.add(event, false);
    }
    Ok(coverage::add(tx, &minutes.rows("", true)).await?)
}

/// Stretches of the log that cannot be read stand at the time at which that was seen.
pub(crate) async fn unreadable(tx: &mut Tx, damaged: &[Frame], now: Timestamp) -> Result<()> {
    let lost = damaged.iter().map(|frame| frame.next.0.saturating_sub(frame.offset.0)).sum();
    if lost == 0 {
        return Ok(());
    }
    let minute = Timestamp::from_secs(now.as_secs().div_euclid(60).saturating_mul(60));
    let row =
        Minute { source: UNREADABLE.to_owned(), minute, rules: String::new(), evaluated: 0, late: 0, skipped: lost };
    Ok(coverage::add(tx, &[row]).await?)
}
