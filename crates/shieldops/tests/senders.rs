//! Real senders against a real server: what is acknowledged is stored, whole and once, and what is refused is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "senders/events.rs"]
mod events;
#[path = "support/feed.rs"]
mod feed;
#[path = "senders/once.rs"]
mod once;
#[path = "senders/pressure.rs"]
mod pressure;
#[path = "support/server.rs"]
mod server;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::Write as _,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use feed::{Running, config, filter, free_port, has, markers, post, quoted, search, send, settled, wait_for};
use serde_json::{Value, json};
use server::{Server, until};

const OMELASTICSEARCH: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so", "/usr/lib/rsyslog/omelasticsearch.so"];

/// rsyslog with a TCP input, posting to `/_bulk` of a server. Gives the process and its input's port.
fn rsyslog(dir: &Path, server: &Server, token: &str) -> (Running, u16) {
    let (port_file, conf) = (dir.join("port"), dir.join("rsyslog.conf"));
    let server_port = server.url().rsplit(':').next().unwrap();
    let text = format!(
        r#"global(workDirectory={dir})
module(load="imtcp")
module(load="omelasticsearch")
template(name="document" type="list" option.jsonf="on") {{
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="program" name="programname" format="jsonf")
  property(outname="pid" name="procid" format="jsonf")
  property(outname="message" name="msg" position.from="2" format="jsonf")
}}
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName={port_file})
action(type="omelasticsearch" server="127.0.0.1" serverport="{server_port}" searchIndex="logs" template="document"
  bulkmode="on" uid="shipper" pwd="{token}" action.resumeRetryCount="-1" action.resumeInterval="1"
  queue.type="LinkedList" queue.dequeueBatchSize="40")
"#,
        dir = quoted(dir),
        port_file = quoted(&port_file),
    );
    fs::write(&conf, text).unwrap();
    let child = Command::new("rsyslogd")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("-n")
        .arg("-f")
        .arg(&conf)
        .arg("-i")
        .arg(dir.join("pid"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let port = until(|| fs::read_to_string(&port_file).ok()?.trim().parse().ok());
    (Running(child), port)
}

#[test]
fn what_rsyslog_sends_survives_a_killed_server() {
    if !has("rsyslogd") || !OMELASTICSEARCH.iter().any(|path| Path::new(path).exists()) {
        eprintln!("SKIPPED: rsyslogd with omelasticsearch (package rsyslog-elasticsearch) is not installed here");
        return;
    }
    let mut server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let dir = tempfile::tempdir().unwrap();
    let (_rsyslogd, port) = rsyslog(dir.path(), &server, &ingest);
    let mut line = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut say = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            writeln!(line, "<38>Nov 21 10:15:02 web-07 sshd[4211]: Failed password for rsys-{number}; from 203.0.113.67 port 51122 ssh2").unwrap();
        }
    };
    say(0..300);
    until(|| (!search(&server, &person, "q=rsys-").is_empty()).then_some(()));
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    server.kill();
    say(300..600);
    server.restart_at(&address, &[], &[]);
    let seen = until(|| Some(markers(&server, &person, "rsys")).filter(|seen| seen.len() >= 600));
    assert_eq!(seen.keys().copied().collect::<BTreeSet<_>>(), (0..600).collect(), "nothing is lost");
    // A batch whose answer the kill swallowed comes again; all others come once.
    assert!(seen.values().sum::<usize>() <= 600 + 2 * 40, "{seen:?}");
    let event = &search(&server, &person, "q=rsys-7;")[0];
    assert_eq!((&event["source"], &event["fields"]["hostname"]), (&json!("sshd"), &json!("web-07")), "{event}");
    assert_eq!(event["ocsf"]["src_ip"], "203.0.113.67", "{event}");
}

