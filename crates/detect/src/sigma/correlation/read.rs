//! The `correlation` part of a document to a [`Correlation`], with limits and places.

use super::{
    AliasedField, Bound, Bounds, Correlation, CorrelationCondition, CorrelationKind, Operator, RuleReference, Timespan,
    expression,
};
use crate::{
    diagnostic::{Place, Report, nearest},
    sigma::{
        decimal::Decimal,
        rule::Header,
        scalar::Scalar,
        yaml::{Entry, Kind, Node},
    },
};

/// Rules that one correlation refers to.
pub(super) const MAX_RULES: usize = 100;
/// Fields that make a group, and fields that are counted.
const MAX_FIELDS: usize = 16;
const MAX_ALIASES: usize = 64;
/// Ten years.
const MAX_SECONDS: u64 = 315_569_520;
const KEYS: [&str; 7] = ["type", "rules", "group-by", "timespan", "condition", "aliases", "generate"];

/// The correlation, or `None` after a report of why not.
pub(crate) fn parse(
    header: Header,
    generate: Option<&Entry>,
    entry: &Entry,
    report: &mut Report,
) -> Option<Correlation> {
    let node = &entry.value;
    let Some(entries) = node.entries() else {
        let message = "`correlation` must be a map";
        report.error(entry.at, "invalid-correlation", message, "Give type, rules, group-by, timespan and condition.");
        return None;
    };
    for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
        let fix = match nearest(&entry.key, KEYS) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("The keys are: {}.", KEYS.join(", ")),
        };
        report.warning(entry.at, "unknown-key", format!("`correlation` has no key `{}`", entry.key), fix);
    }
    let kind = kind(entry, report)?;
    let timespan = timespan(entry, report);
    let group_by = node.get("group-by").map_or(Vec::new(), |entry| texts(entry, MAX_FIELDS, report).0);
    let aliases = aliases(node, report);
    let generate = boolean(node.get("generate").or(generate), report);
    let rules = rules(entry, kind, report)?;
    let condition = condition(entry, kind, &rules, report)?;
    Some(Correlation { header, kind, rules, group_by, aliases, timespan: timespan?, condition, generate })
}

fn kind(entry: &Entry, report: &mut Report) -> Option<CorrelationKind> {
    let names = CorrelationKind::ALL.map(CorrelationKind::as_str);
    let Some(found) = entry.value.get("type") else {
        let fix = format!("The types are: {}.", names.join(", "));
        report.error(entry.at, "missing-type", "the correlation has no `type`", fix);
        return None;
    };
    let word = found.value.text().unwrap_or_default().trim();
    let kind = CorrelationKind::parse(word);
    if kind.is_none() {
        let fix = match nearest(word, names) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => format!("The types are: {}.", names.join(", ")),
        };
        report.error(found.value.at, "unknown-type", format!("there is no correlation type `{word}`"), fix);
    }
    kind
}

fn timespan(entry: &Entry, report: &mut Report) -> Option<Timespan> {
    let fix = "Write a number and a unit of s, m, h, d, w, M (month) or y: `10m`.";
    let Some(found) = entry.value.get("timespan") else {
        report.error(entry.at, "missing-timespan", "the correlation has no `timespan`", fix);
        return None;
    };
    let text = found.value.text().unwrap_or_default().trim();
    match seconds(text) {
        Some(seconds) if (1..=MAX_SECONDS).contains(&seconds) => Some(Timespan { text: text.to_owned(), seconds }),
        Some(_) => {
            let message = format!("`{text}` is outside of 1 second to 10 years");
            report.error(found.value.at, "invalid-timespan", message, "Choose a time within these.");
            None
        }
        None => {
            report.error(found.value.at, "invalid-timespan", format!("`{text}` is no time span"), fix);
            None
        }
    }
}

fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let count = text.strip_suffix(unit)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        'M' => 2_629_746,
        'y' => 31_556_952,
        _ => return None,
    };
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    count.parse::<u64>().ok()?.checked_mul(factor)
}

/// A text or a list of texts, each once, with the place of each.
fn texts(entry: &Entry, limit: usize, report: &mut Report) -> (Vec<String>, Vec<Place>) {
    let nodes = match &entry.value.kind {
        Kind::List(nodes) => nodes.as_slice(),
        Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(&entry.value),
    };
    let (mut found, mut places) = (Vec::new(), Vec::new());
    for node in nodes {
        let text = node.text().unwrap_or_default().trim();
        if text.is_empty() {
            let message = format!("`{}` takes text or a list of texts", entry.key);
            report.error(node.at, "invalid-value", message, "Give names.");
        } else if !found.iter().any(|old| old == text) {
            found.push(text.to_owned());
            places.push(node.at);
        }
        if found.len() > limit {
            let message = format!("more than {limit} entries in `{}`", entry.key);
            report.error(entry.at, "too-large", message, "Use fewer, or chain correlations.");
            break;
        }
    }
    (found, places)
}

