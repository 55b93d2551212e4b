//! Guessed passwords, sign-ins that follow, and what the rules alone say of an address.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Idea, hosts_in_words,
    weights::{brute_force as brute, compromise as comp, rules, spray as w},
};
use crate::{
    case::CaseEvent,
    facts::{Breach, Source, account_on},
    words::{clock, name, number},
};

/// Failed sign-ins before guessing is considered.
const GUESSES_MIN: usize = 5;
/// Accounts that make it a spray.
pub(super) const SPRAY_USERS: usize = 3;
/// Time in which tries are one burst.
const BURST: Duration = Duration::from_mins(15);
/// Failures that are more than a person's slips.
const MORE_THAN_SLIPS: usize = 5;

/// Many accounts, one address.
pub(super) fn spray<'a>(source: &Source<'a>) -> Option<Idea<'a>> {
    let (users, tries) = (source.users(), source.failures.len());
    if tries < GUESSES_MIN || users.len() < SPRAY_USERS {
        return None;
    }
    let title = format!("Password spray from {} against {}", source.address, hosts_in_words(source.hosts()));
    let mut idea = Idea::new(title, w::BASE).by(source.address);
    let failures = source.failures.as_slice();
    let counted = format!(
        "{} for {}",
        number(tries, "failed sign-in", "failed sign-ins"),
        number(users.len(), "account", "accounts")
    );
    idea.weigh_if(users.len() >= 5, w::MANY_USERS, failures, counted.clone());
    idea.weigh_if(users.len() < 5, 1, failures, counted);
    idea.weigh_if(users.len() >= 10, w::VERY_MANY_USERS, &at_most(failures, 1), "ten accounts or more were tried");
    let most = users.values().copied().max().unwrap_or(0);
    let lead = most * 5 >= tries * 3;
    idea.weigh_if(
        !lead && most <= 3 * tries.div_ceil(users.len()),
        w::EVEN,
        &at_most(failures, 1),
        format!("no account took more than {most} tries, as when one password goes over all names"),
    );
    idea.weigh_if(lead, w::ONE_USER_LEADS, &at_most(failures, 1), format!("one account took {most} of {tries} tries"));
    idea.weigh_if(burst(failures), w::WITHIN_MINUTES, failures, "all tries came within minutes");
    place(&mut idea, source, w::PUBLIC, w::PRIVATE);
    Some(idea)
}

/// One account, many tries.
pub(super) fn brute_force<'a>(source: &Source<'a>) -> Option<Idea<'a>> {
    let users = source.users();
    let (user, most) = users.iter().max_by(|(one, count), (other, more)| count.cmp(more).then(other.cmp(one)))?;
    let dominates = users.len() < SPRAY_USERS || *most * 5 >= source.failures.len() * 3;
    if *most < GUESSES_MIN || !dominates {
        return None;
    }
    let tries: Vec<&CaseEvent> = source.failures.iter().copied().filter(|event| event.who() == Some(*user)).collect();
    let title = format!("Password guessing for {} from {}", name(Some(user), "one account"), source.address);
    let mut idea = Idea::new(title, brute::BASE).by(source.address);
    let counted = format!("{} for this account", number(tries.len(), "failed sign-in", "failed sign-ins"));
    idea.weigh_if(tries.len() >= 10, brute::MANY, &tries, counted.clone());
    idea.weigh_if(tries.len() < 10, 1, &tries, counted);
    idea.weigh_if(tries.len() >= 50, brute::VERY_MANY, &at_most(&tries, 1), "fifty tries or more");
    idea.weigh_if(is_fast(&tries), brute::FAST, &tries, "more than ten tries a minute");
    idea.weigh_if(is_regular(&tries), brute::REGULAR, &tries, "the tries come at even intervals, as a machine's do");
    place(&mut idea, source, brute::PUBLIC, brute::PRIVATE);
    Some(idea)
}

