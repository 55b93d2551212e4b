//! Which addresses are on the internet, and which belong to a site, a link or the machine itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads an address as its canonical form: an IPv4 address mapped into IPv6 is the IPv4 address.
pub fn parse(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether the text is an address that can be reached over the internet. The documentation ranges (RFC 5737, RFC 3849)
/// count as public: they play the internet in laboratories and demonstrations.
pub fn is_public(text: &str) -> bool {
    match parse(text) {
        Some(IpAddr::V4(address)) => is_public_v4(address),
        Some(IpAddr::V6(address)) => is_public_v6(address),
        None => false,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let reserved = first == 0 || first >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || shared
        || reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_sites_links_and_the_machine_itself_are_not_public() {
        for text in [
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.0.9",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "web-01",
            "",
        ] {
            assert!(!is_public(text), "{text}");
        }
    }

    #[test]
    fn internet_and_documentation_addresses_are_public() {
        for text in ["8.8.8.8", "203.0.113.66", "198.51.100.1", "2001:db8::1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(text), "{text}");
        }
    }
}
