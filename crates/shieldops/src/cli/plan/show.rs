//! A plan and its actions as an approver reads them: all that the hash binds which a person judges by.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::super::{Outcome, see::heading};
use crate::output::{self, Failure, Output};

/// Names of what an action reaches that are listed; all of them with `--output json`.
const RESOURCES: usize = 20;

const MEMBERS: &[&str] = &[
    "id",
    "title",
    "why",
    "state",
    "risk",
    "simulated",
    "requester",
    "confidence",
    "blast_radius",
    "estimated_ms",
    "hash",
    "expires_at",
    "not_before",
    "paused_at",
    "on_failure",
    "rejected_reason",
    "cannot_approve_why",
];

pub(super) fn print_plan(plan: &Value, form: Output) -> Outcome {
    if form == Output::Json {
        output::json(plan)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut head = plan.clone();
    if let Some(members) = head.as_object_mut() {
        members.insert("requester".to_owned(), requester(plan).into());
    }
    heading(&head, MEMBERS)?;
    for line in decided(plan) {
        output::foreign_line(&line)?;
    }
    for action in list(&plan["actions"]) {
        output::line("")?;
        print_action(action)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) fn print_action(action: &Value) -> Result<(), Failure> {
    action_lines(action).iter().try_for_each(|line| output::foreign_line(line))
}

/// Who asked: by name, where the server says it.
fn requester(plan: &Value) -> String {
    let id = output::text(&plan["requester"]);
    plan["requester_name"].as_str().map_or_else(|| id.clone(), |name| format!("{name} ({id})"))
}

/// What policy said, what it asks for, and who said what so far.
fn decided(plan: &Value) -> Vec<String> {
    let decision = &plan["decision"];
    let mut lines = Vec::new();
    for deny in list(&decision["denies"]) {
        lines.push(named("denied", &reason(deny)));
    }
    for term in list(&decision["risk_terms"]) {
        let points = term["points"].as_i64().unwrap_or_default();
        let told = output::row(term, &["/name", "/why"]).join(": ");
        lines.push(named("", &format!("{points:+} {told}")));
    }
    lines.extend(approvals(plan));
    for (what, by) in [("break glass", &plan["break_glass"]), ("freeze set aside", &plan["freeze_override"])] {
        if by.is_object() {
            lines.push(named(what, &format!("{}  {}", said(by, "/name"), output::text(&by["reason"]))));
        }
    }
    lines.extend(owed(&decision["obligations"]));
    for told in list(&plan["not_checkable"]) {
        lines.push(named("not checked", &output::text(told)));
    }
    lines
}

fn approvals(plan: &Value) -> Vec<String> {
    let given = list(&plan["approvals"]);
    let needed = plan["decision"]["approvals_needed"].as_u64().unwrap_or_default();
    let mut lines = vec![named("approvals", &format!("{} given, {needed} needed", given.len()))];
    for one in given {
        lines.push(named("", &said(one, "/user_name")));
    }
    if needed > 0 && !list(&plan["approvers"]).is_empty() {
        lines.push(named("may approve", &output::text(&plan["approvers"])));
    }
    lines
}

/// Who said it, when, and what their session had proved before; a token proves nothing, and older votes did not keep it.
fn said(by: &Value, name: &str) -> String {
    let told = output::row(by, &[name, "/at"]).join("  ");
    let given = &by["confirmed"];
    let with = match given["with"].as_str() {
        None => return told,
        Some("password") => "a password",
        Some("totp") => "a code of an authenticator app",
        Some("passkey") => "a passkey",
        Some("recovery_code") => "a recovery code",
        Some(_) => "a second factor",
    };
    format!("{told}  confirmed with {with} at {}", output::text(&given["at"]))
}

/// What must happen before and beside it, and why.
fn owed(obligations: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if obligations["strong_session"] == true {
        let told =
            "a vote counts only from a browser session that gave a passkey or a code of an app in the last 5 minutes";
        lines.push(named("owed", told));
    }
    if let Some(seconds) = obligations["veto_window_s"].as_u64() {
        let told = format!("waits {seconds} s after its last approval; who may approve may stop it until then");
        lines.push(named("owed", &told));
    }
    if !list(&obligations["notify"]).is_empty() {
        lines.push(named("told of it", &output::text(&obligations["notify"])));
    }
    lines.extend(list(&obligations["because"]).iter().map(|because| named("because", &reason(because))));
    lines
}

fn action_lines(action: &Value) -> Vec<String> {
    let mut lines = vec![output::row(action, &["/capability", "/target/name", "/state", "/id"]).join("  ")];
    let params = action["params"].as_object();
    lines.extend(params.into_iter().flatten().map(|(name, value)| format!("  {name} = {}", parameter(value))));
    for line in list(&action["diff"]) {
        let path = output::text(&line["path"]);
        for (sign, side) in [("-", "before"), ("+", "after")] {
            if let Some(text) = line[side].as_str() {
                lines.push(format!("  {sign} {path}: {text}"));
            }
        }
    }
    if let Some(detail) = action["detail"].as_str() {
        lines.push(format!("  {detail}"));
    }
    for proof in list(&action["proofs"]) {
        let [moment, result, detail] = ["moment", "result", "detail"].map(|name| output::text(&proof[name]));
        lines.push(format!("  {moment}: {result} ({detail})"));
    }
    lines.extend(reached(action));
    if let Some(path) = action["control_path"].as_object() {
        lines.push(way(path));
    }
    // What an undo takes back is no other owner of its effect.
    let other = |owner: &&Value| !["id", "undo_of"].iter().any(|name| owner["action_id"] == action[*name]);
    for owner in list(&action["owners"]).iter().filter(other) {
        let until = owner["expires_at"].as_str().map(|at| format!(" until {at}")).unwrap_or_default();
        lines.push(format!("  also wanted by {}{until}", output::text(&owner["action_id"])));
    }
    if let Some(at) = action["expires_at"].as_str() {
        lines.push(format!("  ends at {at}"));
    }
    lines.push(format!("  undo: {}", output::text(&action["undo"])));
    lines
}

/// As JSON, unless it is plain text: a list keeps its borders, and a line break is seen.
fn parameter(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.chars().any(char::is_control) => text.to_owned(),
        _ => value.to_string(),
    }
}

/// How the server reaches the target, and whether that way may be cut.
fn way(path: &Map<String, Value>) -> String {
    let risk = if path.get("at_risk") == Some(&Value::Bool(true)) { "AT RISK" } else { "not at risk" };
    let text = |name: &str| path.get(name).map(output::text).unwrap_or_default();
    format!("  way to the target: {}, {risk} ({})", text("via"), text("why"))
}

/// What the effect reaches, what hangs on it, and how long it is expected to take.
fn reached(action: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let names: Vec<String> = list(&action["resources"]).iter().map(output::text).collect();
    let more = names.len().saturating_sub(RESOURCES);
    let listed = names.iter().take(RESOURCES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("  reaches {}: {listed}{rest}", names.len()));
    }
    for one in list(&action["dependants"]) {
        lines.push(format!("  {}", output::row(one, &["/kind", "/name", "/detail"]).join("  ")));
    }
    if let Some(ms) = action["estimate"]["ms"].as_u64() {
        let of = match action["estimate"]["measured"].as_u64() {
            Some(count) if count > 0 => format!("the median of {count} earlier ones"),
            _ => "as the capability says of itself".to_owned(),
        };
        lines.push(format!("  takes about {ms} ms, {of}"));
    }
    lines
}

