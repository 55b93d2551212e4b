//! From an event to a response that is executed and verified, with nobody in between: automation at level 4 under a standing
//! grant, a rule that one event completes, and a live twin as the target.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shieldops_model::{Clock as _, SystemClock};

use super::{
    Bench,
    figures::{milliseconds, percentile, summary},
    respond::{People, twin},
    server::{Folder, Server, pause},
};
use crate::{client::Client, output::Failure};

const CAPABILITY: &str = "linux.block_ip";
/// A response that takes longer is a failure, not a figure.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks, so that looking neither takes the processor from the server nor asks for more than a person may.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// What a root sign-in alone is worth lies above it; what is measured is time, and not how sure a finding is.
const CONFIDENCE: f64 = 0.6;

pub(super) fn run(bench: &Bench) -> Result<Value, Failure> {
    let folder = Folder::new(&bench.dir)?;
    let server = Server::start(folder.path(), &["--demo"])?;
    let people = People::of(&server)?;
    let Some(target) = twin(&people)? else {
        return Ok(json!({"bench": "event-to-action", "not_measured": "the kernel here lets no twin run"}));
    };
    let shipper = server.client(&server.token("ingest", None)?)?;
    let office = Office { people: &people, shipper: &shipper, target: &target };
    office.let_automation_act()?;
    // Not measured: connections and caches.
    for number in 0..3 {
        office.round(u32::MAX - number)?;
    }
    let (mut sent, mut acknowledged) = (Vec::new(), Vec::new());
    for number in 0..bench.rounds(200) {
        let took = office.round(number)?;
        sent.push(milliseconds(took.from_sending));
        acknowledged.push(milliseconds(took.from_acknowledged));
    }
    Ok(json!({
        "bench": "event-to-action",
        "sent_to_verified": with_p95(&sent),
        "acknowledged_to_verified": with_p95(&acknowledged),
    }))
}

fn with_p95(times_ms: &[f64]) -> Value {
    let mut all = summary(times_ms);
    all["p95_ms"] = json!(percentile(times_ms, 95));
    all
}

struct Office<'a> {
    people: &'a People,
    shipper: &'a Client,
    target: &'a Value,
}

struct Took {
    from_sending: Duration,
    from_acknowledged: Duration,
}

impl Office<'_> {
    /// Two people raise the level, and one gives leave for this target.
    fn let_automation_act(&self) -> Result<(), Failure> {
        let (asks, confirms) = (&self.people.requester, &self.people.approver);
        self.people.settle(|settings| settings["numbers"]["confidence"]["high"] = json!(CONFIDENCE))?;
        let asked = asks.edit("/api/v1/autonomy", |_| Ok(json!({"level": 4, "reason": "benchmark"})))?;
        let path = format!("/api/v1/gate-changes/{}/confirm", asked["id"].as_str().unwrap_or_default());
        confirms.post(&path, &json!({}))?;
        let until = SystemClock.now().plus(Duration::from_hours(24));
        let grant = json!({"capability": CAPABILITY, "environment": self.target["environment"], "targets": [self.target["id"]], "until": until, "reason": "benchmark"});
        asks.post("/api/v1/standing-grants", &grant)?;
        Ok(())
    }

    /// Somebody signs in as root from an address of its own, on a host that had no incident yet: its first revision is due at
    /// once, and nothing of it waits for another.
    fn round(&self, number: u32) -> Result<Took, Failure> {
        let (host, [_, _, high, low]) = (format!("bench-{number}"), number.to_be_bytes());
        let address = format!("198.{}.{high}.{low}", 18 + number % 2);
        let row = format!("/api/v1/targets/{}", self.target["id"].as_str().unwrap_or_default());
        self.people.requester.patch(&row, &json!({"host": host}))?;
        let now = SystemClock.now();
        let line = format!("{now} {host} sshd[4211]: Accepted password for root from {address} port 51122 ssh2");
        let sent = Instant::now();
        let answer = self.shipper.post_text("/api/v1/events", "text/plain", line)?;
        let acknowledged = Instant::now();
        if answer["accepted"] != 1 {
            return Err(Failure::unusable("the event was refused").why(answer.to_string()));
        }
        self.verified(&address, acknowledged)?;
        Ok(Took { from_sending: sent.elapsed(), from_acknowledged: acknowledged.elapsed() })
    }

    fn verified(&self, address: &str, since: Instant) -> Result<(), Failure> {
        let mut last = Value::Null;
        while since.elapsed() < PATIENCE {
            let newest = self.people.requester.get("/api/v1/actions?limit=1")?;
            last = newest["items"][0].clone();
            if last["params"]["address"] == address && last["state"] == "verified" {
                return Ok(());
            }
            pause(LOOK_EVERY);
        }
        let why = format!("the newest action is {} of {}", last["state"], last["params"]);
        Err(Failure::unusable(format!("{address} was not blocked within {} s", PATIENCE.as_secs()))
            .why(self.denied().unwrap_or(why)))
    }

    /// Why the newest plan is none that runs.
    fn denied(&self) -> Option<String> {
        let plans = self.people.requester.get("/api/v1/plans?limit=1").ok()?;
        let plan = plans["items"].get(0)?;
        Some(format!("the newest plan is {}: {}", plan["state"], plan["decision"]))
    }
}
