//! Invariants 1 to 4: what stands between a plan and its target.

use super::*;

#[test]
fn invariant_01_a_deny_is_not_executed_and_its_reasons_are_in_answer_and_ledger() {
    let server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/guarded", true);
    let plan = server.post("/api/v1/plans", &ann, &block("sim/guarded", "203.0.113.9")).unwrap();
    assert_eq!(plan["state"], "denied", "{plan}");
    assert!(plan["decision"]["denies"].to_string().contains("protected_target"), "{plan}");
    let bea = colleague(&server, &ann, "bea", "analyst");
    let approved = server.post(&path(&plan, "approve"), &bea, &json!({"hash": plan["hash"]}));
    assert!(approved.is_err(), "{approved:?}");
    assert!(server.post(&path(&plan, "execute"), &bea, &json!({})).is_err());
    let actions = server.get(&format!("/api/v1/actions?plan_id={}", plan["id"].as_str().unwrap()), &ann).unwrap();
    let over = |action: &Value| {
        action["state"] == "skipped" && action["detail"].as_str().unwrap().contains("protected_target")
    };
    assert!(actions["items"].as_array().unwrap().iter().all(over), "a list does not say that it may begin: {actions}");
    let entries = server.get("/api/v1/ledger?kind=plan.denied", &ann).unwrap();
    assert!(entries["items"].to_string().contains("protected_target"), "{entries}");
}

#[test]
fn invariant_02_risk_approver_and_tenant_are_not_taken_from_a_body() {
    let server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    for word in ["risk", "approver", "approvals", "requester", "tenant", "tenant_id", "state", "simulated", "demo"] {
        let mut body = block("sim/web", "203.0.113.9");
        body[word] = json!("low");
        assert_eq!(server.post("/api/v1/plans", &ann, &body).unwrap_err()["code"], "invalid_request", "{word}");
        let mut action = block("sim/web", "203.0.113.9");
        action["actions"][0][word] = json!("low");
        assert!(server.post("/api/v1/plans", &ann, &action).is_err(), "{word} of an action");
    }
    let host = json!({"kind": "linux_host", "name": "sim/x", "simulated": false});
    assert_eq!(server.post("/api/v1/targets", &ann, &host).unwrap_err()["code"], "invalid_request");
    let plan = server.post("/api/v1/plans", &ann, &block("sim/web", "203.0.113.9")).unwrap();
    let approval = json!({"hash": plan["hash"], "approver": "usr_x"});
    assert_eq!(server.post(&path(&plan, "approve"), &ann, &approval).unwrap_err()["code"], "invalid_request");
}

/// What the command line prints before it asks for a yes.
fn shows_what_is_approved(server: &Server, token: &str, plan: &Value) {
    let id = plan["id"].as_str().unwrap();
    let ran = server.cli(&["plan", "show", id, "--server", server.url(), "--token", token]);
    let needed = format!("approvals          0 given, {} needed", plan["decision"]["approvals_needed"]);
    let requester = format!(" ({})\n", plan["requester"].as_str().unwrap());
    for told in ["  address = 203.0.113.9\n", &needed, &requester] {
        assert!(ran.stdout.contains(told), "{told}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn invariant_03_an_approval_is_another_persons_and_of_this_very_plan() {
    let server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let (bea, vic) = (colleague(&server, &ann, "bea", "analyst"), colleague(&server, &ann, "vic", "viewer"));
    let one = server.post("/api/v1/plans", &ann, &block("sim/web", "203.0.113.9")).unwrap();
    let other = server.post("/api/v1/plans", &ann, &block("sim/web", "203.0.113.10")).unwrap();
    assert_ne!(one["hash"], other["hash"], "parameters are in the hash");
    assert_eq!(one["title"], "Block an IP address: 203.0.113.9 on sim/web", "a list tells one plan from the other");
    shows_what_is_approved(&server, &ann, &one);
    let code = |token: &str, hash: &Value| {
        server.post(&path(&one, "approve"), token, &json!({"hash": hash})).unwrap_err()["code"].clone()
    };
    assert_eq!(code(&ann, &one["hash"]), "requester_cannot_approve");
    assert_eq!(code(&bea, &other["hash"]), "plan_hash_mismatch");
    assert_eq!(code(&vic, &one["hash"]), "forbidden");
    let done = server.post(&path(&one, "approve"), &bea, &json!({"hash": one["hash"]})).unwrap();
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");
}

#[test]
fn invariant_04_nothing_above_low_risk_runs_in_production_without_approval() {
    let server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let plan = server.post("/api/v1/plans", &ann, &block("sim/web", "203.0.113.9")).unwrap();
    assert_ne!(plan["risk"], "low");
    assert!(plan["decision"]["approvals_needed"].as_u64().unwrap() >= 1, "{plan}");
    assert!(server.post(&path(&plan, "execute"), &ann, &json!({})).is_err());
    let after = server.get(path(&plan, "").trim_end_matches('/'), &ann).unwrap();
    assert_eq!((&after["state"], &after["actions"][0]["state"]), (&json!("proposed"), &json!("planned")));
    let journal =
        server.get(&format!("/api/v1/actions/{}", after["actions"][0]["id"].as_str().unwrap()), &ann).unwrap();
    assert_eq!(journal["journal"], json!([]), "no intent was written");
}

#[test]
fn invariant_03_a_plan_whose_time_is_over_is_void() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut clock) = clock::ahead(dir.path()) else { return };
    let mut server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea", "analyst");
    let address = |last: u8| format!("203.0.113.{last}");
    let plans: Vec<Value> =
        (71..74).map(|last| server.post("/api/v1/plans", &ann, &block("sim/web", &address(last))).unwrap()).collect();
    let approve =
        |server: &Server, plan: &Value| server.post(&path(plan, "approve"), &bea, &json!({"hash": plan["hash"]}));

    // An hour before its end it is good.
    server.stop();
    server.restart_with(&[], &clock.by(23 * 3_600));
    assert_eq!(approve(&server, &plans[0]).unwrap()["state"], "executed");
    // An hour after it, nothing makes it good: approval, execution, or the state that a start finds.
    server.stop();
    server.restart_with(&[], &clock.by(25 * 3_600));
    let refused = approve(&server, &plans[1]).unwrap_err();
    assert!(["plan_expired", "conflict"].contains(&refused["code"].as_str().unwrap()), "{refused}");
    server.post(&path(&plans[2], "execute"), &bea, &json!({})).unwrap_err();
    for (plan, last) in [(&plans[1], 72), (&plans[2], 73)] {
        let after = server.get(path(plan, "").trim_end_matches('/'), &ann).unwrap();
        assert_eq!((&after["state"], &after["actions"][0]["state"]), (&json!("expired"), &json!("skipped")), "{after}");
        assert!(!simulated(&server, "web").contains(&address(last)));
    }
    assert_eq!(server.get("/api/v1/ledger?kind=plan.expired", &ann).unwrap()["items"].as_array().unwrap().len(), 2);
    // Planned again it is another plan, with a hash of its own.
    let again = server.post(&path(&plans[1], "replan"), &ann, &json!({})).unwrap();
    assert_ne!((&again["id"], &again["hash"]), (&plans[1]["id"], &plans[1]["hash"]));
    assert!(approve(&server, &json!({"id": again["id"], "hash": plans[1]["hash"]})).is_err(), "the old hash");
    assert_eq!(approve(&server, &again).unwrap()["state"], "executed");
}

