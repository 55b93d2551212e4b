//! AEAD sealing of everything that rests on disk: key wrapping, data keys, entry keys. Pure.
//!
//! AES-256-GCM-SIV (RFC 8452), so that a frame written again after a crash with the same nonce gives nothing away but
//! its equality. Every tenant has one data key, wrapped by the installation key; every use of it has a subkey of its own
//! (HKDF-SHA256, RFC 5869), so that one ledger entry can be disclosed without the rest.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use rand::Rng;
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const WRAP: &[u8] = b"shieldops/v1/wrap";

/// What a sealed text can be refused for. Never says why it is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("sealed data is cut short")]
    Truncated,
    #[error("sealed data has version {0}, this program knows {VERSION}")]
    UnknownVersion(u8),
    #[error("sealed data is not authentic: it was changed, or sealed for another tenant, place or key")]
    NotAuthentic,
}

/// The key of the installation: wraps data keys and nothing else.
pub struct InstallationKey(Zeroizing<[u8; 32]>);

impl InstallationKey {
    pub fn generate(rng: &mut impl Rng) -> Self {
        Self(Zeroizing::new(random(rng)))
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the key file alone.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The key of a tenant. Clones share one secret.
#[derive(Clone)]
pub struct DataKey(Arc<Secret>);

struct Secret {
    bytes: Zeroizing<[u8; 32]>,
    /// Row keys that were derived, by table: a page of a list opens fifty rows of one.
    rows: RwLock<HashMap<&'static str, Arc<SealKey>>>,
}

impl DataKey {
    pub fn generate(rng: &mut impl Rng) -> Self {
        Self::of(random(rng))
    }

    fn of(bytes: [u8; 32]) -> Self {
        Self(Arc::new(Secret { bytes: Zeroizing::new(bytes), rows: RwLock::default() }))
    }

    /// Wraps this key for its file; the wrapping binds the tenant.
    pub fn wrap(&self, installation: &InstallationKey, tenant: &[u8; 16], rng: &mut impl Rng) -> Vec<u8> {
        derive(&installation.0, WRAP, &[]).seal(tenant, self.0.bytes.as_slice(), rng)
    }

    /// # Errors
    /// `NotAuthentic` for another tenant's or another installation's file.
    pub fn unwrap(installation: &InstallationKey, tenant: &[u8; 16], wrapped: &[u8]) -> Result<Self, SealError> {
        let plain = Zeroizing::new(derive(&installation.0, WRAP, &[]).open(tenant, wrapped)?);
        let bytes = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_length| SealError::NotAuthentic)?;
        Ok(Self::of(bytes))
    }

    /// The key for one purpose.
    pub fn subkey(&self, purpose: Purpose) -> SealKey {
        let (label, context) = purpose.info();
        derive(&self.0.bytes, label, &context)
    }

    /// The key of [`Purpose::Row`], derived once.
    pub fn row_key(&self, table: &'static str) -> Arc<SealKey> {
        let known = self.0.rows.read().unwrap_or_else(PoisonError::into_inner).get(table).cloned();
        known.unwrap_or_else(|| {
            let key = Arc::new(self.subkey(Purpose::Row(table)));
            self.0.rows.write().unwrap_or_else(PoisonError::into_inner).insert(table, Arc::clone(&key));
            key
        })
    }
}

/// What a subkey is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Frames of the bus.
    Frame,
    /// One ledger entry, by its sequence number.
    LedgerEntry(u64),
    /// Rows of a table of the state.
    Row(&'static str),
    /// Stored secrets.
    Secret,
}

impl Purpose {
    fn info(self) -> (&'static [u8], Vec<u8>) {
        match self {
            Self::Frame => (b"shieldops/v1/frame", Vec::new()),
            Self::LedgerEntry(seq) => (b"shieldops/v1/ledger", seq.to_be_bytes().to_vec()),
            Self::Row(table) => (b"shieldops/v1/row", table.as_bytes().to_vec()),
            Self::Secret => (b"shieldops/v1/secret", Vec::new()),
        }
    }
}

/// A key for one purpose.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// A disclosed key, as `expose` gave it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the disclosure of one ledger entry.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Version, nonce, ciphertext and tag. `aad` is not stored: whoever opens must name the same.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8], rng: &mut impl Rng) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random(rng);
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad });
        #[expect(
            clippy::expect_used,
            reason = "the cipher refuses only messages over 64 GiB, which no caller can hold"
        )]
        let sealed = sealed.expect("a message below 64 GiB");
        let mut out = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&version, rest) = sealed.split_first().ok_or(SealError::Truncated)?;
        if version != VERSION {
            return Err(SealError::UnknownVersion(version));
        }
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Truncated)?;
        if text.len() < TAG_LEN {
            return Err(SealError::Truncated);
        }
        let opened = self.cipher().decrypt(&Nonce::from(*nonce), Payload { msg: text, aad });
        opened.map_err(|_refused| SealError::NotAuthentic)
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(&(*self.0).into())
    }
}

