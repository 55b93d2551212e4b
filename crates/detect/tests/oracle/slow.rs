//! The oracle: reads rules and events by other means than the engine and decides by the letter of the Sigma specification
//! 2.1.0, one rule and one value after the other. It shares no line with the engine; only what it decides must be equal.
//!
//! Where the specification is silent it holds what the engine promises: `null` is having no value but null; numbers are
//! equal by value; text is compared character by character in Unicode's lower case; a list matches by any element; a
//! path goes through lists, and a key that is the whole path wins; of equal keys the last one counts; blanks around
//! numbers and addresses, ports and zones do not count.

pub(crate) mod address;
pub(crate) mod condition;
pub(crate) mod encode;
pub(crate) mod event;
pub(crate) mod item;
pub(crate) mod number;
pub(crate) mod rule;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod yaml;

pub(crate) use self::{event::Event, rule::Rule};
