//! REST, intake and live updates over axum. Thin: parse, authorise, call, render.
//!
//! Every route stands in one table with what it takes to call it ([`access::TABLE`]); a route that does not is refused
//! at start-up. No business rule lives here.

pub mod access;
mod approvals;
pub mod assets;

mod account;
mod actions;
mod alerts;
mod app;
mod auth;
mod automation;
mod autonomy;
mod bodies;
mod coverage;
mod denials;
mod describe;
mod events;
mod evidence;
mod exceptions;
mod export;
mod exports;
mod forwarded;
mod gate_changes;
mod gate_settings;
mod grants;
mod idempotency;
mod incidents;
mod indicators;
mod ingest;
mod intake;
mod invitations;
mod jobs;
mod keys;
mod ledger;
mod limits;
mod live;
mod meta;
mod metrics;
mod notifications;
mod orphans;
mod overview;
mod page;
mod pipelines;
mod plans;
mod policies;
mod precondition;
mod problem;
mod reach;
mod roles;
mod router;
mod rules;
mod session;
mod sessions;
mod standing_grants;
mod targets;
mod tenant_settings;
mod tenants;
mod tokens;
mod undo;
mod usage;
mod users;
mod value_lists;

pub use app::{App, NoEngine, Settings, Tenants};
pub use denials::Denials;
pub use limits::Limits;
pub use live::Sockets;
pub use metrics::Metrics;
pub use page::List;
pub use problem::Problem;
pub use router::{openapi, router};
