//! Rules and indicators of a running server: loaded from folders, changed without a restart, and never in the way of events.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/feed.rs"]
mod feed;
#[path = "support/server.rs"]
mod server;

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use feed::{config, post, quoted, settled};
use serde_json::{Value, json};
use server::{Server, until};

/// A rule of our own about one word.
fn rule(id: &str, title: &str, word: &str) -> String {
    format!(
        "title: {title}\nid: {id}\nstatus: test\ndescription: A word.\nlevel: medium\nlogsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    message|contains: {word}\n  condition: selection\n"
    )
}

const FIRST: &str = "5a000000-0000-4000-8000-000000000001";
const SECOND: &str = "5a000000-0000-4000-8000-000000000002";

fn sshd(text: &str) -> Vec<u8> {
    format!("Nov 21 10:15:02 web-07 sshd[4211]: {text}").into_bytes()
}

fn alerts(server: &Server, person: &str, rule: &str) -> Vec<Value> {
    settled(server, person);
    let list = server.get(&format!("/api/v1/alerts?limit=200&rule_id={rule}"), person).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn reload(server: &Server, person: &str) -> Value {
    server.post("/api/v1/rules/reload", person, &json!({})).unwrap()
}

#[test]
fn a_folder_of_rules_is_loaded_and_changes_come_into_force_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("sigma/rules/linux");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("first.yml"), rule(FIRST, "First word", "heliotrope")).unwrap();
    let arg = config(dir.path(), &format!("[rules]\ndirs = [{}]\n", quoted(&dir.path().join("sigma"))));
    let server = Server::start(&["--config", &arg]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let shown = server.get(&format!("/api/v1/rules/{FIRST}"), &person).unwrap();
    assert_eq!((&shown["origin"], &shown["title"]), (&json!("directory"), &json!("First word")), "{shown}");
    assert!(shown["file"].as_str().unwrap().ends_with("first.yml"), "{shown}");
    post(&server, "/api/v1/events", &ingest, &[], &sshd("heliotrope"));
    assert_eq!(alerts(&server, &person, FIRST).len(), 1);

    // Another version, by polling.
    fs::write(rules.join("first.yml"), rule(FIRST, "First word, again", "marigold")).unwrap();
    until(|| {
        let shown = server.get(&format!("/api/v1/rules/{FIRST}"), &person).ok()?;
        (shown["title"] == "First word, again").then_some(())
    });
    post(&server, "/api/v1/events", &ingest, &[], &sshd("marigold"));
    let counts: Vec<_> = alerts(&server, &person, FIRST).iter().map(|alert| alert["count"].clone()).collect();
    assert_eq!(counts, [2], "both versions matched, in one alert of the rule's window");

    // A new file, at once.
    fs::write(rules.join("second.yml"), rule(SECOND, "Second word", "periwinkle")).unwrap();
    let answer = reload(&server, &person);
    assert_eq!(answer["failed"], 0, "{answer}");
    post(&server, "/api/v1/events", &ingest, &[], &sshd("periwinkle"));
    assert_eq!(alerts(&server, &person, SECOND).len(), 1);

    // A file that is gone: its rule is gone, its alerts stay.
    fs::remove_file(rules.join("second.yml")).unwrap();
    reload(&server, &person);
    assert_eq!(server.get(&format!("/api/v1/rules/{SECOND}"), &person).unwrap_err()["code"], "not_found");
    assert_eq!(alerts(&server, &person, SECOND).len(), 1);
}

