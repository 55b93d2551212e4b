//! From an event's bytes to the fields rules read, the typed facts and the entities. A pure function, never stored.

use std::borrow::Cow;

use shieldops_model::{Event, LogSource, Normalised, Ocsf, Process};

use super::{
    ACCESS, AUDIT, JSON, SYSLOG, WINDOWS, access, audit,
    class::{Class, Kind, PREAUTH},
    cloud, device,
    facts::{Facts, entities},
    flat::{Field, Flat, json_text, one_line},
    programs::program,
    shape::{Name, Shape},
    syslog, time, windows, zeek,
};

/// Why an event could not be read as what it claims to be. It is kept and becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// `not_normalisable`.
    pub code: &'static str,
    pub detail: String,
}

impl Problem {
    fn new(detail: impl Into<String>) -> Self {
        Self { code: "not_normalisable", detail: detail.into() }
    }
}

/// The normalised form of an event; one that cannot be read has its text as `message`.
pub fn normalise(event: &Event) -> Normalised {
    normalise_checked(event).0
}

/// Like `normalise`, and says why an event could not be read.
pub fn normalise_checked(event: &Event) -> (Normalised, Option<Problem>) {
    normalise_parts(&event.source, &event.format, &event.raw)
}

/// Normalises bytes that are no event yet: lines of a scan, samples of a rule.
pub fn normalise_parts(source: &str, format: &str, raw: &[u8]) -> (Normalised, Option<Problem>) {
    let text = String::from_utf8_lossy(raw);
    let text = text.trim();
    let read = match format {
        SYSLOG => Ok(syslog_line(source, text)),
        ACCESS => access_line(source, text),
        AUDIT => audit_event(text),
        WINDOWS => windows_event(text),
        JSON => json_event(text),
        _ => Ok((plain(text), None)),
    };
    let (mut normalised, problem) = read.unwrap_or_else(|problem| (plain(text), Some(problem)));
    if problem.is_none() && normalised.log_source == LogSource::default() {
        normalised.log_source = named(source);
    }
    (normalised, problem)
}

/// What says nothing of itself is of the product and service that its source is called: an application of one's own.
fn named(source: &str) -> LogSource {
    let name = source.trim().to_lowercase();
    if matches!(name.as_str(), "" | "json" | "text") {
        return LogSource::default();
    }
    LogSource { product: Some(name.clone()), categories: Vec::new(), service: Some(name) }
}

type Read = Result<(Normalised, Option<Problem>), Problem>;

/// What nobody can read: the text is its message.
fn plain(text: &str) -> Normalised {
    let mut flat = Flat::new();
    if !(text.starts_with('{') && flat.put_object(text)) {
        flat.put_text("message", text);
    }
    finish(&flat, LogSource::default(), (Class::Base, "Other"), |_| {}).0
}

/// Facts and entities of the fields; `adjust` has the last word on the facts.
fn finish(
    flat: &Flat<'_>,
    log_source: LogSource,
    kind: Kind,
    adjust: impl FnOnce(&mut Ocsf),
) -> (Normalised, Option<Problem>) {
    finish_facts(flat, &Facts::of(flat), log_source, kind, adjust)
}

fn finish_facts(
    flat: &Flat<'_>,
    facts: &Facts<'_>,
    log_source: LogSource,
    kind: Kind,
    adjust: impl FnOnce(&mut Ocsf),
) -> (Normalised, Option<Problem>) {
    let mut ocsf = facts.project(kind);
    adjust(&mut ocsf);
    if kind.1 == PREAUTH {
        ocsf.status = None;
    }
    let entities = entities(&ocsf);
    let problem =
        (flat.dropped() > 0).then(|| Problem::new(format!("{} fields over the limit were left out", flat.dropped())));
    (Normalised { log_source, flat: flat.render(), ocsf, entities }, problem)
}

fn linux(service: &str, categories: &[&str]) -> LogSource {
    LogSource {
        product: Some("linux".to_owned()),
        categories: categories.iter().map(|name| (*name).to_owned()).collect(),
        service: Some(service.to_owned()),
    }
}

/// The object around a line, if there is one, and the line.
fn unwrapped(text: &str) -> (Option<Shape<'_>>, Cow<'_, str>) {
    let shape = if text.starts_with('{') { Shape::read(text).ok() } else { None };
    let inner = shape.as_ref().and_then(Shape::inner_text).unwrap_or(Cow::Borrowed(text));
    (shape, inner)
}

