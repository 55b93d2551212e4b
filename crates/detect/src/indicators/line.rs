//! What one line of an indicator list is, in canonical form.

use ipnet::IpNet;

use crate::sigma::net;

/// Bytes of a line.
const MAX_LINE_BYTES: usize = 4_096;

pub(super) enum Indicator {
    Network(IpNet),
    Domain(String),
    Hash(String),
    Url(String),
}

/// The line up to a `#` at its start or behind a blank: URLs may have one inside.
pub(super) fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (index, char) in line.char_indices() {
        if char == '#' && before.is_whitespace() {
            return line.get(..index).unwrap_or_default();
        }
        before = char;
    }
    line
}

pub(super) fn parse(word: &str) -> Option<Indicator> {
    if word.len() > MAX_LINE_BYTES {
        return None;
    }
    if let Some(net) = net::parse_network(word) {
        return Some(Indicator::Network(net));
    }
    if matches!(word.len(), 32 | 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(Indicator::Hash(word.to_ascii_lowercase()));
    }
    if word.contains("://") {
        return canonical_url(word).map(Indicator::Url);
    }
    domain(word).map(Indicator::Domain)
}

/// Lower-case labels joined by dots; `*.` and a dot at either end are taken off.
fn domain(word: &str) -> Option<String> {
    let name = word.strip_prefix("*.").unwrap_or(word).trim_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let labels: Vec<&str> = name.split('.').collect();
    let top_is_word = labels.last().is_some_and(|label| label.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let valid = labels.len() > 1 && name.len() <= 253 && top_is_word && labels.iter().all(|label| is_label(label));
    valid.then_some(name)
}

/// Scheme and host in lower case, no fragment, at least a `/` as path.
pub(super) fn canonical_url(text: &str) -> Option<String> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https" | "ftp") {
        return None;
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    if authority.is_empty() || authority.chars().any(char::is_whitespace) {
        return None;
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some(format!("{scheme}://{}{slash}{path}", authority.to_ascii_lowercase()))
}

/// The host of a canonical URL, without user and port.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit('@').next()?;
    if host.starts_with('[') { None } else { host.split(':').next() }
}
