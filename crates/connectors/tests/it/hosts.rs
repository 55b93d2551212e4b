//! A simulated host and a rooted twin, and what the tests of files, users and processes do to them.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use shieldops_connectors::linux::RootedOptions;
use shieldops_model::{Action, Environment, Plan, PlanState, Target};
use shieldops_respond::{Draw, Error, ProveOptions, Registry, Requester, RequesterKind};

use crate::support::{World, exe, person, target};

impl World {
    /// On a rooted twin; `None`, loudly, where none can run.
    pub(crate) async fn rooted() -> Option<Self> {
        let world = Self::new("twin/test");
        world.linux.use_hand(exe());
        match world.linux.start_rooted(RootedOptions { name: "test".to_owned(), exe: exe() }).await {
            Ok(_) => Some(world),
            Err(error) => {
                assert!(error.why.contains("needs root") || error.why.contains("do not work here"), "{error}");
                eprintln!("SKIPPED: no rooted twin can run here: {error}");
                None
            }
        }
    }

    pub(crate) async fn try_plan(&self, capability: &str, params: Value) -> Result<Plan, Error> {
        let mut request = self.request(params);
        capability.clone_into(&mut request.actions[0].capability);
        request.requester = Requester { id: person(9).user.to_string(), kind: RequesterKind::User };
        self.engine.propose(request).await
    }

    /// Plans, approves with as many people as it takes, and waits for the end of the run.
    pub(crate) async fn act(&self, capability: &str, params: Value) -> Action {
        let plan = self.try_plan(capability, params).await.unwrap();
        assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
        self.carry_out(plan).await
    }

    pub(crate) async fn carry_out(&self, mut plan: Plan) -> Action {
        for n in 1..=2 {
            if plan.state == PlanState::Proposed {
                plan = self.engine.approve(plan.id, &plan.hash, &person(n)).await.unwrap();
            }
        }
        self.settled().await;
        let plan = self.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
        plan.actions[0].clone()
    }

    /// The codes by which a plan is denied.
    pub(crate) async fn denied(&self, capability: &str, params: Value) -> Vec<String> {
        let plan = self.try_plan(capability, params).await.unwrap();
        plan.decision.denies.into_iter().map(|deny| deny.code).collect()
    }

    /// A shell script of this test, in the twin: what it says.
    pub(crate) fn sh(&self, script: &str) -> String {
        let (good, said) = self.sh_of(script);
        assert!(good, "{script}: {said}");
        said
    }

    pub(crate) fn sh_of(&self, script: &str) -> (bool, String) {
        let argv = self.linux.rooted("test").unwrap().enter();
        let mut child = Command::new(&argv[0])
            .args(&argv[1..])
            .args(["sh", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let both = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&both).trim().to_owned())
    }

    /// Whether a process runs: a dead one that nobody buried yet does not.
    pub(crate) fn lives(&self, pid: u32) -> bool {
        self.sh_of(&format!("grep -q '^State:.[^ZX]' /proc/{pid}/status")).0
    }

