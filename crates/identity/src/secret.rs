//! The texts of credentials: a prefix that says what it is, then 32 random bytes in base64url. Only SHA-256 of the text
//! is stored; a text of that entropy needs no salt.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const SECRET_BYTES: usize = 32;
/// Base64url of 32 bytes without padding.
const SECRET_CHARS: usize = 43;
const CSRF_LABEL: &[u8] = b"shieldops/v1/csrf";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A shipper's token: writes events.
    Ingest,
    /// A person's token for the API and the command line.
    Personal,
    /// What the session cookie holds.
    Session,
    /// The one-time link of the first administrator.
    AdminLink,
    /// A machine's key for the API; belongs to the tenant, not to a person.
    Key,
    /// A sign-in or a passkey ceremony that is half done. Opens nothing by itself.
    Ticket,
    /// The link by which somebody becomes a member.
    Invitation,
    /// The link by which a person sets a new password.
    Reset,
}

impl CredentialKind {
    const ALL: [Self; 8] = [
        Self::Ingest,
        Self::Personal,
        Self::Session,
        Self::AdminLink,
        Self::Key,
        Self::Ticket,
        Self::Invitation,
        Self::Reset,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Ingest => "soi_",
            Self::Personal => "sop_",
            Self::Session => "sos_",
            Self::AdminLink => "soc_",
            Self::Key => "sko_",
            Self::Ticket => "sot_",
            Self::Invitation => "sov_",
            Self::Reset => "sor_",
        }
    }

    /// Whether a request may be made with it.
    pub const fn opens(self) -> bool {
        matches!(self, Self::Ingest | Self::Personal | Self::Session | Self::Key)
    }

    /// The word that the store has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Personal => "personal",
            Self::Session => "session",
            Self::AdminLink => "admin_link",
            Self::Key => "key",
            Self::Ticket => "ticket",
            Self::Invitation => "invite",
            Self::Reset => "reset",
        }
    }
}

/// A new credential: the text is shown or sent once and wiped when dropped. Has neither `Debug` nor `Serialize`.
pub struct Secret {
    text: Zeroizing<String>,
    /// What the store keeps.
    pub hash: [u8; 32],
}

impl Secret {
    pub fn mint(kind: CredentialKind, rng: &mut impl Rng) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(bytes.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + SECRET_CHARS));
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        let hash = Sha256::digest(text.as_bytes()).into();
        Self { text, hash }
    }

    /// The text, for the one place that shows or sends it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

/// The kind and hash of a credential as it was sent; nothing for a text that cannot be one.
pub fn hash(text: &str) -> Option<(CredentialKind, [u8; 32])> {
    let kind = CredentialKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
    let random = text.strip_prefix(kind.prefix())?;
    if random.len() != SECRET_CHARS {
        return None;
    }
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(random).ok()?);
    (bytes.len() == SECRET_BYTES).then(|| (kind, Sha256::digest(text.as_bytes()).into()))
}

/// The CSRF value of a session: HMAC-SHA256 keyed by the session's secret, so nothing more is stored.
pub fn csrf(session: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(session.as_bytes()).expect("a key of any length");
    mac.update(CSRF_LABEL);
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Compares in constant time.
pub fn csrf_matches(session: &str, sent: &str) -> bool {
    csrf(session).as_bytes().ct_eq(sent.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_credential_is_known_by_its_hash_and_kind_alone() {
        let mut rng = StdRng::seed_from_u64(1);
        for kind in CredentialKind::ALL {
            let secret = Secret::mint(kind, &mut rng);
            assert_eq!(hash(secret.expose()), Some((kind, secret.hash)));
            assert_eq!(secret.expose().len(), 47);
        }
    }

    #[test]
    fn texts_that_cannot_be_credentials_are_refused() {
        let good = Secret::mint(CredentialKind::Personal, &mut StdRng::seed_from_u64(2));
        let good = good.expose();
        let short: String = good.chars().take(46).collect();
        let wrong =
            [String::new(), "sop_".into(), short, format!("{good}A"), good.replace("sop_", "sop-"), "sop_ä".into()];
        for text in wrong.iter().chain([&format!("sop_{}", "?".repeat(43))]) {
            assert_eq!(hash(text), None, "{text}");
        }
    }

    #[test]
    fn a_csrf_value_belongs_to_one_session() {
        let mut rng = StdRng::seed_from_u64(3);
        let (one, other) =
            (Secret::mint(CredentialKind::Session, &mut rng), Secret::mint(CredentialKind::Session, &mut rng));
        let value = csrf(one.expose());
        assert!(csrf_matches(one.expose(), &value));
        assert!(!csrf_matches(other.expose(), &value));
        assert!(!csrf_matches(one.expose(), "") && !csrf_matches(one.expose(), value.split_at(1).1));
    }
}
