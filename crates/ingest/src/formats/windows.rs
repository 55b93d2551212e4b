//! Windows events as JSON: flat ones keep their names; the nested shapes of shippers and exporters become flat.

mod table;

use std::borrow::Cow;

use shieldops_model::LogSource;

pub use table::{is_known, kind, log_source, outcome, table_source, without_mappings};

use super::flat::{Field, Flat, json_text, members};

/// The flat form of one JSON event; None where it is no Windows event.
pub fn read(raw: &str) -> Option<Flat<'_>> {
    let mut outer = Flat::new();
    if !outer.put_object(raw) {
        return None;
    }
    let mut flat = match (json(&outer, "Event"), json(&outer, "winlog")) {
        (Some(event), _) if event.starts_with('{') => nested(event)?,
        (_, Some(winlog)) if winlog.starts_with('{') => winlogbeat(winlog, raw),
        _ if json(&outer, "System").is_some_and(|system| system.starts_with('{')) => nested(raw)?,
        _ => outer,
    };
    complete(&mut flat);
    Some(flat)
}

/// The channel and event id, if the event has both.
pub fn identity(flat: &Flat<'_>) -> Option<(String, i64)> {
    let id = flat.text("EventID").or_else(|| flat.text("EventId"))?.trim().parse().ok()?;
    let channel = flat.text("Channel").map(Cow::into_owned).or_else(|| {
        flat.text("Provider_Name")
            .filter(|name| name == "Microsoft-Windows-Sysmon")
            .map(|_| "Microsoft-Windows-Sysmon/Operational".to_owned())
    })?;
    Some((channel, id))
}

/// The log source of an event.
pub fn source_of(flat: &Flat<'_>) -> LogSource {
    match identity(flat) {
        Some((channel, id)) => log_source(&channel, id),
        None => LogSource { product: Some("windows".to_owned()), ..LogSource::default() },
    }
}

fn json<'a>(flat: &Flat<'a>, name: &str) -> Option<&'a str> {
    match flat.get(name) {
        Some(Field::Json(Cow::Borrowed(raw))) => Some(raw),
        _ => None,
    }
}

/// Names that flat shippers use otherwise, and an event id that is text.
fn complete(flat: &mut Flat<'_>) {
    for (from, to) in [("SourceName", "Provider_Name"), ("Hostname", "Computer")] {
        if let Some(value) = flat.get(from).cloned() {
            flat.put(to, value);
        }
    }
    let id = match flat.get("EventID") {
        Some(Field::Json(raw)) if raw.starts_with('"') => json_text(raw).and_then(|text| text.trim().parse().ok()),
        _ => None,
    };
    if let Some(id) = id {
        flat.set("EventID", Field::Int(id));
    }
}

/// `winlog.event_id`, `winlog.event_data.*` as Winlogbeat and its relatives send them.
fn winlogbeat<'a>(winlog: &'a str, raw: &'a str) -> Flat<'a> {
    const NAMES: [(&str, &str); 10] = [
        ("event_id", "EventID"),
        ("channel", "Channel"),
        ("provider_name", "Provider_Name"),
        ("provider_guid", "Provider_Guid"),
        ("computer_name", "Computer"),
        ("record_id", "EventRecordID"),
        ("task", "Task"),
        ("opcode", "Opcode"),
        ("level", "Level"),
        ("keywords", "Keywords"),
    ];
    let inner = members(winlog).unwrap_or_default();
    let value = |name: &str| inner.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let mut flat = Flat::new();
    for (from, to) in NAMES {
        if let Some(value) = value(from) {
            flat.put(to, Field::Json(Cow::Borrowed(value)));
        }
    }
    for name in ["event_data", "user_data"] {
        put_data(value(name).unwrap_or("{}"), &mut flat);
    }
    for (name, value) in members(raw).unwrap_or_default() {
        match name.as_ref() {
            "@timestamp" => flat.put("TimeCreated", Field::Json(Cow::Borrowed(value))),
            "message" => flat.put("Message", Field::Json(Cow::Borrowed(value))),
            "winlog" => {}
            // `process.command_line` and the like: modules move values there, out of `event_data`.
            _ => flat.put(name, Field::Json(Cow::Borrowed(value))),
        }
    }
    flat
}

