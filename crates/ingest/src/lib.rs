//! Bytes to events: `formats` (pure: recognise, split, parse, normalise) and `sources` (sockets, files, the journal).
//!
//! Nothing here detects, stores or speaks HTTP. Formats read hostile bytes: they never panic and never index.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod formats;
pub mod limits;
pub mod lines;
pub mod prepare;
pub mod sources;
mod wrapped;

pub use formats::{
    Problem, Recognised, normalise, normalise_checked, normalise_parts, recognise::recognise, time::event_time,
};
pub use limits::{Hints, Limits, LineError};
pub use lines::{Line, split};
pub use prepare::{Prepared, PreparedEvent, prepare};
