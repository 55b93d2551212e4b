//! The API under load, its PostgreSQL included: ten tenants with ten thousand alerts each, most requests reads. And what a
//! flood of one tenant costs another, and whether the time of an answer tells that an id is another tenant's.

mod cluster;
mod fill;
mod load;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shieldops_model::{Clock as _, SystemClock};

use self::{
    cluster::Cluster,
    fill::Tenant,
    load::{Line, Shot, flood, open_loop, percentiles, sender},
};
use super::{
    Bench,
    figures::{milliseconds, percentile, round},
    server::{Folder, Server, pause},
};
use crate::{client::Client, output::Failure};

const ALERTS: u32 = 10_000;
/// Incidents of each tenant, made by events that are sent.
const INCIDENTS: u32 = 20;
const FLOODERS: u32 = 32;
/// Of the tenant beside a flood: below every limit of its own.
const CALM_PER_S: u32 = 30;
const SETTLES: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Load,
    Flood,
    Absent,
}

/// What the benchmark of the API is told besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) mode: Mode,
    pub(super) seconds: u32,
    pub(super) per_s: u32,
    pub(super) tenants: u32,
}

struct Stage {
    server: Server,
    tenants: Vec<Tenant>,
    /// By tenant.
    incidents: Vec<Vec<String>>,
    database: String,
    _folder: Folder,
    // Last: the server ends before its database.
    _cluster: Cluster,
}

pub(super) fn run(bench: &Bench, wanted: Wanted) -> Result<Value, Failure> {
    let limits = wanted.mode == Mode::Flood;
    let stage = Stage::set(bench, wanted.tenants.max(2), limits)?;
    Ok(match wanted.mode {
        Mode::Load => sender()?.block_on(stage.load(wanted)),
        Mode::Flood => stage.flooded(wanted)?,
        Mode::Absent => sender()?.block_on(stage.absent(bench.rounds(2_000))),
    })
}

