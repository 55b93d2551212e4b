//! The engine over a journal in memory and a switch that people throw.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod away;
mod clocks;
mod elsewhere;
mod failing;
mod foreign;
mod freeze;
mod given_up;
mod halted;
mod hash;
mod lifting;
mod policies;
mod reached;
mod switch;
mod waits;
