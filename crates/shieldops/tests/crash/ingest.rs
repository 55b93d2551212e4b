//! `kill -9` at random moments while shippers post: what was acknowledged is stored once, detected once, and counted once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use rand::RngExt as _;
use serde_json::Value;
use shieldops_model::{Clock as _, SystemClock};

use crate::{
    machine::{Client, Machine, PATIENCE, pause, within_time},
    tally::{Tally, rng},
};

const ROUNDS: u32 = 30;
const SHIPPERS: u32 = 3;
const LINES: u32 = 6;
const RULE: &str = "5f2b7a34-1c1e-4a53-9c58-0d8a36f7c9e1";
/// Counts the marked lines of each host.
const CORRELATION: &str = "5f2b7a34-1c1e-4a53-9c58-0d8a36f7c9e2";
const HOSTS: usize = 3;

#[test]
fn what_was_acknowledged_survives_kills_at_random_moments_and_counts_once() {
    let (mut tally, mut random) = (Tally::new("ingest"), rng());
    let mut machine = Machine::new();
    let (ingest, person) = (machine.token("ingest", None), machine.token("personal", None));
    let rules = tempfile::tempdir().unwrap();
    write_rule(rules.path());
    let env = [("SHIELDOPS_RULES__DIRS", rules.path().to_str().unwrap()), ("SHIELDOPS_BUS__SEGMENT_BYTES", "1048576")];
    let number = Arc::new(AtomicU32::new(0));
    let mut posts: Vec<Post> = Vec::new();
    for round in 0..ROUNDS {
        if round % 6 == 5 {
            // In the middle of a start, with whatever it is that recovers.
            machine.spawn(&[], &env);
            pause(Duration::from_millis(random.random_range(0..700)));
            machine.kill();
        }
        machine.start(&env).unwrap();
        let stats = machine.client.get("/api/v1/ingest/stats", &person);
        let known: usize = posts.iter().filter(|post| post.acknowledged).map(|post| post.marks.len()).sum();
        if stats["accepted"].as_u64().unwrap() < u64::try_from(known).unwrap() {
            tally.lost(format!("round {round}: {known} events were acknowledged, it knows of {}", stats["accepted"]));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let shippers: Vec<_> = (0..SHIPPERS)
            .map(|_| {
                let (client, ingest, number, stop) =
                    (machine.client.clone(), ingest.clone(), Arc::clone(&number), Arc::clone(&stop));
                thread::spawn(move || ship(&client, &ingest, &number, &stop))
            })
            .collect();
        pause(Duration::from_millis(random.random_range(20..400)));
        if round % 6 == 2 {
            // In the middle of a drain.
            machine.signal_stop();
            pause(Duration::from_millis(random.random_range(0..200)));
        }
        machine.kill();
        stop.store(true, Ordering::SeqCst);
        posts.extend(shippers.into_iter().flat_map(|shipper| shipper.join().unwrap()));
    }
    machine.start(&env).unwrap();
    let caught_up = within_time(PATIENCE * 2, || {
        (machine.client.get("/api/v1/ingest/stats", &person)["lag_events"] == 0).then_some(())
    });
    assert!(caught_up.is_some(), "it never caught up");
    let stored = Stored::read(&machine.client, &person);
    stored.events(&posts, &mut tally);
    stored.letters(&posts, &mut tally);
    stored.counts(&mut tally);
    assert!(machine.terminate().0.is_some_and(|status| status.success()));
    machine.verify();
    machine.start(&env).unwrap();
    segments(&machine.client, &person, stored.events.values().sum(), &mut tally);
    machine.kill();
    machine.verify();
    eprintln!(
        "{} posts, {} acknowledged, {} events",
        posts.len(),
        posts.iter().filter(|post| post.acknowledged).count(),
        stored.events.len()
    );
    assert!(posts.iter().filter(|post| post.acknowledged).count() > 100);
    tally.kills = machine.kills;
    tally.close();
}

/// After a drain each segment is sealed and has its one entry, and together they cover every event.
fn segments(client: &Client, person: &str, events: u32, tally: &mut Tally) {
    let entries = client.all("/api/v1/ledger?kind=segment.sealed", person);
    let names: BTreeSet<String> = entries.iter().map(|entry| entry["subjects"].to_string()).collect();
    if names.len() != entries.len() {
        tally.doubled(format!("{} entries of {} segments", entries.len(), names.len()));
    }
    let covered: u64 = entries.iter().map(|entry| find(&entry["payload"], "count").as_u64().unwrap()).sum();
    if covered != u64::from(events) {
        tally.lost(format!("{events} events are stored, the ledger covers {covered}"));
    }
}

/// A field of the payload, whether or not it is inside `body`.
fn find<'a>(payload: &'a Value, name: &str) -> &'a Value {
    payload["body"].get(name).unwrap_or(&payload[name])
}