fn reason(reason: &Value) -> String {
    output::row(reason, &["/code", "/detail"]).join(": ")
}

fn named(name: &str, text: &str) -> String {
    format!("{name:<18} {text}")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> Value {
        json!({
            "requester": "usr_1", "requester_name": "ann", "approvers": ["bea", "cid"],
            "decision": {
                "denies": [], "approvals_needed": 2,
                "risk_terms": [{"name": "environment", "points": 20, "why": "production"}],
                "obligations": {
                    "notify": ["administrators"], "veto_window_s": 300, "strong_session": true,
                    "because": [{"code": "critical_risk", "detail": "the risk is critical"}],
                },
            },
            "approvals": [
                {"user_name": "bea", "at": "2026-01-02T03:04:05Z", "confirmed": {"with": "totp", "at": "2026-01-02T03:03:00Z"}},
                {"user_name": "dan", "at": "2026-01-02T03:04:06Z"},
            ],
            "freeze_override": {"name": "cid", "at": "2026-01-02T03:00:00Z", "reason": "it burns"},
        })
    }

    #[test]
    fn an_approver_reads_what_policy_asks_for_why_and_who_said_yes() {
        let told = decided(&plan()).join("\n");
        for line in [
            "                   +20 environment: production",
            "approvals          2 given, 2 needed",
            "bea  2026-01-02T03:04:05Z  confirmed with a code of an authenticator app at 2026-01-02T03:03:00Z\n",
            "dan  2026-01-02T03:04:06Z\n",
            "may approve        bea, cid",
            "freeze set aside   cid  2026-01-02T03:00:00Z  it burns",
            "owed               a vote counts only from a browser session that gave a passkey",
            "owed               waits 300 s after its last approval",
            "told of it         administrators",
            "because            critical_risk: the risk is critical",
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        assert_eq!(requester(&plan()), "ann (usr_1)");
        assert_eq!(requester(&json!({"requester": "system:expiry"})), "system:expiry");
    }

    #[test]
    fn an_approver_reads_every_parameter_and_a_line_break_in_one_makes_no_line() {
        let params =
            json!({"address": "203.0.113.9", "keep": ["10.0.0.0/24"], "note": "a\n  undo: nothing", "port": 22});
        let owners = json!([{"action_id": "act_1"}, {"action_id": "act_2", "expires_at": "2026-01-02T03:04:05Z"}]);
        let action = json!({"id": "act_1", "capability": "linux.isolate_host", "target": {"name": "sim/web"},
            "state": "planned", "params": params, "owners": owners, "undo": "lets it go"});
        let lines = action_lines(&action);
        assert_eq!(
            lines[1..],
            [
                "  address = 203.0.113.9",
                "  keep = [\"10.0.0.0/24\"]",
                "  note = \"a\\n  undo: nothing\"",
                "  port = 22",
                "  also wanted by act_2 until 2026-01-02T03:04:05Z",
                "  undo: lets it go"
            ]
        );
    }

    #[test]
    fn an_undo_does_not_name_what_it_takes_back_among_those_who_want_the_effect_too() {
        let owners = json!([{"action_id": "act_1"}, {"action_id": "act_2"}]);
        let undo = json!({"id": "act_3", "undo_of": "act_1", "owners": owners});
        let told = action_lines(&undo).join("\n");
        assert!(told.contains("also wanted by act_2") && !told.contains("act_1"), "{told}");
    }
}
