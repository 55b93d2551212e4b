//! The Sigma engine and indicator matching: batches of events to matches. Pure: no I/O, no clock, no storage.

mod diagnostic;
mod sigma;

pub use diagnostic::{Diagnostic, DiagnosticSeverity};
pub use sigma::{
    CompileOptions, CompiledRule, EventRef, FieldAlias, FieldHit, FieldMap, MAX_EVENT_BYTES, MAX_FILE_BYTES,
    Placeholders, Rule, RuleSet, RuleSource, ScanStats, Worker, parse,
};
