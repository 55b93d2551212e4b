//! The response side of a tenant: its engine, the plans that revisions propose, and alerts for what drifted.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use shieldops_identity::{Permission, may_still};
use shieldops_model::{
    Alert, AlertId, AlertStatus, Attack, Code, Environment, IncidentId, Severity, TenantId, Timestamp, UserId, id,
};
use shieldops_policy::Policy;
use shieldops_respond::{
    CrashPoints, Engine, EngineOptions, Finding, FindingKind, JournalError, Lifeline, Lifelines, Registry,
    RescueFolder, Right, Standing, StoreJournal,
};
use shieldops_store::{Duty, Job, Store, TenantScope, alerts, incidents, investigations};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::{DatabaseUrl, Settings};

/// Findings that wait to become alerts.
const FINDINGS: usize = 256;

/// How long until a target that did not answer is asked again for a proposed plan.
const RETRY: Duration = Duration::from_secs(10);

/// The rows of a tenant, for its response.
pub(crate) fn scope(store: &Store, tenant: TenantId) -> anyhow::Result<TenantScope> {
    Ok(store.job(tenant, Job::Response)?)
}

/// What this server cannot do without: no action of any tenant may cut it off.
pub(crate) fn lifelines(settings: &Settings, at: SocketAddr) -> Lifelines {
    let database = settings.database.as_ref().and_then(DatabaseUrl::host);
    let database = database.map(|host| Lifeline { host, what: "the database of this server" });
    let mail = settings.smtp.as_ref().map(|smtp| smtp.host.clone());
    let mail = mail.map(|host| Lifeline { host, what: "the mail server of this server" });
    let all = Lifelines::new(database.into_iter().chain(mail).collect());
    all.through(settings.trusted_proxies.clone()).by(door(settings, at))
}

/// The TCP port of this machine by which people come in: where the proxy stands on it, the proxy's.
fn door(settings: &Settings, at: SocketAddr) -> Option<u16> {
    let alone = at.ip().is_loopback();
    let listens = (!alone).then_some(at.port());
    let proxy_here =
        settings.behind_proxy && (alone || settings.trusted_proxies.iter().any(|net| net.addr().is_loopback()));
    if proxy_here { settings.public_url.as_deref().and_then(port_of).or(listens) } else { listens }
}

/// Of `https://host:port`, or the scheme's own.
fn port_of(site: &str) -> Option<u16> {
    let site: axum::http::Uri = site.parse().ok()?;
    let usual = if site.scheme_str()? == "https" { 443 } else { 80 };
    Some(site.port_u16().unwrap_or(usual))
}

/// The members of a tenant, for the engine: it does not know what roles mean.
#[derive(Debug)]
struct Members(TenantScope);

#[async_trait]
impl Standing for Members {
    async fn may_still(&self, user: UserId, right: Right, environments: &[Environment]) -> Result<bool, JournalError> {
        let permission = match right {
            Right::Approve => Permission::PlanApprove,
            Right::Grant => Permission::SettingsWrite,
            Right::Undo => Permission::ActionUndo,
        };
        let asked = may_still(&self.0, user, permission, environments).await;
        asked.map_err(|error| JournalError::Failed(error.to_string()))
    }
}

