//! Rego decisions over typed facts, and the only place that can make a permit.
//!
//! Pure: the time, the facts and the approvals are in the input. Whatever goes wrong here is a deny.

mod calendar;
pub mod canonical;
mod decide;
pub mod example;
mod explain;
mod input;
mod load;
#[cfg(test)]
mod oracle;
mod permit;
mod replay;
mod rescue;
mod schema;
mod settings;
mod situation;
pub mod suite;
pub mod tenant;
mod tree;

pub use calendar::{ActiveFreeze, Day, Freeze, FreezeWhen, active_freezes};
pub use decide::{EVALUATION_LIMIT, Evaluation, Policy, PolicyError};
pub use explain::{Explanation, Fact, FactChange, Fired, FiredKind, Flip, MAX_EVALUATIONS, explain};
pub use input::{
    ActionInput, CapabilityInput, Class, Dependant, Entry, Facts, Input, Purpose, Requester, RequesterKind, Stage,
    TargetInput, resources,
};
pub use load::{Shipped, shipped};
pub use permit::{Grant, Permit, Refused};
pub use replay::{Asked, Difference, NotReplayable, ReplayReport, Side, replay};
pub use rescue::{Inverse, Rescue, RescueError};
pub use schema::input_schema;
pub use settings::{
    Bands, Escalation, GateSettings, Limits, NeverBlock, Numbers, PerEnvironment, ProtectedEntry, ProtectedKind,
    SettingsError, Team,
};
pub use situation::{
    ActionHistory, AddressSource, Autonomy, Counts, Lowered, Override, Release, Situation, StandingGrant,
};
