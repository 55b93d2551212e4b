//! What people and attackers write is not in clear anywhere in the data directory.

use std::path::Path;

use shieldops_model::{Clock as _, PrivateKey, Ssh, Target, id};
use shieldops_store::{StoreError, alerts, dead_letters, facts, incidents, ledger, notes, targets};

use crate::support::{alert, incident, note, target, world};

const MARKER: &str = "MARKER-7f3a9c";

#[tokio::test]
async fn planted_texts_are_absent_from_every_file() {
    let Some(world) = world().await else { return };
    let incident = incident();
    let mut alert = alert(1);
    alert.verdict_reason = Some(format!("{MARKER} reason"));
    let letter = dead_letters::DeadLetter {
        id: id::mint(world.clock.now(), &mut rand::rng()),
        at: world.clock.now(),
        source: "test".into(),
        stage: "intake".into(),
        code: "bad".into(),
        detail: format!("{MARKER} detail"),
        sample: format!("{MARKER} sample"),
        size: 1,
        event_id: None,
    };
    let halt = facts::Automation { halted: true, by: None, at: None, reason: Some(format!("{MARKER} halt")) };
    let mut tx = world.scope().begin().await.unwrap();
    incidents::insert(&mut tx, &incident, incident.created_at, None).await.unwrap();
    notes::insert(&mut tx, incident.id, &note(&format!("{MARKER} note"))).await.unwrap();
    alerts::insert(&mut tx, &alert).await.unwrap();
    dead_letters::insert(&mut tx, &[letter], dead_letters::Keep::default()).await.unwrap();
    facts::set_automation(&mut tx, &halt).await.unwrap();
    tx.record("note.added", &[&incident.id], serde_json::json!({"text": format!("{MARKER} payload")})).unwrap();
    tx.commit(world.clock.now()).await.unwrap();

    // Running: the WAL holds it all. Stopped: the database does.
    assert_eq!(with_marker(world.dir.path()), Vec::<String>::new());
    let entries = ledger::of_subject(&mut world.scope().read().await.unwrap(), &incident.id.to_string()).await.unwrap();
    assert!(entries[0].payload.to_string().contains(MARKER), "a reader with the key sees it");
    let stopped = world.stop().await;
    assert_eq!(with_marker(stopped.dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_target_s_private_key_is_read_back_and_is_in_no_entry_and_no_file() {
    let Some(world) = world().await else { return };
    let ssh = Ssh {
        address: "192.0.2.9".to_owned(),
        port: 22,
        user: "root".to_owned(),
        host_key: "ssh-ed25519 AAAA".to_owned(),
        key_fingerprint: "SHA256:x".to_owned(),
        private_key: PrivateKey::new(format!("{MARKER} key")),
    };
    let mut row = Target { ssh: Some(Box::new(ssh)), ..target("ssh/web-1") };
    let mut tx = world.scope().begin().await.unwrap();
    targets::insert(&mut tx, &row).await.unwrap();
    targets::update(&mut tx, &mut row).await.unwrap();
    tx.record("target.created", &[&row.id], &row).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    let read = targets::get(&mut reader, row.id).await.unwrap();
    assert_eq!((&read, read.ssh.as_ref().unwrap().private_key.expose()), (&row, format!("{MARKER} key").as_str()));
    let entries = ledger::of_subject(&mut reader, &row.id.to_string()).await.unwrap();
    assert!(!entries[0].payload.to_string().contains(MARKER), "{}", entries[0].payload);
    drop(reader);
    let stopped = world.stop().await;
    assert_eq!(with_marker(stopped.dir.path()), Vec::<String>::new());
}

fn with_marker(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut files = 0;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    assert!(files > 5, "the directory was walked");
    found
}

#[tokio::test]
async fn a_damaged_target_is_left_out_by_work_that_must_go_on_and_refuses_all_else() {
    let Some(world) = world().await else { return };
    let (one, two) = (target("sim/one"), target("sim/two"));
    let mut tx = world.scope().begin().await.unwrap();
    for target in [&one, &two] {
        targets::insert(&mut tx, target).await.unwrap();
        tx.record("target.created", &[&target.id], ()).unwrap();
    }
    tx.commit(world.clock.now()).await.unwrap();
    assert_eq!(world.sql("UPDATE targets SET body=X'00' WHERE name='sim/one'").await, 1);
    let mut reader = world.scope().read().await.unwrap();
    let left: Vec<_> = targets::whole(&mut reader).await.unwrap().iter().map(|target| target.id).collect();
    assert_eq!(left, [two.id]);
    assert!(matches!(targets::all(&mut reader).await, Err(StoreError::Damaged { .. })));
}
