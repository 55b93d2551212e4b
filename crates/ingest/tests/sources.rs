//! Sources against real sockets, files and journals.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::clone_on_ref_ptr,
    clippy::disallowed_methods,
    clippy::let_underscore_must_use,
    clippy::print_stderr,
    reason = "a test ends at the first surprise"
)]

use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use shieldops_ingest::sources::{
    Checkpoints, Journal, Mark, Sink, SinkError, SyslogConfig, SyslogLimits, SyslogListener, Tail,
};
use shieldops_model::SystemClock;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Keeps every line it is given, unless it is told to be full.
#[derive(Default)]
struct Collect {
    lines: Mutex<Vec<String>>,
    marks: Mutex<HashMap<String, u64>>,
    full: AtomicBool,
    changed: Notify,
}

#[async_trait]
impl Sink for Collect {
    async fn accept(&self, _hint: Option<&str>, bytes: Bytes, mark: Option<Mark<'_>>) -> Result<(), SinkError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(SinkError::Full);
        }
        if let Some(Mark { producer, number }) = mark {
            if self.last(producer).is_some_and(|last| last >= number) {
                return Ok(());
            }
            self.marks.lock().unwrap().insert(producer.to_owned(), number);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.lines.lock().unwrap().extend(text.lines().map(str::to_owned));
        self.changed.notify_waiters();
        Ok(())
    }

    fn last(&self, producer: &str) -> Option<u64> {
        self.marks.lock().unwrap().get(producer).copied()
    }
}

impl Collect {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until there are so many lines, and gives them sorted.
    async fn wait(&self, count: usize) -> Vec<String> {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                let lines = self.lines();
                if lines.len() >= count {
                    return lines;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), changed).await;
            }
        };
        let lines = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        lines.unwrap_or_else(|_| panic!("wanted {count} lines, got {:?}", self.lines()))
    }
}

#[derive(Default)]
struct Places(Mutex<HashMap<String, String>>);