/// `{System: {...}, EventData: {...}}`, as exporters of the XML form write it.
fn nested(event: &str) -> Option<Flat<'_>> {
    let parts = members(event)?;
    let part = |name: &str| parts.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let system = members(part("System")?)?;
    let mut flat = Flat::new();
    put_system(&system, &mut flat);
    put_data(part("EventData").unwrap_or("{}"), &mut flat);
    for (name, body) in members(part("UserData").unwrap_or("{}")).unwrap_or_default() {
        if !is_attributes(&name) {
            put_data(body, &mut flat);
        }
    }
    let rendering = part("RenderingInfo").and_then(members).unwrap_or_default();
    if let Some((_, message)) = rendering.into_iter().find(|(name, _)| name == "Message") {
        flat.put("Message", text_of(message));
    }
    Some(flat)
}

fn put_system<'a>(system: &[(Cow<'a, str>, &'a str)], flat: &mut Flat<'a>) {
    let part = |name: &str| system.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let id = part("EventID").map_or(Field::Json("null".into()), text_of);
    flat.put("EventID", id.as_text().and_then(|text| text.parse().ok()).map_or(id.clone(), Field::Int));
    flat.put("Channel", part("Channel").map_or(Field::Text("".into()), text_of));
    let attributes = |prefix: &'static str, flat: &mut Flat<'a>| {
        let named = part(prefix).into_iter().chain(part(&format!("{prefix}_attributes")));
        for (name, value) in named.flat_map(attributes_of) {
            flat.put(format!("{prefix}_{name}"), text_of(value));
        }
    };
    attributes("Provider", flat);
    for name in ["Computer", "Level", "Task", "Opcode", "Keywords", "Version", "EventRecordID"] {
        if let Some(value) = part(name) {
            flat.put(name, text_of(value));
        }
    }
    let created = part("TimeCreated").into_iter().chain(part("TimeCreated_attributes")).flat_map(attributes_of);
    if let Some((_, time)) = created.into_iter().find(|(name, _)| name == "SystemTime") {
        flat.put("TimeCreated", text_of(time));
    }
    attributes("Execution", flat);
    attributes("Security", flat);
}

/// The attributes of an element: under `#attributes`, as `@Name` members, or the element's own members.
fn attributes_of(raw: &str) -> Vec<(Cow<'_, str>, &str)> {
    let own = members(raw).unwrap_or_default();
    match own.iter().find(|(name, _)| is_attributes(name)) {
        Some((_, inner)) => members(inner).unwrap_or_default(),
        None => own
            .into_iter()
            .filter(|(name, _)| name != "#text")
            .map(|(name, value)| {
                (name.strip_prefix('@').map(|bare| Cow::Owned(bare.to_owned())).unwrap_or(name), value)
            })
            .collect(),
    }
}

fn is_attributes(name: &str) -> bool {
    matches!(name, "#attributes" | "xmlns" | "@xmlns")
}

/// Every value under its own name; blanks in names go. `Data` as a list of `{@Name, #text}` is opened.
fn put_data<'a>(raw: &'a str, flat: &mut Flat<'a>) {
    for (name, value) in members(raw).unwrap_or_default() {
        if is_attributes(&name) {
            continue;
        }
        if name == "Data" && put_named_data(value, flat) {
            continue;
        }
        let name = if name.contains(' ') { Cow::Owned(name.replace(' ', "")) } else { name };
        flat.put(name, text_of(value));
    }
}

/// `[{"@Name": "Image", "#text": "..."}]`; false where the elements have no names.
fn put_named_data<'a>(raw: &'a str, flat: &mut Flat<'a>) -> bool {
    let items: Vec<&'a serde_json::value::RawValue> = match raw.as_bytes().first() {
        Some(b'[') => serde_json::from_str(raw).unwrap_or_default(),
        Some(b'{') => serde_json::from_str(raw).into_iter().collect(),
        _ => Vec::new(),
    };
    let mut any = false;
    for item in items {
        let parts = members(item.get()).unwrap_or_default();
        let inner = parts.iter().find(|(name, _)| name == "#attributes").and_then(|(_, raw)| members(raw));
        let named = parts.iter().chain(inner.iter().flatten()).find(|(name, _)| name == "@Name" || name == "Name");
        let Some(name) = named.and_then(|(_, name)| json_text(name)) else { continue };
        let text =
            parts.iter().find(|(name, _)| name == "#text").map_or(Field::Text("".into()), |(_, text)| text_of(text));
        flat.put(name, text);
        any = true;
    }
    any
}

