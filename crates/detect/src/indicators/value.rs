//! What is looked for, in canonical form: as bytes in a table, as text on every surface.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use ipnet::IpNet;
use serde::Serialize;

use crate::sigma::net;

/// Bytes of an indicator as written.
pub(super) const MAX_VALUE_BYTES: usize = 4_096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorKind {
    Ip,
    Cidr,
    /// The domain itself and everything below it.
    Domain,
    Hash,
    Url,
    Email,
}

impl IndicatorKind {
    pub const ALL: [Self; 6] = [Self::Ip, Self::Cidr, Self::Domain, Self::Hash, Self::Url, Self::Email];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Cidr => "cidr",
            Self::Domain => "domain",
            Self::Hash => "hash",
            Self::Url => "url",
            Self::Email => "email",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Its number in a record; part of the format of a block.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Ip => 1,
            Self::Cidr => 2,
            Self::Domain => 3,
            Self::Hash => 4,
            Self::Url => 5,
            Self::Email => 6,
        }
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// An indicator in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    Ip(IpAddr),
    Cidr(IpNet),
    Domain(String),
    /// MD5, SHA-1, SHA-256 or SHA-512.
    Hash(Vec<u8>),
    Url(String),
    Email(String),
}

impl Value {
    /// Reads an indicator by its shape. Text that was made harmless (`hxxp://`, `[.]`, `[@]`) is read as what it was.
    pub fn parse(word: &str) -> Option<Self> {
        if word.len() > MAX_VALUE_BYTES {
            return None;
        }
        let armed;
        let word = if word.contains("[.]") || word.contains("[:]") || word.contains("[@]") || word.starts_with("hxx") {
            armed = rearm(word);
            armed.as_str()
        } else {
            word
        };
        if let Some(net) = net::parse_network(word) {
            return Some(Self::network(net));
        }
        if let Some(bytes) = hash(word) {
            return Some(Self::Hash(bytes));
        }
        if word.contains("://") {
            return canonical_url(word).map(Self::Url);
        }
        if word.contains('@') {
            return email(word).map(Self::Email);
        }
        domain(word).map(Self::Domain)
    }

    fn network(net: IpNet) -> Self {
        if net.prefix_len() == net.max_prefix_len() { Self::Ip(net.addr()) } else { Self::Cidr(net) }
    }

    pub const fn kind(&self) -> IndicatorKind {
        match self {
            Self::Ip(_) => IndicatorKind::Ip,
            Self::Cidr(_) => IndicatorKind::Cidr,
            Self::Domain(_) => IndicatorKind::Domain,
            Self::Hash(_) => IndicatorKind::Hash,
            Self::Url(_) => IndicatorKind::Url,
            Self::Email(_) => IndicatorKind::Email,
        }
    }

    /// Appends its bytes as a table has them.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ip(address) => write_address(*address, out),
            Self::Cidr(net) => {
                write_address(net.addr(), out);
                out.push(net.prefix_len());
            }
            Self::Hash(bytes) => out.extend_from_slice(bytes),
            Self::Domain(text) | Self::Url(text) | Self::Email(text) => out.extend_from_slice(text.as_bytes()),
        }
    }

    /// The value of a record's bytes; `None` when they are none of that kind.
    pub(super) fn read(kind: IndicatorKind, bytes: &[u8]) -> Option<Self> {
        let text = || std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(str::to_owned);
        match kind {
            IndicatorKind::Ip => address(bytes).map(Self::Ip),
            IndicatorKind::Cidr => network_of(bytes).map(Self::Cidr),
            IndicatorKind::Hash => matches!(bytes.len(), 16 | 20 | 32 | 64).then(|| Self::Hash(bytes.to_vec())),
            IndicatorKind::Domain => text().map(Self::Domain),
            IndicatorKind::Url => text().map(Self::Url),
            IndicatorKind::Email => text().map(Self::Email),
        }
    }

    /// Whether bytes are a value of this kind, without making it.
    pub(super) fn is_well_formed(kind: IndicatorKind, bytes: &[u8]) -> bool {
        match kind {
            IndicatorKind::Ip => matches!(bytes.len(), 4 | 16),
            IndicatorKind::Cidr => network_of(bytes).is_some(),
            IndicatorKind::Hash => matches!(bytes.len(), 16 | 20 | 32 | 64),
            IndicatorKind::Domain | IndicatorKind::Url | IndicatorKind::Email => {
                !bytes.is_empty() && (bytes.is_ascii() || std::str::from_utf8(bytes).is_ok())
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Cidr(net) => net.fmt(f),
            Self::Hash(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Domain(text) | Self::Url(text) | Self::Email(text) => f.write_str(text),
        }
    }
}

fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::V6(Ipv6Addr::from(v6)))
}

