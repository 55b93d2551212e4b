//! Which format a line is in, told by its shape alone or with the sender's word for its source.

use super::{
    ACCESS, AUDIT, JSON, Recognised, SYSLOG, TEXT, WINDOWS, access, audit, cloud,
    programs::{Program, program},
    shape::{Name, Shape},
    sshd, syslog, zeek,
};

/// The longest source name that is kept.
const MAX_SOURCE: usize = 64;

/// Recognises one line. `hint` is `?source=` or the token's default: it names the source and settles what shape leaves open.
pub fn recognise(line: &[u8], hint: Option<&str>) -> Recognised {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    let object = |text| Shape::read(text).ok();
    // Audit records that a shipper wrapped one by one are one event of several objects: the first tells.
    let shape = text.starts_with('{').then(|| object(text).or_else(|| object(text.lines().next()?))).flatten();
    match shape {
        Some(shape) => of_object(&shape, hint),
        None => of_text(text, hint).unwrap_or_else(|| named(hint, "text", TEXT)),
    }
}

/// A text line, by shape, else by the hint.
pub(crate) fn of_text(text: &str, hint: Option<&str>) -> Option<Recognised> {
    match text_shape(text) {
        Some((source, format)) => Some(named(hint, source, format)),
        None => hint.map(|hint| named(Some(hint), hint, format_of(hint).unwrap_or(TEXT))),
    }
}

/// A JSON object.
pub(crate) fn of_object(shape: &Shape<'_>, hint: Option<&str>) -> Recognised {
    let (source, format) = own_format(shape).unwrap_or_else(|| carried(shape, hint));
    named(hint, source, format)
}

fn named(hint: Option<&str>, source: &str, format: &'static str) -> Recognised {
    let source = hint.map(str::trim).filter(|hint| !hint.is_empty()).unwrap_or(source);
    Recognised { source: source.chars().take(MAX_SOURCE).collect(), format }
}

/// Objects whose own members tell what they are.
fn own_format(shape: &Shape<'_>) -> Option<(&'static str, &'static str)> {
    let object = |name| shape.raw(name).is_some_and(|raw| raw.starts_with('{'));
    let windows =
        (shape.has(Name::Channel) && shape.has(Name::EventId)) || object(Name::Winlog) || object(Name::System);
    if windows || shape.raw(Name::Event).is_some_and(|raw| raw.starts_with('{') && raw.contains("\"System\"")) {
        return Some(("windows", WINDOWS));
    }
    if shape.has(Name::JournalTransport) && shape.has(Name::JournalMessage) {
        return Some((shape.text(Name::Program).map_or("journal", |tag| journal_source(&tag)), SYSLOG));
    }
    if let Some(service) = cloud::of(shape) {
        return Some((service.name(), JSON));
    }
    if is_audit(shape) {
        return Some(("auditd", AUDIT));
    }
    if zeek::log(shape).is_some() {
        return Some(("zeek", JSON));
    }
    shape.has(Name::AccessMark).then_some(("nginx", ACCESS))
}

fn journal_source(tag: &str) -> &'static str {
    match program(tag).source {
        "syslog" => "journal",
        source => source,
    }
}

/// `type` and `msg: audit(...)`, or a record type among fields that only audit has.
fn is_audit(shape: &Shape<'_>) -> bool {
    let Some(kind) = shape.raw(Name::AuditType) else { return false };
    if shape.text(Name::AuditMsg).is_some_and(|text| text.starts_with("audit(")) {
        return true;
    }
    let word = kind.trim_start_matches(['[', ' ', '"']).split('"').next().unwrap_or("");
    let typed = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    typed && shape.has(Name::AuditMark)
}

/// Objects that carry a line: by the line's shape, the program named beside it, or the hint.
fn carried(shape: &Shape<'_>, hint: Option<&str>) -> (&'static str, &'static str) {
    let Some(inner) = shape.inner_text() else { return ("json", JSON) };
    let named = shape.text(Name::Program);
    if let Some(found) = text_shape(&inner) {
        return found;
    }
    if let Some(tag) = named.filter(|_| !shape.has(Name::Image)) {
        return (program(&tag).source, SYSLOG);
    }
    let told = [hint.map(Into::into), shape.text(Name::Source), shape.text(Name::SourceType)];
    let known = told.into_iter().flatten().filter_map(|name| known_source(&name));
    known.into_iter().find(|(_, format)| *format != WINDOWS && *format != JSON).unwrap_or(("json", JSON))
}

/// A text line's source and format by its shape alone.
pub(crate) fn text_shape(text: &str) -> Option<(&'static str, &'static str)> {
    if text.starts_with('{') {
        return None;
    }
    if text.contains("msg=audit(") && audit::header(text).is_some() {
        return Some(("auditd", AUDIT));
    }
    if access::parse(text).is_some() {
        return Some(("nginx", ACCESS));
    }
    let parts = syslog::parse(text);
    if parts.has_header() {
        return Some((parts.program.map_or("syslog", |tag| program(tag).source), SYSLOG));
    }
    if sshd::is_message(text) {
        return Some(("sshd", SYSLOG));
    }
    (text.starts_with("CEF:") || text.starts_with("LEEF:")).then_some(("syslog", SYSLOG))
}

