//! Sigma: rules read with places and reasons, compiled once, and evaluated over batches of events.
//!
//! What the specification leaves open is decided so:
//! - `field: null` holds when the field has no value but null: absent, null, `[]`, `[null]`. `exists` looks at presence
//!   alone. A test of a value never holds for an absent field, so its negation (`not`, `neq`) does.
//! - Numbers of a rule are equal by value, text by text; only decimal numbers are numbers (`scalar`).
//! - Lists match when any element does, at any depth; a path goes through the elements of a list; a key that is the
//!   whole path wins over a path; of equal keys the last one counts (`event`).
//! - Case folds character by character, in Unicode's lower case (`pattern`).
//! - An address mapped into IPv6 is the IPv4 address; ports and zones are ignored (`net`).
//! - Log sources route, and are never fields (`route`).

pub(crate) mod compile;
pub(crate) mod condition;
mod correlation;
mod date;
pub(crate) mod decimal;
pub(crate) mod detection;
mod documents;
mod encode;
pub(crate) mod event;
mod explain;
pub(crate) mod expression;
mod field_map;
mod fields;
mod filter;
mod highlight;
pub(crate) mod item;
pub mod lint;
pub(crate) mod matcher;
pub(crate) mod meta;
pub(crate) mod modifiers;
pub(crate) mod net;
mod parse;
pub(crate) mod pattern;
mod prepare;
mod refer;
pub(crate) mod route;
pub(crate) mod rule;
pub(crate) mod scalar;
pub(crate) mod steps;
mod why;
pub(crate) mod yaml;

pub use compile::{CompileOptions, CompiledRule, RuleSet};
pub(crate) use condition::Expr;
pub use correlation::{
    AliasedField, Bound, Bounds, Correlation, CorrelationCondition, CorrelationKind, Linked, Links, Member, Operator,
    RuleExpr, RuleReference, Target, Timespan,
};
pub(crate) use detection::Detection;
pub use documents::Documents;
pub use event::MAX_EVENT_BYTES;
pub use explain::FieldHit;
pub use field_map::{FieldAlias, FieldMap};
pub use fields::FieldReader;
pub use filter::{Filter, FilterRules};
pub use item::Placeholders;
pub use matcher::{EventRef, ScanStats, Worker};
pub use parse::{MAX_FILE_BYTES, parse};
pub use rule::{Header, Related, Rule, RuleSource};
pub use why::{FieldNames, Why, WhyLine, WhySelection};
