//! A flood, batch by batch, on a real store: what is read for it, and what the incident says after it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use shieldops_model::{
    Alert, Attack, Clock as _, Entity, EntityKind, EventId, FixedClock, Incident, IncidentId, Severity, TenantId,
    Timestamp,
};
use shieldops_store::{Job, Options, Store, TenantScope, alerts, incidents};
use shieldops_triage::{Finding, RuleFacts};

use super::{Found, apply};
use crate::{Settings, growing::Growing};

const START: i64 = 1_790_000_000;

/// Rows that SQL statements gave back, as the driver reports each statement.
#[derive(Clone, Default)]
struct RowsRead(Arc<AtomicU64>);

struct Rows(u64);

impl tracing::field::Visit for Rows {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "rows_returned" {
            self.0 = value;
        }
    }
    fn record_debug(&mut self, _field: &tracing::field::Field, _value: &dyn std::fmt::Debug) {}
}

impl tracing::Subscriber for RowsRead {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn event(&self, event: &tracing::Event<'_>) {
        let mut rows = Rows(0);
        event.record(&mut rows);
        self.0.fetch_add(rows.0, Ordering::SeqCst);
    }
    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}
    fn enter(&self, _span: &tracing::span::Id) {}
    fn exit(&self, _span: &tracing::span::Id) {}
}

struct World {
    _dir: tempfile::TempDir,
    clock: FixedClock,
    scope: TenantScope,
    growing: Growing,
    events: u128,
}

impl World {
    async fn new() -> Self {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(mode).tempdir().unwrap();
        let clock = FixedClock::at(Timestamp::from_secs(START));
        let options = Options { data_dir: dir.path().to_owned(), demo: false, ..Options::default() };
        let store = Store::open(&options, Arc::new(clock.clone())).await.unwrap();
        let tenant: TenantId = store.first().await.unwrap().id;
        let scope = store.job(tenant, Job::Pipeline).unwrap();
        Self { _dir: dir, clock, scope, growing: Growing::default(), events: 0 }
    }

    /// A guess for one account: an alert of its own, from the one address of the attack.
    fn guess(&mut self, level: Severity, from: &str) -> Finding {
        self.events += 1;
        let (ip, user) =
            (Entity::new(EntityKind::Ip, from), Entity::new(EntityKind::User, format!("u{}", self.events)));
        let rule = RuleFacts {
            id: "guess".into(),
            title: "A refused password".into(),
            version: "1".into(),
            level,
            attack: Attack { tactics: vec!["credential-access".into()], techniques: vec!["T1110".into()] },
            group_by: Vec::new(),
        };
        let entities = vec![ip.clone(), user.clone()];
        Finding {
            rule: Arc::new(rule),
            event_id: EventId::from_bits(self.events),
            window_time: self.clock.now(),
            class_uid: 3002,
            grouping: vec![ip, user],
            entities,
            demo: false,
        }
    }

    async fn batch(&mut self, findings: &[Finding]) {
        self.clock.advance(Duration::from_millis(1));
        let mut tx = self.scope.begin().await.unwrap();
        let throttles = BTreeMap::new();
        let batch = Found { findings, events: &[], raised: &[], log: None, throttles: &throttles };
        apply(&mut tx, &mut self.growing, batch, &Settings::default(), self.clock.now()).await.unwrap();
        tx.commit(self.clock.now()).await.unwrap();
    }

    async fn flood(&mut self, alerts: usize, a_batch: usize) {
        for _ in 0..alerts / a_batch {
            let findings: Vec<Finding> = (0..a_batch).map(|_| self.guess(Severity::Medium, "203.0.113.66")).collect();
            self.batch(&findings).await;
        }
    }

    async fn incidents(&self) -> Vec<Incident> {
        let times = (Timestamp::from_secs(START - 60), Timestamp::from_secs(START + 1_000_000));
        incidents::candidates(&mut self.scope.read().await.unwrap(), times).await.unwrap()
    }

    async fn alerts(&self, incident: IncidentId) -> Vec<Alert> {
        alerts::of_incident(&mut self.scope.read().await.unwrap(), incident).await.unwrap()
    }
}

