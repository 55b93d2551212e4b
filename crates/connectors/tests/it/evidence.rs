//! Evidence: what is kept is what was there, what is missing says so, and nothing is reached through a link.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shieldops_model::{Action, ActionState};
use shieldops_respond::Journal as _;

use crate::{live::ruleset, support::World};

const COLLECT: &str = "linux.collect_evidence";

/// Planned and run; reading needs no approval.
async fn collected(world: &World, params: Value) -> Action {
    let mut request = world.request(params);
    COLLECT.clone_into(&mut request.actions[0].capability);
    let plan = world.engine.propose(request).await.unwrap();
    assert_eq!(plan.decision.approvals_needed, 0, "{:?}", plan.decision);
    world.engine.execute(plan.id, &crate::support::person(1)).await.unwrap();
    world.engine.wait(plan.id, std::time::Duration::from_mins(2)).await.unwrap().actions.remove(0)
}

fn kept(world: &World, name: &str) -> Option<(Vec<u8>, Option<String>)> {
    let all = world.journal.collected();
    all.into_iter().find(|(_, item)| item.name == name).map(|(_, item)| (item.bytes, item.note))
}

fn paths(folder: &Path, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| folder.join(name).to_string_lossy().into_owned()).collect()
}

/// This very host is only read here.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_with_their_hash_in_the_ledger_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = fs::canonicalize(folder.path()).unwrap();
    fs::write(at.join("plain"), b"shieldops-end\nbytes\0\n").unwrap();
    fs::write(at.join("large"), vec![7_u8; 5000]).unwrap();
    fs::write(at.join("a b'; id; \"ü"), b"odd").unwrap();
    fs::create_dir(at.join("real")).unwrap();
    fs::write(at.join("real/secret"), b"secret").unwrap();
    symlink(at.join("real/secret"), at.join("link")).unwrap();
    symlink(at.join("real"), at.join("way")).unwrap();
    let files = paths(&at, &["plain", "large", "a b'; id; \"ü", "link", "way/secret", "real", "gone"]);
    let world = World::new("local");
    let action = collected(&world, json!({"files": files, "max_file_bytes": 1000})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);

    assert_eq!(kept(&world, &files[0]).unwrap(), (b"shieldops-end\nbytes\0\n".to_vec(), None));
    assert_eq!(kept(&world, &files[1]).unwrap(), (vec![7_u8; 1000], Some("cut at 1000 of 5000 bytes".to_owned())));
    assert_eq!(kept(&world, &files[2]).unwrap().0, b"odd");
    for path in &files[3..] {
        assert_eq!(kept(&world, path), None, "{path}");
    }
    let (processes, _) = kept(&world, "processes").unwrap();
    assert!(String::from_utf8_lossy(&processes).lines().count() > 2);
    let list: Vec<Value> = serde_json::from_slice(&kept(&world, "files").unwrap().0).unwrap();
    let of = |path: &str| list.iter().find(|file| file["path"] == path).unwrap();
    assert_eq!(of(&files[1])["file"]["sha256"], hex::encode(Sha256::digest(vec![7_u8; 5000])));
    assert!(of(&files[4])["note"].as_str().unwrap().contains("symbolic link"), "{:?}", of(&files[4]));

    let entries = world.journal.entries();
    let hashes: Vec<_> = entries.iter().filter(|entry| entry.kind == "evidence.collected").collect();
    assert_eq!(hashes.len(), 6, "three files, processes, sockets and the list");
    let plain = hashes.iter().find(|entry| entry.payload["name"] == files[0]).unwrap();
    assert_eq!(plain.payload["sha256"], hex::encode(Sha256::digest(b"shieldops-end\nbytes\0\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_are_no_files_of_a_disk_are_refused() {
    let world = World::new("sim/test");
    for path in ["etc/passwd", "/etc/../etc/passwd", "/proc/kmsg", "/dev/sda", "/sys/kernel/x", "/a\nb", "/"] {
        let mut request = world.request(json!({"files": [path]}));
        COLLECT.clone_into(&mut request.actions[0].capability);
        assert!(world.engine.propose(request).await.is_err(), "{path:?}");
    }
    let many: Vec<String> = (0..33).map(|number| format!("/etc/{number}")).collect();
    let nothing = json!({"processes": false, "sockets": false});
    for params in
        [json!({"files": many}), json!({"max_file_bytes": 0}), json!({"max_file_bytes": 1_u64 << 40}), nothing]
    {
        let mut request = world.request(params.clone());
        COLLECT.clone_into(&mut request.actions[0].capability);
        assert!(world.engine.propose(request).await.is_err(), "{params}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_twin_shows_its_sockets_and_is_left_as_it_was() {
    let Some(world) = World::live().await else { return };
    let before = ruleset(&world);
    let action = collected(&world, json!({"processes": false})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    let (sockets, note) = kept(&world, "sockets").unwrap();
    assert!(String::from_utf8_lossy(&sockets).contains(":8022"), "the victim listens there");
    assert_eq!((note, ruleset(&world)), (None, before));
    let mut request = world.request(json!({"files": ["/etc/passwd"]}));
    COLLECT.clone_into(&mut request.actions[0].capability);
    let error = world.engine.propose(request).await.unwrap_err().to_string();
    assert!(error.contains("a network only"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_whose_reading_was_lost_in_the_middle_is_read_again_and_never_said_to_be_there() {
    for (point, before) in [("after_intent", 0), ("before_collected", 0), ("after_collected", 1)] {
        reading_is_lost_at(point, before).await;
    }
}

/// How many pieces are kept when the process is lost.
async fn reading_is_lost_at(point: &str, before: usize) {
    let mut world = World::new("sim/test");
    world.restart(shieldops_respond::CrashPoints::give_up_at(point));
    let mut request = world.request(serde_json::json!({}));
    COLLECT.clone_into(&mut request.actions[0].capability);
    request.actions[0].params = serde_json::json!({"sockets": true});
    let plan = world.engine.propose(request).await.unwrap();
    if plan.decision.approvals_needed == 0 {
        world.engine.execute(plan.id, &crate::support::person(1)).await.unwrap();
    } else {
        world.engine.approve(plan.id, &plan.hash, &crate::support::person(1)).await.unwrap();
    }
    world.idle().await;
    let lost = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((world.journal.collected().len(), lost.actions[0].state), (before, ActionState::Running), "{point}");
    world.restart(shieldops_respond::CrashPoints::none());
    world.engine.recover().await.unwrap();
    let done = world.engine.wait(plan.id, std::time::Duration::from_mins(2)).await.unwrap();
    assert_eq!(done.actions[0].state, ActionState::Verified, "{point}: {:?}", done.actions[0].detail);
    // What was read before is kept as well: each piece is told of with its own hash.
    let told = world.journal.entries().iter().filter(|entry| entry.kind == "evidence.collected").count();
    assert_eq!((world.journal.collected().len() > before, told), (true, world.journal.collected().len()), "{point}");
}