fn syslog_line(source: &str, text: &str) -> (Normalised, Option<Problem>) {
    let (shape, inner) = unwrapped(text);
    let tag = shape.as_ref().and_then(|shape| shape.text(Name::Program));
    let mut parts = syslog::parse(&inner);
    if !parts.has_header() {
        parts = syslog::Parts { priority: parts.priority, message: parts.message, ..syslog::Parts::default() };
        parts.program = tag.as_deref();
    }
    let bare = parts.program.is_none();
    let own = program(source);
    let tag = match parts.program {
        Some(tag) => tag,
        None if own.source != "syslog" => source,
        None if super::sshd::is_message(parts.message) => "sshd",
        None => "",
    };
    if bare && !tag.is_empty() {
        parts.program = Some(tag);
    }
    let named = program(tag);
    let mut flat = Flat::new();
    parts.put(&mut flat);
    if let Some(read) = device::read(parts.message, &mut flat) {
        return device_line(read, shape.is_some().then_some(text), flat);
    }
    let kind = (named.read)(parts.message, &mut flat).unwrap_or((Class::Base, "Other"));
    if shape.is_some() {
        put_outer(text, &mut flat);
    }
    let (normalised, problem) = finish(&flat, linux(named.service, &[]), kind, |ocsf| syslog_facts(&flat, tag, ocsf));
    let headless = shape.is_none() && !parts.has_header() && tag.is_empty() && parts.priority.is_none();
    let missing = headless.then(|| Problem::new("no syslog header: neither priority, time nor tag"));
    (normalised, problem.or(missing))
}

/// A line in CEF or LEEF: its keys are fields, and the device that speaks is the log source.
fn device_line<'a>(
    read: Result<device::Device, &'static str>,
    outer: Option<&'a str>,
    mut flat: Flat<'a>,
) -> (Normalised, Option<Problem>) {
    if let Some(outer) = outer {
        put_outer(outer, &mut flat);
    }
    let (log_source, problem) = match read {
        Ok(device) => (device.log_source(), None),
        Err(why) => (LogSource::default(), Some(Problem::new(why))),
    };
    let facts = Facts::of(&flat).with(&flat, device::NAMES);
    let kind = device::kind(&flat).unwrap_or_else(|| facts.kind());
    let (normalised, dropped) = finish_facts(&flat, &facts, log_source, kind, |ocsf| device::adjust(&flat, ocsf));
    (normalised, problem.or(dropped))
}

/// The process is the program; for sudo and cron it is what they started.
fn syslog_facts(flat: &Flat<'_>, tag: &str, ocsf: &mut Ocsf) {
    let command = flat.text("command").map(Cow::into_owned);
    let started =
        command.as_deref().and_then(|line| line.split_whitespace().next()).filter(|word| word.starts_with('/'));
    let image = started.map(str::to_owned).or_else(|| (!tag.is_empty()).then(|| tag.to_owned()));
    let pid = flat.text("pid").and_then(|pid| pid.parse().ok());
    if image.is_some() || pid.is_some() {
        ocsf.process = Some(Process { pid, image, command_line: command });
    }
    if program(tag).source == "sshd" && ocsf.session.is_none() {
        ocsf.session = pid.map(|pid| pid.to_string());
    }
}

/// The members of the object around a line, under the names that syslog fields have where they mean the same.
fn put_outer<'a>(raw: &'a str, flat: &mut Flat<'a>) {
    for (name, value) in super::flat::members(raw).unwrap_or_default() {
        let name = match name.as_ref() {
            "message" | "MESSAGE" => continue,
            "_HOSTNAME" | "host" if value.starts_with('"') => Cow::Borrowed("hostname"),
            "SYSLOG_IDENTIFIER" | "ident" | "appname" | "app_name" | "programname" => Cow::Borrowed("program"),
            "_PID" | "SYSLOG_PID" | "procid" => Cow::Borrowed("pid"),
            "__REALTIME_TIMESTAMP" | "@timestamp" | "time" => Cow::Borrowed("timestamp"),
            _ => name,
        };
        let field = match (name.as_ref(), json_text(value)) {
            ("pid", Some(text)) => Field::scalar(text.into_owned()),
            ("timestamp", Some(text)) => time::epoch(&text)
                .map_or(Field::Json(Cow::Borrowed(value)), |time| Field::Text(time.to_string().into())),
            _ => Field::Json(Cow::Borrowed(value)),
        };
        flat.put(name, field);
    }
}

