//! Who somebody is and what they may do: people, sessions, second factors, roles, keys and grants. Checks a credential,
//! then asks the store for a scope.
//!
//! What needs no state is pure (`permission`, `decide`, `bounds`, `reach`, `names`, `password`, `secret`, `totp`,
//! `recovery`, `backoff`); the rest is thin over the store, and each change is an entry in the ledger. Routes and cookies
//! are in `api`.

pub mod api_keys;
pub mod boot;
pub mod bounds;
pub mod decide;
pub mod duties;
pub mod factors;
pub mod grants;
pub mod makers;
pub mod names;
pub mod passkeys;
pub mod password;
pub mod people;
pub mod permission;
pub mod reach;
pub mod roles;
pub mod secret;
pub mod sessions;
pub mod standing;

mod backoff;
mod door;
mod error;
mod links;
mod recovery;
mod runs;
mod tickets;
mod tokens;
mod totp;

pub use backoff::{Backoff, origin};
pub use boot::{ADMIN_LINK_FOR, admin_link, ensure_admin};
pub use decide::{Decision, Rights, authorise};
pub use door::{Door, Origin};
pub use error::IdentityError;
pub use passkeys::{PasskeyError, Passkeys};
pub use password::PasswordError;
pub use permission::{Permission, Permissions};
pub use runs::hash_password;
pub use secret::{CredentialKind, Secret};
pub use sessions::{Proof, SignIn, SignedIn, sign_out};
pub use standing::may_still;
pub use tickets::TICKET_FOR;
pub use tokens::{create_token, lasting};
