//! Correlation: which incident an alert belongs to.
//!
//! An alert joins an incident when they are at most [`GAP`] apart in event time and what they share weighs [`ENOUGH`]:
//! a public address, a hash or a domain alone; a private address or a named account together with the host (or a named
//! account alone, where the alert's source names no host). A host alone is too common: it joins only an attack that
//! progresses, where one side acts inside the host, the other shows an ATT&CK tactic there too, and both are of medium
//! severity or above. Accounts and addresses that are everywhere (`root`, `SYSTEM`,
//! service accounts, loopback) weigh nothing.

use std::time::Duration;

use shieldops_model::{
    Alert, Attack, Entity, EntityKind, Incident, IncidentId, IncidentStatus, Severity, Timestamp, address,
};

use crate::{
    entities::{INCIDENT_PER_KIND, grow},
    fold::join_attack,
    stage,
};

/// How far apart in event time an alert and an incident may be.
pub const GAP: Duration = Duration::from_mins(30);
/// The weight at which an alert joins.
const ENOUGH: u32 = 3;
/// What an attack that progresses on a shared host adds.
const PROGRESSION: u32 = 2;

/// Refused passwords within a window that open an incident.
const GUESSES_MIN: u64 = 3;

/// Accounts that every machine has: sharing one says nothing.
const UBIQUITOUS: [&str; 26] = [
    "-",
    "admin",
    "administrator",
    "anonymous",
    "anonymous logon",
    "apache",
    "bin",
    "daemon",
    "guest",
    "http",
    "local service",
    "localservice",
    "mail",
    "network service",
    "networkservice",
    "nginx",
    "nobody",
    "postgres",
    "root",
    "sshd",
    "system",
    "test",
    "ubuntu",
    "user",
    "www",
    "www-data",
];

/// An open incident as correlation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentSummary {
    pub id: IncidentId,
    pub status: IncidentStatus,
    pub severity: Severity,
    pub entities: Vec<Entity>,
    pub attack: Attack,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// It was merged into another.
    pub merged: bool,
    pub demo: bool,
}

impl From<&Incident> for IncidentSummary {
    fn from(incident: &Incident) -> Self {
        Self {
            id: incident.id,
            status: incident.status,
            severity: incident.severity,
            entities: incident.entities.clone(),
            attack: incident.attack.clone(),
            first_seen: incident.first_seen,
            last_seen: incident.last_seen,
            merged: incident.merged_into.is_some(),
            demo: incident.demo,
        }
    }
}

impl IncidentSummary {
    /// The incident with one more alert: no other alert is needed for that.
    pub fn take(&mut self, alert: &Alert) {
        grow(&mut self.entities, &alert.entities, INCIDENT_PER_KIND);
        join_attack(&mut self.attack, &alert.attack);
        self.severity = self.severity.max(alert.severity);
        self.first_seen = self.first_seen.min(alert.first_seen);
        self.last_seen = self.last_seen.max(alert.last_seen);
    }