fn write_rule(dir: &Path) {
    let rule = format!(
        "title: Marked line\nid: {RULE}\nstatus: test\nlevel: medium\nlogsource:\n  product: linux\n  service: syslog\n\
         detection:\n  marked:\n    message|contains: crash-marker\n  condition: marked\n"
    );
    std::fs::write(dir.join("marked.yml"), rule).unwrap();
    let correlation = format!(
        "title: Many marked lines\nid: {CORRELATION}\nstatus: test\nlevel: low\ncorrelation:\n  type: event_count\n  \
         rules: {RULE}\n  group-by: [hostname]\n  timespan: 12h\n  condition: {{gte: 10}}\n"
    );
    std::fs::write(dir.join("many.yml"), correlation).unwrap();
}

/// One body of lines, each with a mark of its own.
struct Post {
    /// Of the lines that are to be stored.
    marks: Vec<String>,
    /// Of the line that is to be refused.
    broken: Option<String>,
    acknowledged: bool,
}

/// Posts until the server is gone or `stop` is set.
fn ship(client: &Client, token: &str, number: &AtomicU32, stop: &AtomicBool) -> Vec<Post> {
    let mut posts = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let (mut post, path, body) = compose(number.fetch_add(1, Ordering::SeqCst));
        let answer = client.send("POST", path, token, "text/plain", &body);
        let gone = answer.is_none();
        if let Some((status, answer)) = answer {
            post.acknowledged = status == 200;
            if post.acknowledged {
                assert_eq!(answer["accepted"], post.marks.len(), "{answer}");
                assert_eq!(answer["rejected"], u64::from(post.broken.is_some()), "{answer}");
            } else {
                // In a drain a request may be told that it comes too late.
                assert!(answer["code"].is_string(), "{status} {answer}");
            }
        }
        posts.push(post);
        if gone {
            break;
        }
        pause(Duration::from_millis(5));
    }
    posts
}

/// Every fifth is what its source says it is not, every third has a line that is no JSON.
fn compose(number: u32) -> (Post, &'static str, String) {
    let odd = number.is_multiple_of(5);
    let marks: Vec<String> =
        (0..LINES).map(|line| format!("{}-{number}-{line}", if odd { "odd" } else { "mark" })).collect();
    let line = |(place, mark): (usize, &String)| {
        if odd {
            return format!("no access line {mark}");
        }
        format!("<13>1 {} web-0{} crashtest 77 - - crash-marker {mark}", SystemClock.now(), place % 3)
    };
    let mut lines: Vec<String> = marks.iter().enumerate().map(line).collect();
    let broken = number.is_multiple_of(3).then(|| format!("broken-{number}"));
    if let Some(mark) = &broken {
        lines.insert(2, format!("{{\"it\": is {mark}"));
    }
    let path = if odd { "/api/v1/events?source=nginx" } else { "/api/v1/events" };
    (Post { marks, broken, acknowledged: false }, path, lines.join("\n"))
}

/// What the server has, by its own word.
struct Stored {
    /// How often each mark is stored.
    events: BTreeMap<String, u32>,
    /// Marks of the dead letters, by stage.
    letters: BTreeMap<(String, String), u32>,
    alerts: Vec<Value>,
    correlated: Vec<Value>,
    stats: Value,
}

impl Stored {
    fn read(client: &Client, person: &str) -> Self {
        let mut stored = Self {
            events: BTreeMap::new(),
            letters: BTreeMap::new(),
            alerts: client.all(&format!("/api/v1/alerts?rule_id={RULE}"), person),
            correlated: client.all(&format!("/api/v1/alerts?rule_id={CORRELATION}"), person),
            stats: client.get("/api/v1/ingest/stats", person),
        };
        let mut ids = BTreeSet::new();
        for event in client.all("/api/v1/events", person) {
            assert!(ids.insert(event["id"].to_string()), "listed twice: {event}");
            *stored.events.entry(mark(event["raw"].as_str().unwrap())).or_default() += 1;
        }
        for letter in client.all("/api/v1/dead-letters", person) {
            let key = (letter["stage"].as_str().unwrap().to_owned(), mark(letter["sample"].as_str().unwrap()));
            *stored.letters.entry(key).or_default() += 1;
        }
        stored
    }

