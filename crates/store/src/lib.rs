//! State in SQLite or PostgreSQL: migrations, transactions that carry their ledger entry, and repositories that only a tenant scope
//! can build.
//!
//! No query leaves this crate, and none runs without a tenant. A change is made through a [`Tx`], whose commit refuses
//! a domain change that has no ledger entry; the commit appends the entries and the signed checkpoint.

pub mod actions;
pub mod alerts;
pub mod api_keys;
pub mod backtests;
pub mod bookkeeping;
pub mod cited;
pub mod collected;
pub mod correlations;
pub mod coverage;
pub mod dead_letters;
pub mod exceptions;
pub mod factors;
pub mod facts;
pub mod gate;
pub mod grants;
pub mod idempotency;
pub mod incidents;
pub mod indicators;
pub mod investigations;
pub mod invitations;
pub mod jobs;
pub mod ledger;
pub mod memberships;
pub mod notes;
pub mod notification_settings;
pub mod outbox;
pub mod own_rules;
pub mod peers;
pub mod people;
pub mod plans;
pub mod roles;
pub mod rule_parts;
pub mod rule_states;
pub mod sessions;
pub mod settings;
pub mod shadow;
pub mod shred;
pub mod targets;
pub mod tenants;
pub mod throttles;
pub mod tokens;
pub mod usage;

mod access;
mod admin_link;
mod ceremonies;
mod changes;
mod db;
mod error;
mod feed;
mod here;
mod keys;
mod lease;
mod notices;
mod open;
mod page;
mod principal;
mod relocate;
mod reports;
mod rows;
mod scope;
mod status;
mod tx;

pub use access::{Access, Reader};
pub use ceremonies::Ceremony;
pub use changes::Change;
pub use db::Ahead;
pub use error::{Result, StoreError};
pub use keys::Keys;
pub use lease::{Duty, Lease, fenced};
pub use open::{Options, ServeLock, Store};
pub use page::{Page, PageRequest};
pub use principal::{Authenticated, Bound, KeyFacts, Principal, PrincipalKind, RoleRef};
pub use relocate::Copied;
pub use scope::{Actor, Job, TenantScope};
pub use status::Status;
pub use tx::Tx;
