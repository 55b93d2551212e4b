//! The Sigma engine and indicator matching: batches of events to matches. Pure: no I/O, no clock, no storage.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions))]

mod correlation;
mod diagnostic;
mod engine;
mod indicators;
mod pipelines;
mod sigma;
pub mod testing;

pub use correlation::{
    BUCKETS, CompiledCorrelation, CorrelationDraft, CorrelationMatch, CorrelationSet, Correlator, Counters, Limits,
    Observed, Replayed, Saved, Sighting, Stored, Superseded,
};
pub use diagnostic::{Diagnostic, DiagnosticSeverity};
pub use engine::{EngineStats, SourceFields};
pub use indicators::{
    Allowed, BLOCK_BYTES, BadBlock, Block, BlockWriter, Defaults, Entry as IndicatorEntry, HashKey, IndicatorHit,
    IndicatorKind, Indicators, ListBlocks, ListFacts, ListFormat, ListReader, MAX_INDICATORS, ReadList,
    Table as IndicatorTable, TooLarge, Value as IndicatorValue, read_list,
};
pub use pipelines::Pipeline;
pub use sigma::lint;
pub use sigma::{
    AliasedField, Bound, Bounds, CompileOptions, CompiledRule, Correlation, CorrelationCondition, CorrelationKind,
    Documents, EventRef, FieldAlias, FieldHit, FieldMap, FieldNames, FieldReader, Filter, FilterRules, Header, Linked,
    Links, MAX_EVENT_BYTES, MAX_FILE_BYTES, Member, Operator, Placeholders, Related, Rule, RuleExpr, RuleReference,
    RuleSet, RuleSource, ScanStats, Target, Timespan, Why, WhyLine, WhySelection, Worker, parse,
};