#[test]
fn a_rule_that_cannot_be_used_is_told_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir_all(&rules).unwrap();
    let write = |name: &str, text: &str| fs::write(rules.join(name), text).unwrap();
    write("a-good.yml", &rule(FIRST, "Good", "heliotrope"));
    let arg = config(dir.path(), &format!("[rules]\ndirs = [{}]\n", quoted(&rules)));
    let server = Server::start(&["--config", &arg]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let before = reload(&server, &person);
    assert_eq!(before["failed"], 0, "{before}");

    write("b-yaml.yml", "title: [unclosed\nid: x\n");
    write(
        "c-modifier.yml",
        &rule("5a000000-0000-4000-8000-000000000003", "Modifier", "x").replace("|contains", "|sounds_like"),
    );
    write(
        "d-regex.yml",
        &rule("5a000000-0000-4000-8000-000000000004", "Regex", "'((a{1000}){1000}){1000}'").replace("|contains", "|re"),
    );
    write("e-twice.yml", &rule(FIRST, "The same id", "marigold"));
    write(
        "f-condition.yml",
        &rule("5a000000-0000-4000-8000-000000000005", "Condition", "x")
            .replace("condition: selection", "condition: selection and nothing"),
    );
    fs::write(rules.join("g-bytes.yml"), b"title: \xff\xfe\n").unwrap();
    write("h-good.yml", &rule(SECOND, "Also good", "periwinkle"));
    let answer = reload(&server, &person);
    assert_eq!(answer["loaded"].as_u64().unwrap(), before["loaded"].as_u64().unwrap() + 1, "{answer}");
    assert_eq!(answer["failed"], 5, "{answer}");
    let said = answer["diagnostics"].as_array().unwrap();
    for name in ["b-yaml.yml", "c-modifier.yml", "d-regex.yml", "f-condition.yml", "g-bytes.yml"] {
        let about =
            said.iter().find(|said| said["file"].as_str().unwrap().ends_with(name) && said["severity"] == "error");
        let about = about.unwrap_or_else(|| panic!("nothing is said about {name}: {answer}"));
        assert!(
            !about["message"].as_str().unwrap().is_empty() && !about["fix"].as_str().unwrap().is_empty(),
            "{about}"
        );
        assert!(name == "g-bytes.yml" || about["line"].as_u64().unwrap() > 0, "{about}");
    }
    let kept = server.get(&format!("/api/v1/rules/{FIRST}"), &person).unwrap();
    assert_eq!(kept["title"], "The same id", "the later of two with one id is used: {kept}");
    let twice = said.iter().find(|said| said["code"] == "duplicate-id").unwrap();
    assert!(twice["file"].as_str().unwrap().ends_with("a-good.yml"), "{twice}");
    assert!(twice["message"].as_str().unwrap().contains("e-twice.yml"), "{twice}");
    post(&server, "/api/v1/events", &ingest, &[], &sshd("marigold and periwinkle"));
    assert_eq!((alerts(&server, &person, FIRST).len(), alerts(&server, &person, SECOND).len()), (1, 1));
}

