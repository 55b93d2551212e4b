//! The facts of a case, counted once: events in order, what each address did, and where a sign-in followed failures.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{EventId, Severity, address, investigation::Step};

use crate::{
    case::{CaseEvent, CaseFile, MAX_EVENTS, class},
    step,
    words::{name, number},
};

/// Failed sign-ins from one address that make it worth a look without any alert.
const FAILURES_MIN: usize = 5;
/// Failed sign-ins before a success that make the success suspect.
pub(crate) const BREACH_FAILURES: usize = 3;

pub(crate) struct Facts<'a> {
    pub(crate) input: &'a CaseFile,
    /// By time, then id; each once.
    pub(crate) events: Vec<&'a CaseEvent>,
    /// Events beyond the limit.
    pub(crate) left_out: usize,
    /// What each source address did.
    pub(crate) sources: BTreeMap<&'a str, Source<'a>>,
    pub(crate) breaches: Vec<Breach<'a>>,
}

/// What one address did. All lists are in time order.
#[derive(Default)]
pub(crate) struct Source<'a> {
    pub(crate) address: &'a str,
    /// Failed tries of a password, each counted once.
    pub(crate) failures: Vec<&'a CaseEvent>,
    pub(crate) successes: Vec<&'a CaseEvent>,
    pub(crate) web: Vec<&'a CaseEvent>,
    pub(crate) alerted: Vec<&'a CaseEvent>,
}

/// A sign-in that follows failed ones from the same address.
pub(crate) struct Breach<'a> {
    pub(crate) address: &'a str,
    pub(crate) user: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) success: &'a CaseEvent,
    pub(crate) failures: Vec<&'a CaseEvent>,
    /// The address signed in before its first failure: it may be this person's usual place.
    pub(crate) usual: Option<&'a CaseEvent>,
    /// What the account did on that host from then on.
    pub(crate) inside: Vec<&'a CaseEvent>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(input: &'a CaseFile) -> Self {
        let (events, left_out) = ordered(input);
        let sources = sources(&events);
        let breaches = sources.values().flat_map(|source| breaches(source, &events)).collect();
        Self { input, events, left_out, sources, breaches }
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let searched = &self.input.searched;
        let failures: usize = self.sources.values().map(|source| source.failures.len()).sum();
        vec![
            step(
                "Pulled events around the entities",
                format!(
                    "{} of {} searched, {} to {}",
                    number(self.events.len(), "event", "events"),
                    searched.events,
                    searched.from,
                    searched.to,
                ),
            ),
            step(
                "Read the alerts",
                format!(
                    "{} by {}",
                    number(self.input.alerts.len(), "alert", "alerts"),
                    number(self.rules(), "rule", "rules"),
                ),
            ),
            step(
                "Counted sign-ins",
                format!(
                    "{} from {}, {}",
                    number(failures, "failure", "failures"),
                    number(
                        self.sources.values().filter(|source| !source.failures.is_empty()).count(),
                        "address",
                        "addresses"
                    ),
                    number(self.breaches.len(), "success after failures", "successes after failures"),
                ),
            ),
        ]
    }

    fn rules(&self) -> usize {
        self.input.alerts.iter().map(|alert| alert.rule_id.as_str()).collect::<BTreeSet<_>>().len()
    }

    /// Addresses worth a hypothesis, those with most to answer for first.
    pub(crate) fn suspects(&self) -> Vec<&Source<'a>> {
        let mut suspects: Vec<&Source<'a>> = self.sources.values().filter(|source| source.is_suspect()).collect();
        suspects.sort_by_key(|source| {
            let heaviest = std::cmp::Reverse((source.worst(), source.alerted.len() + source.failures.len()));
            (heaviest, source.address)
        });
        suspects
    }

    /// Events of a class.
    pub(crate) fn of_class(&self, class_uid: u32) -> impl Iterator<Item = &'a CaseEvent> {
        self.events.iter().copied().filter(move |event| event.ocsf.class_uid == class_uid)
    }

    /// The events that tell the story: those with alerts, what their sessions and taken-over accounts did, sign-ins, tries
    /// of passwords, and requests of suspects. The rest is the ordinary work of the hosts.
    pub(crate) fn telling(&self) -> Vec<&'a CaseEvent> {
        let mut ids: BTreeSet<EventId> = BTreeSet::new();
        ids.extend(self.breaches.iter().flat_map(|breach| &breach.inside).map(|event| event.id));
        for source in self.sources.values() {
            ids.extend(source.failures.iter().chain(&source.successes).map(|event| event.id));
            ids.extend(source.web.iter().filter(|_| source.is_suspect()).map(|event| event.id));
        }
        let session = |event: &CaseEvent| {
            Some((event.host().map(str::to_owned), event.source.clone(), event.ocsf.session.clone()?))
        };
        let alerted: BTreeSet<_> = self
            .events
            .iter()
            .filter(|event| !event.alerts.is_empty() && is_act(event))
            .filter_map(|event| session(event))
            .collect();
        let tells = |event: &&&CaseEvent| {
            !event.alerts.is_empty()
                || ids.contains(&event.id)
                || (is_act(event) && session(event).is_some_and(|session| alerted.contains(&session)))
        };
        self.events.iter().filter(tells).copied().collect()
    }

    /// Hosts on which alerted events happened.
    pub(crate) fn victims(&self) -> BTreeSet<&'a str> {
        self.events.iter().filter(|event| !event.alerts.is_empty()).filter_map(|event| event.host()).collect()
    }
}

