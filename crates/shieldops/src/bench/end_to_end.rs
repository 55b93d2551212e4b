//! Durable ingest and detection together, and the same for a long time: what is acknowledged a second, how soon an alert
//! is seen at half of that load, and whether memory stays where it is.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    Bench, alerts,
    figures::{milliseconds, percentile, round, summary},
    server::{Folder, Server, pause},
    shipping::{EVENTS_A_REQUEST, Shipment, drained, figures, fsyncs_per_s, ship},
};
use crate::output::Failure;

/// What the command line asks for.
pub(super) struct Wanted<'a> {
    pub(super) seconds: Option<u32>,
    /// Events a second of the long run.
    pub(super) rate: Option<u32>,
    pub(super) events: Option<&'a Path>,
    pub(super) rules: Option<&'a Path>,
}

/// How long a backlog may take to be worked off.
const PATIENCE: Duration = Duration::from_mins(5);

impl Wanted<'_> {
    fn server(&self, folder: &Folder, more: &[(&str, &str)]) -> anyhow::Result<Server> {
        let rules = self.rules.map(|rules| rules.display().to_string());
        // The load of one client is meant here, not what one client may take.
        let mut env = vec![("SHIELDOPS_BUS__RETENTION_HOURS", "1"), ("SHIELDOPS_LIMITS__ENABLED", "false")];
        env.extend(more);
        env.extend(rules.as_deref().map(|rules| ("SHIELDOPS_RULES__DIRS", rules)));
        Server::start_with(folder.path(), &[], &env)
    }
}

/// Acknowledged events a second with detection at work, and from event to alert at half of that, or at the rate that is asked for.
pub(super) fn ingest_detect(bench: &Bench, wanted: &Wanted<'_>) -> Result<Value, Failure> {
    let shipment = Shipment::new(wanted.events)?;
    let folder = Folder::new(&bench.dir)?;
    let server = wanted.server(&folder, &[])?;
    let (token, personal) = (server.token("ingest", None)?, server.token("personal", None)?);
    let (shipper, person) = (server.client(&token)?, server.client(&personal)?);
    let never = AtomicBool::new(false);
    // Not measured: connections and caches.
    ship(&server, &token, &shipment, None, Duration::from_millis(500), &never)?;
    drained(&person, PATIENCE)?;
    let time = Duration::from_secs(u64::from(wanted.seconds.unwrap_or(20)));
    let shipped = ship(&server, &token, &shipment, None, time, &never)?;
    let backlog = drained(&person, PATIENCE)?;
    let through = shipped.events() / (shipped.took + backlog).as_secs_f64();
    let half = wanted.rate.map_or(through.min(shipped.events_per_s()) / 2.0, f64::from);
    let (stop, mut times) = (AtomicBool::new(false), Vec::new());
    let loaded = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let per_s = half / f64::from(EVENTS_A_REQUEST);
            ship(&server, &token, &shipment, Some(per_s), Duration::from_mins(10), &stop)
        });
        let measured = (0..bench.rounds(100)).try_for_each(|number| {
            times.push(milliseconds(alerts::round(&shipper, &person, number)?));
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        let loaded = load.join().unwrap_or_else(|_| Err(Failure::unusable("the load failed")));
        measured.and(loaded)
    })?;
    let fsyncs = fsyncs_per_s(folder.path())?;
    Ok(json!({
        "bench": "ingest-detect",
        "ingest": figures(&shipped, &shipment),
        "through_detection_events_per_s": round(through),
        "backlog_s": round(backlog.as_secs_f64()),
        "alert_at_half_load": {
            "events_per_s": round(loaded.events_per_s()),
            "event_to_alert_visible": summary(&times),
            "told_to_wait": loaded.waits,
        },
        "disk_fsyncs_per_s": round(fsyncs),
        "resident_mib": mib(&server)?,
    }))
}

