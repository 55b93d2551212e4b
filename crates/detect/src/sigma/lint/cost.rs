//! How dear a rule is to the events of its log source, and why.
//!
//! A rule is cheap when an event can be left aside for the lack of a plain text or number. What must be tried on each
//! event costs more.

use regex_syntax::hir::literal::Extractor;
use serde::Serialize;

use super::super::{
    condition::Expr,
    detection::{Block, Detection},
    item::{Item, Test},
    pattern::{Parts, Pattern, Token},
    rule::Rule,
};
use crate::diagnostic::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CostClass {
    Cheap,
    Medium,
    Expensive,
}

/// The class of a rule, with what makes it no cheaper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cost {
    pub class: CostClass,
    pub reasons: Vec<String>,
    #[serde(skip)]
    at: Option<Place>,
}

impl Cost {
    fn new(class: CostClass) -> Self {
        Self { class, reasons: Vec::new(), at: None }
    }

    fn because(class: CostClass, reason: &str, at: Place) -> Self {
        Self { class, reasons: vec![reason.to_owned()], at: Some(at) }
    }

    /// The line that costs most, or the rule.
    pub(super) fn place(&self, rule: &Rule) -> Place {
        self.at.unwrap_or(Place { line: rule.line, column: 1 })
    }

    /// Both are tried.
    fn plus(mut self, other: Self) -> Self {
        if other.class > self.class {
            return other.plus(self);
        }
        if other.class == self.class {
            let new = other.reasons.into_iter().filter(|reason| !self.reasons.contains(reason)).collect::<Vec<_>>();
            self.reasons.extend(new);
        }
        self
    }

    /// One of them decides first.
    fn least(self, other: Self) -> Self {
        if other.class < self.class { other } else { self }
    }
}

/// Characters that a plain text needs to leave most events aside.
const LONG_ENOUGH: usize = 3;

pub fn cost(rule: &Rule) -> Cost {
    let found = of_expr(&rule.detection.condition, &rule.detection);
    found.unwrap_or_else(|| {
        let at = Place { line: rule.line, column: 1 };
        Cost::because(CostClass::Expensive, "nothing that an event must have: every event is tried", at)
    })
}

/// What an event must have for the condition to hold; nothing where it may have anything.
fn of_expr(expr: &Expr, detection: &Detection) -> Option<Cost> {
    let selection = |index: &usize| of_block(&detection.selections.get(*index)?.block);
    match expr {
        Expr::Selection(index) => selection(index),
        Expr::Not(_) => None,
        Expr::All(parts) => parts.iter().filter_map(|part| of_expr(part, detection)).reduce(Cost::least),
        Expr::Any(parts) => every(parts.iter().map(|part| of_expr(part, detection))),
        Expr::AtLeast(count, chosen) if *count == chosen.len() => {
            chosen.iter().filter_map(selection).reduce(Cost::least)
        }
        Expr::AtLeast(_, chosen) => every(chosen.iter().map(selection)),
    }
}

/// Each of them may be the one: all are tried, and one without a demand makes the whole without.
fn every(costs: impl Iterator<Item = Option<Cost>>) -> Option<Cost> {
    costs.reduce(|one, other| Some(one?.plus(other?))).flatten()
}

fn of_block(block: &Block) -> Option<Cost> {
    match block {
        Block::All(blocks) => blocks.iter().filter_map(of_block).reduce(Cost::least),
        Block::Any(blocks) => every(blocks.iter().map(of_block)),
        Block::Item(item) => of_item(item),
    }
}

fn of_item(item: &Item) -> Option<Cost> {
    if item.modifiers.negated {
        return None;
    }
    let mut costs = item.values.iter().map(|value| of_test(&value.test, item));
    let found = if item.modifiers.all {
        costs.flatten().reduce(Cost::least)
    } else {
        costs.try_fold(Cost::new(CostClass::Cheap), |sum, one| Some(sum.plus(one?)))
    };
    let keyword = item.field.is_none();
    found.map(|cost| {
        if keyword && cost.class == CostClass::Cheap {
            Cost::because(CostClass::Medium, "keywords are looked for in every value", item.at)
        } else {
            cost
        }
    })
}

fn of_test(test: &Test, item: &Item) -> Option<Cost> {
    let because = |class, reason: &str| Some(Cost::because(class, reason, item.at));
    match test {
        Test::Null | Test::Exists(false) => None,
        Test::Unresolved | Test::Number { .. } | Test::Network(_) | Test::Exists(true) => {
            Some(Cost::new(CostClass::Cheap))
        }
        Test::Compare { .. } | Test::Date { .. } | Test::FieldRef { .. } => {
            because(CostClass::Medium, "a comparison is made for each event that has the field")
        }
        Test::Either(tests) => tests
            .iter()
            .map(|test| of_test(test, item))
            .try_fold(Cost::new(CostClass::Cheap), |sum, one| Some(sum.plus(one?))),
        Test::Pattern(pattern) if longest(pattern) >= LONG_ENOUGH || is_whole(pattern) => {
            Some(Cost::new(CostClass::Cheap))
        }
        Test::Pattern(_) => because(CostClass::Medium, "a text of less than three characters is in most events"),
        Test::Regex(regex) if literal(regex.as_str()) >= LONG_ENOUGH => {
            because(CostClass::Medium, "an expression is run where its plain text is found")
        }
        Test::Regex(_) => {
            because(CostClass::Expensive, "an expression without plain text is run on each event that has the field")
        }
    }
}

fn is_whole(pattern: &Pattern) -> bool {
    matches!(pattern.parts(), Parts::Text(_, super::super::pattern::Anchor::Whole))
}

/// Characters of the longest plain part.
fn longest(pattern: &Pattern) -> usize {
    let count = |text: &str| text.chars().count();
    match pattern.parts() {
        Parts::Any => 0,
        Parts::Text(text, _) => count(text),
        Parts::Runs(runs) => {
            let texts = runs.iter().flatten().map(|token| match token {
                Token::Text(text) => count(text),
                Token::One | Token::Many | Token::Dash => 0,
            });
            texts.max().unwrap_or(0)
        }
    }
}

/// Characters of the shortest text with which every match begins or ends.
fn literal(expression: &str) -> usize {
    use regex_syntax::hir::literal::ExtractKind;
    let Ok(hir) = regex_syntax::parse(expression) else { return 0 };
    let shortest = |kind| {
        let mut extractor = Extractor::new();
        extractor.kind(kind);
        extractor.extract(&hir).min_literal_len().unwrap_or(0)
    };
    shortest(ExtractKind::Prefix).max(shortest(ExtractKind::Suffix)).max(inner(&hir))
}

/// Characters of the longest text that every match holds in its middle.
fn inner(hir: &regex_syntax::hir::Hir) -> usize {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Concat(parts) => parts.iter().map(inner).max().unwrap_or(0),
        HirKind::Capture(capture) => inner(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => inner(&repetition.sub),
        HirKind::Alternation(parts) => parts.iter().map(inner).min().unwrap_or(0),
        HirKind::Repetition(_) | HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => 0,
    }
}
