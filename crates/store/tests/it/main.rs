//! The store on a real directory: transactions and their entries, tampering, sealing, tenants, pages, opening.

#![allow(clippy::unwrap_used, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

pub(crate) const POSTGRES: bool = false;

mod backups;
mod bounds;
mod correlations;
mod credentials;
mod database;
mod detection;
mod factors;
mod gate;
mod indicators;
mod jobs;
mod leases;
mod lists;
mod live;
mod living;
mod machines;
mod members;
mod opening;
mod outbox;
mod peers;
mod policies;
mod principals;
mod rule_states;
mod sealing;
mod settings;
mod shredding;
mod support;
mod tampering;
mod tenancy;
mod tenants;
mod transactions;
mod upgrade;
