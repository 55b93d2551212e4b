//! Tenants, people and keys on a real server: what each may do, until when, and what is left of a tenant that was deleted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/clock.rs"]
mod clock;
#[path = "tenancy/confirmed.rs"]
mod confirmed;
#[path = "tenancy/credentials.rs"]
mod credentials;
#[path = "tenancy/detection.rs"]
mod detection;
#[path = "tenancy/gate.rs"]
mod gate;
#[path = "tenancy/life.rs"]
mod life;
#[path = "tenancy/own_content.rs"]
mod own_content;
#[path = "tenancy/plans.rs"]
mod plans;
#[path = "tenancy/policies.rs"]
mod policies;
#[path = "tenancy/recent.rs"]
mod recent;
#[path = "tenancy/requests.rs"]
mod requests;
#[path = "tenancy/rights.rs"]
mod rights;
#[path = "tenancy/rules.rs"]
mod rules;
#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;
#[path = "tenancy/typed.rs"]
mod typed;
#[path = "tenancy/watermarks.rs"]
mod watermarks;

use std::time::Duration;

use serde_json::{Value, json};
use server::until;
use site::{Caller, Org, PASSWORD, Site, accept, attack};

/// A time from now, as the API takes it.
fn from_now(by: &str) -> String {
    let args = ["-u", "-d", by, "+%Y-%m-%dT%H:%M:%SZ"];
    let made = std::process::Command::new("date").args(args).output().unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A plan that blocks an address on a simulated target.
fn block(target: &str) -> Value {
    let target = json!({"kind": "linux_host", "name": target});
    json!({"actions": [{"capability": "linux.block_ip", "target": target, "params": {"address": "203.0.113.9"}}]})
}

fn target(org: &Org, name: &str, environment: &str) {
    org.admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": name, "environment": environment}));
}

/// Something is in force on a target: the plan and its action.
fn in_force(org: &Org, second: &Caller, name: &str) -> String {
    target(org, name, "production");
    let plan = org.admin.post("/api/v1/plans", &block(name));
    let path = format!("/api/v1/plans/{}/approve", text(&plan["id"]));
    let done = second.post(&path, &json!({"hash": plan["hash"]}));
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");
    text(&done["actions"][0]["id"])
}

fn permission(caller: &Caller, name: &str) -> Value {
    let all = caller.items("/api/v1/me/permissions");
    all.into_iter().find(|decision| decision["permission"] == name).unwrap_or_else(|| panic!("no permission {name}"))
}
