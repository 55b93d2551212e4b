//! The demonstration: a recorded attack, replayed once, against a live twin. Everything of it is labelled demo.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use shieldops_connectors::linux::{Linux, TwinOptions};
use shieldops_ingest::{Limits, event_time, recognise};
use shieldops_model::{Criticality, Environment, Target, TargetId, TargetKind, TargetRef, Timestamp, id};
use shieldops_pipeline::Intake;
use shieldops_store::{Job, Store, people::Tenant, targets};

const RECORDING: [&str; 4] = [
    include_str!("../../../../demo/recording/auth.log"),
    include_str!("../../../../demo/recording/syslog"),
    include_str!("../../../../demo/recording/audit.log"),
    include_str!("../../../../demo/recording/access.log"),
];
const HOST: &str = "web-01";
const ATTACKER: &str = "203.0.113.66";
const VICTIM: &str = "198.51.100.10";

/// Starts the victim's twin, registers it, and replays the recording.
pub(crate) async fn run(
    store: Store,
    intake: Intake,
    linux: Arc<Linux>,
    tenant: Tenant,
    exe: PathBuf,
) -> anyhow::Result<()> {
    let twin = start_twin(Arc::clone(&linux), exe).await?;
    register(&store, &tenant, twin).await?;
    replay(&store, &intake, &tenant).await
}

/// Whether the twin runs; where the kernel forbids it, the simulator stands in and every surface says so.
async fn start_twin(linux: Arc<Linux>, exe: PathBuf) -> anyhow::Result<bool> {
    let (attacker, victim): (IpAddr, IpAddr) = (ATTACKER.parse()?, VICTIM.parse()?);
    let options = TwinOptions { name: "demo".to_owned(), attacker, victim, exe };
    let started = linux.start_twin(options).await;
    if let Err(unavailable) = &started {
        tracing::warn!(why = %unavailable.why, "the live twin cannot run here: the demonstration uses the simulator");
    }
    Ok(started.is_ok())
}

async fn register(store: &Store, tenant: &Tenant, twin: bool) -> anyhow::Result<()> {
    let name = if twin { "twin/demo" } else { "sim/demo" };
    let scope = store.job(tenant.id, Job::Demo)?;
    let mut tx = scope.begin().await?;
    let named = TargetRef { kind: TargetKind::LinuxHost.as_str().to_owned(), name: name.to_owned() };
    if targets::find_named(&mut tx, &named).await?.is_some() {
        return Ok(());
    }
    let now = store.clock().now();
    let id: TargetId = id::mint(now, &mut rand::rng());
    let target = Target {
        id,
        kind: TargetKind::LinuxHost,
        name: name.to_owned(),
        host: Some(HOST.to_owned()),
        environment: Environment::Production,
        criticality: Criticality::Medium,
        labels: [("role".to_owned(), "web".to_owned())].into(),
        owner: Some("demonstration".to_owned()),
        simulated: !twin,
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: true,
        created_at: now,
        version: 1,
    };
    targets::insert(&mut tx, &target).await?;
    tx.record("target.created", &[&target.id], &target)?;
    tx.commit(now).await?;
    Ok(())
}

async fn replay(store: &Store, intake: &Intake, tenant: &Tenant) -> anyhow::Result<()> {
    let body = lines(store.clock().now())?;
    // One producer and one sequence number for the life of the data directory: a second start stores nothing.
    let answer = intake
        .accept_once(tenant.id, Bytes::from(body), ("demonstration", 1))
        .await
        .context("replaying the recording")?;
    if answer.accepted > 0 {
        tracing::info!(events = answer.accepted, "the recorded attack was replayed");
    }
    Ok(())
}

/// The recording as NDJSON in the order of its times, shifted so that the last event is now. The lines themselves stay
/// as they were recorded: the shifted time stands beside them.
fn lines(now: Timestamp) -> anyhow::Result<String> {
    let limits = Limits { retention: Duration::from_hours(100 * 365 * 24), ..Limits::default() };
    let timed = |line: &'static str| {
        let seen = recognise(line.as_bytes(), None);
        (event_time(&seen, line.as_bytes(), now, &limits).0, line)
    };
    let mut recorded: Vec<_> =
        RECORDING.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty()).map(timed).collect();
    recorded.sort_by_key(|(time, _)| *time);
    let last = recorded.last().map(|(time, _)| *time).context("the recording is empty")?;
    let mut body = String::new();
    for (time, line) in recorded {
        let shifted = now.minus(last.since(time));
        body.push_str(&serde_json::json!({"time": shifted, "host": HOST, "message": line}).to_string());
        body.push('\n');
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replay_ends_now_and_keeps_order_and_lines() {
        let now = Timestamp::from_secs(2_000_000_000);
        let body = lines(now).unwrap();
        let times: Vec<Timestamp> = body
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["time"].as_str().unwrap().parse().unwrap()
            })
            .collect();
        assert!(times.is_sorted());
        assert_eq!(times.last(), Some(&now));
        assert!(now.since(times[0]) < Duration::from_mins(10));
        assert_eq!(times.len(), RECORDING.iter().map(|file| file.lines().count()).sum::<usize>());
    }
}
