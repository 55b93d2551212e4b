//! The executor's own look at what may never be touched, after policy and apart from it.

use std::net::IpAddr;

use ipnet::IpNet;
use shieldops_model::{Reason, Target};
use shieldops_policy::{Class, Facts};

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
    for net in reach {
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
        let first = net.addr();
        if first.is_loopback() || first.is_unspecified() || first.is_multicast() || net.prefix_len() == 0 {
            reasons.push(reason("protected_address", format!("{net} may never be blocked")));
        }
    }
    reasons
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
        ] {
            assert_eq!(codes(reach, false), [code], "{reach}");
        }
        assert!(codes("203.0.113.66/32", false).is_empty());
        assert_eq!(codes("203.0.113.66/32", true), ["protected_target"]);
    }
}
