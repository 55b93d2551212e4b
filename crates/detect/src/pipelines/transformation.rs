//! The transformations by name, and their parameters.

use std::collections::BTreeMap;

use regex::Regex;

use super::{
    Step,
    condition::{self, pattern},
    draft::Now,
    fields::{Names, Renaming},
    params::{Params, texts_of},
    read, text,
};
use crate::{
    diagnostic::{Place, Report, nearest},
    sigma::{
        detection,
        pattern::tokens,
        rule::RuleSource,
        scalar::Scalar,
        yaml::{Entry, Kind, Node},
    },
};

#[derive(Debug, Clone)]
pub(super) enum Transformation {
    Rename(Renaming),
    DropLine,
    Hashes {
        algorithms: Vec<String>,
        prefix: String,
        drop_algorithm: bool,
        fields: Vec<String>,
    },
    Extract {
        pattern: Regex,
        prefix: Option<String>,
        keep_unmatched: bool,
    },
    /// Placeholders become `*`.
    WildcardPlaceholders(Chosen),
    /// Placeholders become the values of `vars`.
    ValuePlaceholders(Chosen),
    AddCondition(Added),
    ChangeLogSource(RuleSource),
    /// Fields of a rule that are shown with it: nothing here shows them.
    ListFields,
    Replace {
        pattern: Regex,
        with: String,
        keep_special: bool,
        interpret: bool,
    },
    MapText(BTreeMap<String, Vec<String>>),
    SetState(String, Scalar),
    SetAttribute(String, Scalar),
    /// Text becomes a regular expression that means the same; `cased` makes case count.
    ToRegex {
        cased: bool,
    },
    SetValue(Now),
    ToText,
    ToNumber,
    RefuseRule(String),
    RefuseLine(String),
    RefuseUnmapped,
    Case(Case),
    Nest(Vec<Step>),
}

/// Which placeholders a transformation is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
}

impl Chosen {
    pub(super) fn has(&self, name: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|one| one == name);
        self.include.as_ref().is_none_or(listed) && !self.exclude.as_ref().is_some_and(listed)
    }
}

/// A selection that is put before a condition by `and`.
#[derive(Debug, Clone)]
pub(super) struct Added {
    pub(super) name: Option<String>,
    pub(super) selection: Entry,
    /// `$product`, `$category` and `$service` in it stand for the rule's.
    pub(super) template: bool,
    pub(super) negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
    Snake,
}

impl Case {
    pub(super) fn of(self, text: &str) -> String {
        match self {
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Snake => text::snake_case(text),
        }
    }

    fn read(params: &mut Params<'_>, key: &'static str, report: &mut Report) -> Option<Self> {
        Some(match params.choice(key, &["lower", "upper", "snake_case"], report)? {
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            _ => Self::Snake,
        })
    }
}

pub(super) const TYPES: [&str; 28] = [
    "field_name_mapping",
    "field_name_prefix_mapping",
    "field_name_transform",
    "field_name_suffix",
    "field_name_prefix",
    "drop_detection_item",
    "hashes_fields",
    "extract_fields",
    "wildcard_placeholders",
    "value_placeholders",
    "file_placeholders",
    "add_condition",
    "change_logsource",
    "add_field",
    "remove_field",
    "set_field",
    "replace_string",
    "map_string",
    "set_state",
    "regex",
    "set_value",
    "convert_type",
    "rule_failure",
    "detection_item_failure",
    "strict_field_mapping_failure",
    "set_custom_attribute",
    "nest",
    "case",
];

/// What pySigma knows and we do not do, and why.
const REFUSED: [(&str, &str); 3] = [
    ("query_expression_placeholders", "it makes a query of another product"),
    ("http_placeholders", "pipelines do not read from the network"),
    ("command_placeholders", "pipelines run no programs"),
];

pub(super) fn parse(kind: &str, params: &mut Params<'_>, depth: usize, report: &mut Report) -> Option<Transformation> {
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == kind) {
        let fix = "Give the values in `vars`, or in `placeholders/<name>.txt` beside the pipeline.";
        report.error(params.at, "unsupported-transformation", format!("`{kind}` is not offered: {why}"), fix);
        return None;
    }
    if !TYPES.contains(&kind) {
        let fix = match nearest(kind, TYPES) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("The transformations are: {}.", TYPES.join(", ")),
        };
        report.error(params.at, "unknown-transformation", format!("there is no transformation `{kind}`"), fix);
        return None;
    }
    params.call(kind);
    if kind.starts_with("field_name_") {
        return renaming(kind, params, report).map(Transformation::Rename);
    }
    if kind == "nest" {
        return nest(params, depth, report);
    }
    of_lines(kind, params, report).or_else(|| of_rule(kind, params, report))
}

