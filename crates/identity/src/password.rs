//! Passwords: the rules for new ones, and Argon2id (RFC 9106) with the parameters of the OWASP cheat sheet. Slow by
//! intent (tens of milliseconds and 19 MiB a call): callers run it on a blocking pool.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

const MIN_CHARACTERS: usize = 12;
const MAX_BYTES: usize = 1_024;
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// The parameters in words, as the documentation states them.
pub const PARAMETERS: &str = "Argon2id, 19456 KiB, 2 passes, 1 lane";

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("a password has at least {MIN_CHARACTERS} characters")]
    TooShort,
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("a password must not contain the user name")]
    ContainsName,
    #[error("a password must not be one character over and over")]
    Monotone,
    #[error("the password could not be hashed")]
    Failed,
}

/// The rules for a new password.
pub fn check(name: &str, password: &str) -> Result<(), PasswordError> {
    if password.len() > MAX_BYTES {
        return Err(PasswordError::TooLong);
    }
    if password.chars().count() < MIN_CHARACTERS {
        return Err(PasswordError::TooShort);
    }
    if !name.is_empty() && password.to_lowercase().contains(&name.to_lowercase()) {
        return Err(PasswordError::ContainsName);
    }
    let mut characters = password.chars();
    let first = characters.next();
    if characters.all(|character| Some(character) == first) {
        return Err(PasswordError::Monotone);
    }
    Ok(())
}

/// The PHC string of a password, with a fresh salt.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let salt: [u8; SALT_BYTES] = rand::random();
    let hash = hasher()?.hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_cause| PasswordError::Failed)
}

/// Whether the password is the one of `stored`. With nothing stored (no such user, or none set yet) or a damaged hash it
/// does the same work and says no, so that the time taken does not tell who exists.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    let Ok(hasher) = hasher() else { return false };
    // No stored password is this long; the work is done all the same.
    let (password, stored) = if password.len() > MAX_BYTES { ("", None) } else { (password, stored) };
    if let Some(hash) = stored.and_then(|stored| PasswordHash::new(stored).ok()) {
        return hasher.verify_password(password.as_bytes(), &hash).is_ok();
    }
    let mut out = [0; 32];
    let done = hasher.hash_password_into(password.as_bytes(), &[0; SALT_BYTES], &mut out);
    // Kept from being optimised away; the result belongs to nobody.
    std::hint::black_box((done.is_ok(), out));
    false
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_cause| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_and_another_does_not() {
        let stored = hash("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(PARAMETERS, format!("Argon2id, {MEMORY_KIB} KiB, {PASSES} passes, {LANES} lane"));
        assert!(verify("correct horse battery", Some(&stored)));
        for other in ["correct horse batterz", "", &"x".repeat(MAX_BYTES + 1)] {
            assert!(!verify(other, Some(&stored)));
            assert!(!verify(other, None));
        }
        assert!(!verify("correct horse battery", Some("$argon2id$broken")));
        assert_ne!(stored, hash("correct horse battery").unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        assert_eq!(check("ada", "elevenchars"), Err(PasswordError::TooShort));
        assert_eq!(check("ada", "my-ADA-secret-1"), Err(PasswordError::ContainsName));
        assert_eq!(check("ada", "aaaaaaaaaaaaa"), Err(PasswordError::Monotone));
        assert_eq!(check("ada", &"xy".repeat(MAX_BYTES / 2)), Ok(()));
        assert_eq!(check("ada", &"xy".repeat(MAX_BYTES / 2 + 1)), Err(PasswordError::TooLong));
        assert_eq!(check("ada", "äöüäöüäöüäöü"), Ok(()));
    }
}
