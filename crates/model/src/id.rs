//! TypeIDs: a type prefix and the base32 of a UUIDv7 (`inc_01h455vb4pex5vsknk084sn02q`), one Rust type each.
//!
//! Source: the TypeID specification 0.3 and RFC 9562 section 5.7. The base32 alphabet is Crockford's, lower case.

use std::{fmt, marker::PhantomData, str::FromStr};

use rand::Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a base32 UUID: 130 bits, of which the first two are zero.
const SUFFIX_LEN: usize = 26;

/// What an id names: its prefix on every surface.
pub trait Kind: 'static {
    const PREFIX: &'static str;
}

/// The id of a `K`: 128 bits whose order is the order of minting.
pub struct Id<K> {
    bits: u128,
    kind: PhantomData<fn() -> K>,
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: want `{prefix}_` and 26 characters of base32")]
pub struct InvalidId {
    pub prefix: &'static str,
    pub text: String,
}

impl<K: Kind> Id<K> {
    pub const PREFIX: &'static str = K::PREFIX;

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_bits(u128::from_be_bytes(bytes))
    }

    /// The 16 bytes as stored: big endian, so that byte order is minting order.
    pub fn to_bytes(self) -> [u8; 16] {
        self.bits.to_be_bytes()
    }

    pub const fn from_bits(bits: u128) -> Self {
        Self { bits, kind: PhantomData }
    }

    pub const fn bits(self) -> u128 {
        self.bits
    }

    /// The time of minting, to the millisecond.
    pub fn time(self) -> Timestamp {
        let millis = i64::try_from(self.bits >> 80).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis)
    }

    /// The last six characters: the short label of an object.
    pub fn short(self) -> String {
        let text = self.to_string();
        text.chars().skip(text.len().saturating_sub(6)).collect()
    }
}

/// Mints ids as max(now, last + 1), so that a clock that steps back never breaks their order.
#[derive(Debug, Clone, Default)]
pub struct IdMint {
    last: u128,
}

impl IdMint {
    /// A mint whose next id comes after `last`.
    pub fn after(last: u128) -> Self {
        Self { last }
    }

    pub fn mint<K: Kind>(&mut self, now: Timestamp, rng: &mut impl Rng) -> Id<K> {
        let fresh = uuid_v7(now, rng.next_u64(), rng.next_u64());
        self.last = if fresh > self.last { fresh } else { next_after(self.last) };
        Id::from_bits(self.last)
    }
}

/// An id of `now`, for objects whose order among those of one millisecond does not matter.
pub fn mint<K: Kind>(now: Timestamp, rng: &mut impl Rng) -> Id<K> {
    Id::from_bits(uuid_v7(now, rng.next_u64(), rng.next_u64()))
}