#[test]
fn syslog_over_udp_tcp_and_tls_becomes_events() {
    let dir = tempfile::tempdir().unwrap();
    let (udp, tcp, tls) = (free_port(), free_port(), free_port());
    let text =
        format!("[ingest.syslog]\nudp = \"127.0.0.1:{udp}\"\ntcp = \"127.0.0.1:{tcp}\"\ntls = \"127.0.0.1:{tls}\"\n");
    let server = Server::start(&["--config", &config(dir.path(), &text)]);
    let person = server.token("personal");
    if has("logger") {
        let run = |args: &[&str], message: &str| {
            let status = Command::new("logger")
                .args(["--server", "127.0.0.1", "-t", "sshd", "--id=4211", "-p", "auth.info"])
                .args(args)
                .arg(message)
                .status();
            assert!(status.unwrap().success(), "{args:?}");
        };
        let said = |way: &str| format!("Failed password for root from 203.0.113.9 port 1 ssh2 way-{way}");
        run(&["--udp", "--port", &udp.to_string(), "--rfc5424"], &said("udp5424"));
        run(&["--udp", "--port", &udp.to_string(), "--rfc3164"], &said("udp3164"));
        run(&["--tcp", "--port", &tcp.to_string(), "--rfc5424", "--octet-count"], &said("counted"));
        run(&["--tcp", "--port", &tcp.to_string(), "--rfc5424"], &said("lines"));
        for way in ["udp5424", "udp3164", "counted", "lines"] {
            check_logon(&wait_for(&server, &person, &format!("q=way-{way}"), 1), way);
        }
    }
    if has("openssl") {
        let authority = Path::new(server.data_dir()).join("tls/cert.pem");
        let child = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                "-verify_ip",
                "127.0.0.1",
                "-connect",
                &format!("127.0.0.1:{tls}"),
                "-CAfile",
            ])
            .arg(&authority)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut client = Running(child);
        let message = "<38>1 2026-11-21T10:15:02.5Z web-07 sshd 4211 - - Failed password for root from 203.0.113.9 port 1 ssh2 way-tls";
        let stdin = client.0.stdin.as_mut().unwrap();
        write!(stdin, "{} {message}", message.len()).unwrap();
        stdin.flush().unwrap();
        let found = wait_for(&server, &person, "q=way-tls", 1);
        check_logon(&found, "tls");
        assert_eq!(found[0]["raw"], message, "the frame's count is no part of the event");
    }
}

fn check_logon(found: &[Value], way: &str) {
    assert_eq!(found.len(), 1, "{way}: {found:?}");
    let event = &found[0];
    assert_eq!((&event["source"], &event["ocsf"]["src_ip"]), (&json!("sshd"), &json!("203.0.113.9")), "{way}: {event}");
    assert_eq!(
        (&event["ocsf"]["user"], &event["ocsf"]["status"]),
        (&json!("root"), &json!("failure")),
        "{way}: {event}"
    );
    assert_eq!(event["fields"]["pid"], 4211, "{way}: {event}");
}

/// curl as a sender of HEC would be set up: its status and its body.
fn curl(server: &Server, path: &str, args: &[&str]) -> (u16, Value) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"])
        .args(args)
        .arg(format!("{}{path}", server.url()))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