#[test]
fn an_event_with_a_listed_indicator_raises_an_alert_that_says_where_it_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("feed.txt");
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    fs::write(&list, format!("# a feed\n203.0.113.77\nevil.example\n{hash}\n")).unwrap();
    let arg = config(dir.path(), &format!("[intel]\nindicator_files = [{}]\n", quoted(&list)));
    let server = Server::start(&["--config", &arg]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let events = [
        String::from_utf8(sshd("Failed password for root from 203.0.113.77 port 1 ssh2")).unwrap(),
        json!({"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 22, "Computer": "win-01", "QueryName": "www.evil.example", "Image": "C:\\a.exe"}).to_string(),
        json!({"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Computer": "win-01", "Image": "C:\\b.exe", "CommandLine": "b", "Hashes": format!("SHA256={}", hash.to_uppercase())}).to_string(),
        String::from_utf8(sshd("Failed password for root from 203.0.113.78 port 1 ssh2")).unwrap(),
    ];
    let answer = post(&server, "/api/v1/events", &ingest, &[], events.join("\n").as_bytes()).json();
    assert_eq!(answer["accepted"], 4, "{answer}");
    let found = alerts(&server, &person, "indicator:feed");
    assert_eq!(found.len(), 3, "{found:?}");
    let mut told: Vec<String> = found
        .iter()
        .map(|alert| {
            assert_eq!(alert["severity"], "high");
            let shown = server.get(&format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap()), &person).unwrap();
            let field = &shown["matches"][0]["fields"][0];
            format!("{}: {}", field["selection"].as_str().unwrap(), field["pattern"].as_str().unwrap())
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "feed, line 2: 203.0.113.77".to_owned(),
            "feed, line 3: evil.example".to_owned(),
            format!("feed, line 4: {hash}")
        ]
    );

    // The list grows, and what it names from then on is found.
    fs::write(&list, "203.0.113.78\nnot an indicator at all\n").unwrap();
    let answer = reload(&server, &person);
    assert!(
        answer["diagnostics"].as_array().unwrap().iter().any(|said| said["file"] == "feed" && said["line"] == 2),
        "{answer}"
    );
    post(&server, "/api/v1/events", &ingest, &[], events[3].as_bytes());
    assert_eq!(alerts(&server, &person, "indicator:feed").len(), 4);
}

/// Three refused words of one user within an hour; the rule below is in the same file and silent.
fn correlated(word: &str) -> String {
    format!(
        "title: Three words\nid: {FIRST}\nstatus: test\nlevel: high\ncorrelation:\n  type: event_count\n  rules: word\n  group-by: [src_ip]\n  timespan: 1h\n  condition: {{gte: 3}}\n---\n{}",
        rule(SECOND, "A word", word).replace("status: test", "name: word\nstatus: test")
    )
}

#[test]
fn a_correlation_raises_one_alert_that_grows_and_what_it_remembers_outlives_a_reload() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("three.yml"), correlated("Failed password")).unwrap();
    let arg = config(dir.path(), &format!("[rules]\ndirs = [{}]\n", quoted(&rules)));
    let server = Server::start(&["--config", &arg]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let failed = |second: u32, from: &str| {
        format!("Nov 21 10:15:{second:02} web-07 sshd[4211]: Failed password for root from {from} port 1 ssh2")
            .into_bytes()
    };
    let send = |second: u32, from: &str| post(&server, "/api/v1/events", &ingest, &[], &failed(second, from));
    send(1, "203.0.113.9");
    send(2, "203.0.113.9");
    send(3, "203.0.113.10");
    assert_eq!(alerts(&server, &person, FIRST), Vec::<Value>::new());
    // What is remembered outlives a change of other rules.
    fs::write(rules.join("other.yml"), rule("5a000000-0000-4000-8000-000000000003", "Other", "periwinkle")).unwrap();
    reload(&server, &person);
    send(4, "203.0.113.9");
    let first = alerts(&server, &person, FIRST);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((&first[0]["count"], &first[0]["severity"]), (&json!(3), &json!("high")));
    assert!(first[0]["entities"].to_string().contains("203.0.113.9"), "{first:?}");
    assert_eq!(first[0]["event_ids"].as_array().unwrap().len(), 3, "{first:?}");
    assert_eq!(alerts(&server, &person, SECOND), Vec::<Value>::new(), "the rule below is silent");
    send(5, "203.0.113.9");
    let grown = alerts(&server, &person, FIRST);
    assert_eq!((grown.len(), &grown[0]["id"], &grown[0]["count"]), (1, &first[0]["id"], &json!(4)));

    let shown = server.get(&format!("/api/v1/rules/{FIRST}"), &person).unwrap();
    assert_eq!(shown["correlation"]["type"], "event_count", "{shown}");
    assert_eq!(shown["correlation"]["members"], json!([SECOND]), "{shown}");
    let line = |at: u32| json!({"message": String::from_utf8(failed(at, "203.0.113.9")).unwrap()});
    let events = json!({"events": [line(1), line(2), line(3)]});
    let tried = server.post(&format!("/api/v1/rules/{FIRST}/test"), &person, &events).unwrap();
    assert_eq!(tried["results"][0]["matched"], true, "{tried}");
}

