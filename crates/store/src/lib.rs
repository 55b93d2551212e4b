//! State in SQLite or PostgreSQL: migrations, transactions that carry their ledger entry, and repositories that only a tenant scope
//! can build.
//!
//! No query leaves this crate, and none runs without a tenant. A change is made through a [`Tx`], whose commit refuses
//! a domain change that has no ledger entry; the commit appends the entries and the signed checkpoint.

pub mod actions;
pub mod alerts;
pub mod bookkeeping;
pub mod cited;
pub mod dead_letters;
pub mod facts;
pub mod incidents;
pub mod investigations;
pub mod ledger;
pub mod notes;
pub mod people;
pub mod plans;
pub mod targets;

mod access;
mod changes;
mod db;
mod error;
mod feed;
mod here;
mod keys;
mod lease;
mod open;
mod page;
mod relocate;
mod scope;
mod tx;

pub use access::{Access, Reader};
pub use changes::Change;
pub use error::{Result, StoreError};
pub use keys::Keys;
pub use lease::Lease;
pub use open::{Options, ServeLock, Store};
pub use page::{Page, PageRequest};
pub use relocate::{Copied, Status};
pub use scope::{Actor, Job, Principal, PrincipalKind, TenantScope};
pub use tx::Tx;