/// The format of a source that we know by name.
fn format_of(source: &str) -> Option<&'static str> {
    known_source(source).map(|(_, format)| format)
}

fn known_source(source: &str) -> Option<(&'static str, &'static str)> {
    Some(match source.trim().to_ascii_lowercase().as_str() {
        "nginx" | "access" | "web" | "access_combined" | "access_common" | "nginx:access" => ("nginx", ACCESS),
        "apache" | "apache2" | "httpd" | "apache:access" => ("apache", ACCESS),
        "auditd" | "audit" | "linux_audit" | "linux:audit" => ("auditd", AUDIT),
        "windows" | "wineventlog" => ("windows", WINDOWS),
        "journal" => ("journal", SYSLOG),
        "syslog" => ("syslog", SYSLOG),
        "auth" | "authlog" | "linux_secure" => ("auth", SYSLOG),
        "json" => ("json", JSON),
        name => match program(name) {
            Program { source: "syslog", .. } => return None,
            known => (known.source, SYSLOG),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, hint: Option<&str>) -> String {
        let seen = recognise(line.as_bytes(), hint);
        format!("{} {}", seen.source, seen.format)
    }

    #[test]
    fn a_line_is_known_by_its_shape() {
        let cases = [
            ("Nov 21 08:00:01 web1 sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2", "sshd syslog/1"),
            ("2026-11-21T08:00:01.1+00:00 web1 sudo: bob : TTY=pts/0 ; COMMAND=/bin/sh", "sudo syslog/1"),
            ("<86>Nov 21 08:00:01 web1 CRON[7]: (root) CMD (x)", "cron syslog/1"),
            ("Nov 21 08:00:01 web1 su[7]: (to root) bob on pts/0", "su syslog/1"),
            ("Nov 21 08:00:01 web1 useradd[7]: new user: name=x, UID=0", "auth syslog/1"),
            ("Nov 21 08:00:01 web1 kernel: [1.0] x", "syslog syslog/1"),
            ("type=CWD msg=audit(1763726400.001:9): cwd=\"/\"", "auditd audit/1"),
            ("203.0.113.9 - - [21/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"x\"", "nginx access/1"),
            ("Failed password for root from 203.0.113.9 port 1 ssh2", "sshd syslog/1"),
            ("CEF:0|V|P|1|7|n|5|src=1.2.3.4", "syslog syslog/1"),
            ("just some words", "text text/1"),
            (r#"{"Channel":"Security","EventID":4625}"#, "windows windows/1"),
            (r#"{"winlog":{"event_id":1}}"#, "windows windows/1"),
            (r#"{"Event":{"System":{"EventID":1}}}"#, "windows windows/1"),
            (
                r#"{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"x","_TRANSPORT":"syslog"}"#,
                "sshd syslog/1",
            ),
            (r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":"x","_TRANSPORT":"kernel"}"#, "journal syslog/1"),
            (r#"{"type":"EXECVE","msg":"audit(1.0:2)","a0":"ls"}"#, "auditd audit/1"),
            (r#"{"type":["SYSCALL","EXECVE"],"exe":"/bin/ls"}"#, "auditd audit/1"),
            (r#"{"type":"user","exe":"/bin/ls"}"#, "json json/1"),
            (r#"{"message":"Nov 21 08:00:01 web1 sshd[1]: Invalid user x from 203.0.113.9 port 1"}"#, "sshd syslog/1"),
            (
                r#"{"message":"203.0.113.9 - - [21/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 1"}"#,
                "nginx access/1",
            ),
            (r#"{"message":"hello","program":"sshd","host":"web1"}"#, "sshd syslog/1"),
            (r#"{"message":"Connection closed","source":"sshd"}"#, "sshd syslog/1"),
            (r#"{"message":"hello","source":"my-app"}"#, "json json/1"),
            (r#"{"c-ip":"203.0.113.9","cs-method":"GET","cs-uri-stem":"/"}"#, "nginx access/1"),
            (r#"{"Image":"/bin/ls","CommandLine":"ls"}"#, "json json/1"),
            (
                r#"{"eventVersion":"1.09","eventSource":"iam.amazonaws.com","eventName":"x","awsRegion":"r"}"#,
                "cloudtrail json/1",
            ),
            (
                r#"{"ts":1.5,"uid":"C1","id.orig_h":"203.0.113.9","id.resp_h":"10.0.0.1","query":"x.example","qtype_name":"A"}"#,
                "zeek json/1",
            ),
            ("{broken", "text text/1"),
        ];
        for (line, wanted) in cases {
            assert_eq!(check(line, None), wanted, "{line}");
        }
    }

    #[test]
    fn the_senders_word_names_the_source_and_settles_what_shape_leaves_open() {
        assert_eq!(check("some words", Some("my-app")), "my-app text/1");
        assert_eq!(check("some words", Some("auth")), "auth syslog/1");
        assert_eq!(check("Nov 21 08:00:01 web1 sshd[1]: x", Some("vm-7")), "vm-7 syslog/1");
        assert_eq!(check(r#"{"message":"session opened"}"#, Some("sshd")), "sshd syslog/1");
        assert_eq!(
            check("203.0.113.9 - - [21/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 1", Some("apache")),
            "apache access/1"
        );
    }
}