/// Failures, then a success from the same address.
pub(super) fn compromise<'a>(breach: &Breach<'a>) -> Idea<'a> {
    let account = account_on(Some(breach.user), breach.host);
    let title = format!("The account {account} was taken over from {}", breach.address);
    let mut idea = Idea::new(title, comp::BASE).by(breach.address);
    let (failures, success) = (breach.failures.as_slice(), std::slice::from_ref(&breach.success));
    let users: BTreeSet<&str> = failures.iter().filter_map(|event| event.who()).collect();
    let many = failures.len() >= MORE_THAN_SLIPS;
    let counted = format!(
        "{} from this address come before the sign-in at {}",
        number(failures.len(), "failure", "failures"),
        clock(breach.success.time)
    );
    idea.weigh_if(many, comp::MANY_FAILURES, failures, counted);
    idea.weigh_if(!many, comp::FEW_FAILURES, failures, "so few failures can be a person's slips");
    idea.weigh_if(
        users.contains(breach.user),
        comp::USER_WAS_GUESSED,
        success,
        "the account that signed in is one of those that failed before",
    );
    idea.weigh_if(
        users.len() == 1 && users.contains(breach.user),
        comp::ONLY_THIS_USER,
        failures,
        "no other account was tried",
    );
    let soon = failures.last().is_some_and(|last| breach.success.time.since(last.time) <= BURST);
    idea.weigh_if(soon, comp::SOON, success, "the sign-in follows the last failure within minutes");
    idea.weigh_if(
        shieldops_model::address::is_public(breach.address),
        comp::PUBLIC,
        success,
        "the address is on the internet",
    );
    if let Some(usual) = breach.usual {
        idea.weigh(
            comp::USUAL_PLACE,
            &[usual],
            "the same address signed in before any failure: it may be this person's usual place",
        );
    }
    let alerted: Vec<&CaseEvent> = breach.inside.iter().copied().filter(|event| !event.alerts.is_empty()).collect();
    idea.weigh(comp::ALERTS_INSIDE, &alerted, "what the account did afterwards raised alerts");
    idea.weigh_if(
        breach.inside.is_empty(),
        comp::NOTHING_INSIDE,
        success,
        "nothing that the account did afterwards was recorded",
    );
    idea
}

/// What the rules alone say.
pub(super) fn as_rules_read_it<'a>(source: &Source<'a>) -> Option<Idea<'a>> {
    let worst = source.worst()?;
    let title = format!("Hostile activity from {}, as the rules read it", source.address);
    let mut idea = Idea::new(title, 0).by(source.address);
    let leading: Vec<&CaseEvent> =
        source.alerted.iter().copied().filter(|event| event.severity() == Some(worst)).collect();
    let rule =
        leading.first().and_then(|event| event.worst()).map(|alert| alert.rule_title.as_str()).unwrap_or_default();
    idea.weigh(rules::base(worst), &leading, format!("matched “{rule}” ({})", worst.as_str()));
    let all: BTreeSet<&str> =
        source.alerted.iter().flat_map(|event| &event.alerts).map(|alert| alert.rule_id.as_str()).collect();
    let further = i32::try_from(all.len().saturating_sub(1)).unwrap_or(i32::MAX);
    let points = further.saturating_mul(rules::FURTHER_RULE).min(rules::FURTHER_RULES);
    idea.weigh_if(
        points > 0,
        points,
        &source.alerted,
        format!("{} matched what came from this address", number(all.len(), "rule", "rules")),
    );
    let quiet: Vec<&CaseEvent> = source.successes.iter().copied().filter(|event| event.alerts.is_empty()).collect();
    let usual = source.failures.is_empty() && !quiet.is_empty();
    idea.weigh_if(usual, rules::USUAL_PLACE, &quiet, "the same address signs in without a single failure");
    Some(idea)
}

fn place(idea: &mut Idea<'_>, source: &Source<'_>, public: i32, private: i32) {
    let first = at_most(&source.failures, 1);
    idea.weigh_if(source.is_public(), public, &first, "the address is on the internet");
    idea.weigh_if(
        !source.is_public(),
        private,
        &first,
        "the address is inside: a proxy or a machine of ours may stand behind it",
    );
}

pub(super) fn at_most<'a>(events: &[&'a CaseEvent], count: usize) -> Vec<&'a CaseEvent> {
    events.iter().take(count).copied().collect()
}

fn span(events: &[&CaseEvent]) -> Duration {
    match (events.first(), events.last()) {
        (Some(first), Some(last)) => last.time.since(first.time),
        _ => Duration::ZERO,
    }
}

fn burst(events: &[&CaseEvent]) -> bool {
    span(events) <= BURST
}

fn is_fast(events: &[&CaseEvent]) -> bool {
    let tries = u64::try_from(events.len()).unwrap_or(u64::MAX);
    tries >= 10 && tries.saturating_mul(6) > span(events).as_secs()
}

/// Whether the pauses between events are even: at least five of them, of five seconds or more, that vary by less than
/// a tenth of their mean.
pub(super) fn is_regular(events: &[&CaseEvent]) -> bool {
    let pauses: Vec<i64> = events
        .windows(2)
        .filter_map(|pair| Some(pair.get(1)?.time.as_micros().saturating_sub(pair.first()?.time.as_micros())))
        .collect();
    let count = i64::try_from(pauses.len()).unwrap_or(i64::MAX);
    if count < 5 {
        return false;
    }
    let mean = pauses.iter().fold(0_i64, |sum, pause| sum.saturating_add(*pause)) / count;
    let off: i64 = pauses.iter().fold(0_i64, |sum, pause| sum.saturating_add((pause - mean).abs())) / count;
    mean >= 5_000_000 && off.saturating_mul(10) < mean
}
