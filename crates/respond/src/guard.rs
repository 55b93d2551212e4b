//! The executor's own look at what may never be touched, after policy and apart from it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;
use shieldops_model::{Action, Plan, Reason, Target, TargetId};
use shieldops_policy::{ActionInput, Class, Entry as Door, Facts, ProtectedEntry, ProtectedKind, Situation};

use crate::{
    Cut, CutHost, Engine, Error, Needed, Observed,
    engine::{Ready, address, door, operators},
    lifelines,
};

impl Engine {
    /// Holds what the server lives by and where people work against a plan, before policy is asked about it.
    pub(crate) async fn hold_against(
        &self,
        plan: &Plan,
        ready: &[Ready],
        actions: &mut [ActionInput],
        situation: &mut Situation,
    ) -> Result<(), Error> {
        if door(plan) == Door::Undo {
            return Ok(());
        }
        let cuts = plan.actions.iter().zip(ready).map(|(action, ready)| cut_off(ready, action, &ready.observed));
        let cuts = cuts.collect::<Result<Vec<_>, _>>()?;
        let back = leads_back(ready).await;
        let ours = |ready: &Ready, cut: Option<&Cut>| is_ours(cut, back.contains(&ready.target.id));
        let own_host = ready.iter().zip(&cuts).any(|(ready, cut)| ours(ready, cut.as_ref()));
        let needed = self.with.journal.lifelines(self.now(), own_host).await?;
        let (people, complete) = operators(plan);
        for ((ready, cut), input) in ready.iter().zip(cuts).zip(actions) {
            let mut reasons = cut_with(&ready.target, cut.as_ref(), &ready.observed.facts, (&needed, &people));
            reasons.extend(unknown(&needed, ready, cut.is_some()));
            if ours(ready, cut.as_ref()) {
                reasons.extend(of_others((&ready.target, &ready.reach), cut.as_ref(), &ready.observed.facts, &needed));
            }
            if cut.is_some() {
                reasons.extend(on_it(&ready.target, &ready.observed.facts, &situation.protected));
                let nobody = "the client address of a requester or approver is not known, so it cannot be protected";
                reasons.extend((!complete).then(|| reason("operator_unknown", nobody.to_owned())));
            }
            if let Some(facts) = &mut input.facts {
                facts.untouchable.extend(reasons);
            }
        }
        situation.protected.extend(needed.server.into_iter().chain(needed.people));
        Ok(())
    }

    /// The executor's own look at what may never be touched. An undo takes away, and is not held back by it.
    pub(crate) async fn unsafe_now(
        &self,
        plan: &Plan,
        ready: &Ready,
        action: &Action,
        there: &Observed<Value>,
    ) -> Result<Option<String>, Error> {
        if door(plan) == Door::Undo {
            return Ok(None);
        }
        let class = ready.capability.describe().class;
        // Somebody may have signed in since policy was asked.
        let cut = cut_off(ready, action, there)?;
        let ours = is_ours(cut.as_ref(), !leads_back(std::slice::from_ref(ready)).await.is_empty());
        let needed = self.with.journal.lifelines(self.now(), ours).await?;
        let people = operators(plan).0;
        let mut addresses = people.clone();
        addresses.extend(needed.server.iter().chain(&needed.people).filter_map(|entry| address(&entry.value)));
        let mut reasons = protected(&ready.target, class, &ready.reach, &there.facts, &addresses);
        reasons.extend(cut_with(&ready.target, cut.as_ref(), &there.facts, (&needed, &people)));
        reasons.extend(unknown(&needed, ready, cut.is_some()));
        reasons.extend(in_ranges(&ready.reach, &needed.people));
        if ours {
            reasons.extend(of_others((&ready.target, &ready.reach), cut.as_ref(), &there.facts, &needed));
        }
        Ok(reasons.first().map(|reason| format!("{}: {}", reason.code, reason.detail)))
    }

