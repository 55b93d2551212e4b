//! A flood of alerts on a real log and store: what is left undone between its transactions, and who gets between them.

use std::fmt::Write as _;

use shieldops_bus::{Keys, Parts};
use shieldops_model::{Clock, FixedClock};
use shieldops_seal::{Purpose, SealKey};
use shieldops_store::{Options, Store, alerts, bookkeeping, ledger, rule_states::State};

use super::*;
use crate::{Content, Settings, content::BuiltIn};

const EVENTS: usize = 300;
const ALERTS: u64 = 600;

/// Both match each event.
const RULES: [BuiltIn; 2] = [
    rule(
        "title: Let in\nid: 0b7a5d1e-0000-4000-8000-000000000001\nstatus: stable\nlogsource: {product: linux, service: sshd}\n\
        detection: {sel: {message|startswith: 'Accepted '}, condition: sel}\nlevel: low\n",
    ),
    rule(
        "title: By password\nid: 0b7a5d1e-0000-4000-8000-000000000002\nstatus: stable\nlogsource: {product: linux, service: sshd}\n\
        detection: {sel: {message|contains: password}, condition: sel}\nlevel: low\n",
    ),
];

const fn rule(text: &'static str) -> BuiltIn {
    BuiltIn { file: "rules/flood.yml", text, matches: "", misses: "" }
}

struct StoreKeys(Store);

impl Keys for StoreKeys {
    fn frame_key(&self, tenant: TenantId) -> std::result::Result<Arc<SealKey>, String> {
        let key = self.0.keys().data_key(tenant).map_err(|error| error.to_string())?;
        Ok(Arc::new(key.subkey(Purpose::Frame)))
    }
}

struct World {
    _dir: tempfile::TempDir,
    pipeline: Pipeline,
    bus: Arc<Bus>,
    tenant: TenantId,
}

impl World {
    async fn new() -> Self {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(mode).tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(Timestamp::from_secs(1_790_000_000)));
        let options = Options { data_dir: dir.path().to_owned(), demo: false, ..Options::default() };
        let store = Store::open(&options, Arc::clone(&clock)).await.unwrap();
        let parts = Parts::new(Arc::new(StoreKeys(store.clone())), clock, Arc::new(|_| Vec::new()));
        let bus = Bus::open(&dir.path().join("bus"), shieldops_bus::Limits::default(), parts).unwrap();
        let content = Content::load(&RULES, Vec::new(), State::Enabled);
        assert_eq!(content.book().set.len(), 2, "{:?}", content.book().diagnostics);
        let tenant = store.first().await.unwrap().id;
        let bus = Arc::new(bus);
        let pipeline = Pipeline::new(store, Some(Arc::clone(&bus)), Arc::new(content), Settings::default());
        Self { _dir: dir, pipeline, bus, tenant }
    }

    /// One request whose every event makes two alerts of its own.
    async fn flood(&self) {
        let mut lines = String::new();
        for number in 0..EVENTS {
            let (high, low) = (number / 250, number % 250);
            writeln!(
                lines,
                "Sep 20 10:15:02 web sshd[7]: Accepted password for u{number} from 198.18.{high}.{low} port 5 ssh2"
            )
            .unwrap();
        }
        let intake = self.pipeline.intake(shieldops_ingest::Limits::default());
        let answer = intake.accept(self.tenant, lines.into(), None, Some("text/plain"), false).await.unwrap();
        assert_eq!(answer.accepted, u64::try_from(EVENTS).unwrap());
    }

    async fn alerts(&self) -> u64 {
        let mut reader = self.pipeline.store.job(self.tenant, Job::Pipeline).unwrap().read().await.unwrap();
        alerts::tally(&mut reader).await.unwrap().iter().map(|some| some.alerts).sum()
    }
}

#[tokio::test]
async fn a_flood_of_alerts_is_written_in_pieces_and_every_event_is_taken_once() {
    let world = World::new().await;
    world.flood().await;
    let (mut hands, mut care, stop) = (Hands::default(), Care::default(), CancellationToken::new());
    let mut written = vec![0];
    while world.bus.end(world.tenant) > place::of(&world.pipeline, world.tenant).await.unwrap().at {
        hands = step(&world.pipeline, &world.bus, world.tenant, hands, care.take(), &stop).await.unwrap();
        hands.fitted.take().into_iter().for_each(|events| care.fits(events));
        written.push(world.alerts().await);
    }
    assert_eq!(written.last(), Some(&ALERTS), "{written:?}");
    assert!(written.windows(2).all(|two| two[0] < two[1] && two[1] - two[0] <= 250), "{written:?}");
    let mut reader = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().read().await.unwrap();
    let counted: u64 = bookkeeping::sources(&mut reader).await.unwrap().iter().map(|source| source.events).sum();
    assert_eq!(counted, u64::try_from(EVENTS).unwrap());
}

#[tokio::test]
async fn who_writes_for_another_tenant_gets_between_the_pieces_of_a_flood() {
    let world = World::new().await;
    world.flood().await;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let (pipeline, bus) = (world.pipeline.clone(), Arc::clone(&world.bus));
    tasks.spawn(run(pipeline, bus, world.tenant, stop.clone()));
    let other = world.pipeline.store.job(TenantId::INSTALLATION, Job::Cli).unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&ALERTS) {
        let writing = other.begin().await.unwrap();
        seen.push(world.alerts().await);
        drop(writing);
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    seen.dedup();
    assert!(seen.len() > 2, "they wait for a part of the flood, and not for all of it: {seen:?}");
}

#[tokio::test]
async fn what_a_worker_commits_is_fenced_by_the_lease_of_its_partition() {
    let world = crate::testing::World::new().await;
    world.sign_in(0..1).await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let (pipeline, bus, tenant, ended) = (world.pipeline.clone(), Arc::clone(&world.bus), world.tenant, stop.clone());
    tasks.spawn(async move {
        let store = pipeline.store.clone();
        store.while_leased("detect/test", &ended, |ends| run(pipeline.clone(), Arc::clone(&bus), tenant, ends)).await;
    });
    while world.alerts().await == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    let scope = world.pipeline.store.job(tenant, Job::Pipeline).unwrap();
    let (mut export, mut committed) = (ledger::export(&scope).await.unwrap(), 0);
    while let Some(lines) = export.next().await.unwrap() {
        for line in lines.iter().filter(|line| line.contains("\"alerts\":[{")) {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["payload"]["epoch"], 1, "the entry of a holder names its epoch: {line}");
            committed += 1;
        }
    }
    assert!(committed > 0);
}

#[tokio::test]
async fn what_cannot_be_had_before_an_event_is_read_is_no_events_fault() {
    let world = crate::testing::World::new().await;
    let (nobody, stop) = (TenantId::from_bits(7), CancellationToken::new());
    let stepped = step(&world.pipeline, &world.bus, nobody, Hands::default(), 1, &stop).await;
    assert!(matches!(stepped, Err(Failed::Before(_))));
}
