//! What is wrong with settings, all of it at once, each with the path of its field.

use std::{collections::BTreeSet, fmt::Display, net::IpAddr};

use ipnet::IpNet;

use super::{GateSettings, Limits, NeverBlock, Numbers, ProtectedEntry, ProtectedKind, Team};
use crate::calendar;

/// The most entries of each list.
const MAX_ENTRIES: usize = 500;
/// The most networks of each class that automation never blocks.
const MAX_NETWORKS: usize = 500;
/// The longest text of a field, in bytes.
const MAX_TEXT: usize = 500;
/// The largest number of resources or actions.
const MAX_COUNT: u32 = 100_000;
/// The longest time, in seconds: 30 days.
const MAX_SECONDS: u32 = 30 * 86_400;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct SettingsError {
    /// `numbers.limits.production.per_hour`, `freezes.0.zone`.
    pub path: String,
    pub why: String,
}

/// Collects what is wrong.
#[derive(Default)]
pub(crate) struct Found(Vec<SettingsError>);

impl Found {
    pub(crate) fn refuse(&mut self, path: impl Display, why: impl Into<String>) {
        self.0.push(SettingsError { path: path.to_string(), why: why.into() });
    }

    pub(crate) fn text(&mut self, path: impl Display, text: &str) {
        if text.trim().is_empty() {
            self.refuse(path, "must not be empty");
        } else if text.len() > MAX_TEXT {
            self.refuse(path, format!("is longer than {MAX_TEXT} bytes"));
        } else if text.chars().any(char::is_control) {
            self.refuse(path, "holds a control character");
        }
    }

    fn count(&mut self, path: impl Display, value: u32) {
        if value > MAX_COUNT {
            self.refuse(path, format!("must be at most {MAX_COUNT}"));
        }
    }

    fn seconds(&mut self, path: impl Display, value: u32) {
        if value == 0 || value > MAX_SECONDS {
            self.refuse(path, format!("must be 1 to {MAX_SECONDS} seconds"));
        }
    }

    fn at_most(&mut self, path: &str, have: usize, most: usize) {
        if have > most {
            self.refuse(path, format!("has {have} entries; at most {most}"));
        }
    }
}

impl GateSettings {
    /// Everything that is wrong; nothing when they may be used.
    pub fn check(&self) -> Result<(), Vec<SettingsError>> {
        let mut found = Found::default();
        numbers(&self.numbers, &mut found);
        found.at_most("freezes", self.freezes.len(), MAX_ENTRIES);
        for (place, freeze) in self.freezes.iter().enumerate() {
            calendar::check(freeze, &format!("freezes.{place}"), &mut found);
        }
        if !self.weekend_zone.is_empty() && calendar::zone(&self.weekend_zone).is_none() {
            found.refuse("weekend_zone", "is no IANA time zone, for example Europe/Berlin");
        }
        teams(&self.teams, &mut found);
        found.at_most("protected", self.protected.len(), MAX_ENTRIES);
        for (place, entry) in self.protected.iter().enumerate() {
            protected(entry, &format!("protected.{place}"), &mut found);
        }
        never_block(&self.never_block, &mut found);
        if found.0.is_empty() { Ok(()) } else { Err(found.0) }
    }
}

fn numbers(numbers: &Numbers, found: &mut Found) {
    let environments = &numbers.limits;
    for (name, limits) in [
        ("development", &environments.development),
        ("staging", &environments.staging),
        ("production", &environments.production),
    ] {
        limit(limits, &format!("numbers.limits.{name}"), found);
    }
    found.count("numbers.restarts_per_hour", numbers.restarts_per_hour);
    found.count("numbers.kept_for_high_severity", numbers.kept_for_high_severity);
    for (name, value) in [("low", numbers.confidence.low), ("high", numbers.confidence.high)] {
        if !(0.0..=1.0).contains(&value) {
            found.refuse(format!("numbers.confidence.{name}"), "must be 0 to 1");
        }
    }
    if numbers.confidence.low > numbers.confidence.high {
        found.refuse("numbers.confidence.low", "must not be above `high`");
    }
    found.seconds("numbers.escalation.approvers_after_s", numbers.escalation.approvers_after_s);
    found.seconds("numbers.escalation.administrators_after_s", numbers.escalation.administrators_after_s);
    found.seconds("numbers.vote_void_s", numbers.vote_void_s);
    found.seconds("numbers.automation_expiry_s", numbers.automation_expiry_s);
    found.seconds("numbers.no_redo_s", numbers.no_redo_s);
}

