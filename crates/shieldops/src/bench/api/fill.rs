//! Tenants with ten thousand alerts each, written through the store, and a person in each who may do everything.

use std::{path::Path, sync::Arc};

use shieldops_identity::{CredentialKind, Rights, create_token, people};
use shieldops_model::{
    Alert, AlertId, AlertStatus, Attack, Clock as _, Entity, EntityKind, Severity, SystemClock, TenantId, Timestamp, id,
};
use shieldops_pipeline::Content;
use shieldops_store::{
    Job, Options, Store, TenantScope, alerts,
    rule_states::State,
    tenants::{self, NewTenant},
};

use crate::content::BUILT_IN;

/// Alerts of one transaction.
const BATCH: u32 = 500;
/// Rules that the alerts are of, as many come with the binary.
const RULES: usize = 40;
const SEVERITIES: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// One tenant as the load needs it.
pub(super) struct Tenant {
    pub(super) token: String,
    pub(super) shipper: String,
    pub(super) alerts: Vec<AlertId>,
}

pub(super) async fn fill(data_dir: &Path, url: &str, count: u32, each: u32) -> anyhow::Result<Vec<Tenant>> {
    let options =
        Options { data_dir: data_dir.to_owned(), demo: false, database_url: Some(url.to_owned()), keys_dir: None };
    let store = Store::open(&options, Arc::new(SystemClock)).await?;
    let book = Content::load(BUILT_IN, Vec::new(), State::Enabled).book();
    let rules: Vec<String> = book.entries.keys().take(RULES).cloned().collect();
    let mut made = Vec::new();
    for number in 0..count {
        let scope = tenant(&store, number).await?;
        made.push(Tenant {
            token: token(&scope, number).await?,
            shipper: create_token(&scope, CredentialKind::Ingest, "bench", None, None, None)
                .await?
                .1
                .expose()
                .to_owned(),
            alerts: with_alerts(&scope, each, &rules).await?,
        });
    }
    store.close().await;
    Ok(made)
}

async fn tenant(store: &Store, number: u32) -> anyhow::Result<TenantScope> {
    let now = SystemClock.now();
    let mut tx = store.job(TenantId::INSTALLATION, Job::Cli)?.begin().await?;
    let slug = format!("bench-{number}");
    let new = NewTenant { name: slug.clone(), slug, parent: None, demo: false };
    let tenant = tenants::create(&mut tx, &new, now).await?;
    tx.commit(now).await?;
    store.deliver_notices(now).await?;
    Ok(store.job(tenant.id, Job::Cli)?)
}

async fn token(scope: &TenantScope, number: u32) -> anyhow::Result<String> {
    let name = format!("bench-person-{number}");
    let person = people::create(scope, &Rights::of_host(), &name, "admin", None).await?;
    let (_, secret) = create_token(scope, CredentialKind::Personal, "bench", Some(person.id), None, None).await?;
    Ok(secret.expose().to_owned())
}

async fn with_alerts(scope: &TenantScope, count: u32, rules: &[String]) -> anyhow::Result<Vec<AlertId>> {
    let mut ids = Vec::new();
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        let now = SystemClock.now();
        let mut tx = scope.begin().await?;
        for number in first..count.min(first + BATCH) {
            let rule = rules.get(usize::try_from(number)? % RULES).cloned().unwrap_or_default();
            let alert = alert(number, rule, now);
            alerts::insert(&mut tx, &alert).await?;
            ids.push(alert.id);
        }
        tx.record("alert.created", &[], serde_json::json!({"count": count.min(first + BATCH) - first}))?;
        tx.commit(now).await?;
    }
    Ok(ids)
}

/// As a rule makes them: a few entities, a few terms, one event.
fn alert(number: u32, rule_id: String, now: Timestamp) -> Alert {
    let mut fingerprint = [0; 32];
    fingerprint[..4].copy_from_slice(&number.to_be_bytes());
    let [_, _, high, low] = number.to_be_bytes();
    let entity = |kind, text: String| Entity::new(kind, text);
    Alert {
        id: id::mint(now, &mut rand::rng()),
        rule_id,
        rule_title: format!("Sign-in as root from an address that is new, rule {}", number % 40),
        rule_version: "0123456789ab".to_owned(),
        severity: SEVERITIES[usize::from(low % 4)],
        status: if number.is_multiple_of(5) { AlertStatus::Resolved } else { AlertStatus::New },
        verdict: None,
        verdict_reason: None,
        fingerprint: hex::encode(fingerprint),
        window_start: now,
        first_seen: now,
        last_seen: now,
        count: u64::from(number % 7 + 1),
        entities: vec![
            entity(EntityKind::Host, format!("app-{}", number % 200)),
            entity(EntityKind::Ip, format!("198.18.{high}.{low}")),
        ],
        attack: Attack { tactics: vec!["credential-access".to_owned()], techniques: vec!["T1110".to_owned()] },
        event_ids: vec![id::mint(now, &mut rand::rng())],
        incident_id: None,
        assignee: None,
        risk_score: low % 100,
        risk_terms: Vec::new(),
        demo: false,
        superseded: false,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}
