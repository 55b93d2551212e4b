//! Syslog lines: RFC 5424, RFC 3164 with and without year or priority, and the ISO stamps rsyslog writes to files.

use super::{
    flat::{Field, Flat},
    time::Stamp,
};

/// The parts of one line; all absent and the whole line as message where nothing is recognised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    pub priority: Option<u8>,
    pub stamp: Option<Stamp<'a>>,
    pub hostname: Option<&'a str>,
    pub program: Option<&'a str>,
    pub pid: Option<&'a str>,
    pub msgid: Option<&'a str>,
    pub structured: Option<&'a str>,
    pub message: &'a str,
}

impl<'a> Parts<'a> {
    /// Whether the line has the header of a syslog line: a priority, or a time with host and tag.
    pub fn has_header(&self) -> bool {
        self.priority.is_some() || (self.stamp.is_some() && self.program.is_some())
    }

    /// The standard fields, `message` last.
    pub fn put(&self, flat: &mut Flat<'a>) {
        let mut text = |name: &'static str, value: Option<&'a str>| {
            if let Some(value) = value {
                flat.put_text(name, value);
            }
        };
        text("timestamp", self.stamp.map(Stamp::as_str));
        text("hostname", self.hostname);
        text("program", self.program);
        if let Some(pid) = self.pid {
            flat.put("pid", Field::scalar(pid));
        }
        if let Some(priority) = self.priority {
            flat.put_text("facility", facility(priority));
            flat.put_text("severity", severity(priority));
        }
        let mut text = |name: &'static str, value: Option<&'a str>| {
            if let Some(value) = value {
                flat.put_text(name, value);
            }
        };
        text("msgid", self.msgid);
        text("structured_data", self.structured);
        text("message", Some(self.message));
    }
}

/// Reads one line. Never fails: what is not syslog is all message.
pub fn parse(line: &str) -> Parts<'_> {
    let line = line.trim_end_matches(['\r', '\n', '\0']);
    let (priority, rest) = priority(line);
    let newer = rest.strip_prefix("1 ").filter(|_| priority.is_some());
    if let Some(parts) = newer.and_then(|rest| rfc5424(priority, rest)) {
        return parts;
    }
    let Some((stamp, rest)) = stamp(rest) else {
        let (program, pid, message) = if priority.is_some() { tag(rest) } else { (None, None, line) };
        return Parts { priority, program, pid, message, ..Parts::default() };
    };
    let (hostname, rest) = host(rest);
    let (program, pid, message) = tag(rest);
    Parts { priority, stamp: Some(stamp), hostname, program, pid, message, ..Parts::default() }
}

/// `<34>`, at most 191 (RFC 5424 section 6.2.1).
fn priority(line: &str) -> (Option<u8>, &str) {
    let parsed = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).and_then(|(digits, rest)| {
        let number = digits.parse::<u8>().ok().filter(|number| *number <= 191)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some((number, rest))
    });
    match parsed {
        Some((number, rest)) => (Some(number), rest),
        None => (None, line),
    }
}

/// Everything after `<PRI>1 ` (RFC 5424 section 6).
fn rfc5424(priority: Option<u8>, rest: &str) -> Option<Parts<'_>> {
    let (stamp, rest) = rest.split_once(' ')?;
    let (host, rest) = rest.split_once(' ')?;
    let (app, rest) = rest.split_once(' ')?;
    let (pid, rest) = rest.split_once(' ')?;
    let (msgid, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (structured, message) = structured(rest);
    Some(Parts {
        priority,
        stamp: present(stamp).map(Stamp::Iso),
        hostname: present(host),
        program: present(app),
        pid: present(pid),
        msgid: present(msgid),
        structured: structured.and_then(present),
        message: message.trim_start_matches('\u{feff}'),
    })
}

fn present(text: &str) -> Option<&str> {
    (text != "-" && !text.is_empty()).then_some(text)
}

/// Structured data and what follows it; a backslash escapes inside quotes.
fn structured(text: &str) -> (Option<&str>, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        return (None, rest.strip_prefix(' ').unwrap_or(rest));
    }
    if !text.starts_with('[') {
        return (None, text);
    }
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted => inside = true,
            b']' if !quoted => inside = false,
            b' ' if !quoted && !inside => {
                let (data, rest) = text.split_at_checked(at).unwrap_or((text, ""));
                return (Some(data), rest.strip_prefix(' ').unwrap_or(rest));
            }
            _ => {}
        }
    }
    (Some(text), "")
}

/// The time at the start of a line and what follows its blank.
fn stamp(text: &str) -> Option<(Stamp<'_>, &str)> {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    if bytes.first()?.is_ascii_digit() {
        return iso_stamp(text);
    }
    let text = text.trim_start_matches(['*', '.']);
    let (_, after) = text.split_at_checked(3).filter(|(month, _)| is_month(month))?;
    let day = after.strip_prefix(' ')?.trim_start();
    let (day, rest) = day.split_once(' ')?;
    if day.is_empty() || day.len() > 2 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
    if is_clock(word) {
        return Some((Stamp::Short(before(text, tail)?), tail));
    }
    let (clock, after) = tail.split_once(' ').unwrap_or((tail, ""));
    let year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    (year && is_clock(clock)).then_some((Stamp::WithYear(before(text, after)?), after))
}

/// `text` up to `tail`, which is its end.
fn before<'a>(text: &'a str, tail: &str) -> Option<&'a str> {
    text.get(..text.len().checked_sub(tail.len())?).map(|stamp| stamp.trim_end_matches([' ', ':']))
}

