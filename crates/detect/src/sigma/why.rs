//! Why a rule matches an event, and why it does not: each selection and each line of it asked for itself. It is for people
//! who look at one event, so every part of the rule is compiled as a rule of its own and run as any other.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use shieldops_model::LogSource;

use super::{
    compile::{CompileOptions, RuleSet},
    condition::Expr,
    detection::{Block, Detection, Selection},
    documents::Documents,
    field_map::FieldMap,
    fields::FieldReader,
    filter::Filter,
    item::{Candidate, Item, Test},
    matcher::{EventRef, Worker},
    route,
    rule::{Rule, RuleSource},
};

/// Lines of a rule that are asked, values of a field and of a line that are shown, and characters of one.
const MAX_LINES: usize = 500;
const MAX_VALUES: usize = 20;
const MAX_CHARS: usize = 512;

/// What a rule says to one event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "four answers to four questions, none of which follows from another")]
pub struct Why {
    /// The event is one object that rules can read.
    pub readable: bool,
    pub matched: bool,
    /// The title of the filter that takes the event out, where the rule would find it.
    pub filtered_by: Option<String>,
    /// The rule is for events of this log source.
    pub log_source: bool,
    /// The condition holds, whatever the log source.
    pub condition: bool,
    pub selections: Vec<WhySelection>,
    /// Lines of the rule that were not asked: it has more than can be shown.
    pub left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhySelection {
    pub name: String,
    pub matched: bool,
    pub lines: Vec<WhyLine>,
}

/// One line of a selection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyLine {
    /// As the rule names it; empty for a keyword.
    pub field: String,
    /// The rule's own values, behind their modifiers.
    pub pattern: String,
    pub matched: bool,
    /// The event has the field.
    pub present: bool,
    /// What the event has in it.
    pub values: Vec<String>,
}