impl Stage {
    fn set(bench: &Bench, tenants: u32, limits: bool) -> Result<Self, Failure> {
        let cluster = Cluster::start(&bench.dir)?;
        let folder = Folder::new(&bench.dir)?;
        let url = cluster.url();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::unusable("cannot start the runtime").why(error.to_string()))?;
        let filled = runtime.block_on(fill::fill(folder.path(), &url, tenants, ALERTS))?;
        runtime.shutdown_timeout(Duration::from_secs(1));
        cluster.settle()?;
        let limits = if limits { "true" } else { "false" };
        let env = [("SHIELDOPS_DATABASE__URL", url.as_str()), ("SHIELDOPS_LIMITS__ENABLED", limits)];
        let server = Server::start_with(folder.path(), &[], &env)?;
        let database = cluster.version()?;
        let mut stage =
            Self { server, tenants: filled, incidents: Vec::new(), database, _folder: folder, _cluster: cluster };
        stage.incidents = stage.attacked()?;
        Ok(stage)
    }

    /// A few real incidents in each tenant, and nothing left to do when they are there.
    fn attacked(&self) -> Result<Vec<Vec<String>>, Failure> {
        let now = SystemClock.now();
        for tenant in &self.tenants {
            let line = |number: u32| {
                format!(
                    "{now} bench-{number} sshd[4211]: Accepted password for root from 198.18.7.{number} port 51122 ssh2\n"
                )
            };
            let lines: String = (0..INCIDENTS).map(line).collect();
            self.server.client(&tenant.shipper)?.post_text("/api/v1/events", "text/plain", lines)?;
        }
        let deadline = Instant::now() + SETTLES;
        let mut all = Vec::new();
        for tenant in &self.tenants {
            let client = self.server.client(&tenant.token)?;
            all.push(settled(&client, deadline)?);
        }
        Ok(all)
    }

    async fn load(&self, wanted: Wanted) -> Value {
        let shot = |number| self.shot(number);
        // Not measured: connections and caches.
        open_loop(&self.server.url, wanted.per_s.div_ceil(4), Duration::from_secs(5), &shot).await;
        let time = Duration::from_secs(wanted.seconds.into());
        let outcome = open_loop(&self.server.url, wanted.per_s, time, &shot).await;
        json!({
            "bench": "api",
            "asked_per_s": wanted.per_s,
            "rate": outcome.rate(),
            "seconds": wanted.seconds,
            "tenants": self.tenants.len(),
            "alerts_a_tenant": ALERTS,
            "database": self.database,
            "reads": percentiles(&outcome.reads),
            "writes": percentiles(&outcome.writes),
            "errors": outcome.errors(),
            "errors_by_status": outcome.refused,
        })
    }

    /// One of a hundred kinds of requests, spread over the tenants: 95 read.
    fn shot(&self, number: u32) -> Shot {
        let spread = number.wrapping_mul(2_654_435_761);
        let at = place(spread, self.tenants.len());
        let (Some(tenant), Some(incidents)) = (self.tenants.get(at), self.incidents.get(at)) else {
            return read("", "/api/v1/me".to_owned());
        };
        let alert =
            tenant.alerts.get(place(spread >> 7, tenant.alerts.len())).map(ToString::to_string).unwrap_or_default();
        let incident = incidents.get(place(spread >> 5, incidents.len())).cloned().unwrap_or_default();
        let alert = format!("/api/v1/alerts/{alert}");
        let incident = format!("/api/v1/incidents/{incident}");
        let write = |method, path, body: Value| Shot {
            method,
            path,
            token: tenant.token.clone(),
            body: Some(body.to_string()),
        };
        match number.wrapping_mul(37) % 100 {
            0..30 => read(&tenant.token, "/api/v1/alerts?limit=50".to_owned()),
            30..50 => read(&tenant.token, alert),
            50..65 => read(&tenant.token, "/api/v1/alerts?limit=50&severity=high&status=new".to_owned()),
            65..78 => read(&tenant.token, "/api/v1/incidents?limit=50".to_owned()),
            78..90 => read(&tenant.token, incident),
            90..92 => read(&tenant.token, "/api/v1/overview".to_owned()),
            92..95 => read(&tenant.token, "/api/v1/me".to_owned()),
            95..98 => write("PATCH", alert, json!({"status": "in_progress"})),
            _ => write("POST", format!("{incident}/notes"), json!({"text": "Looked at: nothing new."})),
        }
    }

    /// A tenant's latencies alone, and beside a tenant that asks for all it can.
    fn flooded(&self, wanted: Wanted) -> Result<Value, Failure> {
        let time = Duration::from_secs(u64::from(wanted.seconds.div_ceil(2)));
        let [calm, loud] = [0, 1].map(|at| self.tenants.get(at).map(|tenant| tenant.token.clone()).unwrap_or_default());
        let shot = |token: &str, number: u32| {
            let path = if number.is_multiple_of(2) { "/api/v1/alerts?limit=50" } else { "/api/v1/incidents?limit=50" };
            read(token, path.to_owned())
        };
        let (calm_shot, loud_shot) = (|number| shot(&calm, number), |number| shot(&loud, number));
        let sender = sender()?;
        let calm_load = |time| sender.block_on(open_loop(&self.server.url, CALM_PER_S, time, &calm_shot));
        calm_load(Duration::from_secs(3));
        let alone = calm_load(time);
        let stop = AtomicBool::new(false);
        let (beside, answered) = thread::scope(|threads| {
            let flood = threads.spawn(|| flood(&self.server.url, FLOODERS, &stop, &loud_shot));
            let beside = calm_load(time);
            stop.store(true, Ordering::Relaxed);
            (beside, flood.join())
        });
        let answered = answered.map_err(|_panic| Failure::unusable("the flood ended early"))??;
        let p99 = |times: &[f64]| percentile(times, 99);
        Ok(json!({
            "bench": "api flood",
            "calm_per_s": CALM_PER_S,
            "alone": percentiles(&alone.reads),
            "beside_a_flood": percentiles(&beside.reads),
            "ratio_p99": round(p99(&beside.reads) / p99(&alone.reads).max(0.01)),
            "calm_errors": alone.errors() + beside.errors(),
            "flood_answers_by_status": answered,
            "database": self.database,
        }))
    }

    /// Milliseconds of the refusal of an id that exists nowhere, and of one that is another tenant's, in turn.
    async fn absent(&self, rounds: u32) -> Value {
        let (mut nowhere, mut theirs, mut wrong) = (Vec::new(), Vec::new(), 0_u32);
        let mut line = Line::to(&self.server.url);
        let own = self.tenants.first().map(|tenant| tenant.token.clone()).unwrap_or_default();
        let others = self.tenants.get(1).map(|tenant| tenant.alerts.as_slice()).unwrap_or_default();
        let mut ask = async |id: String| {
            let began = Instant::now();
            let status = line.send(&read(&own, format!("/api/v1/alerts/{id}"))).await;
            wrong += u32::from(status != 404);
            milliseconds_exact(began.elapsed())
        };
        for number in 0..rounds + 100 {
            let Some(id) = others.get(place(number.wrapping_mul(2_654_435_761), others.len())) else { break };
            let absent: shieldops_model::AlertId = shieldops_model::id::mint(SystemClock.now(), &mut rand::rng());
            // In turn first and second: what the second gains by warm caches is no difference of the ids.
            let (one, two) = if number.is_multiple_of(2) {
                let one = ask(absent.to_string()).await;
                (one, ask(id.to_string()).await)
            } else {
                let two = ask(id.to_string()).await;
                (ask(absent.to_string()).await, two)
            };
            if number >= 100 {
                nowhere.push(one);
                theirs.push(two);
            }
        }
        json!({
            "bench": "api absent",
            "rounds": rounds,
            "absent": spread_of(&nowhere),
            "another_tenants": spread_of(&theirs),
            "difference_of_means_us": round((mean(&theirs) - mean(&nowhere)) * 1_000.0),
            "standard_error_us": round(error_of(&nowhere, &theirs) * 1_000.0),
            "not_404": wrong,
            "database": self.database,
        })
    }
}

