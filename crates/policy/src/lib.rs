//! Rego decisions over typed facts, and the only place that can make a permit.
//!
//! Pure: the time, the facts and the approvals are in the input. Whatever goes wrong here is a deny.

pub mod canonical;
mod decide;
mod input;
mod permit;

pub use decide::{EVALUATION_LIMIT, Evaluation, Policy, PolicyError};
pub use input::{
    ActionInput, CapabilityInput, Class, Dependant, Entry, Facts, Input, Purpose, Requester, RequesterKind, Stage, TargetInput,
};
pub use permit::{Grant, Permit, Refused};
