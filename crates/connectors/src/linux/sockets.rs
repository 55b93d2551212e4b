//! The connections of a host, as `ss -Htun` tells them, and what their loss comes to. Pure.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use shieldops_policy::{Dependant, Facts};

/// The most connections that are named.
const MAX_NAMED: usize = 200;

/// One connection that is up, or a datagram socket with a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    /// `tcp` or `udp`.
    pub(super) protocol: String,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

impl Connection {
    pub(super) fn is_tcp(&self) -> bool {
        self.protocol == "tcp"
    }

    /// An IPv4 address in IPv6 clothes is IPv4.
    pub(super) fn peer_ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    fn named(&self) -> Dependant {
        Dependant {
            kind: "connection".to_owned(),
            name: format!("{} {}", self.protocol, self.peer),
            detail: format!("to {}: it will be cut", self.local),
        }
    }
}

/// Puts what will be cut on the facts: each connection hangs on the action, and each peer is reached by it.
pub(super) fn cut(facts: &mut Facts, live: &[Connection], is_cut: impl Fn(&Connection) -> bool) {
    let cut: Vec<&Connection> = live.iter().filter(|one| is_cut(one)).collect();
    let mut named: Vec<Dependant> = cut.iter().take(MAX_NAMED).map(|one| one.named()).collect();
    named.sort();
    facts.dependants.extend(named);
    let peers: BTreeSet<String> = cut.iter().map(|one| format!("peer:{}", one.peer_ip())).collect();
    facts.resources.extend(peers);
    if cut.len() > MAX_NAMED {
        let more = format!("{} more connections that will be cut are not named", cut.len() - MAX_NAMED);
        facts.not_checkable.push(more);
    }
}

/// Lines that are not understood are passed over: what is shown is never more than what is there.
pub(super) fn parse(text: &str) -> Vec<Connection> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Connection> {
    let mut words = line.split_ascii_whitespace();
    let protocol = words.next()?.to_owned();
    let (local, peer) = (words.nth(3)?, words.next()?);
    Some(Connection { protocol, local: socket(local)?, peer: socket(peer)? })
}

/// `203.0.113.9:22`, `[2001:db8::9]:22`, `127.0.0.53%lo:53`, `[fe80::1]%eth0:546`.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.split('%').next()?.trim_start_matches('[').trim_end_matches(']');
    Some(SocketAddr::new(address.parse::<IpAddr>().ok()?.to_canonical(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_in_which_ss_writes_an_address_is_read() {
        let text = "tcp   ESTAB 0 0   203.0.113.10:22   203.0.113.66:40514\n\
                    udp   ESTAB 0 0   127.0.0.1%lo:53  127.0.0.1:40000 users:((\"x\",pid=1,fd=2))\n\
                    tcp ESTAB 0 0 [fe80::1]%eth0:22 [fe80::2]:50000\n\
                    tcp ESTAB 0 0 [::ffff:192.0.2.1]:22 [::ffff:192.0.2.7]:5\nrubbish\ntcp ESTAB 0 0 a:b c:d\n";
        let read: Vec<String> =
            parse(text).iter().map(|one| format!("{} {} {}", one.protocol, one.local, one.peer)).collect();
        assert_eq!(
            read,
            [
                "tcp 203.0.113.10:22 203.0.113.66:40514",
                "udp 127.0.0.1:53 127.0.0.1:40000",
                "tcp [fe80::1]:22 [fe80::2]:50000",
                "tcp 192.0.2.1:22 192.0.2.7:5"
            ]
        );
    }
}
