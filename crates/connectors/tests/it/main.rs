//! The engine with its first capability, on the simulator and on a real twin. Nothing here touches the host's own
//! netfilter.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

mod crash;
mod engine;
mod gate;
mod live;
mod model;
mod orphans;
mod stored;
mod support;
