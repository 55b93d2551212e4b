//! What could not be checked, and why: an investigation that does not say so claims too much.

use shieldops_model::{NotChecked, Timestamp};

use crate::{
    case::{CaseEvent, MAX_EVENTS, Unseen, UnseenBy, class},
    facts::Facts,
    plans::Proposals,
    timeline::MAX_ENTRIES,
    words::{name, number},
};

/// Hosts that are spoken of one by one.
const MAX_HOSTS: usize = 5;
/// Sources of which it is told that detection did not look at all they sent.
const MAX_UNSEEN: usize = 20;

pub(crate) fn not_checked(facts: &Facts<'_>, proposals: &Proposals, timeline_left_out: usize) -> Vec<NotChecked> {
    let mut gaps = proposals.without.clone();
    for host in facts.victims().into_iter().take(MAX_HOSTS) {
        telemetry(facts, host, &mut gaps);
    }
    search(facts, &mut gaps);
    gaps.extend(facts.input.unseen.iter().take(MAX_UNSEEN).map(unseen));
    alerts(facts, &mut gaps);
    limits(facts, timeline_left_out, &mut gaps);
    beyond_logs(facts, &mut gaps);
    gaps
}

fn gap(what: impl Into<String>, why: impl Into<String>) -> NotChecked {
    NotChecked { what: what.into(), why: why.into() }
}

/// Kinds of events that a host did not send.
fn telemetry(facts: &Facts<'_>, host: &str, gaps: &mut Vec<NotChecked>) {
    let has = |uid: u32| facts.of_class(uid).any(|event| event.host() == Some(host));
    let shown = name(Some(host), "a host");
    if !has(class::PROCESS) {
        gaps.push(gap(
            format!("Process telemetry from {shown} absent"),
            "what ran on the host cannot be told: no process events in the searched time",
        ));
    } else if !has(class::FILE) {
        gaps.push(gap(
            format!("No file telemetry from {shown}"),
            "files that programs wrote are seen only where a command names them",
        ));
    }
    if !has(class::DNS) {
        gaps.push(gap(
            format!("No DNS telemetry from {shown}"),
            "names that were looked up from the host are not known",
        ));
    }
    if !facts.of_class(class::NETWORK).any(|event| event.host() == Some(host) && event.ocsf.dst_ip.is_some()) {
        gaps.push(gap(
            format!("No outbound connections recorded on {shown}"),
            "whether data left, or a connection was opened to the attacker, cannot be told",
        ));
    }
    if !has(class::AUTHENTICATION) {
        gaps.push(gap(format!("No sign-in telemetry from {shown}"), "who signed in, and from where, cannot be told"));
    }
}

fn search(facts: &Facts<'_>, gaps: &mut Vec<NotChecked>) {
    let searched = &facts.input.searched;
    gaps.push(gap(
        format!("Events before {} and after {}", second(searched.from), second(searched.to)),
        "outside the searched window",
    ));
    if !searched.complete {
        gaps.push(gap(
            "The search was not complete",
            format!(
                "it stopped at a limit after {} events: some around these entities may be missing",
                searched.events
            ),
        ));
    }
    if searched.unreadable > 0 {
        let events =
            number(usize::try_from(searched.unreadable).unwrap_or(usize::MAX), "stored event", "stored events");
        gaps.push(gap(
            format!("{events} that cannot be read"),
            "their bytes on disk are damaged: what they say counts for nothing here",
        ));
    }
    if let Some(oldest) = searched.oldest_kept.filter(|oldest| *oldest > searched.from) {
        gaps.push(gap(format!("Events before {}", second(oldest)), "none older are kept: retention or first intake"));
    }
}

/// What detection did not look at: an alert may be missing.
fn unseen(unseen: &Unseen) -> NotChecked {
    let count = |count: u64, one, many| number(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    let events = count(unseen.events, "event", "events");
    let minutes = count(unseen.minutes, "minute", "minutes");
    match &unseen.what {
        UnseenBy::Rules(source) => gap(
            format!("Rules on {events} of {} in {minutes}", name(Some(source), "a source")),
            "no rule was run on them: an alert may be missing. The log of coverage has the minutes",
        ),
        UnseenBy::Lists(source) => gap(
            format!("Indicators in {events} of {} in {minutes}", name(Some(source), "a source")),
            "lists were not loaded when they came: a listed address or file may be among them",
        ),
        UnseenBy::Unreadable => gap(
            format!("Rules on {events} that detection could not read"),
            "their bytes are damaged or gone: of which source they were is not known",
        ),
        UnseenBy::Replaced => gap(
            "What an earlier event log still held",
            "the log was lost, restored or replaced in this time: what detection had not read of it is not known",
        ),
    }
}

/// Alerts whose events are not among those that were read.
fn alerts(facts: &Facts<'_>, gaps: &mut Vec<NotChecked>) {
    let cited: std::collections::BTreeSet<_> =
        facts.events.iter().flat_map(|event| &event.alerts).map(|alert| alert.id).collect();
    let unread = facts.input.alerts.iter().filter(|alert| !cited.contains(&alert.id)).count();
    if unread > 0 {
        gaps.push(gap(
            format!("The events of {}", number(unread, "alert", "alerts")),
            "they could not be read back, so these alerts count for nothing here",
        ));
    }
    let beyond: u64 = facts
        .input
        .alerts
        .iter()
        .map(|alert| alert.count.saturating_sub(u64::try_from(alert.event_ids.len()).unwrap_or(u64::MAX)))
        .fold(0, u64::saturating_add);
    if beyond > 0 {
        gaps.push(gap(
            format!("{beyond} further matches"),
            "an alert names its first 50 events: later matches are here only where the search found their events",
        ));
    }
}

fn limits(facts: &Facts<'_>, timeline_left_out: usize, gaps: &mut Vec<NotChecked>) {
    if facts.left_out > 0 {
        gaps.push(gap(
            format!("{} left out", number(facts.left_out, "event", "events")),
            format!("an investigation reads at most {MAX_EVENTS}: those with alerts, then the earliest"),
        ));
    }
    if timeline_left_out > 0 {
        gaps.push(gap(
            format!("{} left out of the timeline", number(timeline_left_out, "entry", "entries")),
            format!("it shows at most {MAX_ENTRIES}, those with alerts first"),
        ));
    }
}

/// What no log here can tell.
fn beyond_logs(facts: &Facts<'_>, gaps: &mut Vec<NotChecked>) {
    if !facts.input.intel_configured {
        gaps.push(gap(
            "Threat intelligence",
            "none is configured: whether others know these addresses and files is not known",
        ));
    }
    gaps.push(gap("Whether somebody ordered this", "no calendar of tests and maintenance is connected"));
    let web = facts.sources.values().any(|source| !source.web_alerted().is_empty());
    if web {
        gaps.push(gap(
            "What the web server sent back",
            "access logs hold the status and the size of an answer, not its content",
        ));
    }
    let writes = |event: &&CaseEvent| event.ocsf.class_uid == class::FILE && !event.alerts.is_empty();
    if facts.events.iter().any(writes) {
        gaps.push(gap(
            "The content of changed files",
            "the audit names the file, not what was written: read it on the host",
        ));
    }
}

/// A time to the second.
fn second(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take(19).collect();
    format!("{text}Z")
}
