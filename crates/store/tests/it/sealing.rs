//! What people and attackers write is not in clear anywhere in the data directory.

use std::path::Path;

use shieldops_model::{Clock as _, id};
use shieldops_store::{alerts, dead_letters, facts, incidents, ledger, notes};

use crate::support::{alert, incident, note, world};

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