/// Makes the engine of a tenant, with the capabilities there are and whether syslog is taken from anybody, and turns what it
/// finds into alerts. `with` ends with whose duty the tenant's targets are.
pub(crate) fn start(
    store: &Store,
    tenant: TenantId,
    with: (Arc<Registry>, bool, Arc<Lifelines>, Duty),
    crash: CrashPoints,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Arc<Engine>> {
    let scope = scope(store, tenant)?;
    let (registry, open_syslog, lifelines, duty) = with;
    let (findings, found) = mpsc::channel(FINDINGS);
    let key = store.keys().data_key(tenant)?;
    let rescue = RescueFolder::new(store.data_dir(), store.installation().to_owned(), key)
        .context("the folder of rescue records cannot be made")?;
    let journal = StoreJournal::new(scope.clone(), open_syslog).standing(Arc::new(Members(scope.clone())));
    let engine = Engine::new(EngineOptions {
        tenant,
        journal: Arc::new(journal.living_by(lifelines).on_duty(duty)),
        registry,
        policy: Arc::new(Policy::built_in().context("the built-in policies do not load")?),
        clock: Arc::clone(store.clock()),
        tracker: tasks.clone(),
        crash,
        findings: Some(findings),
        rescue: Some(rescue),
    });
    tasks.spawn(raise(scope, found, stop.clone()));
    Ok(engine)
}

/// Plans what each new revision proposes, within a moment of the revision: where the duty is this process'.
pub(crate) async fn propose(scope: TenantScope, engine: Arc<Engine>, duty: Duty, stop: CancellationToken) {
    let mut changes = scope.store().watch();
    let mut later = HashMap::new();
    loop {
        if let Some(lease) = duty.lease().await
            && let Err(error) = propose_all(&scope.fenced(&lease), &engine, &mut later).await
        {
            tracing::error!(error = format!("{error:#}"), "proposed plans could not be made and will be tried again");
        }
        let woken = async {
            while let Ok(change) = changes.recv().await {
                if change.kind == "investigation" && change.tenant == scope.tenant() {
                    return;
                }
            }
        };
        tokio::select! { () = woken => {}, () = tokio::time::sleep(Duration::from_secs(2)) => {}, () = stop.cancelled() => return }
    }
}

async fn propose_all(
    scope: &TenantScope,
    engine: &Arc<Engine>,
    later: &mut HashMap<IncidentId, Timestamp>,
) -> anyhow::Result<()> {
    let waiting = investigations::unplanned(&mut scope.read().await?).await?;
    later.retain(|incident, _| waiting.iter().any(|(waits, _)| waits == incident));
    for (incident, revision) in waiting {
        let now = scope.store().clock().now();
        if later.get(&incident).is_some_and(|at| *at > now) {
            continue;
        }
        if let Err(error) = propose_one(scope, engine, later, (incident, revision), now).await {
            tracing::error!(incident.id = %incident, error = format!("{error:#}"), "a proposed plan could not be made and will be tried again");
            later.insert(incident, now.plus(RETRY));
        }
    }
    Ok(())
}

async fn propose_one(
    scope: &TenantScope,
    engine: &Arc<Engine>,
    later: &mut HashMap<IncidentId, Timestamp>,
    (incident, revision): (IncidentId, u32),
    now: Timestamp,
) -> anyhow::Result<()> {
    let mut reader = scope.read().await?;
    let known = investigations::get(&mut reader, incident, Some(revision)).await?;
    let demo = incidents::get(&mut reader, incident).await?.demo;
    drop(reader);
    let made = engine.propose_revision(incident, &known.proposed_plans, demo).await?;
    let refused: Vec<_> = made.into_iter().filter_map(Result::err).collect();
    if refused.iter().any(|error| error.code() == Code::TARGET_UNAVAILABLE) {
        tracing::warn!(incident.id = %incident, "a target does not answer: its plan is tried again");
        later.insert(incident, now.plus(RETRY));
        return Ok(());
    }
    let mut tx = scope.begin().await?;
    investigations::mark_planned(&mut tx, incident, revision).await?;
    for error in &refused {
        tx.record(
            "plan.not_made",
            &[&incident],
            serde_json::json!({"revision": revision, "code": error.code(), "detail": error.to_string()}),
        )?;
    }
    tx.commit(now).await?;
    Ok(())
}

/// Turns drift and orphans into alerts, one an action and hour.
async fn raise(scope: TenantScope, mut found: mpsc::Receiver<Finding>, stop: CancellationToken) {
    loop {
        let finding = tokio::select! { finding = found.recv() => finding, () = stop.cancelled() => None };
        let Some(finding) = finding else { return };
        if let Err(error) = alert(&scope, &finding).await {
            tracing::error!(error = format!("{error:#}"), "an alert about an action could not be raised");
        }
    }
}

async fn alert(scope: &TenantScope, finding: &Finding) -> anyhow::Result<()> {
    let (rule, title, severity) = match finding.kind {
        FindingKind::Drifted => ("shieldops:action-drifted", "A response is no longer in force", Severity::High),
        FindingKind::Orphaned => {
            ("shieldops:effect-orphaned", "An effect of ours has no live action", Severity::Medium)
        }
        FindingKind::Unverified => {
            ("shieldops:action-unverified", "A response could not be verified", Severity::Medium)
        }
        FindingKind::ClockSet => ("shieldops:clock-set", "The clock of the server was set", Severity::Medium),
    };
    let now = scope.store().clock().now();
    let subject = finding.on.map_or_else(|| "server".to_owned(), |(_, action)| action.to_string());
    let fingerprint = shieldops_triage::fingerprint(scope.tenant(), &format!("{rule}/{subject}"), &[]);
    let hour = Timestamp::from_secs(now.as_secs().div_euclid(3_600) * 3_600);
    let id: AlertId = id::mint(now, &mut rand::rng());
    let alert = Alert {
        id,
        rule_id: rule.to_owned(),
        rule_title: format!("{title}: {}", finding.detail),
        rule_version: "1".to_owned(),
        severity,
        status: AlertStatus::New,
        verdict: None,
        verdict_reason: None,
        fingerprint: hex::encode(fingerprint),
        window_start: hour,
        first_seen: now,
        last_seen: now,
        count: 1,
        entities: Vec::new(),
        attack: Attack::default(),
        event_ids: Vec::new(),
        incident_id: None,
        assignee: None,
        risk_score: if severity == Severity::High { 60 } else { 40 },
        risk_terms: Vec::new(),
        demo: false,
        superseded: false,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let mut tx = scope.begin().await?;
    match alerts::insert(&mut tx, &alert).await {
        Ok(()) => {}
        // The same finding within the hour is the same alert.
        Err(shieldops_store::StoreError::AlreadyExists { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    tx.record("alert.raised", &[&alert.id, &subject], serde_json::json!({"rule": rule, "detail": finding.detail}))?;
    tx.commit(now).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_by_the_port_of_the_proxy_that_stands_before_it() {
        for (site, port) in [
            ("https://soc.example", Some(443)),
            ("http://soc.example", Some(80)),
            ("https://soc.example:8443", Some(8443)),
            ("https://[2001:db8::7]", Some(443)),
            ("https://[2001:db8::7]:8443", Some(8443)),
            ("soc.example", None),
        ] {
            assert_eq!(port_of(site), port, "{site}");
        }
    }
}
