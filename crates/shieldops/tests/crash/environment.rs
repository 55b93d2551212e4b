//! Bad surroundings: a clear word, an exit code, and nothing damaged. A stop that is asked for loses nothing.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rand::RngExt as _;

use crate::{
    machine::{Machine, PATIENCE, pause, within_time},
    tally::{Tally, rng},
};

/// What a drain may take, and a second for a busy machine.
const DRAIN: Duration = Duration::from_secs(11);

fn refused(machine: &mut Machine, args: &[&str], words: &[&str]) {
    let ended = machine.start_with(args, &[]).expect_err("it came up");
    assert!(ended.status.code().is_some_and(|code| code != 0), "{ended:?}");
    for word in words {
        assert!(ended.said.contains(word), "`{word}` is not in: {}", ended.said);
    }
    assert!(!ended.said.contains("panicked"), "{}", ended.said);
}

#[test]
fn a_busy_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut machine = Machine::new();
    refused(&mut machine, &["--listen", &address], &[&address, "--listen"]);
    machine.start(&[]).expect("nothing was left behind that hinders a start");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("data");
    refused(&mut Machine::at(&inside), &[], &[inside.to_str().unwrap(), "writable"]);
    let nowhere = std::path::Path::new("/proc/shieldops");
    refused(&mut Machine::at(nowhere), &[], &["/proc/shieldops", "writable"]);
}

#[test]
fn a_second_server_on_a_directory_is_refused_and_the_first_goes_on() {
    let mut first = Machine::new();
    let person = first.token("personal", None);
    first.start(&[]).unwrap();
    let mut second = first.twin();
    refused(&mut second, &[], &[first.data().to_str().unwrap(), "in use"]);
    assert_eq!(first.client.get("/api/v1/ingest/stats", &person)["lag_events"], 0);
}

#[test]
fn newer_data_is_refused_and_left_alone() {
    let mut machine = Machine::new();
    machine.start(&[]).unwrap();
    assert!(machine.terminate().0.is_some_and(|status| status.success()));
    let (format, database) = (machine.data().join("FORMAT"), machine.data().join("state.db"));
    let (known, before) = (fs::read(&format).unwrap(), fs::read(&database).unwrap());
    fs::write(&format, "99\n").unwrap();
    let data = machine.data().to_owned();
    refused(&mut machine, &[], &[data.to_str().unwrap(), "newer", "99"]);
    assert!(fs::read(&database).unwrap() == before, "the database was touched");
    fs::write(&format, known).unwrap();
    machine.start(&[]).unwrap();
}

#[test]
fn the_demonstration_does_not_move_in_with_real_data() {
    let mut machine = Machine::new();
    machine.start(&[]).unwrap();
    machine.kill();
    let data = machine.data().to_owned();
    refused(&mut machine, &["--demo"], &["--demo", data.to_str().unwrap()]);
    machine.start(&[]).unwrap();
}

#[test]
fn a_first_start_that_is_killed_at_any_moment_leaves_a_directory_that_starts() {
    let (mut tally, mut random) = (Tally::new("first start"), rng());
    for round in 0..12 {
        let mut machine = Machine::new();
        machine.spawn(&[], &[]);
        pause(Duration::from_millis(random.random_range(5..400)));
        machine.kill();
        if let Err(ended) = machine.start(&[]) {
            tally.lost(format!("round {round}: it starts no more: {ended:?}"));
            continue;
        }
        let person = machine.token("personal", None);
        machine.client.get("/api/v1/alerts", &person);
        machine.kill();
        machine.verify();
        tally.kills += machine.kills;
    }
    tally.close();
}

#[test]
fn sigterm_drains_in_time_while_shippers_post_and_loses_nothing() {
    let mut machine = Machine::new();
    let (ingest, person) = (machine.token("ingest", None), machine.token("personal", None));
    machine.start(&[]).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let shippers: Vec<_> = (0..3)
        .map(|number| {
            let (client, ingest, stop) = (machine.client.clone(), ingest.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let mut known = Vec::new();
                for post in 0.. {
                    let mark = format!("drain-{number}-{post}");
                    match client.send("POST", "/api/v1/events?source=sshd", &ingest, "text/plain", &mark) {
                        Some((200, _)) => known.push(mark),
                        Some((status, body)) => assert!([429, 500, 503].contains(&status), "{status} {body}"),
                        None if stop.load(Ordering::SeqCst) => break,
                        None => {}
                    }
                }
                known
            })
        })
        .collect();
    pause(Duration::from_millis(700));
    let (status, took) = machine.terminate();
    stop.store(true, Ordering::SeqCst);
    let known: Vec<String> = shippers.into_iter().flat_map(|shipper| shipper.join().unwrap()).collect();
    assert!(
        status.is_some_and(|status| status.success()) && took < DRAIN,
        "{status:?} after {took:?}: {}",
        machine.said()
    );
    assert!(known.len() > 10, "only {} posts", known.len());
    machine.verify();
    machine.start(&[]).unwrap();
    let events = machine.client.all("/api/v1/events", &person);
    let stored: BTreeSet<&str> = events.iter().map(|event| event["raw"].as_str().unwrap()).collect();
    let lost: Vec<_> = known.iter().filter(|mark| !stored.contains(mark.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    assert_eq!(stored.len(), events.len(), "stored twice");
}

#[test]
fn a_client_that_never_ends_its_request_does_not_hold_up_a_stop() {
    let mut machine = Machine::new();
    let (ingest, person) = (machine.token("ingest", None), machine.token("personal", None));
    machine.start(&[]).unwrap();
    let whole = machine.client.send("POST", "/api/v1/events?source=sshd", &ingest, "text/plain", "a whole line");
    assert_eq!(whole.map(|(status, _)| status), Some(200));
    let address = machine.client.url().trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&address).unwrap();
    write!(slow, "POST /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {ingest}\r\ncontent-length: 1000\r\n\r\nhalf a li").unwrap();
    let mut idle = TcpStream::connect(&address).unwrap();
    write!(idle, "GET /healthz HTTP/1.1\r\nho").unwrap();
    assert!(within_time(PATIENCE, || machine.client.send("GET", "/healthz", "", "text/plain", "")).is_some());
    let (status, took) = machine.terminate();
    assert!(status.is_some_and(|status| status.success()) && took < DRAIN, "{status:?} after {took:?}");
    machine.start(&[]).unwrap();
    let sealed = machine.client.all("/api/v1/ledger?kind=segment.sealed", &person);
    assert_eq!(sealed.len(), 1, "the stop sealed what was there: {sealed:?}");
    assert_eq!(machine.client.get("/api/v1/ingest/stats", &person)["segments"], 1);
}