    /// All of an acknowledged post, once; of another, all or nothing.
    fn events(&self, posts: &[Post], tally: &mut Tally) {
        for post in posts {
            let counts: Vec<u32> = post.marks.iter().map(|mark| self.events.get(mark).copied().unwrap_or(0)).collect();
            let first = post.marks.first().unwrap();
            if counts.iter().any(|count| *count > 1) {
                tally.doubled(format!("{first}: {counts:?}"));
            } else if counts.contains(&0) && (post.acknowledged || counts.contains(&1)) {
                tally.lost(format!("{first}: {counts:?}, acknowledged: {}", post.acknowledged));
            }
        }
        let sent: usize = posts.iter().map(|post| post.marks.len()).sum();
        assert!(self.events.len() <= sent);
    }

    /// A letter for each refused line of an acknowledged post, and for each stored line that nobody understands.
    fn letters(&self, posts: &[Post], tally: &mut Tally) {
        let count =
            |stage: &str, mark: &String| self.letters.get(&(stage.to_owned(), mark.clone())).copied().unwrap_or(0);
        for post in posts {
            let Some(broken) = &post.broken else { continue };
            match count("intake", broken) {
                0 if post.acknowledged => tally.lost(format!("no dead letter of {broken}")),
                0 | 1 => {}
                more => tally.doubled(format!("{more} dead letters of {broken}")),
            }
        }
        for mark in self.events.keys() {
            match (count("normalise", mark), mark.starts_with("odd")) {
                (0, true) => tally.lost(format!("no dead letter of {mark}")),
                (1, true) | (0, false) => {}
                (more, _) => tally.doubled(format!("{more} dead letters of {mark}")),
            }
        }
        let refused: u32 =
            self.letters.iter().filter(|((stage, _), _)| stage == "intake").map(|(_, count)| count).sum();
        if self.stats["rejected"] != refused || self.stats["dead_letters"] != self.letters.values().sum::<u32>() {
            tally.misreported(format!(
                "{refused} refused lines of {} dead letters, and it says {}",
                self.letters.len(),
                self.stats
            ));
        }
    }

    /// Counts of the surface are those of what is stored; an alert's count is that of the events that match.
    fn counts(&self, tally: &mut Tally) {
        let stored: u32 = self.events.values().sum();
        let by_source: u64 =
            self.stats["sources"].as_array().unwrap().iter().map(|source| source["events"].as_u64().unwrap()).sum();
        for name in ["accepted", "stored", "processed"] {
            if self.stats[name] != stored {
                tally.misreported(format!("{stored} events are stored, {name} is {}", self.stats[name]));
            }
        }
        if by_source != u64::from(stored) || self.stats["damaged_events"] != 0 {
            tally.misreported(format!("{stored} events are stored: {}", self.stats));
        }
        let matching: u64 =
            self.events.iter().filter(|(mark, _)| mark.starts_with("mark")).map(|(_, count)| u64::from(*count)).sum();
        for (what, alerts) in [("the alerts", &self.alerts), ("those of the correlation", &self.correlated)] {
            let counted: u64 = alerts.iter().map(|alert| alert["count"].as_u64().unwrap()).sum();
            match counted.cmp(&matching) {
                std::cmp::Ordering::Less => tally.lost(format!("{matching} events match, {what} count {counted}")),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => {
                    tally.doubled(format!("{matching} events match, {what} count {counted}"));
                }
            }
        }
        if self.correlated.len() != HOSTS || self.correlated.iter().any(|alert| alert["superseded"] != false) {
            tally.misreported(format!("one alert for each of {HOSTS} hosts: {:?}", self.correlated));
        }
        let keys: BTreeSet<_> = self
            .alerts
            .iter()
            .map(|alert| (alert["fingerprint"].to_string(), alert["window_start"].to_string()))
            .collect();
        if keys.len() != self.alerts.len() {
            tally.doubled("two alerts of one fingerprint and window".to_owned());
        }
    }
}

/// The mark in a line of ours.
fn mark(line: &str) -> String {
    let known = |word: &&str| ["mark-", "odd-", "broken-"].iter().any(|kind| word.starts_with(kind));
    line.split_whitespace().find(known).unwrap_or_else(|| panic!("not of ours: {line}")).to_owned()
}
