//! Addresses and networks as rows of bits.

use std::net::{IpAddr, SocketAddr};

/// The bits that every address of it begins with.
#[derive(Debug, Clone)]
pub(crate) struct Network(Vec<bool>, bool);

fn bits(address: IpAddr) -> (Vec<bool>, bool) {
    let bytes = match address.to_canonical() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let is_v4 = bytes.len() == 4;
    (bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1)).collect(), is_v4)
}

/// `address/length`, or an address alone.
pub(crate) fn network(text: &str) -> Option<Network> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<usize>().ok()?)),
        None => (text.trim(), None),
    };
    let address: IpAddr = address.parse().ok()?;
    let (mut bits, is_v4) = bits(address);
    if let Some(mut length) = length {
        if is_v4 && address.is_ipv6() {
            length = length.checked_sub(96)?;
        }
        if length > bits.len() {
            return None;
        }
        bits.truncate(length);
    }
    Some(Network(bits, is_v4))
}

impl Network {
    /// Whether the address that the text names, with or without zone and port, begins with the bits.
    pub(crate) fn holds(&self, text: &str) -> bool {
        address(text).is_some_and(|address| {
            let (bits, is_v4) = bits(address);
            is_v4 == self.1 && bits.starts_with(&self.0)
        })
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.split('%').next().unwrap_or_default();
    if let Ok(address) = bare.parse() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[test]
fn addresses_stand_in_their_networks() {
    for (net, text, holds) in [
        ("10.0.0.0/8", "10.1.2.3:80", true),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("0.0.0.0/0", "::1", false),
        ("fe80::/10", "fe80::1%eth0", true),
        ("192.0.2.7", "192.0.2.8", false),
    ] {
        assert_eq!(network(net).unwrap().holds(text), holds, "{text} in {net}");
    }
}
