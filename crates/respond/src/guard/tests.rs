//! What the executor holds against a plan, by target, effect and who is kept.

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
    let facts = Facts { own_addresses: vec!["127.0.0.1".parse().unwrap(), own.parse().unwrap()], ..Facts::default() };
    let cut = Cut { kept, host };
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
    assert_eq!(cut(CutHost::Another, database, &[], database, office), ["protected_entry"], "the host of the database");
    assert_eq!(cut(CutHost::Another, office, &["192.0.2.0/24"], database, office), of_people, "where somebody works");
    assert!(cut(CutHost::Another, own, &[], "127.0.0.1", "127.0.0.1").is_empty(), "loopback is nobody's");
    // Our own host.
    let no_way = ["protected_entry", "protected_entry", "operator_address"];
    assert_eq!(cut(CutHost::Ours, own, &[], database, office), no_way);
    assert_eq!(cut(CutHost::Ours, own, &["192.0.2.0/24", "198.51.100.5/32"], database, office), ["protected_entry"]);
    assert_eq!(cut(CutHost::Ours, own, &["198.51.100.0/24"], "127.0.0.1", office), of_people);
    assert!(cut(CutHost::Ours, own, &["192.0.2.0/24"], own, office).is_empty(), "all that it needs is on it or let in");
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
    assert_eq!(cut(CutHost::Ours, own, &["198.51.100.0/24"], database, proxies), denied, "the office alone is kept");
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
    assert_eq!(of_others((&here, &["198.51.100.0/24".parse().unwrap()]), None, &facts, &other), None);
    let isolated = |host, keep: &[&str], port| {
        let cut = Cut { kept: kept(keep, port), host };
        of_others((&there, &[]), Some(&cut), &facts, &other).is_some()
    };
    assert!(isolated(CutHost::Ours, &["198.51.100.0/24"], DOOR) && isolated(CutHost::Perhaps, &[], DOOR));
    assert!(!isolated(CutHost::Ours, &["192.0.2.0/24"], DOOR));
    assert!(isolated(CutHost::Ours, &["192.0.2.0/24"], 22), "by another port than theirs");
    let ours = |host| is_ours(Some(&Cut { kept: Vec::new(), host }), false);
    assert!(ours(CutHost::Ours) && ours(CutHost::Perhaps) && !ours(CutHost::Another) && !is_ours(None, false));
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
