//! What a request must say, and what a repeated, stale, forged or endless one is told.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
};

use super::*;

const KEY: &str = "idempotency-key";

fn role(name: &str) -> Value {
    json!({"name": name, "permissions": ["alert.read"]})
}

#[test]
fn what_creates_is_done_once_for_one_key() {
    let site = Site::start(&[]);
    let org = site.tenant("repeat", "Repeat", None);
    let ask = |key: &str, body: &Value| org.admin.call_with("POST", "/api/v1/roles", &[(KEY, key)], Some(body));
    org.admin.call_with("POST", "/api/v1/roles", &[], Some(&role("a"))).refused(400, "idempotency_key_required");
    org.admin
        .call_with("POST", "/api/v1/roles", &[(KEY, "a"), (KEY, "b")], Some(&role("a")))
        .refused(400, "invalid_request");
    let first = ask("one", &role("a"));
    let again = ask("one", &role("a"));
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(
        (first.header("etag"), first.header("content-type")),
        (again.header("etag"), again.header("content-type"))
    );
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    ask("one", &role("b")).refused(409, "idempotency_conflict");
    assert_eq!(org.admin.items("/api/v1/roles").len(), 1, "made once");
    // The key is the principal's own: somebody else's request with it is another request.
    let second = org.member("second", "admin");
    second.call_with("POST", "/api/v1/roles", &[(KEY, "one")], Some(&role("c"))).ok();
    // What did nothing may be tried again with the same key.
    ask("two", &role("a")).refused(409, "already_exists");
    assert_eq!(ask("two", &role("d")).status, 201);
}

