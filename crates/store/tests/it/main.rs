//! The store on a real directory: transactions and their entries, tampering, sealing, tenants, pages, opening.

#![allow(clippy::unwrap_used, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]

mod credentials;
mod lists;
mod live;
mod opening;
mod sealing;
mod support;
mod tampering;
mod tenants;
mod transactions;
