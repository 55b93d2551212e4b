//! The fast path: batches of raw lines against all rules, without reading what no rule needs.
//!
//! What happens to one event, and where:
//! - `structure` (in `shieldops-vector`): where its quotes and brackets are.
//! - `shape`: the order of its keys, learned once and then only compared; from it, where each field's value stands.
//! - `source`, `discriminate`: which rules can see it. `shard`: those rules, compiled together for one log source and
//!   event id, with what is constant there folded away.
//! - `plan`: a shard for one shape: which nets run over which values.
//! - `nets`: look for the witnesses of the shard's rules. A witness is something without which a rule cannot match
//!   (`witness`); most events have none and are done.
//! - `verify`: the conditions of the rules whose witness was found, on the bytes as they stand.
//!
//! Everything works on the raw bytes of a line. Why that gives the same answers as reading it is all in one place:
//! `bytes`. What is not sure there is left to the exact evaluator of `sigma::matcher`, field by field (`Loc::Complex`) or
//! event by event. Learning (`learn`) changes what is tried first, never what matches.

mod bytes;
mod code;
mod inherit;
mod input;
mod keys;
mod learn;
mod nets;
mod plan;
mod program;
mod raw;
mod regex_literals;
mod routes;
mod sample;
mod scan;
mod shape;
mod shard;
mod shared;
mod source;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod witness;
mod words;

pub(crate) use bytes::escape;
pub use scan::EngineStats;
pub(crate) use scan::Fast;
pub(crate) use shared::Engine;
pub use source::SourceFields;
