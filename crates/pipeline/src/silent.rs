//! Matches that raise no alert: those of rules in shadow, and those that an exception takes out. Kept of each batch until it
//! is committed.

use std::collections::BTreeMap;

use shieldops_detect::Rule;
use shieldops_model::{Event, Timestamp};
use shieldops_store::{
    Tx,
    shadow::{self, Counts, Match},
};

use crate::Result;

/// Matches in shadow that are listed of one batch and rule; all are counted.
const LISTED: u64 = 200;
const DAY_S: i64 = 86_400;

#[derive(Default)]
pub(crate) struct Silent {
    listed: Vec<Match>,
    /// By rule and day of the event.
    counts: BTreeMap<(String, i64), Counts>,
}

impl Silent {
    pub(crate) fn shadow(&mut self, rule: &Rule, event: &Event) {
        let counts = self.counts(rule, event);
        counts.shadow = counts.shadow.saturating_add(1);
        if counts.shadow <= LISTED {
            self.listed.push(Match {
                rule_id: rule.id.clone(),
                event_id: event.id,
                at: event.window_time(),
                source: event.source.clone(),
                version: rule.version.clone(),
            });
        }
    }

    pub(crate) fn excepted(&mut self, rule: &Rule, event: &Event) {
        let counts = self.counts(rule, event);
        counts.excepted = counts.excepted.saturating_add(1);
    }

    fn counts(&mut self, rule: &Rule, event: &Event) -> &mut Counts {
        let day = event.window_time().as_secs().div_euclid(DAY_S);
        self.counts.entry((rule.id.clone(), day)).or_default()
    }

    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<()> {
        shadow::insert(tx, &self.listed).await?;
        for ((rule, day), counts) in &self.counts {
            shadow::count(tx, rule, Timestamp::from_secs(day.saturating_mul(DAY_S)), *counts).await?;
        }
        Ok(())
    }
}
