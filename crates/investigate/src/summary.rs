//! The summary: one paragraph from typed facts, in which every sentence cites the events that it rests on.

use shieldops_model::{EventId, Hypothesis};

use crate::{
    case::CaseEvent,
    facts::{Breach, Facts, Source, ids},
    hypotheses::fraction,
    path,
    words::{cites, clock, list, name, number},
};

/// Addresses and sign-ins that get a sentence.
const MAX_SENTENCES: usize = 3;

pub(crate) fn summary(facts: &Facts<'_>, ranked: &[Hypothesis]) -> String {
    let mut sentences = Vec::new();
    for source in facts.suspects().into_iter().take(MAX_SENTENCES) {
        sentences.extend(failures(source));
        sentences.extend(requests(source));
    }
    sentences.extend(facts.breaches.iter().take(MAX_SENTENCES).map(signed_in));
    sentences.extend(facts.breaches.iter().take(MAX_SENTENCES).filter_map(inside));
    if sentences.is_empty() {
        sentences.extend(alerts(facts));
    }
    sentences.extend(stages(facts));
    sentences.extend(likeliest(ranked));
    if sentences.is_empty() {
        return "None of the events that the alerts name could be read.".to_owned();
    }
    sentences.join(" ")
}

fn failures(source: &Source<'_>) -> Option<String> {
    let (first, last) = (source.failures.first()?, source.failures.last()?);
    Some(sentence(
        format!(
            "Between {} and {} UTC {} failed to sign in {} to {} on {}",
            clock(first.time),
            clock(last.time),
            source.address,
            times(source.failures.len()),
            number(source.users().len(), "account", "accounts"),
            hosts(&source.failures),
        ),
        &source.failures,
    ))
}

fn requests(source: &Source<'_>) -> Option<String> {
    let requests = source.web_alerted();
    requests.first()?;
    let answered = requests.iter().filter(|event| {
        event.ocsf.http.as_ref().and_then(|http| http.status).is_some_and(|status| (200..300).contains(&status))
    });
    let answered = answered.count();
    Some(sentence(
        format!(
            "{} sent {} to the web server of {} that rules take for attacks, of which {} answered with success",
            source.address,
            number(requests.len(), "request", "requests"),
            hosts(&requests),
            if answered == 1 { "1 was".to_owned() } else { format!("{answered} were") },
        ),
        &requests,
    ))
}

fn signed_in(breach: &Breach<'_>) -> String {
    let text = format!(
        "At {} UTC {} signed in as {} on {}, after {}",
        clock(breach.success.time),
        breach.address,
        name(Some(breach.user), "an account"),
        name(breach.host, "an unnamed host"),
        number(breach.failures.len(), "failed try", "failed tries"),
    );
    sentence(text, &[breach.success])
}

fn inside(breach: &Breach<'_>) -> Option<String> {
    let alerted: Vec<&CaseEvent> = breach.inside.iter().copied().filter(|event| !event.alerts.is_empty()).collect();
    alerted.first()?;
    let text = format!(
        "From then on {} recorded of that account, {} with alerts",
        if breach.inside.len() == 1 { "1 act was".to_owned() } else { format!("{} acts were", breach.inside.len()) },
        alerted.len(),
    );
    Some(sentence(text, &alerted))
}

fn alerts(facts: &Facts<'_>) -> Option<String> {
    let alerted: Vec<&CaseEvent> = facts.events.iter().copied().filter(|event| !event.alerts.is_empty()).collect();
    let worst = alerted.iter().filter_map(|event| event.worst()).max_by_key(|alert| alert.severity)?;
    let text = format!(
        "{} matched rules on {}, the gravest “{}”",
        number(alerted.len(), "event", "events"),
        hosts(&alerted),
        worst.rule_title,
    );
    Some(sentence(text, &alerted))
}

fn stages(facts: &Facts<'_>) -> Option<String> {
    let path = path::path(facts);
    let cited: Vec<EventId> =
        path.iter().filter_map(|stage| stage.event_ids.first().copied()).take(MAX_SENTENCES).collect();
    (!path.is_empty()).then(|| format!("The alerts show {}{}.", path::found(&path), cites(&cited)))
}

fn likeliest(ranked: &[Hypothesis]) -> Option<String> {
    let best = ranked.first()?;
    let cited: Vec<EventId> = best.evidence.iter().map(|evidence| evidence.event_id).take(1).collect();
    let doubt = if best.confidence < fraction(50) { "Likeliest, though not likely" } else { "Likeliest" };
    Some(format!("{doubt}: {} (confidence {:.2}){}.", best.title, best.confidence, cites(&cited)))
}

/// A sentence with its first and last event.
fn sentence(text: String, events: &[&CaseEvent]) -> String {
    let all = ids(events);
    let mut cited: Vec<EventId> = all.first().into_iter().chain(all.last()).copied().collect();
    cited.dedup();
    format!("{text}{}.", cites(&cited))
}

fn hosts(events: &[&CaseEvent]) -> String {
    let mut hosts: Vec<String> = events
        .iter()
        .filter_map(|event| event.host())
        .map(|host| name(Some(host), "an unnamed host").to_owned())
        .collect();
    hosts.sort();
    hosts.dedup();
    match hosts.len() {
        0 => "an unnamed host".to_owned(),
        1..=3 => list(&hosts),
        many => format!("{many} hosts"),
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
