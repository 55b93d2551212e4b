//! Harmless explanations, weighed like the others: a test that was asked for, a machine with an old password, a person who
//! administers.

use std::collections::BTreeSet;

use shieldops_model::Severity;

use super::{
    Idea,
    credentials::{SPRAY_USERS, at_most, is_regular},
    inside::leaves_a_way_back,
    weights::{administration as admin, authorised, job, slips as slip},
};
use crate::{
    case::{CaseEvent, class},
    facts::{Facts, Source, account_on, same_host},
    words::{name, number},
};

/// Failures that a person's slips explain.
const MOST_SLIPS: usize = 5;
/// Words by which scanners name themselves.
const SCANNERS: [&str; 12] = [
    "acunetix", "burp", "masscan", "nessus", "nikto", "nmap", "nuclei", "openvas", "qualys", "sqlmap", "wpscan",
    "zgrab",
];

/// An authorised scanner or penetration test.
pub(super) fn authorised_test<'a>(facts: &Facts<'a>, source: &Source<'a>) -> Option<Idea<'a>> {
    let mut probes: Vec<&CaseEvent> = source.web_alerted();
    probes.extend(&source.failures);
    probes.sort_by_key(|event| (event.time, event.id));
    let first = at_most(&probes, 1);
    first.first()?;
    let mut idea = Idea::new(format!("An authorised test or scanner at {}", source.address), authorised::BASE);
    idea.weigh_if(!source.is_public(), authorised::PRIVATE, &first, "the address is inside");
    let named: Vec<&CaseEvent> = source.web.iter().copied().filter(|event| names_scanner(event)).collect();
    idea.weigh(authorised::SAYS_SO, &named, "the requests name a well-known scanner, which attackers use as well");
    let breaches: Vec<&CaseEvent> =
        facts.breaches.iter().filter(|breach| breach.address == source.address).map(|breach| breach.success).collect();
    idea.weigh_if(
        breaches.is_empty(),
        authorised::ONLY_PROBES,
        &probes,
        "it probed and did not get in, as far as the events show",
    );
    idea.weigh(authorised::SIGNED_IN, &breaches, "it went on to use an account that it had guessed");
    let left: Vec<&CaseEvent> =
        facts.events.iter().copied().filter(|event| !breaches.is_empty() && leaves_a_way_back(event)).collect();
    idea.weigh(authorised::LEFT_SOMETHING, &left, "a way back was left, which a test rarely does");
    Some(idea)
}

/// A job that keeps trying an old password.
pub(super) fn misconfigured_job<'a>(source: &Source<'a>) -> Option<Idea<'a>> {
    if source.failures.len() < 5 {
        return None;
    }
    let (users, tries, first) = (source.users(), source.failures.as_slice(), at_most(&source.failures, 1));
    let mut idea = Idea::new(format!("A misconfigured job at {} keeps trying to sign in", source.address), job::BASE);
    idea.weigh_if(users.len() == 1, job::ONE_USER, tries, "only one account is tried");
    idea.weigh_if(
        users.len() >= SPRAY_USERS,
        job::MANY_USERS,
        tries,
        format!("{} are tried", number(users.len(), "account", "accounts")),
    );
    let regular = is_regular(tries);
    idea.weigh_if(regular, job::REGULAR, tries, "the tries come at even intervals");
    idea.weigh_if(!regular, job::IRREGULAR, tries, "the tries come at uneven intervals");
    idea.weigh_if(!source.is_public(), job::PRIVATE, &first, "the address is inside");
    idea.weigh(job::ALSO_WEB, &source.web_alerted(), "the same address also sent requests that rules take for attacks");
    Some(idea)
}

