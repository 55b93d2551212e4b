//! What happens once somebody is inside: a person at the keyboard, and ways back that they leave.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shieldops_model::Severity;

use super::{
    Idea,
    credentials::{at_most, is_regular},
    weights::{hands_on as hands, persistence as stay},
};
use crate::{
    case::{CaseEvent, class},
    facts::{Breach, Facts, account_on, same_host},
    words::{name, number},
};

/// Programs that make it more than a command or two.
const PROGRAMS_MIN: usize = 3;
/// Programs that bring files or connections from elsewhere.
const FETCHERS: [&str; 10] = ["curl", "wget", "nc", "ncat", "netcat", "scp", "sftp", "ftp", "socat", "certutil.exe"];

/// An account on a host, and the processes it ran.
type Actor<'a> = (Option<&'a str>, Option<&'a str>);

pub(super) fn hands_on_keyboard<'a>(facts: &Facts<'a>) -> Vec<Idea<'a>> {
    let mut actors: BTreeMap<Actor<'a>, Vec<&'a CaseEvent>> = BTreeMap::new();
    for event in facts.of_class(class::PROCESS) {
        actors.entry((event.who(), event.host())).or_default().push(event);
    }
    actors.into_iter().filter_map(|((who, host), events)| at_keyboard(facts, who, host, &events)).collect()
}

fn at_keyboard<'a>(
    facts: &Facts<'a>,
    who: Option<&'a str>,
    host: Option<&'a str>,
    events: &[&'a CaseEvent],
) -> Option<Idea<'a>> {
    let breach = facts.breaches.iter().find(|breach| Some(breach.user) == who && same_host(breach.host, host));
    let began = breach
        .map(|breach| breach.success.time)
        .or_else(|| events.iter().find(|event| !event.alerts.is_empty()).map(|event| event.time))?;
    let acts: Vec<&CaseEvent> = events.iter().copied().filter(|event| event.time >= began).collect();
    let alerted: Vec<&CaseEvent> = acts.iter().copied().filter(|event| !event.alerts.is_empty()).collect();
    let programs: BTreeSet<&str> = acts.iter().filter_map(|event| image(event)).collect();
    if alerted.is_empty() || programs.len() < PROGRAMS_MIN {
        return None;
    }
    let mut idea = Idea::new(format!("A person works by hand as {}", account_on(who, host)), hands::BASE);
    let tactics: BTreeSet<&str> = alerted
        .iter()
        .flat_map(|event| &event.alerts)
        .flat_map(|alert| &alert.attack.tactics)
        .map(String::as_str)
        .collect();
    idea.weigh_if(
        tactics.len() >= 2,
        hands::SEVERAL_TACTICS,
        &alerted,
        format!("the commands show {}", number(tactics.len(), "tactic", "tactics")),
    );
    idea.weigh_if(tactics.len() < 2, 1, &alerted, "a command raised an alert");
    idea.weigh_if(
        programs.len() >= 8,
        hands::MANY_PROGRAMS,
        &acts,
        format!("{} ran", number(programs.len(), "different program", "different programs")),
    );
    let fetched: Vec<&CaseEvent> = acts.iter().copied().filter(|event| is_fetch(event)).collect();
    idea.weigh(hands::FETCHES, &fetched, "a program that reaches other machines ran");
    idea.weigh_if(
        is_by_person(&acts),
        hands::PACE_OF_A_PERSON,
        &acts,
        "the pauses between commands are those of a person",
    );
    if let Some(breach) = breach {
        idea.weigh(
            hands::AFTER_COMPROMISE,
            &[breach.success],
            "the account had just been signed in to after failed tries",
        );
    }
    let before: BTreeSet<&str> =
        events.iter().filter(|event| event.time < began).filter_map(|event| image(event)).collect();
    let again: Vec<&CaseEvent> =
        alerted.iter().copied().filter(|event| image(event).is_some_and(|image| before.contains(image))).collect();
    idea.weigh_if(
        again.len() * 2 > alerted.len(),
        hands::SEEN_BEFORE,
        &again,
        "the account ran the same programs before",
    );
    Some(idea)
}

/// Alerts of the persistence stage that are not sign-ins, by host.
pub(super) fn persistence<'a>(facts: &Facts<'a>) -> Vec<Idea<'a>> {
    let mut hosts: BTreeMap<Option<&str>, Vec<&'a CaseEvent>> = BTreeMap::new();
    for event in facts.events.iter().filter(|event| leaves_a_way_back(event)) {
        hosts.entry(event.host()).or_default().push(event);
    }
    hosts.into_iter().map(|(host, events)| persisted(facts, host, &events)).collect()
}

pub(super) fn leaves_a_way_back(event: &CaseEvent) -> bool {
    event.has_tactic("persistence")
        && ![class::AUTHENTICATION, class::AUTHORIZE_SESSION].contains(&event.ocsf.class_uid)
}

fn persisted<'a>(facts: &Facts<'a>, host: Option<&str>, events: &[&'a CaseEvent]) -> Idea<'a> {
    let title = format!("A way back was left on {}", name(host, "an unnamed host"));
    let mut idea = Idea::new(title, stay::BASE);
    let ways: BTreeSet<&str> = events
        .iter()
        .flat_map(|event| &event.alerts)
        .filter(|alert| alert.attack.tactics.iter().any(|tactic| tactic == "persistence"))
        .map(|alert| alert.rule_title.as_str())
        .collect();
    let high: Vec<&CaseEvent> =
        events.iter().copied().filter(|event| event.severity() >= Some(Severity::High)).collect();
    idea.weigh_if(high.is_empty(), 1, events, "a rule for persistence matched");
    idea.weigh(stay::HIGH_LEVEL, &high, "a rule of high level for persistence matched");
    idea.weigh_if(
        ways.len() >= 2,
        stay::SEVERAL_WAYS,
        events,
        format!("{} point to persistence", number(ways.len(), "rule", "different rules")),
    );
    if let Some(breach) = before(facts, host, events) {
        idea.weigh(stay::AFTER_COMPROMISE, &[breach.success], "it follows a sign-in after failed tries on this host");
    }
    let failed: Vec<&CaseEvent> =
        events.iter().copied().filter(|event| event.ocsf.status.as_deref() == Some("failure")).collect();
    idea.weigh_if(failed.len() == events.len(), stay::FAILED, &failed, "the record says that it failed");
    idea
}

fn before<'f, 'a>(facts: &'f Facts<'a>, host: Option<&str>, events: &[&CaseEvent]) -> Option<&'f Breach<'a>> {
    let last = events.last()?;
    facts.breaches.iter().find(|breach| same_host(breach.host, host) && breach.success.time <= last.time)
}

fn image(event: &CaseEvent) -> Option<&str> {
    event.ocsf.process.as_ref()?.image.as_deref()
}

fn is_fetch(event: &CaseEvent) -> bool {
    let program = image(event).and_then(|image| image.rsplit(['/', '\\']).next());
    program.is_some_and(|program| FETCHERS.contains(&program))
}

/// Pauses of half a second to two minutes for the most part, and not even.
fn is_by_person(events: &[&CaseEvent]) -> bool {
    let person = Duration::from_millis(500)..Duration::from_mins(2);
    let pauses = events.windows(2).filter_map(|pair| Some(pair.get(1)?.time.since(pair.first()?.time)));
    let typed = pauses.filter(|pause| person.contains(pause)).count();
    typed >= 4 && typed * 3 > events.len() && !is_regular(&at_most(events, events.len()))
}
