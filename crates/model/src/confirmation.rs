//! How a person proved who they are, and when: a session is as good as the last proof that it was given.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// How long a confirmation of who one is holds.
pub const FRESH: Duration = Duration::from_mins(5);

/// What somebody proved with who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmedWith {
    /// A password alone, or a link by which one was chosen.
    Password,
    /// A code of an authenticator app.
    Totp,
    Passkey,
    RecoveryCode,
    /// A session of a release that did not note which of the three it was.
    SecondFactor,
}

impl ConfirmedWith {
    pub const ALL: [Self; 5] = [Self::Password, Self::Totp, Self::Passkey, Self::RecoveryCode, Self::SecondFactor];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery_code",
            Self::SecondFactor => "second_factor",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// More than a password: enough where a tenant asks for a second factor.
    pub const fn is_second_factor(self) -> bool {
        !matches!(self, Self::Password)
    }

    /// What is critical asks for a device at hand. A recovery code lets in who has lost it; whoever has the code may have
    /// found it.
    pub const fn is_device(self) -> bool {
        matches!(self, Self::Totp | Self::Passkey)
    }
}

/// The last proof that a session was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirmation {
    pub with: ConfirmedWith,
    pub at: Timestamp,
}

impl Confirmation {
    pub const fn new(with: ConfirmedWith, at: Timestamp) -> Self {
        Self { with, at }
    }

    /// At most five minutes old.
    pub fn is_fresh(self, now: Timestamp) -> bool {
        now.since(self.at) <= FRESH
    }

    /// A passkey or a code of an authenticator app, at most five minutes old: a vote on what is critical counts only with it.
    pub fn is_strong(self, now: Timestamp) -> bool {
        self.with.is_device() && self.is_fresh(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkey_and_a_code_are_strong_for_five_minutes_and_nothing_else_is() {
        let (at, fresh) = (Timestamp::from_secs(1_000), Timestamp::from_secs(1_300));
        for with in ConfirmedWith::ALL {
            let given = Confirmation::new(with, at);
            let strong = matches!(with, ConfirmedWith::Passkey | ConfirmedWith::Totp);
            assert_eq!((given.is_strong(at), given.is_strong(fresh)), (strong, strong), "{with:?}");
            assert!(given.is_fresh(fresh) && !given.is_fresh(Timestamp::from_micros(fresh.as_micros() + 1)));
            assert!(!given.is_strong(Timestamp::from_micros(fresh.as_micros() + 1)), "{with:?}");
        }
    }

    #[test]
    fn every_way_is_written_as_it_is_read() {
        for with in ConfirmedWith::ALL {
            assert_eq!(ConfirmedWith::parse(with.as_str()), Some(with));
            assert_eq!(serde_json::to_value(with).unwrap(), with.as_str());
        }
        assert_eq!(ConfirmedWith::parse("voice"), None);
        assert!(!ConfirmedWith::Password.is_second_factor() && ConfirmedWith::SecondFactor.is_second_factor());
    }
}
