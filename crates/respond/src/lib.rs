//! Response as reconciliation: the capability contract, planner, executor, verifier and undo.
//!
//! A capability says how one thing is observed and made so; the engine here does all the rest, once, for every
//! capability. Nothing here knows a provider, and nothing acts without a permit from `policy`.

mod approve;
mod autonomy;
mod capability;
mod clocks;
mod crash;
mod diff;
mod ended;
mod engine;
mod error;
mod escalation;
mod evidence;
mod guard;
mod journal;
mod lanes;
mod lifelines;
pub mod memory;
mod orphans;
mod plan;
mod policies;
mod proposals;
mod prove;
mod proving;
mod reached;
mod recover;
mod registry;
mod rescue;
mod run;
mod settle;
mod situation;
mod standing;
mod undo;
mod waits;
mod watch;

pub use capability::{
    AnyCapability, Capability, Child, Collected, Cut, CutHost, Description, Fault, Mark, Observed, Probe, ProbeResult,
    Site, Twin, Typed, Watch,
};
pub use crash::CrashPoints;
pub use engine::{Engine, EngineOptions};
pub use error::Error;
pub use journal::{
    Asked, Automation, Change, Entry, InForce, Journal, JournalError, Lowered, Outcomes, Step, StoreJournal, Use, Write,
};
pub use lifelines::{Lifeline, Lifelines, Needed};
pub use orphans::OrphanRef;
pub use plan::{MAX_ACTIONS, PLAN_LIFE, PlanRequest, plan_hash};
pub use proposals::proposal_key;
pub use prove::{NOT_RESIDUE, ProofRow, ProveOptions, Verdict, prove, stand_in};
pub use proving::{Draw, Proving};
pub use registry::{Registry, RegistryError};
pub use rescue::{Foreseen, Offline, RescueFolder, RescueLine, Rescued};
pub use shieldops_policy::{Class, Dependant, Facts, Permit, Purpose, Requester, RequesterKind};
pub use situation::Surroundings;
pub use standing::{Right, Standing};
pub use undo::{By, MAX_UNDONE, OpenUndo, Person, Prospect, UndoItem, UndoReport, UndoScope};
pub use watch::{Finding, FindingKind};