/// The incidents of a tenant once all of them were investigated.
fn settled(client: &Client, deadline: Instant) -> Result<Vec<String>, Failure> {
    loop {
        let page = client.get("/api/v1/incidents?limit=200")?;
        let ids: Vec<String> = page["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["id"].as_str().map(str::to_owned))
            .collect();
        if ids.len() >= usize::try_from(INCIDENTS).unwrap_or_default()
            || (Instant::now() >= deadline && !ids.is_empty())
        {
            return Ok(ids);
        }
        if Instant::now() >= deadline {
            return Err(Failure::unusable(format!("no incidents within {} s", SETTLES.as_secs())));
        }
        pause(Duration::from_millis(200));
    }
}

fn read(token: &str, path: String) -> Shot {
    Shot { method: "GET", path, token: token.to_owned(), body: None }
}

fn place(number: u32, of: usize) -> usize {
    usize::try_from(number).unwrap_or_default().checked_rem(of).unwrap_or_default()
}

fn milliseconds_exact(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}

fn spread_of(times_ms: &[f64]) -> Value {
    let exact = |value: f64| (value * 10_000.0).round() / 10_000.0;
    json!({
        "mean_ms": exact(mean(times_ms)),
        "p50_ms": exact(percentile(times_ms, 50)),
        "p99_ms": milliseconds(Duration::from_secs_f64(percentile(times_ms, 99) / 1_000.0)),
    })
}

fn count(values: &[f64]) -> f64 {
    f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX)).max(1.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values)
}

/// Standard error of the difference of two means.
fn error_of(one: &[f64], two: &[f64]) -> f64 {
    let of = |values: &[f64]| {
        let middle = mean(values);
        values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / count(values).powi(2)
    };
    (of(one) + of(two)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_means_is_told_with_its_error() {
        let (one, two) = ([1.0, 1.2, 0.8, 1.0], [2.0, 2.2, 1.8, 2.0]);
        assert!((mean(&two) - mean(&one) - 1.0).abs() < 1e-9);
        assert!(error_of(&one, &two) > 0.05 && error_of(&one, &two) < 0.15);
    }

    #[test]
    fn a_place_is_within_and_none_is_the_first() {
        assert_eq!((place(7, 3), place(7, 0)), (1, 0));
    }
}
