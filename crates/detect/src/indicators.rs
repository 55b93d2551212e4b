//! Indicators of compromise: addresses, networks, domains, hashes and URLs from plain text lists, with where they come
//! from.

mod line;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde::Serialize;
use shieldops_model::{Entity, EntityKind};

use line::{Indicator, canonical_url, host_of, parse, without_comment};

use crate::{
    diagnostic::{Diagnostic, Place, Report},
    sigma::net,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorKind {
    Ip,
    Cidr,
    /// The domain itself and everything below it.
    Domain,
    Hash,
    Url,
}

/// An entity that a list names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndicatorHit {
    pub entity: Entity,
    pub kind: IndicatorKind,
    /// As the list has it, in canonical form.
    pub indicator: String,
    pub list: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// Indicators of all lists together; a lookup finds every list that names the entity.
pub const MAX_INDICATORS: usize = 5_000_000;

/// Where an indicator stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    list: u32,
    line: u32,
}

#[derive(Debug, Default)]
pub struct Indicators {
    lists: Vec<Arc<str>>,
    /// Networks by prefix length and first address, one table a length that occurs.
    networks: HashMap<IpNet, Vec<Origin>>,
    /// Prefix lengths that occur: IPv4, IPv6.
    prefixes: [Vec<u8>; 2],
    domains: HashMap<Box<str>, Vec<Origin>>,
    hashes: HashMap<Box<str>, Vec<Origin>>,
    urls: HashMap<Box<str>, Vec<Origin>>,
    count: usize,
}

