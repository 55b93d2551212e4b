//! Everything in a rule beside its detection: title, level, tags, log source, our own keys.

mod bounds;

use sha2::{Digest, Sha256};
use shieldops_model::{Attack, EntityKind, Severity};

use super::{
    rule::{Header, Related, RuleSource},
    yaml::{Entry, Kind, Node},
};
use crate::diagnostic::{Place, Report, nearest};

pub(crate) use self::bounds::source_fits;

/// The text of a key; empty when it is absent.
pub(crate) fn text(root: &Node, key: &str) -> String {
    root.get(key).and_then(|entry| entry.value.text()).unwrap_or_default().trim().to_owned()
}

/// The texts of a list, as many as a list may have, or a text alone.
pub(crate) fn texts(root: &Node, key: &str) -> Vec<String> {
    let Some(entry) = root.get(key) else { return Vec::new() };
    let nodes = match &entry.value.kind {
        Kind::List(nodes) => nodes.as_slice(),
        Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(&entry.value),
    };
    let nodes = nodes.iter().take(bounds::MAX_ENTRIES);
    nodes.filter_map(Node::text).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn title(root: &Node, report: &mut Report) -> String {
    let title = text(root, "title");
    if title.is_empty() {
        report.error(root.at, "missing-title", "the rule has no `title`", "Add a short title: it names the alert.");
    }
    title
}

/// What a document says about itself. A filter or correlation needs neither id nor level: `strict` is for rules.
pub(crate) fn header(root: &Node, file: &str, strict: bool, report: &mut Report) -> Header {
    bounds::check(root, report);
    let title = title(root, report);
    let tags = texts(root, "tags");
    let own = own(root, report);
    Header {
        id: id(root, &title, strict, report),
        name: text(root, "name"),
        title,
        status: status(root, report),
        level: level(root, strict, report),
        description: text(root, "description"),
        references: texts(root, "references"),
        falsepositives: texts(root, "falsepositives"),
        attack: attack(&tags),
        tags,
        related: related(root, report),
        author: text(root, "author"),
        date: text(root, "date"),
        version: String::new(),
        group_by: own.group_by,
        triage: own.triage,
        file: file.to_owned(),
        line: root.at.line,
        span: 0..0,
        text: String::new(),
    }
}

const STATUS: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];

fn status(root: &Node, report: &mut Report) -> String {
    let status = text(root, "status");
    if let Some(entry) = root.get("status").filter(|_| !status.is_empty() && !STATUS.contains(&status.as_str())) {
        let fix = format!("The states are: {}.", STATUS.join(", "));
        report.info(entry.value.at, "unknown-status", format!("there is no status `{status}`"), fix);
    }
    status
}

const RELATIONS: [&str; 6] = ["derived", "obsolete", "obsoletes", "merged", "renamed", "similar"];

/// `related: [{id: ..., type: derived}]`.
fn related(root: &Node, report: &mut Report) -> Vec<Related> {
    let Some(entry) = root.get("related") else { return Vec::new() };
    let Kind::List(nodes) = &entry.value.kind else {
        let fix = "For example `related: [{id: ..., type: derived}]`.";
        report.warning(entry.at, "invalid-related", "`related` must be a list of maps", fix);
        return Vec::new();
    };
    let mut found = Vec::new();
    for node in nodes {
        let (id, kind) = (text(node, "id"), text(node, "type"));
        if id.is_empty() || !RELATIONS.contains(&kind.as_str()) {
            let fix = format!("Each needs `id` and a `type` of: {}.", RELATIONS.join(", "));
            report.warning(node.at, "invalid-related", "this is no relation to another rule", fix);
        } else {
            found.push(Related { id, kind });
        }
    }
    found
}

/// The rule's id, or one that its title makes.
pub(crate) fn id(root: &Node, title: &str, strict: bool, report: &mut Report) -> String {
    let id = text(root, "id");
    if !id.is_empty() {
        return id;
    }
    let digest = hex::encode(Sha256::digest(title.as_bytes()));
    let derived = format!("title-{}", digest.get(..16).unwrap_or_default());
    if !strict {
        return derived;
    }
    let message = format!("the rule has no `id`; `{derived}` is made of its title");
    report.warning(root.at, "missing-id", message, "Add a random UUID as `id`, so that a new title keeps its history.");
    derived
}

