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
        if let Some(address) = plain_v4(word.as_bytes()) {
            return Some(Self::Ip(IpAddr::V4(Ipv4Addr::from(address))));
        }
        if memchr::memchr(b'[', word.as_bytes()).is_some() || word.starts_with("hxx") {
            return Self::parse_armed(&rearm(word));
        }
        Self::parse_armed(word)
    }

    fn parse_armed(word: &str) -> Option<Self> {
        if let Some(bytes) = hash(word) {
            return Some(Self::Hash(bytes));
        }
        if may_be_network(word)
            && let Some(net) = net::parse_network(word)
        {
            return Some(Self::network(net));
        }
        if memchr::memchr(b':', word.as_bytes()).is_some() && word.contains("://") {
            return canonical_url(word).map(Self::Url);
        }
        if memchr::memchr(b'@', word.as_bytes()).is_some() {
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

/// Whether a text begins as an address may, and a number ends it: nearly no domain and no URL is tried as a network.
fn may_be_network(word: &str) -> bool {
    let word = word.trim().as_bytes();
    let first = word.first().is_some_and(|byte| byte.is_ascii_hexdigit() || *byte == b':');
    let last = word.last().is_some_and(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    first && last && word.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'/'))
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
    let mut bad: u64 = 0;
    for (eight, four) in word.as_chunks::<8>().0.iter().zip(out.as_chunks_mut::<4>().0) {
        let (bytes, wrong) = digits(u64::from_le_bytes(*eight));
        bad |= wrong;
        *four = bytes.to_le_bytes();
    }
    (bad == 0).then_some(length)
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * EACH;

/// Eight hexadecimal digits as four bytes, all at once; the second is not 0 when one is no digit.
#[inline]
fn digits(text: u64) -> (u32, u64) {
    let low = text & !HIGH;
    // From here on no sum of a byte reaches into the next: each is at most 0x7f + 0x7f.
    let no_number = (low ^ (0x30 * EACH)).wrapping_add(0x76 * EACH);
    let letter = (low | (0x20 * EACH)) ^ (0x60 * EACH);
    let no_letter = letter.wrapping_add(0x79 * EACH) | !letter.wrapping_add(0x7f * EACH);
    let wrong = ((no_number & no_letter) | text) & HIGH;
    let values = (low & (0x0f * EACH)).wrapping_add((low >> 6 & EACH).wrapping_mul(9));
    let pairs = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    (u32::try_from((fours | fours >> 16) & 0xffff_ffff).unwrap_or(0), wrong)
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
    make_lower(authority);
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
pub(super) fn plain_v4(text: &[u8]) -> Option<u32> {
    let length = u32::try_from(text.len()).ok().filter(|length| *length <= 15)?;
    let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else {
        return std::str::from_utf8(text).ok()?.parse::<Ipv4Addr>().ok().map(u32::from);
    };
    let others = 8_u32.wrapping_mul(16_u32.wrapping_sub(length));
    let all = u128::from(u64::from_le_bytes(*first)) | (u128::from(u64::from_le_bytes(*last)) << 64) >> others;
    dotted(all, length)
}

const EACH_OF_16: u128 = 0x0101_0101_0101_0101_0101_0101_0101_0101;

/// Four numbers with dots between them, without a step for each digit: the bytes of the text, zero behind its end.
#[inline]
fn dotted(text: u128, length: u32) -> Option<u32> {
    let high = 0x80 * EACH_OF_16;
    let low = text & !high;
    let mut others = ((low ^ (0x30 * EACH_OF_16)).wrapping_add(0x76 * EACH_OF_16) | text) & high;
    let mut address: u32 = 0;
    let mut start: u32 = 0;
    for place in 0..4 {
        let end = others.trailing_zeros() / 8;
        others &= others.wrapping_sub(1);
        let length_of_number = end.wrapping_sub(start);
        let behind = low_bytes(text, end);
        if if place < 3 { behind & 0xff != u32::from(b'.') } else { end != length } {
            return None;
        }
        let number = low_bytes(text, start);
        let zero_first = length_of_number > 1 && number & 0xff == u32::from(b'0');
        if !(1..=3).contains(&length_of_number) || zero_first {
            return None;
        }
        let digits = (number & 0x000f_0f0f).wrapping_shl(8_u32.wrapping_mul(3_u32.wrapping_sub(length_of_number)));
        // Hundreds, tens and ones from the lowest byte up.
        let value = (digits & 0xff).wrapping_mul(100);
        let value = value.wrapping_add((digits >> 8 & 0xff).wrapping_mul(10)).wrapping_add(digits >> 16 & 0xff);
        if value > 255 {
            return None;
        }
        address = address << 8 | value;
        start = end.wrapping_add(1);
    }
    Some(address)
}

/// Four bytes of a text of sixteen; zero behind its end.
#[inline]
fn low_bytes(text: u128, at: u32) -> u32 {
    let bits = text.checked_shr(at.wrapping_mul(8)).unwrap_or(0) & 0xffff_ffff;
    u32::try_from(bits).unwrap_or(0)
}

/// Lower case as far as ASCII goes, eight bytes at once.
#[inline]
pub(super) fn make_lower(text: &mut [u8]) {
    if text.len() < 8 {
        return text.make_ascii_lowercase();
    }
    text.as_chunks_mut::<8>().0.iter_mut().for_each(lower_eight);
    // What is done twice changes nothing more.
    text.last_chunk_mut::<8>().into_iter().for_each(lower_eight);
}

#[inline]
fn lower_eight(eight: &mut [u8; 8]) {
    let text = u64::from_le_bytes(*eight);
    let low = text & !HIGH;
    let capital = low.wrapping_add(0x3f * EACH) & !low.wrapping_add(0x25 * EACH) & !text & HIGH;
    *eight = (text | capital >> 2).to_le_bytes();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn addresses_and_what_is_nearly_one_are_read_as_the_library_reads_them(
            text in "([0-9]{1,4}[.]){3}[0-9]{1,4}|[0-9.]{0,17}|[0-9./:a\u{e4} ]{7,16}", octets: [u8; 4],
        ) {
            let known = text.parse::<Ipv4Addr>().ok();
            prop_assert_eq!(plain_v4(text.as_bytes()).map(Ipv4Addr::from), known);
            let written = Ipv4Addr::from(octets);
            prop_assert_eq!(plain_v4(written.to_string().as_bytes()).map(Ipv4Addr::from), Some(written));
        }

        #[test]
        fn eight_digits_at_once_are_what_one_by_one_are(text: [u8; 8], bytes: [u8; 4], capitals: bool) {
            let (_, wrong) = digits(u64::from_le_bytes(text));
            prop_assert_eq!(wrong == 0, text.iter().all(u8::is_ascii_hexdigit));
            let written = if capitals { hex::encode_upper(bytes) } else { hex::encode(bytes) };
            let text = <[u8; 8]>::try_from(written.as_bytes()).unwrap();
            prop_assert_eq!(digits(u64::from_le_bytes(text)), (u32::from_le_bytes(bytes), 0));
        }

        #[test]
        fn lower_case_is_that_of_the_library(text: Vec<u8>) {
            let mut lower = text.clone();
            make_lower(&mut lower);
            prop_assert_eq!(lower, text.to_ascii_lowercase());
        }
    }

    #[test]
    fn each_byte_is_a_digit_or_not() {
        for byte in 0..=u8::MAX {
            let text = [b'0', byte, b'f', b'A', b'9', byte, b'0', b'a'];
            assert_eq!(digits(u64::from_le_bytes(text)).1 == 0, byte.is_ascii_hexdigit(), "{byte}");
        }
    }
}