fn access_line(source: &str, text: &str) -> Read {
    let (shape, inner) = unwrapped(text);
    let product = if source.to_ascii_lowercase().contains("apache") || source == "httpd" { "apache" } else { "nginx" };
    let mut flat = Flat::new();
    let entry = access::parse(&inner);
    match &entry {
        Some(entry) => entry.put(&mut flat),
        None if shape.as_ref().is_some_and(|shape| shape.has(Name::AccessMark)) => {}
        None => return Err(Problem::new("not an access line in the common or combined format")),
    }
    let header = syslog::parse(&inner);
    if let Some(host) = header.hostname.filter(|_| header.has_header()) {
        flat.put_text("hostname", host);
    }
    if shape.is_some() {
        put_outer(text, &mut flat);
    }
    let log_source = LogSource {
        product: Some(product.to_owned()),
        categories: vec!["webserver".to_owned()],
        service: Some(product.to_owned()),
    };
    Ok(finish(&flat, log_source, (Class::Http, "Request"), |ocsf| {
        ocsf.user = ocsf.actor_user.clone();
        ocsf.dst_domain = flat.text("cs-host").and_then(|host| host.split(':').next().map(str::to_lowercase));
    }))
}

fn audit_event(text: &str) -> Read {
    let lines: Vec<(Option<&str>, Cow<'_, str>)> = text
        .lines()
        .map(|line| {
            let (shape, inner) = unwrapped(line);
            (shape.map(|_| line), inner)
        })
        .collect();
    // A shipper may have put all records of an event into one object.
    let records: Vec<_> = lines.iter().flat_map(|(_, inner)| inner.lines()).filter_map(audit::Record::parse).collect();
    let mut flat = Flat::new();
    let kind = match audit::read(&records, &mut flat) {
        Some(kind) => kind,
        None => read_audit_json(text, &mut flat)
            .ok_or_else(|| Problem::new("not an audit record: no `type=... msg=audit(...)`"))?,
    };
    for (outer, _) in &lines {
        put_audit_outer(*outer, &mut flat);
    }
    let host = lines.iter().find_map(|(_, line)| syslog::parse(line).hostname.filter(|_| !line.starts_with("type=")));
    let process = flat.has("CommandLine");
    let categories: &[&str] = match (process, audit::writes_file(&flat)) {
        (true, _) => &["process_creation"],
        (false, true) => &["file_event"],
        (false, false) => &[],
    };
    Ok(finish(&flat, linux("auditd", categories), kind, |ocsf| audit_facts(&flat, host, ocsf)))
}

/// A record whose fields a sender already took apart.
fn read_audit_json<'a>(text: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if !flat.put_object(text) || !flat.has("type") {
        return None;
    }
    let execve = match flat.get("type") {
        Some(Field::Json(kind)) => kind.contains("\"EXECVE\""),
        _ => false,
    };
    if execve && !flat.has("CommandLine") {
        let arguments: Vec<String> =
            (0..1_024).map_while(|at| flat.get(&format!("a{at}"))?.as_text().map(Cow::into_owned)).collect();
        flat.put_text("CommandLine", arguments.join(" "));
    }
    Some(if flat.has("CommandLine") { (Class::Process, "Launch") } else { (Class::Base, "Other") })
}

/// The host and time that a shipper put around a record. The record's own `hostname` is the far side's.
fn put_audit_outer<'a>(outer: Option<&'a str>, flat: &mut Flat<'a>) {
    for (name, value) in outer.and_then(super::flat::members).unwrap_or_default() {
        if matches!(name.as_ref(), "host" | "hostname" | "_HOSTNAME" | "node") && value.starts_with('"') {
            flat.put("host", Field::Json(Cow::Borrowed(value)));
        } else if name != "message" && name != "source" {
            flat.put(name, Field::Json(Cow::Borrowed(value)));
        }
    }
}

