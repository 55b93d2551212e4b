//! The case file: all that an investigation is made from, pulled together by the pipeline.

use std::{collections::BTreeSet, time::Duration};

use shieldops_model::{
    ActionId, Alert, AlertId, Attack, Entity, EntityKind, Event, EventId, Incident, LogSource, Normalised, Ocsf,
    Severity, Target, Timestamp, address, target::TargetRef,
};

/// Events that one investigation reads. Of more, those with alerts stay first, then the earliest.
pub const MAX_EVENTS: usize = 5_000;
/// Entities around which events are pulled.
const MAX_PULL: usize = 24;

#[derive(Debug, Clone)]
pub struct CaseFile {
    pub incident: Incident,
    pub alerts: Vec<Alert>,
    /// The events around the incident's entities; repeated ones are read once.
    pub events: Vec<CaseEvent>,
    /// All registered targets.
    pub targets: Vec<Target>,
    /// Blocks in force now.
    pub live_blocks: Vec<LiveBlock>,
    pub revision: u32,
    pub searched: Searched,
    /// Every source that the tenant has sent events from.
    pub sources: Vec<String>,
    /// Threat intelligence is configured.
    pub intel_configured: bool,
    /// Of the searched time, events that detection did not look at.
    pub unseen: Vec<Unseen>,
}

/// Events of one kind that detection did not look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub what: UnseenBy,
    pub events: u64,
    pub minutes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnseenBy {
    /// No rule was run on events of this source.
    Rules(String),
    /// They were not looked up in the lists of indicators.
    Lists(String),
    /// They could not be read, so nobody knows of which source they were.
    Unreadable,
    /// The log of events is another than the one that detection read before.
    Replaced,
}

#[derive(Debug, Clone)]
pub struct CaseEvent {
    pub id: EventId,
    /// The time that windows use.
    pub time: Timestamp,
    pub source: String,
    pub log_source: LogSource,
    pub ocsf: Ocsf,
    pub entities: Vec<Entity>,
    /// The alerts that cite this event.
    pub alerts: Vec<AlertRef>,
}

/// What an event's alert says of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertRef {
    pub severity: Severity,
    pub rule_id: String,
    pub rule_title: String,
    pub attack: Attack,
    pub id: AlertId,
}

impl From<&Alert> for AlertRef {
    fn from(alert: &Alert) -> Self {
        Self {
            severity: alert.severity,
            rule_id: alert.rule_id.clone(),
            rule_title: alert.rule_title.clone(),
            attack: alert.attack.clone(),
            id: alert.id,
        }
    }
}

impl CaseEvent {
    /// An event with references to those of `alerts` that cite it.
    pub fn new(event: &Event, normalised: &Normalised, alerts: &[Alert]) -> Self {
        let citing = alerts.iter().filter(|alert| alert.event_ids.contains(&event.id));
        Self {
            id: event.id,
            time: event.window_time(),
            source: event.source.clone(),
            log_source: normalised.log_source.clone(),
            ocsf: normalised.ocsf.clone(),
            entities: normalised.entities.clone(),
            alerts: citing.map(AlertRef::from).collect(),
        }
    }

    pub(crate) fn worst(&self) -> Option<&AlertRef> {
        self.alerts
            .iter()
            .max_by(|one, other| one.severity.cmp(&other.severity).then_with(|| other.rule_id.cmp(&one.rule_id)))
    }

    pub(crate) fn severity(&self) -> Option<Severity> {
        self.alerts.iter().map(|alert| alert.severity).max()
    }

    pub(crate) fn host(&self) -> Option<&str> {
        self.ocsf.device.as_deref()
    }

    /// Who acts; for a sign-in, who signs in.
    pub(crate) fn who(&self) -> Option<&str> {
        let (actor, user) = (self.ocsf.actor_user.as_deref(), self.ocsf.user.as_deref());
        if self.ocsf.class_uid == class::AUTHENTICATION { user.or(actor) } else { actor.or(user) }
    }

    pub(crate) fn has_tactic(&self, tactic: &str) -> bool {
        self.alerts.iter().any(|alert| alert.attack.tactics.iter().any(|known| known == tactic))
    }
}

/// OCSF class ids that an investigation knows.
pub(crate) mod class {
    pub(crate) const FILE: u32 = 1001;
    pub(crate) const SCHEDULED_JOB: u32 = 1006;
    pub(crate) const PROCESS: u32 = 1007;
    pub(crate) const ACCOUNT_CHANGE: u32 = 3001;
    pub(crate) const AUTHENTICATION: u32 = 3002;
    pub(crate) const AUTHORIZE_SESSION: u32 = 3003;
    pub(crate) const NETWORK: u32 = 4001;
    pub(crate) const HTTP: u32 = 4002;
    pub(crate) const DNS: u32 = 4003;
}

/// A block that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBlock {
    pub target: TargetRef,
    pub address: String,
    pub action_id: ActionId,
}

/// How far the search for events looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Searched {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Events looked at, not events found.
    pub events: u64,
    /// False when a limit ended the search early.
    pub complete: bool,
    /// The oldest event that is still kept.
    pub oldest_kept: Option<Timestamp>,
    /// Stored events, cited or in the stretches searched, whose bytes cannot be read any more.
    pub unreadable: u64,
}

/// What time to search for an incident's events: an hour before it to half an hour after.
pub fn window(incident: &Incident) -> (Timestamp, Timestamp) {
    (incident.first_seen.minus(Duration::from_hours(1)), incident.last_seen.plus(Duration::from_mins(30)))
}

/// Around which entities to pull events: hosts, addresses (public ones first), then accounts, at most 24.
pub fn pull(incident: &Incident) -> Vec<Entity> {
    let rank = |entity: &Entity| match entity.kind {
        EntityKind::Host => 0,
        EntityKind::Ip if address::is_public(&entity.value) => 1,
        EntityKind::Ip => 2,
        _ => 3,
    };
    let wanted = |entity: &&Entity| matches!(entity.kind, EntityKind::Host | EntityKind::Ip | EntityKind::User);
    let distinct: BTreeSet<&Entity> = incident.entities.iter().filter(wanted).collect();
    let mut ranked: Vec<Entity> = distinct.into_iter().cloned().collect();
    ranked.sort_by_key(rank);
    ranked.truncate(MAX_PULL);
    ranked
}