    /// The simulated host as it is stored.
    pub(crate) fn simulated(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join("sim/hosts/test.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Random states: what is done and undone leaves nothing, and what was done was done.
    pub(crate) async fn comes_back(&self, name: &str, cases: u64) {
        let all = shieldops_connectors::capabilities(std::sync::Arc::clone(&self.linux));
        let capability = all.into_iter().find(|capability| capability.describe().name == name).unwrap();
        let proving = capability.proving().unwrap();
        let row = target(&self.target);
        for seed in 0..cases {
            // The gate counts actions in a minute and an hour.
            self.clock.advance(Duration::from_secs(3_700));
            let mut draw = Draw::new(seed);
            let params = proving.stage(&row, &mut draw).await.unwrap();
            let before = proving.snapshot(&row).await.unwrap();
            let action = self.act(name, params.clone()).await;
            assert_eq!(action.state.to_string_for_test(), "verified", "seed {seed}: {:?}", action.detail);
            let after = proving.snapshot(&row).await.unwrap();
            assert_eq!(before == after, !action.changed, "seed {seed}: {params}");
            let undone = self.undo(&action).await.unwrap();
            assert_eq!(undone.state.to_string_for_test(), "undone", "seed {seed}: {:?}", undone.detail);
            assert_eq!(proving.snapshot(&row).await.unwrap(), before, "seed {seed}: residue of {params}");
        }
    }
}

pub(crate) trait Shown {
    fn to_string_for_test(&self) -> String;
}

impl Shown for shieldops_model::ActionState {
    fn to_string_for_test(&self) -> String {
        json!(self).as_str().unwrap().to_owned()
    }
}

/// Every capability of files, users and schedules that can be undone.
pub(crate) const REVERSIBLE: [&str; 5] = [
    "linux.block_domain",
    "linux.disable_cron_entry",
    "linux.disable_user",
    "linux.quarantine_file",
    "linux.remove_authorized_key",
];

/// The suite that `shieldops action prove` runs, on a few states: second owners, expiry, foreign changes and crashes.
#[tokio::test(flavor = "multi_thread")]
async fn the_proof_suite_holds_on_both_stand_ins() {
    let Some(world) = World::rooted().await else { return };
    let all = shieldops_connectors::capabilities(std::sync::Arc::clone(&world.linux));
    let row = |name: &str| Target { environment: Environment::Staging, ..target(name) };
    let with = ProveOptions {
        registry: std::sync::Arc::new(Registry::new(all.clone()).unwrap()),
        policy: std::sync::Arc::new(shieldops_policy::Policy::built_in().unwrap()),
        clock: world.clock.clone(),
        sim: row("sim/proof"),
        twins: BTreeMap::from([("rooted", Ok(row("twin/test")))]),
        cases: 40,
        twin_cases: 8,
        seed: 7,
        twin_time: Duration::from_mins(1),
    };
    for capability in all.iter().filter(|it| it.describe().twin == shieldops_respond::Twin::Rooted) {
        let row = Box::pin(shieldops_respond::prove(&with, capability)).await;
        // Nothing was left and nothing failed; for a proof these are too few.
        assert_eq!(row.verdict, shieldops_respond::Verdict::TooFew, "{row:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_simulated_host_everything_that_is_undone_comes_back() {
    for name in REVERSIBLE {
        Box::pin(World::new("sim/test").comes_back(name, 20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_rooted_twin_everything_that_is_undone_comes_back() {
    let Some(world) = World::rooted().await else { return };
    for name in REVERSIBLE {
        Box::pin(world.comes_back(name, 6)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_has_everything_of_its_own_and_nothing_reaches_this_host() {
    let Some(world) = World::rooted().await else { return };
    let name = format!("shieldops-twin-test-{}", std::process::id());
    world.sh(&format!("touch /etc/{name} /usr/{name} /home/{name} /tmp/{name} /run/{name}; hostname >/dev/null; true"));
    for folder in ["etc", "usr", "home", "tmp", "run"] {
        assert!(!std::path::Path::new(&format!("/{folder}/{name}")).exists(), "/{folder} is shared");
    }
    assert_eq!(world.sh("ls /home /root | grep -v :; true"), name, "the homes of the real host are not in it");
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(world.sh("readlink /proc/self/ns/net"), here.to_string_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_and_all_in_it_end_with_it() {
    let Some(world) = World::rooted().await else { return };
    world.sh("setsid sleep 987654 >/dev/null 2>&1 &");
    let running = || {
        let said = Command::new("pgrep").args(["-f", "sleep 987654"]).output().unwrap();
        !said.stdout.is_empty()
    };
    let comes_to = async |wanted: bool| {
        let deadline = std::time::Instant::now() + Duration::from_mins(2);
        while running() != wanted && std::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        running() == wanted
    };
    assert!(comes_to(true).await);
    world.linux.stop_rooted("test");
    assert!(comes_to(false).await, "a process of the twin outlived it");
    let gone = world.try_plan("linux.disable_user", json!({"user": "alice"})).await.unwrap_err();
    assert!(gone.to_string().contains("not running"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_namespace_has_no_files_of_its_own() {
    let world = World::new("netns/blue");
    for (name, params) in [
        ("linux.quarantine_file", json!({"path": "/tmp/x"})),
        ("linux.kill_process", json!({"pid": 4_000_000})),
        ("linux.disable_user", json!({"user": "alice"})),
    ] {
        let error = world.try_plan(name, params).await.unwrap_err();
        assert!(error.to_string().contains("no files, users and processes of its own"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_answers_rubbish_or_half_is_unavailable_and_says_why() {
    for (said, why) in [
        ("", "did not answer"),
        ("rubbish", "did not answer"),
        ("{\"Ok\": [{\"path\"", "did not answer"),
        ("{\"Ok\": [{\"file\": null}, {}]}", "did not answer"),
        ("{\"Err\": {\"kind\": \"refused\", \"why\": \"the host says no\"}}", "the host says no"),
    ] {
        let world = World::new("local");
        let program = world.folder.path().join("hand");
        std::fs::write(&program, format!("#!/bin/sh\ncat >/dev/null\nprintf '%s' '{said}'\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        world.linux.use_hand(program);
        let error = world.try_plan("linux.quarantine_file", json!({"path": "/tmp/x"})).await.unwrap_err();
        assert!(error.to_string().contains(why), "{said}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_host_is_never_put_into_a_state_and_our_own_data_is_never_moved() {
    let world = World::new("local");
    world.linux.use_hand(exe());
    let all = shieldops_connectors::capabilities(std::sync::Arc::clone(&world.linux));
    for capability in all.iter().filter(|it| it.describe().twin == shieldops_respond::Twin::Rooted) {
        let Some(proving) = capability.proving() else { continue };
        let name = capability.describe().name;
        assert!(proving.stage(&target("local"), &mut Draw::new(1)).await.is_err(), "{name}");
        assert!(proving.disturb(&target("local"), &json!({}), &mut Draw::new(1)).await.is_err(), "{name}");
    }
    let own = world.folder.path().join("keys");
    std::fs::write(&own, "a key").unwrap();
    let codes = world.denied("linux.quarantine_file", json!({"path": own})).await;
    assert!(codes.contains(&"own_data".to_owned()), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_configuration_of_ours_are_neither_moved_nor_collected_wherever_they_lie() {
    let world = World::new("local");
    world.linux.use_hand(exe());
    let elsewhere = tempfile::tempdir().unwrap();
    let place = std::fs::canonicalize(elsewhere.path()).unwrap();
    let (keys, settings, other) = (place.join("keys"), place.join("shieldops.toml"), place.join("keys.txt"));
    std::fs::create_dir(&keys).unwrap();
    for file in [&keys.join("installation.key"), &settings, &other] {
        std::fs::write(file, "text").unwrap();
    }
    // As serve was told them, links and all.
    let link = place.join("link");
    std::os::unix::fs::symlink(&keys, &link).unwrap();
    world.linux.protect_places([link, settings.clone()]);
    let own = std::fs::canonicalize(world.folder.path()).unwrap().join("state.db");
    std::fs::write(&own, "text").unwrap();
    for file in [&keys.join("installation.key"), &settings, &own] {
        let codes = world.denied("linux.quarantine_file", json!({"path": file})).await;
        assert!(codes.contains(&"own_data".to_owned()), "{file:?}: {codes:?}");
        let refused = world.try_plan("linux.collect_evidence", json!({"files": [file]})).await.unwrap_err();
        assert!(refused.to_string().contains("is our own"), "{file:?}: {refused}");
    }
    let profiles = json!({"files": ["/root/.config/shieldops/profiles.toml"]});
    let refused = world.try_plan("linux.collect_evidence", profiles).await.unwrap_err();
    assert!(refused.to_string().contains("is our own"), "{refused}");
    assert!(world.try_plan("linux.collect_evidence", json!({"files": [other]})).await.is_ok());
}
