//! One audit record: header, fields, and the hex that the kernel uses for text it does not trust.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::formats::access::hex_pair;

/// What identifies a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    pub node: Option<&'a str>,
    pub kind: &'a str,
    /// Seconds and fraction, as written.
    pub time: &'a str,
    pub serial: &'a str,
}

/// One record and the text of its fields.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    pub header: Header<'a>,
    fields: Vec<(&'a str, &'a str)>,
}

/// More fields than this are no record.
const MAX_FIELDS: usize = 2_048;

/// The header alone; None where the line is not an audit record. A syslog header before it is skipped.
pub fn header(line: &str) -> Option<Header<'_>> {
    split_header(line).map(|(header, _)| header)
}

fn split_header(line: &str) -> Option<(Header<'_>, &str)> {
    let line = line.trim();
    let (before, rest) = match line.strip_prefix("type=") {
        Some(rest) => ("", rest),
        None => line.split_once(" type=")?,
    };
    let (kind, rest) = rest.split_once(' ')?;
    let known = !kind.is_empty()
        && kind.len() <= 32
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_[]".contains(&byte));
    let (stamp, body) = rest.trim_start().strip_prefix("msg=audit(")?.split_once(')')?;
    let (time, serial) = stamp.rsplit_once(':')?;
    let numeric = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit());
    let node = before.rsplit_once("node=").map(|(_, node)| node.trim());
    (known && numeric).then_some((Header { node, kind, time, serial }, body.strip_prefix(':').unwrap_or(body)))
}

impl<'a> Record<'a> {
    pub fn parse(line: &'a str) -> Option<Self> {
        let (header, body) = split_header(line)?;
        let mut fields = Vec::with_capacity(24);
        let (own, enriched) = body.split_once('\u{1d}').unwrap_or((body, ""));
        read_pairs(own, &mut fields);
        read_pairs(enriched, &mut fields);
        Some(Self { header, fields })
    }

    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.fields.iter().copied()
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A field's text: quotes removed, hex decoded where the kernel uses it for this name.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let value = self.get(name)?;
        if let Some(inner) = unquoted(value) {
            return Some(Cow::Borrowed(inner));
        }
        if is_untrusted(name) { Some(decoded(value, separator(name))) } else { Some(Cow::Borrowed(value)) }
    }

    /// The arguments of an EXECVE record, long ones joined from their parts `a2[0]`, `a2[1]`.
    pub fn arguments(&self) -> Vec<Cow<'a, str>> {
        let mut arguments: Vec<(usize, Cow<'a, str>)> = Vec::new();
        for (name, value) in self.fields() {
            let Some(number) = argument_number(name) else { continue };
            let text = match unquoted(value) {
                Some(text) => Cow::Borrowed(text),
                None => decoded(value, ' '),
            };
            match arguments.iter_mut().find(|(known, _)| *known == number) {
                Some((_, known)) => known.to_mut().push_str(&text),
                None => arguments.push((number, text)),
            }
        }
        arguments.sort_by_key(|(number, _)| *number);
        arguments.into_iter().map(|(_, text)| text).collect()
    }
}

/// `a0`, `a12` or `a2[1]`; `a1_len` is none.
fn argument_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('a')?;
    let digits = digits.split_once('[').map_or(digits, |(digits, _)| digits);
    digits.parse().ok()
}

fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"').map(|inner| inner.strip_suffix('"').unwrap_or(inner))
}

/// Names whose values the kernel writes as hex when they hold blanks, quotes or control characters.
fn is_untrusted(name: &str) -> bool {
    matches!(
        name,
        "name"
            | "comm"
            | "exe"
            | "cwd"
            | "proctitle"
            | "key"
            | "acct"
            | "cmd"
            | "data"
            | "path"
            | "file"
            | "dir"
            | "vm"
            | "ocomm"
            | "new_group"
            | "grp"
            | "id"
    )
}

/// The parts of a process title end with NUL, keys are joined by 0x01.
fn separator(name: &str) -> char {
    if name == "key" { ',' } else { ' ' }
}

