//! Where a client is: the peer's address, or what a proxy says of it that was declared. What anybody else says of its own
//! address is not read.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Addresses that are read, from the last one on.
const HOPS: usize = 16;

/// The client behind this peer. Each proxy appends whom it heard; read from the end, every address up to the first that is
/// not a declared proxy's was written by a declared proxy. What stands before that one the client may have written.
pub(crate) fn client(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer.to_canonical();
    if !is_proxy(client) {
        return client;
    }
    // Several lines are one list, in their order.
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    for entry in lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')).take(HOPS) {
        // What is no address was not said by a proxy that we know how to read: the last one that was stands.
        let Some(said) = address(entry) else { return client };
        client = said.to_canonical();
        if !is_proxy(client) {
            return client;
        }
    }
    client
}

/// Whether the peer may be a proxy that nobody declared: then its address is not the client's, and nobody knows that one.
pub(crate) fn undeclared(headers: &HeaderMap, peer: IpAddr, behind_proxy: bool, trusted: &[IpNet]) -> bool {
    if trusted.iter().any(|network| network.contains(&peer.to_canonical())) {
        return false;
    }
    let says_so = ["x-forwarded-for", "forwarded", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    says_so || (behind_proxy && trusted.is_empty())
}

/// An address, alone or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|at| at.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        for other in ["x-real-ip", "forwarded", "x-client-ip", "x-forwarded-host"] {
            headers.append(HeaderName::from_static(other), "for=192.0.2.66".parse().unwrap());
        }
        let trusted = ["10.0.0.0/8", "2001:db8:f::/48"].map(|network| network.parse().unwrap());
        client(&headers, peer.parse().unwrap(), &trusted).to_string()
    }

    #[test]
    fn behind_a_proxy_that_nobody_declared_the_client_is_not_known() {
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
        let none = HeaderMap::new();
        fn seen(peer: &str, headers: &HeaderMap, behind: bool, trusted: &[IpNet]) -> bool {
            undeclared(headers, peer.parse().unwrap(), behind, trusted)
        }
        assert!(!seen("203.0.113.9", &none, false, &[]), "a client at the door");
        assert!(seen("203.0.113.9", &none, true, &[]), "everybody comes from the proxy");
        assert!(!seen("10.1.2.3", &none, true, &trusted) && !seen("::ffff:10.1.2.3", &none, true, &trusted));
        for name in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), "198.51.100.1".parse().unwrap());
            assert!(seen("127.0.0.1", &headers, false, &[]), "{name}");
            assert!(!seen("10.1.2.3", &headers, true, &trusted), "{name}");
        }
    }

    #[test]
    fn only_what_a_declared_proxy_wrote_is_believed() {
        for (peer, lines, wanted) in [
            // A stranger that says what it likes.
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("203.0.113.9", &["10.0.0.1"], "203.0.113.9"),
            // The proxy.
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("2001:db8:f::1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            // What the client wrote stands before what the proxy wrote, in one line or in two.
            ("10.0.0.1", &["192.0.2.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.1", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["10.0.0.9, 198.51.100.1"], "198.51.100.1"),
            // Two proxies.
            ("10.0.0.1", &["192.0.2.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.1, 198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            // What is none.
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1,"], "10.0.0.1"),
            ("10.0.0.1", &["unknown, 10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(seen(peer, lines), wanted, "{peer} {lines:?}");
        }
        let endless = vec!["10.0.0.2"; 10_000].join(",");
        assert_eq!(seen("10.0.0.1", &[&endless]), "10.0.0.2");
    }

    #[test]
    fn without_a_declared_proxy_nothing_is_read() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, "198.51.100.1".parse().unwrap());
        assert_eq!(client(&headers, "127.0.0.1".parse().unwrap(), &[]).to_string(), "127.0.0.1");
    }
}
