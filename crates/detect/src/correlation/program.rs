//! What a correlation asks of a window, and whether it can be answered at once.

use super::amount;
use crate::sigma::{Bounds, Correlation, CorrelationCondition, CorrelationKind, Operator, RuleExpr};

/// A correlation made ready: numbers instead of texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Program {
    pub(super) kind: CorrelationKind,
    pub(super) span_us: i64,
    /// How many rules it has.
    pub(super) rules: usize,
    pub(super) test: Test,
    /// In hundred-millionths of the whole, for `value_percentile`.
    pub(super) percentile: i128,
    /// More events can make it false, so it waits for the watermark.
    pub(super) waits: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// All of them must hold; limits in billionths.
    Bounds(Vec<(Operator, i128)>),
    Rules(RuleExpr),
}

/// One hundred percent.
pub(super) const WHOLE: i128 = 100_000_000;

impl Program {
    pub(super) fn of(correlation: &Correlation) -> Self {
        let kind = correlation.kind;
        let test = match &correlation.condition {
            CorrelationCondition::Bounds(bounds) => Test::Bounds(limits(bounds)),
            CorrelationCondition::Rules(expr) => Test::Rules(expr.clone()),
        };
        let percentile = match &correlation.condition {
            CorrelationCondition::Bounds(Bounds { percentile: Some(percent), .. }) => {
                amount::parse(&format!("{percent:.6}")).unwrap_or(0).checked_div(1_000).unwrap_or(0)
            }
            _ => 0,
        };
        let seconds = i64::try_from(correlation.timespan.seconds).unwrap_or(i64::MAX);
        let waits = waits(kind, &test);
        let rules = correlation.rules.len();
        Self { kind, span_us: seconds.saturating_mul(1_000_000), rules, test, percentile, waits }
    }

    /// Whether an event counts once however many rules it matched.
    pub(super) fn counts_events(&self) -> bool {
        !self.kind.is_temporal()
    }

    /// Whether each match of a correlation below counts once, instead of each time that it held.
    pub(super) fn wants_matches(&self) -> bool {
        self.counts_events()
    }

    /// Whether a number passes all limits.
    pub(super) fn passes(&self, number: i128) -> bool {
        match &self.test {
            Test::Bounds(bounds) => bounds.iter().all(|(operator, limit)| operator.holds(number.cmp(limit))),
            Test::Rules(_) => false,
        }
    }

    /// The smallest number of events that it takes, when it can be true at all.
    pub(super) fn least_events(&self) -> i128 {
        if self.kind != CorrelationKind::EventCount && self.kind != CorrelationKind::ValueCount {
            return 1;
        }
        let Test::Bounds(bounds) = &self.test else { return 1 };
        let least = bounds.iter().map(|(operator, limit)| match operator {
            Operator::Gt => limit.saturating_add(amount::ONE),
            Operator::Gte | Operator::Eq => *limit,
            Operator::Lt | Operator::Lte | Operator::Neq => 1,
        });
        least.max().unwrap_or(1).checked_div(amount::ONE).unwrap_or(1)
    }
}

/// A limit that no number of ours reaches is beyond all of them.
fn limits(bounds: &Bounds) -> Vec<(Operator, i128)> {
    let limit = |text: &str| {
        let beyond = if text.trim_start().starts_with('-') { i128::MIN } else { i128::MAX };
        amount::parse(text).unwrap_or(beyond)
    };
    bounds.all.iter().map(|bound| (bound.operator, limit(&bound.text))).collect()
}

fn waits(kind: CorrelationKind, test: &Test) -> bool {
    match (kind, test) {
        (
            CorrelationKind::EventCount
            | CorrelationKind::ValueCount
            | CorrelationKind::Temporal
            | CorrelationKind::TemporalOrdered,
            Test::Bounds(bounds),
        ) => bounds.iter().any(|(operator, _)| !matches!(operator, Operator::Gt | Operator::Gte)),
        (CorrelationKind::Temporal, Test::Rules(expr)) => has_not(expr),
        // One more rule of an `or` may be out of order.
        (CorrelationKind::TemporalOrdered, Test::Rules(expr)) => !is_conjunction(expr),
        _ => true,
    }
}

fn has_not(expr: &RuleExpr) -> bool {
    match expr {
        RuleExpr::Rule(_) => false,
        RuleExpr::Not(_) => true,
        RuleExpr::All(parts) | RuleExpr::Any(parts) => parts.iter().any(has_not),
    }
}

fn is_conjunction(expr: &RuleExpr) -> bool {
    match expr {
        RuleExpr::Rule(_) => true,
        RuleExpr::Not(_) | RuleExpr::Any(_) => false,
        RuleExpr::All(parts) => parts.iter().all(is_conjunction),
    }
}

/// The rules that an expression wants, as against those that it wants absent.
pub(super) fn wanted(expr: &RuleExpr, rule: usize) -> bool {
    match expr {
        RuleExpr::Rule(index) => *index == rule,
        RuleExpr::Not(_) => false,
        RuleExpr::All(parts) | RuleExpr::Any(parts) => parts.iter().any(|part| wanted(part, rule)),
    }
}