pub(super) fn network_of(bytes: &[u8]) -> Option<IpNet> {
    let (prefix, bytes) = bytes.split_last()?;
    let net = IpNet::new(address(bytes)?, *prefix).ok()?;
    (net.trunc() == net && net.prefix_len() < net.max_prefix_len()).then_some(net)
}

fn rearm(word: &str) -> String {
    let word = word.replace("[.]", ".").replace("[:]", ":").replace("[@]", "@");
    match word.strip_prefix("hxx") {
        Some(rest) => format!("htt{rest}"),
        None => word,
    }
}

/// The bytes of a digest in hexadecimal.
pub(super) fn hash(word: &str) -> Option<Vec<u8>> {
    let mut bytes = [0; 64];
    let length = hash_into(word.as_bytes(), &mut bytes)?;
    bytes.get(..length).map(<[u8]>::to_vec)
}

/// Writes the bytes of a digest in hexadecimal and says how many they are.
#[inline]
pub(super) fn hash_into(word: &[u8], out: &mut [u8; 64]) -> Option<usize> {
    let length = match word.len() {
        32 => 16,
        40 => 20,
        64 => 32,
        128 => 64,
        _ => return None,
    };
    let mut all: u8 = 0;
    for (pair, byte) in word.as_chunks::<2>().0.iter().zip(out.iter_mut()) {
        let [high, low] = pair.map(|digit| NIBBLES.get(usize::from(digit)).copied().unwrap_or(u8::MAX));
        all |= high | low;
        *byte = high.wrapping_shl(4) | (low & 0x0f);
    }
    (all < 16).then_some(length)
}

