//! The engine against an evaluator that is slow and obvious: on recorded attacks, on streams, and on generated pairs of rule
//! and event.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking; the allowances for tests do not reach the functions that tests share"
)]

mod corpus;
mod data;
mod make;
mod pairs;
mod slow;