impl Checkpoints for Places {
    fn load(&self, key: &str) -> Option<String> {
        self.0.lock().unwrap().get(key).cloned()
    }
    fn save(&self, key: &str, value: &str) {
        self.0.lock().unwrap().insert(key.to_owned(), value.to_owned());
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) -> JoinHandle<()> {
    tokio::task::spawn(future)
}

#[tokio::test]
async fn datagrams_and_both_stream_framings_arrive() {
    let sink = Arc::new(Collect::default());
    let cancel = CancellationToken::new();
    let config = SyslogConfig { udp: Some(any_port()), tcp: Some(any_port()), ..SyslogConfig::default() };
    let listener = SyslogListener::bind(config, Arc::new(SystemClock)).await.unwrap();
    let at = listener.addresses().unwrap();
    let counters = listener.counters();
    let task = spawn(listener.run(sink.clone(), cancel.clone()));

    let udp = UdpSocket::bind(any_port()).await.unwrap();
    udp.send_to(b"<13>datagram\nforged", at.udp.unwrap()).await.unwrap();
    let mut tcp = TcpStream::connect(at.tcp.unwrap()).await.unwrap();
    tcp.write_all(b"<13>one\n7 <13>two<13>three\n<13>last without end").await.unwrap();
    tcp.shutdown().await.unwrap();

    let mut lines = sink.wait(5).await;
    lines.sort();
    assert_eq!(lines, ["<13>datagram#012forged", "<13>last without end", "<13>one", "<13>three", "<13>two"]);
    assert_eq!(counters.received.load(Ordering::Relaxed), 5);
    cancel.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn audit_records_that_come_one_by_one_arrive_together() {
    let sink = Arc::new(Collect::default());
    let cancel = CancellationToken::new();
    let listener =
        SyslogListener::bind(SyslogConfig { tcp: Some(any_port()), ..SyslogConfig::default() }, Arc::new(SystemClock))
            .await
            .unwrap();
    let at = listener.addresses().unwrap().tcp.unwrap();
    let task = spawn(listener.run(sink.clone(), cancel.clone()));
    let mut tcp = TcpStream::connect(at).await.unwrap();
    tcp.write_all(b"type=SYSCALL msg=audit(1.0:1): a=1\ntype=CWD msg=audit(1.0:2): cwd=\"/\"\n").await.unwrap();
    tcp.write_all(b"type=PROCTITLE msg=audit(1.0:1): proctitle=\"x\"\n").await.unwrap();
    let lines = sink.wait(2).await;
    assert!(lines[0].contains("SYSCALL") && lines[1].contains("PROCTITLE"), "{lines:?}");
    assert_eq!(sink.wait(3).await.len(), 3, "the other serial goes when it has waited two seconds");
    cancel.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_full_intake_stops_streams_and_counts_lost_datagrams() {
    let sink = Arc::new(Collect::default());
    sink.full.store(true, Ordering::SeqCst);
    let cancel = CancellationToken::new();
    let limits = SyslogLimits { queue: 4, ..SyslogLimits::default() };
    let config = SyslogConfig { udp: Some(any_port()), tcp: Some(any_port()), limits, ..SyslogConfig::default() };
    let listener = SyslogListener::bind(config, Arc::new(SystemClock)).await.unwrap();
    let at = listener.addresses().unwrap();
    let counters = listener.counters();
    let task = spawn(listener.run(sink.clone(), cancel.clone()));
    let udp = UdpSocket::bind(any_port()).await.unwrap();
    let lost = async {
        while counters.dropped.load(Ordering::Relaxed) == 0 {
            udp.send_to(b"<13>x", at.udp.unwrap()).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), lost).await.unwrap();
    let mut tcp = TcpStream::connect(at.tcp.unwrap()).await.unwrap();
    tcp.write_all(b"<13>kept\n").await.unwrap();
    assert!(sink.lines().is_empty());
    sink.full.store(false, Ordering::SeqCst);
    let arrived = async {
        while !sink.lines().contains(&"<13>kept".to_owned()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
    cancel.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_message_comes_over_tls_and_a_plain_client_is_turned_away() {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let sink = Arc::new(Collect::default());
    let cancel = CancellationToken::new();
    let config = SyslogConfig { tls: Some((any_port(), Arc::new(server))), ..SyslogConfig::default() };
    let listener = SyslogListener::bind(config, Arc::new(SystemClock)).await.unwrap();
    let at = listener.addresses().unwrap().tls.unwrap();
    let counters = listener.counters();
    let task = spawn(listener.run(sink.clone(), cancel.clone()));

    let stream = TcpStream::connect(at).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut tls = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    tls.write_all(b"<13>secret\n").await.unwrap();
    tls.flush().await.unwrap();
    assert_eq!(sink.wait(1).await, ["<13>secret"]);
    let mut plain = TcpStream::connect(at).await.unwrap();
    plain.write_all(b"<13>plain, no handshake\n").await.unwrap();
    let turned_away = async {
        while counters.turned_away.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), turned_away).await.unwrap();
    assert_eq!(sink.lines(), ["<13>secret"]);
    cancel.cancel();
    task.await.unwrap();
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn tail(path: &Path, places: &Arc<Places>) -> Tail {
    let mut tail = Tail::new(vec![path.to_owned()], None, places.clone());
    tail.poll = Duration::from_millis(20);
    tail.leave_after = Duration::from_millis(40);
    tail
}

#[tokio::test]
async fn a_file_is_followed_through_rotation_and_truncation_and_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth.log");
    let (sink, places) = (Arc::new(Collect::default()), Arc::new(Places::default()));
    append(&path, "one\ntwo\nhalf");
    let cancel = CancellationToken::new();
    let task = spawn(tail(&path, &places).run(sink.clone(), cancel.clone()));
    assert_eq!(sink.wait(2).await, ["one", "two"]);
    append(&path, " and half\n");
    assert_eq!(sink.wait(3).await[2], "half and half");
    append(&path, "before rotation, no end");
    fs::rename(&path, dir.path().join("auth.log.1")).unwrap();
    append(&path, "after rotation\n");
    assert_eq!(sink.wait(5).await[3..], ["before rotation, no end", "after rotation"]);
    cancel.cancel();
    task.await.unwrap();

    append(&path, "while away\n");
    fs::rename(&path, dir.path().join("auth.log.1")).unwrap();
    append(&path, "rotated while away\n");
    let cancel = CancellationToken::new();
    let task = spawn(tail(&path, &places).run(sink.clone(), cancel.clone()));
    assert_eq!(sink.wait(7).await[5..], ["while away", "rotated while away"]);
    fs::write(&path, "cut\n").unwrap();
    assert_eq!(sink.wait(8).await[7], "cut");
    cancel.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn what_was_not_accepted_is_read_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    append(&path, "one\n");
    let (sink, places) = (Arc::new(Collect::default()), Arc::new(Places::default()));
    sink.full.store(true, Ordering::SeqCst);
    let cancel = CancellationToken::new();
    let task = spawn(tail(&path, &places).run(sink.clone(), cancel.clone()));
    tokio::task::yield_now().await;
    cancel.cancel();
    task.await.unwrap();
    assert!(places.0.lock().unwrap().values().all(|place| place.ends_with(":0:0:0.0")), "nothing was delivered");
    sink.full.store(false, Ordering::SeqCst);
    let cancel = CancellationToken::new();
    let task = spawn(tail(&path, &places).run(sink.clone(), cancel.clone()));
    assert_eq!(sink.wait(1).await, ["one"]);
    cancel.cancel();
    task.await.unwrap();
}

/// Follows the file until the sink has so many lines, then ends as a killed process does: what it saved since the last start is
/// lost, though the sink has kept what it took.
async fn follow_until_killed(path: &Path, sink: &Arc<Collect>, places: &Arc<Places>, count: usize) -> Vec<String> {
    let before = places.0.lock().unwrap().clone();
    let cancel = CancellationToken::new();
    let task = spawn(tail(path, places).run(sink.clone(), cancel.clone()));
    let lines = sink.wait(count).await;
    cancel.cancel();
    task.await.unwrap();
    if !before.is_empty() {
        *places.0.lock().unwrap() = before;
    }
    lines
}

#[tokio::test]
async fn a_line_comes_once_though_the_process_ends_between_delivery_and_saved_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let (sink, places) = (Arc::new(Collect::default()), Arc::new(Places::default()));
    append(&path, "one\n");
    follow_until_killed(&path, &sink, &places, 1).await;
    append(&path, "two\nthr");
    follow_until_killed(&path, &sink, &places, 2).await;
    // The next piece begins where the last delivery ended, not where the place was saved.
    append(&path, "ee\nfour\n");
    assert_eq!(follow_until_killed(&path, &sink, &places, 4).await, ["one", "two", "three", "four"]);
    append(&path, "five\n");
    fs::rename(&path, dir.path().join("a.log.1")).unwrap();
    append(&path, "six\n");
    assert_eq!(follow_until_killed(&path, &sink, &places, 6).await[4..], ["five", "six"]);
}

#[tokio::test]
async fn a_new_file_is_read_from_its_start_though_an_older_one_was_longer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let (sink, places) = (Arc::new(Collect::default()), Arc::new(Places::default()));
    append(&path, "a first line that is long\n");
    follow_until_killed(&path, &sink, &places, 1).await;
    fs::write(&path, "cut\n").unwrap();
    assert_eq!(follow_until_killed(&path, &sink, &places, 2).await[1], "cut");
    fs::remove_file(&path).unwrap();
    append(&path, "new\n");
    places.0.lock().unwrap().clear();
    assert_eq!(follow_until_killed(&path, &sink, &places, 3).await[2], "new");
}

#[tokio::test]
async fn audit_records_at_the_end_of_a_file_wait_for_their_serial() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    append(&path, "type=CWD msg=audit(1.0:1): cwd=\"/\"\ntype=SYSCALL msg=audit(1.0:2): a=1\n");
    let (sink, places) = (Arc::new(Collect::default()), Arc::new(Places::default()));
    let cancel = CancellationToken::new();
    let task = spawn(tail(&path, &places).run(sink.clone(), cancel.clone()));
    assert_eq!(sink.wait(1).await.len(), 1);
    append(&path, "type=EXECVE msg=audit(1.0:2): argc=1\ntype=CWD msg=audit(1.0:3): cwd=\"/\"\n");
    assert_eq!(sink.wait(3).await.len(), 3);
    assert_eq!(sink.wait(4).await.len(), 4);
    cancel.cancel();
    task.await.unwrap();
}

/// A journal file made of text, if this machine has the tool for it.
fn journal_file(path: &Path, entries: std::ops::Range<u64>) -> bool {
    let tool = "/usr/lib/systemd/systemd-journal-remote";
    if !Path::new(tool).exists() || Command::new("journalctl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no systemd-journal-remote or journalctl here");
        return false;
    }
    let mut child =
        Command::new(tool).arg("-o").arg(path).arg("-").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for n in entries {
        let time = 1_795_262_341_000_000_u64 + n;
        write!(input, "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=web1\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=Invalid user u{n} from 203.0.113.9 port 1\n\n").unwrap();
    }
    drop(input);
    child.wait().unwrap().success()
}

#[tokio::test]
async fn a_journal_file_is_read_once_and_not_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("remote.journal");
    if !journal_file(&file, 0..3) {
        return;
    }
    let (sink, places) = (Arc::new(Collect::default()), Arc::new(Places::default()));
    let journal = || Journal { file: Some(file.clone()), follow: false, hint: None, checkpoints: places.clone() };
    journal().run(sink.clone(), CancellationToken::new()).await.unwrap();
    let lines = sink.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(shieldops_ingest::recognise(lines[0].as_bytes(), None).source, "sshd");
    journal().run(sink.clone(), CancellationToken::new()).await.unwrap();
    assert_eq!(sink.lines().len(), 3);
    // As if the process had ended before the cursor was saved, and the journal had grown.
    places.0.lock().unwrap().clear();
    assert!(journal_file(&file, 3..5));
    journal().run(sink.clone(), CancellationToken::new()).await.unwrap();
    let users: Vec<String> = sink
        .lines()
        .iter()
        .map(|line| line.split("user ").nth(1).unwrap().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(users, ["u0", "u1", "u2", "u3", "u4"]);
    let missing =
        Journal { file: Some(dir.path().join("none.journal")), follow: false, hint: None, checkpoints: places.clone() };
    assert!(missing.run(sink.clone(), CancellationToken::new()).await.is_err());
}
