//! The recorded attack under `demo/`: every line of it is read, and the story's facts come out.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{collections::BTreeMap, fmt::Write as _};

use bytes::Bytes;
use shieldops_ingest::{Hints, Limits, Prepared, normalise_parts, prepare};
use shieldops_model::{Normalised, TimeQuality};

fn read(file: &str, hints: Hints<'_>) -> Option<(Prepared, Vec<Normalised>)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/recording").join(file);
    let body = Bytes::from(std::fs::read(path).ok()?);
    let now = jiff::civil::date(2026, 12, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
    let limits = Limits { retention: std::time::Duration::from_hours(24 * 3_650), ..Limits::default() };
    let prepared = prepare(&body, hints, shieldops_model::Timestamp::from_micros(now), &limits);
    let normalised = prepared.events.iter().map(|event| {
        let (normalised, problem) = normalise_parts(&event.source, event.format, &event.raw);
        assert_eq!(problem, None, "{}", String::from_utf8_lossy(&event.raw));
        normalised
    });
    let normalised = normalised.collect();
    Some((prepared, normalised))
}

#[test]
fn every_line_of_the_recording_is_recognised_timed_and_read() {
    let mut shown = String::new();
    for file in ["auth.log", "syslog", "audit.log", "access.log"] {
        let Some((prepared, normalised)) = read(file, Hints::default()) else {
            panic!("demo/recording/{file} is missing")
        };
        assert_eq!(prepared.errors, [], "{file}");
        assert!(prepared.events.iter().all(|event| event.time_quality == TimeQuality::Good), "{file}");
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        for (event, normalised) in prepared.events.iter().zip(&normalised) {
            let source = &normalised.log_source;
            let kind = format!(
                "{file} {} {} {}/{}/{} {} {} {}",
                event.source,
                event.format,
                source.product.as_deref().unwrap_or("-"),
                source.categories.join("+"),
                source.service.as_deref().unwrap_or("-"),
                normalised.ocsf.class_name,
                normalised.ocsf.activity,
                normalised.ocsf.status.as_deref().unwrap_or("-"),
            );
            *kinds.entry(kind).or_default() += 1;
        }
        for (kind, count) in kinds {
            writeln!(shown, "{count:4} {kind}").unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}
