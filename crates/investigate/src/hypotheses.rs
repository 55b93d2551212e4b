//! Hypotheses: what may have happened, each with its evidence for and against, ranked by confidence.
//!
//! A hypothesis starts at a base and gains or loses points by what the events show; [`weights`] holds all of them. The
//! confidence is the sum as a fraction, never quite 0 or 1: evidence in logs proves nothing beyond doubt.

mod benign;
mod credentials;
mod inside;
mod web;
mod weights;

use std::collections::BTreeMap;

use shieldops_model::{Evidence, Hypothesis};

use crate::{case::CaseEvent, facts::Facts};

/// Hypotheses that are listed.
pub(crate) const MAX_HYPOTHESES: usize = 12;
/// Addresses that get hypotheses of their own, those with most to answer for first.
const MAX_SUSPECTS: usize = 5;
/// Percent at which an address counts as an attacker and a response is proposed.
pub(crate) const ACT: i32 = 50;

/// A hypothesis while it is weighed. Points are percent.
pub(crate) struct Idea<'a> {
    title: String,
    points: i32,
    evidence: Vec<Evidence>,
    /// The address that would be the attacker's.
    attacker: Option<&'a str>,
}

impl<'a> Idea<'a> {
    fn new(title: String, base: i32) -> Self {
        Self { title, points: base, evidence: Vec::new(), attacker: None }
    }

    fn by(mut self, attacker: &'a str) -> Self {
        self.attacker = Some(attacker);
        self
    }

    /// Weighs evidence: points above zero support, below zero contradict. Without events there is no evidence.
    fn weigh(&mut self, points: i32, events: &[&CaseEvent], why: impl Into<String>) {
        let Some(first) = events.first() else { return };
        let why = why.into();
        let supports = points > 0;
        self.points += points;
        let last = events.last().filter(|last| last.id != first.id);
        self.evidence.push(Evidence { event_id: first.id, supports, why: why.clone() });
        self.evidence.extend(last.map(|last| Evidence {
            event_id: last.id,
            supports,
            why: format!("{why}: the last of {}", events.len()),
        }));
    }

    fn weigh_if(&mut self, applies: bool, points: i32, events: &[&CaseEvent], why: impl Into<String>) {
        if applies {
            self.weigh(points, events, why);
        }
    }

    fn percent(&self) -> i32 {
        self.points.clamp(1, 97)
    }
}

/// How sure the best hypothesis against each address is, in percent.
pub(crate) struct Hostile<'a>(BTreeMap<&'a str, i32>);

impl<'a> Hostile<'a> {
    pub(crate) fn is_attacker(&self, address: &str) -> bool {
        self.0.get(address).is_some_and(|percent| *percent >= ACT)
    }

    /// Attackers with their percent, in the order of addresses.
    pub(crate) fn attackers(&self) -> impl Iterator<Item = (&'a str, i32)> {
        self.0.iter().filter(|(_, percent)| **percent >= ACT).map(|(address, percent)| (*address, *percent))
    }
}

/// Every hypothesis that the facts suggest.
pub(crate) fn ideas<'a>(facts: &Facts<'a>) -> Vec<Idea<'a>> {
    let mut ideas = Vec::new();
    for source in facts.suspects().into_iter().take(MAX_SUSPECTS) {
        ideas.extend(credentials::spray(source));
        ideas.extend(credentials::brute_force(source));
        ideas.extend(web::attempts(source));
        ideas.extend(web::success(facts, source));
        ideas.extend(credentials::as_rules_read_it(source));
        ideas.extend(benign::authorised_test(facts, source));
        ideas.extend(benign::misconfigured_job(source));
        ideas.extend(benign::slips(facts, source));
    }
    ideas.extend(facts.breaches.iter().map(credentials::compromise));
    ideas.extend(inside::hands_on_keyboard(facts));
    ideas.extend(inside::persistence(facts));
    ideas.extend(benign::administration(facts));
    ideas
}

/// The best hypothesis against each address.
pub(crate) fn hostile<'a>(ideas: &[Idea<'a>]) -> Hostile<'a> {
    let mut best: BTreeMap<&str, i32> = BTreeMap::new();
    for idea in ideas {
        let Some(address) = idea.attacker else { continue };
        let known = best.entry(address).or_insert(0);
        *known = idea.percent().max(*known);
    }
    Hostile(best)
}

/// Highest confidence first; equal ones by title.
pub(crate) fn rank(ideas: Vec<Idea<'_>>) -> Vec<Hypothesis> {
    let mut ideas: Vec<Idea<'_>> = ideas.into_iter().filter(|idea| !idea.evidence.is_empty()).collect();
    ideas.sort_by(|one, other| other.percent().cmp(&one.percent()).then_with(|| one.title.cmp(&other.title)));
    ideas.truncate(MAX_HYPOTHESES);
    let listed = ideas.into_iter().map(|idea| Hypothesis {
        confidence: fraction(idea.percent()),
        title: idea.title,
        evidence: idea.evidence,
    });
    listed.collect()
}

/// Percent as a fraction with two decimals.
pub(crate) fn fraction(percent: i32) -> f64 {
    f64::from(percent) / 100.0
}

pub(crate) fn found(ranked: &[Hypothesis]) -> String {
    match ranked.first() {
        Some(best) => format!("{} weighed; the likeliest: {} ({:.2})", ranked.len(), best.title, best.confidence),
        None => "the events suggest none".to_owned(),
    }
}

/// Hosts of a set, as words: `web-01`, `web-01 and db-02`, `5 hosts`.
fn hosts_in_words<'a>(hosts: impl IntoIterator<Item = &'a str>) -> String {
    let named: Vec<String> =
        hosts.into_iter().map(|host| crate::words::name(Some(host), "an unnamed host").to_owned()).collect();
    match named.len() {
        0 => "an unnamed host".to_owned(),
        1..=3 => crate::words::list(&named),
        many => format!("{many} hosts"),
    }
}
