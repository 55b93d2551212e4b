//! The store on a real directory: transactions and their entries, tampering, sealing, tenants, pages, opening.

#![allow(clippy::unwrap_used, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

pub(crate) const POSTGRES: bool = false;

mod backups;
mod credentials;
mod database;
mod leases;
mod lists;
mod live;
mod opening;
mod sealing;
mod support;
mod tampering;
mod tenants;
mod transactions;
