//! The suite of `it` once more, on a PostgreSQL server, and what only PostgreSQL has.

#![allow(clippy::unwrap_used, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

pub(crate) const POSTGRES: bool = true;

#[path = "it/bounds.rs"]
mod bounds;
#[path = "it/credentials.rs"]
mod credentials;
#[path = "it/database.rs"]
mod database;
#[path = "it/detection.rs"]
mod detection;
#[path = "it/factors.rs"]
mod factors;
#[path = "it/gate.rs"]
mod gate;
#[path = "it/indicators.rs"]
mod indicators;
#[path = "it/jobs.rs"]
mod jobs;
#[path = "it/leases.rs"]
mod leases;
#[path = "it/lists.rs"]
mod lists;
#[path = "it/live.rs"]
mod live;
#[path = "it/living.rs"]
mod living;
#[path = "it/machines.rs"]
mod machines;
#[path = "it/members.rs"]
mod members;
#[path = "it/outbox.rs"]
mod outbox;
#[path = "it/peers.rs"]
mod peers;
#[path = "it/policies.rs"]
mod policies;
#[path = "it/principals.rs"]
mod principals;
#[path = "it/rule_states.rs"]
mod rule_states;
#[path = "it/settings.rs"]
mod settings;
#[path = "it/shredding.rs"]
mod shredding;
#[path = "it/support.rs"]
mod support;
#[path = "it/tampering.rs"]
mod tampering;
#[path = "it/tenancy.rs"]
mod tenancy;
#[path = "it/tenants.rs"]
mod tenants;
#[path = "it/transactions.rs"]
mod transactions;

mod pg {
    mod copying;
    mod logins;
    mod nodes;
    mod upgrading;
    mod walls;
    mod writers;
}
