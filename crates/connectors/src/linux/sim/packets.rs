//! What the simulated packet filter does with a packet: its chains walked as the kernel walks them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use shieldops_model::Timestamp;

use super::{
    Host,
    filter::{Table, expressions},
};

/// Chains that may be jumped through before the walk gives up.
const DEPTH: u8 = 16;

/// One TCP packet on its way through one hook.
#[derive(Debug, Clone, Copy)]
struct Packet {
    hook: &'static str,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accept,
    Drop,
    Next,
}

impl Host {
    /// Whether a TCP connection from this address to a port of the host would come up: its packets in and the answers
    /// out.
    pub(in crate::linux) fn admits(&mut self, from: IpAddr, port: u16, now: Timestamp) -> bool {
        self.tick(now);
        let own = self.facts.own_addresses.iter().find(|own| own.is_ipv4() == from.is_ipv4());
        let Some(own) = own.copied() else { return false };
        // Where it comes from: any port that nothing is about.
        let (peer, host) = ((from, 40_000), (own, port));
        let asked = Packet { hook: "input", from: peer, to: host };
        let answer = Packet { hook: "output", from: host, to: peer };
        [asked, answer].iter().all(|packet| self.all_tables().all(|table| table.passes(packet)))
    }
}

impl Table {
    /// A drop is final; an accept only ends this table's say.
    fn passes(&self, packet: &Packet) -> bool {
        let based = self.chains.iter().filter(|(_, chain)| chain.spec["hook"] == packet.hook);
        based.map(|(name, _)| self.walk(name, packet, DEPTH)).all(|verdict| verdict != Verdict::Drop)
    }

    fn walk(&self, chain: &str, packet: &Packet, depth: u8) -> Verdict {
        let Some(chain) = self.chains.get(chain).filter(|_| depth > 0) else { return Verdict::Next };
        for rule in &chain.rules {
            let verdict = self.judge(rule, packet, depth);
            if verdict != Verdict::Next {
                return verdict;
            }
        }
        Verdict::Next
    }

    fn judge(&self, rule: &Value, packet: &Packet, depth: u8) -> Verdict {
        for expression in expressions(rule) {
            if let Some(matched) = expression.get("match") {
                if !self.matches(matched, packet) {
                    return Verdict::Next;
                }
            } else if expression.get("drop").is_some() {
                return Verdict::Drop;
            } else if expression.get("accept").is_some() {
                return Verdict::Accept;
            } else if let Some(chain) = expression["jump"]["target"].as_str() {
                let verdict = self.walk(chain, packet, depth.saturating_sub(1));
                if verdict != Verdict::Next {
                    return verdict;
                }
            }
        }
        Verdict::Next
    }

    fn matches(&self, matched: &Value, packet: &Packet) -> bool {
        let Some(seen) = packet.read(&matched["left"]) else { return false };
        let right = &matched["right"];
        if let Some(set) = right.as_str().and_then(|right| right.strip_prefix('@')) {
            return self.sets.get(set).is_some_and(|set| set.elements.contains_key(&seen));
        }
        match right.get("prefix") {
            Some(prefix) => {
                let text = format!("{}/{}", prefix["addr"].as_str().unwrap_or_default(), prefix["len"]);
                let net: Option<IpNet> = text.parse().ok();
                net.zip(seen.parse::<IpAddr>().ok()).is_some_and(|(net, address)| net.contains(&address))
            }
            None => right.as_str().map_or_else(|| right.to_string(), str::to_owned) == seen,
        }
    }
}

impl Packet {
    /// What a rule's left side sees of the packet; `None` where the packet has no such thing.
    fn read(&self, left: &Value) -> Option<String> {
        if let Some(masked) = left.get("&") {
            let (seen, mask) = (self.read(&masked[0])?, masked[1].as_str()?);
            return mask_of(seen.parse().ok()?, mask.parse().ok()?).map(|address| address.to_string());
        }
        let payload = &left["payload"];
        let v4 = self.from.0.is_ipv4();
        match (payload["protocol"].as_str(), payload["field"].as_str(), left["meta"]["key"].as_str()) {
            (Some("ip"), Some("saddr"), _) if v4 => Some(self.from.0.to_string()),
            (Some("ip"), Some("daddr"), _) if v4 => Some(self.to.0.to_string()),
            (Some("ip6"), Some("saddr"), _) if !v4 => Some(self.from.0.to_string()),
            (Some("ip6"), Some("daddr"), _) if !v4 => Some(self.to.0.to_string()),
            (Some("tcp"), Some("sport"), _) => Some(self.from.1.to_string()),
            (Some("tcp"), Some("dport"), _) => Some(self.to.1.to_string()),
            (_, _, Some("nfproto")) => Some(if v4 { "ipv4" } else { "ipv6" }.to_owned()),
            (_, _, Some("iifname")) if self.hook == "input" => Some("eth0".to_owned()),
            (_, _, Some("oifname")) if self.hook == "output" => Some("eth0".to_owned()),
            _ => None,
        }
    }
}

fn mask_of(address: IpAddr, mask: IpAddr) -> Option<IpAddr> {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => Some((address & mask).into()),
        (IpAddr::V6(address), IpAddr::V6(mask)) => Some((address & mask).into()),
        _ => None,
    }
}
