//! The SSH settings of a target as a caller gives them. The private key comes in and never goes out.

use std::fmt;

use base64::{Engine as _, engine::general_purpose};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shieldops_model::{PrivateKey, Ssh, ssh};
use utoipa::ToSchema;

use crate::Problem;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const PORT: u16 = 22;

/// How a target is reached over SSH.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshSettings {
    /// An IP address or a host name.
    address: String,
    #[serde(default = "port")]
    port: u16,
    user: String,
    /// The host's key as a line of `known_hosts`, or its public key file: no other key is accepted.
    known_hosts: String,
    /// An OpenSSH private key without a passphrase. Sealed, and in no answer; left out in a change, it stays.
    private_key: Option<Given>,
}

const fn port() -> u16 {
    PORT
}

/// A private key on its way to the store.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
struct Given(String);

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl SshSettings {
    /// The settings of the row, with the key that it had where none is given.
    pub(super) fn read(&self, before: Option<&Ssh>) -> Result<Box<Ssh>, Problem> {
        let (key_fingerprint, private_key) = match (&self.private_key, before) {
            (Some(given), _) => (fingerprint(&given.0)?, PrivateKey::new(given.0.clone())),
            (None, Some(before)) => (before.key_fingerprint.clone(), before.private_key.clone()),
            (None, None) => return Err(Problem::invalid("ssh.private_key: missing")),
        };
        let host_key = ssh::host_key(&self.known_hosts).map_err(Problem::invalid)?;
        let (address, user) = (self.address.clone(), self.user.clone());
        let settings = Ssh { address, port: self.port, user, host_key, key_fingerprint, private_key };
        settings.check().map_err(Problem::invalid)?;
        Ok(Box::new(settings))
    }
}

/// SHA-256 of the public half, as `ssh-keygen -l` shows it. Nothing of the key is in an error.
fn fingerprint(text: &str) -> Result<String, Problem> {
    let wrong = |why: &str| {
        let fix = "make one with `ssh-keygen -t ed25519 -N '' -f shieldops-key`, and give the file without `.pub`";
        Problem::invalid(format!("ssh.private_key: {why}: {fix}"))
    };
    if text.len() > ssh::MAX_KEY {
        return Err(wrong("is longer than 16384 bytes"));
    }
    let body = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let body: String = body.ok_or_else(|| wrong("is no OpenSSH private key"))?.split_ascii_whitespace().collect();
    let bytes = general_purpose::STANDARD.decode(body).map_err(|_broken| wrong("is damaged"))?;
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("is no OpenSSH private key"))?;
    let mut rest = rest;
    let cipher = string(&mut rest).ok_or_else(|| wrong("is damaged"))?;
    if cipher != b"none" {
        return Err(wrong("has a passphrase, and nobody is there to type it"));
    }
    let (_kdf, _options) = (string(&mut rest), string(&mut rest));
    let (count, mut rest) = rest.split_at_checked(4).ok_or_else(|| wrong("is damaged"))?;
    let public = string(&mut rest).filter(|_| count == [0, 0, 0, 1]).ok_or_else(|| wrong("is damaged"))?;
    Ok(format!("SHA256:{}", general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(public))))
}

/// The next string: its length in four bytes, then it.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (found, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A key pair's files, and what `ssh-keygen -l` shows of it; `None` where there is no ssh-keygen.
    fn made(passphrase: &str) -> Option<(String, String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let keygen = |args: &[&str]| Command::new("ssh-keygen").args(args).arg("-f").arg(&file).output();
        let made = keygen(&["-q", "-t", "ed25519", "-N", passphrase]);
        if !made.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: ssh-keygen is not installed here");
            return None;
        }
        let shown = String::from_utf8(keygen(&["-l"]).unwrap().stdout).unwrap();
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        let fingerprint = shown.split(' ').nth(1).unwrap().to_owned();
        Some((read(&file), read(&file.with_extension("pub")), fingerprint))
    }

    fn settings(key: Option<&str>, host: &str) -> SshSettings {
        let body = serde_json::json!({"address": "192.0.2.9", "user": "root", "known_hosts": host, "private_key": key});
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_key_is_known_by_the_fingerprint_that_people_see_and_is_shown_nowhere() {
        let Some((key, public, fingerprint)) = made("") else { return };
        let given = settings(Some(&key), &public);
        assert!(!format!("{given:?}").contains("PRIVATE"));
        let read = given.read(None).unwrap();
        assert_eq!((read.key_fingerprint.as_str(), read.port), (fingerprint.as_str(), 22));
        assert!(!serde_json::to_string(&read).unwrap().contains("PRIVATE"));
        let kept = settings(None, &public).read(Some(&read)).unwrap();
        assert_eq!(kept, read, "a change without a key keeps it");
        assert!(settings(None, &public).read(None).is_err());
    }

    #[test]
    fn a_key_with_a_passphrase_or_that_is_none_is_refused_and_not_repeated() {
        let Some((locked, public, _)) = made("secret") else { return };
        let other = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
        let damaged = format!("{BEGIN}\nAAAA\n{END}");
        for key in [locked.as_str(), other, damaged.as_str(), "", "/root/.ssh/id_ed25519", &"x".repeat(20_000)] {
            let problem = format!("{:?}", settings(Some(key), &public).read(None).unwrap_err());
            assert!(problem.contains("ssh.private_key") && !problem.contains("BEGIN"), "{problem}");
        }
    }
}