/// Hex as text; the value itself where it is not hex.
fn decoded(value: &str, separator: char) -> Cow<'_, str> {
    let Some(mut bytes) = unhex(value) else { return Cow::Borrowed(value) };
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let text = String::from_utf8_lossy(&bytes);
    Cow::Owned(text.chars().map(|c| if c == '\0' || c == '\u{1}' { separator } else { c }).collect())
}

fn unhex(value: &str) -> Option<Vec<u8>> {
    let bytes = value.as_bytes();
    if bytes.is_empty() || bytes.len() % 2 == 1 {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| if let [high, low] = pair { hex_pair(*high, *low) } else { None }).collect()
}

/// `k=v k="v w" msg='k=v ...'`: quoted values keep their quotes, an inner message is opened.
fn read_pairs<'a>(text: &'a str, fields: &mut Vec<(&'a str, &'a str)>) {
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.rsplit([' ', ',']).next().unwrap_or(name);
        let (value, tail) = value_end(after);
        rest = tail.trim_start_matches([' ', ',']);
        if fields.len() >= MAX_FIELDS {
            return;
        }
        match value.strip_prefix('\'') {
            Some(inner) if name == "msg" => read_pairs(inner.strip_suffix('\'').unwrap_or(inner), fields),
            _ if value.starts_with('{') => read_pairs(value.trim_matches(['{', '}']), fields),
            _ => fields.push((name, value)),
        }
    }
}

/// A value and what follows it.
fn value_end(text: &str) -> (&str, &str) {
    let (close, from) = match text.as_bytes().first() {
        Some(b'"') => ('"', 1),
        Some(b'\'') => ('\'', 1),
        Some(b'{') => ('}', 1),
        _ => (' ', 0),
    };
    let found = text.get(from..).and_then(|inner| inner.find(close)).and_then(|at| at.checked_add(from));
    let end = match found {
        Some(at) if close == ' ' => at,
        Some(at) => at.saturating_add(1),
        None => text.len(),
    };
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Address and port of an `AF_INET` or `AF_INET6` socket address in hex (the family is little-endian, the port big-endian).
pub(super) fn socket_address(hex: &str) -> Option<(String, u16)> {
    let bytes = unhex(hex)?;
    match bytes.as_slice() {
        [2, 0, high, low, a, b, c, d, ..] => {
            Some((Ipv4Addr::new(*a, *b, *c, *d).to_string(), u16::from_be_bytes([*high, *low])))
        }
        [10, 0, high, low, _, _, _, _, rest @ ..] => {
            let address: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            Some((Ipv6Addr::from(address).to_canonical().to_string(), u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_found_behind_a_node_and_a_syslog_header() {
        let header =
            header("Nov 21 12:00:00 web1 audispd: node=web1 type=CWD msg=audit(1763726400.001:9): cwd=\"/\"").unwrap();
        assert_eq!(
            (header.node, header.kind, header.time, header.serial),
            (Some("web1"), "CWD", "1763726400.001", "9")
        );
        for line in ["type=X", "type=X msg=audit(1:2", "type=a b msg=audit(1.0:2)", "type=X msg=audit(1.0:x): a=b"] {
            assert!(super::header(line).is_none(), "{line}");
        }
    }

    #[test]
    fn long_arguments_are_joined_and_odd_hex_stays_as_it_is() {
        let record =
            Record::parse("type=EXECVE msg=audit(1.0:1): argc=3 a0=\"sh\" a1=6G a2_len=4 a2[0]=6162 a2[1]=6364")
                .unwrap();
        assert_eq!(record.arguments(), ["sh", "6G", "abcd"]);
    }

    #[test]
    fn several_keys_and_a_title_are_decoded() {
        let record = Record::parse(
            "type=X msg=audit(1.0:1): key=6101 proctitle=6C73002D6C00 key2=6101 name=(null) comm=\"a b\"",
        )
        .unwrap();
        assert_eq!(record.text("key").unwrap(), "a,");
        assert_eq!(record.text("proctitle").unwrap(), "ls -l");
        assert_eq!(record.text("key2").unwrap(), "6101");
        assert_eq!(record.text("name").unwrap(), "(null)");
        assert_eq!(record.text("comm").unwrap(), "a b");
    }
}
