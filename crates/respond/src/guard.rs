//! The executor's own look at what may never be touched, after policy and apart from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;
use shieldops_model::{Action, Plan, Reason, Target};
use shieldops_policy::{ActionInput, Class, Entry as Door, Facts, ProtectedEntry, ProtectedKind, Situation};

use crate::{
    Cut, CutHost, Engine, Error, Needed, Observed,
    engine::{Ready, address, door, operators},
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
        let own_host = ready.iter().zip(&cuts).any(|(ready, cut)| is_ours(&ready.target, cut.as_ref()));
        let needed = self.with.journal.lifelines(self.now(), own_host).await?;
        let (people, complete) = operators(plan);
        for ((ready, cut), input) in ready.iter().zip(cuts).zip(actions) {
            let mut reasons = cut_with(&ready.target, cut.as_ref(), &ready.observed.facts, (&needed, &people));
            reasons.extend(unknown(&needed, ready, cut.is_some()));
            reasons.extend(of_others((&ready.target, &ready.reach), cut.as_ref(), &ready.observed.facts, &needed));
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
        let needed = self.with.journal.lifelines(self.now(), is_ours(&ready.target, cut.as_ref())).await?;
        let people = operators(plan).0;
        let mut addresses = people.clone();
        addresses.extend(needed.server.iter().chain(&needed.people).filter_map(|entry| address(&entry.value)));
        let mut reasons = protected(&ready.target, class, &ready.reach, &there.facts, &addresses);
        reasons.extend(cut_with(&ready.target, cut.as_ref(), &there.facts, (&needed, &people)));
        reasons.extend(unknown(&needed, ready, cut.is_some()));
        reasons.extend(in_ranges(&ready.reach, &needed.people));
        reasons.extend(of_others((&ready.target, &ready.reach), cut.as_ref(), &there.facts, &needed));
        Ok(reasons.first().map(|reason| format!("{}: {}", reason.code, reason.detail)))
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

/// Whether it is the host of this server, as far as anybody can tell.
fn is_ours(target: &Target, cut: Option<&Cut>) -> bool {
    target.name == "local" || cut.is_some_and(|cut| cut.host != CutHost::Another)
}

/// Whoever works here is cut off by what is done to the server's own host, of whichever tenant they are. Which address it is
/// stays between them and their tenant.
fn of_others(
    (target, reach): (&Target, &[IpNet]),
    cut: Option<&Cut>,
    facts: &Facts,
    needed: &Needed,
) -> Option<Reason> {
    if !is_ours(target, cut) {
        return None;
    }
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
mod tests {
    use super::*;
    use crate::memory::tests::target;

    fn codes(reach: &str, protected_target: bool) -> Vec<String> {
        let facts = Facts {
            own_addresses: vec!["203.0.113.10".parse().unwrap()],
            gateways: vec!["198.51.100.1".parse().unwrap()],
            dns_servers: vec!["198.51.100.53".parse().unwrap()],
            ..Facts::default()
        };
        let row = Target { protected: protected_target, ..target("sim/a") };
        let reach = [reach.parse().unwrap()];
        protected(&row, Class::Reversible, &reach, &facts, &["192.0.2.7".parse().unwrap()])
            .into_iter()
            .map(|reason| reason.code)
            .collect()
    }

    /// First and last address of a network, as a number of its family.
    fn ends(net: IpNet) -> (bool, u128, u128) {
        let number = |at: IpAddr| match at {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        (net.addr().is_ipv4(), number(net.network()), number(net.broadcast()))
    }

    fn special(net: IpNet) -> bool {
        let (v4, first, last) = ends(net);
        let ranges: &[(u128, u128)] = if v4 {
            &[(0, 0x00ff_ffff), (0x7f00_0000, 0x7fff_ffff), (0xe000_0000, 0xefff_ffff), (0xffff_ffff, 0xffff_ffff)]
        } else {
            &[(0, 1), (0xff << 120, u128::MAX)]
        };
        ranges.iter().any(|(from, to)| first <= *to && *from <= last)
    }

    proptest::proptest! {
        #[test]
        fn a_range_that_holds_any_special_address_is_refused_and_no_other(bits: u128, near: bool, v4: bool, len in 1_u8..=128) {
            // Near the edges of what is special, or anywhere.
            let edges = [0x00ff_ffff_u32, 0x0100_0000, 0x7eff_ffff, 0x7f00_0000, 0x8000_0000, 0xdfff_ffff, 0xe000_0000, 0xf000_0000, u32::MAX];
            let any = u32::try_from(bits >> 96).unwrap_or_default();
            let edge = edges[usize::try_from(bits % 9).unwrap()];
            let (net, mapped): (IpNet, Option<IpNet>) = if v4 {
                let address = Ipv4Addr::from(if near { edge } else { any });
                let len = len.min(32);
                let mapped = Ipv6Net::new(address.to_ipv6_mapped(), 96 + len).unwrap();
                (Ipv4Net::new(address, len).unwrap().into(), Some(mapped.into()))
            } else {
                (Ipv6Net::new(Ipv6Addr::from(if near { bits >> 120 << 120 } else { bits }), len).unwrap().into(), None)
            };
            let refused = |net: IpNet| codes(&net.to_string(), false).contains(&"protected_address".to_owned());
            proptest::prop_assert_eq!(refused(net), special(net), "{}", net);
            if let Some(mapped) = mapped {
                proptest::prop_assert_eq!(refused(mapped), special(net), "{}", mapped);
            }
        }
    }

    fn entry(value: &str) -> ProtectedEntry {
        let kind = if value.contains('/') { ProtectedKind::Range } else { ProtectedKind::Address };
        ProtectedEntry { kind, value: value.to_owned(), why: "it is ours".to_owned() }
    }

    const DOOR: u16 = 8443;

    fn kept(keep: &[&str], port: u16) -> Vec<(IpNet, u16)> {
        keep.iter().map(|net| (net.parse().unwrap(), port)).collect()
    }

    /// With somebody besides who is let in, so that it is about those who are not.
    fn cut(host: CutHost, own: &str, keep: &[&str], server: &str, asks: &str) -> Vec<String> {
        cut_but(host, own, [kept(keep, DOOR), kept(&["203.0.113.200/32"], DOOR)].concat(), server, asks)
    }

    fn cut_but(host: CutHost, own: &str, kept: Vec<(IpNet, u16)>, server: &str, asks: &str) -> Vec<String> {
        let facts =
            Facts { own_addresses: vec!["127.0.0.1".parse().unwrap(), own.parse().unwrap()], ..Facts::default() };
        let cut = Cut { host, kept };
        let (server, people) = (vec![entry(server)], vec![entry(asks)]);
        let needed = Needed { server, people, door: Some(DOOR), ..Needed::default() };
        let people: Vec<IpAddr> = asks.parse().into_iter().collect();
        let reasons = cut_with(&target("sim/a"), Some(&cut), &facts, (&needed, &people));
        reasons.into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn a_host_is_cut_off_only_where_nobody_needs_it() {
        let (own, database, office) = ("203.0.113.10", "198.51.100.5", "192.0.2.7");
        let of_people = ["protected_entry", "operator_address"];
        assert!(cut(CutHost::Another, own, &[], database, office).is_empty(), "another host");
        assert_eq!(
            cut(CutHost::Another, database, &[], database, office),
            ["protected_entry"],
            "the host of the database"
        );
        assert_eq!(
            cut(CutHost::Another, office, &["192.0.2.0/24"], database, office),
            of_people,
            "where somebody works"
        );
        assert!(cut(CutHost::Another, own, &[], "127.0.0.1", "127.0.0.1").is_empty(), "loopback is nobody's");
        // Our own host.
        let no_way = ["protected_entry", "protected_entry", "operator_address"];
        assert_eq!(cut(CutHost::Ours, own, &[], database, office), no_way);
        assert_eq!(
            cut(CutHost::Ours, own, &["192.0.2.0/24", "198.51.100.5/32"], database, office),
            ["protected_entry"]
        );
        assert_eq!(cut(CutHost::Ours, own, &["198.51.100.0/24"], "127.0.0.1", office), of_people);
        assert!(
            cut(CutHost::Ours, own, &["192.0.2.0/24"], own, office).is_empty(),
            "all that it needs is on it or let in"
        );
        assert!(cut(CutHost::Ours, own, &[], "127.0.0.1", own).is_empty());
        // What looks like ours may be another, which `keep` names to be taken for it.
        assert_eq!(cut(CutHost::Perhaps, database, &[], database, office), no_way);
        assert_eq!(cut(CutHost::Perhaps, own, &["192.0.2.0/24"], database, office), ["protected_entry"]);
    }

    #[test]
    fn another_port_that_is_left_open_helps_nobody_who_comes_to_this_server() {
        let (own, office) = ("203.0.113.10", "192.0.2.7");
        let gone = |host, kept| cut_but(host, own, kept, "127.0.0.1", office);
        for host in [CutHost::Ours, CutHost::Perhaps] {
            let all = ["protected_entry", "operator_address", "management_path"];
            assert_eq!(gone(host, kept(&["192.0.2.0/24"], 22)), all);
            let two = [kept(&["192.0.2.0/24"], 22), kept(&["198.51.100.0/24"], DOOR)].concat();
            assert_eq!(gone(host, two), all[..2], "somebody may come, and not these");
            assert!(gone(host, kept(&["192.0.2.0/24"], DOOR)).is_empty());
            // Nobody is signed in, and nobody could be any more.
            let nobody = |kept| cut_but(host, own, kept, "127.0.0.1", "127.0.0.1");
            let itself = kept(&["203.0.113.10/32", "127.0.0.1/32"], DOOR);
            for shut in [kept(&["192.0.2.0/24"], 22), itself, Vec::new()] {
                assert_eq!(nobody(shut), ["management_path"]);
            }
            assert!(nobody(kept(&["192.0.2.0/24"], DOOR)).is_empty());
        }
        assert!(gone(CutHost::Another, kept(&["192.0.2.0/24"], 22)).is_empty());
    }

    #[test]
    fn where_nobody_can_say_by_which_port_people_come_none_is_theirs() {
        let (cut, facts) = (Cut { host: CutHost::Ours, kept: kept(&["192.0.2.0/24"], 22) }, Facts::default());
        let gone = |one: &str| {
            let people: [IpAddr; 1] = [one.parse().unwrap()];
            cut_with(&target("local"), Some(&cut), &facts, (&Needed::default(), &people)).len()
        };
        assert_eq!((gone("192.0.2.7"), gone("127.0.0.1")), (1, 0), "who works on it, or through a tunnel, stays");
    }

    #[test]
    fn a_proxy_through_which_people_come_is_kept_as_a_whole_or_nothing_is_cut_off() {
        let (own, database, proxies) = ("203.0.113.10", "127.0.0.1", "192.0.2.4/30");
        let denied = ["protected_entry"];
        assert_eq!(
            cut(CutHost::Ours, own, &["198.51.100.0/24"], database, proxies),
            denied,
            "the office alone is kept"
        );
        assert_eq!(cut(CutHost::Ours, own, &["192.0.2.4/32"], database, proxies), denied, "one of four");
        assert!(cut(CutHost::Ours, own, &["192.0.2.0/24"], database, proxies).is_empty());
        assert!(cut(CutHost::Ours, own, &[], database, "127.0.0.0/8").is_empty(), "the proxy is here");
        assert!(cut(CutHost::Ours, "192.0.2.4", &[], database, "192.0.2.4/32").is_empty(), "the proxy is here");
        assert_eq!(cut(CutHost::Another, "192.0.2.5", &[], database, proxies), denied, "the proxy's own host");
        assert!(cut(CutHost::Another, own, &[], database, proxies).is_empty());
    }

    #[test]
    fn people_of_other_tenants_are_held_against_what_is_done_to_our_own_host_alone() {
        let facts = Facts::default();
        let other = Needed { others: vec!["192.0.2.9".parse().unwrap()], door: Some(DOOR), ..Needed::default() };
        let reach = ["192.0.2.0/24".parse().unwrap()];
        let (here, there) = (target("local"), target("ssh/other"));
        let told = of_others((&here, &reach), None, &facts, &other).unwrap();
        assert_eq!(told.code, "protected_entry");
        assert!(!told.detail.contains("192.0.2"), "{}", told.detail);
        assert_eq!(of_others((&there, &reach), None, &facts, &other), None);
        assert_eq!(of_others((&here, &["198.51.100.0/24".parse().unwrap()]), None, &facts, &other), None);
        let isolated = |host, keep: &[&str], port| {
            let cut = Cut { host, kept: kept(keep, port) };
            of_others((&there, &[]), Some(&cut), &facts, &other).is_some()
        };
        assert!(isolated(CutHost::Ours, &["198.51.100.0/24"], DOOR) && isolated(CutHost::Perhaps, &[], DOOR));
        assert!(!isolated(CutHost::Ours, &["192.0.2.0/24"], DOOR) && !isolated(CutHost::Another, &[], DOOR));
        assert!(isolated(CutHost::Ours, &["192.0.2.0/24"], 22), "by another port than theirs");
    }

    #[test]
    fn protected_things_are_refused_and_their_neighbours_are_not() {
        for (reach, code) in [
            ("203.0.113.10/32", "own_address"),
            ("203.0.113.0/28", "own_address"),
            ("198.51.100.1/32", "gateway_address"),
            ("198.51.100.53/32", "dns_address"),
            ("192.0.2.7/32", "operator_address"),
            ("127.0.0.1/32", "protected_address"),
            ("::1/128", "protected_address"),
            ("0.0.0.0/32", "protected_address"),
            ("224.0.0.1/32", "protected_address"),
            ("126.0.0.0/7", "protected_address"),
            ("::ffff:127.0.0.1/128", "protected_address"),
            ("::ffff:203.0.113.10/128", "own_address"),
        ] {
            assert_eq!(codes(reach, false), [code], "{reach}");
        }
        assert!(codes("203.0.113.66/32", false).is_empty());
        assert_eq!(codes("203.0.113.66/32", true), ["protected_target"]);
    }
}
