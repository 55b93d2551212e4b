//! Correlation: matches of rules in, matches of correlations out. Pure: event time and watermarks are values.
//!
//! What the specification leaves open is decided so:
//! - A correlation is evaluated at the time `t` of each matching event, over `[t - timespan, t]` with both ends, so every
//!   window that an event can end is looked at and none begins at a fixed bucket.
//! - One match lasts from the first `t` at which the condition holds until it has not held for one timespan. It spans what
//!   was looked at: from the first event of its first window to its last `t`.
//! - What more events can only make true fires at once: `gt` and `gte` of counts, `temporal`, `temporal_ordered`. What more
//!   events could make false fires when the watermark has passed `t`.
//! - Late events are placed where they belong and what they touch is evaluated again: a match grows, begins earlier or
//!   takes in a neighbour under its own id. A match that no longer stands is never taken back, but marked superseded.
//! - An event without a group field is in no group. A list is one value: its elements together.
//! - Numbers are exact to nine decimals; what is no number is not counted by `value_sum`, `value_avg`, `value_median` and
//!   `value_percentile` (nearest rank).
//! - For `temporal` over a correlation, every `t` at which that holds is one of its events; for counts, each of its
//!   matches is one, at its first `t`, once the watermark has passed it.
//!
//! State is bounded: [`Limits`]. What goes for want of room is counted: [`Counters`].

mod alert;
mod amount;
mod blob;
mod correlator;
mod group;
mod log;
mod program;
mod replay;
mod schedule;
mod set;
mod shown;
mod window;

pub use alert::Superseded;
pub use correlator::{CorrelationMatch, Correlator, Counters, Limits, Observed};
pub use log::{BUCKETS, Saved, Stored};
pub use replay::{Replayed, Sighting};
pub use set::{CompiledCorrelation, CorrelationDraft, CorrelationSet};

/// Microseconds that an event may come behind a later one of its source.
const LATENESS_US: i64 = 60_000_000;

#[cfg(test)]
mod tests;