impl Indicators {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a list: one indicator a line; `#` begins a comment at the start of a line or behind a blank. A line that
    /// is none is reported and left out.
    pub fn add_list(&mut self, name: &str, text: &str) -> Vec<Diagnostic> {
        let mut report = Report::new(name);
        let list = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        self.lists.push(name.into());
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let number = index.saturating_add(1);
            let place = Place { line: number, column: 1 };
            let word = without_comment(line).trim();
            if word.is_empty() {
                continue;
            }
            if self.count >= MAX_INDICATORS {
                let message = format!("there are more than {MAX_INDICATORS} indicators; the rest is left out");
                report.error(place, "too-many-indicators", message, "Remove lists that are not needed.");
                break;
            }
            match parse(word) {
                Some(indicator) => {
                    let line = u32::try_from(number).unwrap_or(u32::MAX);
                    self.insert(indicator, Origin { list, line });
                }
                None => report.error(
                    place,
                    "invalid-indicator",
                    format!("`{}` is no indicator", word.chars().take(80).collect::<String>()),
                    "Lines are an address, a network, a domain, an MD5, SHA-1 or SHA-256, or an http(s) URL.",
                ),
            }
        }
        report.into_found()
    }

    /// What the lists know of these entities, in the order of the entities.
    pub fn lookup(&self, entities: &[Entity]) -> Vec<IndicatorHit> {
        let mut hits = Vec::new();
        for entity in entities {
            match entity.kind {
                EntityKind::Ip => self.lookup_address(entity, &mut hits),
                EntityKind::Domain | EntityKind::Host => self.lookup_domain(entity, &entity.value, &mut hits),
                EntityKind::Hash => {
                    let key = entity.value.to_ascii_lowercase();
                    self.lookup_in(&self.hashes, &key, IndicatorKind::Hash, entity, &mut hits);
                }
                EntityKind::Url => self.lookup_url(entity, &mut hits),
                EntityKind::User | EntityKind::Process | EntityKind::File => {}
            }
        }
        hits
    }

    fn insert(&mut self, indicator: Indicator, origin: Origin) {
        self.count = self.count.saturating_add(1);
        match indicator {
            Indicator::Network(net) => {
                let [v4, v6] = &mut self.prefixes;
                let prefixes = if net.addr().is_ipv4() { v4 } else { v6 };
                if !prefixes.contains(&net.prefix_len()) {
                    prefixes.push(net.prefix_len());
                    prefixes.sort_unstable();
                }
                self.networks.entry(net).or_default().push(origin);
            }
            Indicator::Domain(text) => self.domains.entry(text.into()).or_default().push(origin),
            Indicator::Hash(text) => self.hashes.entry(text.into()).or_default().push(origin),
            Indicator::Url(text) => self.urls.entry(text.into()).or_default().push(origin),
        }
    }

    fn lookup_address(&self, entity: &Entity, hits: &mut Vec<IndicatorHit>) {
        let Some(address) = net::parse_address(&entity.value) else { return };
        let [v4, v6] = &self.prefixes;
        for prefix in if address.is_ipv4() { v4 } else { v6 } {
            let Ok(net) = IpNet::new(address, *prefix) else { continue };
            let net = net.trunc();
            let Some(origins) = self.networks.get(&net) else { continue };
            let (kind, shown) = if net.prefix_len() == net.max_prefix_len() {
                (IndicatorKind::Ip, net.addr().to_string())
            } else {
                (IndicatorKind::Cidr, net.to_string())
            };
            self.push_hits(origins, entity, kind, &shown, hits);
        }
    }

    /// The domain and those above it, label by label.
    fn lookup_domain(&self, entity: &Entity, name: &str, hits: &mut Vec<IndicatorHit>) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut rest = name.as_str();
        loop {
            self.lookup_in(&self.domains, rest, IndicatorKind::Domain, entity, hits);
            let Some((_, above)) = rest.split_once('.') else { return };
            rest = above;
        }
    }

    /// The URL itself; else its host, so that a listed domain covers its pages.
    fn lookup_url(&self, entity: &Entity, hits: &mut Vec<IndicatorHit>) {
        let Some(url) = canonical_url(&entity.value) else { return };
        self.lookup_in(&self.urls, &url, IndicatorKind::Url, entity, hits);
        let Some(host) = host_of(&url) else { return };
        if host.parse::<IpAddr>().is_err() {
            self.lookup_domain(entity, host, hits);
        }
    }

    fn lookup_in(
        &self,
        table: &HashMap<Box<str>, Vec<Origin>>,
        key: &str,
        kind: IndicatorKind,
        entity: &Entity,
        hits: &mut Vec<IndicatorHit>,
    ) {
        if let Some(origins) = table.get(key) {
            self.push_hits(origins, entity, kind, key, hits);
        }
    }

    fn push_hits(
        &self,
        origins: &[Origin],
        entity: &Entity,
        kind: IndicatorKind,
        indicator: &str,
        hits: &mut Vec<IndicatorHit>,
    ) {
        for origin in origins {
            let list = usize::try_from(origin.list).ok().and_then(|list| self.lists.get(list));
            let Some(list) = list.map(Arc::clone) else { continue };
            let (entity, indicator) = (entity.clone(), indicator.to_owned());
            hits.push(IndicatorHit { entity, kind, indicator, list, line: origin.line });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Indicators {
        let mut indicators = Indicators::new();
        let problems = indicators.add_list(
            "bad.txt",
            "# comment\n203.0.113.7\n198.51.100.0/24 # a network\nEvil.Example\n\n\
             https://drop.example/p#x\nD41D8CD98F00B204E9800998ECF8427E\n2001:db8::/32\n",
        );
        assert_eq!(problems, []);
        indicators.add_list("other.txt", "203.0.113.7\n*.c2.evil.example\n");
        indicators
    }

    fn check(kind: EntityKind, value: &str) -> String {
        let hits = lists().lookup(&[Entity::new(kind, value)]);
        let shown: Vec<String> =
            hits.iter().map(|hit| format!("{}:{} {} {:?}", hit.list, hit.line, hit.indicator, hit.kind)).collect();
        shown.join(", ")
    }

    #[test]
    fn an_entity_is_found_with_every_list_and_line_that_names_it() {
        let table = [
            (EntityKind::Ip, "203.0.113.7", "bad.txt:2 203.0.113.7 Ip, other.txt:1 203.0.113.7 Ip"),
            (EntityKind::Ip, "203.0.113.70", ""),
            (EntityKind::Ip, "::ffff:198.51.100.9", "bad.txt:3 198.51.100.0/24 Cidr"),
            (EntityKind::Ip, "2001:db8::1", "bad.txt:8 2001:db8::/32 Cidr"),
            (EntityKind::Ip, "not an address", ""),
            (EntityKind::Domain, "evil.example", "bad.txt:4 evil.example Domain"),
            (EntityKind::Domain, "notevil.example", ""),
            (EntityKind::Domain, "example", ""),
            (
                EntityKind::Domain,
                "a.c2.EVIL.example.",
                "other.txt:2 c2.evil.example Domain, bad.txt:4 evil.example Domain",
            ),
            (EntityKind::Host, "www.evil.example", "bad.txt:4 evil.example Domain"),
            (EntityKind::Hash, "d41d8cd98f00b204e9800998ecf8427e", "bad.txt:7 d41d8cd98f00b204e9800998ecf8427e Hash"),
            (EntityKind::Url, "HTTPS://drop.example/p", "bad.txt:6 https://drop.example/p Url"),
            (EntityKind::Url, "https://drop.example/P", ""),
            (EntityKind::Url, "http://u@a.evil.example:8080/x", "bad.txt:4 evil.example Domain"),
            (EntityKind::User, "203.0.113.7", ""),
        ];
        for (kind, value, expected) in table {
            assert_eq!(check(kind, value), expected, "{value}");
        }
        assert_eq!(lists().len(), 8);
    }

    #[test]
    fn a_line_that_is_no_indicator_is_named_and_the_others_count() {
        let mut indicators = Indicators::new();
        let problems =
            indicators.add_list("x", "300.1.1.1\n10.0.0.1\njavascript://x\na..b\nlocalhost\nnot ok.example\n");
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 3, 4, 5, 6]);
        assert_eq!(
            problems.first().map(ToString::to_string).unwrap(),
            "x:1:1: error[invalid-indicator]: `300.1.1.1` is no indicator (Lines are an address, a network, a domain, an MD5, SHA-1 or SHA-256, or an http(s) URL.)"
        );
        assert_eq!(indicators.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_list_and_no_entity_makes_it_panic(list: String, value: String) {
            let mut indicators = Indicators::new();
            indicators.add_list("x", &list);
            indicators.add_list("y", &format!("http://{value}\n{value}"));
            for kind in EntityKind::ALL {
                indicators.lookup(&[Entity::new(kind, value.as_str())]);
            }
        }
    }
}