/// A list, made and filled, that events are checked against.
fn listed(server: &Server, person: &str, about: &Value, text: &str) -> String {
    let made = server.post("/api/v1/indicators/lists", person, about).unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    let answer = server.post_text(&format!("/api/v1/indicators/lists/{id}/import"), person, text);
    assert_eq!((&answer["staged"], answer["diagnostics"].as_array().unwrap().len()), (&json!(false), 0), "{answer}");
    in_use(server, person, &id);
    id
}

fn in_use(server: &Server, person: &str, id: &str) {
    until(|| {
        let list = server.get(&format!("/api/v1/indicators/lists/{id}"), person).unwrap();
        (list["state"] == "in_use").then_some(())
    });
}

#[test]
fn an_alert_says_which_list_names_it_since_when_and_how_surely() {
    let mut server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let csv = "value,comment,confidence,valid_until\n203.0.113.77,C2 of a botnet,80,2099-01-01T00:00:00Z\n203.0.113.78,over,80,2001-01-01T00:00:00Z\n";
    let about = json!({"name": "feed", "source": "https://feed.example", "severity": "critical"});
    let id = listed(&server, &person, &about, csv);
    let said = |address: &str| sshd(&format!("Failed password for root from {address} port 1 ssh2"));
    let lines = [said("203.0.113.77"), said("203.0.113.78"), said("203.0.113.79")].join(&b'\n');
    post(&server, "/api/v1/events", &ingest, &[], &lines);
    let found = alerts(&server, &person, &format!("indicator:{id}"));
    assert_eq!((found.len(), &found[0]["severity"]), (1, &json!("critical")), "{found:?}");
    let alert = found[0]["id"].as_str().unwrap();
    let shown = server.get(&format!("/api/v1/alerts/{alert}"), &person).unwrap();
    let from = &shown["indicators"][0]["provenance"];
    assert_eq!(
        (&shown["indicator_state"], &from["list_id"], &from["line"]),
        (&json!("checked"), &json!(id), &json!(2))
    );
    assert_eq!((&from["source"], &from["reference"]), (&json!("https://feed.example"), &json!("C2 of a botnet")));
    assert_eq!((&from["confidence"], from["added_at"].is_string()), (&json!(80), true));
    assert_eq!(from["expires_at"], "2099-01-01T00:00:00.000000Z");
    let hits = server.get("/api/v1/indicators/hits", &person).unwrap();
    assert_eq!((hits["items"].as_array().unwrap().len(), &hits["items"][0]["alert_id"]), (1, &json!(alert)), "{hits}");

    // What an allow-list names is kept as a hit, and is no alert; all of it survives a restart.
    let good = listed(&server, &person, &json!({"name": "ours", "allow": true}), "203.0.113.0/24\n");
    server.kill();
    server.restart(&[]);
    post(&server, "/api/v1/events", &ingest, &[], &said("203.0.113.77"));
    let hit = until(|| {
        let hits = server.get("/api/v1/indicators/hits?allowed=true", &person).unwrap();
        hits["items"].as_array().unwrap().first().cloned()
    });
    assert_eq!((&hit["allowed_by"]["list_id"], &hit["count"]), (&json!(good), &json!(2)));
    assert_eq!(alerts(&server, &person, &format!("indicator:{id}")).len(), 1);
    let named = server.get("/api/v1/indicators?value=203.0.113.77", &person).unwrap();
    assert_eq!(named["items"].as_array().unwrap().len(), 2, "{named}");
}