#[test]
fn invariant_03_a_plan_that_was_altered_where_it_is_stored_is_void() {
    let mut server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea", "analyst");
    let plan = |last: u8| server.post("/api/v1/plans", &ann, &block("sim/web", &format!("203.0.113.{last}"))).unwrap();
    let plans: Vec<Value> = (71..76).map(plan).collect();
    let row = |at: usize| format!("hash='{}'", plans[at]["hash"].as_str().unwrap());
    let of = |at: usize| format!("plan_id=(SELECT id FROM plans WHERE {})", row(at));
    let flip = "body=CAST(substr(body,1,length(body)-1)||x'00' AS BLOB)";
    server.kill();
    // Its own row, the row of its action, the row of another plan in its place, and the columns that are looked up.
    server.sql(&format!("UPDATE plans SET {flip} WHERE {}", row(0)));
    server.sql(&format!("UPDATE actions SET {flip} WHERE {}", of(1)));
    server.sql(&format!("UPDATE actions SET body=(SELECT body FROM actions WHERE {}) WHERE {}", of(4), of(2)));
    server.sql(&format!("UPDATE plans SET state='approved' WHERE {}", row(3)));
    server.restart(&[]);
    for at in [0, 1, 2] {
        let approval = json!({"hash": plans[at]["hash"]});
        let refused = server.post(&path(&plans[at], "approve"), &bea, &approval).unwrap_err();
        assert_eq!(refused["code"], "storage", "plan {at}: {refused}");
        assert!(server.post(&path(&plans[at], "execute"), &bea, &json!({})).is_err(), "plan {at}");
    }
    assert!(server.post(&path(&plans[3], "execute"), &bea, &json!({})).is_err(), "a column approves nothing");
    assert_eq!(server.get(path(&plans[3], "").trim_end_matches('/'), &ann).unwrap()["actions"][0]["state"], "planned");
    assert_eq!(simulated(&server, "web").matches("203.0.113.").count(), 0, "nothing was done");
    let whole = server.post(&path(&plans[4], "approve"), &bea, &json!({"hash": plans[4]["hash"]})).unwrap();
    assert_eq!(whole["state"], "executed", "the others go on: {whole}");
}

#[test]
fn invariant_03_what_changed_since_the_approval_was_asked_for_voids_it() {
    let server = Server::start(&[]);
    let ann = server.token("personal");
    target(&server, &ann, "sim/web", false);
    let bea = colleague(&server, &ann, "bea", "analyst");
    let wanted = |params: Value| {
        let mut body = block("sim/web", "203.0.113.9");
        body["actions"][0]["params"] = params;
        server.post("/api/v1/plans", &ann, &body).unwrap()
    };
    // Other parameters are another plan: nobody's approval of the one is good for the other.
    let forever = wanted(json!({"address": "203.0.113.9"}));
    let minute = wanted(json!({"address": "203.0.113.9", "expires_in_s": 60}));
    let refused = server.post(&path(&forever, "approve"), &bea, &json!({"hash": minute["hash"]})).unwrap_err();
    assert_eq!(refused["code"], "plan_hash_mismatch", "{refused}");
    // The approval names what was seen; the target is another by now.
    let host = format!("/api/v1/targets/{}", forever["actions"][0]["target_id"].as_str().unwrap());
    let (status, body) = server.raw("patch", &host, Some(&ann), Some(r#"{"criticality": "high"}"#));
    assert_eq!(status, 200, "{body}");
    let denied = server.post(&path(&forever, "approve"), &bea, &json!({"hash": forever["hash"]})).unwrap();
    assert_eq!(denied["state"], "denied", "{denied}");
    assert!(denied["decision"]["denies"].to_string().contains("plan_changed"), "{denied}");
    assert_eq!(denied["actions"][0]["state"], "skipped", "{denied}");
    assert!(!simulated(&server, "web").contains("203.0.113.9"), "nothing was done");
}