pub(crate) fn level(root: &Node, strict: bool, report: &mut Report) -> Severity {
    let Some(entry) = root.get("level") else {
        if !strict {
            return Severity::Medium;
        }
        report.warning(root.at, "missing-level", "the rule has no `level`; medium is taken", "Add `level: medium`.");
        return Severity::Medium;
    };
    let word = entry.value.text().unwrap_or_default().trim();
    Severity::parse(&word.to_ascii_lowercase()).unwrap_or_else(|| {
        let names = Severity::ALL.map(Severity::as_str);
        let fix = match nearest(word, names) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("The levels are: {}.", names.join(", ")),
        };
        report.error(entry.value.at, "unknown-level", format!("there is no level `{word}`"), fix);
        Severity::Medium
    })
}

pub(crate) fn log_source(root: &Node, report: &mut Report) -> RuleSource {
    let Some(entry) = root.get("logsource") else { return RuleSource::default() };
    if entry.value.entries().is_none() {
        let fix = "For example `logsource: {product: linux, service: sshd}`.";
        report.error(entry.at, "invalid-log-source", "`logsource` must be a map", fix);
        return RuleSource::default();
    }
    let mut part = |key: &str| source_part(&entry.value, key, report);
    RuleSource { product: part("product"), category: part("category"), service: part("service") }
}

fn source_part(node: &Node, key: &str, report: &mut Report) -> Option<String> {
    let Entry { value, at, .. } = node.get(key)?;
    let Some(text) = value.text() else {
        report.error(*at, "invalid-log-source", format!("`{key}` must be one word"), "Use one rule for each.");
        return None;
    };
    let text = text.trim().to_lowercase();
    (!text.is_empty() && source_fits(&text, value.at, report)).then_some(text)
}

/// Tactics and techniques that the tags name; groups and software are not among them.
pub(crate) fn attack(tags: &[String]) -> Attack {
    let mut attack = Attack::default();
    for tag in tags {
        let lower = tag.to_ascii_lowercase();
        let Some(name) = lower.strip_prefix("attack.") else { continue };
        let numbered =
            |letter: char| name.strip_prefix(letter).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let (list, name) = if numbered('t') {
            (&mut attack.techniques, name.to_ascii_uppercase())
        } else if numbered('g') || numbered('s') || numbered('c') || numbered('m') || name.starts_with("ta0") {
            continue;
        } else {
            (&mut attack.tactics, name.replace('_', "-"))
        };
        if !list.contains(&name) {
            list.push(name);
        }
    }
    attack
}

/// Our own keys, under `shieldops`.
#[derive(Default)]
pub(crate) struct Own {
    pub(crate) group_by: Vec<EntityKind>,
    pub(crate) triage: String,
}

/// `shieldops: {group_by: [src_ip, user], triage: what to look at first}`.
pub(crate) fn own(root: &Node, report: &mut Report) -> Own {
    let Some(own) = root.get("shieldops") else { return Own::default() };
    let Some(entries) = own.value.entries() else {
        report.error(
            own.at,
            "invalid-extension",
            "`shieldops` must be a map",
            "For example `shieldops: {group_by: [src_ip]}`.",
        );
        return Own::default();
    };
    for entry in entries.iter().filter(|entry| !["group_by", "triage"].contains(&entry.key.as_str())) {
        let message = format!("`shieldops` has no key `{}`", entry.key);
        report.error(entry.at, "invalid-extension", message, "The keys are `group_by` and `triage`.");
    }
    if let Some(entry) = own.value.get("triage") {
        bounds::triage(entry, report);
    }
    Own { group_by: group_by(own, report), triage: text(&own.value, "triage") }
}

/// The entities that make two matches the same alert.
fn group_by(own: &Entry, report: &mut Report) -> Vec<EntityKind> {
    let place = own.value.get("group_by").map_or(own.at, |entry| entry.value.at);
    let mut kinds = Vec::new();
    for word in texts(&own.value, "group_by") {
        if let Some(kind) = entity_kind(&word, place, report)
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
    }
    kinds
}

fn entity_kind(word: &str, at: Place, report: &mut Report) -> Option<EntityKind> {
    let kind = match word {
        "src_ip" | "dst_ip" => Some(EntityKind::Ip),
        "hostname" | "device" => Some(EntityKind::Host),
        other => EntityKind::parse(other),
    };
    if kind.is_none() {
        let names = EntityKind::ALL.map(EntityKind::as_str).join(", ");
        let message = format!("`{word}` is no kind of entity");
        report.error(at, "invalid-extension", message, format!("The kinds are: src_ip, {names}."));
    }
    kind
}
