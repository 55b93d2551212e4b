//! Sigma: rules read with places and reasons, compiled once, and evaluated over batches of events.
//!
//! What the specification leaves open is decided in `docs` of the modules: scalars (`scalar`), wildcards (`pattern`),
//! paths and lists (`event`), null and absence (`matcher`), log sources (`route`).

mod compile;
mod condition;
mod date;
mod decimal;
mod detection;
mod encode;
mod event;
mod explain;
mod expression;
mod field_map;
mod item;
mod matcher;
mod meta;
mod modifiers;
pub(crate) mod net;
mod parse;
mod pattern;
mod route;
mod rule;
mod scalar;
mod yaml;

pub use compile::{CompileOptions, CompiledRule, RuleSet};
pub use event::MAX_EVENT_BYTES;
pub use explain::FieldHit;
pub use field_map::{FieldAlias, FieldMap};
pub use item::Placeholders;
pub use matcher::{EventRef, ScanStats, Worker};
pub use parse::{MAX_FILE_BYTES, parse};
pub use rule::{Rule, RuleSource};
