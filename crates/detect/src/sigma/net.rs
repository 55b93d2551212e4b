//! Networks and the addresses in events.
//!
//! An address mapped into IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. A zone (`%eth0`), a port (`10.0.0.1:80`,
//! `[::1]:80`) and blanks around the address are ignored.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// A rule's network; an address alone is a network of one. Bits behind the prefix must be zero unless `strict` is off.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let net = match text.parse::<IpNet>() {
        Ok(net) => net.trunc(),
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    Some(unmapped(net))
}

/// Whether the text names a network by an address in its middle.
pub(crate) fn has_host_bits(text: &str) -> bool {
    text.trim().parse::<IpNet>().is_ok_and(|net| net.trunc() != net)
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let Some(v4) = v6.addr().to_ipv4_mapped() else { return net };
    let Some(prefix) = v6.prefix_len().checked_sub(96) else { return net };
    ipnet::Ipv4Net::new(v4, prefix).map_or(net, IpNet::V4)
}

/// The address that a value names.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let without_zone = text.split_once('%').map_or(text, |(address, _)| address);
    let address = without_zone
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>())
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_their_networks_however_they_are_written() {
        let table = [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", " 10.1.2.3 ", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "10.0.0.1:80", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "-", false),
            ("10.0.0.0/8", "", false),
            ("10.0.0.0/8", "010.0.0.1", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::1/128", "::1", true),
            ("::1/128", "[::1]:443", true),
            ("fe80::/10", "fe80::1%eth0", true),
            ("fe80::/10", "fec0::1", false),
            ("::ffff:10.0.0.0/104", "10.2.3.4", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
        ];
        for (net, value, expected) in table {
            let net = parse_network(net).unwrap();
            let found = parse_address(value).is_some_and(|address| net.contains(&address));
            assert_eq!(found, expected, "{value} in {net}");
        }
        assert!(has_host_bits("10.1.2.3/8") && !has_host_bits("10.0.0.0/8"));
        assert_eq!(parse_network("10.0.0.0/33"), None);
    }
}
