//! Lines of security devices in CEF and LEEF: which keys hold which fact, and which log source the device is.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use shieldops_model::{LogSource, Ocsf, Timestamp};

use super::{
    cef,
    class::{Class, Kind},
    flat::Flat,
    leef,
    slots::Slot,
    time,
};

/// What speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    pub vendor: String,
    pub product: String,
}

impl Device {
    /// Rules select a device by its vendor as product and its product as service, in lower case and with underscores.
    pub(crate) fn log_source(&self) -> LogSource {
        LogSource { product: word(&self.vendor), categories: Vec::new(), service: word(&self.product) }
    }
}

/// The longest word of a log source.
const MAX_WORD: usize = 64;

fn word(text: &str) -> Option<String> {
    let sign = |character: char| if character.is_alphanumeric() { character.to_ascii_lowercase() } else { '_' };
    let word: String = text.trim().chars().take(MAX_WORD).map(sign).collect();
    (!word.is_empty()).then_some(word)
}

/// Keys that hold a fact in these formats only; names that every format shares are in `slots`.
pub(crate) const NAMES: &[(&str, Slot)] = &[
    ("src", Slot::SrcIp),
    ("sourceAddress", Slot::SrcIp),
    ("c6a2", Slot::SrcIp),
    ("spt", Slot::SrcPort),
    ("srcPort", Slot::SrcPort),
    ("sourcePort", Slot::SrcPort),
    ("dst", Slot::DstIp),
    ("destinationAddress", Slot::DstIp),
    ("c6a3", Slot::DstIp),
    ("dpt", Slot::DstPort),
    ("dstPort", Slot::DstPort),
    ("destinationPort", Slot::DstPort),
    ("dhost", Slot::DstDomain),
    ("dvchost", Slot::Device),
    ("identHostName", Slot::Device),
    ("suser", Slot::ActorUser),
    ("duser", Slot::TargetUser),
    ("usrName", Slot::User),
    ("accountName", Slot::User),
    ("sproc", Slot::Image),
    ("dproc", Slot::Image),
    ("spid", Slot::Pid),
    ("dpid", Slot::Pid),
    ("filePath", Slot::File),
    ("fname", Slot::File),
    ("request", Slot::Url),
    ("requestMethod", Slot::Method),
    ("requestClientApplication", Slot::UserAgent),
];

/// Reads a message that begins as CEF or LEEF does; none for any other.
pub(crate) fn read<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Result<Device, &'static str>> {
    if let Some(rest) = message.strip_prefix(cef::START) {
        return Some(cef::read(rest, flat));
    }
    message.strip_prefix(leef::START).map(|rest| leef::read(rest, flat))
}

/// The class that ArcSight's own categories name.
pub(crate) fn kind(flat: &Flat<'_>) -> Option<Kind> {
    let behaviour = flat.text("categoryBehavior")?;
    behaviour.starts_with("/Authentication/Verify").then_some((Class::Authentication, "Logon"))
}

/// What the names alone do not tell: the sentence for people, and hashes by their length.
pub(crate) fn adjust(flat: &Flat<'_>, ocsf: &mut Ocsf) {
    if let Some(message) = flat.text("msg").or_else(|| flat.text("name")) {
        ocsf.message = Some(message.chars().take(4_096).collect());
    }
    if let Some(outcome) = flat.text("categoryOutcome") {
        let status = match outcome.as_ref() {
            "/Success" => Some("success"),
            "/Failure" => Some("failure"),
            _ => None,
        };
        ocsf.status = status.map(str::to_owned).or(ocsf.status.take());
    }
    let Some(hash) = flat.text("fileHash").filter(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit())) else {
        return;
    };
    let kind = match hash.len() {
        32 => "md5",
        40 => "sha1",
        64 => "sha256",
        _ => return,
    };
    ocsf.hashes.entry(kind.to_owned()).or_insert_with(|| hash.to_ascii_lowercase());
}

/// The time that the device gives: when it received the event, else the event's end or start.
pub(crate) fn time(message: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Some(rest) = message.strip_prefix(cef::START) {
        let found: Vec<(&str, Cow<'_, str>)> =
            cef::extension(rest).filter(|(key, _)| matches!(*key, "rt" | "end" | "start")).take(8).collect();
        let text = |name: &str| found.iter().find(|(key, _)| *key == name).map(|(_, text)| text.as_ref());
        return ["rt", "end", "start"].into_iter().filter_map(text).find_map(|text| time::parse(text, zone));
    }
    let attributes = leef::attributes(message.strip_prefix(leef::START)?);
    attributes.into_iter().find(|(key, _)| *key == "devTime").and_then(|(_, text)| time::parse(text, zone))
}