fn references(entry: &Entry, report: &mut Report) -> Vec<RuleReference> {
    let (names, places) = texts(entry, MAX_RULES, report);
    names.into_iter().zip(places).map(|(name, at)| RuleReference { name, at }).collect()
}

fn rules(entry: &Entry, kind: CorrelationKind, report: &mut Report) -> Option<Vec<RuleReference>> {
    let rules = match (entry.value.get("rules"), entry.value.get("condition")) {
        (Some(rules), _) => references(rules, report),
        (None, Some(condition)) if kind.is_temporal() => {
            condition.value.text().map_or(Vec::new(), |text| expression::names(text, condition.value.text_place()))
        }
        (None, _) => Vec::new(),
    };
    if rules.is_empty() {
        report.error(entry.at, "missing-rules", "the correlation names no `rules`", "List ids or names of rules.");
        return None;
    }
    if rules.len() > MAX_RULES {
        report.error(entry.at, "too-large", format!("more than {MAX_RULES} rules"), "Chain correlations.");
        return None;
    }
    Some(rules)
}

fn aliases(node: &Node, report: &mut Report) -> Vec<AliasedField> {
    let Some(entry) = node.get("aliases") else { return Vec::new() };
    let fix = "For example `aliases: {ip: {rule_a: SourceIp, rule_b: DestinationIp}}`.";
    let Some(entries) = entry.value.entries() else {
        report.error(entry.at, "invalid-aliases", "`aliases` must be a map of maps", fix);
        return Vec::new();
    };
    if entries.len() > MAX_ALIASES {
        report.error(entry.at, "too-large", format!("more than {MAX_ALIASES} aliases"), "Remove some.");
        return Vec::new();
    }
    let mut found = Vec::new();
    for alias in entries {
        let Some(fields) = alias.value.entries() else {
            report.error(alias.at, "invalid-aliases", format!("the alias `{}` must be a map", alias.key), fix);
            continue;
        };
        let one = |field: &Entry| {
            let name = field.value.text().map(str::trim).filter(|name| !name.is_empty())?;
            Some((RuleReference { name: field.key.clone(), at: field.at }, name.to_owned()))
        };
        if fields.len() > MAX_RULES || fields.iter().any(|field| one(field).is_none()) {
            let message = format!("the alias `{}` must map rules to fields", alias.key);
            report.error(alias.at, "invalid-aliases", message, fix);
        }
        let fields = fields.iter().filter_map(one).collect();
        found.push(AliasedField { alias: alias.key.clone(), fields, at: alias.at });
    }
    found
}

fn boolean(entry: Option<&Entry>, report: &mut Report) -> Option<bool> {
    let entry = entry?;
    if let Some(Scalar::Bool(value)) = Scalar::of(&entry.value) {
        return Some(value);
    }
    let message = format!("`{}` takes true or false", entry.key);
    report.error(entry.value.at, "invalid-value", message, "Write `true` or `false` without quotes.");
    None
}

fn condition(
    entry: &Entry,
    kind: CorrelationKind,
    rules: &[RuleReference],
    report: &mut Report,
) -> Option<CorrelationCondition> {
    let Some(found) = entry.value.get("condition") else {
        if kind.is_temporal() {
            return Some(every_rule(rules));
        }
        let fix = "For example `condition: {gte: 10}`.";
        report.error(entry.at, "missing-condition", "the correlation has no `condition`", fix);
        return None;
    };
    match (&found.value.kind, found.value.text()) {
        (Kind::Map(entries), _) => bounds(found, entries, kind, report).map(CorrelationCondition::Bounds),
        (_, Some(text)) if kind.is_temporal() => {
            expression::parse(text, found.value.text_place(), rules, report).map(CorrelationCondition::Rules)
        }
        _ => {
            let message = format!("the condition of {} must be a map", kind.as_str());
            report.error(found.at, "invalid-condition", message, "For example `condition: {gte: 10}`.");
            None
        }
    }
}