    /// The incident with another one merged into it.
    pub fn absorb(&mut self, other: &Self) {
        grow(&mut self.entities, &other.entities, INCIDENT_PER_KIND);
        join_attack(&mut self.attack, &other.attack);
        self.severity = self.severity.max(other.severity);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// Where an alert belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlation {
    Join {
        id: IncidentId,
        /// What they share.
        why: String,
        /// Other incidents with which the alert shares as much: it shows that they are one.
        also: Vec<IncidentId>,
    },
    /// It opens an incident.
    Open,
    /// Too slight to open an incident (informational, or a slip or two of a password): it stays an alert. It is looked
    /// at again when it grows.
    Alone,
}

/// The incident that an alert belongs to. The order of the candidates does not matter: the heaviest wins, then the
/// gravest, then the one seen last, then the older.
pub fn correlate(alert: &Alert, candidates: &[IncidentSummary]) -> Correlation {
    let open = candidates
        .iter()
        .filter(|incident| is_open(incident) && incident.demo == alert.demo && is_near(alert, incident));
    let mut joined: Vec<(&IncidentSummary, Shared<'_>)> = open
        .map(|incident| (incident, shared(alert, incident)))
        .filter(|(_, shared)| shared.weight >= ENOUGH)
        .collect();
    joined.sort_by_key(|(incident, shared)| {
        let heaviest = std::cmp::Reverse((shared.weight, !shared.progression, incident.severity, incident.last_seen));
        (heaviest, incident.id)
    });
    match joined.split_first() {
        Some(((incident, shared), rest)) => Correlation::Join {
            id: incident.id,
            why: shared.why(),
            also: rest.iter().map(|(other, _)| other.id).collect(),
        },
        None if is_slight(alert) => Correlation::Alone,
        None => Correlation::Open,
    }
}

/// Informational, or so few refused passwords that a person's slips explain them.
fn is_slight(alert: &Alert) -> bool {
    let slips = alert.severity == Severity::Low && alert.count < GUESSES_MIN && stage::is_guessing(alert);
    alert.severity == Severity::Informational || slips
}

fn is_open(incident: &IncidentSummary) -> bool {
    let open = match incident.status {
        IncidentStatus::New | IncidentStatus::InProgress | IncidentStatus::OnHold => true,
        IncidentStatus::Resolved | IncidentStatus::Closed => false,
    };
    open && !incident.merged
}

fn is_near(alert: &Alert, incident: &IncidentSummary) -> bool {
    alert.first_seen.since(incident.last_seen) <= GAP && incident.first_seen.since(alert.last_seen) <= GAP
}

struct Shared<'a> {
    weight: u32,
    entities: Vec<&'a Entity>,
    progression: bool,
}

impl Shared<'_> {
    fn why(&self) -> String {
        let mut named: Vec<&&Entity> = self.entities.iter().collect();
        named.sort_by_key(|entity| (std::cmp::Reverse(weight(entity)), **entity));
        let named: Vec<String> = named.iter().take(4).map(ToString::to_string).collect();
        let progression = if self.progression { ", where the attack progresses" } else { "" };
        format!("shares {}{progression}", named.join(" and "))
    }
}

/// What alert and incident share: the heaviest entity of each kind counts.
fn shared<'a>(alert: &'a Alert, incident: &IncidentSummary) -> Shared<'a> {
    let entities: Vec<&Entity> =
        alert.entities.iter().filter(|entity| weight(entity) > 0 && incident.entities.contains(entity)).collect();
    let of_kind =
        |kind: EntityKind| entities.iter().filter(move |entity| entity.kind == kind).map(|entity| weight(entity)).max();
    let sum: u32 = EntityKind::ALL.into_iter().filter_map(of_kind).sum();
    let names_host = alert.entities.iter().any(|entity| entity.kind == EntityKind::Host);
    let account_alone = !names_host && of_kind(EntityKind::User).is_some();
    let on_host = entities.iter().any(|entity| entity.kind == EntityKind::Host);
    let progression = on_host && sum < ENOUGH && progresses(alert, incident);
    let weight = sum + u32::from(account_alone) + if progression { PROGRESSION } else { 0 };
    Shared { weight, entities, progression }
}

/// One side acts inside, the other shows a tactic, and both are of medium severity or above.
fn progresses(alert: &Alert, incident: &IncidentSummary) -> bool {
    let shows = |attack: &Attack| stage::is_access(attack) || stage::is_inside(attack);
    let inside = stage::is_inside(&alert.attack) || stage::is_inside(&incident.attack);
    inside
        && shows(&alert.attack)
        && shows(&incident.attack)
        && alert.severity.min(incident.severity) >= Severity::Medium
}

fn weight(entity: &Entity) -> u32 {
    match entity.kind {
        EntityKind::Ip => match address::parse(&entity.value) {
            Some(ip) if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() => 0,
            Some(_) if address::is_public(&entity.value) => 3,
            Some(_) => 2,
            None => 0,
        },
        EntityKind::Hash | EntityKind::Domain => 3,
        EntityKind::User if UBIQUITOUS.contains(&entity.value.to_lowercase().as_str()) => 0,
        EntityKind::User => 2,
        EntityKind::Host => 1,
        EntityKind::File | EntityKind::Url | EntityKind::Process => 0,
    }
}

#[cfg(test)]
mod tests;