/// An element's text: `{"#text": ...}` is opened, null and a bare `#attributes` are empty.
fn text_of(raw: &str) -> Field<'_> {
    match raw.as_bytes().first() {
        Some(b'n') => Field::Text("".into()),
        Some(b'{') => {
            let parts = members(raw).unwrap_or_default();
            match parts.iter().find(|(name, _)| name == "#text") {
                Some((_, text)) => text_of(text),
                None if parts.len() == 1 && parts.iter().any(|(name, _)| is_attributes(name)) => Field::Text("".into()),
                None => Field::Json(Cow::Borrowed(raw)),
            }
        }
        Some(b'[') if raw.contains("#text") || raw.contains("null") => opened_list(raw),
        _ => Field::Json(Cow::Borrowed(raw)),
    }
}

/// A list whose elements are opened one by one.
fn opened_list(raw: &str) -> Field<'_> {
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let texts: Option<Vec<Cow<'_, str>>> = items
        .iter()
        .map(|item| match text_of(item.get()) {
            Field::Text(text) => Some(text),
            Field::Json(Cow::Borrowed(raw)) => json_text(raw),
            _ => None,
        })
        .collect();
    texts.map_or(Field::Json(Cow::Borrowed(raw)), Field::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str) -> String {
        read(raw).map_or_else(|| "none".to_owned(), |flat| flat.render())
    }

    #[test]
    fn every_shape_becomes_the_same_flat_event() {
        let exported = r##"{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon","Guid":"{57}"}},"EventID":1,"Version":5,"Level":4,"TimeCreated":{"#attributes":{"SystemTime":"2020-01-01T00:00:00.1Z"}},"EventRecordID":7,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"A","Security":{"#attributes":{"UserID":"S-1-5-18"}}},"EventData":{"Image":"C:\\x.exe","Empty":null,"Threat Name":"T"}}}"##;
        assert_eq!(
            check(exported),
            r#"{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Provider_Name":"Microsoft-Windows-Sysmon","Provider_Guid":"{57}","Computer":"A","Level":4,"Version":5,"EventRecordID":7,"TimeCreated":"2020-01-01T00:00:00.1Z","Security_UserID":"S-1-5-18","Image":"C:\\x.exe","Empty":"","ThreatName":"T"}"#
        );
        let from_xml = r##"{"Event":{"System":{"Provider":{"@Name":"P"},"EventID":{"#text":"4688","@Qualifiers":"0"},"Channel":"Security"},"EventData":{"Data":[{"@Name":"NewProcessName","#text":"C:\\a"},{"@Name":"B"}]}}}"##;
        assert_eq!(
            check(from_xml),
            r#"{"EventID":4688,"Channel":"Security","Provider_Name":"P","NewProcessName":"C:\\a","B":""}"#
        );
        let beat = r#"{"@timestamp":"2020-01-01T00:00:00Z","message":"m","winlog":{"event_id":"4625","channel":"Security","computer_name":"A","event_data":{"IpAddress":"203.0.113.9"}}}"#;
        assert_eq!(
            check(beat),
            r#"{"EventID":4625,"Channel":"Security","Computer":"A","IpAddress":"203.0.113.9","TimeCreated":"2020-01-01T00:00:00Z","Message":"m"}"#
        );
        let by_module =
            r#"{"winlog":{"event_id":1,"channel":"Security"},"process":{"command_line":"x"},"user.name":"ann"}"#;
        assert_eq!(
            check(by_module),
            r#"{"EventID":1,"Channel":"Security","process":{"command_line":"x"},"user.name":"ann"}"#,
            "what its modules moved is where they moved it"
        );
        let shipped = r#"{"EventID":"1","Channel":"Security","SourceName":"S","Hostname":"H"}"#;
        assert_eq!(
            check(shipped),
            r#"{"EventID":1,"Channel":"Security","SourceName":"S","Hostname":"H","Provider_Name":"S","Computer":"H"}"#
        );
    }

    #[test]
    fn unnamed_data_stays_a_list() {
        let raw = r##"{"Event":{"System":{"EventID":800,"Channel":"Windows PowerShell"},"EventData":{"Data":{"#text":["a","b"]},"Binary":null}}}"##;
        assert_eq!(check(raw), r#"{"EventID":800,"Channel":"Windows PowerShell","Data":["a","b"],"Binary":""}"#);
    }
}