impl Rule {
    /// The fields that the rule reads, by name.
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut items = Vec::new();
        for selection in &self.detection.selections {
            collect(&selection.block, &mut items);
        }
        items.into_iter().filter_map(|item| item.field.as_deref()).collect()
    }

    /// Whether the rule is for events of this log source.
    pub fn is_for(&self, source: &LogSource) -> bool {
        route::sees(&self.log_source, source, true)
    }

    /// What the rule says to one event.
    pub fn why(&self, source: &LogSource, line: &[u8]) -> Why {
        self.why_with(&CompileOptions::default(), source, line)
    }

    /// The same with the lists, pipelines and mappings that the rule is compiled with.
    pub fn why_with(&self, options: &CompileOptions, source: &LogSource, line: &[u8]) -> Why {
        let mut reader = FieldReader::new();
        if !reader.read(line) {
            return Why::default();
        }
        let laid = options;
        let options = CompileOptions { allow_sourceless: true, ..options.without_filters() };
        let mut parts = vec![self.clone(), self.part("any-source", &self.detection), self.whatever()];
        for (index, _) in self.detection.selections.iter().enumerate() {
            let alone = Detection { condition: Expr::Selection(index), ..Detection::clone(&self.detection) };
            parts.push(self.part(&format!("selection-{index}"), &alone));
        }
        let mut left = MAX_LINES;
        let mut left_out = 0_usize;
        for (index, selection) in self.detection.selections.iter().enumerate() {
            let items = items(selection);
            left_out = left_out.saturating_add(items.len().saturating_sub(left));
            for (number, item) in items.iter().take(left).enumerate() {
                parts.push(self.part(&format!("line-{index}-{number}"), &line_alone(item)));
                parts.push(self.part(&format!("field-{index}-{number}"), &line_alone(&exists(item))));
            }
            left = left.saturating_sub(items.len());
        }
        let (set, _) = RuleSet::compile(Documents::from(parts), &options);
        let found = found(&set, source, line);
        let has = |id: &str| found.contains(id);
        let mut left = MAX_LINES;
        let mut shown = |(index, selection): (usize, &Selection)| {
            let items = items(selection);
            let of = |(number, item): (usize, &&Item)| WhyLine {
                field: item.field.clone().unwrap_or_default(),
                pattern: pattern(item),
                matched: has(&format!("line-{index}-{number}")),
                present: has(&format!("field-{index}-{number}")),
                values: values(item, &set, source, &mut reader),
            };
            let lines = items.iter().take(left).enumerate().map(of).collect();
            left = left.saturating_sub(items.len());
            WhySelection { name: selection.name.clone(), matched: has(&format!("selection-{index}")), lines }
        };
        let selections = self.detection.selections.iter().enumerate().map(&mut shown).collect();
        let (alone, condition) = (has(&self.id), has("any-source"));
        let filtered_by = if alone { self.filtered_by(laid, source, line) } else { None };
        let matched = alone && filtered_by.is_none();
        Why { readable: true, matched, filtered_by, log_source: has("source"), condition, selections, left_out }
    }

    /// The title of the first filter with which the rule finds the event no more.
    fn filtered_by(&self, options: &CompileOptions, source: &LogSource, line: &[u8]) -> Option<String> {
        let bare = CompileOptions { allow_sourceless: true, ..options.without_filters() };
        let finds = |filters: Arc<[Arc<Filter>]>| {
            let (set, _) = RuleSet::compile(vec![self.clone()], &CompileOptions { filters, ..bare.clone() });
            found(&set, source, line).contains(&self.id)
        };
        let mut laid = options.filters.iter().filter(|filter| filter.applies(self));
        laid.find(|filter| !finds([Arc::clone(filter)].into())).map(|filter| filter.header.title.clone())
    }

    /// A part of the rule as a rule for every log source.
    fn part(&self, id: &str, detection: &Detection) -> Self {
        let log_source = RuleSource::default();
        Self { id: id.to_owned(), log_source, detection: Arc::new(detection.clone()), ..self.clone() }
    }

    /// The rule with a condition that always holds: what is left is its log source.
    fn whatever(&self) -> Self {
        let always = Expr::Any(vec![Expr::Selection(0), Expr::Not(Box::new(Expr::Selection(0)))]);
        let detection = Detection { condition: always, ..Detection::clone(&self.detection) };
        Self { id: "source".to_owned(), detection: Arc::new(detection), ..self.clone() }
    }
}

/// The names under which events of a log source have a rule's field.
#[derive(Debug, Clone)]
pub struct FieldNames(FieldMap);

impl Default for FieldNames {
    fn default() -> Self {
        Self(FieldMap::shipped())
    }
}

impl FieldNames {
    pub fn of<'m>(&'m self, source: &'m LogSource, field: &'m str) -> impl Iterator<Item = &'m str> {
        std::iter::once(field).chain(self.0.names(source, field))
    }
}

fn found(set: &RuleSet, source: &LogSource, line: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let event = EventRef { line: 0..line.len(), source };
    set.scan(&mut Worker::new(), &[event], line, &mut |_, rule| {
        found.insert(rule.id.clone());
    });
    found
}

fn items(selection: &Selection) -> Vec<&Item> {
    let mut items = Vec::new();
    collect(&selection.block, &mut items);
    items
}

fn collect<'a>(block: &'a Block, items: &mut Vec<&'a Item>) {
    match block {
        Block::All(blocks) | Block::Any(blocks) => blocks.iter().for_each(|block| collect(block, items)),
        Block::Item(item) => items.push(item),
    }
}

/// A detection of nothing but one line.
fn line_alone(item: &Item) -> Detection {
    let block = Block::Item(Box::new(Item { index: 0, ..item.clone() }));
    Detection {
        selections: vec![Selection { name: "line".to_owned(), block }],
        condition: Expr::Selection(0),
        items: 1,
        at: item.at,
    }
}

