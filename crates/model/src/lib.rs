//! The nouns of ShieldOps: typed ids, times, and the records that the other crates pass around.
//!
//! No I/O here: the clock and the source of randomness are parameters.

pub mod action;
pub mod address;
pub mod alert;
pub mod attack;
pub mod clock;
pub mod confirmation;
pub mod entity;
pub mod error;
pub mod event;
pub mod id;
pub mod incident;
pub mod investigation;
pub mod notice;
pub mod plan;
pub mod severity;
pub mod ssh;
pub mod target;
pub mod tenant;
pub mod time;

pub use action::{Action, ActionState, ControlPath, Dependant, DiffLine, Estimate, Orphan, Owner, Proof};
pub use alert::{Alert, AlertKey, AlertStatus, Attack, Verdict};
pub use clock::{Clock, FixedClock, SystemClock};
pub use confirmation::{Confirmation, ConfirmedWith, FRESH};
pub use entity::{Entity, EntityKind};
pub use error::Code;
pub use event::{Event, Http, LogSource, Normalised, Ocsf, Process, TimeQuality};
pub use id::{
    ActionId, AlertId, ApprovalId, DeadLetterId, EventId, ExceptionId, GateChangeId, GrantId, Id, IdMint, IncidentId,
    IndicatorListId, InvestigationId, InvitationId, JobId, KeyId, LedgerId, LetterId, NoteId, NoticeId, PasskeyId,
    PlanId, RoleId, RuleId, SegmentId, SessionId, StandingGrantId, TargetId, TenantId, TokenId, UserId,
};
pub use incident::{Incident, IncidentStatus, Note, RiskTerm};
pub use investigation::{Evidence, Hypothesis, Investigation, NotChecked, ProposedAction, ProposedPlan};
pub use notice::{Audience, Notice, NoticeFact, NoticeKind};
pub use plan::{Approval, Decision, Obligations, OnFailure, Override, Plan, PlanState, Reason, Risk};
pub use severity::Severity;
pub use ssh::{PrivateKey, Ssh};
pub use target::{Criticality, Environment, Standing, Target, TargetKind, TargetRef};
pub use tenant::{SettingsBase, SettingsProblem, TenantChange, TenantLimits, TenantSettings, TenantState};
pub use time::Timestamp;
