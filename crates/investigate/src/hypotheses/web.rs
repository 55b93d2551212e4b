//! Attacks on web applications: tried, and whether one worked. A status code shows what the server answered, not what it did.

use std::collections::BTreeSet;

use super::{
    Idea,
    credentials::at_most,
    hosts_in_words,
    weights::{web_attempts as tried, web_success as worked},
};
use crate::{
    case::{CaseEvent, class},
    facts::{Facts, Source},
    words::number,
};

/// Accounts under which web servers and their applications run.
const SERVER_USERS: [&str; 8] = ["apache", "http", "httpd", "nginx", "nobody", "tomcat", "www", "www-data"];

pub(super) fn attempts<'a>(source: &Source<'a>) -> Option<Idea<'a>> {
    let requests = source.web_alerted();
    let hosts: BTreeSet<&str> = requests.iter().filter_map(|event| event.host()).collect();
    requests.first()?;
    let title = format!("Web exploitation attempts from {} against {}", source.address, hosts_in_words(hosts));
    let mut idea = Idea::new(title, tried::BASE).by(source.address);
    let rules: BTreeSet<&str> =
        requests.iter().flat_map(|event| &event.alerts).map(|alert| alert.rule_title.as_str()).collect();
    let counted =
        format!("{} matched {}", number(requests.len(), "request", "requests"), number(rules.len(), "rule", "rules"));
    idea.weigh_if(requests.len() >= 5, tried::MANY, &requests, counted.clone());
    idea.weigh_if((2..5).contains(&requests.len()), 1, &requests, counted);
    idea.weigh_if(requests.len() == 1, tried::SINGLE, &requests, "a single request can be an accident or a test");
    idea.weigh_if(rules.len() >= 2, tried::SEVERAL_RULES, &requests, "different kinds of attack were tried");
    idea.weigh_if(source.is_public(), tried::PUBLIC, &at_most(&requests, 1), "the address is on the internet");
    Some(idea)
}

pub(super) fn success<'a>(facts: &Facts<'a>, source: &Source<'a>) -> Option<Idea<'a>> {
    let requests = source.web_alerted();
    let first = requests.first()?;
    let hosts: BTreeSet<&str> = requests.iter().filter_map(|event| event.host()).collect();
    let title = format!("A web exploit from {} worked on {}", source.address, hosts_in_words(hosts.iter().copied()));
    let mut idea = Idea::new(title, worked::BASE).by(source.address);
    let answered = with_status(&requests, 200..300);
    let errors = with_status(&requests, 500..600);
    let refused: Vec<&CaseEvent> =
        requests.iter().copied().filter(|event| (300..500).contains(&status(event))).collect();
    idea.weigh(
        worked::ANSWERED,
        &answered,
        format!(
            "{} answered with success; a page that ignores its parameters does so too",
            if answered.len() == 1 { "one of the requests was" } else { "several of the requests were" },
        ),
    );
    idea.weigh(worked::SERVER_ERROR, &errors, "the server failed on a request: it may have reached the application");
    idea.weigh(
        worked::REFUSED,
        &refused,
        format!("{} refused or redirected", number(refused.len(), "request was", "requests were")),
    );
    let later = |event: &&CaseEvent| event.time >= first.time && event.host().is_some_and(|host| hosts.contains(host));
    let processes: Vec<&CaseEvent> = facts.of_class(class::PROCESS).filter(later).collect();
    let by_server: Vec<&CaseEvent> = processes.iter().copied().filter(|event| is_server(event)).collect();
    idea.weigh(worked::SERVER_RAN_PROGRAMS, &by_server, "the web server's own account ran programs afterwards");
    idea.weigh_if(
        by_server.is_empty(),
        worked::SERVER_RAN_NOTHING,
        &at_most(&processes, 1),
        "processes are recorded on the host, and none ran under a web server's account",
    );
    Some(idea)
}

fn status(event: &CaseEvent) -> u16 {
    event.ocsf.http.as_ref().and_then(|http| http.status).unwrap_or(0)
}

fn with_status<'a>(requests: &[&'a CaseEvent], range: std::ops::Range<u16>) -> Vec<&'a CaseEvent> {
    requests.iter().copied().filter(|event| range.contains(&status(event))).collect()
}

fn is_server(event: &CaseEvent) -> bool {
    [&event.ocsf.actor_user, &event.ocsf.user].into_iter().flatten().any(|user| SERVER_USERS.contains(&user.as_str()))
}
