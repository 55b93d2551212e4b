//! The simulated host against a rooted twin: the same states, the same jobs, the same answers and the same files.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use shieldops_model::{Criticality, Environment, Id, SystemClock, Target, TargetKind, Timestamp};
use shieldops_respond::{AnyCapability, Draw, Fault};

use crate::linux::{
    Linux, LinuxOptions, RootedOptions, authorized_key, block_domain, disable_user, lines, quarantine_file,
};

/// How many states of each capability are compared: 210 altogether.
const STATES: u64 = 42;
/// What was written during the test has no time that could be compared.
const STAGED_BEFORE: i64 = 1_700_000_000_000_000_000;
const ACTION: &str = "act_00000000000000000000000001";

fn target(name: &str) -> Target {
    Target {
        id: Id::from_bits(77),
        kind: TargetKind::LinuxHost,
        name: name.to_owned(),
        host: None,
        environment: Environment::Development,
        criticality: Criticality::Low,
        labels: BTreeMap::new(),
        owner: None,
        ssh: None,
        simulated: name.starts_with("sim/"),
        realm: None,
        node: None,
        protected: false,
        demo: false,
        created_at: Timestamp::from_secs(0),
        version: 1,
    }
}

/// The folders that a proof of each capability works in.
fn roots(capability: &str) -> Vec<&'static str> {
    match capability {
        "linux.block_domain" => vec!["/etc/hosts"],
        "linux.disable_cron_entry" => vec!["/etc/crontab", "/etc/cron.d/proof", "/var/spool/cron/crontabs/proof-c"],
        "linux.disable_user" => vec!["/etc/shadow", "/etc/passwd"],
        "linux.quarantine_file" => vec!["/home/proof", "/tmp/proof", "/home/.shieldops-vault", "/tmp/.shieldops-vault"],
        _ => vec!["/home/proof-k"],
    }
}

/// Without what a kernel numbers, and without times of now.
fn still(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !matches!(name.as_str(), "dev" | "inode"));
            for (name, field) in fields.iter_mut() {
                if name.ends_with("mtime_ns") && field.as_i64().is_some_and(|time| time > STAGED_BEFORE) {
                    *field = Value::Null;
                }
                still(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(still),
        Value::String(text) => {
            let words: Vec<String> = text
                .split(' ')
                .map(|word| match word.parse::<i64>() {
                    Ok(time) if time > STAGED_BEFORE => "now".to_owned(),
                    _ => word.to_owned(),
                })
                .collect();
            *text = words.join(" ");
        }
        _ => {}
    }
}

struct Side {
    linux: Arc<Linux>,
    row: Target,
    capability: Arc<dyn AnyCapability>,
}

impl Side {
    fn new(linux: &Arc<Linux>, name: &str, capability: &str) -> Self {
        let all = crate::capabilities(Arc::clone(linux));
        let capability = all.into_iter().find(|it| it.describe().name == capability).unwrap();
        Self { linux: Arc::clone(linux), row: target(name), capability }
    }

    async fn seen(&self, params: &Value) -> Value {
        self.capability.observe(&self.row, params).await.unwrap().state
    }

    async fn files(&self) -> Value {
        let roots = roots(self.capability.describe().name);
        let mut all = self.linux.snapshot(&self.row, &roots, false).await.unwrap();
        still(&mut all);
        all
    }

    /// What an apply does, by its job.
    async fn change(&self, from: &Value, to: &Value) -> Result<(), Fault> {
        let both = json!({"action": ACTION, "from": from, "to": to});
        match self.capability.describe().name {
            "linux.block_domain" => self.run::<block_domain::Set>(both).await,
            "linux.quarantine_file" => self.run::<quarantine_file::Move>(both).await,
            "linux.disable_user" => self.run::<disable_user::Set>(json!({"from": from, "to": to})).await,
            "linux.remove_authorized_key" => self.run::<authorized_key::Set>(both).await,
            _ => {
                let places = json!([{"path": to["path"], "who": "Root"}]);
                let which = json!({"text": to["entry"]});
                let set = json!({"places": places, "which": which, "action": ACTION, "from": from["lines"], "to": to["lines"]});
                self.run::<lines::Set>(set).await
            }
        }
    }

    async fn run<J: crate::linux::hand::Job<Answer = ()>>(&self, job: Value) -> Result<(), Fault> {
        self.linux.hand::<J>(&self.row, serde_json::from_value(job).unwrap(), None).await
    }

    /// One life: done, done again from what is no longer so, meddled with or not, undone. Everything that was seen.
    async fn live(&self, seed: u64) -> Vec<Value> {
        let mut draw = Draw::new(seed);
        let proving = self.capability.proving().unwrap();
        let params = proving.stage(&self.row, &mut draw).await.unwrap();
        let from = self.seen(&params).await;
        let to = self.capability.desired(&from, &params).unwrap();
        let mut seen = vec![params.clone(), from.clone(), self.files().await];
        seen.push(said(self.change(&from, &to).await));
        seen.push(self.files().await);
        seen.push(said(self.change(&from, &to).await));
        if draw.below(3) == 0 {
            proving.disturb(&self.row, &params, &mut draw).await.unwrap();
        }
        let now = self.seen(&params).await;
        seen.push(now.clone());
        seen.push(said(self.change(&now, &from).await));
        seen.push(self.seen(&params).await);
        seen.push(self.files().await);
        seen.iter_mut().for_each(still);
        seen
    }
}

/// Whether it was done, and if not, of which kind the refusal is.
fn said(done: Result<(), Fault>) -> Value {
    match done {
        Ok(()) => json!("done"),
        Err(Fault::Refused(_)) => json!("refused"),
        Err(Fault::Failed(_)) => json!("failed"),
        Err(other) => json!(format!("{other}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_host_is_a_rooted_twin_on_two_hundred_states() {
    let folder = tempfile::tempdir().unwrap();
    let options = LinuxOptions {
        data_dir: folder.path().to_owned(),
        installation: "test".to_owned(),
        clock: Arc::new(SystemClock),
    };
    let linux = Linux::new(options).unwrap();
    let own = std::env::current_exe().unwrap();
    let exe = own.parent().and_then(|deps| deps.parent()).unwrap().join("examples/twin");
    if let Err(error) = linux.start_rooted(RootedOptions { name: "test".to_owned(), exe }).await {
        assert!(error.why.contains("needs root") || error.why.contains("do not work here"), "{error}");
        eprintln!("SKIPPED: no rooted twin can run here: {error}");
        return;
    }
    for name in [
        "linux.block_domain",
        "linux.disable_cron_entry",
        "linux.disable_user",
        "linux.quarantine_file",
        "linux.remove_authorized_key",
    ] {
        let (model, real) = (Side::new(&linux, "sim/test", name), Side::new(&linux, "twin/test", name));
        for seed in 0..STATES {
            assert_eq!(model.live(seed).await, real.live(seed).await, "{name}, seed {seed}");
        }
    }
}
