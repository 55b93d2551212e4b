//! Correlation rules as they were read: what is counted, over which rules, in which groups and within what time.
//!
//! Only the form: their evaluation is elsewhere. References to rules are names here; `link` finds what they mean.

mod expression;
mod link;
mod read;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{
    decimal::Decimal,
    rule::{Header, Rule},
};
use crate::diagnostic::Place;

pub(crate) use self::read::parse;
pub use self::{
    expression::RuleExpr,
    link::{Linked, Links, Member, Target},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationKind {
    /// Events in a group.
    EventCount,
    /// Distinct values of a field in a group.
    ValueCount,
    /// Every rule at least once in a group, in any order.
    Temporal,
    /// Every rule at least once in a group, in the order of `rules`.
    TemporalOrdered,
    ValueSum,
    ValueAvg,
    ValueMedian,
    ValuePercentile,
}

impl CorrelationKind {
    pub const ALL: [Self; 8] = [
        Self::EventCount,
        Self::ValueCount,
        Self::Temporal,
        Self::TemporalOrdered,
        Self::ValueSum,
        Self::ValueAvg,
        Self::ValueMedian,
        Self::ValuePercentile,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
            Self::ValueSum => "value_sum",
            Self::ValueAvg => "value_avg",
            Self::ValueMedian => "value_median",
            Self::ValuePercentile => "value_percentile",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    pub const fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }

    /// Whether the condition must name a field.
    pub const fn needs_field(self) -> bool {
        !matches!(self, Self::EventCount | Self::Temporal | Self::TemporalOrdered)
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Correlation {
    #[serde(flatten)]
    pub header: Header,
    pub kind: CorrelationKind,
    /// What is correlated, in the order of the rule; never empty, none twice.
    pub rules: Vec<RuleReference>,
    /// Fields or aliases whose values make a group; empty: everything is one group.
    pub group_by: Vec<String>,
    pub aliases: Vec<AliasedField>,
    pub timespan: Timespan,
    pub condition: CorrelationCondition,
    /// Whether the rules it refers to raise alerts of their own; `None` when it does not say.
    pub generate: Option<bool>,
}

/// A rule or correlation, by id or by name.
#[derive(Debug, Clone, Serialize)]
pub struct RuleReference {
    pub name: String,
    #[serde(skip)]
    pub(crate) at: Place,
}

impl RuleReference {
    /// Whether it is the rule's id or name.
    pub fn names(&self, rule: &Rule) -> bool {
        self.name == rule.id || !rule.name.is_empty() && self.name == rule.name
    }
}

/// A name for fields that are called differently in the events of different rules.
#[derive(Debug, Clone, Serialize)]
pub struct AliasedField {
    pub alias: String,
    /// The field of each rule.
    pub fields: Vec<(RuleReference, String)>,
    #[serde(skip)]
    pub(crate) at: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timespan {
    /// As the rule writes it: `90m`.
    pub text: String,
    /// At least 1. A month has 2,629,746 seconds, a year 31,556,952: the averages.
    pub seconds: u64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrelationCondition {
    /// Limits of one number: events, distinct values, a sum, a mean, or how many of the rules matched.
    Bounds(Bounds),
    /// Which rules must have matched, and which must not: for the temporal kinds alone.
    Rules(RuleExpr),
}

#[derive(Debug, Clone, Serialize)]
pub struct Bounds {
    /// Every one must hold; never empty.
    pub all: Vec<Bound>,
    /// The fields whose values are counted or added up. Several count as one value each combination.
    pub fields: Vec<String>,
    /// From 0 to 100, for `value_percentile`.
    pub percentile: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Bound {
    pub operator: Operator,
    /// As the rule writes it.
    pub text: String,
    #[serde(skip)]
    pub(crate) value: Decimal,
}

impl Bound {
    /// The limit as a floating-point number; `holds_count` is exact.
    pub fn value(&self) -> f64 {
        self.text.trim().parse().unwrap_or(f64::NAN)
    }

    pub fn holds_count(&self, count: u64) -> bool {
        Decimal::parse(&count.to_string()).is_some_and(|count| self.operator.holds(count.cmp(&self.value)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    Lt,
    Lte,
    Gt,
    Gte,
    Eq,
    Neq,
}

impl Operator {
    pub const ALL: [Self; 6] = [Self::Lt, Self::Lte, Self::Gt, Self::Gte, Self::Eq, Self::Neq];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Eq => "eq",
            Self::Neq => "neq",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == word)
    }

    /// Whether it holds where the number's order to the limit is this.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            Self::Eq => order.is_eq(),
            Self::Neq => order.is_ne(),
        }
    }
}
