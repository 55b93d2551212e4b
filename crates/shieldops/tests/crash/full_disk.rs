//! A disk that is full: posts are refused with a clear code, nothing acknowledged is lost, and space given back is enough.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::machine::{Machine, PATIENCE, ballast, within_time};

/// A small file system of its own, unmounted with this value.
struct Small {
    dir: tempfile::TempDir,
}

impl Small {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "shieldops-test"])
            .arg(dir.path())
            .output()
            .ok()?;
        mounted.status.success().then_some(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

/// Bytes in use on the file system of `path`.
fn used(path: &Path) -> u64 {
    let disk = rustix::fs::statvfs(path).unwrap();
    (disk.f_blocks - disk.f_bfree) * disk.f_frsize
}

/// Leaves only the reserve free: the ledger is written, and how a post is answered is returned.
fn with_the_reserve_left(
    small: &Small,
    machine: &Machine,
    person: &str,
    post: &mut impl FnMut(&Machine, &str) -> (u16, Value),
) -> Value {
    fs::remove_file(small.ballast()).unwrap();
    ballast(&small.ballast(), (48 << 20) - used(small.path()) - (4 << 20));
    let (_, answer) = post(machine, "reserve");
    let reason = r#"{"reason": "the disk is full"}"#;
    let halted = machine.client.send("POST", "/api/v1/automation/halt", person, "application/json", reason);
    assert_eq!(halted.map(|answer| answer.0), Some(200), "the reserve is for the ledger");
    answer
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_is_left_behind_when_there_is_space_again() {
    let Some(small) = Small::mount("48m") else {
        eprintln!("SKIPPED: a small file system cannot be mounted here (this needs root)");
        return;
    };
    let mut machine = Machine::at(&small.path().join("data"));
    let (ingest, person) = (machine.token("ingest", None), machine.token("personal", None));
    machine.start(&[]).unwrap();
    let (mut known, mut refused) = (Vec::new(), Vec::new());
    let mut number = 0;
    let mut post = |machine: &Machine, name: &str| {
        number += 1;
        let mark = format!("{name}-{number}");
        // The second line is refused and kept as a dead letter, for which there may be no space either.
        let body = format!("{mark} {}\n{{\"broken\": it is\n", "x".repeat(200_000));
        let (status, answer) =
            machine.client.send("POST", "/api/v1/events?source=sshd", &ingest, "text/plain", &body).expect("an answer");
        if status == 200 { &mut known } else { &mut refused }.push(mark);
        (status, answer)
    };
    for _ in 0..5 {
        assert_eq!(post(&machine, "before").0, 200);
    }
    // All of what is free.
    ballast(&small.ballast(), 48 << 20);
    let answer = (0..200)
        .map(|_| post(&machine, "during"))
        .find(|(status, _)| *status != 200)
        .expect("a full disk takes no events");
    assert_eq!((answer.0, &answer.1["code"]), (507, &serde_json::json!("no_space")), "{}", answer.1);
    for _ in 0..5 {
        let (status, answer) = post(&machine, "full");
        assert!(status == 200 || answer["code"] == "no_space", "{answer}");
    }
    let answer = with_the_reserve_left(&small, &machine, &person, &mut post);
    assert_eq!(answer["code"], "no_space", "events take the reserve of the ledger");
    ballast(&small.ballast(), 48 << 20);
    assert_eq!(
        machine.client.send("GET", "/healthz", "", "text/plain", "").map(|answer| answer.0),
        Some(200),
        "it lives"
    );
    machine.client.get("/api/v1/alerts", &person);

    // Killed while full, it comes back, and has all that it acknowledged.
    machine.kill();
    machine.verify();
    fs::remove_file(small.ballast()).unwrap();
    machine.start(&[]).unwrap();
    ballast(&small.ballast(), 48 << 20);
    while post(&machine, "again").0 == 200 {}
    fs::remove_file(small.ballast()).unwrap();
    let back = within_time(PATIENCE, || (post(&machine, "after").0 == 200).then_some(()));
    assert!(back.is_some(), "there is space again and events are still refused");
    let idle = within_time(PATIENCE, || {
        (machine.client.get("/api/v1/ingest/stats", &person)["lag_events"] == 0).then_some(())
    });
    assert!(idle.is_some(), "there is space again and nothing is processed: {}", machine.said());
    let events = machine.client.all("/api/v1/events", &person);
    let marks: Vec<&str> = events.iter().filter_map(|event| event["raw"].as_str()?.split(' ').next()).collect();
    let stored: BTreeSet<&str> = marks.iter().copied().collect();
    let lost: Vec<_> = known.iter().filter(|mark| !stored.contains(mark.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    assert_eq!(marks.len(), stored.len(), "stored twice");
    let kept: Vec<_> = refused.iter().filter(|mark| stored.contains(mark.as_str())).collect();
    assert!(kept.is_empty(), "refused and stored all the same, so that it comes again: {kept:?}");
    let stages = machine.client.all("/api/v1/dead-letters", &person);
    assert!(stages.iter().all(|letter| letter["stage"] == "intake"), "an event was given up because the disk was full");
    let (status, _) = machine.terminate();
    assert!(status.is_some_and(|status| status.success()), "{}", machine.said());
    machine.verify();
}
