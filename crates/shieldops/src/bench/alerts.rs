//! From the acknowledgement of an event to the first answer that lists its alert.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shieldops_model::{Clock as _, SystemClock};

use super::{
    Bench,
    figures::{milliseconds, summary},
    server::{Folder, Server, pause},
};
use crate::{client::Client, output::Failure};

/// An alert that takes longer is a failure, not a figure.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks, so that looking does not take the processor from the server.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(super) fn run(bench: &Bench) -> Result<Value, Failure> {
    let folder = Folder::new(&bench.dir)?;
    let server = Server::start(folder.path(), &[])?;
    let shipper = server.client(&server.token("ingest", None)?)?;
    let person = server.client(&server.token("personal", None)?)?;
    // Not measured: connections and caches.
    round(&shipper, &person, u32::MAX)?;
    let mut times = Vec::new();
    for number in 0..bench.rounds(200) {
        times.push(milliseconds(round(&shipper, &person, number)?));
    }
    Ok(json!({"bench": "alert-latency", "acknowledged_to_visible": summary(&times)}))
}

/// Somebody signs in as root on a host of its own: one event, one alert.
pub(super) fn round(shipper: &Client, person: &Client, number: u32) -> Result<Duration, Failure> {
    let (host, [_, _, high, low]) = (format!("bench-{number}"), number.to_be_bytes());
    let now = SystemClock.now();
    let line = format!("{now} {host} sshd[4211]: Accepted password for root from 198.18.{high}.{low} port 51122 ssh2");
    let answer = shipper.post_text("/api/v1/events", "text/plain", line)?;
    let acknowledged = Instant::now();
    if answer["accepted"] != 1 {
        return Err(Failure::unusable("the event was refused").why(answer.to_string()));
    }
    let path = format!("/api/v1/alerts?limit=1&entity=host:{host}");
    while acknowledged.elapsed() < PATIENCE {
        if person.get(&path)?["items"].as_array().is_some_and(|items| !items.is_empty()) {
            return Ok(acknowledged.elapsed());
        }
        pause(LOOK_EVERY);
    }
    Err(Failure::unusable(format!("no alert within {} s", PATIENCE.as_secs())))
}
