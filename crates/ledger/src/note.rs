//! Signed checkpoints: C2SP tlog-checkpoint inside a C2SP signed-note, with Ed25519.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::{Hash, LedgerError};

const ED25519: u8 = 1;

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// `shieldops/<installation>/<tenant>`; also the key's name.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    fn parse(text: &str) -> Result<Self, LedgerError> {
        let mut lines = text.lines();
        let mut next = |what| lines.next().ok_or_else(|| wrong(format!("no {what}")));
        let origin = next("origin")?.to_owned();
        let size = next("size")?;
        let parsed: u64 = size.parse().map_err(|_nan| wrong(format!("size `{size}` is not a number")))?;
        if parsed.to_string() != size {
            return Err(wrong("the size is not in plain decimal".to_owned()));
        }
        let root = STANDARD.decode(next("root")?).map_err(|_bad| wrong("the root is not base64".to_owned()))?;
        let root = Hash::try_from(root.as_slice()).map_err(|_length| wrong("the root is not 32 bytes".to_owned()))?;
        Ok(Self { origin, size: parsed, root })
    }
}

fn wrong(detail: String) -> LedgerError {
    LedgerError::Checkpoint(detail)
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(public).finalize();
    let mut id = [0; 4];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// Signs checkpoints of one log.
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl Signer {
    /// `seed` is the Ed25519 secret (RFC 8032); `name` has neither blank nor plus.
    pub fn new(name: impl Into<String>, seed: &[u8; 32]) -> Self {
        Self { name: name.into(), key: SigningKey::from_bytes(seed) }
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The signed note of a head.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let text = Checkpoint { origin: self.name.clone(), size, root }.text();
        let mut signature = key_id(&self.name, self.key.verifying_key().as_bytes()).to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n\u{2014} {} {}\n", self.name, STANDARD.encode(signature))
    }
}

/// Checks notes of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The C2SP text of the key: name, key id and key, joined by plus signs.
    pub fn to_text(&self) -> String {
        let public = self.key.as_bytes();
        let id = hex::encode(key_id(&self.name, public));
        let mut key = vec![ED25519];
        key.extend_from_slice(public);
        format!("{}+{id}+{}", self.name, STANDARD.encode(key))
    }

    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let bad = || wrong("not a verifier key".to_owned());
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(bad()) };
        let key = STANDARD.decode(key).map_err(|_bad| bad())?;
        let Some((&ED25519, public)) = key.split_first() else { return Err(bad()) };
        let public = <[u8; 32]>::try_from(public).map_err(|_length| bad())?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(bad());
        }
        if hex::encode(key_id(name, &public)) != id {
            return Err(wrong("the key id does not belong to the key".to_owned()));
        }
        Ok(Self { name: name.to_owned(), key: VerifyingKey::from_bytes(&public).map_err(|_bad| bad())? })
    }

    /// The checkpoint of a note that this key signed.
    pub fn open(&self, note: &str) -> Result<Checkpoint, LedgerError> {
        let checkpoint = Checkpoint::parse(&self.signed_text(note)?)?;
        if checkpoint.origin != self.name {
            return Err(wrong(format!("of another log: {}", checkpoint.origin)));
        }
        Ok(checkpoint)
    }

    /// The checkpoint of a note that was kept elsewhere; nothing when it is of another log.
    ///
    /// # Errors
    /// When it says it is of this log and this key did not sign it: then log and key were replaced together, which only
    /// an outside note can show. A caller must never skip it.
    pub fn open_outside(&self, note: &str) -> Result<Option<Checkpoint>, LedgerError> {
        if note.lines().next() != Some(self.name.as_str()) {
            return Ok(None);
        }
        self.open(note).map(Some)
    }

    /// The text of a note, when this key signed it.
    fn signed_text(&self, note: &str) -> Result<String, LedgerError> {
        let (text, signatures) = note.rsplit_once("\n\n").ok_or_else(|| wrong("no signature".to_owned()))?;
        let text = format!("{text}\n");
        let ours = signatures.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.rsplit_once(' '));
        let ours =
            ours.filter(|(name, _)| *name == self.name).filter_map(|(_, signature)| STANDARD.decode(signature).ok());
        let good = ours
            .filter_map(|bytes| self.signature(&bytes))
            .any(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok());
        if !good {
            return Err(wrong("not signed by this log's key".to_owned()));
        }
        Ok(text)
    }

    fn signature(&self, bytes: &[u8]) -> Option<Signature> {
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (*id == key_id(&self.name, self.key.as_bytes())).then_some(())?;
        Some(Signature::from_bytes(signature.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_head_opens_with_its_key_alone() {
        let signer = Signer::new("shieldops/abc/tnt_1", &[7; 32]);
        let note = signer.sign(12, [3; 32]);
        let key = VerifierKey::parse(&signer.verifier().to_text()).unwrap();
        let head = key.open(&note).unwrap();
        assert_eq!((head.size, head.root), (12, [3; 32]));
        assert!(Signer::new("shieldops/abc/tnt_1", &[8; 32]).verifier().open(&note).is_err());
        assert!(Signer::new("shieldops/abc/tnt_2", &[7; 32]).verifier().open(&note).is_err());
    }

    /// The example of the Go module `sumdb/note`, whose format C2SP wrote down.
    #[test]
    fn a_note_signed_by_another_implementation_verifies() {
        let key = VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        assert_eq!(key.to_text(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert!(key.signed_text(note).is_ok());
        assert!(key.signed_text(&note.replace("problem,", "problem.")).is_err());
    }

    #[test]
    fn a_note_kept_outside_is_refused_when_the_key_was_replaced() {
        let note = Signer::new("shieldops/abc/tnt_1", &[7; 32]).sign(12, [3; 32]);
        let replaced = Signer::new("shieldops/abc/tnt_1", &[8; 32]).verifier();
        assert!(replaced.open_outside(&note).is_err());
        assert!(Signer::new("shieldops/abc/tnt_2", &[8; 32]).verifier().open_outside(&note).unwrap().is_none());
    }

    #[test]
    fn a_key_text_with_a_blank_or_without_a_name_is_refused() {
        let text = Signer::new("shieldops/abc/tnt_1", &[7; 32]).verifier().to_text();
        assert!(VerifierKey::parse(&text.replace("abc", "a c")).is_err());
        assert!(VerifierKey::parse(&text.replace("shieldops/abc/tnt_1", "")).is_err());
    }

    #[test]
    fn any_changed_character_is_refused() {
        let signer = Signer::new("shieldops/abc/tnt_1", &[7; 32]);
        let note = signer.sign(12, [3; 32]);
        let key = signer.verifier();
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(key.open(&changed).is_err() || changed.trim_end() == note.trim_end(), "byte {at}");
            }
        }
    }
}