/// What a byte is as a hexadecimal digit; 255 when it is none.
static NIBBLES: [u8; 256] = nibbles();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "done by the compiler"
)]
const fn nibbles() -> [u8; 256] {
    let mut table = [u8::MAX; 256];
    let digits = b"0123456789abcdef";
    let mut value: u8 = 0;
    while value < 16 {
        let digit = digits[value as usize];
        table[digit as usize] = value;
        table[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    table
}

/// Lower-case labels joined by dots; `*.` and a dot at either end are taken off.
pub(super) fn domain(word: &str) -> Option<String> {
    let name = word.strip_prefix("*.").unwrap_or(word).trim_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let top = name.rsplit('.').next()?;
    let top_is_word = top.bytes().any(|byte| byte.is_ascii_alphabetic());
    let valid = name.contains('.') && name.len() <= 253 && top_is_word && name.split('.').all(is_label);
    valid.then_some(name)
}

/// One at, something before it, a domain or a bare host behind it; folded as far as ASCII goes.
pub(super) fn email(word: &str) -> Option<String> {
    let word = word.trim();
    let word = word.strip_prefix("mailto:").unwrap_or(word);
    let (local, host) = word.rsplit_once('@')?;
    let plain =
        |char: char| !char.is_whitespace() && !char.is_control() && !matches!(char, '<' | '>' | '"' | ',' | '@');
    let valid = (1..=64).contains(&local.len()) && local.chars().all(plain) && domain(host).is_some();
    valid.then(|| {
        let mut text = local.to_lowercase();
        text.push('@');
        text.push_str(&host.trim_end_matches('.').to_ascii_lowercase());
        text
    })
}

/// Scheme and host in lower case, no default port, no fragment, at least a `/` as path, escapes in capitals.
pub(super) fn canonical_url(text: &str) -> Option<String> {
    let mut url = Vec::with_capacity(text.len().saturating_add(1));
    url_into(text, &mut url)?;
    String::from_utf8(url).ok()
}

/// Appends the canonical form of a URL and says where its host stands there, without user, port and brackets.
pub(super) fn url_into(text: &str, out: &mut Vec<u8>) -> Option<Range<usize>> {
    let text = text.trim();
    let (scheme, rest) = text.split_at_checked(text.bytes().take(6).position(|byte| byte == b':')?)?;
    let rest = rest.strip_prefix("://")?;
    let schemes = [("https", ":443"), ("http", ":80"), ("ftp", ":21")];
    let (scheme, port) = schemes.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme))?;
    let end = memchr::memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let path = path.get(..memchr::memchr(b'#', path.as_bytes()).unwrap_or(path.len()))?;
    let authority = authority.strip_suffix(port).unwrap_or(authority).trim_end_matches('.');
    if authority.is_empty() || has_blank(authority) {
        return None;
    }
    out.extend_from_slice(scheme.as_bytes());
    out.extend_from_slice(b"://");
    let start = out.len();
    out.extend_from_slice(authority.as_bytes());
    let authority = out.get_mut(start..)?;
    authority.make_ascii_lowercase();
    let host = host_of(authority);
    if !path.starts_with('/') {
        out.push(b'/');
    }
    push_path(path, out);
    Some(start.saturating_add(host.start)..start.saturating_add(host.end))
}

fn has_blank(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|byte| matches!(byte, b'\t'..=b'\r' | b' '))
    } else {
        text.chars().any(char::is_whitespace)
    }
}

/// Where the host stands in what is before the path.
fn host_of(authority: &[u8]) -> Range<usize> {
    let start = memchr::memrchr(b'@', authority).map_or(0, |at| at.saturating_add(1));
    let bracket = usize::from(authority.get(start) == Some(&b'['));
    let start = start.saturating_add(bracket);
    let close = if bracket == 1 { b']' } else { b':' };
    let rest = authority.get(start..).unwrap_or_default();
    let length = memchr::memchr(close, rest).unwrap_or(rest.len());
    start..start.saturating_add(length)
}

/// `%2f` and `%2F` are the same octet.
fn push_path(path: &str, out: &mut Vec<u8>) {
    if memchr::memchr(b'%', path.as_bytes()).is_none() {
        out.extend_from_slice(path.as_bytes());
        return;
    }
    let mut parts = path.split('%');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        out.push(b'%');
        match part.split_at_checked(2) {
            Some((digits, rest)) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                out.extend(digits.bytes().map(|byte| byte.to_ascii_uppercase()));
                out.extend_from_slice(rest.as_bytes());
            }
            _ => out.extend_from_slice(part.as_bytes()),
        }
    }
}

/// An IPv4 address in the usual form; anything else is left to the parser that knows all forms.
#[inline]
pub(super) fn plain_v4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut rest = text;
    for (place, octet) in octets.iter_mut().enumerate() {
        let (value, after) = decimal(rest)?;
        *octet = value;
        rest = match after.split_first() {
            Some((b'.', after)) if place < 3 => after,
            None if place == 3 => after,
            _ => return None,
        };
    }
    Some(octets)
}

#[inline]
fn decimal(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte & 0x0f));
    let mut value = digit(text.first()?)?;
    let mut length: usize = 1;
    while let Some(next) = text.get(length).and_then(digit) {
        if value == 0 || length == 3 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(next);
        length = length.wrapping_add(1);
    }
    Some((u8::try_from(value).ok()?, text.get(length..)?))
}
