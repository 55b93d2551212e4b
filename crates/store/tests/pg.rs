//! The suite of `it` once more, on a PostgreSQL server, and what only PostgreSQL has.

#![allow(clippy::unwrap_used, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

pub(crate) const POSTGRES: bool = true;

#[path = "it/credentials.rs"]
mod credentials;
#[path = "it/database.rs"]
mod database;
#[path = "it/leases.rs"]
mod leases;
#[path = "it/lists.rs"]
mod lists;
#[path = "it/live.rs"]
mod live;
#[path = "it/support.rs"]
mod support;
#[path = "it/tampering.rs"]
mod tampering;
#[path = "it/tenants.rs"]
mod tenants;
#[path = "it/transactions.rs"]
mod transactions;

mod pg {
    mod copying;
    mod logins;
    mod nodes;
    mod walls;
}
