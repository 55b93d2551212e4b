//! Durable events a second: requests of 1,000 lines over a few connections, each counted when it is acknowledged.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shieldops_model::{Clock as _, SystemClock};

use super::{
    Bench,
    figures::{percentile, round},
    server::{Folder, Server, pause},
};
use crate::{client::Client, output::Failure};

const CONNECTIONS: u32 = 4;
const EVENTS_A_REQUEST: u32 = 1_000;
const REQUESTS_A_ROUND: u32 = 200;

pub(super) fn run(bench: &Bench) -> Result<Value, Failure> {
    let folder = Folder::new(&bench.dir)?;
    let server = Server::start(folder.path(), &[])?;
    let token = server.token("ingest", None)?;
    let (waits, body) = (AtomicU32::new(0), body());
    // Not measured: connections and caches.
    send(&server.client(&token)?, &body, &waits)?;
    let mut rates = Vec::new();
    for _ in 0..bench.rounds(5) {
        rates.push(round(measure(&server, &token, &body, &waits)?));
    }
    Ok(json!({
        "bench": "ingest",
        "events_per_s": percentile(&rates, 50),
        "rounds": rates,
        "events_a_round": REQUESTS_A_ROUND * EVENTS_A_REQUEST,
        "events_a_request": EVENTS_A_REQUEST,
        "connections": CONNECTIONS,
        "bytes_an_event": body.len() / usize::try_from(EVENTS_A_REQUEST).unwrap_or(1),
        "told_to_wait": waits.into_inner(),
    }))
}

/// One round: acknowledged events a second over all connections.
fn measure(server: &Server, token: &str, body: &str, waits: &AtomicU32) -> Result<f64, Failure> {
    let left = AtomicU32::new(REQUESTS_A_ROUND);
    let began = Instant::now();
    let outcome = thread::scope(|scope| {
        let work = || -> Result<(), Failure> {
            let client = server.client(token)?;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                send(&client, body, waits)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(Failure::unusable("a connection failed"))))
            .collect::<Result<Vec<()>, _>>()
    });
    let took = began.elapsed();
    outcome.map(|_| f64::from(REQUESTS_A_ROUND * EVENTS_A_REQUEST) / took.as_secs_f64())
}

/// Sends until it is acknowledged. Being told to wait is part of the measurement.
fn send(client: &Client, body: &str, waits: &AtomicU32) -> Result<(), Failure> {
    loop {
        match client.post_text("/api/v1/events", "application/x-ndjson", body.to_owned()) {
            Ok(answer) if answer["accepted"] == EVENTS_A_REQUEST => return Ok(()),
            Ok(answer) => return Err(Failure::unusable("events were refused").why(answer.to_string())),
            Err(failure) if failure.what.contains("(429 ") => {
                waits.fetch_add(1, Ordering::Relaxed);
                pause(Duration::from_millis(100));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Ordinary lines of sshd and of a web server, as shippers send them.
fn body() -> String {
    let now = SystemClock.now();
    let mut body = String::new();
    for number in 0..EVENTS_A_REQUEST {
        let (host, address, port) = (number % 17, number % 250 + 1, 1_024 + number);
        let line = if number % 2 == 0 {
            format!("{now} app-{host:02} sshd[{port}]: Connection closed by 192.0.2.{address} port {port}")
        } else {
            format!(
                "192.0.2.{address} - - [21/Nov/2026:10:15:02 +0000] \\\"GET /items/{number} HTTP/1.1\\\" 200 {port} \\\"-\\\" \\\"Mozilla/5.0 (X11; Linux x86_64)\\\""
            )
        };
        // Writing to a string cannot fail.
        let _written = writeln!(body, "{{\"message\": \"{line}\"}}");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_sent_is_json() {
        let body = body();
        assert_eq!(body.lines().count(), 1_000);
        for line in body.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }
}
