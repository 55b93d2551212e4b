//! A file of rules to documents: rules, filters and correlations, and the old `action: global`.

use std::{ops::Range, sync::Arc};

use sha2::{Digest, Sha256};

use super::{
    correlation, detection,
    documents::Documents,
    filter, meta,
    rule::{Header, Rule},
    yaml::{self, Document, Entry, Kind, Node},
};
use crate::diagnostic::{Diagnostic, MAX_VALUES, Place, Report};

/// Bytes of one rule file.
pub const MAX_FILE_BYTES: usize = 2 * 1_024 * 1_024;

/// The documents of a file, and what is wrong with it. Never fails as a whole: good rules come even from a bad file.
pub fn parse(text: &str, file: &str) -> (Documents, Vec<Diagnostic>) {
    let mut report = Report::new(file);
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_FILE_BYTES}", text.len());
        report.error(Place::default(), "file-too-large", message, "Split it.");
        return (Documents::default(), report.into_found());
    }
    let mut reader = Reader { file, text, global: None, previous: None, found: Documents::default() };
    for document in yaml::documents(text, &mut report) {
        reader.document(document, &mut report);
    }
    (reader.found, report.into_found())
}

/// A document that others build on, and its text, which their versions include.
struct Base {
    root: Node,
    text: String,
}

struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    /// `action: global`
    global: Option<Base>,
    /// For `action: repeat`
    previous: Option<Base>,
    found: Documents,
}

impl Reader<'_> {
    fn document(&mut self, document: Document, report: &mut Report) {
        let own = self.text.get(document.span.clone()).unwrap_or_default().to_owned();
        let Document { root, span } = document;
        if root.entries().is_none() {
            report.error(
                root.at,
                "not-a-rule",
                "the document is not a map",
                "A rule is a map with `title` and `detection`.",
            );
            return;
        }
        let action = meta::text(&root, "action");
        let base = match action.as_str() {
            "global" => {
                self.previous = Some(Base { root: root.clone(), text: own.clone() });
                self.global = Some(Base { root, text: own });
                return;
            }
            "reset" => {
                self.global = None;
                return;
            }
            "repeat" => self.previous.as_ref(),
            // Correlations and filters stand alone.
            "" if root.get("correlation").is_some() || root.get("filter").is_some() => None,
            "" => self.global.as_ref(),
            other => {
                let message = format!("there is no action `{other}`");
                report.error(root.at, "unknown-action", message, "The actions are: global, reset, repeat.");
                return;
            }
        };
        let (root, hashed) = match base {
            Some(base) if !report.hold(base.root.size()) => {
                let message = format!("over its base the file has more than {MAX_VALUES} values");
                report.error(
                    root.at,
                    "too-large",
                    message,
                    "Split the file, or give the values to the rules that need them.",
                );
                return;
            }
            Some(base) => (over(&base.root, root), format!("{}{own}", base.text)),
            None => (root, own.clone()),
        };
        self.previous = Some(Base { root: root.clone(), text: hashed.clone() });
        let own = Own { version: version(&hashed), span, text: own };
        self.read(&root, own, report);
    }

    /// The rule, filter or correlation that a map is, unless it has errors.
    fn read(&mut self, root: &Node, own: Own, report: &mut Report) {
        let errors = report.errors();
        if let Some(entry) = root.get("correlation") {
            let mut header = meta::header(root, self.file, false, report);
            own.put(&mut header);
            let found = correlation::parse(header, root.get("generate"), entry, report);
            self.found.correlations.extend(found.filter(|_| report.errors() == errors));
        } else if let Some(entry) = root.get("filter") {
            let mut header = meta::header(root, self.file, false, report);
            own.put(&mut header);
            let found = filter::parse(header, root, entry, report);
            self.found.filters.extend(found.filter(|_| report.errors() == errors));
        } else {
            let mut header = meta::header(root, self.file, true, report);
            own.put(&mut header);
            let found = rule(header, root, report);
            if let Some(mut rule) = found.filter(|_| report.errors() == errors) {
                self.number_twin(&mut rule, root.at, report);
                self.found.rules.push(Arc::new(rule));
            }
        }
    }

    /// Documents under one global document often share its id: each needs its own.
    fn number_twin(&self, rule: &mut Rule, at: Place, report: &mut Report) {
        if self.global.is_none() || !self.found.rules.iter().any(|other| other.id == rule.id) {
            return;
        }
        let number =
            self.found.rules.iter().filter(|other| other.id.split('#').next() == Some(rule.id.as_str())).count();
        let id = format!("{}#{}", rule.id, number.saturating_add(1));
        let message = format!("the id `{}` is used before in this file; this rule becomes `{id}`", rule.id);
        report.info(at, "shared-id", message, "Give each rule its own id.");
        rule.id = id;
    }
}

fn version(text: &str) -> String {
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.get(..12).unwrap_or_default().to_owned()
}

/// The part of a header that the file tells.
struct Own {
    version: String,
    span: Range<usize>,
    text: String,
}

impl Own {
    fn put(self, header: &mut Header) {
        header.version = self.version;
        header.span = self.span;
        header.text = self.text;
    }
}

/// The rule that a map is; `None` after a report of why not.
fn rule(header: Header, root: &Node, report: &mut Report) -> Option<Rule> {
    let log_source = meta::log_source(root, report);
    let Some(entry) = root.get("detection") else {
        report.error(root.at, "missing-detection", "the rule has no `detection`", "Add selections and a condition.");
        return None;
    };
    let detection = detection::parse(entry, report)?;
    Some(Rule {
        id: header.id,
        name: header.name,
        title: header.title,
        status: header.status,
        level: header.level,
        description: header.description,
        references: header.references,
        falsepositives: header.falsepositives,
        tags: header.tags,
        attack: header.attack,
        related: header.related,
        log_source,
        author: header.author,
        date: header.date,
        version: header.version,
        group_by: header.group_by,
        triage: header.triage,
        file: header.file,
        line: header.line,
        span: header.span,
        text: header.text,
        detection: detection.into(),
    })
}

/// `top` laid over `base`: maps are joined key by key, anything else of `top` wins.
fn over(base: &Node, top: Node) -> Node {
    match (&base.kind, top.kind) {
        (Kind::Map(below), Kind::Map(above)) => {
            let mut entries: Vec<Entry> = below.iter().filter(|entry| entry.key != "action").cloned().collect();
            for entry in above.into_iter().filter(|entry| entry.key != "action") {
                match entries.iter_mut().find(|old| old.key == entry.key) {
                    Some(old) => {
                        let value = over(&old.value, entry.value);
                        *old = Entry { key: entry.key, at: entry.at, value };
                    }
                    None => entries.push(entry),
                }
            }
            Node { kind: Kind::Map(entries), at: top.at }
        }
        (_, kind) => Node { kind, at: top.at },
    }
}
