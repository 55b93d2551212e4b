//! Quarantine: what a person may rely on is what the file system says.

use serde_json::json;
use shieldops_model::ActionState;

use crate::{
    hosts::Shown as _,
    support::{World, target},
};

const QUARANTINE: &str = "linux.quarantine_file";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_gone_unreadable_for_others_and_comes_back_as_it_was() {
    let Some(world) = World::rooted().await else { return };
    world.sh("mkdir -p /home/a; echo bad > /home/a/x; chown 1234:77 /home/a/x; chmod 4711 /home/a/x; touch -d @1600000000 /home/a/x");
    let stat = "stat -c '%i %a %u %g %s %Y' /home/a/x";
    let before = world.sh(stat);
    let action = world.act(QUARANTINE, json!({"path": "/home/a/x"})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(!world.sh_of("ls /home/a/x").0);
    assert_eq!(world.sh("stat -c '%a %u' /home/.shieldops-vault"), "700 0");
    let looked = "setpriv --reuid 1234 --regid 77 --clear-groups ls /home/.shieldops-vault";
    assert!(!world.sh_of(looked).0, "its owner can still reach it");
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert_eq!(world.sh(stat), before);
    assert!(!world.sh_of("ls -d /home/.shieldops-vault").0, "residue");
}

/// As by a process that was lost between the two steps of the way back.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_back_while_its_note_is_not_gone_is_undone_without_a_trace() {
    let Some(world) = World::rooted().await else { return };
    world.sh("mkdir -p /home/a; echo bad > /home/a/x");
    let action = world.act(QUARANTINE, json!({"path": "/home/a/x"})).await;
    world.sh(&format!("mv /home/.shieldops-vault/{} /home/a/x", action.id));
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert_eq!(world.sh("cat /home/a/x"), "bad");
    assert!(!world.sh_of("ls -d /home/.shieldops-vault").0, "residue");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_occupied_is_never_overwritten() {
    let Some(world) = World::rooted().await else { return };
    world.sh("echo bad > /home/x");
    let action = world.act(QUARANTINE, json!({"path": "/home/x"})).await;
    world.sh("echo precious > /home/x");
    world.engine.reobserve().await.unwrap();
    assert_eq!(world.action(&action).await.state, ActionState::Drifted);
    let after = world.undo(&action).await.unwrap();
    assert_ne!(after.state, ActionState::Undone, "{:?}", after.detail);
    assert_eq!(world.sh("cat /home/x"), "precious");
    assert_eq!(world.denied(QUARANTINE, json!({"path": "/home/x"})).await, ["vault_occupied"]);
    world.sh("rm /home/x");
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert_eq!(world.sh("cat /home/x"), "bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_and_come_back_is_refused_with_the_reason() {
    let Some(world) = World::rooted().await else { return };
    world.sh("cd /home; echo a > two; ln two names; mkfifo pipe; mkdir folder; echo b > under; echo c > over; mount --bind under over; ln -s /etc/passwd link; ln -s /home way; echo d > fixed; chattr +i fixed || touch no-chattr");
    for (path, code) in [
        ("/home/two", "hard_links"),
        ("/home/pipe", "not_a_file"),
        ("/home/folder", "not_a_file"),
        ("/home/link", "not_a_file"),
        ("/home/over", "mounted"),
        ("/etc/passwd", "essential_file"),
        ("/usr/lib/systemd/x", ""),
    ] {
        let codes = world.denied(QUARANTINE, json!({"path": path})).await;
        assert_eq!(codes.first().map(String::as_str).unwrap_or_default(), code, "{path}");
    }
    if world.sh_of("ls /home/no-chattr").0 {
        eprintln!("SKIPPED: no immutable files in memory here");
    } else {
        assert_eq!(world.denied(QUARANTINE, json!({"path": "/home/fixed"})).await, ["immutable"]);
        world.sh("chattr -i /home/fixed");
    }
    let error = world.try_plan(QUARANTINE, json!({"path": "/home/way/two"})).await.unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    let error = world.try_plan(QUARANTINE, json!({"path": "/home/../etc/passwd"})).await.unwrap_err();
    assert!(error.to_string().contains("`..`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_or_link_that_was_slipped_in_after_the_plan_is_left_alone() {
    let Some(world) = World::rooted().await else { return };
    world.sh("mkdir /home/d; echo bad > /home/d/x; echo precious > /etc/precious");
    for (n, swap) in [
        "rm /home/d/x; ln -s /etc/precious /home/d/x",
        "rm /home/d/x; echo other > /home/d/x",
        "mv /home/d /home/e; ln -s /etc /home/d; mv /etc/precious /etc/x",
    ]
    .into_iter()
    .enumerate()
    {
        world.clock.advance(std::time::Duration::from_secs(3_700 * u64::try_from(n).unwrap()));
        world.sh(
            "test -e /home/d/x || echo bad > /home/d/x; test ! -L /home/d/x || { rm /home/d/x; echo bad > /home/d/x; }",
        );
        let plan = world.try_plan(QUARANTINE, json!({"path": "/home/d/x"})).await.unwrap();
        world.sh(swap);
        let action = world.carry_out(plan).await;
        assert!(
            matches!(action.state, ActionState::Aborted | ActionState::Planned | ActionState::Skipped),
            "{swap}: {action:?}"
        );
        assert!(!world.sh_of("ls -d /home/.shieldops-vault /.shieldops-vault /etc/.shieldops-vault").0, "{swap}");
    }
    assert_eq!(world.sh("cat /etc/x"), "precious");
}

/// A vault that is none of ours, at a place that anybody may write to.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_somebody_with_the_name_of_our_vault_hides_no_other() {
    let Some(mut world) = World::rooted().await else { return };
    world.sh("echo bad > /home/x; useradd -m mallory");
    let action = world.act(QUARANTINE, json!({"path": "/home/x"})).await;
    world.sh("mkdir -p /tmp; mount -t tmpfs -o mode=1777 none /tmp; echo bad > /tmp/x; mkdir /tmp/.shieldops-vault; chown mallory: /tmp/.shieldops-vault");
    let other = world.act(QUARANTINE, json!({"path": "/tmp/x"})).await;
    assert_eq!(other.state, ActionState::Verified, "{:?}", other.detail);
    assert!(world.sh("stat -c '%u %a' /tmp/.shieldops-vault-*").starts_with("0 700") && !world.sh_of("ls /tmp/x").0);
    assert_eq!(world.undo(&other).await.unwrap().state, ActionState::Undone);
    assert_eq!(
        world.sh("cat /tmp/x; cd /tmp; ls -A .shieldops-vault; ls -d .shieldops-vault*"),
        "bad\n.shieldops-vault"
    );
    let again = world.act(QUARANTINE, json!({"path": "/tmp/x"})).await;
    world.forget();
    let orphans = world.engine.orphans(target(&world.target).id).await.unwrap();
    let found: Vec<_> = orphans.iter().map(|orphan| orphan.action_id).collect();
    assert!(found.len() == 2 && found.contains(&action.id) && found.contains(&again.id), "{found:?}");
    world.sh(
        "cd /tmp; vault=$(ls -d .shieldops-vault-*); mv $vault mine; mkdir $vault; chown mallory: $vault; echo bad > x",
    );
    assert_eq!(world.denied(QUARANTINE, json!({"path": "/tmp/x"})).await, ["no_vault"]);
    world.sh("chmod 755 /home/.shieldops-vault");
    let error = world.engine.orphans(target(&world.target).id).await.unwrap_err();
    assert!(
        error.to_string().contains("only root can enter"),
        "ours may be in it, so that nothing is there is not said: {error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_file_is_shown_and_our_own_program_is_never_moved() {
    let Some(world) = World::rooted().await else { return };
    world.sh("cp /bin/sleep /home/dropper; (setsid /home/dropper 60 >/dev/null 2>&1 &) ; true");
    let plan = world.try_plan(QUARANTINE, json!({"path": "/home/dropper"})).await.unwrap();
    assert!(plan.decision.allow, "{:?}", plan.decision.denies);
    // A name that is shell, and spaces: a path is data all the way.
    world.sh("echo x > '/home/$(touch owned) `id`; rm -rf'");
    let action = world.act(QUARANTINE, json!({"path": "/home/$(touch owned) `id`; rm -rf"})).await;
    assert_eq!(action.state.to_string_for_test(), "verified", "{:?}", action.detail);
    assert!(!world.sh_of("ls /home/owned /owned").0);
    world.undo(&action).await.unwrap();
    let codes = world.denied(QUARANTINE, json!({"path": "/run/shieldops-twin/hand"})).await;
    assert!(codes.contains(&"first_process".to_owned()) && codes.contains(&"mounted".to_owned()), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_which_nothing_starts_again_is_never_moved() {
    let Some(world) = World::rooted().await else { return };
    let real = |program: &str| world.sh(&format!("readlink -f $(command -v {program})"));
    let libraries = world.sh("ldd $(readlink -f $(command -v setpriv)) | grep -o '/[^ ]*' | xargs -n1 readlink -f");
    assert!(libraries.contains("libc.so") || libraries.contains("ld-"), "{libraries}");
    for path in libraries.lines().map(str::to_owned).chain([real("setpriv"), real("nft"), real("sh")]) {
        let codes = world.denied(QUARANTINE, json!({"path": path})).await;
        assert!(
            codes.contains(&"essential_file".to_owned()) || codes.contains(&"needed_to_run".to_owned()),
            "{path}: {codes:?}"
        );
    }
    // A library that nothing of that needs is a file like any other, wherever it lies.
    world.sh("cp $(readlink -f /lib/*/libc.so.6) /usr/lib/evil.so.1 2>/dev/null || echo x > /usr/lib/evil.so.1");
    assert!(world.denied(QUARANTINE, json!({"path": "/usr/lib/evil.so.1"})).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_vault_that_no_action_owns_is_an_orphan_that_can_be_undone() {
    let Some(mut world) = World::rooted().await else { return };
    world.sh("echo bad > /home/x");
    world.act(QUARANTINE, json!({"path": "/home/x"})).await;
    world.forget();
    let row = crate::support::target("twin/test").id;
    let orphans = world.engine.orphans(row).await.unwrap();
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    assert_eq!(orphans[0].key, "/home/x");
}
