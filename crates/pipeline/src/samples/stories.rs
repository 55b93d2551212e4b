//! Correlations on their samples. A sample is a story: events with their times, of which the whole must be found or must not.

use std::sync::Arc;

use bytes::Bytes;
use shieldops_detect::{
    CompileOptions, CorrelationSet, Documents, EventRef, FieldReader, Limits, Observed, RuleSet, Sighting, Worker,
};
use shieldops_ingest::{Hints, Limits as IntakeLimits, PreparedEvent, normalise_parts, prepare};
use shieldops_model::{EventId, Normalised, TimeQuality, Timestamp};

/// When stories are told: what a line without a year means.
const RECEIVED: Timestamp = Timestamp::from_secs(1_795_219_200);

/// A set of rules with the correlations over them.
pub struct Stories {
    rules: RuleSet,
    correlations: Arc<CorrelationSet>,
}

/// What became of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// From 1, in its own list.
    pub number: usize,
    pub expected: bool,
    pub found: bool,
}

impl Told {
    pub fn is_right(&self) -> bool {
        self.expected == self.found
    }
}

impl Stories {
    pub fn new(documents: Documents) -> Self {
        Self::with(documents, &CompileOptions::default())
    }

    /// As a tenant compiles them.
    pub fn with(documents: Documents, options: &CompileOptions) -> Self {
        let draft = CorrelationSet::draft(&documents);
        let (rules, _) = RuleSet::compile(documents, options);
        let (correlations, _) = draft.compile(&rules);
        Self { rules, correlations: Arc::new(correlations) }
    }

    /// Whether it raises no alerts itself; nothing for one that cannot be used.
    pub fn is_silent(&self, id: &str) -> Option<bool> {
        self.correlations.find(id).map(|one| one.silent)
    }

    /// The correlation on stories that it must find and stories that it must not.
    pub fn check(&self, id: &str, matches: &[Vec<String>], misses: &[Vec<String>]) -> Vec<Told> {
        let mut told = Vec::new();
        for (expected, stories) in [(true, matches), (false, misses)] {
            let one = |(story, number): (&Vec<String>, usize)| Told { number, expected, found: self.finds(id, story) };
            told.extend(stories.iter().zip(1..).map(one));
        }
        told
    }

    /// Whether the correlation finds anything in these lines, in whatever order they are.
    pub fn finds(&self, id: &str, lines: &[String]) -> bool {
        let Some(wanted) = self.correlations.find(id).map(|one| one.index) else { return false };
        let found = self.correlations.replay(self.sightings(lines), Limits::default());
        found.found.iter().any(|one| one.correlation == wanted)
    }

    fn sightings(&self, lines: &[String]) -> Vec<Sighting> {
        let (mut worker, mut reader) = (Worker::new(), FieldReader::new());
        let mut sightings = Vec::new();
        for (event, number) in lines.iter().flat_map(|line| events(line)).zip(1_u128..) {
            let (seen, _) = normalise_parts(&event.source, event.format, &event.raw);
            let Normalised { flat, log_source, .. } = &seen;
            let events = [EventRef { line: 0..flat.len(), source: log_source }];
            let mut matched = Vec::new();
            self.rules.scan(&mut worker, &events, flat.as_bytes(), &mut |_, rule| matched.push(rule.index));
            if matched.is_empty() || !reader.read(flat.as_bytes()) {
                continue;
            }
            let time = if event.time_quality == TimeQuality::Missing { RECEIVED } else { event.time };
            for rule in matched {
                let observed = Observed { rule, event: EventId::from_bits(number), time, apart: false };
                let mut read = |field: &str| reader.values(&self.rules, log_source, field);
                sightings.extend(self.correlations.sight(observed, &mut read));
            }
        }
        sightings
    }
}

fn events(line: &str) -> Vec<PreparedEvent> {
    prepare(&Bytes::copy_from_slice(line.as_bytes()), Hints::default(), RECEIVED, &IntakeLimits::default()).events
}

#[cfg(test)]
mod tests {
    use shieldops_detect::parse;

    use super::*;

    const TEXT: &str = "title: Refused\nid: r1\nname: refused\nlevel: low\nlogsource: {product: linux, service: sshd}\ndetection:\n  sel: {message|startswith: Failed}\n  condition: sel\n---\n\
        title: Many refused\nid: c1\nlevel: high\ncorrelation:\n  type: event_count\n  rules: refused\n  group-by: [src_ip]\n  timespan: 1m\n  condition: {gte: 3}\n";

    fn line(second: u32, from: &str) -> String {
        format!(
            "{{\"message\": \"2026-11-20T08:{:02}:{:02}.000000+00:00 app-07 sshd[1]: Failed password for root from {from} port 1 ssh2\"}}",
            second / 60,
            second % 60
        )
    }

    #[test]
    fn a_story_is_found_by_the_times_of_its_events() {
        let stories = Stories::new(parse(TEXT, "x.yml").0);
        let of = |seconds: &[u32]| seconds.iter().map(|second| line(*second, "192.0.2.7")).collect::<Vec<_>>();
        let near = vec![line(1, "192.0.2.7"), line(2, "192.0.2.7"), line(3, "192.0.2.8")];
        let told = stories.check("c1", &[of(&[1, 30, 61]), of(&[61, 1, 30])], &[of(&[1, 30, 62]), near, of(&[5])]);
        assert!(told.iter().all(Told::is_right), "{told:?}");
        assert!(!stories.finds("no such", &of(&[1, 2, 3])));
    }
}
