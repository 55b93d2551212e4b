//! The engine with its first capability, on the simulator and on a real twin. Nothing here touches the host's own
//! netfilter.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

mod crash;
mod cut_off;
mod each_change;
mod ended;
mod engine;
mod evidence;
mod files;
mod gate;
mod guarded;
mod hosts;
mod live;
mod many;
mod model;
mod names;
mod network;
mod orphans;
mod processes;
mod record;
mod settling;
mod ssh;
mod sshd;
mod standing;
mod stored;
mod support;
mod users;
mod waiting;
