//! What leaves the house to tell people: notices as e-mail and as signed webhooks, one file each, and the guard of where an
//! address that a tenant chose may lead. It sends; it decides nothing, keeps nothing, and reads nothing back but whether a
//! receiver took it.

pub mod backoff;
pub mod egress;
pub mod letter;
pub mod smtp;
pub mod webhook;

mod http;
mod networks;
mod tls;

pub use egress::{Egress, Refused};
pub use letter::{Letter, Text};
pub use smtp::{Mailer, Security, SmtpSettings};

use std::time::Duration;

/// Why a letter was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may be taken later; the receiver may have said when.
    #[error("{why}")]
    Later { why: String, after: Option<Duration> },
    /// It will never be taken as it is.
    #[error("{why}")]
    Never { why: String },
}

impl Failure {
    pub(crate) fn later(why: impl std::fmt::Display) -> Self {
        Self::Later { why: why.to_string(), after: None }
    }

    pub(crate) fn never(why: impl std::fmt::Display) -> Self {
        Self::Never { why: why.to_string() }
    }
}

/// A value that is shown nowhere: the key of a signature, a password.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