impl<'a> Source<'a> {
    pub(crate) fn worst(&self) -> Option<Severity> {
        self.alerted.iter().filter_map(|event| event.severity()).max()
    }

    fn is_suspect(&self) -> bool {
        self.worst().is_some_and(|worst| worst >= Severity::Low) || self.failures.len() >= FAILURES_MIN
    }

    pub(crate) fn users(&self) -> BTreeMap<&'a str, usize> {
        let mut users = BTreeMap::new();
        for user in self.failures.iter().filter_map(|event| event.who()) {
            *users.entry(user).or_default() += 1;
        }
        users
    }

    /// Hosts that it tried, attacked or alarmed.
    pub(crate) fn hosts(&self) -> BTreeSet<&'a str> {
        self.failures.iter().chain(&self.alerted).filter_map(|event| event.host()).collect()
    }

    pub(crate) fn is_public(&self) -> bool {
        address::is_public(self.address)
    }

    /// Web requests that a rule matched.
    pub(crate) fn web_alerted(&self) -> Vec<&'a CaseEvent> {
        self.web.iter().copied().filter(|event| !event.alerts.is_empty()).collect()
    }
}

pub(crate) fn ids(events: &[&CaseEvent]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

fn ordered(input: &CaseFile) -> (Vec<&CaseEvent>, usize) {
    let mut events: Vec<&CaseEvent> = input.events.iter().filter(|event| !is_miss(event)).collect();
    events.sort_by_key(|event| (event.id, std::cmp::Reverse(event.alerts.len())));
    events.dedup_by_key(|event| event.id);
    events.sort_by_key(|event| (event.alerts.is_empty(), event.time, event.id));
    let left_out = events.len().saturating_sub(MAX_EVENTS);
    events.truncate(MAX_EVENTS);
    events.sort_by_key(|event| (event.time, event.id));
    (events, left_out)
}

fn sources<'a>(events: &[&'a CaseEvent]) -> BTreeMap<&'a str, Source<'a>> {
    let mut sources: BTreeMap<&str, Source<'a>> = BTreeMap::new();
    for event in events {
        let Some(address) = event.ocsf.src_ip.as_deref().filter(|text| address::parse(text).is_some()) else {
            continue;
        };
        let source = sources.entry(address).or_insert_with(|| Source { address, ..Source::default() });
        if !event.alerts.is_empty() {
            source.alerted.push(event);
        }
        match (event.ocsf.class_uid, event.ocsf.status.as_deref()) {
            (class::AUTHENTICATION, Some("failure")) => source.failures.push(event),
            (class::AUTHENTICATION, Some("success")) => source.successes.push(event),
            (class::HTTP, _) => source.web.push(event),
            _ => {}
        }
    }
    for source in sources.values_mut() {
        count_once(&mut source.failures, "Failed ");
        count_once(&mut source.successes, "Accepted ");
    }
    sources
}

