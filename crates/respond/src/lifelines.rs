//! What the server itself lives by: its database and its mail server, by name and by the addresses that these have now. No
//! action may cut them off, on any target: the outcome could not be written, and nobody could sign in to undo it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use shieldops_policy::{ProtectedEntry, ProtectedKind};
use tokio::time::Instant;

/// How long a name's addresses are taken for what they were.
const REMEMBERED: Duration = Duration::from_mins(1);
/// The same where one of them was never found: until then nothing is cut off anywhere.
const ASKED_AGAIN: Duration = Duration::from_secs(5);
/// How long the resolver may take; then the last answer stands.
const RESOLVED_WITHIN: Duration = Duration::from_secs(2);
/// Nothing is sent to it.
const ANY_PORT: u16 = 9;
/// The most addresses of one name.
const MAX_ADDRESSES: usize = 64;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifeline {
    /// A name or an address.
    pub host: String,
    /// For the reason: `the database of this server`.
    pub what: &'static str,
}

/// What may not be cut off now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// What the server goes out to.
    pub server: Vec<ProtectedEntry>,
    /// Where people come from, and through which proxies.
    pub people: Vec<ProtectedEntry>,
    /// Where other tenants' people work: they are cut off by what is done to the host of this server alone, and nobody is
    /// told whose they are.
    pub others: Vec<IpAddr>,
    /// Names of what the server goes out to whose addresses nobody could say since it started.
    pub unknown: Vec<String>,
    /// The TCP port of the server's own host by which people come in; `None` where nobody from elsewhere can be known to.
    pub door: Option<u16>,
}

#[derive(Debug, Default)]
struct Known {
    at: Option<Instant>,
    addresses: HashMap<String, Vec<IpAddr>>,
}

/// The hosts that the server lives by. Their names are looked up now and then.
#[derive(Debug, Default)]
pub struct Lifelines {
    hosts: Vec<Lifeline>,
    /// Everybody comes from these.
    proxies: Vec<IpNet>,
    door: Option<u16>,
    known: Mutex<Known>,
    /// Whoever holds it asks the resolver; the others go by what is known.
    asking: tokio::sync::Mutex<()>,
}

impl Lifelines {
    pub fn new(hosts: Vec<Lifeline>) -> Self {
        Self { hosts, ..Self::default() }
    }

    /// With the reverse proxies behind which the server stands: who comes from where is known by their word, but the packets
    /// are theirs.
    #[must_use]
    pub fn through(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies, ..self }
    }

    /// With the TCP port of this machine by which people come in.
    #[must_use]
    pub fn by(self, door: Option<u16>) -> Self {
        Self { door, ..self }
    }

    /// As protected entries; of people it knows their proxies alone.
    pub async fn entries(&self) -> Needed {
        if self.is_stale() {
            let first = self.known().at.is_none();
            let turn = if first { Some(self.asking.lock().await) } else { self.asking.try_lock().ok() };
            if turn.is_some() && self.is_stale() {
                self.ask().await;
            }
        }
        let known = self.known();
        let server = self.hosts.iter().flat_map(|line| line.entries(&known.addresses)).collect();
        let proxies = self.proxies.iter().map(|net| ProtectedEntry {
            kind: ProtectedKind::Range,
            value: net.to_string(),
            why: "people come to this server through the reverse proxy there".to_owned(),
        });
        Needed { server, people: proxies.collect(), others: Vec::new(), unknown: self.unknown(&known), door: self.door }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> impl Iterator<Item = &Lifeline> {
        self.hosts.iter().filter(|line| line.address().is_none())
    }

    fn unknown(&self, known: &Known) -> Vec<String> {
        let unknown = self.names().filter(|line| !known.addresses.contains_key(&line.host));
        unknown.map(|line| format!("{} ({})", line.host, line.what)).collect()
    }

    fn is_stale(&self) -> bool {
        let known = self.known();
        let lasts = if self.unknown(&known).is_empty() { REMEMBERED } else { ASKED_AGAIN };
        known.at.is_none_or(|at| at.elapsed() >= lasts)
    }

    async fn ask(&self) {
        for line in self.names() {
            match resolve(&line.host).await {
                Ok(found) => drop(self.known().addresses.insert(line.host.clone(), found)),
                Err(error) => tracing::warn!(host = line.host, error, "{} could not be looked up", line.what),
            }
        }
        self.known().at = Some(Instant::now());
    }
}