    /// Why whoever works from there would be cut off with the action's whole target, as that is now.
    pub(crate) async fn cut_from(&self, action: &Action, own: IpAddr) -> Result<Option<Reason>, Error> {
        let capability = self.capability(&action.capability)?;
        let Some(target) = self.with.journal.target(action.target_id).await? else { return Ok(None) };
        let planned = Observed { state: action.from.clone(), facts: Facts::default() };
        if matches!(capability.cuts_off(&target, &action.params, &planned), Ok(None)) {
            return Ok(None);
        }
        let ready = match self.look(&action.capability, target, &action.params).await {
            Ok(ready) => ready,
            // What cannot be read now is not done now either: the run looks again.
            Err(Error::Unavailable(_) | Error::Elsewhere(_) | Error::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let cut = cut_off(&ready, action, &ready.observed)?;
        let door = self.with.journal.lifelines(self.now(), false).await?.door;
        let needed = Needed { door, ..Needed::default() };
        let reasons = cut_with(&ready.target, cut.as_ref(), &ready.observed.facts, (&needed, &[own]));
        Ok(reasons.into_iter().find(|reason| reason.code == "operator_address"))
    }
}

/// Whom the effect leaves, where it takes the whole target off the network.
fn cut_off(ready: &Ready, action: &Action, there: &Observed<Value>) -> Result<Option<Cut>, Error> {
    Ok(ready.capability.cuts_off(&ready.target, &action.params, there)?)
}

/// Who would lose the way with the whole target: what is on it, and where it is our own host, everybody who is not kept at
/// the port by which people come. Nothing that we go out to is: what is kept are ways in.
fn cut_with(target: &Target, cut: Option<&Cut>, facts: &Facts, (needed, people): (&Needed, &[IpAddr])) -> Vec<Reason> {
    let Some(cut) = cut else { return Vec::new() };
    let here = |net: &IpNet| facts.own_addresses.iter().any(|own| net.contains(own));
    let lost = |net: &IpNet, kept: bool| {
        let with_it = here(net) && cut.host != CutHost::Ours;
        let from_it = !own_address(facts, net) && cut.host != CutHost::Another && !kept;
        !net.addr().is_loopback() && (with_it || from_it)
    };
    let told =
        |code: &str, one: &str, why: &str| reason(code, format!("{one} is cut off with target {}: {why}", target.name));
    let of = |entries: &[ProtectedEntry], ways_in: bool| {
        let nets = entries.iter().filter_map(|entry| Some((net(entry)?, entry)));
        let gone = nets.filter(|(net, _)| lost(net, ways_in && cut.keeps(net, needed.door)));
        gone.map(|(_, entry)| told("protected_entry", &entry.value, &entry.why)).collect::<Vec<_>>()
    };
    let mut reasons = of(&needed.server, false);
    reasons.extend(of(&needed.people, true));
    let asking = people.iter().map(|one| (one, IpNet::from(*one)));
    let asking = asking.filter(|(_, net)| lost(net, cut.keeps(net, needed.door)));
    let works = "the person who asks or approves works from there";
    reasons.extend(asking.map(|(one, _)| told("operator_address", &one.to_string(), works)));
    reasons.extend(no_way_in(target, cut, facts, needed.door));
    reasons
}

/// Whether nobody at all could come to this server any more, whoever is signed in now: the isolation would be for good.
fn no_way_in(target: &Target, cut: &Cut, facts: &Facts, door: Option<u16>) -> Option<Reason> {
    let told = facts.untouchable.iter().any(|reason| reason.code == "management_path");
    let elsewhere = |net: &IpNet| !net.addr().is_loopback() && !own_address(facts, net);
    let open = |(from, port): &(IpNet, u16)| elsewhere(from) && door.is_none_or(|door| door == *port);
    if told || cut.host == CutHost::Another || cut.kept.iter().any(open) {
        return None;
    }
    let by = door.map_or_else(String::new, |door| format!(", who come by TCP port {door}"));
    let detail = format!(
        "target {} is the host of this server, and nobody could reach it any more: name in `keep`, with its `port`, its people{by}",
        target.name
    );
    Some(reason("management_path", detail))
}

/// Whether it is one address of the target, and no more.
fn own_address(facts: &Facts, net: &IpNet) -> bool {
    facts.own_addresses.iter().any(|own| IpNet::from(*own) == *net)
}

/// Whether it is the host of this server, as far as anybody can tell: the way leads back to it, or the capability says so.
fn is_ours(cut: Option<&Cut>, back: bool) -> bool {
    back || cut.is_some_and(|cut| cut.host != CutHost::Another)
}

/// The targets that are this machine, whatever they are called, among those where packets are stopped.
async fn leads_back(ready: &[Ready]) -> BTreeSet<TargetId> {
    let mut asked = BTreeSet::new();
    let mut back = BTreeSet::new();
    for target in ready.iter().filter(|one| !one.reach.is_empty()).map(|one| &one.target) {
        if asked.insert(target.id) && is_here(target).await {
            back.insert(target.id);
        }
    }
    back
}

async fn is_here(target: &Target) -> bool {
    match &target.ssh {
        Some(ssh) => lifelines::leads_here(&ssh.address).await,
        None => target.name == "local",
    }
}

/// Whoever works here is cut off by what is done to the server's own host, of whichever tenant they are. Which address it is
/// stays between them and their tenant.
fn of_others(
    (target, reach): (&Target, &[IpNet]),
    cut: Option<&Cut>,
    facts: &Facts,
    needed: &Needed,
) -> Option<Reason> {
    let kept = |cut: &Cut, one: &IpAddr| cut.keeps(&IpNet::from(*one), needed.door);
    let left_out = |cut: &Cut, one: &IpAddr| !facts.own_addresses.contains(one) && !kept(cut, one);
    let lost = |one: &&IpAddr| {
        !one.is_loopback()
            && (reach.iter().map(plain).any(|net| net.contains(*one)) || cut.is_some_and(|cut| left_out(cut, one)))
    };
    needed.others.iter().find(lost)?;
    let detail = format!(
        "target {} is the host of this server: somebody of another tenant, who is signed in, would be cut off",
        target.name
    );
    Some(reason("protected_entry", detail))
}

/// Ranges that are reached, in part or whole.
fn in_ranges(reach: &[IpNet], entries: &[ProtectedEntry]) -> Vec<Reason> {
    let held = |entry: &&ProtectedEntry| {
        let range = net(entry).filter(|_| entry.kind == ProtectedKind::Range);
        range.is_some_and(|range| reach.iter().map(plain).any(|net| net.contains(&range) || range.contains(&net)))
    };
    entries
        .iter()
        .filter(held)
        .map(|entry| reason("protected_entry", format!("{}: {}", entry.value, entry.why)))
        .collect()
}

/// What an entry protects, where that is addresses.
fn net(entry: &ProtectedEntry) -> Option<IpNet> {
    match entry.kind {
        ProtectedKind::Address => address(&entry.value).map(IpNet::from),
        ProtectedKind::Range => entry.value.parse().ok().map(|net| plain(&net)),
        _ => None,
    }
}

/// What a person protected and is an address of the target that is cut off.
fn on_it(target: &Target, facts: &Facts, entries: &[ProtectedEntry]) -> Vec<Reason> {
    let own: Vec<&IpAddr> = facts.own_addresses.iter().filter(|one| !one.is_loopback()).collect();
    let held = |entry: &&ProtectedEntry| match entry.kind {
        ProtectedKind::Address => address(&entry.value).is_some_and(|one| own.contains(&&one)),
        ProtectedKind::Range => {
            entry.value.parse::<IpNet>().is_ok_and(|net| own.iter().any(|one| plain(&net).contains(*one)))
        }
        _ => false,
    };
    let told = |entry: &ProtectedEntry| {
        reason("protected_entry", format!("{} is cut off with target {}: {}", entry.value, target.name, entry.why))
    };
    entries.iter().filter(held).map(told).collect()
}

/// Where an address must not be cut off and nobody can say which it is, none is.
fn unknown(needed: &Needed, ready: &Ready, cuts: bool) -> Vec<Reason> {
    let reaches = cuts || !ready.reach.is_empty();
    let told = |name: &String| reason("lifelines_unknown", format!("the addresses of {name} could not be looked up"));
    needed.unknown.iter().filter(|_| reaches).map(told).collect()
}

/// Why this must not run, whatever policy said.
pub(crate) fn protected(
    target: &Target,
    class: Class,
    reach: &[IpNet],
    facts: &Facts,
    operators: &[IpAddr],
) -> Vec<Reason> {
    if class == Class::ReadOnly {
        return Vec::new();
    }
    let mut reasons = facts.untouchable.clone();
    if target.protected {
        reasons.push(reason("protected_target", format!("target {} is protected", target.name)));
    }
    for net in reach.iter().map(plain) {
        let net = &net;
        let lists = [
            ("own_address", &facts.own_addresses[..]),
            ("gateway_address", &facts.gateways),
            ("dns_address", &facts.dns_servers),
            ("operator_address", operators),
        ];
        for (code, addresses) in lists {
            if let Some(held) = addresses.iter().find(|address| net.contains(*address)) {
                reasons.push(reason(code, format!("{net} holds {held}")));
            }
        }
        if net.prefix_len() == 0 || never().any(|special| special.contains(net) || net.contains(&special)) {
            reasons.push(reason("protected_address", format!("{net} may never be blocked")));
        }
    }
    reasons
}

/// Loopback, unspecified, multicast and broadcast: no address of a stranger lies in these.
fn never() -> impl Iterator<Item = IpNet> {
    let v4 = |a, b, c, d, len| Ipv4Net::new(Ipv4Addr::new(a, b, c, d), len).map(IpNet::from);
    let v6 =
        |first: u16, last: u16, len| Ipv6Net::new(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last), len).map(IpNet::from);
    [
        v4(0, 0, 0, 0, 8),
        v4(127, 0, 0, 0, 8),
        v4(224, 0, 0, 0, 4),
        v4(255, 255, 255, 255, 32),
        v6(0, 0, 128),
        v6(0, 1, 128),
        v6(0xff00, 0, 8),
    ]
    .into_iter()
    .flatten()
}

/// An IPv4 network in IPv6 clothes is IPv4.
fn plain(net: &IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return *net };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped.and_then(|(address, len)| Ipv4Net::new(address, len).ok()).map_or(*net, IpNet::from)
}

fn reason(code: &str, detail: String) -> Reason {
    Reason { code: code.to_owned(), detail }
}

#[cfg(test)]
mod tests;
