//! Ending processes: exactly the one that was seen.

use serde_json::json;
use shieldops_model::ActionState;

use crate::support::World;

const KILL: &str = "linux.kill_process";

fn start(world: &World) -> u32 {
    let said = world.sh("setsid sleep 600 >/dev/null 2>&1 & echo $!");
    // Until it runs `sleep` it is another process: `setsid`.
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !world.sh_of(&format!("grep -qx sleep /proc/{said}/comm")).0 && std::time::Instant::now() < deadline {}
    said.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_gone_and_that_cannot_be_undone() {
    let Some(world) = World::rooted().await else { return };
    let pid = start(&world);
    let action = world.act(KILL, json!({"pid": pid})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(!world.lives(pid));
    assert_eq!(action.class, "irreversible");
    let error = world.undo(&action).await.unwrap_err();
    assert!(error.to_string().contains("irreversible"), "{error}");
    let after = world.action(&action).await;
    let said: Vec<_> = after.proofs.iter().map(|proof| (proof.moment.as_str(), proof.result.as_str())).collect();
    assert_eq!(said, [("before", "reachable"), ("after", "refused")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_of_the_same_number_is_never_killed() {
    let Some(world) = World::rooted().await else { return };
    let pid = start(&world);
    let plan = world.try_plan(KILL, json!({"pid": pid})).await.unwrap();
    // The number is given to the next process that is made.
    world.sh(&format!("kill -9 {pid}"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while world.sh_of(&format!("test -e /proc/{pid}")).0 && std::time::Instant::now() < deadline {}
    let said = world
        .sh(&format!("echo {} > /proc/sys/kernel/ns_last_pid; setsid sleep 601 >/dev/null 2>&1 & echo $!", pid - 1));
    if said != pid.to_string() {
        eprintln!("SKIPPED: the number went to another process ({said})");
        return;
    }
    let action = world.carry_out(plan).await;
    assert_eq!((action.state, action.changed), (ActionState::Verified, false), "the process that was meant is gone");
    assert!(world.lives(pid));
    let stale = world.act(KILL, json!({"pid": pid, "start_ticks": 1})).await;
    assert_eq!(
        (stale.state, stale.changed),
        (ActionState::Verified, false),
        "an earlier process of this number is gone"
    );
    assert!(world.lives(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_runs_another_program_since_the_plan_is_not_taken_for_gone() {
    let Some(world) = World::rooted().await else { return };
    let said = world
        .sh("setsid sh -c 'while ! test -e /home/go; do sleep 0.1; done; exec sleep 600' >/dev/null 2>&1 & echo $!");
    let runs = |program: &str| {
        let is = format!("grep -qx {program} /proc/{said}/comm");
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !world.sh_of(&is).0 && std::time::Instant::now() < deadline {}
        assert!(world.sh_of(&is).0, "it does not run {program}");
    };
    runs("sh");
    let pid: u32 = said.parse().unwrap();
    let plan = world.try_plan(KILL, json!({"pid": pid})).await.unwrap();
    world.sh("touch /home/go");
    runs("sleep");
    let action = world.carry_out(plan).await;
    assert_eq!(action.state, ActionState::Aborted, "{:?}", action.detail);
    assert!(world.lives(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_starts_it_again_is_shown() {
    let Some(world) = World::rooted().await else { return };
    world.sh("cp /bin/sleep /home/again; printf 'while true; do /home/again 600; done' > /home/loop; setsid sh /home/loop >/dev/null 2>&1 &");
    let find = "pgrep -x again";
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !world.sh_of(find).0 && std::time::Instant::now() < deadline {}
    let pid: u32 = world.sh(find).parse().unwrap();
    let action = world.act(KILL, json!({"pid": pid})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    let after = world.action(&action).await;
    let last = after.proofs.last().unwrap();
    assert!(last.detail.contains("runs the same program, started by sh"), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn process_1_we_and_whatever_listens_for_ssh_are_never_killed() {
    let Some(world) = World::rooted().await else { return };
    assert_eq!(world.denied(KILL, json!({"pid": 1})).await, ["first_process"]);
    world.sh("cp /bin/sleep /home/postgres; setsid /home/postgres 600 >/dev/null 2>&1 & true");
    let pid: u32 = world.sh("pgrep -x postgres").parse().unwrap();
    assert_eq!(world.denied(KILL, json!({"pid": pid})).await, ["database"]);
    let local = World::new("local");
    local.linux.use_hand(crate::support::exe());
    assert!(local.denied(KILL, json!({"pid": std::process::id()})).await.contains(&"own_process".to_owned()));
    let parent = std::os::unix::process::parent_id();
    let codes = local.denied(KILL, json!({"pid": parent})).await;
    assert!(codes.contains(&"own_process".to_owned()) || codes.contains(&"first_process".to_owned()), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_not_protected_by_the_name_that_it_gives_itself() {
    let Some(world) = World::rooted().await else { return };
    world.sh("mkdir /home/m; cp /bin/sleep /home/m/postgres; cp /bin/sleep /home/m/auditd; chown -R 4321 /home/m; setsid /home/m/postgres 600 >/dev/null 2>&1 & setsid setpriv --reuid 4321 --clear-groups /home/m/auditd 600 >/dev/null 2>&1 & true");
    // `sleep` would take the name of its file again: this one keeps the name that it gave itself.
    let renamed = "setsid sh -c 'printf mongod > /proc/$$/comm; while :; do sleep 600; done' >/dev/null 2>&1 & echo $!";
    let renamed: u32 = world.sh(renamed).parse().unwrap();
    let named = |name: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !world.sh_of(&format!("pgrep -x {name}")).0 && std::time::Instant::now() < deadline {}
        world.sh(&format!("pgrep -x {name}")).parse::<u32>().unwrap()
    };
    assert_eq!(named("mongod"), renamed);
    for pid in [named("postgres"), named("auditd"), renamed] {
        assert!(world.denied(KILL, json!({"pid": pid})).await.is_empty(), "{pid}");
        world.clock.advance(std::time::Duration::from_secs(3_700));
    }
    let action = world.act(KILL, json!({"pid": renamed})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(!world.lives(renamed));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_simulated_host_the_same_rules_hold() {
    let world = World::new("sim/test");
    assert_eq!(world.denied(KILL, json!({"pid": 1})).await, ["first_process"]);
    assert_eq!(world.denied(KILL, json!({"pid": 300})).await, ["ssh_listener"]);
    let action = world.act(KILL, json!({"pid": 500})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(world.simulated()["processes"].get("500").is_none());
    for bad in [
        json!({"pid": 0}),
        json!({"pid": -1}),
        json!({"pid": "1; reboot"}),
        json!({"pid": 9_999_999}),
        json!({"pid": 1, "x": 1}),
    ] {
        assert!(world.try_plan(KILL, bad.clone()).await.is_err(), "{bad}");
    }
}