/// The question whether the field of a line is there. A keyword looks at every value, and some are always there.
fn exists(item: &Item) -> Item {
    let value = Candidate { test: Test::Exists(true), ..item.values.first().cloned().unwrap_or_else(nothing) };
    let mut asked = Item { values: vec![value], ..item.clone() };
    (asked.modifiers.negated, asked.modifiers.all) = (false, false);
    asked
}

fn nothing() -> Candidate {
    Candidate::new(&super::scalar::Scalar::Null, Test::Null)
}

fn pattern(item: &Item) -> String {
    let values: Vec<&str> = item.values.iter().take(MAX_VALUES).map(|value| &*value.shown).collect();
    let more = if item.values.len() > MAX_VALUES { ", ..." } else { "" };
    let joined = if item.modifiers.all { values.join(" and ") } else { values.join(", ") };
    let joined: String = joined.chars().take(MAX_CHARS).collect();
    let modifiers = &item.modifiers.text;
    if modifiers.is_empty() { format!("{joined}{more}") } else { format!("{modifiers}: {joined}{more}") }
}

fn values(item: &Item, set: &RuleSet, source: &LogSource, reader: &mut FieldReader) -> Vec<String> {
    let Some(field) = &item.field else { return Vec::new() };
    let values = reader.values(set, source, field).into_iter().take(MAX_VALUES);
    values.map(|value| value.chars().take(MAX_CHARS).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn rule() -> Rule {
        let text = "title: Failed login\nid: r1\nlevel: low\nlogsource: {product: linux, service: auth}\n\
                    detection:\n  sel: {outcome: failure, user|startswith: [r, x]}\n  known: {ip|cidr: 10.0.0.0/8}\n  condition: sel and not known\n";
        let (documents, problems) = parse(text, "r.yml");
        assert_eq!(problems, []);
        documents.into_rules().swap_remove(0)
    }

    fn shown(why: &Why) -> Vec<String> {
        let line = |line: &WhyLine| {
            let mark = if line.matched { "+" } else { "-" };
            format!("{mark}{} {} {:?} {}", line.field, line.pattern, line.values, line.present)
        };
        why.selections
            .iter()
            .map(|part| {
                format!(
                    "{} {}: {}",
                    part.name,
                    part.matched,
                    part.lines.iter().map(line).collect::<Vec<_>>().join("; ")
                )
            })
            .collect()
    }

    #[test]
    fn a_rule_that_does_not_fire_says_which_line_failed() {
        let source = rule().log_source.as_event_source();
        let why = rule().why(&source, br#"{"outcome":"failure","user":"ann"}"#);
        assert_eq!((why.matched, why.log_source, why.condition), (false, true, false));
        assert_eq!(
            shown(&why),
            [
                r#"sel false: +outcome failure ["failure"] true; -user startswith: r, x ["ann"] true"#,
                "known false: -ip cidr: 10.0.0.0/8 [] false",
            ]
        );
        let why = rule().why(&source, br#"{"outcome":"failure","user":"root","ip":"10.1.1.1"}"#);
        assert!(!why.matched && why.selections.iter().all(|part| part.matched), "the filter holds");
    }

    #[test]
    fn an_event_of_another_source_or_no_event_is_told_apart_from_a_condition_that_fails() {
        let event = br#"{"outcome":"failure","user":"root"}"#;
        let elsewhere = LogSource { product: Some("windows".to_owned()), ..LogSource::default() };
        let why = rule().why(&elsewhere, event);
        assert_eq!((why.readable, why.matched, why.log_source, why.condition), (true, false, false, true));
        let why = rule().why(&rule().log_source.as_event_source(), event);
        assert!(why.matched && why.log_source && why.condition);
        assert!(!rule().why(&elsewhere, b"[").readable);
    }

    #[test]
    fn the_fields_of_a_rule_are_those_of_all_its_selections() {
        assert_eq!(rule().fields().into_iter().collect::<Vec<_>>(), ["ip", "outcome", "user"]);
    }
}
