//! The engine against the oracle: the bytes choose a rule and events that resemble it; both decide alike, event by event
//! and in one batch.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shieldops_detect::{CompileOptions, EventRef, FieldMap, RuleSet, Worker, parse};

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../crates/detect/tests/oracle"]
mod oracle {
    pub(crate) mod make;
    pub(crate) mod slow;
}

use self::oracle::{make, slow};
use self::{
    make::Dice,
    slow::{Event, rule},
};

/// Made once: the shipped mappings, which are left out, cost more than a rule.
static OPTIONS: LazyLock<CompileOptions> =
    LazyLock::new(|| CompileOptions { field_map: FieldMap::empty(), ..CompileOptions::default() });
const RULES: usize = 3;
const EVENTS: usize = 6;

fuzz_target!(|data: &[u8]| {
    let (mut dice, mut hints) = (Dice::of_bytes(data), Vec::new());
    let texts: Vec<String> = (0..RULES).map(|id| make::rule(&format!("r{id}"), &mut dice, &mut hints)).collect();
    let text = texts.join("---\n");
    let rules = rule::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let (documents, diagnostics) = parse(&text, "r.yml");
    assert_eq!(documents.rules.len(), RULES, "{diagnostics:?}\n{text}");
    let (set, _) = RuleSet::compile(documents, &OPTIONS);
    let (mut bytes, mut ranges, mut sources, mut wanted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for at in 0..EVENTS {
        let (line, source) = make::event(&mut dice, &hints);
        let event = Event::read(line.as_bytes()).unwrap_or_else(|| panic!("no event: {line}"));
        let matching = rules.iter().filter(|rule| rule.sees(&source) && rule.matches(&event));
        wanted.extend(matching.map(|rule| (at, rule.id.clone())));
        let start = bytes.len();
        bytes.extend_from_slice(line.as_bytes());
        ranges.push(start..bytes.len());
        bytes.push(b'\n');
        sources.push(source);
    }
    let events: Vec<EventRef<'_>> =
        ranges.into_iter().zip(&sources).map(|(line, source)| EventRef { line, source }).collect();
    let (mut worker, mut found) = (Worker::new(), Vec::new());
    set.scan(&mut worker, &events, &bytes, &mut |event, rule| found.push((event, rule.id.clone())));
    assert_eq!(found, wanted, "{text}{}", String::from_utf8_lossy(&bytes));
    let mut alone = Vec::new();
    for (at, event) in events.iter().enumerate() {
        set.scan(&mut worker, std::slice::from_ref(event), &bytes, &mut |_, rule| alone.push((at, rule.id.clone())));
    }
    assert_eq!(alone, wanted, "one by one: {text}{}", String::from_utf8_lossy(&bytes));
});
