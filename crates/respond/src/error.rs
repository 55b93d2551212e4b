//! What an engine call can answer instead of a result, and the stable code of each.

use shieldops_model::{Code, Reason};

use crate::{Fault, JournalError};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("there is no such object")]
    NotFound,
    #[error("{0}")]
    Invalid(String),
    #[error("there is no capability {0}")]
    UnknownCapability(String),
    #[error("no target {0} is registered")]
    UnknownTarget(String),
    #[error("{0}")]
    Params(String),
    #[error("the target could not be observed: {0}")]
    Unavailable(String),
    /// The target is another node's.
    #[error("the target could not be observed: {0}")]
    Elsewhere(String),
    /// Something there is not ours to touch.
    #[error("{0}")]
    Refused(String),
    #[error("policy denies it: {}", .0.iter().map(|reason| reason.code.as_str()).collect::<Vec<_>>().join(", "))]
    Denied(Vec<Reason>),
    #[error("the plan is now {actual}")]
    HashMismatch { actual: String },
    #[error("the plan has expired")]
    Expired,
    #[error("a requester cannot approve its own plan")]
    OwnPlan,
    #[error(
        "this wants a passkey or a code of an authenticator app that is at most five minutes old, in a browser session; a recovery code does not count: a critical plan, or breaking the glass"
    )]
    StrongSession,
    #[error("{what} is {state}")]
    State { what: &'static str, state: String },
    #[error("automation is halted")]
    Halted,
    #[error("storage: {0}")]
    Journal(#[from] JournalError),
    /// A crash point was reached in a test.
    #[error("stopped at crash point {0}")]
    Crashed(&'static str),
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The same about one of several actions, by its place.
    pub(crate) fn of_action(self, place: usize) -> Self {
        let named = |text: String| format!("actions/{place}: {text}");
        match self {
            Self::Invalid(text) => Self::Invalid(named(text)),
            Self::Params(text) => Self::Params(named(text)),
            Self::Refused(text) => Self::Refused(named(text)),
            Self::Unavailable(text) => Self::Unavailable(named(text)),
            Self::Elsewhere(text) => Self::Elsewhere(named(text)),
            Self::UnknownTarget(text) => Self::UnknownTarget(format!("{text} (actions/{place})")),
            Self::UnknownCapability(text) => Self::UnknownCapability(format!("{text} (actions/{place})")),
            other => other,
        }
    }

    pub const fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NOT_FOUND,
            Self::Invalid(_) => Code::INVALID_REQUEST,
            Self::UnknownCapability(_) => Code::UNKNOWN_CAPABILITY,
            Self::UnknownTarget(_) => Code::UNKNOWN_TARGET,
            Self::Params(_) => Code::INVALID_PARAMS,
            Self::Unavailable(_) | Self::Elsewhere(_) => Code::TARGET_UNAVAILABLE,
            Self::Denied(_) => Code::POLICY_DENIED,
            Self::HashMismatch { .. } => Code::PLAN_HASH_MISMATCH,
            Self::Expired => Code::PLAN_EXPIRED,
            Self::StrongSession => Code::STRONG_SESSION_REQUIRED,
            Self::OwnPlan => Code::REQUESTER_CANNOT_APPROVE,
            Self::Refused(_) | Self::State { .. } | Self::Journal(JournalError::Conflict) => Code::CONFLICT,
            Self::Halted => Code::AUTOMATION_HALTED,
            Self::Journal(JournalError::Elsewhere) => Code::ROLE_NOT_HERE,
            Self::Journal(JournalError::Failed(_)) => Code::STORAGE,
            Self::Crashed(_) | Self::Internal(_) => Code::INTERNAL,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Params(why) => Self::Params(why),
            Fault::Unavailable(why) => Self::Unavailable(why),
            Fault::Elsewhere(why) => Self::Elsewhere(why),
            Fault::Refused(why) => Self::Refused(why),
            Fault::Failed(why) => Self::Unavailable(why),
            Fault::Permit(refused) => Self::Internal(refused.to_string()),
        }
    }
}
