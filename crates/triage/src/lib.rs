//! Fingerprints, deduplication, risk scores and correlation: matches to alerts to incidents. Pure.
//!
//! Nothing here reads a store, a clock or randomness: rows come in as values, changed rows go out, and ids are minted by
//! the caller. So the same matches give the same alerts and incidents, also in a replay.

mod correlate;
mod entities;
mod finding;
mod fingerprint;
mod fold;
mod merge;
mod raise;
pub mod risk;
mod rollup;
mod stage;
mod story;

pub use correlate::{Correlation, GAP, IncidentSummary, correlate};
pub use finding::{Finding, GroupKey, RuleFacts};
pub use fingerprint::fingerprint;
pub use fold::{AlertChange, FoldKey, MAX_EVENT_IDS, Span, WINDOW, fold, key, spans, times};
pub use merge::{MergeError, Merged, merge};
pub use raise::{Raised, raise};
pub use rollup::{Growth, Rollup, open, refresh, rollup};
pub use story::title;

#[cfg(test)]
mod testing;