/// A person who mistypes a password and then gets it right.
pub(super) fn slips<'a>(facts: &Facts<'a>, source: &Source<'a>) -> Option<Idea<'a>> {
    let (users, failures) = (source.users(), source.failures.as_slice());
    let (user, last) = (users.keys().next()?, failures.last()?);
    let then =
        source.successes.iter().copied().find(|success| success.who() == Some(*user) && success.time >= last.time)?;
    if users.len() > 1 || failures.len() > MOST_SLIPS {
        return None;
    }
    let title = format!("A person at {} mistyped the password of {}", source.address, name(Some(user), "an account"));
    let mut idea = Idea::new(title, slip::BASE);
    idea.weigh(slip::FEW, failures, format!("{} for one account", number(failures.len(), "failure", "failures")));
    idea.weigh(slip::THEN_IN, &[then], "the same account then signed in");
    let usual =
        source.successes.first().filter(|first| failures.first().is_some_and(|failed| first.time < failed.time));
    idea.weigh(
        slip::USUAL_PLACE,
        usual.map_or(&[][..], std::slice::from_ref),
        "the address signed in before the first failure",
    );
    idea.weigh_if(source.is_public(), slip::PUBLIC, &[then], "the address is on the internet");
    let breach = facts.breaches.iter().find(|breach| breach.address == source.address);
    let inside = breach.map(|breach| breach.inside.as_slice()).unwrap_or_default();
    let alerted: Vec<&CaseEvent> = inside.iter().copied().filter(|event| !event.alerts.is_empty()).collect();
    idea.weigh(slip::ALERTS_INSIDE, &alerted, "what the account did afterwards raised alerts");
    Some(idea)
}

/// Ordinary administration, for each account whose commands raised alerts.
pub(super) fn administration<'a>(facts: &Facts<'a>) -> Vec<Idea<'a>> {
    let alerted = || facts.of_class(class::PROCESS).filter(|event| !event.alerts.is_empty());
    let actors: BTreeSet<(Option<&str>, Option<&str>)> = alerted().map(|event| (event.who(), event.host())).collect();
    let idea = |(who, host): (Option<&str>, Option<&str>)| {
        let acts: Vec<&CaseEvent> = alerted().filter(|event| (event.who(), event.host()) == (who, host)).collect();
        administers(facts, who, host, &acts)
    };
    actors.into_iter().map(idea).collect()
}

fn administers<'a>(facts: &Facts<'a>, who: Option<&str>, host: Option<&str>, acts: &[&CaseEvent]) -> Idea<'a> {
    let mut idea = Idea::new(format!("Ordinary administration as {}", account_on(who, host)), admin::BASE);
    let breach = facts.breaches.iter().find(|breach| Some(breach.user) == who && same_host(breach.host, host));
    if let Some(breach) = breach {
        idea.weigh(
            admin::AFTER_COMPROMISE,
            &[breach.success],
            "the account had just been signed in to after failed tries",
        );
    }
    let began = acts.first().map(|event| event.time);
    let of_account = |event: &&CaseEvent| event.who() == who && event.host() == host;
    let taken = facts
        .breaches
        .iter()
        .find(|breach| Some(breach.user) != who && same_host(breach.host, host) && Some(breach.success.time) <= began);
    if let Some(taken) = taken {
        idea.weigh(
            admin::HOST_TAKEN,
            &[taken.success],
            "another account of the host had been signed in to after failed tries",
        );
    }
    let signed_in: Vec<&CaseEvent> = facts
        .of_class(class::AUTHENTICATION)
        .filter(of_account)
        .filter(|event| {
            event.ocsf.status.as_deref() == Some("success") && event.ocsf.src_ip.is_some() && Some(event.time) <= began
        })
        .collect();
    idea.weigh_if(breach.is_none(), admin::PLAIN_SIGN_IN, &signed_in, "the account signed in without a failure before");
    let programs: BTreeSet<Option<&str>> = acts.iter().map(|event| image(event)).collect();
    let before: Vec<&CaseEvent> = facts
        .of_class(class::PROCESS)
        .filter(of_account)
        .filter(|event| Some(event.time) < began && programs.contains(&image(event)))
        .collect();
    idea.weigh(admin::SEEN_BEFORE, &before, "the account ran the same programs before the first alert");
    let high: Vec<&CaseEvent> = acts.iter().copied().filter(|event| event.severity() >= Some(Severity::High)).collect();
    idea.weigh(admin::HIGH_ALERTS, &high, "some commands raised alerts of high level");
    idea.weigh_if(idea.evidence.is_empty(), 1, acts, "administrators run such commands too");
    idea
}

fn image(event: &CaseEvent) -> Option<&str> {
    event.ocsf.process.as_ref()?.image.as_deref()
}

fn names_scanner(event: &CaseEvent) -> bool {
    let agent = event.ocsf.http.as_ref().and_then(|http| http.user_agent.as_deref()).unwrap_or_default().to_lowercase();
    SCANNERS.iter().any(|scanner| agent.contains(scanner))
}
