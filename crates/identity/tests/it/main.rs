//! Identity on a real store: signing in, second factors, people, roles, keys and grants.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a wrong step ends the test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for what they spawn")]

mod authenticator;
mod ending;
mod first;
mod giving;
mod made;
mod members;
mod passkeys;
mod recorded;
mod second_factor;
mod signing_in;
mod world;
