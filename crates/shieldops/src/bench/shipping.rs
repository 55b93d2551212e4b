//! Events on their way to a server: requests of 1,000 lines, as fast as they are acknowledged or each at its time.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    figures::milliseconds,
    server::{Server, pause},
};
use crate::{client::Client, output::Failure};

pub(super) const EVENTS_A_REQUEST: u32 = 1_000;
pub(super) const CONNECTIONS: u32 = 4;
/// Memory for requests that are made beforehand.
const MAX_BODIES: usize = 200;

/// The bodies of requests, sent one after the other and then again.
pub(super) struct Shipment {
    bodies: Vec<String>,
}

impl Shipment {
    /// Of the lines of a file, or of flat events of about 330 bytes like those of the `lean` stream.
    pub(super) fn new(file: Option<&Path>) -> Result<Self, Failure> {
        let per = usize::try_from(EVENTS_A_REQUEST).unwrap_or(1);
        let Some(file) = file else {
            let bodies =
                (0..20).map(|body| (0..EVENTS_A_REQUEST).map(|line| lean(body * EVENTS_A_REQUEST + line)).collect());
            return Ok(Self { bodies: bodies.collect() });
        };
        let text =
            fs::read_to_string(file).map_err(|error| Failure::unusable(format!("{}: {error}", file.display())))?;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let bodies: Vec<String> = lines.chunks_exact(per).take(MAX_BODIES).map(<[&str]>::concat).collect();
        if bodies.is_empty() {
            return Err(Failure::unusable(format!("{} holds fewer than {per} lines", file.display())));
        }
        Ok(Self { bodies })
    }

    fn body(&self, number: u32) -> String {
        let at = usize::try_from(number).unwrap_or(0) % self.bodies.len();
        self.bodies.get(at).cloned().unwrap_or_default()
    }

    pub(super) fn bytes_an_event(&self) -> usize {
        let all: usize = self.bodies.iter().map(String::len).sum();
        all / self.bodies.len() / usize::try_from(EVENTS_A_REQUEST).unwrap_or(1)
    }
}

/// What was sent and acknowledged.
#[derive(Debug, Default)]
pub(super) struct Shipped {
    pub(super) requests: u32,
    /// How often the server said to wait.
    pub(super) waits: u32,
    /// From when each was due, or sent where none was, to its acknowledgement.
    pub(super) times_ms: Vec<f64>,
    pub(super) took: Duration,
}

impl Shipped {
    pub(super) fn events(&self) -> f64 {
        f64::from(self.requests) * f64::from(EVENTS_A_REQUEST)
    }

    pub(super) fn events_per_s(&self) -> f64 {
        self.events() / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// Sends until `stop` or for `time`: so many requests a second, or as fast as the answers come.
pub(super) fn ship(
    server: &Server,
    token: &str,
    shipment: &Shipment,
    per_s: Option<f64>,
    time: Duration,
    stop: &AtomicBool,
) -> Result<Shipped, Failure> {
    let (next, all) = (AtomicU32::new(0), Mutex::new(Shipped::default()));
    let began = Instant::now();
    let work = || -> Result<(), Failure> {
        let (client, mut own) = (server.client(token)?, Shipped::default());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due =
                per_s.map_or_else(Instant::now, |per_s| began + Duration::from_secs_f64(f64::from(number) / per_s));
            while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                pause(left.min(Duration::from_millis(200)));
            }
            if stop.load(Ordering::Relaxed) || began.elapsed() >= time {
                break;
            }
            send(&client, shipment.body(number), &mut own.waits)?;
            own.requests += 1;
            own.times_ms.push(milliseconds(due.elapsed()));
        }
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.requests += own.requests;
        all.waits += own.waits;
        all.times_ms.extend(own.times_ms);
        Ok(())
    };
    let outcome = thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let failed = |_| Err(Failure::unusable("a connection failed"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(failed)).collect::<Result<Vec<()>, _>>()
    });
    outcome?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.took = began.elapsed();
    Ok(all)
}

