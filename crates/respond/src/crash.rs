//! Named places at which a test may end the process: before and after every journal write of a run and its undo.

use crate::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum How {
    #[default]
    Never,
    Abort,
    /// Gives up the call, as if the process were gone: for tests inside one process.
    GiveUp,
}

/// Where to end. Given by the binary from its configuration; nothing here reads the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrashPoints {
    at: Option<String>,
    how: How,
}

impl CrashPoints {
    /// Every point, in the order of a run and its undo.
    pub const NAMES: &[&str] = &[
        "before_undo_planned",
        "after_undo_planned",
        "before_run_started",
        "after_run_started",
        "before_intent",
        "after_intent",
        "before_joined",
        "after_joined",
        "before_child",
        "after_child",
        "before_child_ended",
        "after_child_ended",
        "before_collected",
        "after_collected",
        "after_apply",
        "before_settling",
        "after_settling",
        "before_disarmed",
        "after_disarmed",
        "before_outcome",
        "after_outcome",
        "before_proved",
        "after_proved",
        "before_planned_again",
        "after_planned_again",
        "before_paused",
        "after_paused",
        "before_resumed",
        "after_resumed",
        "before_unverified",
        "after_unverified",
        "before_taking_back",
        "after_taking_back",
        "before_not_taken_back",
        "after_not_taken_back",
        "before_given_up",
        "after_given_up",
        "before_run_ended",
        "after_run_ended",
    ];

    pub fn none() -> Self {
        Self::default()
    }

    /// The process aborts when it comes to `name`.
    pub fn abort_at(name: impl Into<String>) -> Self {
        Self { at: Some(name.into()), how: How::Abort }
    }

    /// The call gives up when it comes to `name`, leaving everything as it is.
    pub fn give_up_at(name: impl Into<String>) -> Self {
        Self { at: Some(name.into()), how: How::GiveUp }
    }

    pub(crate) fn reach(&self, name: &'static str) -> Result<(), Error> {
        if self.at.as_deref() != Some(name) {
            return Ok(());
        }
        match self.how {
            How::Never => Ok(()),
            How::Abort => std::process::abort(),
            How::GiveUp => Err(Error::Crashed(name)),
        }
    }
}