fn audit_facts(flat: &Flat<'_>, header: Option<&str>, ocsf: &mut Ocsf) {
    let host = flat.text("host").or_else(|| flat.text("node")).or(header.map(Cow::Borrowed));
    ocsf.device = host.map(|host| host.trim_end_matches('.').to_lowercase());
    if ocsf.actor_user.is_none() && ocsf.user.is_none() {
        let names = ["AUID", "auid", "UID", "uid"];
        ocsf.actor_user =
            names.iter().filter_map(|name| flat.text(name)).find(|user| !audit::unset(user)).map(Cow::into_owned);
    }
    if ocsf.class_uid == Class::FileSystem.uid() {
        ocsf.file = created_path(flat);
    }
}

/// The path that was created, else the last one; a relative one is under the working directory.
fn created_path(flat: &Flat<'_>) -> Option<String> {
    let (Some(Field::List(names)), kinds) = (flat.get("name"), flat.get("nametype")) else { return None };
    let created = match kinds {
        Some(Field::List(kinds)) => names.iter().zip(kinds).find(|(_, kind)| *kind == "CREATE").map(|(name, _)| name),
        _ => None,
    };
    let name = created.or(names.last())?;
    match flat.text("cwd") {
        Some(cwd) if !name.starts_with('/') => Some(format!("{}/{name}", cwd.trim_end_matches('/'))),
        _ => Some(name.clone().into_owned()),
    }
}

fn windows_event(text: &str) -> Read {
    let flat = windows::read(text).ok_or_else(|| Problem::new("not a Windows event: no JSON object with EventID"))?;
    let identity = windows::identity(&flat);
    let kind = identity.as_ref().map_or((Class::Base, "Other"), |(channel, id)| windows::kind(channel, *id));
    let (normalised, problem) = finish(&flat, windows::source_of(&flat), kind, |ocsf| {
        let Some((channel, id)) = &identity else { return };
        if let Some(outcome) = windows::outcome(channel, *id) {
            ocsf.status = Some(outcome.to_owned());
        }
        if *id == 4688 {
            creator_is_parent(ocsf, &flat);
        }
    });
    let missing = identity.is_none().then(|| Problem::new("Channel or EventID is missing"));
    Ok((normalised, problem.or(missing)))
}

/// In 4688 `ProcessId` is the creator's, `NewProcessId` the new process's.
fn creator_is_parent(ocsf: &mut Ocsf, flat: &Flat<'_>) {
    let number = |name: &str| {
        let text = flat.text(name)?;
        text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
    };
    if let Some(process) = &mut ocsf.process {
        process.pid = number("NewProcessId");
    }
    ocsf.parent.get_or_insert_with(Process::default).pid = number("ProcessId");
}

fn json_event(text: &str) -> Read {
    let shape = Shape::read(text).map_err(|error| Problem::new(error.to_string()))?;
    if let Some(service) = cloud::of(&shape) {
        let (line, told) = cloud::read(service, &shape, text);
        // A host beside the record is the shipper's: the record speaks of no machine.
        let ocsf = match &told {
            Some(told) => told.ocsf(),
            None => Ocsf { device: None, ..Facts::of_json(&line).project((Class::ApiActivity, "Other")) },
        };
        let entities = entities(&ocsf);
        return Ok((
            Normalised { log_source: service.log_source(), flat: one_line(&line).into_owned(), ocsf, entities },
            None,
        ));
    }
    let facts = Facts::of_json(text);
    let (log_source, kind) = json_source(&shape).unwrap_or_else(|| (LogSource::default(), facts.kind()));
    let ocsf = facts.project(kind);
    let entities = entities(&ocsf);
    Ok((Normalised { log_source, flat: one_line(text).into_owned(), ocsf, entities }, None))
}

/// Objects of no format of ours that still say what they are.
fn json_source(shape: &Shape<'_>) -> Option<(LogSource, Kind)> {
    if let (Some(image), true) = (shape.text(Name::Image), shape.has(Name::CommandLine)) {
        let product = if image.contains('\\') { "windows" } else { "linux" };
        let categories = vec!["process_creation".to_owned()];
        let source = LogSource { product: Some(product.to_owned()), categories, service: None };
        return Some((source, (Class::Process, "Launch")));
    }
    if let Some((service, kind)) = zeek::log(shape) {
        return Some((zeek::log_source(service), kind));
    }
    if shape.keys(&["record_type", "query"]) {
        let source = LogSource { product: None, categories: vec!["dns".to_owned()], service: None };
        return Some((source, (Class::Dns, "Query")));
    }
    None
}

#[cfg(test)]
mod tests;