#[test]
fn a_secret_is_shown_once_even_to_the_same_key() {
    let site = Site::start(&[]);
    let org = site.tenant("shown", "Shown", None);
    for (path, body, member) in [
        ("/api/v1/keys", json!({"name": "k", "permissions": ["alert.read"]}), "key"),
        ("/api/v1/tokens", json!({"kind": "personal", "name": "t"}), "token"),
        ("/api/v1/invitations", json!({"name": "somebody", "role": "viewer"}), "link"),
    ] {
        let first = org.admin.call_with("POST", path, &[(KEY, "once")], Some(&body));
        let again = org.admin.call_with("POST", path, &[(KEY, "once")], Some(&body));
        assert!(first.ok()[member].is_string(), "{path}");
        assert_eq!(first.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!((again.status, &again.json()[member]), (first.status, &Value::Null), "{path}");
        assert_eq!(again.json()["secret_shown"], false, "{path}: {}", again.text);
        assert_eq!(again.json()["id"], first.json()["id"], "{path}");
    }
}

#[test]
fn of_many_at_once_with_one_key_one_is_done() {
    let site = Site::start(&[]);
    let org = site.tenant("race", "Race", None);
    let replies: Vec<_> = thread::scope(|scope| {
        let ask = || org.admin.call_with("POST", "/api/v1/roles", &[(KEY, "same")], Some(&role("one")));
        let running: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for reply in &replies {
        let in_flight = reply.status == 409 && reply.json()["code"] == "idempotency_in_flight";
        assert!(reply.status == 201 || in_flight, "{} {}", reply.status, reply.text);
    }
    assert!(replies.iter().any(|reply| reply.status == 201));
    assert_eq!(org.admin.items("/api/v1/roles").len(), 1);
}

#[test]
fn nobodys_change_is_overwritten_unseen() {
    let site = Site::start(&[]);
    let org = site.tenant("seen", "Seen", None);
    let made = org.admin.call("POST", "/api/v1/roles", Some(&role("r")));
    let path = format!("/api/v1/roles/{}", text(&made.json()["id"]));
    let shown = org.admin.call("GET", &path, None);
    assert_eq!(shown.header("etag"), made.header("etag"));
    let tag = shown.header("etag").unwrap().to_owned();
    let put = |more: &[(&str, &str)], name: &str| org.admin.call_with("PUT", &path, more, Some(&role(name)));
    put(&[], "a").refused(428, "precondition_required");
    for wrong in ["", "1", "\"1"] {
        put(&[("if-match", wrong)], "a").refused(400, "invalid_request");
    }
    for other in ["\"one\"", "W/\"1\""] {
        put(&[("if-match", other)], "a").refused(412, "precondition_failed");
    }
    let changed = put(&[("if-match", &tag)], "a");
    changed.ok();
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    put(&[("if-match", &tag)], "b").refused(412, "precondition_failed");
    org.admin.call_with("DELETE", &path, &[("if-match", &tag)], None).refused(412, "precondition_failed");
    put(&[("if-match", "*")], "b").ok();
    org.admin.call_with("DELETE", &path, &[], None).refused(428, "precondition_required");
    org.admin.call_with("DELETE", &path, &[("if-match", "*")], None).ok();
}

#[test]
fn a_cursor_is_for_the_list_and_the_tenant_that_gave_it() {
    let site = Site::start(&[]);
    let (org, other) = (site.tenant("first", "First", None), site.tenant("other", "Other", None));
    for name in ["a", "b", "c"] {
        for org in [&org, &other] {
            org.admin.post("/api/v1/keys", &json!({"name": name, "permissions": ["alert.read"]}));
            org.admin.post("/api/v1/invitations", &json!({"name": format!("{name}-guest"), "role": "viewer"}));
        }
    }
    let cursor = |path: &str| text(&org.admin.get(&format!("{path}?limit=1"))["next_cursor"]);
    let keys = cursor("/api/v1/keys");
    assert_eq!(org.admin.items(&format!("/api/v1/keys?limit=1&cursor={keys}")).len(), 1);
    let forged = format!("{}{}", keys.get(..keys.len() - 2).unwrap(), if keys.ends_with("AA") { "BB" } else { "AA" });
    for (caller, path) in [
        (&org.admin, format!("/api/v1/invitations?cursor={keys}")),
        (&org.admin, format!("/api/v1/keys?cursor={forged}")),
        (&org.admin, "/api/v1/keys?cursor=forged".to_owned()),
        (&org.admin, format!("/api/v1/keys?cursor={}", "A".repeat(4_000))),
        (&other.admin, format!("/api/v1/keys?cursor={keys}")),
    ] {
        caller.call("GET", &path, None).refused(400, "invalid_cursor");
    }
}

#[test]
fn ten_thousand_items_at_once_are_too_many_and_say_what_to_do() {
    let site = Site::start(&[]);
    let org = site.tenant("bulk", "Bulk", None);
    let absent = "alt_01h455vb4pex5vsknk084sn02q";
    let bulk = |count: usize| {
        let body = json!({"ids": vec![absent; count], "status": "in_progress", "reason": "a look"});
        org.admin.call("POST", "/api/v1/alerts/bulk", Some(&body))
    };
    let many = bulk(10_000);
    many.refused(413, "too_many_items");
    assert!(many.text.contains("1000") && many.text.contains("respond-async"), "what to do is said: {}", many.text);
    let some = bulk(3).ok();
    let results = some["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["code"] == "not_found"), "{some}");
}

#[test]
fn many_items_become_a_job_that_says_what_became_of_each() {
    let site = Site::start(&[]);
    let org = site.tenant("jobs", "Jobs", None);
    let line = "Nov 21 03:00:00 web-07 sshd[411]: Accepted password for root from 203.0.113.9 port 51000 ssh2";
    org.shipper("in").bytes("POST", "/api/v1/events?source=sshd", &[], "text/plain", line.as_bytes()).ok();
    let found = || org.admin.get("/api/v1/alerts")["items"][0]["id"].as_str().map(str::to_owned);
    let alert = until(found);
    let mut ids = vec!["alt_01h455vb4pex5vsknk084sn02q".to_owned(); 2_500];
    ids.push(alert.clone());
    let body = json!({"ids": ids, "status": "in_progress", "reason": "a look"});
    let headers = [("idempotency-key", "a-job"), ("prefer", "respond-async")];
    let begun = org.admin.call_with("POST", "/api/v1/alerts/bulk", &headers, Some(&body));
    assert_eq!(begun.status, 202, "{}", begun.text);
    let at = begun.header("location").unwrap().to_owned();
    let job = until(|| Some(org.admin.get(&at)).filter(|job| job["state"] != "running"));
    assert_eq!(
        (&job["state"], &job["total"], &job["done"], &job["failed"]),
        (&json!("done"), &json!(2_501), &json!(2_501), &json!(2_500))
    );
    let results = job["results"].as_array().unwrap();
    assert_eq!((&results[0]["code"], &results[0]["status"]), (&json!("not_found"), &json!(404)));
    assert_eq!((&results[2_500]["id"], &results[2_500]["status"]), (&json!(alert), &json!(200)));
    assert_eq!(org.admin.get(&format!("/api/v1/alerts/{alert}"))["status"], "in_progress");
    let again = org.admin.call_with("POST", "/api/v1/alerts/bulk", &headers, Some(&body));
    assert_eq!(again.header("location"), Some(at.as_str()), "the same request is the same job");
}

#[test]
fn a_job_ends_with_the_right_that_began_it() {
    let site = Site::start(&[]);
    let org = site.tenant("rights", "Rights", None);
    let key = org.admin.post("/api/v1/keys", &json!({"name": "k", "permissions": ["alert.write"]}));
    let by_key = Caller::bearer(site.url(), key["key"].as_str().unwrap());
    let body = json!({"ids": vec!["alt_01h455vb4pex5vsknk084sn02q"; 10_000], "status": "in_progress"});
    let begin = |who: &Caller| {
        let sent = server::fresh_key();
        let headers = [(KEY, sent.as_str()), ("prefer", "respond-async")];
        text(&who.call_with("POST", "/api/v1/alerts/bulk", &headers, Some(&body)).ok()["id"])
    };
    let ended = |job: &str| {
        let path = format!("/api/v1/jobs/{job}");
        let job = until(|| Some(org.admin.get(&path)).filter(|job| job["state"] != "running"));
        assert_eq!(job["state"], "failed", "{} of {}", job["done"], job["total"]);
        text(&job["why"])
    };
    let job = begin(&by_key);
    org.admin.call("DELETE", &format!("/api/v1/keys/{}", text(&key["id"])), None).ok();
    let why = ended(&job);
    assert!(why.contains("gone"), "{why}");
    let job = begin(&org.admin);
    site.operator.post("/api/v1/tenants/rights/suspend", &json!({"reason": "as agreed"}));
    let why = ended(&job);
    assert!(why.contains("suspended"), "{why}");
}

#[test]
fn a_flood_is_told_when_to_come_again_and_others_are_not_slowed() {
    let site = Site::start(&[("SHIELDOPS_LIMITS__ENABLED", "true")]);
    let (loud, calm) = (site.tenant("loud", "Loud", None), site.tenant("calm", "Calm", None));
    let first = loud.admin.call("GET", "/api/v1/alerts", None);
    let standing = first.header("ratelimit").expect("a RateLimit header").to_owned();
    let policy = first.header("ratelimit-policy").expect("a RateLimit-Policy header");
    assert!(policy.contains("q=") && policy.contains("w=") && standing.contains("r="), "{policy} {standing}");
    let refused = (0..2_000)
        .find_map(|_| Some(loud.admin.call("GET", "/api/v1/alerts", None)).filter(|reply| reply.status == 429));
    let refused = refused.expect("a limit");
    refused.refused(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").expect("when to come again").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    calm.admin.call("GET", "/api/v1/alerts", None).ok();
}

#[test]
fn a_length_that_is_only_said_costs_nobody_the_intake() {
    let site = Site::start(&[("SHIELDOPS_LIMITS__ENABLED", "true")]);
    let org = site.tenant("said", "Said", None);
    let (shipper, other) = (org.shipper("edge"), org.shipper("other"));
    let (_, viewer) = Org::token_of(&org.member("vic", "viewer"), "t");
    for (caller, length, status) in [
        (&viewer, "9000000000000000000", "403"),
        (&viewer, "33000000", "403"),
        (&shipper, "9000000000000000000", "413"),
        (&shipper, "33554433", "413"),
    ] {
        let bearer = &caller.headers[0].1;
        for _ in 0..20 {
            let head = format!(
                "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {bearer}\r\nContent-Length: {length}\r\n\r\n"
            );
            let answer = spoken(site.url(), head.as_bytes());
            assert_eq!(answer.split(' ').nth(1), Some(status), "{length}: {answer}");
        }
    }
    for caller in [&shipper, &other] {
        assert_eq!(caller.send_lines("one line")["accepted"], 1);
    }
}

/// Status line and body of what is answered to these bytes.
fn spoken(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut text = Vec::new();
    drop(stream.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn smuggled_and_doubled_headers_reach_nobody() {
    let site = Site::start(&[]);
    let (_, token) = Org::token_of(&site.operator, "t");
    let bearer = &token.headers[0].1;
    for head in [
        format!("Authorization: {bearer}\r\nAuthorization: {bearer}\r\n"),
        format!("Authorization: {bearer}\r\nContent-Length: 4\r\nContent-Length: 5\r\n"),
        format!("Authorization : {bearer}\r\n"),
        "Authorization: Bearer\r\n".to_owned(),
    ] {
        let request = format!("GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n0\r\n\r\n");
        let answer = spoken(site.url(), request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "401"].contains(&status), "{head}: {answer}");
    }
    // Of two lengths the chunks count, and the connection ends with that one answer: what follows is no request.
    let two = format!("Authorization: {bearer}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n");
    let hidden = "GET /api/v1/users HTTP/1.1\r\nHost: localhost\r\n";
    let request = format!(
        "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n{two}\r\n0\r\n\r\n{hidden}Authorization: {bearer}\r\n\r\n"
    );
    let answer = spoken(site.url(), request.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[test]
fn many_alerts_are_told_in_one_shape_at_once_and_as_a_job() {
    const PATH: &str = "/api/v1/alerts/bulk";
    let site = Site::start(&[]);
    let org = site.tenant("many", "Many", None);
    org.shipper("edge").send_lines(&attack("web", 7));
    let alert = until(|| org.admin.items("/api/v1/alerts").into_iter().next());
    let body = json!({"ids": [alert["id"], "alt_01h455vb4pex5vsknk084sn02q"], "status": "in_progress"});
    let at_once = org.admin.post(PATH, &body)["results"].clone();
    assert_eq!(at_once[0], json!({"id": alert["id"], "status": 200, "code": null, "detail": null}));
    assert_eq!((&at_once[1]["status"], &at_once[1]["code"]), (&json!(404), &json!("not_found")));
    let later = |body: &Value| {
        let key = server::fresh_key();
        org.admin.call_with("POST", PATH, &[(KEY, &key), ("prefer", "respond-async")], Some(body))
    };
    let begun = later(&body);
    assert_eq!(begun.status, 202, "{}", begun.text);
    let job = format!("/api/v1/jobs/{}", text(&begun.json()["id"]));
    let done = until(|| Some(org.admin.get(&job)).filter(|job| job["state"] == "done"));
    assert_eq!(done["results"], at_once, "one shape");
    let version = org.admin.get(&format!("/api/v1/alerts/{}", text(&alert["id"])))["version"].clone();
    for nothing in [json!({"ids": [alert["id"]]}), json!({"ids": [alert["id"]], "reason": "because"})] {
        org.admin.call("POST", PATH, Some(&nothing)).refused(400, "invalid_request");
        later(&nothing).refused(400, "invalid_request");
    }
    let after = org.admin.get(&format!("/api/v1/alerts/{}", text(&alert["id"])));
    assert_eq!(after["version"], version, "nothing was changed");
}

#[test]
fn any_version_of_a_list_may_be_the_one_that_is_there() {
    let site = Site::start(&[]);
    let org = site.tenant("tags", "Tags", None);
    let made = org.admin.post("/api/v1/roles", &role("night"));
    let path = format!("/api/v1/roles/{}", text(&made["id"]));
    let put = |tags: &[&str]| {
        let headers: Vec<_> = tags.iter().map(|tag| ("if-match", *tag)).collect();
        org.admin.call_with("PUT", &path, &headers, Some(&role("night")))
    };
    put(&["\"7\", \"1\""]).ok();
    put(&["\"7\"", "\"2\""]).ok();
    put(&["W/\"3\""]).refused(412, "precondition_failed");
    put(&["3"]).refused(400, "invalid_request");
    // Those that the store itself compares.
    let user = text(&org.member("tia", "viewer").get("/api/v1/me")["user"]["id"]);
    let user = format!("/api/v1/users/{user}");
    let version = org.admin.get(&user)["version"].clone();
    let change =
        |tags: &str| org.admin.call_with("PATCH", &user, &[("if-match", tags)], Some(&json!({"disabled": true})));
    change("\"0\"").refused(412, "precondition_failed");
    change(&format!("\"0\", \"{version}\"")).ok();
    let settings = json!({"session_idle_minutes": 30});
    org.admin.call_with("PUT", "/api/v1/settings", &[("if-match", "\"9\", \"0\"")], Some(&settings)).ok();
}

#[test]
fn a_job_whose_process_was_killed_has_failed_as_soon_as_the_next_one_serves() {
    let mut site = Site::start(&[]);
    let org = site.tenant("killed", "Killed", None);
    let ids = vec!["alt_01h455vb4pex5vsknk084sn02q"; 10_000];
    let headers = [(KEY, "once"), ("prefer", "respond-async")];
    let body = json!({"ids": ids, "status": "in_progress"});
    let begun = org.admin.call_with("POST", "/api/v1/alerts/bulk", &headers, Some(&body));
    assert_eq!(begun.status, 202, "{}", begun.text);
    site.server.kill();
    site.server.restart_with(&[], &[("SHIELDOPS_LIMITS__ENABLED", "false")]);
    let (job, admin) = (format!("/api/v1/jobs/{}", text(&begun.json()["id"])), org.admin.at(site.url()));
    let ended = until(|| Some(admin.get(&job)).filter(|job| job["state"] != "running"));
    assert_eq!(ended["state"], "failed", "{}", ended["done"]);
    let told = admin.items("/api/v1/ledger?kind=job.finished");
    assert_eq!(told[0]["actor"], "system:server", "{}", told[0]);
}
