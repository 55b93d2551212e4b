//! A client of live updates that was away: what it is told when it comes back.

use super::{live::Live, *};

const LINE: &str = "Nov 21 10:15:02 web-07 sshd[4211]: Accepted password for root from 203.0.113.66 port 51122 ssh2";

/// Posts what raises an alert, and waits until nothing more comes of it.
fn attack(server: &Server, watch: &mut Live, ingest: &str) {
    server.post_text("/api/v1/events", ingest, LINE);
    watch.through(&["alert", "incident", "investigation"]);
}

#[test]
fn whoever_comes_back_is_told_what_changed_meanwhile_and_nothing_of_its_content() {
    let server = Server::start(&[]);
    let (admin, ingest) = (server.token("personal"), server.token("ingest"));
    let (away, _, place) = Live::since(&server, &admin, 0);
    drop(away);
    let mut watch = Live::with_token(&server, &admin);
    attack(&server, &mut watch, &ingest);
    server.post("/api/v1/automation/halt", &admin, &json!({"reason": "test"})).unwrap();

    let (mut back, frames, now) = Live::since(&server, &admin, place);
    assert!(now > place);
    for kind in ["alert", "incident", "investigation", "automation"] {
        assert!(frames.iter().any(|frame| frame["kind"] == kind), "no frame of {kind}: {frames:?}");
    }
    for frame in &frames {
        let mut names: Vec<_> = frame.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["id", "kind", "seq", "version"], "{frame}");
        if frame["kind"] == "alert" {
            let alert = server.get(&format!("/api/v1/alerts/{}", frame["id"].as_str().unwrap()), &admin).unwrap();
            assert_eq!(frame["version"], alert["version"], "its present version");
        }
    }
    server.post("/api/v1/automation/resume", &admin, &json!({"reason": "test"})).unwrap();
    back.through(&["automation"]);
    let (_, rest, _) = Live::since(&server, &admin, now + 1);
    assert!(rest.iter().all(|frame| frame["kind"] != "resync"), "{rest:?}");
}

#[test]
fn nobody_is_told_of_a_list_that_it_may_not_read_and_a_place_that_is_not_ours_means_everything() {
    let server = Server::start(&[]);
    let (admin, ingest) = (server.token("personal"), server.token("ingest"));
    let mut watch = Live::with_token(&server, &admin);
    attack(&server, &mut watch, &ingest);
    let (_, frames, size) = Live::since(&server, &ingest, 0);
    assert_eq!(frames, [Value::Null; 0], "an ingest token reads nothing");
    let (_, frames, _) = Live::since(&server, &admin, size + 1_000);
    assert_eq!(frames.iter().map(|frame| &frame["kind"]).collect::<Vec<_>>(), ["resync"]);
    let (status, problem) = server.raw("get", "/api/v1/live?since=x", Some(&admin), None);
    assert_eq!(status, 400, "{problem}");
}
