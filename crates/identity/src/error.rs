//! What identity refuses, by what it means for the caller, and the public code of each.

use std::time::Duration;

use shieldops_model::Code;
use shieldops_store::StoreError;

use crate::{decide::Decision, names::NAME_BYTES, password::PasswordError};

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("name or password is wrong")]
    WrongCredentials,
    #[error("the code is wrong, too old, or was used before")]
    WrongCode,
    #[error("too many tries: wait {} s", .0.as_secs().max(1))]
    Wait(Duration),
    #[error("the admin link is spent or too old; restart the server for a new one")]
    LinkSpent,
    #[error("the link is spent, withdrawn or too old; ask whoever made it for a new one")]
    InvalidLink,
    #[error("the sign-in took too long or was finished: begin again")]
    TicketSpent,
    #[error("there is an account of this name already: sign in, then open the link again")]
    SignInToAccept,
    #[error("{0}")]
    Denied(Box<Decision>),
    #[error("your account has a second factor: send a code, a recovery code or a passkey answer")]
    SecondFactorRequired,
    #[error("confirm who you are first: the last time is more than five minutes ago")]
    ReauthenticationRequired,
    #[error("only a person who is signed in may do this, with a session")]
    SessionRequired,
    #[error("this would give more than you have: {0}")]
    WiderThanOwn(String),
    #[error("nobody here may hold `{0}` and `{1}` together")]
    SeparationOfDuty(String, String),
    #[error("the key may not be used from this address")]
    AddressNotAllowed,
    #[error("the key may not call this route")]
    RouteNotAllowed,
    #[error("every tenant you belong to is locked")]
    TenantLocked,
    #[error("nobody is answered here: the {0}")]
    TenantClosed(&'static str),
    #[error("a name has 1 to {NAME_BYTES} bytes: letters and digits, and ._-@+ between them")]
    InvalidName,
    #[error("a label has 1 to 128 bytes, without control characters or signs that cannot be seen")]
    InvalidLabel,
    #[error("`{0}` can be taken for another name: use letters of one script, and no look-alike of a member")]
    Confusable(String),
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    #[error("{0}")]
    Invalid(String),
    #[error("the object is not in a state that allows this: {0}")]
    Conflict(String),
    #[error("passkeys need the setting `server.public_url` with a host name: an address cannot have passkeys")]
    PasskeysUnavailable,
    #[error("the passkey's answer was not accepted; begin again")]
    PasskeyRefused,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the worker was stopped")]
    Stopped,
}

impl IdentityError {
    /// The public code. What the store refuses has codes of its own: the store's error is looked at for those.
    pub fn code(&self) -> Code {
        match self {
            Self::WrongCredentials | Self::WrongCode | Self::LinkSpent | Self::PasskeyRefused => {
                Code::WRONG_CREDENTIALS
            }
            Self::Wait(_) => Code::RATE_LIMITED,
            Self::InvalidLink => Code::INVALID_LINK,
            Self::SignInToAccept | Self::TicketSpent => Code::UNAUTHENTICATED,
            Self::Denied(decision) => decision.code.unwrap_or(Code::FORBIDDEN),
            Self::SecondFactorRequired => Code::SECOND_FACTOR_REQUIRED,
            Self::ReauthenticationRequired => Code::REAUTHENTICATION_REQUIRED,
            Self::SessionRequired => Code::FORBIDDEN,
            Self::WiderThanOwn(_) => Code::WIDER_THAN_OWN,
            Self::SeparationOfDuty(..) => Code::SEPARATION_OF_DUTY,
            Self::AddressNotAllowed => Code::ADDRESS_NOT_ALLOWED,
            Self::RouteNotAllowed => Code::ROUTE_NOT_ALLOWED,
            Self::TenantLocked | Self::TenantClosed(_) => Code::TENANT_LOCKED,
            Self::Conflict(_) | Self::PasskeysUnavailable => Code::CONFLICT,
            Self::InvalidName
            | Self::InvalidLabel
            | Self::Confusable(_)
            | Self::UnknownRole(_)
            | Self::Invalid(_)
            | Self::Password(_) => Code::INVALID_REQUEST,
            Self::Store(_) => Code::STORAGE,
            Self::Stopped => Code::INTERNAL,
        }
    }
}