/// Sends until it is acknowledged.
fn send(client: &Client, body: String, waits: &mut u32) -> Result<(), Failure> {
    loop {
        match client.post_text("/api/v1/events", "application/x-ndjson", body.clone()) {
            Ok(answer) if answer["accepted"] == EVENTS_A_REQUEST => return Ok(()),
            Ok(answer) => return Err(Failure::unusable("events were refused").why(answer.to_string())),
            Err(failure) if failure.what.contains("(429 ") => {
                *waits += 1;
                pause(Duration::from_millis(100));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits until every event has been through detection.
pub(super) fn drained(person: &Client, patience: Duration) -> Result<Duration, Failure> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if person.get("/api/v1/ingest/stats")?["lag_events"] == 0 {
            return Ok(began.elapsed());
        }
        pause(Duration::from_millis(10));
    }
    Err(Failure::unusable(format!("events still wait for detection after {} s", patience.as_secs())))
}

/// One flat event of a Linux host, a web server or a resolver.
fn lean(number: u32) -> String {
    let (host, address, port) = (number % 34, number % 250 + 1, 1_024 + number % 60_000);
    let time = format!("2026-11-21T10:{:02}:{:02}.{:03}Z", number / 60 % 60, number % 60, number % 1_000);
    let event = match number % 4 {
        0 => json!({
            "time": time, "host": format!("db-{host:02}"), "type": "SYSCALL", "arch": "c000003e", "syscall": "59",
            "success": "yes", "exit": "0", "a0": format!("{:x}", number.wrapping_mul(2_654_435_761)), "items": 2,
            "ppid": port, "pid": number, "auid": 1000, "uid": 33, "euid": 33, "tty": "(none)", "ses": 7,
            "comm": "tar", "exe": "/usr/bin/tar", "key": "exec",
        }),
        1 => json!({
            "time": time, "host": format!("web-{host:02}"), "User": "deploy", "ProcessId": port, "Image": "/usr/bin/git",
            "CommandLine": "git pull --ff-only", "CurrentDirectory": "/srv/app", "ParentProcessId": number,
            "ParentImage": "/usr/bin/bash", "ParentCommandLine": "-bash",
        }),
        2 => json!({
            "time": time, "host": format!("web-{host:02}"), "c-ip": format!("203.0.113.{address}"), "cs-method": "GET",
            "cs-host": "api.example.com", "cs-uri-stem": "/api/v1/orders", "cs-uri-query": format!("/api/v1/orders?page={address}"),
            "sc-status": 200, "sc-bytes": port, "time-taken": address, "cs-referer": "-", "cs-user-agent": "okhttp/4.12.0",
        }),
        _ => json!({
            "time": time, "src_ip": format!("10.1.2.{address}"), "src_port": port, "query": format!("n{number}.cdn.example.net"),
            "record_type": "AAAA", "rcode": "NOERROR", "answer": format!("198.51.100.{address}"), "ttl": address, "proto": "udp",
        }),
    };
    format!("{event}\n")
}

/// What the file system gives: small writes that are durable, a second.
pub(super) fn fsyncs_per_s(folder: &Path) -> anyhow::Result<f64> {
    use std::os::unix::fs::FileExt as _;
    let path = folder.join("fsync");
    let file = fs::File::create(&path)?;
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(2) {
        file.write_all_at(&[0x5a; 4_096], u64::from(done) * 4_096)?;
        file.sync_data()?;
        done += 1;
    }
    let rate = f64::from(done) / began.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// What is common to every figure of a load.
pub(super) fn figures(shipped: &Shipped, shipment: &Shipment) -> Value {
    json!({
        "acknowledged_events_per_s": super::figures::round(shipped.events_per_s()),
        "events": shipped.events(),
        "bytes_an_event": shipment.bytes_an_event(),
        "events_a_request": EVENTS_A_REQUEST,
        "connections": CONNECTIONS,
        "told_to_wait": shipped.waits,
        "acknowledged": super::figures::summary(&shipped.times_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_sent_is_a_flat_event_of_that_size() {
        let shipment = Shipment::new(None).unwrap();
        assert!((200..400).contains(&shipment.bytes_an_event()), "{}", shipment.bytes_an_event());
        let body = shipment.body(21);
        assert_eq!(body.lines().count(), 1_000);
        assert!(body.lines().all(|line| serde_json::from_str::<Value>(line).unwrap().is_object()));
    }
}
