//! Events as they are found again: times that cannot be, and search by entity, text, source and time.

use super::*;

#[test]
fn times_beyond_belief_are_kept_and_flagged() {
    let server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let times = [
        ("2001-01-01T00:00:00Z", "old"),
        ("2399-01-01T00:00:00Z", "future"),
        ("9999-12-31T23:59:59Z", "future"),
        ("9999-12-31", "future"),
        ("-000001-01-01T00:00:00Z", "any"),
        ("99999999999999999999", "any"),
    ];
    for (at, (time, quality)) in times.iter().enumerate() {
        let line = json!({"time": time, "message": format!("times-{at};")}).to_string();
        assert_eq!(post(&server, "/api/v1/events", &ingest, &[], line.as_bytes()).json()["accepted"], 1, "{time}");
        let event = &wait_for(&server, &person, &format!("q=times-{at}%3B"), 1)[0];
        assert!(*quality == "any" || event["time_quality"] == *quality, "{event}");
        assert_ne!(event["time_quality"], "good", "{event}");
    }
    let none = post(&server, "/api/v1/events", &ingest, &[], b"{\"message\":\"times-none\"}");
    assert_eq!(none.json()["accepted"], 1);
    assert_eq!(wait_for(&server, &person, "q=times-none", 1)[0]["time_quality"], "missing");
}

#[test]
fn events_are_found_by_entity_text_source_and_time_page_by_page() {
    let server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let now = settled(&server, &person);
    assert_eq!(now["accepted"], 0);
    let line = |number: usize| {
        let address = if number.is_multiple_of(2) { "203.0.113.10" } else { "203.0.113.11" };
        json!({"message": format!("Failed password for find-{number}; from {address} port 1 ssh2"), "program": "sshd", "host": "web-07"}).to_string()
    };
    let body = (0..25).map(line).collect::<Vec<_>>().join("\n");
    assert_eq!(post(&server, "/api/v1/events", &ingest, &[], body.as_bytes()).json()["accepted"], 25);
    assert_eq!(
        post(&server, "/api/v1/events?source=other", &ingest, &[], b"find-nothing of that kind").json()["accepted"],
        1
    );
    settled(&server, &person);

    assert_eq!(search(&server, &person, "entity=ip:203.0.113.10").len(), 13);
    assert_eq!(search(&server, &person, "entity=ip:203.0.113.11").len(), 12);
    assert_eq!(search(&server, &person, "entity=ip:203.0.113.12").len(), 0);
    assert_eq!(search(&server, &person, "entity=host:web-07").len(), 25);
    assert_eq!(search(&server, &person, "q=FAILED%20password").len(), 25);
    assert_eq!(search(&server, &person, "entity=ip:203.0.113.10&q=find-4;").len(), 1);
    assert_eq!(search(&server, &person, "source=other").len(), 1);
    assert_eq!(search(&server, &person, "to=2001-01-01T00:00:00Z").len(), 0);
    assert_eq!(search(&server, &person, "from=2001-01-01T00:00:00Z&to=2399-01-01T00:00:00Z").len(), 26);
    assert_eq!(search(&server, &person, "from=2399-01-01T00:00:00Z").len(), 0);

    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = server.get(&format!("/api/v1/events?limit=4&entity=host:web-07{cursor}"), &person).unwrap();
        pages += 1;
        assert!(page["items"].as_array().unwrap().len() <= 4);
        seen.extend(page["items"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!((7..=8).contains(&pages), "{pages} pages");
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");
    for (query, code) in [
        ("limit=0", "invalid_request"),
        ("limit=201", "invalid_request"),
        ("cursor=x", "invalid_cursor"),
        ("from=x", "invalid_request"),
        ("entity=x", "invalid_request"),
    ] {
        let refused = server.get(&format!("/api/v1/events?{query}"), &person).unwrap_err();
        assert_eq!(refused["code"], code, "{query}: {refused}");
    }
}
