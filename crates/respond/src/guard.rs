//! The executor's own look at what may never be touched, after policy and apart from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use shieldops_model::{Plan, Reason, Target};
use shieldops_policy::{Class, Entry as Door, Facts};

use crate::{
    Engine, Error,
    engine::{Ready, address, door, operators},
};

impl Engine {
    /// The executor's own look at what may never be touched. An undo takes away, and is not held back by it.
    pub(crate) async fn unsafe_now(&self, plan: &Plan, ready: &Ready, facts: &Facts) -> Result<Option<String>, Error> {
        if door(plan) == Door::Undo {
            return Ok(None);
        }
        let class = ready.capability.describe().class;
        // Somebody may have signed in since policy was asked.
        let lifelines = self.with.journal.lifelines(self.now()).await?;
        let mut addresses = operators(plan).0;
        addresses.extend(lifelines.iter().filter_map(|entry| address(&entry.value)));
        let reasons = protected(&ready.target, class, &ready.reach, facts, &addresses);
        Ok(reasons.first().map(|reason| format!("{}: {}", reason.code, reason.detail)))
    }
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