#[tokio::test]
async fn a_flood_of_related_alerts_is_one_incident_and_reads_rows_in_proportion_to_its_alerts() {
    let rows = RowsRead::default();
    tracing::subscriber::set_global_default(rows.clone()).unwrap();
    let mut world = World::new().await;
    let mut read = BTreeMap::new();
    for alerts in [1_000_u64, 2_000, 5_000] {
        let so_far = u64::try_from(world.events).unwrap();
        world.flood(usize::try_from(alerts - so_far).unwrap(), 50).await;
        read.insert(alerts, rows.0.load(Ordering::SeqCst));
    }
    let incidents = world.incidents().await;
    assert_eq!(incidents.len(), 1);
    let incident = incidents.first().unwrap();
    assert_eq!((incident.alert_count, incident.event_count), (5_000, 5_000), "nothing is left uncounted");
    assert!(read[&1_000] > 0, "the driver reports what it reads: {read:?}");
    let second_thousand = read[&2_000] - read[&1_000];
    let each_of_the_last = (read[&5_000] - read[&2_000]) / 3;
    assert!(each_of_the_last <= second_thousand + second_thousand / 10, "{read:?}");
    assert!(read[&5_000] <= 3 * 5_000, "at most three rows for an alert: {read:?}");
}

#[tokio::test]
async fn the_worst_of_a_flood_is_seen_though_it_comes_last_and_the_worker_began_anew() {
    let mut world = World::new().await;
    world.flood(1_200, 200).await;
    let grave = world.guess(Severity::Critical, "203.0.113.66");
    world.batch(&[grave]).await;
    world.growing = Growing::default();
    world.flood(10, 10).await;
    let incident = world.incidents().await.remove(0);
    assert_eq!((incident.severity, incident.alert_count), (Severity::Critical, 1_211));
    let level = incident.risk_terms.iter().find(|term| term.name == "level").unwrap();
    assert_eq!(level.why, "the highest rule level is critical", "its alert is at hand still");
}

#[tokio::test]
async fn an_old_event_in_a_batch_opens_no_second_alert_for_what_goes_on() {
    let mut world = World::new().await;
    let busy = world.guess(Severity::Low, "203.0.113.66");
    for _ in 0..150 {
        world.clock.advance(Duration::from_mins(5));
        world.events += 1;
        let (event_id, window_time) = (EventId::from_bits(world.events), world.clock.now());
        world.batch(&[Finding { event_id, window_time, ..busy.clone() }]).await;
    }
    world.clock.advance(Duration::from_secs(10));
    let old = Finding {
        window_time: world.clock.now().minus(Duration::from_hours(13)),
        ..world.guess(Severity::Low, "203.0.113.9")
    };
    let live = Finding { window_time: world.clock.now(), event_id: EventId::from_bits(7_777), ..busy.clone() };
    world.batch(&[live, old]).await;
    let fingerprint = shieldops_triage::fingerprint(world.scope.tenant(), &busy.rule.id, &busy.grouping);
    let times = (Timestamp::from_secs(START), world.clock.now().plus(Duration::from_hours(1)));
    let found = alerts::of_fingerprint(&mut world.scope.read().await.unwrap(), fingerprint, times).await.unwrap();
    assert_eq!((found.len(), found.last().unwrap().count), (150, 2));
}

#[tokio::test]
async fn a_late_alert_joins_its_incident_though_many_were_opened_since() {
    let mut world = World::new().await;
    let early = world.guess(Severity::Medium, "203.0.113.66");
    world.batch(&[early]).await;
    world.clock.advance(Duration::from_hours(24));
    let later: Vec<Finding> =
        (0..510_u32).map(|n| world.guess(Severity::Medium, &format!("198.18.{}.{}", n / 250, n % 250))).collect();
    for part in later.chunks(100) {
        world.batch(part).await;
    }
    let late =
        Finding { window_time: Timestamp::from_secs(START + 60), ..world.guess(Severity::Medium, "203.0.113.66") };
    world.batch(&[late]).await;
    let times = (Timestamp::from_secs(START - 60), Timestamp::from_secs(START + 600));
    let found = incidents::candidates(&mut world.scope.read().await.unwrap(), times).await.unwrap();
    assert_eq!(found.iter().map(|incident| incident.alert_count).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn what_a_bridging_alert_merges_is_counted_once() {
    let mut world = World::new().await;
    let (one, other) = (world.guess(Severity::Medium, "203.0.113.66"), world.guess(Severity::Medium, "198.51.100.7"));
    world.batch(&[one]).await;
    world.batch(&[other]).await;
    assert_eq!(world.incidents().await.len(), 2);
    let mut bridge = world.guess(Severity::High, "203.0.113.66");
    bridge.entities.push(Entity::new(EntityKind::Ip, "198.51.100.7"));
    let more = world.guess(Severity::Medium, "198.51.100.7");
    world.batch(&[bridge, more]).await;
    let incidents = world.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let incident = incidents.first().unwrap();
    assert_eq!((incident.alert_count, incident.event_count), (4, 4));
    assert_eq!(world.alerts(incident.id).await.len(), 4);
}