impl Lifeline {
    fn address(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    fn entries(&self, known: &HashMap<String, Vec<IpAddr>>) -> Vec<ProtectedEntry> {
        let entry = |kind, value: String| ProtectedEntry { kind, value, why: self.what.to_owned() };
        let of = |address: IpAddr| entry(ProtectedKind::Address, address.to_canonical().to_string());
        if let Some(address) = self.address() {
            return vec![of(address)];
        }
        let name = self.host.trim_end_matches('.').to_ascii_lowercase();
        let addresses = known.get(&self.host).into_iter().flatten();
        std::iter::once(entry(ProtectedKind::Domain, name)).chain(addresses.copied().map(of)).collect()
    }
}

/// Whether a name or an address leads back to this machine; one that cannot be looked up may.
pub(crate) async fn leads_here(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(address) => is_here(address),
        Err(_) => resolve(host).await.map_or(true, |found| found.into_iter().any(is_here)),
    }
}

/// To an address of its own this machine goes from that same address. No packet is sent to find out.
fn is_here(address: IpAddr) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return true;
    }
    let any = if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, ANY_PORT))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

async fn resolve(host: &str) -> Result<Vec<IpAddr>, String> {
    let asked = tokio::time::timeout(RESOLVED_WITHIN, tokio::net::lookup_host((host.trim_end_matches('.'), 0))).await;
    let found =
        asked.map_err(|_elapsed| "the resolver takes too long".to_owned())?.map_err(|error| error.to_string())?;
    let found: Vec<IpAddr> = found.take(MAX_ADDRESSES).map(|socket| socket.ip()).collect();
    if found.is_empty() { Err("it has no address".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_protected_with_its_addresses_and_an_address_as_it_is() {
        let line = |host: &str| Lifeline { host: host.to_owned(), what: "the database of this server" };
        let all = Lifelines::new(vec![line("LocalHost"), line("::ffff:203.0.113.7"), line("[2001:db8::1]")]);
        let Needed { server: entries, unknown, .. } = all.entries().await;
        let has = |kind, value: &str| entries.iter().any(|entry| entry.kind == kind && entry.value == value);
        assert!(has(ProtectedKind::Domain, "localhost"), "{entries:?}");
        assert!(has(ProtectedKind::Address, "127.0.0.1") || has(ProtectedKind::Address, "::1"), "{entries:?}");
        assert!(
            has(ProtectedKind::Address, "203.0.113.7") && has(ProtectedKind::Address, "2001:db8::1"),
            "{entries:?}"
        );
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[tokio::test]
    async fn people_come_through_the_proxies_that_were_declared() {
        let proxies = vec!["192.0.2.4/32".parse().unwrap()];
        let needed = Lifelines::new(Vec::new()).through(proxies).by(Some(8443)).entries().await;
        assert_eq!(needed.door, Some(8443));
        assert_eq!((needed.people[0].kind, needed.people[0].value.as_str()), (ProtectedKind::Range, "192.0.2.4/32"));
    }

    #[tokio::test]
    async fn what_leads_back_to_this_machine_is_told_by_its_address() {
        for here in ["127.0.0.1", "127.9.9.9", "[::1]", "::ffff:127.0.0.1", "0.0.0.0", "localhost", "nobody.invalid"] {
            assert!(leads_here(here).await, "{here}");
        }
        for elsewhere in ["192.0.2.7", "2001:db8::7"] {
            assert!(!leads_here(elsewhere).await, "{elsewhere}");
        }
        // An address of an interface, where there is one.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.7:9").is_ok() {
            let own = socket.local_addr().unwrap().ip();
            assert!(leads_here(&own.to_string()).await, "{own}");
        }
    }

    #[tokio::test]
    async fn a_name_that_was_never_found_is_told_as_unknown() {
        let line = Lifeline { host: "nobody.invalid".to_owned(), what: "the database of this server" };
        let needed = Lifelines::new(vec![line]).entries().await;
        assert_eq!(needed.unknown, ["nobody.invalid (the database of this server)"]);
        assert_eq!(needed.server[0].kind, ProtectedKind::Domain);
    }
}
