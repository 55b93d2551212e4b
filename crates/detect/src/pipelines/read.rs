//! Pipeline files.

use super::{
    Pipeline, Step,
    condition::{self, Conditions},
    params::{Params, texts_of},
    transformation,
};
use crate::{
    diagnostic::{Place, Report},
    sigma::{
        MAX_FILE_BYTES,
        item::Placeholders,
        yaml::{self, Entry, Kind, Node},
    },
};

/// Transformations of one list.
const MAX_STEPS: usize = 2_000;
/// Lists in lists.
const MAX_DEPTH: usize = 8;
const KEYS: [&str; 7] =
    ["name", "priority", "vars", "transformations", "postprocessing", "finalizers", "allowed_backends"];

pub(super) fn pipeline(text: &str, file: &str, report: &mut Report) -> Option<Pipeline> {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_FILE_BYTES}", text.len());
        report.error(Place::default(), "file-too-large", message, "Split it.");
        return None;
    }
    let documents = yaml::documents(text, report);
    let [document] = documents.as_slice() else {
        if report.errors() == 0 {
            let message = format!("{} documents in a pipeline file", documents.len());
            report.error(Place::default(), "invalid-pipeline", message, "Write one pipeline a file.");
        }
        return None;
    };
    let root = &document.root;
    let Some(entries) = root.entries() else {
        report.error(root.at, "invalid-pipeline", "the document is not a map", "Give name, priority, transformations.");
        return None;
    };
    for entry in entries {
        top_key(entry, report);
    }
    let name = root.get("name").and_then(|entry| entry.value.text()).map(str::trim).filter(|name| !name.is_empty());
    let name = name.map_or_else(|| stem(file), str::to_owned);
    let items = root.get("transformations").map_or(Vec::new(), |entry| steps(entry, 0, report));
    Some(Pipeline {
        name,
        priority: priority(root, report),
        vars: vars(root, report),
        file: file.to_owned(),
        items: items.into(),
        spares: std::sync::Arc::default(),
    })
}

fn top_key(entry: &Entry, report: &mut Report) {
    match entry.key.as_str() {
        key @ ("postprocessing" | "finalizers") => {
            let message = format!("`{key}` is ignored: there is no query that it could change");
            report.info(entry.at, "ignored-section", message, "");
        }
        key if !KEYS.contains(&key) => {
            let message = format!("a pipeline has no key `{key}`");
            report.warning(entry.at, "unknown-key", message, format!("The keys are: {}.", KEYS.join(", ")));
        }
        _ => {}
    }
}

fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

fn priority(root: &Node, report: &mut Report) -> i64 {
    let Some(entry) = root.get("priority") else { return 0 };
    entry.value.text().and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| {
        report.error(entry.value.at, "invalid-pipeline", "`priority` is a whole number", "Lower ones run first.");
        0
    })
}

fn vars(root: &Node, report: &mut Report) -> Placeholders {
    let Some(entry) = root.get("vars") else { return Placeholders::new() };
    let Some(entries) = entry.value.entries() else {
        report.error(entry.at, "invalid-pipeline", "`vars` must be a map", "For example `vars: {Admins: [a, b]}`.");
        return Placeholders::new();
    };
    let mut vars = Placeholders::new();
    for entry in entries {
        if let Some(values) = texts_of(&entry.value) {
            vars.insert(entry.key.clone(), values.into());
        } else {
            let message = format!("`{}` must be a value or a list of values", entry.key);
            report.error(entry.at, "invalid-pipeline", message, "Correct it.");
        }
    }
    vars
}

/// A list of transformations.
pub(super) fn steps(entry: &Entry, depth: usize, report: &mut Report) -> Vec<Step> {
    let Kind::List(nodes) = &entry.value.kind else {
        let message = format!("`{}` must be a list", entry.key);
        report.error(entry.at, "invalid-pipeline", message, "Begin each transformation with `- type:`.");
        return Vec::new();
    };
    if depth > MAX_DEPTH || nodes.len() > MAX_STEPS {
        let message = format!("more than {MAX_STEPS} transformations, or nested deeper than {MAX_DEPTH}");
        report.error(entry.at, "too-large", message, "Use several pipelines.");
        return Vec::new();
    }
    nodes.iter().filter_map(|node| step(node, depth, report)).collect()
}

fn step(node: &Node, depth: usize, report: &mut Report) -> Option<Step> {
    let mut params = Params::new(node, "transformation", report)?;
    let id = params.text("id", report);
    let rules = Conditions::read(&mut params, &condition::RULE, report);
    let lines = Conditions::read(&mut params, &condition::LINE, report);
    let fields = Conditions::read(&mut params, &condition::FIELD, report);
    let kind = params.need_text("type", report)?;
    let transformation = transformation::parse(&kind, &mut params, depth, report)?;
    params.finish(&["allow_template_vars", "vars_allowed_paths", "allow_external_sources"], report);
    Some(Step { id, rules, lines, fields, transformation })
}
