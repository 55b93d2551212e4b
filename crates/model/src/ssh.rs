//! How a target is reached over SSH. The private key is kept beside its row and is in nothing that is printed, hashed,
//! answered or logged.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::Target;

/// The longest private key, in bytes.
pub const MAX_KEY: usize = 16 * 1024;
const MAX_NAME: usize = 253;
/// Key types that a host may be known by.
const HOST_KEYS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// How a host is reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ssh {
    /// An IP address or a host name.
    pub address: String,
    pub port: u16,
    pub user: String,
    /// The host's public key, `ssh-ed25519 AAAA…`: no other is accepted.
    pub host_key: String,
    /// Of the private key's public half, as `ssh-keygen -l` shows it.
    pub key_fingerprint: String,
    /// Never in an answer, the ledger, a hash or a log.
    #[serde(skip)]
    #[schema(ignore)]
    pub private_key: PrivateKey,
}

/// A target with its private key, for what is sealed and for nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyed(pub Target);

#[derive(Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    target: &'a Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh_private_key: Option<&'a str>,
}

#[derive(Deserialize)]
struct Opened {
    #[serde(flatten)]
    target: Target,
    #[serde(default)]
    ssh_private_key: Option<String>,
}

impl Serialize for Keyed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = self.0.ssh.as_ref().map(|ssh| ssh.private_key.expose()).filter(|key| !key.is_empty());
        Kept { target: &self.0, ssh_private_key: key }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Keyed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut opened = Opened::deserialize(deserializer)?;
        if let (Some(ssh), Some(key)) = (&mut opened.target.ssh, opened.ssh_private_key) {
            ssh.private_key = PrivateKey(key);
        }
        Ok(Self(opened.target))
    }
}

/// `#[serde(with = …)]` for a target in something that is sealed.
pub mod keyed {
    use super::{Deserialize, Deserializer, Keyed, Serialize, Serializer, Target};

    pub fn serialize<S: Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
        Keyed(target.clone()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        Keyed::deserialize(deserializer).map(|keyed| keyed.0)
    }
}

/// A private key in memory. It has no text form.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PrivateKey(String);

impl PrivateKey {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// For the store that seals it and the program that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    cut.escape_debug().to_string()
}

impl Ssh {
    /// What is wrong with the settings, and how to write them right.
    pub fn check(&self) -> Result<(), String> {
        check_address(&self.address)?;
        if self.port == 0 {
            return Err("ssh.port: want 1 to 65535".to_owned());
        }
        let first = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let rest = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-');
        if self.user.len() > 32 || !self.user.starts_with(first) || !self.user.chars().all(rest) {
            return Err(format!(
                "ssh.user: `{}` is not a user name: want lower-case letters, digits, `_` and `-`",
                shown(&self.user)
            ));
        }
        if host_key(&self.host_key)? != self.host_key {
            return Err("ssh.host_key: want the type and the key alone".to_owned());
        }
        Ok(())
    }
}

fn check_address(text: &str) -> Result<(), String> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    if text.len() <= MAX_NAME && text.split('.').all(part) {
        return Ok(());
    }
    let why = "is neither an IP address nor a host name in ASCII (write an international name in its xn-- form)";
    Err(format!("ssh.address: `{}` {why}", shown(text)))
}

/// The type and the key in a line of `known_hosts` or of a host's public key file.
pub fn host_key(line: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("ssh.known_hosts: `{}` {why}", shown(line)));
    if line.trim().lines().count() != 1 {
        return wrong("is not one line: give the line of one key, as `ssh-keyscan -t ed25519 HOST` prints it");
    }
    if line.trim_start().starts_with('@') {
        return wrong("marks an authority or a revoked key: give the host's own key");
    }
    let mut words = line.split_ascii_whitespace().skip_while(|word| !HOST_KEYS.contains(word));
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return wrong("has no key of a type that is accepted (ssh-ed25519, ecdsa-sha2-…, ssh-rsa)");
    };
    let base64 = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=');
    if !(40..=2048).contains(&key.len()) || !key.starts_with("AAAA") || !key.chars().all(base64) {
        return wrong("has a key that is none");
    }
    Ok(format!("{kind} {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqrstuvwxyz0123456789ABCDEF";

    fn settings(address: &str) -> Ssh {
        Ssh {
            address: address.to_owned(),
            port: 22,
            user: "ops".to_owned(),
            host_key: KEY.to_owned(),
            key_fingerprint: "SHA256:x".to_owned(),
            private_key: PrivateKey::new("a secret".to_owned()),
        }
    }

    #[test]
    fn a_private_key_is_in_nothing_that_is_printed() {
        let ssh = settings("192.0.2.9");
        assert!(!serde_json::to_string(&ssh).unwrap().contains("secret"));
        assert!(!format!("{ssh:?}").contains("a secret"));
    }

    #[test]
    fn settings_that_could_be_options_or_shell_are_refused() {
        for good in ["192.0.2.9", "2001:db8::9", "web-1.example", "xn--bcher-kva.example"] {
            settings(good).check().unwrap();
        }
        for bad in
            ["", "-oProxyCommand=x", "a b", "bücher.example", "a..b", "$(id)", "a;b", "host\n", "x@y", "fe80::1%eth0"]
        {
            assert!(settings(bad).check().is_err(), "{bad:?}");
        }
        for user in ["", "-l", "Root", "a b", "root;id", "ü"] {
            assert!(Ssh { user: user.to_owned(), ..settings("192.0.2.9") }.check().is_err(), "{user:?}");
        }
        assert!(Ssh { port: 0, ..settings("192.0.2.9") }.check().is_err());
    }

    #[test]
    fn a_host_key_is_read_from_the_lines_that_people_have() {
        for line in [KEY.to_owned(), format!("web1,192.0.2.9 {KEY} a comment"), format!("|1|abc=|def= {KEY}\n")] {
            assert_eq!(host_key(&line).unwrap(), KEY, "{line}");
        }
        let two = format!("a {KEY}\nb {KEY}");
        for bad in ["", "ssh-dss AAAA", "ssh-ed25519", "ssh-ed25519 not!base64", &format!("@revoked * {KEY}"), &two] {
            assert!(host_key(bad).is_err(), "{bad}");
        }
    }
}