fn nest(params: &mut Params<'_>, depth: usize, report: &mut Report) -> Option<Transformation> {
    let Some(entry) = params.entry("items") else {
        params.missing("items", report);
        return None;
    };
    Some(Transformation::Nest(read::steps(entry, depth.saturating_add(1), report)))
}

fn renaming(kind: &str, params: &mut Params<'_>, report: &mut Report) -> Option<Renaming> {
    Some(match kind {
        "field_name_mapping" => Renaming::Map(names(params, true, report)?),
        "field_name_prefix_mapping" => Renaming::Prefixes(names(params, true, report)?),
        "field_name_suffix" => Renaming::Suffix(params.need_text("suffix", report)?),
        "field_name_prefix" => Renaming::Prefix(params.need_text("prefix", report)?),
        _ => {
            let case = Case::read(params, "transform_func", report)?;
            let keywords = params.flag("apply_keyword", report);
            if keywords {
                let message = "keywords have no field name that could be transformed";
                report.warning(params.at, "unused-parameter", message, "Remove `apply_keyword`.");
            }
            Renaming::Case(case, names(params, false, report)?)
        }
    })
}

/// `mapping: {old: new, other: [several, new]}`.
fn names(params: &mut Params<'_>, needed: bool, report: &mut Report) -> Option<Names> {
    let Some(entry) = params.entry("mapping") else {
        if needed {
            params.missing("mapping", report);
            return None;
        }
        return Some(Names::default());
    };
    let Some(entries) = entry.value.entries() else {
        report.error(entry.at, "invalid-pipeline", "`mapping` must be a map", "For example `{Image: process.path}`.");
        return None;
    };
    let mut names = Names::default();
    for entry in entries {
        match texts_of(&entry.value) {
            Some(to) if is_null(&entry.key) => names.keywords = Some(to),
            Some(to) => {
                names.fields.insert(entry.key.clone(), to);
            }
            None => {
                let message = format!("`{}` is mapped to no name", entry.key);
                report.error(entry.at, "invalid-pipeline", message, "Give a name or a list of names.");
            }
        }
    }
    Some(names)
}

fn is_null(key: &str) -> bool {
    matches!(key, "" | "~" | "null")
}

/// Transformations of lines and their values.
fn of_lines(kind: &str, params: &mut Params<'_>, report: &mut Report) -> Option<Transformation> {
    Some(match kind {
        "drop_detection_item" => Transformation::DropLine,
        "hashes_fields" => {
            let fields = params.texts("field_to_parse", report);
            Transformation::Hashes {
                algorithms: params.need_texts("valid_hash_algos", report),
                prefix: params.text("field_prefix", report).unwrap_or_default(),
                drop_algorithm: params.flag("drop_algo_prefix", report),
                fields: if fields.is_empty() { vec!["Hashes".to_owned(), "Hash".to_owned()] } else { fields },
            }
        }
        "extract_fields" => extract(params, report)?,
        "wildcard_placeholders" => Transformation::WildcardPlaceholders(chosen(params, report)),
        "value_placeholders" => Transformation::ValuePlaceholders(chosen(params, report)),
        "replace_string" => {
            let pattern = pattern(params, "regex", false, report);
            let with = params.need_text("replacement", report);
            let keep_special = params.flag("skip_special", report);
            let interpret = params.flag("interpret_special", report);
            Transformation::Replace { pattern: pattern?, with: text::replacement(&with?), keep_special, interpret }
        }
        "map_string" => Transformation::MapText(names(params, true, report)?.fields),
        "regex" => {
            let words = ["ignore_case_brackets", "ignore_case_flag", "plain"];
            Transformation::ToRegex { cased: params.choice("method", &words, report)? == "plain" }
        }
        "set_value" => set_value(params, report)?,
        "convert_type" => match params.choice("target_type", &["str", "num"], report)? {
            "str" => Transformation::ToText,
            _ => Transformation::ToNumber,
        },
        "detection_item_failure" => Transformation::RefuseLine(params.need_text("message", report)?),
        "case" => Transformation::Case(Case::read(params, "method", report)?),
        _ => return None,
    })
}

