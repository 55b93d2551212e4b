//! A file of rules to rules: documents, the old `action: global`, and what is recognised but not supported yet.

use sha2::{Digest, Sha256};

use super::{
    detection, meta,
    rule::Rule,
    yaml::{self, Document, Entry, Kind, Node},
};
use crate::diagnostic::{Diagnostic, Place, Report};

/// Bytes of one rule file.
pub const MAX_FILE_BYTES: usize = 2 * 1_024 * 1_024;

/// The rules of a file, and what is wrong with it. Never fails as a whole: good rules come even from a bad file.
pub fn parse(text: &str, file: &str) -> (Vec<Rule>, Vec<Diagnostic>) {
    let mut report = Report::new(file);
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_FILE_BYTES}", text.len());
        report.error(Place::default(), "file-too-large", message, "Split it.");
        return (Vec::new(), report.into_found());
    }
    let mut reader = Reader { file, text, global: None, previous: None, rules: Vec::new() };
    for document in yaml::documents(text, &mut report) {
        reader.document(document, &mut report);
    }
    (reader.rules, report.into_found())
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
    rules: Vec<Rule>,
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
                self.global = Some(Base { root, text: own });
                return;
            }
            "reset" => {
                self.global = None;
                return;
            }
            "repeat" => self.previous.as_ref(),
            "" => self.global.as_ref(),
            other => {
                let message = format!("there is no action `{other}`");
                report.error(root.at, "unknown-action", message, "The actions are: global, reset, repeat.");
                return;
            }
        };
        let (root, hashed) = match base {
            Some(base) => (over(&base.root, root), format!("{}{own}", base.text)),
            None => (root, own.clone()),
        };
        self.previous = Some(Base { root: root.clone(), text: hashed.clone() });
        if let Some(mut rule) = read(&root, self.file, report) {
            rule.version = version(&hashed);
            rule.span = span;
            rule.text = own;
            self.number_twin(&mut rule, root.at, report);
            self.rules.push(rule);
        }
    }

    /// Documents under one global document often share its id: each needs its own.
    fn number_twin(&self, rule: &mut Rule, at: Place, report: &mut Report) {
        if self.global.is_none() || !self.rules.iter().any(|other| other.id == rule.id) {
            return;
        }
        let number = self.rules.iter().filter(|other| other.id.split('#').next() == Some(rule.id.as_str())).count();
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

/// The rule that a map is; `None` after a report of why not.
fn read(root: &Node, file: &str, report: &mut Report) -> Option<Rule> {
    let errors = report.errors();
    if let Some((kind, at)) = unsupported(root) {
        let title = meta::text(root, "title");
        report.info(at, kind.0, format!("not supported yet: {} (`{title}`)", kind.1), "");
        return None;
    }
    let title = meta::title(root, report);
    let id = meta::id(root, &title, report);
    let level = meta::level(root, report);
    let log_source = meta::log_source(root, report);
    let group_by = meta::group_by(root, report);
    let Some(entry) = root.get("detection") else {
        report.error(root.at, "missing-detection", "the rule has no `detection`", "Add selections and a condition.");
        return None;
    };
    let detection = detection::parse(entry, report)?;
    if report.errors() > errors {
        return None;
    }
    let tags = meta::texts(root, "tags");
    Some(Rule {
        attack: meta::attack(&tags),
        id,
        title,
        status: meta::text(root, "status"),
        level,
        description: meta::text(root, "description"),
        references: meta::texts(root, "references"),
        falsepositives: meta::texts(root, "falsepositives"),
        tags,
        log_source,
        author: meta::text(root, "author"),
        date: meta::text(root, "date"),
        version: String::new(),
        group_by,
        file: file.to_owned(),
        line: root.at.line,
        span: 0..0,
        text: String::new(),
        detection: detection.into(),
    })
}

fn unsupported(root: &Node) -> Option<((&'static str, &'static str), Place)> {
    let kinds =
        [("correlation", ("unsupported-correlation", "correlation")), ("filter", ("unsupported-filter", "filter"))];
    kinds.into_iter().find_map(|(key, kind)| root.get(key).map(|entry| (kind, entry.at)))
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
