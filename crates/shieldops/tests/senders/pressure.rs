//! More than the server bears: what it cannot take it refuses with the word when to come again, and what it took it keeps.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{
    feed::{Answered, Running, config, filter, has, post},
    server::{Server, until},
};

const MIB: usize = 1 << 20;
/// Bodies at once. All of them together are more than the budget of memory.
const BODIES: usize = 24;
/// Of each body.
const BYTES: usize = 30 * MIB;
/// The default of `ingest.memory_bytes`.
const BUDGET: usize = 256 * MIB;

/// The most memory the server ever had, in bytes.
fn peak(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

/// Sends all of a body but its last byte, in one line that is over the limit of an event: it costs memory and no parsing.
fn all_but_the_end(server: &Server, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let head = format!(
        "POST /api/v1/events?source=x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {BYTES}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'a'; MIB];
    for _ in 1..BYTES / MIB {
        stream.write_all(&piece).unwrap();
    }
    stream.write_all(&piece[1..]).unwrap();
    stream
}

/// The answers: each is 200 or 429, and a 429 says when to come again.
fn check(status: u16, retry_after: bool, text: &str, taken: &mut usize) {
    match status {
        200 => *taken += 1,
        429 => assert!(retry_after && text.contains("back_pressure"), "{text}"),
        _ => panic!("{status}: {text}"),
    }
}

#[test]
fn many_large_bodies_at_once_take_no_more_memory_than_is_set_aside_for_them() {
    let mut server = Server::start(&[]);
    let ingest = server.token("ingest");
    let before = peak(&server);
    // Unpacked bodies: all of them are there but for their last bytes, at the same time.
    let half: Vec<TcpStream> = (0..BODIES).map(|_| all_but_the_end(&server, &ingest)).collect();
    let mut taken = 0;
    for mut stream in half {
        stream.write_all(b"a").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        check(status, text.to_lowercase().contains("retry-after: 1\r\n"), &text, &mut taken);
    }
    assert!((1..BODIES).contains(&taken), "{taken} of {BODIES} bodies were taken");
    // And packed ones that unpack to a thousand times of what they are.
    if has("gzip") {
        let bomb = filter("gzip", &["-c"], &vec![b' '; BYTES]);
        let bombs: Vec<Answered> = thread::scope(|scope| {
            let send = || post(&server, "/api/v1/events?source=x", &ingest, &[("content-encoding", "gzip")], &bomb);
            let all: Vec<_> = (0..BODIES).map(|_| scope.spawn(send)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for answer in &bombs {
            check(answer.status, answer.retry_after.as_deref() == Some("1"), &answer.text, &mut taken);
        }
    }
    let grown = peak(&server) - before;
    // An allocator that moves what grows holds both for a moment; all bodies together would be three times the budget.
    assert!(grown < 2 * BUDGET, "{} MiB for a budget of {} MiB", grown / MIB, BUDGET / MIB);
    assert!(server.runs());
    let small = post(&server, "/api/v1/events", &ingest, &[], b"{\"message\":\"afterwards\"}");
    assert_eq!(small.status, 200, "all was given back: {}", small.text);
}

/// Holds the writer of the state until it is dropped: nothing is processed meanwhile.
fn hold_state(server: &Server) -> (Running, ChildStdin) {
    let path = Path::new(server.data_dir()).join("state.db");
    let mut child = Command::new("sqlite3").arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b".timeout 20000\nBEGIN IMMEDIATE;\nSELECT 'held';\n").unwrap();
    let mut held = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut held).unwrap();
    assert_eq!(&held, b"held\n");
    (Running(child), stdin)
}

#[test]
fn a_full_log_answers_429_with_retry_after_and_keeps_what_it_took() {
    if !has("sqlite3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let text = "[bus]\nmax_bytes = 67108864\nsegment_bytes = 1048576\n";
    let server = Server::start(&["--config", &config(dir.path(), text)]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let held = hold_state(&server);
    let body = format!("{}\n", "x".repeat(1_000_000)).repeat(30);
    let send = || post(&server, "/api/v1/events?source=x", &ingest, &[], body.as_bytes());
    // Four times thirty megabytes into a log of 64.
    let answers: Vec<Answered> = (0..4).map(|_| send()).collect();
    let taken = answers.iter().take_while(|answer| answer.status == 200).count();
    assert!((2..4).contains(&taken), "what waits stays about 90 % of the log: {taken}");
    for answer in &answers[taken..] {
        assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("1")), "{}", answer.text);
        assert_eq!(answer.json()["code"], "back_pressure");
    }
    let hec = post(&server, "/services/collector/raw", &ingest, &[], b"x");
    assert_eq!((hec.status, hec.retry_after.as_deref(), &hec.json()["code"]), (429, Some("1"), &json!(9)));
    drop(held);
    let stats = server.get("/api/v1/ingest/stats", &person).unwrap();
    assert_eq!(stats["accepted"], taken * 30, "all of what was acknowledged, and nothing of what was refused");
    until(|| (post(&server, "/api/v1/events?source=x", &ingest, &[], b"later").status == 200).then_some(()));
}
