//! A finding: one match of one rule on one event, reduced to what triage needs.

use std::sync::Arc;

use shieldops_model::{Attack, Entity, EntityKind, Event, EventId, Normalised, Ocsf, Severity, Timestamp};

/// What triage knows of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFacts {
    /// The Sigma id.
    pub id: String,
    pub title: String,
    /// First 12 hex characters of the SHA-256 of the rule's text.
    pub version: String,
    pub level: Severity,
    pub attack: Attack,
    /// What its matches are grouped by; empty for the default of the event's class.
    pub group_by: Vec<GroupKey>,
}

/// A role in an event whose entity groups matches into one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKey {
    SrcIp,
    DstIp,
    Host,
    User,
    Process,
    File,
    Domain,
}

impl GroupKey {
    /// The key of a word: `src_ip`, `dst_ip`, `host`, `user`, `process`, `file`, `domain`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "src_ip" => Self::SrcIp,
            "dst_ip" => Self::DstIp,
            "host" => Self::Host,
            "user" => Self::User,
            "process" => Self::Process,
            "file" => Self::File,
            "domain" => Self::Domain,
            _ => return None,
        })
    }

    const fn kind(self) -> EntityKind {
        match self {
            Self::SrcIp | Self::DstIp => EntityKind::Ip,
            Self::Host => EntityKind::Host,
            Self::User => EntityKind::User,
            Self::Process => EntityKind::Process,
            Self::File => EntityKind::File,
            Self::Domain => EntityKind::Domain,
        }
    }

    fn value(self, ocsf: &Ocsf) -> Option<&str> {
        match self {
            Self::SrcIp => ocsf.src_ip.as_deref(),
            Self::DstIp => ocsf.dst_ip.as_deref(),
            Self::Host => ocsf.device.as_deref(),
            Self::User => ocsf.actor_user.as_deref().or(ocsf.user.as_deref()),
            Self::Process => ocsf.process.as_ref().and_then(|process| process.image.as_deref()),
            Self::File => ocsf.file.as_deref(),
            Self::Domain => ocsf.dst_domain.as_deref(),
        }
    }
}

/// The default grouping by OCSF class. A class that is not here groups by host.
const DEFAULTS: [(u32, &[GroupKey]); 4] = [
    // File System Activity.
    (1001, &[GroupKey::Host, GroupKey::File]),
    // Process Activity.
    (1007, &[GroupKey::Host, GroupKey::User]),
    // Authentication.
    (3002, &[GroupKey::SrcIp, GroupKey::Host]),
    // HTTP Activity.
    (4002, &[GroupKey::SrcIp, GroupKey::Host]),
];

/// One match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: Arc<RuleFacts>,
    pub event_id: EventId,
    /// The time that windows use, not always the event's own.
    pub window_time: Timestamp,
    /// The OCSF class of the event.
    pub class_uid: u32,
    /// The entities whose matches of this rule are one alert.
    pub grouping: Vec<Entity>,
    pub entities: Vec<Entity>,
    pub demo: bool,
}

impl Finding {
    pub fn new(rule: Arc<RuleFacts>, event: &Event, normalised: &Normalised) -> Self {
        let grouping = grouping(&rule.group_by, normalised);
        Self {
            rule,
            event_id: event.id,
            window_time: event.window_time(),
            class_uid: normalised.ocsf.class_uid,
            grouping,
            entities: normalised.entities.clone(),
            demo: event.demo,
        }
    }
}

/// The grouping entities: the rule's own keys, else those of the class, else the host, else all entities.
fn grouping(group_by: &[GroupKey], normalised: &Normalised) -> Vec<Entity> {
    let class = normalised.ocsf.class_uid;
    let default = DEFAULTS.iter().find(|(uid, _)| *uid == class).map_or(&[GroupKey::Host][..], |(_, keys)| keys);
    let keys = if group_by.is_empty() { default } else { group_by };
    let mut found: Vec<Entity> = keys.iter().filter_map(|key| entity(*key, &normalised.ocsf)).collect();
    if found.is_empty() {
        found.extend(entity(GroupKey::Host, &normalised.ocsf));
    }
    if found.is_empty() {
        found.clone_from(&normalised.entities);
    }
    found.sort();
    found.dedup();
    found
}

fn entity(key: GroupKey, ocsf: &Ocsf) -> Option<Entity> {
    let value = key.value(ocsf).filter(|value| !value.is_empty())?;
    let canonical = match key.kind() {
        EntityKind::Host | EntityKind::Domain => value.to_lowercase(),
        EntityKind::Ip => shieldops_model::address::parse(value).map_or_else(|| value.to_owned(), |ip| ip.to_string()),
        _ => value.to_owned(),
    };
    Some(Entity::new(key.kind(), canonical))
}

#[cfg(test)]
mod tests {
    use shieldops_model::Process;

    use super::*;

    fn check(class_uid: u32, group_by: &[GroupKey], host: Option<&str>) -> String {
        let ocsf = Ocsf {
            class_uid,
            src_ip: Some("::ffff:203.0.113.66".into()),
            device: host.map(str::to_owned),
            user: Some("deploy".into()),
            file: Some("/etc/cron.d/x".into()),
            process: Some(Process { image: Some("/usr/bin/id".into()), ..Process::default() }),
            ..Ocsf::default()
        };
        let entities = vec![Entity::new(EntityKind::User, "deploy")];
        let found = grouping(group_by, &Normalised { ocsf, entities, ..Normalised::default() });
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_class_groups_by_its_own_entities() {
        let host = Some("Web-01");
        assert_eq!(check(3002, &[], host), "ip:203.0.113.66 host:web-01");
        assert_eq!(check(4002, &[], host), "ip:203.0.113.66 host:web-01");
        assert_eq!(check(1007, &[], host), "host:web-01 user:deploy");
        assert_eq!(check(1001, &[], host), "host:web-01 file:/etc/cron.d/x");
        assert_eq!(check(0, &[], host), "host:web-01");
        assert_eq!(check(0, &[], None), "user:deploy");
        assert_eq!(check(3002, &[GroupKey::User], host), "user:deploy");
        assert_eq!(check(3002, &[GroupKey::Domain], host), "host:web-01");
    }

    #[test]
    fn every_group_by_word_is_known_and_others_are_not() {
        for word in ["src_ip", "dst_ip", "host", "user", "process", "file", "domain"] {
            assert!(GroupKey::parse(word).is_some(), "{word}");
        }
        assert_eq!(GroupKey::parse("SrcIp"), None);
    }
}
