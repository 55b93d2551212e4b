//! Where a request may go whose address a tenant chose. The name is resolved once, every address it has must be allowed, and
//! the connection goes to the address that was looked at: what the name says a moment later changes nothing.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use rustls::ClientConfig;
use tokio::net::lookup_host;
use url::{Host, Url};

use crate::{Failure, networks::is_public, tls};

/// Bytes of an address.
const URL_BYTES: usize = 2_048;
const RESOLVE: Duration = Duration::from_secs(5);
/// Addresses of one name that are looked at.
const ADDRESSES: usize = 16;

/// An address that nothing is sent to, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The guard, as the operator set it.
#[derive(Clone)]
pub struct Egress {
    allow: Vec<IpNet>,
    pub(crate) tls: Arc<ClientConfig>,
}

/// An address that may be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    url: Url,
    host: Host<String>,
    port: u16,
}

impl Destination {
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The host, as lists show it: a path may hold a secret.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// As the `Host` field wants it.
    pub(crate) fn authority(&self) -> String {
        self.url.port().map_or_else(|| self.host(), |port| format!("{}:{port}", self.host))
    }

    pub(crate) fn path(&self) -> String {
        self.url.query().map_or_else(|| self.url.path().to_owned(), |query| format!("{}?{query}", self.url.path()))
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl Egress {
    /// `allow` are networks beside the public internet; `roots` are certificates in PEM beside the public ones.
    ///
    /// # Errors
    /// What is wrong with the certificates.
    pub fn new(allow: Vec<IpNet>, roots: &[u8]) -> Result<Self, String> {
        Ok(Self { allow, tls: tls::client(roots)? })
    }

    /// What can be said of an address without asking anybody.
    pub fn check(&self, text: &str) -> Result<Destination, Refused> {
        if text.len() > URL_BYTES {
            return Err(Refused(format!("the address has {} bytes; at most {URL_BYTES} are taken", text.len())));
        }
        let url = Url::parse(text).map_err(|error| Refused(format!("not an address of the web: {error}")))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refused(format!("`{}:` is not taken: write https://", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused("the address holds a user or password: requests are signed instead".to_owned()));
        }
        if url.fragment().is_some() {
            return Err(Refused("the address has a part after `#`, which is never sent".to_owned()));
        }
        let host = url.host().ok_or_else(|| Refused("the address names no host".to_owned()))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| Refused("the address names no port".to_owned()))?;
        let destination = Destination { url, host, port };
        match &destination.host {
            Host::Ipv4(v4) => self.permits(&destination, (*v4).into())?,
            Host::Ipv6(v6) => self.permits(&destination, (*v6).into())?,
            // Whether a name leads to an address that plain http may go to is known once it is resolved.
            Host::Domain(_) if !destination.is_tls() && self.allow.is_empty() => return Err(plain()),
            Host::Domain(_) => {}
        }
        Ok(destination)
    }

    fn permits(&self, destination: &Destination, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Refused(format!(
                "{address} is not on the public internet; an operator can let it through by `egress.allow`"
            )));
        }
        if destination.is_tls() { Ok(()) } else { Err(plain()) }
    }

    /// The address to connect to. Every address of the name must be allowed: a name that has an inner one as well is a trap.
    pub(crate) async fn resolve(&self, destination: &Destination) -> Result<SocketAddr, Failure> {
        let found: Vec<IpAddr> = match &destination.host {
            Host::Ipv4(v4) => vec![(*v4).into()],
            Host::Ipv6(v6) => vec![(*v6).into()],
            Host::Domain(name) => {
                let asked = tokio::time::timeout(RESOLVE, lookup_host((name.as_str(), destination.port))).await;
                let answer = asked.map_err(|_late| Failure::later(format!("{name}: no answer from the resolver")))?;
                let answer = answer.map_err(|error| Failure::later(format!("{name} cannot be resolved: {error}")))?;
                answer.take(ADDRESSES).map(|socket| socket.ip()).collect()
            }
        };
        for address in &found {
            self.permits(destination, *address).map_err(Failure::never)?;
        }
        let first = found.first().ok_or_else(|| Failure::later(format!("{} has no address", destination.host)))?;
        Ok(SocketAddr::new(*first, destination.port))
    }
}

fn plain() -> Refused {
    Refused("plain http is taken only for addresses in `egress.allow`: write https://".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Egress {
        Egress::new(allow.iter().map(|net| net.parse().unwrap()).collect(), &[]).unwrap()
    }

    #[test]
    fn an_inner_address_is_refused_however_it_is_spelt() {
        let guard = guard(&[]);
        for trick in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://017700000001/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://0/",
            "https://169.254.169.254/latest/meta-data",
            "https://[fd00:ec2::254]/",
            "https://10.0.0.1:8443/",
            "https://192.168.1.1/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://１２７.0.0.1/",
        ] {
            let refused = guard.check(trick).unwrap_err();
            assert!(refused.0.contains("not on the public internet"), "{trick}: {refused}");
        }
    }

    #[test]
    fn what_is_no_https_address_is_refused_with_what_to_write() {
        let guard = guard(&[]);
        for (text, says) in [
            ("http://hooks.example.org/", "write https://"),
            ("http://1.1.1.1/", "write https://"),
            ("ftp://hooks.example.org/", "write https://"),
            ("file:///etc/passwd", "write https://"),
            ("https://ann:pw@hooks.example.org/", "user or password"),
            ("https://hooks.example.org/#x", "after `#`"),
            ("hooks.example.org", "not an address"),
            ("https://", "not an address"),
        ] {
            let refused = guard.check(text).unwrap_err();
            assert!(refused.0.contains(says), "{text}: {refused}");
        }
        assert!(guard.check(&format!("https://a.example/{}", "x".repeat(3_000))).is_err());
        let taken = guard.check("https://hooks.example.org:8443/a/b?c=d").unwrap();
        assert_eq!((taken.authority(), taken.path()), ("hooks.example.org:8443".to_owned(), "/a/b?c=d".to_owned()));
    }

    #[test]
    fn an_operator_opens_networks_one_by_one() {
        let guard = guard(&["127.0.0.1/32"]);
        assert!(guard.check("http://127.0.0.1:9/x").is_ok() && guard.check("https://[::ffff:127.0.0.1]/").is_ok());
        assert!(guard.check("http://127.0.0.2:9/x").is_err() && guard.check("http://[::1]/x").is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_when_it_is_resolved() {
        let guard = guard(&["192.0.2.0/24"]);
        let name = guard.check("https://localhost/").unwrap();
        let refused = guard.resolve(&name).await.unwrap_err();
        assert!(matches!(&refused, Failure::Never { why } if why.contains("not on the public internet")), "{refused}");
    }
}
