//! What the server itself lives by: its database and its mail server, by name and by the addresses that these have now. No
//! action may cut them off, on any target: the outcome could not be written, and nobody could sign in to undo it.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use shieldops_policy::{ProtectedEntry, ProtectedKind};
use tokio::{sync::Mutex, time::Instant};

/// How long a name's addresses are taken for what they were.
const REMEMBERED: Duration = Duration::from_mins(1);
/// How long the resolver may take; then the last answer stands.
const RESOLVED_WITHIN: Duration = Duration::from_secs(2);
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

#[derive(Debug, Default)]
struct Known {
    at: Option<Instant>,
    addresses: HashMap<String, Vec<IpAddr>>,
}

/// The hosts that the server lives by. Their names are looked up now and then.
#[derive(Debug, Default)]
pub struct Lifelines {
    hosts: Vec<Lifeline>,
    known: Mutex<Known>,
}

impl Lifelines {
    pub fn new(hosts: Vec<Lifeline>) -> Self {
        Self { hosts, known: Mutex::default() }
    }

    /// As protected entries.
    pub async fn entries(&self) -> Vec<ProtectedEntry> {
        let mut known = self.known.lock().await;
        if known.at.is_none_or(|at| at.elapsed() >= REMEMBERED) {
            for line in self.hosts.iter().filter(|line| line.address().is_none()) {
                match resolve(&line.host).await {
                    Ok(found) => drop(known.addresses.insert(line.host.clone(), found)),
                    Err(error) => {
                        tracing::warn!(host = line.host, error, "{} could not be looked up", line.what);
                    }
                }
            }
            known.at = Some(Instant::now());
        }
        self.hosts.iter().flat_map(|line| line.entries(&known.addresses)).collect()
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

async fn resolve(host: &str) -> Result<Vec<IpAddr>, String> {
    let asked = tokio::time::timeout(RESOLVED_WITHIN, tokio::net::lookup_host((host.trim_end_matches('.'), 0))).await;
    let found =
        asked.map_err(|_elapsed| "the resolver takes too long".to_owned())?.map_err(|error| error.to_string())?;
    Ok(found.take(MAX_ADDRESSES).map(|socket| socket.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_protected_with_its_addresses_and_an_address_as_it_is() {
        let line = |host: &str| Lifeline { host: host.to_owned(), what: "the database of this server" };
        let all = Lifelines::new(vec![line("LocalHost"), line("::ffff:203.0.113.7"), line("[2001:db8::1]")]);
        let entries = all.entries().await;
        let has = |kind, value: &str| entries.iter().any(|entry| entry.kind == kind && entry.value == value);
        assert!(has(ProtectedKind::Domain, "localhost"), "{entries:?}");
        assert!(has(ProtectedKind::Address, "127.0.0.1") || has(ProtectedKind::Address, "::1"), "{entries:?}");
        assert!(
            has(ProtectedKind::Address, "203.0.113.7") && has(ProtectedKind::Address, "2001:db8::1"),
            "{entries:?}"
        );
    }
}
