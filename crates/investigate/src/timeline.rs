//! The timeline: the events that tell the story, in order; alike ones in a row are one entry with a count.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shieldops_model::{Entity, EntityKind, Timestamp, attack, investigation::TimelineEntry};

use crate::{
    case::{AlertRef, CaseEvent, class},
    facts::Facts,
    words::{address_or, detail, name, number, program},
};

/// Entries of a timeline.
pub(crate) const MAX_ENTRIES: usize = 200;
/// A pause that ends a row.
const PAUSE: Duration = Duration::from_mins(2);

pub(crate) struct Timeline {
    pub(crate) entries: Vec<TimelineEntry>,
    /// Entries beyond the limit.
    pub(crate) left_out: usize,
    /// Events that the entries stand for.
    pub(crate) told: usize,
}

/// What makes two events alike. Failed sign-ins are alike whatever the account and whichever line speaks of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    lane: Option<Entity>,
    host: Option<String>,
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Failure,
    SignIn,
    Web,
    Process,
    File,
    Other,
}

struct Row<'a> {
    alike: Alike,
    /// Alike in detail: the rule and the answer of a request, the program of a process.
    close: String,
    events: Vec<&'a CaseEvent>,
    last: Timestamp,
}

pub(crate) fn timeline(facts: &Facts<'_>) -> Timeline {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut last_of: BTreeMap<Alike, usize> = BTreeMap::new();
    let telling = facts.telling();
    for event in &telling {
        let (alike, close) = (alike(event), close(event));
        let open = last_of.get(&alike).and_then(|place| rows.get_mut(*place));
        if let Some(row) = open.filter(|row| row.close == close && event.time.since(row.last) <= PAUSE) {
            row.events.push(event);
            row.last = event.time;
        } else {
            last_of.insert(alike.clone(), rows.len());
            rows.push(Row { alike, close, events: vec![event], last: event.time });
        }
    }
    let mut entries: Vec<TimelineEntry> = rows.iter().filter_map(entry).collect();
    let left_out = entries.len().saturating_sub(MAX_ENTRIES);
    entries.sort_by_key(|entry| (std::cmp::Reverse(entry.severity), entry.time, entry.event_id));
    entries.truncate(MAX_ENTRIES);
    entries.sort_by_key(|entry| (entry.time, entry.event_id));
    Timeline { entries, left_out, told: telling.len() }
}

fn alike(event: &CaseEvent) -> Alike {
    let family = match (event.ocsf.class_uid, event.ocsf.status.as_deref()) {
        (class::AUTHENTICATION, Some("failure")) => Family::Failure,
        (class::AUTHENTICATION, Some("success")) => Family::SignIn,
        (class::HTTP, _) => Family::Web,
        (class::PROCESS, _) => Family::Process,
        (class::FILE, _) => Family::File,
        _ => Family::Other,
    };
    Alike { lane: lane(event), host: event.host().map(str::to_owned), family }
}

/// Who an entry belongs to: the address where the event names one, else the account, else the host.
fn lane(event: &CaseEvent) -> Option<Entity> {
    let of = |kind, value: Option<&str>| value.filter(|value| !value.is_empty()).map(|value| Entity::new(kind, value));
    of(EntityKind::Ip, event.ocsf.src_ip.as_deref())
        .or_else(|| of(EntityKind::User, event.who()))
        .or_else(|| of(EntityKind::Host, event.host()))
        .or_else(|| event.entities.iter().min().cloned())
}

fn close(event: &CaseEvent) -> String {
    let rule = event.worst().map_or("", |alert| alert.rule_id.as_str());
    let own = match alike(event).family {
        Family::Failure => return String::new(),
        Family::SignIn => event.who().unwrap_or_default().to_owned(),
        Family::Web => {
            let status = event.ocsf.http.as_ref().and_then(|http| http.status);
            status.map(|status| (status / 100).to_string()).unwrap_or_default()
        }
        Family::Process => image(event).to_owned(),
        Family::File => event.ocsf.file.clone().unwrap_or_default(),
        Family::Other => format!("{}/{}/{}", event.ocsf.class_uid, event.ocsf.activity, event.source),
    };
    format!("{rule}\n{own}")
}

