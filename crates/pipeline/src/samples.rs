//! Rules on their samples, read as intake would read them.

pub mod stories;

use shieldops_bus::Stop;
use shieldops_detect::{
    CompileOptions, Rule,
    testing::{Sample, SampleReport, check_samples_while},
};
use shieldops_ingest::{normalise_parts, recognise};
use shieldops_model::Normalised;

/// An event as intake would understand these bytes.
pub fn seen(line: &str) -> Normalised {
    let seen = recognise(line.as_bytes(), None);
    normalise_parts(&seen.source, seen.format, line.as_bytes()).0
}

/// The rule on lines that it must match and lines that it must not. Blocking.
pub fn check(rule: &Rule, matches: &[String], misses: &[String]) -> SampleReport {
    check_with(rule, &CompileOptions::default(), matches, misses)
}

/// The same as a tenant compiles the rule. Blocking.
pub fn check_with(rule: &Rule, options: &CompileOptions, matches: &[String], misses: &[String]) -> SampleReport {
    check_until(rule, options, (matches, misses), &Stop::default()).unwrap_or_default()
}

/// The same; nothing when it had to stop between two samples. Blocking.
pub fn check_until(
    rule: &Rule,
    options: &CompileOptions,
    (matches, misses): (&[String], &[String]),
    stop: &Stop,
) -> Option<SampleReport> {
    let normalised = |lines: &[String]| -> Vec<Normalised> { lines.iter().map(|line| seen(line)).collect() };
    let (hits, near) = (normalised(matches), normalised(misses));
    let hits: Vec<Sample<'_>> = hits.iter().map(sample).collect();
    let near: Vec<Sample<'_>> = near.iter().map(sample).collect();
    check_samples_while(rule, options, (&hits, &near), &|| !stop.is_due())
}

fn sample(seen: &Normalised) -> Sample<'_> {
    Sample { source: Some(&seen.log_source), line: &seen.flat }
}