fn limit(limits: &Limits, path: &str, found: &mut Found) {
    for (name, value) in [
        ("blast_radius", limits.blast_radius),
        ("resources_per_hour", limits.resources_per_hour),
        ("per_minute", limits.per_minute),
        ("per_hour", limits.per_hour),
        ("per_team_hour", limits.per_team_hour),
    ] {
        found.count(format!("{path}.{name}"), value);
    }
    for (name, value, most) in [("ipv4_prefix", limits.ipv4_prefix, 32), ("ipv6_prefix", limits.ipv6_prefix, 128)] {
        if value == 0 || value > most {
            found.refuse(format!("{path}.{name}"), format!("must be 1 to {most}"));
        }
    }
    found.seconds(format!("{path}.veto_window_s"), limits.veto_window_s);
}

fn teams(teams: &[Team], found: &mut Found) {
    found.at_most("teams", teams.len(), MAX_ENTRIES);
    let mut names = BTreeSet::new();
    for (place, team) in teams.iter().enumerate() {
        let path = format!("teams.{place}");
        found.text(format!("{path}.name"), &team.name);
        if !names.insert(&team.name) {
            found.refuse(format!("{path}.name"), "another team has this name");
        }
        found.at_most(&format!("{path}.members"), team.members.len(), MAX_ENTRIES);
        if team.labels.is_empty() {
            found.refuse(format!("{path}.labels"), "must name a label: without one the team may act on every target");
        }
        for (key, value) in &team.labels {
            found.text(format!("{path}.labels.{key}"), key);
            found.text(format!("{path}.labels.{key}"), value);
        }
    }
}

fn protected(entry: &ProtectedEntry, path: &str, found: &mut Found) {
    found.text(format!("{path}.why"), &entry.why);
    found.text(format!("{path}.value"), &entry.value);
    let value = entry.value.as_str();
    let wanted = match entry.kind {
        ProtectedKind::Address if value.parse::<IpAddr>().is_err() => "must be one address, for example 203.0.113.7",
        ProtectedKind::Address if value.parse::<IpAddr>().is_ok_and(|it| it != it.to_canonical()) => {
            "is an IPv4 address in IPv6 clothes: write it as IPv4, for example 203.0.113.7"
        }
        ProtectedKind::Range if value.parse::<IpNet>().is_err() => "must be a range, for example 203.0.113.0/24",
        ProtectedKind::Range if value.parse::<IpNet>().is_ok_and(|it| it != it.trunc()) => {
            "has bits beside its length: begin it with the first address of the range, for example 203.0.113.0/24"
        }
        ProtectedKind::Range if value.parse::<IpNet>().is_ok_and(|it| it.addr() != it.addr().to_canonical()) => {
            "is an IPv4 range in IPv6 clothes: write it as IPv4, for example 203.0.113.0/24"
        }
        ProtectedKind::Path if !plain_path(value) => "must be an absolute path without `.`, `..` or a slash at its end",
        ProtectedKind::Domain if !plain_domain(value) => {
            "must be a domain in lower case, for example idp.example.com; write other scripts in their xn-- form"
        }
        _ => return,
    };
    found.refuse(format!("{path}.value"), wanted);
}

fn plain_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    rest.is_empty() || rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn plain_domain(domain: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    domain.len() <= 253 && domain.split('.').all(|label| (1..=63).contains(&label.len()) && label.chars().all(allowed))
}

fn never_block(classes: &NeverBlock, found: &mut Found) {
    for (name, networks) in [
        ("proxy", &classes.proxy),
        ("nat", &classes.nat),
        ("monitoring", &classes.monitoring),
        ("partner", &classes.partner),
    ] {
        found.at_most(&format!("never_block.{name}"), networks.len(), MAX_NETWORKS);
    }
}
