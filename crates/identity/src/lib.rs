//! Users, sessions and tokens: checks a credential, then asks the store for a scope.
//!
//! What needs no state is pure (`password`, `secret`, `permission`, `backoff`); `sign_in` is thin over `store::people`.
//! Routes and cookies are in `api`.

pub mod password;
pub mod permission;
pub mod secret;

mod backoff;
mod runs;
mod sign_in;

pub use backoff::Backoff;
pub use password::PasswordError;
pub use permission::Permission;
pub use runs::hash_password;
pub use secret::{CredentialKind, Secret};
pub use sign_in::{
    ADMIN_LINK_FOR, IdentityError, SESSION_FOR, SignedIn, admin_link, authenticate, claim, create_token, create_user,
    ensure_admin, sign_in, sign_out,
};
