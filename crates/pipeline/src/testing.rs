//! A tenant with a real log and a real state, and a rule that takes each event; both outlive a restart.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use shieldops_bus::{Bus, Keys, Limits, Parts};
use shieldops_model::{Clock as _, Event, FixedClock, TenantId, Timestamp};
use shieldops_seal::{Purpose, SealKey};
use shieldops_store::{
    Job, Options, PageRequest, Store, alerts,
    ledger::{self, Filter},
    rule_states::State,
};

use crate::{Content, Pipeline, Settings, content::BuiltIn};

/// Takes each event below, and opens an incident for each.
const RULE: BuiltIn = BuiltIn {
    file: "rules/each.yml",
    text: "title: Let in\nid: 0b7a5d1e-0000-4000-8000-000000000003\nstatus: stable\nlogsource: {product: linux, service: sshd}\n\
        detection: {sel: {message|startswith: 'Accepted '}, condition: sel}\nlevel: high\n",
    matches: "",
    misses: "",
};

struct StoreKeys(Store);

impl Keys for StoreKeys {
    fn frame_key(&self, tenant: TenantId) -> Result<Arc<SealKey>, String> {
        let key = self.0.keys().data_key(tenant).map_err(|error| error.to_string())?;
        Ok(Arc::new(key.subkey(Purpose::Frame)))
    }
}

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: FixedClock,
    pub(crate) pipeline: Pipeline,
    pub(crate) bus: Arc<Bus>,
    pub(crate) tenant: TenantId,
}

impl World {
    pub(crate) async fn new() -> Self {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(mode).tempdir().unwrap();
        let clock = FixedClock::at(Timestamp::from_secs(1_790_000_000));
        let options = Options { data_dir: dir.path().to_owned(), demo: false, ..Options::default() };
        let store = Store::open(&options, Arc::new(clock.clone())).await.unwrap();
        let tenant = store.first().await.unwrap().id;
        let bus = open(dir.path(), &store, &clock);
        let pipeline = started(store, &bus);
        Self { dir, clock, pipeline, bus, tenant }
    }

    /// Ends and begins again; `meanwhile` has the directory of the log for itself.
    pub(crate) fn restart(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { dir, clock, pipeline, bus, tenant } = self;
        let store = pipeline.store.clone();
        drop((pipeline, bus));
        meanwhile(&dir.path().join("bus"));
        let bus = open(dir.path(), &store, &clock);
        let pipeline = started(store, &bus);
        Self { dir, clock, pipeline, bus, tenant }
    }

    /// Somebody signs in from so many addresses, a request each.
    pub(crate) async fn sign_in(&self, from: std::ops::Range<u8>) {
        let intake = self.pipeline.intake(shieldops_ingest::Limits::default());
        for number in from {
            self.clock.advance(std::time::Duration::from_millis(10));
            let line = format!(
                "Sep 20 10:15:02 web sshd[7]: Accepted password for u{number} from 198.18.7.{number} port 5 ssh2\n"
            );
            intake.accept(self.tenant, line.into(), None, Some("text/plain"), false).await.unwrap();
        }
    }

    pub(crate) async fn alerts(&self) -> u64 {
        let mut reader = self.pipeline.store.job(self.tenant, Job::Pipeline).unwrap().read().await.unwrap();
        alerts::tally(&mut reader).await.unwrap().iter().map(|some| some.alerts).sum()
    }

    /// Entries of a kind in the tenant's ledger.
    pub(crate) async fn entries(&self, kind: &str) -> usize {
        let mut reader = self.pipeline.store.job(self.tenant, Job::Pipeline).unwrap().read().await.unwrap();
        let filter = Filter { kind: Some(kind.to_owned()), ..Filter::default() };
        ledger::list(&mut reader, &filter, &PageRequest::default()).await.unwrap().items.len()
    }

    /// The events of the log, and the one segment that they are in.
    pub(crate) fn events(&self) -> Vec<Event> {
        let frames = self.bus.read(self.tenant, shieldops_bus::Offset(0), 1 << 20).unwrap();
        frames.into_iter().flat_map(|frame| frame.events).collect()
    }

    pub(crate) fn segment(&self) -> PathBuf {
        let dir = self.dir.path().join("bus").join(self.tenant.to_string()).join("0");
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|end| end == "seg")).max().unwrap()
    }

    /// The first frame of the log loses a bit.
    pub(crate) fn damage(&self) {
        let path = self.segment();
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, bytes).unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn open(dir: &Path, store: &Store, clock: &FixedClock) -> Arc<Bus> {
    let indexer: shieldops_bus::Indexer = Arc::new(|event| {
        shieldops_ingest::normalise(event).entities.iter().map(shieldops_model::Entity::key).collect()
    });
    let parts = Parts::new(Arc::new(StoreKeys(store.clone())), Arc::new(clock.clone()), indexer);
    Arc::new(Bus::open(&dir.join("bus"), Limits::default(), parts).unwrap())
}

fn started(store: Store, bus: &Arc<Bus>) -> Pipeline {
    let content = Content::load(&[RULE], Vec::new(), State::Enabled);
    Pipeline::new(store, Some(Arc::clone(bus)), Arc::new(content), Settings::default())
}
