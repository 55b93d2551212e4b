//! Proposed responses: what would contain the attack on the machines that people registered. Nothing here acts or decides.
//!
//! Titles and reasons are built from addresses and target names only and hold no counts, so that a later revision with the
//! same proposal says the same words.

use shieldops_model::{NotChecked, ProposedAction, ProposedPlan, Target, TargetKind, address, target::TargetRef};

use crate::{
    facts::Facts,
    hypotheses::{Hostile, fraction},
    words::{list, name, number},
};

/// How long a proposed block lasts: a day.
pub(crate) const EXPIRES_IN_S: u64 = 86_400;
/// Plans of one investigation.
pub(crate) const MAX_PLANS: usize = 10;

pub(crate) struct Proposals {
    pub(crate) plans: Vec<ProposedPlan>,
    /// Why there is none where one could be expected.
    pub(crate) without: Vec<NotChecked>,
    /// One line for the steps.
    pub(crate) found: String,
}

pub(crate) fn propose(facts: &Facts<'_>, hostile: &Hostile<'_>) -> Proposals {
    let mut proposals = Proposals { plans: Vec::new(), without: Vec::new(), found: String::new() };
    let mut in_force = Vec::new();
    let mut attackers: Vec<(&str, i32)> = hostile.attackers().collect();
    attackers.sort_by_key(|(attacker, percent)| (std::cmp::Reverse(*percent), *attacker));
    for (attacker, percent) in attackers {
        let Some(ip) = address::parse(attacker) else { continue };
        let ip = ip.to_string();
        if !address::is_public(&ip) {
            proposals.without.push(inside(&ip));
            continue;
        }
        let victims = victims(facts, attacker);
        if victims.is_empty() {
            proposals.without.push(nowhere(&ip));
        }
        for host in victims {
            match target_of(facts, host) {
                Err(reason) => proposals.without.push(reason),
                Ok(target) if is_blocked(facts, target, &ip) => in_force.push(format!("{ip} on {}", target.name)),
                Ok(target) => proposals.plans.push(block(&ip, host, target.reference(), percent)),
            }
        }
    }
    tidy(&mut proposals);
    proposals.found = found(&proposals, &in_force);
    proposals
}

fn tidy(proposals: &mut Proposals) {
    proposals.without.sort_by(|one, other| (&one.what, &one.why).cmp(&(&other.what, &other.why)));
    proposals.without.dedup();
    let beyond = proposals.plans.len().saturating_sub(MAX_PLANS);
    if beyond > 0 {
        proposals.plans.truncate(MAX_PLANS);
        proposals.without.push(NotChecked {
            what: format!("{} left out", number(beyond, "further proposal", "further proposals")),
            why: format!("an investigation proposes at most {MAX_PLANS} plans, the surest first"),
        });
    }
}

fn victims<'a>(facts: &Facts<'a>, attacker: &str) -> Vec<&'a str> {
    facts.sources.get(attacker).map(|source| source.hosts().into_iter().collect()).unwrap_or_default()
}

/// The registered target of a host: a real one before a simulated one.
fn target_of<'a>(facts: &Facts<'a>, host: &str) -> Result<&'a Target, NotChecked> {
    let is_host = |target: &&Target| {
        target.kind == TargetKind::LinuxHost
            && target.host.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(host))
    };
    let mut known: Vec<&Target> = facts.input.targets.iter().filter(is_host).collect();
    known.sort_by_key(|target| (target.protected, target.simulated, target.name.as_str(), target.id));
    let shown = name(Some(host), "the victim host");
    match known.first() {
        None => Err(NotChecked {
            what: format!("No target registered for {shown}"),
            why: "register it to get a plan: nothing is done to a machine that nobody registered".to_owned(),
        }),
        Some(target) if target.protected => Err(NotChecked {
            what: format!("No plan for {shown}"),
            why: "its target is protected: no action may touch it".to_owned(),
        }),
        Some(target) => Ok(target),
    }
}

fn is_blocked(facts: &Facts<'_>, target: &Target, ip: &str) -> bool {
    let reference = target.reference();
    let same = |known: &str| address::parse(known).is_some_and(|known| known.to_string() == ip);
    facts.input.live_blocks.iter().any(|block| block.target == reference && same(&block.address))
}

fn inside(ip: &str) -> NotChecked {
    NotChecked {
        what: format!("No block proposed for {ip}"),
        why: "it is a private, loopback or shared address: a proxy, a gateway or a machine of ours may stand behind it; look there first".to_owned(),
    }
}

fn nowhere(ip: &str) -> NotChecked {
    NotChecked {
        what: format!("No block proposed for {ip}"),
        why: "its events do not name the host that they come from: let the sender add `host`".to_owned(),
    }
}

fn block(ip: &str, host: &str, target: TargetRef, percent: i32) -> ProposedPlan {
    ProposedPlan {
        title: format!("Block {ip} on {}", name(Some(host), "the victim host")),
        why: format!(
            "The investigation takes {ip} for the address of the attacker. It is the one that the logs of the host name; \
             others may share it (a proxy, a mobile network), and the attacker may come back from another. Sessions that are \
             open through other addresses, and accounts already taken over, are not ended by this."
        ),
        confidence: fraction(percent),
        actions: vec![ProposedAction {
            capability: "linux.block_ip".to_owned(),
            target,
            params: serde_json::json!({ "address": ip, "expires_in_s": EXPIRES_IN_S }),
        }],
    }
}

fn found(proposals: &Proposals, in_force: &[String]) -> String {
    let mut found = vec![match proposals.plans.len() {
        0 => "no plan".to_owned(),
        count => number(count, "plan", "plans"),
    }];
    if !in_force.is_empty() {
        found.push(format!("blocked already: {}", list(in_force)));
    }
    if !proposals.without.is_empty() {
        found.push(format!("{} without one", number(proposals.without.len(), "case", "cases")));
    }
    found.join("; ")
}