fn derive(secret: &[u8; 32], label: &[u8], context: &[u8]) -> SealKey {
    let mut out = Zeroizing::new([0; 32]);
    let info = [label, &[0], context].concat();
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(&info, out.as_mut_slice());
    #[expect(clippy::expect_used, reason = "HKDF refuses only outputs over 255 hashes; this is one")]
    expanded.expect("32 bytes from HKDF-SHA256");
    SealKey(out)
}

fn random<const N: usize>(rng: &mut impl Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn keys() -> (InstallationKey, DataKey, StdRng) {
        let mut rng = StdRng::seed_from_u64(7);
        (InstallationKey::generate(&mut rng), DataKey::generate(&mut rng), rng)
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(aad: Vec<u8>, text: Vec<u8>) {
            let (_, data, mut rng) = keys();
            let key = data.subkey(Purpose::Frame);
            let sealed = key.seal(&aad, &text, &mut rng);
            prop_assert_eq!(key.open(&aad, &sealed), Ok(text));
        }

        #[test]
        fn any_flipped_bit_is_refused(text: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8) {
            let (_, data, mut rng) = keys();
            let key = data.subkey(Purpose::Secret);
            let mut sealed = key.seal(b"place", &text, &mut rng);
            let index = at.index(sealed.len());
            sealed[index] ^= 1 << bit;
            prop_assert!(key.open(b"place", &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            let (_, data, _) = keys();
            prop_assert!(data.subkey(Purpose::Frame).open(b"", &bytes).is_err());
        }
    }

    #[test]
    fn another_purpose_sequence_table_or_place_does_not_open() {
        let (_, data, mut rng) = keys();
        let sealed = data.subkey(Purpose::LedgerEntry(4)).seal(b"a", b"text", &mut rng);
        for purpose in [Purpose::LedgerEntry(5), Purpose::Frame, Purpose::Row("alerts"), Purpose::Secret] {
            assert_eq!(data.subkey(purpose).open(b"a", &sealed), Err(SealError::NotAuthentic));
        }
        assert_eq!(data.subkey(Purpose::LedgerEntry(4)).open(b"b", &sealed), Err(SealError::NotAuthentic));
        assert_eq!(data.subkey(Purpose::LedgerEntry(4)).open(b"a", &sealed).unwrap(), b"text");
    }

    #[test]
    fn a_wrapped_key_opens_only_for_its_tenant_and_installation() {
        let (installation, data, mut rng) = keys();
        let wrapped = data.wrap(&installation, &[1; 16], &mut rng);
        let again = DataKey::unwrap(&installation, &[1; 16], &wrapped).unwrap();
        let sealed = data.subkey(Purpose::Frame).seal(b"", b"x", &mut rng);
        assert_eq!(again.subkey(Purpose::Frame).open(b"", &sealed).unwrap(), b"x");
        assert!(DataKey::unwrap(&installation, &[2; 16], &wrapped).is_err());
        assert!(DataKey::unwrap(&InstallationKey::generate(&mut rng), &[1; 16], &wrapped).is_err());
    }
}
