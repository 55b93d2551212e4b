//! The addresses that a target must not lose, as `ip -j` and resolv.conf tell them. Pure.

use std::net::IpAddr;

use serde::Deserialize;

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
}

#[derive(Deserialize)]
struct Route {
    gateway: Option<IpAddr>,
    via: Option<Via>,
    #[serde(default)]
    nexthops: Vec<Hop>,
}

#[derive(Deserialize)]
struct Hop {
    gateway: Option<IpAddr>,
    via: Option<Via>,
}

#[derive(Deserialize)]
struct Via {
    host: Option<IpAddr>,
}

/// `ip -j addr`.
pub(super) fn own_addresses(json: &[u8]) -> Result<Vec<IpAddr>, serde_json::Error> {
    let links: Vec<Link> = serde_json::from_slice(json)?;
    Ok(tidy(links.into_iter().flat_map(|link| link.addr_info).filter_map(|address| address.local)))
}

/// `ip -j route` and `ip -j -6 route`.
pub(super) fn gateways(json: &[u8]) -> Result<Vec<IpAddr>, serde_json::Error> {
    let routes: Vec<Route> = serde_json::from_slice(json)?;
    let all = routes.into_iter().flat_map(|route| {
        let first = [route.gateway, route.via.and_then(|via| via.host)];
        let hops = route.nexthops.into_iter().flat_map(|hop| [hop.gateway, hop.via.and_then(|via| via.host)]);
        first.into_iter().chain(hops).flatten().collect::<Vec<_>>()
    });
    Ok(tidy(all))
}

/// `nameserver` lines; a scope (`fe80::1%eth0`) is cut off.
pub(super) fn dns_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let named = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let value = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        value.split('%').next()?.parse().ok()
    });
    tidy(named)
}

pub(super) fn tidy(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = addresses.into_iter().map(|address| address.to_canonical()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn addresses_of_every_link_are_own() {
        let json = br#"[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},{"ifname":"x"},
            {"ifname":"victim","addr_info":[{"family":"inet","local":"203.0.113.10","address":"203.0.113.66","prefixlen":32},{"local":"2001:db8::10"}]}]"#;
        assert_eq!(own_addresses(json).unwrap(), ips(&["127.0.0.1", "203.0.113.10", "2001:db8::10"]));
        assert!(own_addresses(b"").is_err());
    }

    #[test]
    fn every_next_hop_is_a_gateway() {
        let json = br#"[{"dst":"default","gateway":"198.51.100.1","dev":"e"},{"dst":"10.0.0.0/8","dev":"e"},
            {"dst":"10.1.0.0/16","nexthops":[{"gateway":"198.51.100.2"},{"via":{"family":"inet6","host":"fe80::1"}}]}]"#;
        assert_eq!(gateways(json).unwrap(), ips(&["198.51.100.1", "198.51.100.2", "fe80::1"]));
    }

    #[test]
    fn name_servers_come_from_resolv_conf() {
        let text = "# nameserver 1.1.1.1\nsearch example.org\nnameserver 198.51.100.53\nnameserver fe80::1%eth0\nnameserver rubbish\n";
        assert_eq!(dns_servers(text), ips(&["198.51.100.53", "fe80::1"]));
    }
}
