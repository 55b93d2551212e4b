//! Correlations over made-up matches: what a rule's match is, is said here and not looked for in events.

mod judge;
mod kinds;
mod late;
mod state;

use std::{collections::BTreeMap, sync::Arc};

use shieldops_model::{EventId, Timestamp};

use super::{CorrelationMatch, CorrelationSet, Correlator, Limits, Observed, Stored};
use crate::{CompileOptions, Diagnostic, Documents, RuleSet, parse};

/// Three rules, `a`, `b` and `c`, in a file of their own.
const RULES: &str = "rules.yml";

fn base_rules() -> String {
    let rule = |name: &str| {
        format!(
            "title: Rule {name}\nid: id-{name}\nname: {name}\nlevel: low\nlogsource: {{product: linux}}\ndetection:\n  sel: {{k: {name}}}\n  condition: sel\n"
        )
    };
    ["a", "b", "c"].map(rule).join("---\n")
}

/// A correlation's text; `rest` is what stands below `correlation`, indented by two.
fn correlation(name: &str, rest: &str) -> String {
    format!("title: Correlation {name}\nid: id-{name}\nname: {name}\nlevel: high\ncorrelation:\n{rest}")
}

struct Bench {
    documents: Documents,
    rules: RuleSet,
    set: Arc<CorrelationSet>,
    said: Vec<Diagnostic>,
}

impl Bench {
    /// The base rules, and these correlations in another file.
    fn new(correlations: &str) -> Self {
        let (mut documents, mut said) = parse(&base_rules(), RULES);
        let (more, problems) = parse(correlations, "correlations.yml");
        documents.extend([more]);
        said.extend(problems);
        let (rules, problems) = RuleSet::compile(documents.clone(), &CompileOptions::default());
        said.extend(problems);
        let (set, problems) = CorrelationSet::compile(&documents, &rules);
        said.extend(problems);
        Self { documents, rules, set: Arc::new(set), said }
    }

    fn rule(&self, name: &str) -> usize {
        self.rules.position(&format!("id-{name}")).unwrap()
    }

    fn correlator(&self) -> Correlator {
        Correlator::new(Arc::clone(&self.set), Limits::default())
    }
}

/// A match of a rule, with the fields of its event; times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    rule: &'static str,
    time: i64,
    event: u128,
    fields: Vec<(&'static str, String)>,
}

/// `rule`, time, and the user.
fn hit(rule: &'static str, time: i64, user: &str) -> Hit {
    Hit { rule, time, event: 0, fields: vec![("user", user.to_owned())] }
}

fn with(mut hit: Hit, field: &'static str, value: impl ToString) -> Hit {
    hit.fields.push((field, value.to_string()));
    hit
}

/// Numbers events by their place; equal times in their order.
fn numbered(hits: impl IntoIterator<Item = Hit>) -> Vec<Hit> {
    hits.into_iter().zip(1..).map(|(hit, event)| Hit { event, ..hit }).collect()
}

fn observe(bench: &Bench, correlator: &mut Correlator, hit: &Hit) {
    let observed = Observed {
        rule: bench.rule(hit.rule),
        event: EventId::from_bits(hit.event),
        time: Timestamp::from_secs(hit.time),
        apart: false,
    };
    correlator.observe(&observed, &mut |field| {
        hit.fields.iter().filter(|(name, _)| *name == field).map(|(_, value)| value.clone()).collect()
    });
}

/// A match as it is compared: correlation, group, first and last sight in seconds, count.
type Shown = (String, String, i64, i64, u64);

/// What a run has told, under the names of the matches.
#[derive(Default)]
struct Told {
    by_name: BTreeMap<(usize, Vec<String>, Timestamp), CorrelationMatch>,
    /// How often anything was told.
    times: usize,
}

impl Told {
    fn take(&mut self, matches: Vec<CorrelationMatch>) {
        self.times += matches.len();
        for one in matches {
            self.by_name.insert((one.correlation, one.group.clone(), one.opened), one);
        }
    }

    /// Those that stand.
    fn shown(&self, set: &CorrelationSet) -> Vec<Shown> {
        let standing = self.by_name.values().filter(|one| one.superseded.is_none());
        let mut shown: Vec<Shown> = standing.map(|one| show(set, one)).collect();
        shown.sort();
        shown
    }

    fn superseded(&self) -> usize {
        self.by_name.values().filter(|one| one.superseded.is_some()).count()
    }
}

fn show(set: &CorrelationSet, one: &CorrelationMatch) -> Shown {
    let name = set.get(one.correlation).unwrap().header.name.clone();
    (name, one.group.join("|"), one.first_seen.as_secs(), one.last_seen.as_secs(), one.count)
}

/// A correlator whose state is stored after each step, as a server does it.
struct Run<'b> {
    bench: &'b Bench,
    correlator: Correlator,
    stored: Stored,
    told: Told,
    newest: i64,
}

impl<'b> Run<'b> {
    fn new(bench: &'b Bench) -> Self {
        let correlator = bench.correlator();
        Self { bench, correlator, stored: Stored::default(), told: Told::default(), newest: i64::MIN }
    }

    /// One step; the watermark is a minute behind the newest event.
    fn step(&mut self, hits: &[Hit]) -> Vec<Shown> {
        for hit in hits {
            observe(self.bench, &mut self.correlator, hit);
            self.newest = self.newest.max(hit.time);
        }
        let watermark = (self.newest > i64::MIN).then(|| Timestamp::from_secs(self.newest - 60));
        self.end(watermark)
    }

    fn end(&mut self, watermark: Option<Timestamp>) -> Vec<Shown> {
        self.correlator.advance(watermark);
        let matches = self.correlator.take();
        let shown = matches.iter().map(|one| show(&self.bench.set, one)).collect();
        self.told.take(matches);
        if let Some(saved) = self.correlator.save() {
            self.stored.take(saved);
        }
        shown
    }

    /// Everything is over.
    fn close(&mut self) -> Vec<Shown> {
        self.end(Some(Timestamp::from_secs(1_000_000_000)));
        self.told.shown(&self.bench.set)
    }

    /// The process ends here and another one goes on.
    fn crash(&mut self) {
        let (correlator, problems) =
            Correlator::restore(Arc::clone(&self.bench.set), Limits::default(), self.stored.clone());
        assert_eq!(problems, Vec::<String>::new());
        self.correlator = correlator;
    }
}

/// All in one run, a step for each.
fn run(bench: &Bench, hits: &[Hit]) -> Vec<Shown> {
    let mut run = Run::new(bench);
    for hit in hits {
        run.step(std::slice::from_ref(hit));
    }
    run.close()
}

fn shown(rows: &[(&str, &str, i64, i64, u64)]) -> Vec<Shown> {
    rows.iter()
        .map(|(name, group, first, last, count)| ((*name).into(), (*group).into(), *first, *last, *count))
        .collect()
}

#[test]
fn what_is_wrong_with_a_correlation_is_said_once() {
    let rest = "  type: event_count\n  rules: [no-such-rule]\n  timespan: 1m\n  condition: {gte: 2}\n";
    let bench = Bench::new(&correlation("lone", rest));
    let said: Vec<&str> = bench.said.iter().map(|one| one.code).collect();
    assert_eq!((said.as_slice(), bench.set.len()), (&["unknown-rule"][..], 0), "{:?}", bench.said);
}