fn iso_stamp(text: &str) -> Option<(Stamp<'_>, &str)> {
    let (first, rest) = text.split_once(' ')?;
    let date = first.as_bytes();
    if !shaped(date, b"0000-00-00") {
        return None;
    }
    if matches!(date.get(10), Some(b'T')) {
        return Some((Stamp::Iso(first), rest));
    }
    let (clock, after) = rest.split_once(' ')?;
    let end = first.len().checked_add(1)?.checked_add(clock.len())?;
    (date.len() == 10 && is_clock(clock)).then_some((Stamp::Iso(text.get(..end)?), after))
}

fn is_clock(word: &str) -> bool {
    shaped(word.as_bytes(), b"00:00:00")
}

/// Whether a text begins like a pattern, in which `0` stands for any digit and `?` for anything.
pub(super) fn shaped(text: &[u8], pattern: &[u8]) -> bool {
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        b'?' => true,
        wanted => byte == wanted,
    };
    text.len() >= pattern.len() && text.iter().zip(pattern).all(fits)
}

fn is_month(word: &str) -> bool {
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].contains(&word)
}

/// The host, unless the next word is already the tag (local sockets send none).
fn host(text: &str) -> (Option<&str>, &str) {
    let text = text.trim_start();
    match text.split_once(' ') {
        Some((word, rest)) if !word.ends_with(':') && !word.contains('[') => (Some(word), rest),
        _ => (None, text),
    }
}

/// `program[pid]: message`; the whole text is the message where there is no tag.
fn tag(text: &str) -> (Option<&str>, Option<&str>, &str) {
    let trimmed = text.trim_start();
    if trimmed.starts_with("CEF:") || trimmed.starts_with("LEEF:") {
        return (None, None, trimmed);
    }
    let end = trimmed.bytes().take(96).position(|byte| matches!(byte, b':' | b'[' | b' ' | b'"' | b'<' | b'{' | b'='));
    let Some((name, rest)) = end.and_then(|end| trimmed.split_at_checked(end)).filter(|(name, _)| !name.is_empty())
    else {
        return (None, None, text);
    };
    if let Some(message) = rest.strip_prefix(':') {
        return (Some(name), None, message.strip_prefix(' ').unwrap_or(message));
    }
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match bracketed {
        Some((pid, message)) if pid.len() <= 32 => {
            let message = message.strip_prefix(':').unwrap_or(message);
            (Some(name), Some(pid), message.strip_prefix(' ').unwrap_or(message))
        }
        _ => (None, None, text),
    }
}

fn facility(priority: u8) -> &'static str {
    const NAMES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
        "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];
    NAMES.get(usize::from(priority >> 3)).copied().unwrap_or("unknown")
}

fn severity(priority: u8) -> &'static str {
    const NAMES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    NAMES.get(usize::from(priority & 7)).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> String {
        let mut flat = Flat::new();
        parse(line).put(&mut flat);
        flat.render()
    }

    #[test]
    fn every_header_is_read() {
        let cases = [
            (
                "<38>1 2026-11-21T12:00:00.123Z web1 sshd 812 ID47 [ex@1 a=\"x \\\"] y\"][b@2] Failed password",
                r#"{"timestamp":"2026-11-21T12:00:00.123Z","hostname":"web1","program":"sshd","pid":812,"facility":"auth","severity":"info","msgid":"ID47","structured_data":"[ex@1 a=\"x \\\"] y\"][b@2]","message":"Failed password"}"#,
            ),
            ("<13>1 - - - - - -", r#"{"facility":"user","severity":"notice","message":""}"#),
            (
                "<86>Nov  1 08:00:01 web1 CRON[77]: (root) CMD (x)",
                r#"{"timestamp":"Nov  1 08:00:01","hostname":"web1","program":"CRON","pid":77,"facility":"authpriv","severity":"info","message":"(root) CMD (x)"}"#,
            ),
            (
                "Nov 21 08:00:01 web1 sudo:   bob : TTY=pts/0",
                r#"{"timestamp":"Nov 21 08:00:01","hostname":"web1","program":"sudo","message":"  bob : TTY=pts/0"}"#,
            ),
            (
                "2026-11-21T12:00:00.123456+00:00 web1 sshd-session[812]: Accepted",
                r#"{"timestamp":"2026-11-21T12:00:00.123456+00:00","hostname":"web1","program":"sshd-session","pid":812,"message":"Accepted"}"#,
            ),
            (
                "Nov 21 2026 08:00:01 fw1 app: hello",
                r#"{"timestamp":"Nov 21 2026 08:00:01","hostname":"fw1","program":"app","message":"hello"}"#,
            ),
            (
                "<13>Nov 21 08:00:01 su[9]: x",
                r#"{"timestamp":"Nov 21 08:00:01","program":"su","pid":9,"facility":"user","severity":"notice","message":"x"}"#,
            ),
            ("no header at all", r#"{"message":"no header at all"}"#),
            ("<999>x", r#"{"message":"<999>x"}"#),
            (
                "<134>Nov 21 08:00:01 fw1 CEF:0|V|P|1|7|n|5|src=1.2.3.4",
                r#"{"timestamp":"Nov 21 08:00:01","hostname":"fw1","facility":"local0","severity":"info","message":"CEF:0|V|P|1|7|n|5|src=1.2.3.4"}"#,
            ),
        ];
        for (line, wanted) in cases {
            assert_eq!(check(line), wanted, "{line}");
        }
    }
}
