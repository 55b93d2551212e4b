//! Who may do what, on a real server: nothing without a credential, nothing beyond a role, and a revoked credential is
//! refused on its next request.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/feed.rs"]
mod feed;
#[path = "access/live.rs"]
mod live;
#[path = "access/missed.rs"]
mod missed;
#[path = "support/server.rs"]
mod server;
#[path = "access/sign_in.rs"]
mod sign_in;

use serde_json::{Value, json};
use server::Server;

#[test]
fn every_documented_operation_refuses_a_caller_without_a_credential() {
    let server = Server::start(&[]);
    let description = server.get("/api/v1/openapi.json", "").unwrap();
    let public = |path: &str| path.starts_with("/api/v1/session") || path == "/api/v1/invitations/accept";
    let mut tried = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|method| ["get", "post", "put", "patch", "delete"].contains(&method.as_str()))
        {
            if public(path) && method == "post" {
                continue;
            }
            let path = path.replace("{id}", "x").replace("{slug}", "x");
            let (status, body) = server.raw(method, &path, None, Some("{}"));
            assert_eq!(status, 401, "{method} {path}: {body}");
            assert_eq!(body["code"], "unauthenticated", "{method} {path}");
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} operations");
}

#[test]
fn a_revoked_token_is_refused_on_its_next_request() {
    let server = Server::start(&[]);
    let person = server.token("personal");
    let made = server.post("/api/v1/tokens", &person, &json!({"kind": "ingest", "name": "shipper"})).unwrap();
    let shipper = made["token"].as_str().unwrap().to_owned();
    assert_eq!(server.post_text("/api/v1/events?source=sshd", &shipper, "a line")["accepted"], 1);
    let (status, _) =
        server.raw("delete", &format!("/api/v1/tokens/{}", made["id"].as_str().unwrap()), Some(&person), None);
    assert_eq!(status, 204);
    let (status, body) = server.raw("post", "/api/v1/events?source=sshd", Some(&shipper), Some("a line"));
    assert_eq!(status, 401, "{body}");
}

#[test]
fn an_ingest_token_reads_nothing() {
    let server = Server::start(&[]);
    let ingest = server.token("ingest");
    for path in ["/api/v1/alerts", "/api/v1/events", "/api/v1/ledger", "/api/v1/tokens", "/api/v1/ingest/stats"] {
        let refused = server.get(path, &ingest).unwrap_err();
        assert_eq!(refused["code"], "forbidden", "{path}");
    }
}

#[test]
fn the_admin_link_sets_the_password_once_and_a_session_needs_its_csrf_value() {
    let server = Server::start(&[]);
    let link = server.admin_link.clone().expect("an admin link while no administrator has a password");
    let weak = server.raw(
        "post",
        "/api/v1/session/claim",
        None,
        Some(&json!({"secret": link, "password": "short"}).to_string()),
    );
    assert_eq!(weak.0, 400, "{}", weak.1);
    let claim = json!({"secret": link, "password": "a long enough phrase"}).to_string();
    let cookie = server.cookie("/api/v1/session/claim", &claim).expect("a session");
    assert!(cookie.contains("__Host-session=sos_"));
    assert_eq!(server.cookie("/api/v1/session/claim", &claim), None, "a link is spent once");
    let me = server.with_cookie("get", "/api/v1/me", &cookie, None, None);
    assert_eq!(me.0, 200);
    let csrf = me.1["csrf"].as_str().unwrap().to_owned();
    let halt = json!({"reason": "test"}).to_string();
    let without = server.with_cookie("post", "/api/v1/automation/halt", &cookie, None, Some(&halt));
    assert_eq!((without.0, &without.1["code"]), (403, &Value::from("csrf")));
    let with = server.with_cookie("post", "/api/v1/automation/halt", &cookie, Some(&csrf), Some(&halt));
    assert_eq!(with.0, 200, "{}", with.1);
    assert_eq!(with.1["halted"], true);
}

#[test]
fn a_lone_administrator_cannot_approve_its_own_plan_and_a_second_user_can() {
    let server = Server::start(&[]);
    let person = server.token("personal");
    let target = json!({"kind": "linux_host", "name": "sim/web", "host": "web"});
    let made = server.post("/api/v1/targets", &person, &target).unwrap();
    assert_eq!(made["simulated"], true);
    let local = server.post("/api/v1/targets", &person, &json!({"kind": "linux_host", "name": "local"})).unwrap_err();
    assert_eq!(local["code"], "confirmation_required");
    let wanted = json!({"actions": [{"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/web"}, "params": {"address": "203.0.113.9"}}]});
    let plan = server.post("/api/v1/plans", &person, &wanted).unwrap();
    assert_eq!(plan["simulated"], true);
    let path = format!("/api/v1/plans/{}/approve", plan["id"].as_str().unwrap());
    let own = server.post(&path, &person, &json!({"hash": plan["hash"]})).unwrap_err();
    assert_eq!(own["code"], "requester_cannot_approve");
    server
        .post("/api/v1/users", &person, &json!({"name": "bea", "role": "analyst", "password": "another long phrase"}))
        .unwrap();
    let cookie = server
        .cookie("/api/v1/session", &json!({"name": "bea", "password": "another long phrase"}).to_string())
        .unwrap();
    let csrf = server.with_cookie("get", "/api/v1/me", &cookie, None, None).1["csrf"].as_str().unwrap().to_owned();
    let body = json!({"hash": plan["hash"]}).to_string();
    let (status, done) = server.with_cookie("post", &path, &cookie, Some(&csrf), Some(&body));
    assert_eq!(status, 200, "{done}");
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");
    assert_eq!(done["actions"][0]["simulated"], true);
}

#[test]
fn bad_requests_are_told_what_is_wrong_and_the_server_lives() {
    let mut server = Server::start(&[]);
    let person = server.token("personal");
    let ingest = server.token("ingest");
    let deep = "[".repeat(100_000);
    let cases: [(&str, &str, &str, &str, u16); 9] = [
        ("get", "/api/v1/alerts?limit=0", &person, "", 400),
        ("get", "/api/v1/alerts?cursor=forged", &person, "", 400),
        ("get", "/api/v1/alerts?entity=nonsense", &person, "", 400),
        ("get", "/api/v1/alerts/alt_x", &person, "", 404),
        ("post", "/api/v1/plans", &person, "{", 400),
        ("post", "/api/v1/plans", &person, &deep, 400),
        ("post", "/api/v1/plans", &person, r#"{"actions":[],"approver":"me"}"#, 400),
        ("put", "/api/v1/plans", &person, "{}", 405),
        ("get", "/api/v1/nothing", &person, "", 404),
    ];
    for (method, path, token, body, wanted) in cases {
        let (status, answer) = server.raw(method, path, Some(token), (!body.is_empty()).then_some(body));
        assert_eq!(status, wanted, "{method} {path}: {answer}");
        assert!(answer["code"].is_string(), "{method} {path}: {answer}");
    }
    let mixed = format!("{{\"message\":\"ok\"}}\n{{broken\n\u{0}\u{1}\n{{\"deep\":{deep}\n");
    let answer = server.post_text("/api/v1/events", &ingest, &mixed);
    assert!(answer["rejected"].as_u64().unwrap() >= 2, "{answer}");
    assert!(server.runs());
    let letters = server.get("/api/v1/dead-letters", &person).unwrap();
    assert!(!letters["items"].as_array().unwrap().is_empty());
}
