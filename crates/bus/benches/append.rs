//! Acknowledged durable events a second on a real file system, one line of JSON:
//! `cargo bench -p shieldops-bus --bench append`. The directory is `BUS_BENCH_DIR`, else the system's temporary one.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run stops")]

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use shieldops_bus::{Bus, Keys, Limits, NewEvent, Offset, Parts};
use shieldops_model::{Clock as _, EventId, SystemClock, TenantId, TimeQuality};
use shieldops_seal::SealKey;

const TIME: Duration = Duration::from_secs(3);
const LINE: &str =
    "Nov 21 12:00:00 web-1 sshd[4242]: Failed password for invalid user admin from 203.0.113.7 port 51022 ssh2";

struct OneKey(Arc<SealKey>);

impl Keys for OneKey {
    fn frame_key(&self, _tenant: TenantId) -> Result<Arc<SealKey>, String> {
        Ok(Arc::clone(&self.0))
    }
}

fn open(dir: &Path) -> Bus {
    let keys = Arc::new(OneKey(Arc::new(SealKey::from_bytes([7; 32]))));
    let limits = Limits { max_bytes: 1 << 40, ..Limits::default() };
    Bus::open(dir, limits, Parts::new(keys, Arc::new(SystemClock), Arc::new(|_| vec![1, 2]))).expect("the bus opens")
}

fn tenant() -> TenantId {
    TenantId::from_bits(1)
}

fn batch(events: usize) -> Vec<NewEvent> {
    let raw = Bytes::from_static(LINE.as_bytes());
    let event = NewEvent {
        source: "sshd".to_owned(),
        format: "syslog/1".to_owned(),
        time: SystemClock.now(),
        time_quality: TimeQuality::Good,
        demo: false,
        unchecked: false,
        raw,
    };
    vec![event; events]
}

/// Events a second with so many writers, each waiting for its answer before it sends the next batch.
fn append(bus: &Arc<Bus>, writers: usize, events: usize) -> (u64, Vec<Duration>) {
    let started = Instant::now();
    let (send, receive) = mpsc::sync_channel(1024);
    let threads: Vec<_> = (0..writers)
        .map(|_| {
            let (bus, send) = (Arc::clone(bus), send.clone());
            thread::spawn(move || {
                while started.elapsed() < TIME {
                    let asked = Instant::now();
                    bus.append(tenant(), batch(events), None).expect("the append is stored");
                    send.send(asked.elapsed()).expect("the answer is counted");
                }
            })
        })
        .collect();
    drop(send);
    let mut waits: Vec<Duration> = receive.into_iter().collect();
    for thread in threads {
        thread.join().expect("the writer ends");
    }
    waits.sort_unstable();
    let stored = u64::try_from(waits.len() * events).expect("a count");
    (stored * 1000 / u64::try_from(started.elapsed().as_millis()).expect("a time"), waits)
}

fn read(bus: &Bus) -> u64 {
    let (mut at, started) = (Offset(0), Instant::now());
    while let Some(last) = bus.read(tenant(), at, 4 << 20).expect("the log reads").last() {
        at = last.next;
    }
    at.0 * 1000 / u64::try_from(started.elapsed().as_millis().max(1)).expect("a time")
}

/// The median time of finding one event of the log by its id.
fn get(bus: &Bus, ids: &[EventId]) -> Duration {
    let mut times: Vec<Duration> = ids
        .iter()
        .map(|id| {
            let asked = Instant::now();
            assert!(bus.get(tenant(), *id).expect("the log reads").is_some());
            asked.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn quantile(waits: &[Duration], percent: usize) -> u128 {
    waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1))).map_or(0, Duration::as_micros)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is no part of the server's configuration")]
    let base = std::env::var("BUS_BENCH_DIR").map_or_else(|_| std::env::temp_dir(), Into::into);
    let dir = tempfile::Builder::new().prefix("bus-bench").tempdir_in(base).expect("a directory");
    let bus = Arc::new(open(&dir.path().join("bus")));
    let (large, large_waits) = append(&bus, 4, 1000);
    let (small, small_waits) = append(&bus, 64, 1);
    let (single, single_waits) = append(&bus, 1, 1);
    let read = read(&bus);
    let frames = bus.read(tenant(), Offset(0), 64 << 20).expect("the log reads");
    let ids: Vec<EventId> =
        frames.iter().flat_map(|frame| frame.events.iter().map(|event| event.id)).step_by(997).collect();
    let get = get(&bus, &ids);
    let stats = bus.stats(tenant());
    drop(bus);
    let started = Instant::now();
    let reopened = open(&dir.path().join("bus"));
    let open_ms = started.elapsed().as_millis();
    assert_eq!(reopened.stats(tenant()).accepted, stats.accepted);
    println!(
        "{{\"batch_1000_writers_4_events_per_s\":{large},\"batch_1000_p50_us\":{},\"batch_1000_p99_us\":{},\
         \"batch_1_writers_64_events_per_s\":{small},\"batch_1_p50_us\":{},\"batch_1_p99_us\":{},\
         \"batch_1_writers_1_events_per_s\":{single},\"single_p50_us\":{},\"read_events_per_s\":{read},\
         \"get_p50_us\":{},\"open_ms\":{open_ms},\"bytes\":{},\"events\":{}}}",
        quantile(&large_waits, 50),
        quantile(&large_waits, 99),
        quantile(&small_waits, 50),
        quantile(&small_waits, 99),
        quantile(&single_waits, 50),
        get.as_micros(),
        stats.bytes,
        stats.accepted,
    );
}
