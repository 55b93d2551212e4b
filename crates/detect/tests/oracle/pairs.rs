//! Generated rules on generated events: the engine decides as the oracle does, at first sight, after it has learned, and
//! with the log source taken from the events' fields.

use std::{collections::BTreeSet, ops::Range};

use shieldops_detect::{CompileOptions, Documents, EventRef, FieldMap, RuleSet, Worker, parse};
use shieldops_model::LogSource;

use crate::{
    data::long,
    make::{self, Dice},
    slow::{Event, Rule, rule},
};

const RULES: usize = 40;
const EVENTS: usize = 60;

struct Case {
    texts: Vec<String>,
    rules: Vec<Rule>,
    lines: Vec<String>,
    sources: Vec<LogSource>,
    events: Vec<Event>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let (mut dice, mut hints) = (Dice::new(seed), Vec::new());
        let texts: Vec<String> = (0..RULES).map(|id| make::rule(&format!("r{id}"), &mut dice, &mut hints)).collect();
        let (lines, sources): (Vec<_>, Vec<_>) = (0..EVENTS).map(|_| make::event(&mut dice, &hints)).unzip();
        let read =
            |text: &String| rule::read(text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}")).remove(0);
        let events = lines
            .iter()
            .map(|line| Event::read(line.as_bytes()).unwrap_or_else(|| panic!("seed {seed}: no event: {line}")));
        Self { rules: texts.iter().map(read).collect(), events: events.collect(), texts, lines, sources }
    }

    fn compile(texts: &[String]) -> RuleSet {
        let mut documents = Documents::default();
        for text in texts {
            let (found, diagnostics) = parse(text, "r.yml");
            assert_eq!(found.rules.len(), 1, "{diagnostics:?}\n{text}");
            documents.extend([found]);
        }
        let options = CompileOptions { field_map: FieldMap::empty(), ..CompileOptions::default() };
        RuleSet::compile(documents, &options).0
    }

    /// How many pairs the oracle looked at, and what it found.
    fn oracle(&self) -> (usize, BTreeSet<(usize, String)>) {
        let (mut pairs, mut found) = (0, BTreeSet::new());
        for (at, event) in self.events.iter().enumerate() {
            for rule in self.rules.iter().filter(|rule| rule.sees(&self.sources[at])) {
                pairs += 1;
                if rule.matches(event) {
                    found.insert((at, rule.id.clone()));
                }
            }
        }
        (pairs, found)
    }

    fn bytes(&self) -> (Vec<u8>, Vec<Range<usize>>) {
        let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
        for line in &self.lines {
            let start = bytes.len();
            bytes.extend_from_slice(line.as_bytes());
            ranges.push(start..bytes.len());
            bytes.push(b'\n');
        }
        (bytes, ranges)
    }

    fn engine(&self, set: &RuleSet, worker: &mut Worker) -> BTreeSet<(usize, String)> {
        let (bytes, ranges) = self.bytes();
        let events: Vec<EventRef<'_>> =
            ranges.into_iter().zip(&self.sources).map(|(line, source)| EventRef { line, source }).collect();
        let mut found = Vec::new();
        set.scan(worker, &events, &bytes, &mut |event, rule| found.push((event, rule.index, rule.id.clone())));
        assert!(found.is_sorted(), "matches come by event, then by rule");
        assert_eq!(worker.stats().bad_events, 0);
        found.into_iter().map(|(event, _, id)| (event, id)).collect()
    }

    /// The pairs that the engine decides otherwise, with everything that is needed to see it again.
    fn differences(&self, found: &BTreeSet<(usize, String)>, wanted: &BTreeSet<(usize, String)>) -> Vec<String> {
        let pairs = found.symmetric_difference(wanted).take(5);
        let shown = pairs.map(|(at, id)| {
            let text = &self.texts[id.trim_start_matches('r').parse::<usize>().unwrap()];
            let alone = Self::compile(std::slice::from_ref(text));
            let alone = self.engine(&alone, &mut Worker::new()).contains(&(*at, id.clone()));
            let oracle = wanted.contains(&(*at, id.clone()));
            let (line, source) = (&self.lines[*at], &self.sources[*at]);
            format!(
                "oracle {oracle}, engine {}, engine with this rule alone {alone}\n{text}{line}\n{source:?}",
                !oracle
            )
        });
        shown.collect()
    }
}

#[test]
fn the_engine_decides_generated_pairs_as_the_oracle_does() {
    let wanted = if long() { 1_000_000 } else { 50_000 };
    let (mut pairs, mut matches, mut seed, mut different) = (0, 0, 0, Vec::new());
    while pairs < wanted && different.len() < 10 {
        seed += 1;
        let case = Case::new(seed);
        let (looked_at, wanted) = case.oracle();
        let (set, mut worker) = (Case::compile(&case.texts), Worker::new());
        for round in ["first", "second"] {
            let found = case.engine(&set, &mut worker);
            let differences = case.differences(&found, &wanted).into_iter();
            different.extend(differences.map(|text| format!("seed {seed}, {round} round: {text}")));
        }
        pairs += looked_at;
        matches += wanted.len();
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
    eprintln!("{pairs} pairs, {matches} matches");
    // A generator whose pairs never match would prove nothing.
    assert!(matches * 20 > pairs && matches * 2 < pairs, "{matches} of {pairs} match");
}