/// One try of a password leaves several records: sshd's own (`Failed password`, `Accepted password`), others of the same
/// log, and the audit's. For each host the one log that tells of most tries counts, and in it sshd's own where they are.
/// Records that name no host count only when they are more than all others.
fn count_once(tries: &mut Vec<&CaseEvent>, start: &str) {
    let is_own = |event: &&CaseEvent| event.ocsf.message.as_deref().is_some_and(|text| text.starts_with(start));
    let mut hosts: BTreeMap<Option<&str>, BTreeMap<_, Vec<&CaseEvent>>> = BTreeMap::new();
    for event in tries.iter().copied() {
        let log = (event.source.as_str(), event.log_source.service.as_deref());
        hosts.entry(event.host()).or_default().entry(log).or_default().push(event);
    }
    let most = |logs: BTreeMap<_, Vec<_>>| {
        let own = logs.into_values().map(|mut log| {
            if log.iter().any(is_own) {
                log.retain(is_own);
            }
            log
        });
        own.max_by_key(|log| (log.len(), log.iter().any(is_own))).unwrap_or_default()
    };
    let unnamed = hosts.remove(&None).map(most).unwrap_or_default();
    let named: Vec<&CaseEvent> = hosts.into_values().flat_map(most).collect();
    let counted = if unnamed.len() > named.len() { unnamed } else { named };
    let counted: BTreeSet<EventId> = counted.iter().map(|event| event.id).collect();
    tries.retain(|event| counted.contains(&event.id));
}

/// A program or file that was looked for and not found: a shell walks its search path so, and every miss is recorded.
fn is_miss(event: &CaseEvent) -> bool {
    [class::PROCESS, class::FILE].contains(&event.ocsf.class_uid)
        && event.ocsf.status.as_deref() == Some("failure")
        && event.alerts.is_empty()
}

fn breaches<'a>(source: &Source<'a>, events: &[&'a CaseEvent]) -> Vec<Breach<'a>> {
    let mut found: Vec<Breach<'a>> = Vec::new();
    for success in &source.successes {
        let Some(user) = success.who() else { continue };
        let failures: Vec<&CaseEvent> =
            source.failures.iter().copied().filter(|failure| failure.time <= success.time).collect();
        if failures.len() < BREACH_FAILURES
            || found.iter().any(|known| known.user == user && known.host == success.host())
        {
            continue;
        }
        let first = failures.first().map(|failure| failure.time);
        let usual = source.successes.iter().copied().find(|earlier| Some(earlier.time) < first);
        let inside = inside(events, success, user);
        found.push(Breach { address: source.address, user, host: success.host(), success, failures, usual, inside });
    }
    found
}

/// What an account did on the host of its sign-in, from then on.
fn inside<'a>(events: &[&'a CaseEvent], success: &CaseEvent, user: &str) -> Vec<&'a CaseEvent> {
    let by_user =
        |event: &CaseEvent| event.ocsf.actor_user.as_deref() == Some(user) || event.ocsf.user.as_deref() == Some(user);
    let counts = |event: &&&CaseEvent| {
        event.time >= success.time && same_host(event.host(), success.host()) && is_act(event) && by_user(event)
    };
    events.iter().filter(counts).copied().collect()
}

/// Something done on a host: a process, a change of a file, an account or a job.
pub(crate) fn is_act(event: &CaseEvent) -> bool {
    [class::PROCESS, class::FILE, class::ACCOUNT_CHANGE, class::SCHEDULED_JOB].contains(&event.ocsf.class_uid)
}

/// Whether two events can be of one host: some sources name none.
pub(crate) fn same_host(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// `deploy on web-01`, with words for what is not known.
pub(crate) fn account_on(user: Option<&str>, host: Option<&str>) -> String {
    format!("{} on {}", name(user, "an account"), name(host, "an unnamed host"))
}