/// A log that is soon full, so that retention is at work during the load.
const SMALL_LOG: [(&str, &str); 2] =
    [("SHIELDOPS_BUS__MAX_BYTES", "67108864"), ("SHIELDOPS_BUS__SEGMENT_BYTES", "4194304")];

/// A steady load for a long time, with memory sampled every second.
pub(super) fn soak(bench: &Bench, wanted: &Wanted<'_>) -> Result<Value, Failure> {
    let shipment = Shipment::new(wanted.events)?;
    let folder = Folder::new(&bench.dir)?;
    let server = wanted.server(&folder, &SMALL_LOG)?;
    let (token, personal) = (server.token("ingest", None)?, server.token("personal", None)?);
    let person = server.client(&personal)?;
    let rate = wanted.rate.unwrap_or(20_000);
    let time = Duration::from_secs(u64::from(wanted.seconds.unwrap_or(300)));
    let (done, mut samples) = (AtomicBool::new(false), Vec::new());
    let shipped = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let per_s = f64::from(rate) / f64::from(EVENTS_A_REQUEST);
            let shipped = ship(&server, &token, &shipment, Some(per_s), time, &AtomicBool::new(false));
            done.store(true, Ordering::Relaxed);
            shipped
        });
        let sampled = sample(&server, &done, &mut samples);
        let shipped = load.join().unwrap_or_else(|_| Err(Failure::unusable("the load failed")));
        sampled.and(shipped)
    })?;
    let backlog = drained(&person, PATIENCE)?;
    // What is taken once, at the start, is no growth.
    let steady = samples.get(samples.len() / 5..).unwrap_or_default();
    Ok(json!({
        "bench": "soak",
        "seconds": time.as_secs(),
        "wanted_events_per_s": rate,
        "ingest": figures(&shipped, &shipment),
        "backlog_s": round(backlog.as_secs_f64()),
        "segments_deleted": segments_deleted(&person)?,
        "samples": samples.len(),
        "resident_mib": {"first": steady.first(), "p50": percentile(steady, 50), "max": percentile(steady, 100), "last": steady.last()},
        "slope_mib_per_min": round(slope(steady) * 60.0),
    }))
}

/// Segments that retention took, by the ledger.
fn segments_deleted(person: &crate::client::Client) -> Result<u64, Failure> {
    let page = person.get("/api/v1/ledger?kind=segments.retired&limit=200")?;
    let entries = page["items"].as_array().into_iter().flatten();
    Ok(entries.filter_map(|entry| entry["payload"]["segments"].as_u64()).sum())
}

fn sample(server: &Server, done: &AtomicBool, samples: &mut Vec<f64>) -> Result<(), Failure> {
    while !done.load(Ordering::Relaxed) {
        samples.push(mib(server)?);
        pause(Duration::from_secs(1));
    }
    Ok(())
}

fn mib(server: &Server) -> Result<f64, Failure> {
    let kib = u32::try_from(server.resident_bytes()? / 1024).unwrap_or(u32::MAX);
    Ok(round(f64::from(kib) / 1024.0))
}

/// Growth from one value to the next: the line through all of them with the least squares.
fn slope(values: &[f64]) -> f64 {
    let count = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
    let places = || (0_u32..).map(f64::from);
    let mean_at = (count - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / count;
    let joint: f64 = places().zip(values).map(|(at, value)| (at - mean_at) * (value - mean)).sum();
    let alone: f64 = places().zip(values).map(|(at, _)| (at - mean_at).powi(2)).sum();
    if alone > 0.0 { joint / alone } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_what_is_added_from_one_sample_to_the_next() {
        let growing: Vec<f64> = (0..100).map(|at| 50.0 + f64::from(at) * 0.25).collect();
        assert!((slope(&growing) - 0.25).abs() < 1e-9);
        assert!(slope(&[7.0; 50]).abs() < 1e-9);
        assert!(slope(&[7.0]).abs() < 1e-9 && slope(&[]).abs() < 1e-9);
    }
}
