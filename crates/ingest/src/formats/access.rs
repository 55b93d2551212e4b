//! Web access logs in the common and combined format (nginx, Apache), under W3C field names.

use std::borrow::Cow;

use shieldops_model::Timestamp;

use super::{
    flat::{Field, Flat},
    syslog::shaped,
    time,
};

/// One line, fields as they stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The virtual host that some formats put first.
    pub vhost: Option<&'a str>,
    pub client: &'a str,
    pub user: &'a str,
    pub date: &'a str,
    pub request: &'a str,
    pub status: &'a str,
    pub bytes: &'a str,
    pub referer: Option<&'a str>,
    pub agent: Option<&'a str>,
}

/// Reads an access line, also behind a syslog header. None where it is not one.
pub fn parse(line: &str) -> Option<Entry<'_>> {
    let line = line.trim();
    let (head, rest) = bracketed_date(line)?;
    let (date, rest) = rest.split_once("] \"")?;
    let (request, rest) = quoted(rest)?;
    let mut words = rest.trim_start().splitn(3, ' ');
    let status = words.next().filter(|word| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let bytes = words.next().unwrap_or("-").trim();
    let (referer, agent) = tail(words.next().unwrap_or(""));
    let (vhost, client, user) = head_words(head)?;
    Some(Entry { vhost, client, user, date, request, status, bytes, referer, agent })
}

/// What stands before ` [10/Oct/2000:` and after the bracket. User names may hold ` [`, a date may not.
fn bracketed_date(line: &str) -> Option<(&str, &str)> {
    line.match_indices(" [").find_map(|(at, _)| {
        let (head, rest) = line.split_at_checked(at)?;
        let rest = rest.get(2..)?;
        shaped(rest.as_bytes(), b"00/???/0000:00:00:00").then_some((head, rest))
    })
}

/// `[syslog header: ][vhost[:port] ]client ident user`.
fn head_words(head: &str) -> Option<(Option<&str>, &str, &str)> {
    let head = head.rsplit_once("]: ").or_else(|| head.rsplit_once(": ")).map_or(head, |(_, words)| words);
    let (first, rest) = head.split_once(' ')?;
    let (second, third) = rest.split_once(' ')?;
    match third.split_once(' ') {
        Some(("-", user)) if second != "-" => Some((Some(first), second, user)),
        _ => Some((None, first, third)),
    }
}

/// Text up to the closing quote; a backslash escapes.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((text.get(..at)?, text.get(at.checked_add(1)?..)?)),
            _ => {}
        }
    }
    None
}

fn tail(text: &str) -> (Option<&str>, Option<&str>) {
    let Some((referer, rest)) = text.trim_start().strip_prefix('"').and_then(quoted) else { return (None, None) };
    let agent = rest.trim_start().strip_prefix('"').map(|rest| quoted(rest).map_or(rest, |(agent, _)| agent));
    (Some(referer), agent)
}

/// The time of a line.
pub fn time(line: &str) -> Option<Timestamp> {
    time::access_time(parse(line)?.date)
}

impl<'a> Entry<'a> {
    /// Method, target and version of the request; only the target where it is no HTTP request line.
    fn request_parts(&self) -> (Option<&'a str>, &'a str, Option<&'a str>) {
        let Some((method, rest)) = self.request.split_once(' ') else { return (None, self.request, None) };
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-') {
            return (None, self.request, None);
        }
        match rest.rsplit_once(' ') {
            Some((target, version)) if version.starts_with("HTTP/") => (Some(method), target, Some(version)),
            _ => (Some(method), rest, None),
        }
    }

    /// The W3C fields.
    pub fn put(&self, flat: &mut Flat<'a>) {
        let (method, target, version) = self.request_parts();
        let (stem, query) = target.split_once('?').unwrap_or((target, ""));
        flat.put_text("c-ip", self.client);
        flat.put_text("cs-username", self.user);
        flat.put_text("date", self.date);
        put(flat, "cs-host", self.vhost);
        put(flat, "cs-method", method);
        flat.put_text("cs-uri-stem", stem);
        flat.put_text("cs-uri-query", query);
        flat.put_text("cs-uri", target);
        put(flat, "cs-version", version);
        flat.put("sc-status", Field::scalar(self.status));
        flat.put("sc-bytes", Field::scalar(self.bytes));
        put(flat, "cs-referer", self.referer);
        put(flat, "cs-user-agent", self.agent);
        flat.put_text("cs-uri-decoded", percent_decoded(target));
    }
}