/// Without a condition a temporal correlation wants each of its rules.
fn every_rule(rules: &[RuleReference]) -> CorrelationCondition {
    let text = rules.len().to_string();
    let value = Decimal::from_number(u32::try_from(rules.len()).unwrap_or(u32::MAX));
    let all = vec![Bound { operator: Operator::Gte, text, value }];
    CorrelationCondition::Bounds(Bounds { all, fields: Vec::new(), percentile: None })
}

fn bounds(condition: &Entry, entries: &[Entry], kind: CorrelationKind, report: &mut Report) -> Option<Bounds> {
    let errors = report.errors();
    let mut bounds = Bounds { all: Vec::new(), fields: Vec::new(), percentile: None };
    for entry in entries {
        match entry.key.as_str() {
            "field" => bounds.fields = texts(entry, MAX_FIELDS, report).0,
            "percentile" => bounds.percentile = percentile(entry, kind, report),
            word => {
                if let Some(operator) = Operator::parse(word) {
                    bounds.all.extend(bound(entry, operator, report));
                } else {
                    let names = Operator::ALL.map(Operator::as_str).join(", ");
                    let fix = format!("The operators are: {names}; the other keys are field and percentile.");
                    report.error(entry.at, "invalid-condition", format!("there is no operator `{word}`"), fix);
                }
            }
        }
    }
    let at = condition.at;
    if report.errors() > errors {
        return None;
    }
    if bounds.all.is_empty() {
        report.error(at, "invalid-condition", "the condition compares with nothing", "For example `gte: 10`.");
    }
    check_fields(&bounds, kind, at, report);
    if bounds.is_impossible() {
        let message = "no number is within these limits, so the correlation never matches";
        report.error(at, "impossible-condition", message, "Correct the limits.");
    }
    (report.errors() == errors).then_some(bounds)
}

fn check_fields(bounds: &Bounds, kind: CorrelationKind, at: Place, report: &mut Report) {
    if kind.needs_field() && bounds.fields.is_empty() {
        let message = format!("{} needs a `field`", kind.as_str());
        report.error(at, "missing-field", message, "Name the field in the condition: `field: User`.");
    }
    if kind.needs_field() && kind != CorrelationKind::ValueCount && bounds.fields.len() > 1 {
        let message = format!("{} takes one `field`", kind.as_str());
        report.error(at, "invalid-condition", message, "Only value_count takes a list of fields.");
    }
    if !kind.needs_field() && !bounds.fields.is_empty() {
        let message = format!("{} has no use for `field`", kind.as_str());
        report.warning(at, "unused-field", message, "Remove it, or use value_count.");
    }
    if kind == CorrelationKind::ValuePercentile && bounds.percentile.is_none() {
        let message = "value_percentile needs a `percentile`";
        report.error(at, "missing-percentile", message, "Say which in the condition: `percentile: 95`.");
    }
}

fn bound(entry: &Entry, operator: Operator, report: &mut Report) -> Option<Bound> {
    let text = entry.value.text().unwrap_or_default().trim();
    let Some(value) = Decimal::parse(text) else {
        let message = format!("`{text}` is not a number");
        report.error(entry.value.at, "invalid-value", message, "Compare with a number.");
        return None;
    };
    Some(Bound { operator, text: text.to_owned(), value })
}

fn percentile(entry: &Entry, kind: CorrelationKind, report: &mut Report) -> Option<f64> {
    if kind != CorrelationKind::ValuePercentile {
        let message = format!("{} has no use for `percentile`", kind.as_str());
        report.warning(entry.at, "unused-percentile", message, "Remove it, or use value_percentile.");
    }
    let text = entry.value.text().unwrap_or_default().trim();
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
    if number.is_none() {
        let message = format!("`{text}` is no percentile");
        report.error(entry.value.at, "invalid-value", message, "Give a number from 0 to 100.");
    }
    number
}

impl Bounds {
    /// Whether a lower limit lies above an upper one.
    fn is_impossible(&self) -> bool {
        let lower = |bound: &&Bound| matches!(bound.operator, Operator::Gt | Operator::Gte | Operator::Eq);
        let upper = |bound: &&Bound| matches!(bound.operator, Operator::Lt | Operator::Lte | Operator::Eq);
        let is_closed = |bound: &Bound| !matches!(bound.operator, Operator::Gt | Operator::Lt);
        self.all.iter().filter(lower).any(|low| {
            self.all.iter().filter(upper).any(|high| match low.value.cmp(&high.value) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => !(is_closed(low) && is_closed(high)),
                std::cmp::Ordering::Greater => true,
            })
        })
    }
}