#[test]
fn an_hec_client_sends_json_and_raw_lines() {
    if !has("curl") {
        return;
    }
    let server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let key = format!("Authorization: Splunk {ingest}");
    let events = concat!(
        r#"{"time":1795262341.5,"host":"web-07","sourcetype":"linux_secure","event":"Failed password for root from 203.0.113.9 port 1 ssh2 hec-line"}"#,
        r#"{"host":"win-01","event":{"EventID":4625,"Channel":"Security","TargetUserName":"bob","IpAddress":"203.0.113.9","note":"hec-object"}}"#,
    );
    let success = json!({"text": "Success", "code": 0});
    assert_eq!(curl(&server, "/services/collector", &["-H", &key, "-d", events]), (200, success.clone()));
    let raw = "Nov 21 10:15:02 web-07 sshd[1]: Invalid user hec-raw from 203.0.113.9 port 1\nNov 21 10:15:03 web-07 sshd[1]: Invalid user hec-raw from 203.0.113.9 port 2\n";
    assert_eq!(
        curl(&server, "/services/collector/raw?host=web-07", &["-H", &key, "--data-binary", raw]),
        (200, success.clone())
    );
    assert_eq!(
        curl(&server, "/services/collector/event", &["-H", &key, "-d", r#"{"event":"hec-event path"}"#]),
        (200, success)
    );

    let line = &wait_for(&server, &person, "q=hec-line", 1)[0];
    assert_eq!((&line["source"], &line["time"]), (&json!("sshd"), &json!("2026-11-21T11:59:01.500000Z")), "{line}");
    assert_eq!(line["ocsf"]["device"], "web-07", "{line}");
    let object = &search(&server, &person, "q=hec-object")[0];
    assert_eq!((&object["source"], &object["ocsf"]["device"]), (&json!("windows"), &json!("win-01")), "{object}");
    assert_eq!(search(&server, &person, "q=hec-raw").len(), 2);

    let (status, answer) = curl(&server, "/services/collector", &["-H", &key, "-d", r#"{"event":"good"}{"host":"x"}"#]);
    assert_eq!((status, &answer["code"], &answer["invalid-event-number"]), (400, &json!(6), &json!(1)), "{answer}");
    let (status, _) = curl(&server, "/services/collector", &["-H", "Authorization: Splunk wrong", "-d", events]);
    assert_eq!(status, 401);
    let (status, _) = curl(&server, "/services/collector/raw?source=a%20b%0a", &["-H", &key, "-d", "x"]);
    assert_eq!(status, 400, "a name of a source is letters, digits and a few signs");
    for path in ["/services/collector/health", "/services/collector/health/1.0"] {
        assert_eq!(curl(&server, path, &[]).0, 200, "{path}");
    }
}

#[test]
fn an_hec_client_may_name_the_version_and_is_told_that_there_are_no_acknowledgements_to_ask_for() {
    let server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let key = format!("Splunk {ingest}");
    let send = |path: &str, body: &[u8]| {
        let got = send(&server, "POST", path, &[("authorization", &key)], body);
        (got.status, got.json())
    };
    let success = json!({"text": "Success", "code": 0});
    assert_eq!(send("/services/collector/event/1.0", br#"{"event":"version-1;"}"#), (200, success.clone()));
    let raw = "/services/collector/raw/1.0?channel=0b2c0a5e-6f4f-4e2e-9a37-0d6b1b9a1f10";
    assert_eq!(send(raw, b"version-2;\nversion-3;\n"), (200, success));
    assert_eq!(wait_for(&server, &person, "q=version-", 3).len(), 3);
    let refused = send("/services/collector/ack?channel=0b2c0a5e-6f4f-4e2e-9a37-0d6b1b9a1f10", br#"{"acks":[0,1]}"#);
    assert_eq!(refused, (400, json!({"text": "ACK is disabled", "code": 14})));
    assert_eq!(send("/services/collector/event", b" \n"), (400, json!({"text": "No data", "code": 5})));
}

#[test]
fn senders_probes_answer_and_their_paths_are_never_the_page() {
    let server = Server::start(&[]);
    for path in ["/_cat/health", "/_cluster/health", "/_license", "/services/collector/health"] {
        assert_eq!(send(&server, "HEAD", path, &[], b"").status, 200, "HEAD {path}");
        let got = send(&server, "GET", path, &[], b"");
        assert_eq!(got.status, 200, "{path}");
        assert!(!got.text.contains("<html"), "{path}: {}", got.text);
    }
    for path in [
        "/_nodes",
        "/_cat/indices?v",
        "/_bulk/x",
        "/_",
        "/services/collector/other",
        "/services/",
        "/api/",
        "/api/v2/events",
        "/api/v1/none",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT"] {
            let got = send(&server, method, path, &[], b"{}");
            assert_eq!(got.status, 404, "{method} {path}: {}", got.text);
            assert_eq!(got.content_type, "application/problem+json", "{method} {path}");
        }
    }
    for path in ["/_bulk", "/logs/_bulk", "/services/collector", "/services/collector/raw", "/services/collector/ack"] {
        let got = send(&server, "GET", path, &[], b"");
        assert_eq!(got.status, 405, "{path}: {}", got.text);
        assert_eq!(send(&server, "POST", path, &[], b"{}").status, 401, "{path}");
    }
}

#[test]
fn a_bulk_body_has_a_result_an_item_and_a_malformed_one_stores_nothing() {
    let server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let body = "{\"index\":{\"_id\":\"7\"}}\n{\"message\":\"bulk-1;\"}\n{\"create\":{}}\n{broken\n{\"delete\":{\"_id\":\"1\"}}\n\n";
    let got = post(&server, "/logs/_bulk", &ingest, &[("content-type", "application/x-ndjson")], body.as_bytes());
    assert_eq!(got.status, 200, "{}", got.text);
    let answer = got.json();
    assert_eq!(answer["errors"], true);
    let statuses: Vec<_> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_object().unwrap().values().next().unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, [201, 400, 400]);
    assert_eq!(
        (&answer["items"][0]["index"]["_index"], &answer["items"][0]["index"]["_id"]),
        (&json!("logs"), &json!("7"))
    );

    let stored = settled(&server, &person)["accepted"].clone();
    let broken = "{\"index\":{}}\n{\"message\":\"bulk-2;\"}\nwhat is this\n{\"message\":\"bulk-3;\"}\n";
    let got = post(&server, "/_bulk", &ingest, &[], broken.as_bytes());
    assert_eq!(got.status, 400, "{}", got.text);
    assert!(got.text.contains("line 3"), "{}", got.text);
    assert_eq!(settled(&server, &person)["accepted"], stored, "nothing of a malformed body is stored");
    let named = post(&server, "/bad%20name/_bulk", &ingest, &[], b"{\"index\":{}}\n{\"a\":1}\n");
    assert_eq!(named.status, 400, "{}", named.text);
}

#[test]
fn a_followed_file_is_read_once_through_rotation_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("auth.log");
    let write = |numbers: std::ops::Range<usize>| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        for number in numbers {
            writeln!(
                file,
                "Nov 21 10:15:02 web-07 sshd[1]: Failed password for tail-{number}; from 203.0.113.9 port 1 ssh2"
            )
            .unwrap();
        }
    };
    let rotate = || fs::rename(&log, dir.path().join("auth.log.1")).unwrap();
    write(0..20);
    let arg = config(dir.path(), &format!("[[ingest.files]]\npath = {}\n", quoted(&log)));
    let mut server = Server::start(&["--config", &arg]);
    let person = server.token("personal");
    let wait = |server: &Server, count: usize| {
        let seen = until(|| Some(markers(server, &person, "tail")).filter(|seen| seen.len() >= count));
        assert_eq!(seen, (0..count).map(|number| (number, 1)).collect(), "each line once");
    };
    wait(&server, 20);
    write(20..30);
    rotate();
    write(30..40);
    wait(&server, 40);
    // Growth and rotation while the server is away.
    server.stop();
    write(40..50);
    rotate();
    write(50..60);
    server.restart(&["--config", &arg]);
    wait(&server, 60);
    // And while it was killed.
    server.kill();
    write(60..70);
    server.restart(&["--config", &arg]);
    wait(&server, 70);
    write(70..75);
    wait(&server, 75);
}

#[test]
fn a_journal_file_is_read_once_over_restarts() {
    let tool = "/usr/lib/systemd/systemd-journal-remote";
    if !has(tool) || !has("journalctl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("remote.journal");
    let mut export = String::new();
    for number in 0..30_u64 {
        let time = 1_795_262_341_000_000 + number;
        write!(export, "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=web-07\nSYSLOG_IDENTIFIER=sshd\n_PID=77\nMESSAGE=Failed password for journal-{number}; from 203.0.113.9 port 1 ssh2\n\n").unwrap();
    }
    filter(tool, &["-o", journal.to_str().unwrap(), "-"], export.as_bytes());
    let arg = config(dir.path(), &format!("[ingest]\njournal_file = {}\n", quoted(&journal)));
    let mut server = Server::start(&["--config", &arg]);
    let person = server.token("personal");
    let found = wait_for(&server, &person, "q=journal-", 30);
    let event = found.iter().find(|event| event["raw"].as_str().unwrap().contains("journal-7;")).unwrap();
    assert_eq!((&event["source"], &event["ocsf"]["device"]), (&json!("sshd"), &json!("web-07")), "{event}");
    assert_eq!(event["ocsf"]["src_ip"], "203.0.113.9", "{event}");
    server.stop();
    server.restart(&["--config", &arg]);
    let ingest = server.token("ingest");
    post(&server, "/api/v1/events", &ingest, &[], b"{\"message\":\"after\"}");
    settled(&server, &person);
    assert_eq!(markers(&server, &person, "journal"), (0..30).map(|number| (number, 1)).collect());
}

#[test]
fn packed_bodies_are_unpacked_under_a_limit() {
    let mut server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let lines = (0..1_000).fold(String::new(), |text, number| format!("{text}{{\"message\":\"packed-{number};\"}}\n"));
    let bomb = vec![b' '; 64 << 20];
    for (encoding, program, number) in [("gzip", "gzip", 1_u64), ("zstd", "zstd", 2)] {
        if !has(program) {
            continue;
        }
        let packed = filter(program, &["-c"], lines.as_bytes());
        assert!(packed.len() < lines.len() / 2);
        let got = post(&server, "/api/v1/events", &ingest, &[("content-encoding", encoding)], &packed);
        assert_eq!((got.status, &got.json()["accepted"]), (200, &json!(1_000)), "{}", got.text);
        assert_eq!(settled(&server, &person)["accepted"], number * 1_000);
        let got = post(
            &server,
            "/api/v1/events",
            &ingest,
            &[("content-encoding", encoding)],
            &filter(program, &["-c"], &bomb),
        );
        assert_eq!((got.status, &got.json()["code"]), (413, &json!("body_too_large")), "{}", got.text);
        let got =
            post(&server, "/api/v1/events", &ingest, &[("content-encoding", encoding)], &packed[..packed.len() / 2]);
        assert_eq!(got.status, 400, "a cut body: {}", got.text);
    }
    let got = post(&server, "/api/v1/events", &ingest, &[("content-encoding", "br")], lines.as_bytes());
    assert_eq!(got.status, 415, "{}", got.text);
    assert!(server.runs());
}

#[test]
fn hostile_lines_are_refused_or_kept_byte_for_byte() {
    let mut server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    if has("curl") {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("one-line");
        fs::write(&file, vec![b'a'; 50 << 20]).unwrap();
        let (key, data) = (format!("Authorization: Bearer {ingest}"), format!("@{}", file.display()));
        let (status, answer) = curl(&server, "/api/v1/events?source=x", &["-H", &key, "--data-binary", &data]);
        assert_eq!((status, &answer["code"]), (413, &json!("body_too_large")), "{answer}");
    }
    let mut body = Vec::new();
    body.extend_from_slice(b"{\"message\":\"before-1;\"}\n");
    body.extend_from_slice(&vec![b'a'; 3 << 20]);
    body.extend_from_slice(
        format!("\n{{\"deep\":{}1{}}}\n{{\"after-1;\":tru", "[".repeat(100), "]".repeat(100)).as_bytes(),
    );
    body.extend_from_slice(b"\n{\"message\":\"after-2;\"}\n");
    let answer = post(&server, "/api/v1/events", &ingest, &[("content-type", "application/x-ndjson")], &body).json();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(2), &json!(3)), "{answer}");
    let told: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["line"].as_u64().unwrap(), error["code"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(
        told,
        [(2, "line_too_large".to_owned()), (3, "invalid_json".to_owned()), (4, "invalid_json".to_owned())]
    );
    let letters = server.get("/api/v1/dead-letters", &person).unwrap();
    let sizes: BTreeSet<u64> =
        letters["items"].as_array().unwrap().iter().map(|letter| letter["size"].as_u64().unwrap()).collect();
    assert!(sizes.contains(&(3 << 20)), "{sizes:?}");
    assert_eq!(settled(&server, &person)["dead_letters"], 3);

    let raw = b"Nov 21 10:15:02 web-07 sshd[1]: Invalid user \xff\xfe\0\x1b[2Jbytes-1; from 203.0.113.9 port 1";
    assert_eq!(post(&server, "/api/v1/events", &ingest, &[], raw).json()["accepted"], 1);
    let found = &wait_for(&server, &person, "q=bytes-1", 1)[0];
    let one = server.get(&format!("/api/v1/events/{}", found["id"].as_str().unwrap()), &person).unwrap();
    assert_eq!(decoded(one["raw_base64"].as_str().unwrap()), raw, "byte for byte");
    let text = " {\"b\":\"\\u0000 \u{e4}\",  \"a\" : [1,2 , 3],\"message\":\"exact-1;\"} ";
    assert_eq!(post(&server, "/api/v1/events", &ingest, &[], text.as_bytes()).json()["accepted"], 1);
    assert_eq!(wait_for(&server, &person, "q=exact-1", 1)[0]["raw"], text, "spaces and order, too");
    assert!(server.runs());
}

/// Standard base64, for a test.
fn decoded(text: &str) -> Vec<u8> {
    filter("base64", &["-d"], text.as_bytes())
}