#[test]
fn an_import_in_pieces_counts_with_its_last_one_and_names_its_bad_lines() {
    let server = Server::start(&[]);
    let person = server.token("personal");
    let id = listed(&server, &person, &json!({"name": "feed"}), "old.example\n");
    let path = format!("/api/v1/indicators/lists/{id}/import");
    let first = server.post_text(&format!("{path}?more=true"), &person, "one.example\nnot an indicator\n");
    assert_eq!((&first["staged"], &first["list"]["entries"]), (&json!(true), &json!(1)), "{first}");
    assert_eq!((&first["refused"], &first["diagnostics"][0]["line"]), (&json!(1), &json!(2)));
    let held = |query: &str| {
        let list = server.get(&format!("/api/v1/indicators?list={id}{query}"), &person).unwrap();
        let shown = |item: &Value| format!("{}:{}", item["provenance"]["line"], item["indicator"].as_str().unwrap());
        (list["items"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>(), list["next_cursor"].clone())
    };
    assert_eq!(held("").0, ["1:old.example"]);
    let refused = |query: &str, status: u16| {
        let (was, problem) = server.raw("POST", &format!("{path}?{query}"), Some(&person), Some("x.example"));
        assert_eq!(was, status, "{query}: {problem}");
    };
    // Another import begins: this one is not mixed with it, and each of its pieces comes after the one before.
    let stale = first["next"].as_str().unwrap();
    let again = server.post_text(&format!("{path}?more=true"), &person, "one.example\nnot an indicator\n");
    let next = again["next"].as_str().unwrap();
    refused(&format!("from_line=3&after={stale}"), 409);
    refused("from_line=3", 400);
    let more = server.post_text(&format!("{path}?from_line=3&more=true&after={next}"), &person, "two.example");
    refused(&format!("from_line=3&after={next}"), 409);
    assert_eq!(held("").0, ["1:old.example"]);
    let next = more["next"].as_str().unwrap();
    server.post_text(&format!("{path}?from_line=4&after={next}"), &person, "203.0.113.7");
    assert_eq!(held("").0, ["1:one.example", "3:two.example", "4:203.0.113.7"]);
    assert_eq!(held("&kind=ip").0, ["4:203.0.113.7"]);
    let (page, cursor) = held("&limit=2");
    assert_eq!(page, ["1:one.example", "3:two.example"]);
    assert_eq!(held(&format!("&limit=2&cursor={}", cursor.as_str().unwrap())).0, ["4:203.0.113.7"]);
    refused("from_line=9", 400);
}

#[test]
fn reloading_rules_loses_no_event_and_no_match() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("steady.yml"), rule(FIRST, "Steady", "heliotrope")).unwrap();
    let arg = config(dir.path(), &format!("[rules]\ndirs = [{}]\n", quoted(&rules)));
    let server = Server::start(&["--config", &arg]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let done = AtomicBool::new(false);
    let posted = std::thread::scope(|scope| {
        let poster = scope.spawn(|| {
            let mut posted = 0_u64;
            while !done.load(Ordering::SeqCst) {
                let body = (0..20)
                    .map(|at| String::from_utf8(sshd(&format!("heliotrope {posted} {at}"))).unwrap())
                    .collect::<Vec<_>>()
                    .join("\n");
                let answer = post(&server, "/api/v1/events", &ingest, &[], body.as_bytes());
                assert_eq!(answer.status, 200, "{}", answer.text);
                posted += answer.json()["accepted"].as_u64().unwrap();
            }
            posted
        });
        for turn in 0..8 {
            flip(&rules, turn);
            reload(&server, &person);
        }
        done.store(true, Ordering::SeqCst);
        poster.join().unwrap()
    });
    assert!(posted > 0);
    let stats = settled(&server, &person);
    assert_eq!((&stats["accepted"], &stats["processed"]), (&json!(posted), &json!(posted)), "{stats}");
    let matched: u64 = alerts(&server, &person, FIRST).iter().map(|alert| alert["count"].as_u64().unwrap()).sum();
    assert_eq!(matched, posted, "every event was matched, before and after each change");
}

/// Another rule comes, changes, and goes.
fn flip(rules: &Path, turn: usize) {
    let other = rules.join("other.yml");
    match turn % 3 {
        0 => fs::write(&other, rule(SECOND, "Other", "periwinkle")).unwrap(),
        1 => fs::write(&other, rule(SECOND, "Other again", "marigold")).unwrap(),
        _ => fs::remove_file(&other).unwrap(),
    }
}