/// Transformations of rules as a whole.
fn of_rule(kind: &str, params: &mut Params<'_>, report: &mut Report) -> Option<Transformation> {
    Some(match kind {
        "file_placeholders" => file_placeholders(params, report),
        "add_condition" => Transformation::AddCondition(added(params, report)?),
        "change_logsource" => Transformation::ChangeLogSource(condition::log_source(params, report)),
        "add_field" | "remove_field" => {
            params.need_texts("field", report);
            Transformation::ListFields
        }
        "set_field" => {
            params.need_texts("fields", report);
            Transformation::ListFields
        }
        "set_state" => {
            let key = params.need_text("key", report);
            let value = params.need_scalar("val", report);
            Transformation::SetState(key?, value?)
        }
        "set_custom_attribute" => {
            let name = params.need_text("attribute", report);
            let value = params.need_scalar("value", report);
            Transformation::SetAttribute(name?, value?)
        }
        "rule_failure" => Transformation::RefuseRule(params.need_text("message", report)?),
        "strict_field_mapping_failure" => Transformation::RefuseUnmapped,
        _ => return None,
    })
}

/// Where pySigma reads any file, we take the lists that were loaded beside the pipeline.
fn file_placeholders(params: &mut Params<'_>, report: &mut Report) -> Transformation {
    for key in ["path", "format", "filter", "csv_column", "csv_has_header", "jq_expression"] {
        params.entry(key);
    }
    chosen(params, report);
    let message = "the values come from `placeholders/<name>.txt` beside the pipeline, one a line; `path` is not read";
    report.info(params.at, "placeholder-files", message, "");
    Transformation::ListFields
}

fn chosen(params: &mut Params<'_>, report: &mut Report) -> Chosen {
    let mut list = |key| params.entry(key).is_some().then(|| params.texts(key, report));
    let chosen = Chosen { include: list("include"), exclude: list("exclude") };
    if chosen.include.is_some() && chosen.exclude.is_some() {
        let message = "`include` and `exclude` do not go together";
        report.error(params.at, "invalid-pipeline", message, "Keep one of them.");
    }
    chosen
}

fn extract(params: &mut Params<'_>, report: &mut Report) -> Option<Transformation> {
    let pattern = pattern(params, "regex", true, report);
    let prefix = params.text("field_prefix", report);
    let keep_unmatched = params.flag("preserve_unmatched", report);
    let pattern = pattern?;
    if pattern.capture_names().flatten().next().is_none() {
        let message = "the expression has no named group";
        report.error(params.at, "invalid-regex", message, "Name the parts: `(?P<name>...)`.");
        return None;
    }
    Some(Transformation::Extract { pattern, prefix, keep_unmatched })
}

fn set_value(params: &mut Params<'_>, report: &mut Report) -> Option<Transformation> {
    let value = params.need_scalar("value", report)?;
    let now = match (params.choice("force_type", &["", "str", "num"], report)?, value) {
        ("", Scalar::Null) => Now::Null,
        ("", Scalar::Bool(value)) => Now::Bool(value),
        ("" | "num", Scalar::Number(text, _)) => Now::Number(text),
        ("num", Scalar::Text(text)) if crate::sigma::decimal::Decimal::parse(&text).is_some() => Now::Number(text),
        ("" | "str", Scalar::Text(text)) | ("str", Scalar::Number(text, _)) => Now::Text(tokens(&text)),
        (kind, value) => {
            let message = format!("`{}` cannot be forced to {kind}", value.shown());
            report.error(params.at, "invalid-pipeline", message, "Correct the value or `force_type`.");
            return None;
        }
    };
    Some(Transformation::SetValue(now))
}

fn added(params: &mut Params<'_>, report: &mut Report) -> Option<Added> {
    let Some(entry) = params.entry("conditions") else {
        params.missing("conditions", report);
        return None;
    };
    let template = params.flag("template", report);
    let name = params.text("name", report);
    let negated = params.flag("negated", report);
    let selection = Entry { key: "conditions".to_owned(), at: entry.at, value: entry.value.clone() };
    let place = Place { line: entry.at.line, column: entry.at.column };
    if !matches!(selection.value.kind, Kind::Map(_)) {
        report.error(place, "invalid-pipeline", "`conditions` must be a map of fields", "For example `{EventID: 1}`.");
        return None;
    }
    detection::selection(&selection, report)?;
    Some(Added { name, selection, template, negated })
}

impl Added {
    /// The selection with the rule's log source in place of `$product`, `$category` and `$service`.
    pub(super) fn for_source(&self, source: &RuleSource) -> Entry {
        let mut entry = self.selection.clone();
        if self.template {
            fill(&mut entry.value, source);
        }
        entry
    }
}

fn fill(node: &mut Node, source: &RuleSource) {
    match &mut node.kind {
        Kind::Scalar { text, .. } => {
            for (name, value) in
                [("product", &source.product), ("category", &source.category), ("service", &source.service)]
            {
                let value = value.as_deref().unwrap_or("None");
                *text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
            }
        }
        Kind::List(nodes) => nodes.iter_mut().for_each(|node| fill(node, source)),
        Kind::Map(entries) => entries.iter_mut().for_each(|entry| fill(&mut entry.value, source)),
    }
}