fn uuid_v7(now: Timestamp, high: u64, low: u64) -> u128 {
    let millis = u128::from(u64::try_from(now.as_millis()).unwrap_or(0)) & 0xffff_ffff_ffff;
    let rand_a = u128::from(high & 0x0fff);
    let rand_b = u128::from(low & 0x3fff_ffff_ffff_ffff);
    (millis << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b
}

/// The next valid UUIDv7: counts in the random bits, carries over version and variant.
fn next_after(last: u128) -> u128 {
    const LOW: u128 = 0x3fff_ffff_ffff_ffff;
    if last & LOW != LOW {
        return last + 1;
    }
    let high = last >> 64;
    let carried = if high & 0x0fff == 0x0fff { ((high >> 16) + 1) << 16 | 0x7000 } else { high + 1 };
    (carried << 64) | (0b10 << 62)
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        for place in (0..SUFFIX_LEN).rev() {
            let digit = (self.bits >> (place * 5)) & 0x1f;
            let letter = ALPHABET.get(usize::try_from(digit).unwrap_or(0)).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parse = || {
            let suffix = text.strip_prefix(K::PREFIX)?.strip_prefix('_')?;
            decode(suffix)
        };
        let invalid = || InvalidId { prefix: K::PREFIX, text: text.chars().take(64).collect() };
        parse().map(Self::from_bits).ok_or_else(invalid)
    }
}

fn decode(suffix: &str) -> Option<u128> {
    let bytes = suffix.as_bytes();
    // The first character holds only three bits: above `7` the value does not fit in 128.
    if bytes.len() != SUFFIX_LEN || !matches!(bytes.first(), Some(b'0'..=b'7')) {
        return None;
    }
    bytes.iter().try_fold(0_u128, |bits, letter| {
        let digit = ALPHABET.iter().position(|known| known == letter)?;
        Some((bits << 5) | u128::try_from(digit).ok()?)
    })
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bits.cmp(&other.bits)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<K: Kind> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some(format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX)))
            .into()
    }
}
impl<K: Kind> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("Id_{}", K::PREFIX).into()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $alias:ident $prefix:literal;)*) => {$(
        #[doc(hidden)]
        pub enum $kind {}
        impl Kind for $kind { const PREFIX: &'static str = $prefix; }
        $(#[$doc])*
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    EventKind EventId "evt";
    AlertKind AlertId "alt";
    IncidentKind IncidentId "inc";
    InvestigationKind InvestigationId "inv";
    PlanKind PlanId "pln";
    ActionKind ActionId "act";
    ApprovalKind ApprovalId "apr";
    /// A rule row that a tenant owns; `rule.id` elsewhere is the Sigma id.
    RuleKind RuleId "rul";
    /// An exception from rules.
    ExceptionKind ExceptionId "exc";
    TargetKindId TargetId "tgt";
    UserKind UserId "usr";
    SessionKind SessionId "ses";
    TokenKind TokenId "tok";
    TenantKind TenantId "tnt";
    LedgerKind LedgerId "led";
    SegmentKind SegmentId "seg";
    DeadLetterKind DeadLetterId "dlq";
    NoteKind NoteId "not";
    ApiKeyKind KeyId "key";
    RoleKind RoleId "rol";
    GrantKind GrantId "gnt";
    InvitationKind InvitationId "ivt";
    PasskeyKind PasskeyId "psk";
    JobKind JobId "job";
    /// A list of indicators.
    IndicatorListKind IndicatorListId "ilt";
    /// A change of the gate that waits for a second person.
    GateChangeKind GateChangeId "gch";
    StandingGrantKind StandingGrantId "sgr";
    /// Something that people are told of.
    NoticeKindId NoticeId "ntc";
    /// One notice to one receiver.
    LetterKind LetterId "ltr";
}

impl TenantId {
    /// The installation itself: it has a ledger and an operator, but no events.
    pub const INSTALLATION: Self = Self::from_bits(0);
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let known: IncidentId = "inc_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        assert_eq!(known.to_string(), "inc_01h455vb4pex5vsknk084sn02q");
        assert_eq!(uuid::Uuid::from_bytes(known.to_bytes()).get_version_num(), 7);
    }

    #[test]
    fn another_kind_or_a_damaged_text_is_refused() {
        for text in
            ["alt_01h455vb4pex5vsknk084sn02q", "inc_81h455vb4pex5vsknk084sn02q", "inc_", "inc_01h455vb4pexiv", ""]
        {
            assert!(text.parse::<IncidentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_grow_when_the_clock_steps_back() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut mint = IdMint::default();
        let mut last: EventId = mint.mint(Timestamp::from_millis(2_000), &mut rng);
        for _ in 0..1_000 {
            let next: EventId = mint.mint(Timestamp::from_millis(1_000), &mut rng);
            assert!(next > last);
            assert_eq!(uuid::Uuid::from_bytes(next.to_bytes()).get_version_num(), 7);
            last = next;
        }
    }

    #[test]
    fn a_carry_keeps_version_and_variant() {
        let full = (5_u128 << 80) | (0x7fff_u128 << 64) | (0b10_u128 << 62) | 0x3fff_ffff_ffff_ffff;
        let next = uuid::Uuid::from_u128(next_after(full));
        assert!(next.as_u128() > full);
        assert_eq!((next.get_version_num(), next.get_variant()), (7, uuid::Variant::RFC4122));
    }
}
