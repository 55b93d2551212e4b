//! What is around a plan, read from the store in one transaction.

use std::collections::BTreeSet;

use shieldops_model::{EventId, IncidentStatus, Plan, Severity, Timestamp};
use shieldops_policy::{AddressSource, Autonomy, GateSettings, Lowered, ProtectedEntry, ProtectedKind, StandingGrant};
use shieldops_store::{
    Reader, StoreError, TenantScope, alerts, cited,
    gate::{self, Gate},
    incidents,
};

use crate::{JournalError, Lifelines, Needed, PLAN_LIFE, Surroundings};

/// Events of an incident that are looked at.
const EVENTS: usize = 500;
/// The format of a line that came by a listener and looks like nothing else.
const OPEN_FORMAT: &str = "syslog";

pub(super) async fn read(
    scope: &TenantScope,
    open_syslog: bool,
    plan: &Plan,
    (now, since): (Timestamp, Timestamp),
) -> Result<Surroundings, JournalError> {
    let mut reader = scope.read().await?;
    let known = gate::read(&mut reader, now, since).await?;
    let settings = settings(known.settings.as_ref())?;
    let keys: Vec<String> = plan.actions.iter().map(|action| action.state_key.clone()).collect();
    let pause = std::time::Duration::from_secs(u64::from(settings.numbers.no_redo_s));
    let undone = gate::undone::since(&mut reader, &keys, since.minus(pause)).await?;
    let refused = gate::refused::since(&mut reader, &keys, since.minus(pause), PLAN_LIFE).await?;
    let (severity, incident_open) = incident(&mut reader, plan).await?;
    let address_source = address_source(&mut reader, open_syslog, plan).await?;
    let autonomy = autonomy(&known);
    let grants = known.grants.into_iter().map(grant).collect();
    let uses = known.uses;
    Ok(Surroundings { settings, autonomy, grants, uses, undone, refused, severity, incident_open, address_source })
}

/// A session that was used within this time has somebody at it.
const AT_WORK: std::time::Duration = std::time::Duration::from_hours(1);

/// What the server lives by, and the addresses from which this tenant's people work now; all tenants', where it is about the
/// server's own host.
pub(super) async fn lifelines(
    scope: &TenantScope,
    server: &Lifelines,
    now: Timestamp,
    own_host: bool,
) -> Result<Needed, JournalError> {
    let (store, tenant, since) = (scope.store(), scope.tenant(), now.minus(AT_WORK));
    let read =
        |texts: Vec<String>| texts.iter().filter_map(|text| crate::engine::address(text)).collect::<BTreeSet<_>>();
    let addresses = read(store.addresses_in_use(tenant, since, now).await?);
    let others = if own_host { read(store.addresses_of_others(tenant, since, now).await?) } else { BTreeSet::new() };
    let others = others.difference(&addresses).copied().collect();
    let people = addresses.into_iter().map(|address| ProtectedEntry {
        kind: ProtectedKind::Address,
        value: address.to_string(),
        why: "somebody who is signed in works from there".to_owned(),
    });
    let mut needed = server.entries().await;
    needed.people.extend(people);
    Ok(Needed { others, ..needed })
}

/// Settings that cannot be read are no settings: the evaluation fails, and so denies.
pub(super) fn settings(document: Option<&serde_json::Value>) -> Result<GateSettings, JournalError> {
    let Some(document) = document else { return Ok(GateSettings::default()) };
    serde_json::from_value(document.clone())
        .map_err(|error| JournalError::Failed(format!("the gate's settings cannot be read: {error}")))
}

fn autonomy(known: &Gate) -> Autonomy {
    let mut autonomy = Autonomy::default();
    for level in &known.levels {
        match (level.scope.environment, &level.scope.capability) {
            (None, None) => autonomy.tenant = Some(level.level),
            (Some(environment), _) => {
                autonomy.environments.insert(environment, level.level);
            }
            (None, Some(capability)) => {
                autonomy.capabilities.insert(capability.clone(), level.level);
            }
        }
    }
    autonomy.lowered = known
        .lowered
        .iter()
        .map(|one| Lowered { capability: one.capability.clone(), target: one.target, to: one.to, why: one.why.clone() })
        .collect();
    autonomy
}

fn grant(one: gate::grants::StandingGrant) -> StandingGrant {
    StandingGrant {
        id: one.id.to_string(),
        capability: one.capability,
        environment: one.environment,
        targets: one.targets,
        labels: one.labels,
        granted_by: one.granted_by,
        expires_at: one.expires_at,
    }
}

async fn incident(reader: &mut Reader, plan: &Plan) -> Result<(Option<Severity>, bool), StoreError> {
    let Some(id) = plan.incident_id else { return Ok((None, false)) };
    match incidents::get(reader, id).await {
        Ok(incident) => {
            Ok((Some(incident.severity), !matches!(incident.status, IncidentStatus::Resolved | IncidentStatus::Closed)))
        }
        Err(StoreError::NotFound) => Ok((None, false)),
        Err(error) => Err(error),
    }
}

/// Whose word the addresses are: of a sender that nobody checked where any of the incident's events came by an open listener,
/// whatever it looks like. Events of before that was known go by their format.
async fn address_source(reader: &mut Reader, open_syslog: bool, plan: &Plan) -> Result<AddressSource, StoreError> {
    let Some(id) = plan.incident_id else { return Ok(AddressSource::Untrusted) };
    if !open_syslog {
        return Ok(AddressSource::Authenticated);
    }
    let alerts = alerts::of_incident(reader, id).await?;
    let events: BTreeSet<EventId> = alerts.iter().flat_map(|alert| alert.event_ids.clone()).collect();
    // What is not looked at may have come from anybody.
    if events.is_empty() || events.len() > EVENTS {
        return Ok(AddressSource::Untrusted);
    }
    let events: Vec<EventId> = events.into_iter().collect();
    let ways = cited::ways(reader, &events).await?;
    let checked = |way: &cited::Way| !way.unchecked && !way.format.starts_with(OPEN_FORMAT);
    let all_known = ways.len() == events.len();
    Ok(if all_known && ways.iter().all(checked) { AddressSource::Authenticated } else { AddressSource::Untrusted })
}
