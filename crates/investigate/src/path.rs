//! The attack path: the ATT&CK stages that the alerts of the case show, in ATT&CK order.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{
    EventId, Timestamp,
    attack::{rank, tactic},
    investigation::Stage,
};

use crate::{
    case::CaseEvent,
    facts::Facts,
    words::{list, number},
};

/// Events that one stage cites.
const MAX_CITED: usize = 20;

struct Shown<'a> {
    first: Timestamp,
    last: Timestamp,
    techniques: BTreeSet<&'a str>,
    rules: BTreeMap<&'a str, usize>,
    events: Vec<EventId>,
}

pub(crate) fn path(facts: &Facts<'_>) -> Vec<Stage> {
    let mut stages: BTreeMap<usize, Shown<'_>> = BTreeMap::new();
    for event in &facts.events {
        for stage in ranks(event) {
            let shown = stages.entry(stage).or_insert_with(|| Shown {
                first: event.time,
                last: event.time,
                techniques: BTreeSet::new(),
                rules: BTreeMap::new(),
                events: Vec::new(),
            });
            shown.last = event.time;
            shown.events.push(event.id);
            add(shown, event, stage);
        }
    }
    stages.into_iter().filter_map(|(stage, shown)| finish(stage, shown)).collect()
}

fn ranks(event: &CaseEvent) -> BTreeSet<usize> {
    event.alerts.iter().flat_map(|alert| &alert.attack.tactics).filter_map(|short| rank(short)).collect()
}

fn add<'a>(shown: &mut Shown<'a>, event: &'a CaseEvent, stage: usize) {
    let of_stage =
        event.alerts.iter().filter(|alert| alert.attack.tactics.iter().any(|short| rank(short) == Some(stage)));
    for alert in of_stage {
        shown.techniques.extend(alert.attack.techniques.iter().map(String::as_str));
        *shown.rules.entry(alert.rule_title.as_str()).or_default() += 1;
    }
}

fn finish(stage: usize, shown: Shown<'_>) -> Option<Stage> {
    let tactic = shieldops_model::attack::TACTICS.get(stage)?;
    let mut rules: Vec<(&str, usize)> = shown.rules.into_iter().collect();
    rules.sort_by(|(one, times), (other, more)| more.cmp(times).then(one.cmp(other)));
    let named: Vec<String> = rules.iter().take(2).map(|(title, _)| (*title).to_owned()).collect();
    let more = rules.len().saturating_sub(2);
    let more = if more > 0 { format!(", and {}", number(more, "more rule", "more rules")) } else { String::new() };
    Some(Stage {
        tactic: tactic.short.to_owned(),
        title: format!("{}: {}{more}", tactic.name, named.join(", ")),
        first_seen: shown.first,
        last_seen: shown.last,
        techniques: shown.techniques.into_iter().map(str::to_owned).collect(),
        event_ids: shown.events.into_iter().take(MAX_CITED).collect(),
    })
}

pub(crate) fn found(path: &[Stage]) -> String {
    let names: Vec<String> =
        path.iter().filter_map(|stage| tactic(&stage.tactic)).map(|tactic| tactic.name.to_lowercase()).collect();
    if names.is_empty() { "no stage: no rule names a tactic".to_owned() } else { list(&names) }
}
