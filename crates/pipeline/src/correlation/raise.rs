//! Matches of correlations to alerts, inside the batch's transaction.

use std::{collections::BTreeMap, sync::Arc};

use shieldops_bus::Bus;
use shieldops_detect::CorrelationMatch;
use shieldops_ingest::normalise_checked;
use shieldops_model::{AlertId, Entity, Event, EventId, TenantId, Timestamp, id};
use shieldops_store::{
    Tx, alerts, cited,
    shadow::{self, Counts, Match},
    throttles,
};
use shieldops_triage::{self as triage, Raised};

use crate::{
    PipelineError, Result,
    enabled::TenantRules,
    events::{self, Stored},
    incidents::{Folded, Found},
    throttle::Throttle,
};

/// Events of earlier batches that are read again for the alerts of one batch; further ones are named only.
const READS: usize = 200;
/// The source that a match of a correlation has where one is asked for.
const SOURCE: &str = "correlation";
const DAY_S: i64 = 86_400;

/// What is to become alerts, and whether it was not told before; what correlations in shadow found is written down instead.
pub(crate) async fn prepare(
    tx: &mut Tx,
    told: Vec<CorrelationMatch>,
    rules: &TenantRules,
) -> Result<Vec<(Raised, bool)>> {
    let mut raised = Vec::new();
    for one in told {
        let Some(correlation) = rules.correlation_set().get(one.correlation) else { continue };
        let (id, version) = (&correlation.header.id, &correlation.header.version);
        if rules.correlations.is_shadow(id) {
            if one.is_new {
                watched(tx, id, version, &one).await?;
            }
            continue;
        }
        let Some(rule) = rules.facts(id) else { continue };
        let is_new = one.is_new;
        let one = Raised {
            rule,
            group: one.group,
            opened: one.opened,
            first_seen: one.first_seen,
            last_seen: one.last_seen,
            count: one.count,
            withheld: 0,
            events: one.events,
            demo: one.apart,
            superseded: one.superseded.is_some(),
        };
        raised.push((one, is_new));
    }
    Ok(raised)
}

async fn watched(tx: &mut Tx, rule_id: &str, version: &str, one: &CorrelationMatch) -> Result<()> {
    let day = Timestamp::from_secs(one.opened.as_secs().div_euclid(DAY_S).saturating_mul(DAY_S));
    shadow::count(tx, rule_id, day, Counts { shadow: 1, ..Counts::default() }).await?;
    let Some(event_id) = one.events.last().copied() else { return Ok(()) };
    let (source, version) = (SOURCE.to_owned(), version.to_owned());
    let listed = Match { rule_id: rule_id.to_owned(), event_id, at: one.opened, source, version };
    Ok(shadow::insert(tx, &[listed]).await?)
}

/// Events that alerts name: those of the batch, and a few of earlier ones.
pub(crate) struct Evidence<'a> {
    batch: BTreeMap<EventId, &'a Event>,
    log: Option<&'a Arc<Bus>>,
    reads: usize,
}

impl<'a> Evidence<'a> {
    pub(crate) fn new(events: &'a [Event], log: Option<&'a Arc<Bus>>) -> Self {
        Self { batch: events.iter().map(|event| (event.id, event)).collect(), log, reads: READS }
    }

    /// Those of these events that can be had.
    async fn of(&mut self, tenant: TenantId, wanted: &[EventId]) -> Result<Vec<Event>> {
        let mut found: Vec<Event> =
            wanted.iter().filter_map(|id| self.batch.get(id)).map(|event| (*event).clone()).collect();
        let elsewhere = wanted.iter().copied().filter(|id| !self.batch.contains_key(id));
        let elsewhere: Vec<EventId> = elsewhere.take(self.reads).collect();
        self.reads = self.reads.saturating_sub(elsewhere.len());
        let Some(log) = self.log.filter(|_| !elsewhere.is_empty()).map(Arc::clone) else { return Ok(found) };
        let read = move || -> Result<Vec<Event>> {
            let mut events = Vec::new();
            for id in elsewhere {
                match events::stored(&log, tenant, id)? {
                    Stored::Event(event) => events.push(event),
                    Stored::Gone => {}
                    // The alert names it all the same, and the investigation says that it could not be read.
                    Stored::Damaged => {
                        tracing::error!(tenant.id = %tenant, event.id = %id, "an event of a correlation cannot be read");
                    }
                }
            }
            Ok(events)
        };
        found.extend(tokio::task::spawn_blocking(read).await.map_err(|_ended| PipelineError::Stopped)??);
        Ok(found)
    }
}

/// Makes and changes the alerts of matches.
pub(crate) async fn fold(
    tx: &mut Tx,
    (batch, evidence): (&Found<'_>, &mut Evidence<'_>),
    changed: &mut Vec<Folded>,
    context: &triage::risk::Context,
    now: Timestamp,
) -> Result<()> {
    let tenant = tx.scope().tenant();
    let mut throttle = Throttle::new(batch.throttles, batch.raised.iter().map(|(one, _)| one.first_seen));
    for (one, is_new) in batch.raised {
        let known = alerts::find_by_key(tx, &one.key(tenant)).await?;
        let withheld = match &known {
            Some(alert) => throttles::withheld_on(tx, &alert.rule_id, alert.id).await?,
            None => 0,
        };
        let one = &Raised { withheld, ..one.clone() };
        let named = known.as_ref().map(|alert| alert.event_ids.as_slice()).unwrap_or_default();
        let wanted: Vec<EventId> = one.events.iter().copied().filter(|id| !named.contains(id)).collect();
        let events = evidence.of(tenant, &wanted).await?;
        let entities: Vec<Entity> = events.iter().flat_map(|event| normalise_checked(event).0.entities).collect();
        let mint = || -> AlertId { id::mint(now, &mut rand::rng()) };
        let Some(change) = triage::raise(tenant, known.as_ref(), one, &entities, now, mint) else { continue };
        // One that was withheld and grows is none the more for it.
        if !throttle.allows(tx, &change, if *is_new { one.count } else { 0 }).await? {
            continue;
        }
        let mut alert = change.alert;
        let score = triage::risk::alert(&alert, context);
        (alert.risk_score, alert.risk_terms) = (score.score, score.terms);
        if change.is_new {
            alerts::insert(tx, &alert).await?;
        } else {
            alert.version -= 1;
            alerts::update(tx, &mut alert).await?;
        }
        for event in &change.added {
            alerts::link_event(tx, *event, alert.id).await?;
        }
        for event in events.iter().filter(|event| change.added.contains(&event.id)) {
            cited::keep(tx, event).await?;
        }
        let before = known.map_or(0, |alert| alert.count);
        changed.push(Folded { matches: alert.count.saturating_sub(before), alert });
    }
    throttle.finish(tx, changed, now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn one_damaged_event_costs_a_correlation_no_other() {
        let world = World::new().await;
        world.sign_in(0..3).await;
        let ids: Vec<EventId> = world.events().iter().map(|event| event.id).collect();
        world.damage();
        let mut evidence = Evidence::new(&[], Some(&world.bus));
        let found: Vec<EventId> = evidence.of(world.tenant, &ids).await.unwrap().iter().map(|event| event.id).collect();
        assert_eq!(found, ids[1..]);
    }
}
