//! From approval to verified and from undo to restored: on the simulator, and on a live twin where the kernel lets one run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Bench,
    figures::{milliseconds, summary},
    server::{Folder, Server, pause},
};
use crate::{client::Client, output::Failure};

/// How long the twin may take to come up.
const TWIN: Duration = Duration::from_secs(30);
const NAME: &str = "twin/demo";
/// More than any benchmark does in an hour.
const RATE: u32 = 10_000;

pub(super) fn run(bench: &Bench) -> Result<Value, Failure> {
    let simulated = simulated(bench)?;
    let live = live(bench)?;
    Ok(json!({"bench": "respond", "simulator": simulated, "twin": live}))
}

fn simulated(bench: &Bench) -> Result<Value, Failure> {
    let folder = Folder::new(&bench.dir)?;
    let server = Server::start(folder.path(), &[])?;
    let people = People::of(&server)?;
    people.requester.post("/api/v1/targets", &json!({"kind": "linux_host", "name": "sim/bench"}))?;
    people.measure("sim/bench", bench.rounds(100))
}

fn live(bench: &Bench) -> Result<Value, Failure> {
    let folder = Folder::new(&bench.dir)?;
    let server = Server::start(folder.path(), &["--demo"])?;
    let people = People::of(&server)?;
    match twin(&people)? {
        Some(_) => people.measure(NAME, bench.rounds(50)),
        None => Ok(json!({"not_measured": "the kernel here lets no twin run"})),
    }
}

/// The row of the twin, when it is up and the recording is worked off; nothing where none can run.
pub(super) fn twin(people: &People) -> Result<Option<Value>, Failure> {
    let deadline = Instant::now() + TWIN;
    while Instant::now() < deadline {
        let mut targets = people.requester.get("/api/v1/targets")?;
        let mut rows = targets["items"].take();
        let mut rows = rows.as_array_mut().into_iter().flatten();
        match rows.find(|row| row["name"] == NAME || row["name"] == "sim/demo") {
            Some(row) if row["name"] == NAME => {
                settle(&people.requester)?;
                return Ok(Some(row.take()));
            }
            Some(_) => return Ok(None),
            None => pause(Duration::from_millis(100)),
        }
    }
    Err(Failure::unusable("the twin did not come up"))
}

/// Waits until the recording is worked off, which is not what is measured.
fn settle(client: &Client) -> Result<(), Failure> {
    let deadline = Instant::now() + TWIN;
    while Instant::now() < deadline {
        let plans = client.get("/api/v1/plans?limit=1")?;
        let idle = client.get("/api/v1/ingest/stats")?["lag_events"] == 0;
        if idle && plans["items"].as_array().is_some_and(|items| !items.is_empty()) {
            break;
        }
        pause(Duration::from_millis(200));
    }
    Ok(())
}

/// Who asks is not who approves.
pub(super) struct People {
    pub(super) requester: Client,
    pub(super) approver: Client,
}

impl People {
    pub(super) fn of(server: &Server) -> anyhow::Result<Self> {
        server.user("approver")?;
        let requester = server.client(&server.token("personal", None)?)?;
        let approver = server.client(&server.token("personal", Some("approver"))?)?;
        let people = Self { requester, approver };
        people.lift_rates().map_err(|failure| anyhow::anyhow!("the rates could not be lifted: {failure:?}"))?;
        Ok(people)
    }

    /// What is measured is one action after the other, not how many a minute are allowed: two people lift that.
    fn lift_rates(&self) -> Result<(), Failure> {
        self.settle(|settings| {
            let limits = &mut settings["numbers"]["limits"]["production"];
            for name in ["blast_radius", "resources_per_hour", "per_minute", "per_hour", "per_team_hour"] {
                limits[name] = json!(RATE);
            }
        })
    }

    /// One person changes the settings of the gate, and the other puts them in force.
    pub(super) fn settle(&self, change: impl FnOnce(&mut Value)) -> Result<(), Failure> {
        let draft = self.requester.edit("/api/v1/gate-settings", |now| {
            let mut settings = now["settings"].clone();
            change(&mut settings);
            Ok(json!({"settings": settings, "reason": "benchmark"}))
        })?;
        let path = format!("/api/v1/gate-settings/versions/{}/activate", draft["number"]);
        self.approver.post(&path, &json!({"reason": "benchmark"}))?;
        Ok(())
    }

    fn measure(&self, target: &str, rounds: u32) -> Result<Value, Failure> {
        let (mut verified, mut undone) = (Vec::new(), Vec::new());
        for number in 0..rounds {
            let (to_verified, to_undone) = self.round(target, number)?;
            verified.push(milliseconds(to_verified));
            undone.push(milliseconds(to_undone));
        }
        Ok(json!({"approve_to_verified": summary(&verified), "undo_to_undone": summary(&undone)}))
    }

    /// The API answers an approval and an undo when the run has ended.
    fn round(&self, target: &str, number: u32) -> Result<(Duration, Duration), Failure> {
        let address = format!("198.18.{}.{}", number / 250 % 250, number % 250 + 1);
        let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": target}, "params": {"address": address}});
        let plan = self.requester.post("/api/v1/plans", &json!({"actions": [action], "title": "Benchmark"}))?;
        let path = format!("/api/v1/plans/{}/approve", plan["id"].as_str().unwrap_or_default());
        let began = Instant::now();
        let run = self.approver.post(&path, &json!({"hash": plan["hash"]}))?;
        let verified = began.elapsed();
        let action = &run["actions"][0];
        expect(action, "verified")?;
        let path = format!("/api/v1/actions/{}/undo", action["id"].as_str().unwrap_or_default());
        let began = Instant::now();
        let restored = self.approver.post(&path, &json!({"reason": "benchmark"}))?;
        let undone = began.elapsed();
        expect(&restored, "undone")?;
        Ok((verified, undone))
    }
}

fn expect(action: &Value, state: &str) -> Result<(), Failure> {
    if action["state"] == state {
        return Ok(());
    }
    Err(Failure::unusable(format!("the action is {}, and not {state}", action["state"]))
        .why(action["detail"].to_string()))
}
