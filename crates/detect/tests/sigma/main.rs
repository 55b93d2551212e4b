//! What a user of the engine may rely on, from rule text and events to matches.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking; the allowances for tests do not reach the functions that tests share"
)]

mod check;
mod conformance;
mod filters;
mod hostile;
mod modifiers;
mod selections;
mod sources;
mod values;
