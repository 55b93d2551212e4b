//! The whole under power cuts, full disks and bad surroundings: what was acknowledged is there once, what was done is
//! said, what is said was done, and the ledger proves it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unused_result_ok,
    reason = "tests: a wrong step ends the test, the score is printed, and cleaning up is best effort"
)]

#[path = "support/machine.rs"]
mod machine;

#[path = "crash/actions.rs"]
mod actions;
#[path = "crash/environment.rs"]
mod environment;
#[path = "crash/full_disk.rs"]
mod full_disk;
#[path = "crash/ingest.rs"]
mod ingest;
#[path = "crash/points.rs"]
mod points;
#[path = "crash/proof.rs"]
mod proof;
#[path = "crash/tally.rs"]
mod tally;
#[path = "crash/world.rs"]
mod world;
