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
use shieldops_store::{Job, Options, Store, StoreError, TenantScope, ledger::DirectoryReport};

pub(crate) use crate::database::Database;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: FixedClock,
    pub(crate) tenant: TenantId,
    pub(crate) database: Database,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(1_790_000_000)
}

/// A data directory of its own, and a database.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700)).tempdir().unwrap()
}

pub(crate) async fn open(dir: &Path, clock: &FixedClock, database: &Database) -> Result<Store, StoreError> {
    let options =
        Options { data_dir: dir.to_owned(), database_url: database.url().map(str::to_owned), ..Options::default() };
    Store::open(&options, Arc::new(clock.clone())).await
}

/// A new installation; nothing, said aloud, where there is no server for it.
pub(crate) async fn world() -> Option<World> {
    let database = Database::new(crate::POSTGRES).await?;
    let (dir, clock) = (directory(), FixedClock::at(now()));
    let store = open(dir.path(), &clock, &database).await.unwrap();
    let tenant = store.first().await.unwrap().id;
    Some(World { store, dir, clock, tenant, database })
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

    pub(crate) async fn verify(&self, outside: &[String]) -> DirectoryReport {
        self.database.verify(self.dir.path(), outside).await
    }

    pub(crate) async fn sql(&self, text: &str) -> u64 {
        self.database.sql(self.dir.path(), text).await
    }

    pub(crate) fn checkpoints(&self) -> std::path::PathBuf {
        checkpoints(self.dir.path(), self.tenant)
    }

    /// Closes the store; what is left is the directory.
    pub(crate) async fn stop(self) -> Stopped {
        self.store.close().await;
        Stopped { dir: self.dir, clock: self.clock, tenant: self.tenant, database: self.database }
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
    pub(crate) database: Database,
}

impl Stopped {
    pub(crate) async fn start(self) -> World {
        let store = open(self.dir.path(), &self.clock, &self.database).await.unwrap();
        World { dir: self.dir, clock: self.clock, store, tenant: self.tenant, database: self.database }
    }

    pub(crate) async fn verify(&self) -> DirectoryReport {
        self.verify_with(&[]).await
    }

    pub(crate) async fn verify_with(&self, outside: &[String]) -> DirectoryReport {
        self.database.verify(self.dir.path(), outside).await
    }

    pub(crate) fn checkpoints(&self) -> std::path::PathBuf {
        checkpoints(self.dir.path(), self.tenant)
    }

    pub(crate) async fn sql(&self, text: &str) -> u64 {
        self.database.sql(self.dir.path(), text).await
    }
}

fn checkpoints(dir: &Path, tenant: TenantId) -> std::path::PathBuf {
    let node = std::fs::read_to_string(dir.join("NODE")).unwrap();
    let name = if crate::POSTGRES { format!("{tenant}.{}", node.trim()) } else { tenant.to_string() };
    dir.join("checkpoints").join(name)
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
        superseded: false,
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
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: false,
        created_at: now(),
        version: 1,
    }
}
