//! Any bytes as each text format, as a body of each protocol, and as a file: every event that comes out has one flat line.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use shieldops_ingest::{
    Hints, Limits,
    formats::{ACCESS, AUDIT, JSON, SYSLOG, TEXT, WINDOWS, bulk, flat, hec},
    normalise_parts, prepare, recognise,
    sources::{FileOptions, read_file},
};
use shieldops_model::Timestamp;

const SOURCES: [&str; 8] = ["sshd", "nginx", "auditd", "windows", "sudo", "cron", "cef", "json"];

fn normal(source: &str, format: &str, raw: &[u8]) {
    let (normalised, _) = normalise_parts(source, format, raw);
    assert!(flat::members(&normalised.flat).is_some() && !normalised.flat.contains('\n'), "{}", normalised.flat);
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let source = SOURCES[usize::from(*choice) % SOURCES.len()];
    let (received, limits) = (Timestamp::from_secs(1_790_000_000), Limits::default());
    for format in [SYSLOG, ACCESS, AUDIT, WINDOWS, JSON, TEXT] {
        normal(source, format, body);
    }
    let seen = recognise(body, None);
    normal(&seen.source, seen.format, body);
    let shared = Bytes::copy_from_slice(body);
    let hints = || Hints { source: (*choice & 1 == 1).then_some(source), content_type: None };
    let prepared = prepare(&shared, hints(), received, &limits);
    for event in &prepared.events {
        normal(&event.source, event.format, &event.raw);
    }
    let _bulk = bulk::parse(&shared, Some("index"), None, received, &limits);
    let _event = hec::parse(&shared, hec::Endpoint::Event, hints(), received, &limits);
    let _raw = hec::parse(&shared, hec::Endpoint::Raw, hints(), received, &limits);
    let options = FileOptions { memory_bytes: 1 << 24, ..FileOptions::new(received) };
    read_file(std::io::Cursor::new(body.to_vec()), &options, &mut |event| {
        if let Ok(event) = event {
            normal(&event.source, event.format, &event.raw);
        }
    });
});
