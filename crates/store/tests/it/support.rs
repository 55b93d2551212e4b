//! A store on a new directory, rows to put into it, and SQL beside it.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use shieldops_ledger::read_checkpoints;
use shieldops_model::{
    Alert, AlertStatus, Clock as _, FixedClock, Incident, Note, Severity, TenantId, Timestamp,
    alert::Attack,
    id,
    incident::IncidentStatus,
    target::{Criticality, Environment, Target, TargetKind},
};
use shieldops_store::{
    Job, Options, Store, StoreError, TenantScope,
    ledger::{DirectoryReport, verify_directory},
};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: FixedClock,
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(1_790_000_000)
}

pub(crate) async fn open(dir: &Path, clock: &FixedClock) -> Result<Store, StoreError> {
    Store::open(&Options { data_dir: dir.to_owned(), demo: false }, Arc::new(clock.clone())).await
}

pub(crate) async fn world() -> World {
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700)).tempdir().unwrap();
    let clock = FixedClock::at(now());
    let store = open(dir.path(), &clock).await.unwrap();
    let tenant = store.first().await.unwrap().id;
    World { dir, clock, store, tenant }
}

impl World {
    pub(crate) fn scope(&self) -> TenantScope {
        self.store.job(self.tenant, Job::Cli).unwrap()
    }

    /// One commit with these entries.
    pub(crate) async fn commit(&self, kinds: &[&'static str]) -> Result<(), StoreError> {
        self.clock.advance(Duration::from_millis(1));
        commit(&self.scope(), kinds, self.clock.now()).await
    }

    /// Closes the store; what is left is the directory.
    pub(crate) async fn stop(self) -> Stopped {
        self.store.close().await;
        Stopped { dir: self.dir, clock: self.clock, tenant: self.tenant }
    }
}

pub(crate) async fn commit(scope: &TenantScope, kinds: &[&'static str], now: Timestamp) -> Result<(), StoreError> {
    let mut tx = scope.begin().await?;
    for kind in kinds {
        tx.record(kind, &[&"first", &kind], serde_json::json!({"n": 1}))?;
    }
    tx.commit(now).await
}

pub(crate) struct Stopped {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: FixedClock,
    pub(crate) tenant: TenantId,
}

impl Stopped {
    pub(crate) async fn start(self) -> World {
        let store = open(self.dir.path(), &self.clock).await.unwrap();
        World { dir: self.dir, clock: self.clock, store, tenant: self.tenant }
    }

    pub(crate) async fn verify(&self) -> DirectoryReport {
        verify_directory(self.dir.path(), &[]).await.unwrap()
    }

    pub(crate) fn checkpoints(&self) -> std::path::PathBuf {
        self.dir.path().join("checkpoints").join(self.tenant.to_string())
    }

    pub(crate) async fn sql(&self, text: &str) -> u64 {
        sql(self.dir.path(), text).await
    }
}

pub(crate) async fn sql(dir: &Path, text: &str) -> u64 {
    let mut db = connect(dir).await;
    let done = sqlx::query(AssertSqlSafe(text.to_owned())).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    done.rows_affected()
}

pub(crate) async fn connect(dir: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", dir.join("state.db").display())).await.unwrap()
}

/// Takes the last `count` records off a checkpoint file.
pub(crate) fn cut_checkpoints(path: &Path, count: usize) {
    let bytes = std::fs::read(path).unwrap();
    let notes = read_checkpoints(&bytes).0;
    let cut: usize = notes.iter().rev().take(count).map(|note| note.len() + 4).sum();
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(u64::try_from(bytes.len() - cut).unwrap())
        .unwrap();
}

pub(crate) fn alert(number: u8) -> Alert {
    Alert {
        id: id::mint(now(), &mut rand::rng()),
        rule_id: "rule".into(),
        rule_title: "A rule".into(),
        rule_version: "0123456789ab".into(),
        severity: Severity::High,
        status: AlertStatus::New,
        verdict: None,
        verdict_reason: None,
        fingerprint: hex::encode([number; 32]),
        window_start: now(),
        first_seen: now(),
        last_seen: now(),
        count: 1,
        entities: Vec::new(),
        attack: Attack::default(),
        event_ids: Vec::new(),
        incident_id: None,
        assignee: None,
        risk_score: 50,
        risk_terms: Vec::new(),
        demo: false,
        created_at: now(),
        updated_at: now(),
        version: 1,
    }
}

pub(crate) fn incident() -> Incident {
    Incident {
        id: id::mint(now(), &mut rand::rng()),
        title: "An incident".into(),
        title_by_person: false,
        severity: Severity::High,
        status: IncidentStatus::New,
        verdict: None,
        verdict_reason: None,
        risk_score: 50,
        risk_terms: Vec::new(),
        alert_count: 1,
        event_count: 1,
        entities: Vec::new(),
        attack: Attack::default(),
        first_seen: now(),
        last_seen: now(),
        assignee: None,
        merged_into: None,
        revision: 1,
        demo: false,
        created_at: now(),
        updated_at: now(),
        version: 1,
    }
}

pub(crate) fn note(text: &str) -> Note {
    Note {
        id: id::mint(now(), &mut rand::rng()),
        author: id::mint(now(), &mut rand::rng()),
        created_at: now(),
        text: text.into(),
    }
}

pub(crate) fn target(name: &str) -> Target {
    Target {
        id: id::mint(now(), &mut rand::rng()),
        kind: TargetKind::LinuxHost,
        name: name.into(),
        host: None,
        environment: Environment::default(),
        criticality: Criticality::default(),
        labels: BTreeMap::new(),
        owner: None,
        simulated: true,
        protected: false,
        demo: false,
        created_at: now(),
        version: 1,
    }
}