fn put<'a>(flat: &mut Flat<'a>, name: &'static str, value: Option<&'a str>) {
    if let Some(value) = value {
        flat.put_text(name, value);
    }
}

/// `%41` becomes `A`, once; what is not UTF-8 becomes U+FFFD.
pub fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let decoded = match (byte, after) {
            (b'%', [high, low, tail @ ..]) => hex_pair(*high, *low).map(|byte| (byte, tail)),
            _ => None,
        };
        let (byte, after) = decoded.unwrap_or((*byte, after));
        out.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The byte that two hexadecimal digits name.
pub fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)?.checked_mul(16)?.saturating_add(digit(low)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> String {
        let mut flat = Flat::new();
        match parse(line) {
            Some(entry) => entry.put(&mut flat),
            None => return "none".to_owned(),
        }
        flat.render()
    }

    #[test]
    fn combined_common_and_hostile_lines_are_read() {
        let cases = [
            (
                r#"203.0.113.9 - - [21/Nov/2026:12:00:01 +0000] "GET /p.php?id=1%27%20UNION%20SELECT HTTP/1.1" 404 162 "-" "sqlmap/1.8""#,
                r#"{"c-ip":"203.0.113.9","cs-username":"-","date":"21/Nov/2026:12:00:01 +0000","cs-method":"GET","cs-uri-stem":"/p.php","cs-uri-query":"id=1%27%20UNION%20SELECT","cs-uri":"/p.php?id=1%27%20UNION%20SELECT","cs-version":"HTTP/1.1","sc-status":404,"sc-bytes":162,"cs-referer":"-","cs-user-agent":"sqlmap/1.8","cs-uri-decoded":"/p.php?id=1' UNION SELECT"}"#,
            ),
            (
                r#"192.0.2.7 - bob [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326"#,
                r#"{"c-ip":"192.0.2.7","cs-username":"bob","date":"10/Oct/2000:13:55:36 -0700","cs-method":"GET","cs-uri-stem":"/a","cs-uri-query":"","cs-uri":"/a","cs-version":"HTTP/1.0","sc-status":200,"sc-bytes":2326,"cs-uri-decoded":"/a"}"#,
            ),
            (
                r#"192.0.2.7 - - [21/Nov/2026:12:00:01 +0000] "\x16\x03\x01" 400 150 "-" "-""#,
                r#"{"c-ip":"192.0.2.7","cs-username":"-","date":"21/Nov/2026:12:00:01 +0000","cs-uri-stem":"\\x16\\x03\\x01","cs-uri-query":"","cs-uri":"\\x16\\x03\\x01","sc-status":400,"sc-bytes":150,"cs-referer":"-","cs-user-agent":"-","cs-uri-decoded":"\\x16\\x03\\x01"}"#,
            ),
            (
                r#"www.example.com:443 2001:db8::1 - - [21/Nov/2026:12:00:01 +0000] "POST /x HTTP/2.0" 200 - "-" "a \"b\" c" "-""#,
                r#"{"c-ip":"2001:db8::1","cs-username":"-","date":"21/Nov/2026:12:00:01 +0000","cs-host":"www.example.com:443","cs-method":"POST","cs-uri-stem":"/x","cs-uri-query":"","cs-uri":"/x","cs-version":"HTTP/2.0","sc-status":200,"sc-bytes":"-","cs-referer":"-","cs-user-agent":"a \\\"b\\\" c","cs-uri-decoded":"/x"}"#,
            ),
            (
                r#"Nov 21 12:00:01 web1 nginx: 192.0.2.7 - - [21/Nov/2026:12:00:01 +0000] "" 400 0"#,
                r#"{"c-ip":"192.0.2.7","cs-username":"-","date":"21/Nov/2026:12:00:01 +0000","cs-uri-stem":"","cs-uri-query":"","cs-uri":"","sc-status":400,"sc-bytes":0,"cs-uri-decoded":""}"#,
            ),
            ("192.0.2.7 - - [not a date] \"GET / HTTP/1.1\" 200 1", "none"),
            ("", "none"),
        ];
        for (line, wanted) in cases {
            assert_eq!(check(line), wanted, "{line}");
        }
    }

    #[test]
    fn decoding_happens_once_and_never_fails() {
        assert_eq!(percent_decoded("/%252e%2E/%zz%4"), "/%2e./%zz%4");
        assert_eq!(percent_decoded("/%ff"), "/\u{fffd}");
    }
}
