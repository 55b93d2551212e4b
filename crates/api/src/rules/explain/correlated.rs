//! What one event is to a correlation: which of its rules find it, and in which group it counts.

use shieldops_bus::Stop;
use shieldops_detect::{CorrelationCondition, RuleSet, RuleSource};
use shieldops_model::Normalised;
use shieldops_pipeline::Case;

use super::{Asked, AskedLine, Explanation, LogSources, Set};
use crate::rules::view::Subject;

/// Rules that are asked.
const RULES: usize = 100;

/// Each of its rules stands as a selection; nothing when it had to stop. Blocking.
pub(super) fn answer(
    (subject, case): (&Subject, &Case),
    seen: Normalised,
    set: Set,
    stop: &Stop,
) -> Option<Explanation> {
    let line = seen.flat.as_bytes();
    let mut selections = Vec::new();
    let mut sees: Option<RuleSource> = None;
    let mut left_out = case.rules().len().saturating_sub(RULES);
    for rule in case.rules().iter().take(RULES) {
        if stop.is_due() {
            return None;
        }
        let why = rule.why_with(case.options(), &seen.log_source, line);
        if why.log_source {
            sees.get_or_insert_with(|| rule.log_source.clone());
        }
        left_out = left_out.saturating_add(why.left_out);
        let lines = why.selections.into_iter().flat_map(|one| Asked::from(one).items);
        let items: Vec<AskedLine> = lines.collect();
        selections.push(Asked { name: rule.title.clone(), matched: why.matched, items });
    }
    let matched = selections.iter().any(|one| one.matched);
    let alone = case.finds(&[vec![seen.flat.clone()]], stop)?.first().copied().unwrap_or(false);
    let rule = sees.clone().unwrap_or_else(|| subject.rule.log_source.clone());
    Some(Explanation {
        matched,
        summary: summary(subject, case, &selections, (&seen, alone)),
        version: set.version,
        log_source: LogSources { matches: sees.is_some(), rule, event: seen.log_source.clone() },
        condition_holds: alone,
        selections,
        state: set.state,
        excepted_by: None,
        left_out,
        event: seen.flat,
    })
}

fn summary(subject: &Subject, case: &Case, asked: &[Asked], (seen, alone): (&Normalised, bool)) -> String {
    let found: Vec<String> = asked.iter().filter(|one| one.matched).map(|one| format!("`{}`", one.name)).collect();
    if found.is_empty() {
        return format!("None of its {} rules finds the event, so it counts for nothing.", asked.len());
    }
    let found = found.join(", ");
    let of = case.documents().correlations.iter().find(|one| one.header.id == subject.rule.id);
    let Some(of) = of else { return format!("The event counts as {found}.") };
    let group = groups(case, &of.group_by, seen);
    let wanted = match &of.condition {
        CorrelationCondition::Bounds(bounds) => {
            let bound = |bound: &shieldops_detect::Bound| format!("{} {}", bound.operator.as_str(), bound.text);
            bounds.all.iter().map(bound).collect::<Vec<_>>().join(" and ")
        }
        CorrelationCondition::Rules(_) => "its rules together".to_owned(),
    };
    let by_itself = if alone { "this event is enough" } else { "one event is not enough" };
    format!(
        "The event counts as {found}{group}; `{}` wants {wanted} within {}, and {by_itself}.",
        of.kind.as_str(),
        of.timespan.text
    )
}

fn groups(case: &Case, fields: &[String], seen: &Normalised) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let (set, _) = RuleSet::compile(
        shieldops_detect::Documents { rules: case.rules().to_vec(), ..Default::default() },
        case.options(),
    );
    let mut reader = shieldops_detect::FieldReader::new();
    if !reader.read(seen.flat.as_bytes()) {
        return String::new();
    }
    let value = |field: &String| {
        let values = reader.values(&set, &seen.log_source, field);
        if values.is_empty() { format!("{field} missing") } else { format!("{field}={}", values.join(",")) }
    };
    format!(" in the group {}", fields.iter().map(value).collect::<Vec<_>>().join(", "))
}