fn entry(row: &Row<'_>) -> Option<TimelineEntry> {
    let first = row.events.first()?;
    let worst = row.events.iter().filter_map(|event| event.worst()).max_by_key(|alert| alert.severity);
    let leading = worst.and_then(|worst| row.events.iter().find(|event| event.worst() == Some(worst))).unwrap_or(first);
    Some(TimelineEntry {
        time: first.time,
        event_id: leading.id,
        title: title(row, leading, worst),
        detail: detail_of(leading),
        entity: row.alike.lane.clone(),
        severity: worst.map(|alert| alert.severity),
        tactic: worst.and_then(earliest_tactic),
        technique: worst.and_then(|alert| alert.attack.techniques.iter().min().cloned()),
        count: u64::try_from(tries(row).len()).unwrap_or(u64::MAX),
    })
}

/// A row of failures counts tries, not the lines that speak of them.
fn tries<'r, 'a>(row: &'r Row<'a>) -> Vec<&'r &'a CaseEvent> {
    let is_try = |event: &&&CaseEvent| event.ocsf.message.as_deref().is_some_and(|text| text.starts_with("Failed "));
    let tries: Vec<_> = row.events.iter().filter(is_try).collect();
    if row.alike.family == Family::Failure && !tries.is_empty() { tries } else { row.events.iter().collect() }
}

pub(crate) fn earliest_tactic(alert: &AlertRef) -> Option<String> {
    alert.attack.tactics.iter().min_by_key(|tactic| attack::rank(tactic).unwrap_or(usize::MAX)).cloned()
}

fn title(row: &Row<'_>, event: &CaseEvent, worst: Option<&AlertRef>) -> String {
    let from = || {
        event
            .ocsf
            .src_ip
            .as_deref()
            .map(|ip| format!(" from {}", address_or(Some(ip), "an address")))
            .unwrap_or_default()
    };
    let who = || name(event.who(), "an account");
    match row.alike.family {
        Family::Failure => format!("{}{}", failed(row), from()),
        Family::SignIn => format!("Signed in as {}{}", who(), from()),
        Family::Web => {
            format!("{}{}{}", worst.map_or("Web request", |alert| alert.rule_title.as_str()), from(), answered(event))
        }
        Family::Process => format!("{} ran {}", who(), program(image(event))),
        Family::File => worst.map_or_else(|| format!("File changed by {}", who()), |alert| alert.rule_title.clone()),
        Family::Other => worst.map_or_else(|| other(event), |alert| alert.rule_title.clone()),
    }
}

fn failed(row: &Row<'_>) -> String {
    let users: BTreeSet<&str> = tries(row).into_iter().filter_map(|event| event.who()).collect();
    match users.len() {
        0 => "Sign-in failed".to_owned(),
        1 => format!("Sign-in as {} failed", name(users.first().copied(), "an account")),
        many => format!("Sign-ins to {} failed", number(many, "account", "accounts")),
    }
}

fn answered(event: &CaseEvent) -> String {
    let status = event.ocsf.http.as_ref().and_then(|http| http.status);
    status.map(|status| format!(", answered {status}")).unwrap_or_default()
}

fn other(event: &CaseEvent) -> String {
    let class = if event.ocsf.class_name.is_empty() { "Event" } else { event.ocsf.class_name.as_str() };
    let source = name(Some(&event.source), "a source");
    match event.ocsf.activity.as_str() {
        "" => format!("{class} ({source})"),
        activity => format!("{class}: {activity} ({source})"),
    }
}

fn image(event: &CaseEvent) -> &str {
    event.ocsf.process.as_ref().and_then(|process| process.image.as_deref()).unwrap_or_default()
}

/// What an event says in its own words.
pub(crate) fn detail_of(event: &CaseEvent) -> Option<String> {
    let ocsf = &event.ocsf;
    let command =
        ocsf.process.as_ref().and_then(|process| process.command_line.as_deref().or(process.image.as_deref()));
    let request = ocsf
        .http
        .as_ref()
        .and_then(|http| Some(format!("{} {}", http.method.as_deref().unwrap_or("-"), http.target.as_deref()?)));
    let own = match ocsf.class_uid {
        class::FILE => ocsf.file.clone().or_else(|| command.map(str::to_owned)),
        class::HTTP => request,
        class::PROCESS => command.map(str::to_owned),
        _ => None,
    };
    own.or_else(|| ocsf.message.clone()).map(|text| detail(&text)).filter(|text| !text.is_empty())
}
