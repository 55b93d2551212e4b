//! What a plan is evaluated in: settings, counters, grants, autonomy, and what is known of its incident.

use std::{collections::BTreeMap, time::Duration};

use shieldops_model::{Plan, Severity, Timestamp};
use shieldops_policy::{
    ActionHistory, ActionInput, AddressSource, Autonomy, Counts, Entry as Door, GateSettings, Override, Release,
    RequesterKind, Situation, StandingGrant,
};

use crate::{
    Engine, Error, Use, Write,
    clocks::Times,
    engine::{Ready, door, requester},
    undo::PROTECTION,
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// How long a use is kept; nothing counts further back than an hour.
const KEPT: Duration = Duration::from_hours(24);

/// What a journal knows around a plan.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub settings: GateSettings,
    pub autonomy: Autonomy,
    /// Those that hold now.
    pub grants: Vec<StandingGrant>,
    /// What was begun in the last hour.
    pub uses: Vec<Use>,
    /// When a person last undid each of the plan's states.
    pub undone: BTreeMap<String, Timestamp>,
    /// When a person last rejected or vetoed a plan of each of these states.
    pub refused: BTreeMap<String, Timestamp>,
    /// Of the plan's incident.
    pub severity: Option<Severity>,
    pub incident_open: bool,
    /// Whose word the addresses in the incident's events are.
    pub address_source: AddressSource,
}

impl Engine {
    pub(crate) async fn situation(
        &self,
        plan: &Plan,
        ready: &[Ready],
        actions: &[ActionInput],
    ) -> Result<Situation, Error> {
        let times = self.times();
        let around = self.with.journal.surroundings(plan, times.now, times.earliest()).await?;
        let labels = ready.iter().map(|ready| &ready.target.labels);
        let mut situation = Situation::of(&around.settings, times.now, &requester(plan), labels);
        situation.freezes = times.freezes(&around.settings);
        situation.counts = counts(&around.uses, plan, &times);
        situation.grants = self.grants_that_hold(&around.grants).await?;
        situation.autonomy = around.autonomy.clone();
        situation.severity = around.severity;
        situation.confidence = plan.confidence;
        situation.break_glass = plan.break_glass.as_ref().map(overriding);
        situation.freeze_override = plan.freeze_override.as_ref().map(overriding);
        if door(plan) == Door::Undo && (requester(plan).kind == RequesterKind::User || plan.requester == PROTECTION) {
            situation.release = self.letting_go(plan, around.incident_open).await?;
        }
        for (action, input) in plan.actions.iter().zip(actions) {
            situation.actions.insert(action.id, history(&around, (plan, input), &action.state_key, &times));
        }
        Ok(situation)
    }

    /// Letting go of what was contained: by a person, or because somebody protects what it stands on.
    async fn letting_go(&self, plan: &Plan, incident_open: bool) -> Result<Option<Release>, Error> {
        let Some(of) = plan.undo_of else { return Ok(None) };
        let original = self.get_plan(of).await?;
        let plan_was_critical = original.risk == shieldops_model::Risk::Critical;
        Ok(Some(Release { incident_open, plan_was_critical, reason: plan.why.clone() }))
    }

    /// What a plan that begins counts for.
    pub(crate) async fn use_of(&self, plan: &Plan, place: usize, ready: &Ready) -> Result<Option<Write>, Error> {
        let (Some(action), described) = (plan.actions.get(place), ready.capability.describe()) else {
            return Ok(None);
        };
        if door(plan) == Door::Undo || described.class == shieldops_policy::Class::ReadOnly {
            return Ok(None);
        }
        let times = self.times();
        let around = self.with.journal.surroundings(plan, times.now, times.earliest()).await?;
        let asked = requester(plan);
        let situation = Situation::of(&around.settings, times.now, &asked, [&ready.target.labels]);
        let begun = Use {
            action: action.id,
            at: times.now,
            environment: ready.target.environment,
            target: ready.target.id,
            capability: action.capability.clone(),
            requester: plan.requester.clone(),
            teams: situation.teams.into_iter().map(|team| team.name).collect(),
            resources: ready.resources.clone(),
            restart: described.class == shieldops_policy::Class::Transient,
        };
        Ok(Some(Write::Use { begun: Box::new(begun), kept_since: times.earliest().minus(KEPT) }))
    }
}

fn overriding(told: &shieldops_model::Override) -> Override {
    Override { by: told.by.to_string(), reason: told.reason.clone() }
}

fn counts(uses: &[Use], plan: &Plan, times: &Times) -> Counts {
    let mut counts = Counts::default();
    let anothers = |one: &&Use| !plan.actions.iter().any(|action| action.id == one.action);
    for one in uses.iter().filter(|one| times.is_within(one.at, HOUR)).filter(anothers) {
        let environment = one.environment;
        *counts.last_hour.of_mut(environment) += 1;
        if times.is_within(one.at, MINUTE) {
            *counts.last_minute.of_mut(environment) += 1;
        }
        counts.resources_last_hour.of_mut(environment).extend(one.resources.iter().cloned());
        for team in &one.teams {
            *counts.teams_last_hour.entry(team.clone()).or_default().of_mut(environment) += 1;
        }
    }
    counts
}

fn history(around: &Surroundings, of: (&Plan, &ActionInput), state_key: &str, times: &Times) -> ActionHistory {
    let (plan, input) = of;
    let restart = |one: &&Use| one.restart && one.target == input.target.id && times.is_within(one.at, HOUR);
    let restarts = around.uses.iter().filter(restart).count();
    let pause = Duration::from_secs(u64::from(around.settings.numbers.no_redo_s));
    let by_person = requester(plan).kind == RequesterKind::User;
    ActionHistory {
        restarts_last_hour: u32::try_from(restarts).unwrap_or(u32::MAX),
        not_again_before: around.undone.get(state_key).map(|at| times.end_of(pause, *at)),
        asks_again_before: around.refused.get(state_key).map(|at| times.end_of(pause, *at)),
        address_source: if by_person { AddressSource::Person } else { around.address_source },
    }
}
