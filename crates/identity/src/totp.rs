//! Codes of an authenticator app: RFC 6238 with SHA-1, six digits and steps of 30 s, which is what every app knows.
//! Pure: the time is a parameter, and which step was used last is the caller's to keep.

use rand::Rng;
use shieldops_model::Timestamp;
use subtle::ConstantTimeEq as _;
use totp_rs::{Algorithm, TOTP};
use zeroize::Zeroizing;

/// RFC 4226 section 4 recommends 160 bits.
const SECRET_BYTES: usize = 20;
const DIGITS: usize = 6;
const STEP_S: u64 = 30;
/// Steps before and after the present one that are taken, for clocks that differ.
const SKEW: i64 = 1;
const ISSUER: &str = "ShieldOps";

/// The shared secret of one app.
pub(crate) struct Totp(TOTP);

impl Totp {
    /// A new secret, for the app of this person.
    pub(crate) fn mint(account: &str, rng: &mut impl Rng) -> Option<Self> {
        let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
        rng.fill_bytes(&mut secret);
        Self::read(&secret, account)
    }

    /// The secret as it was stored.
    pub(crate) fn read(secret: &[u8], account: &str) -> Option<Self> {
        let account = account.replace(':', "-");
        let app = TOTP::new(Algorithm::SHA1, DIGITS, 0, STEP_S, secret.to_vec(), Some(ISSUER.to_owned()), account);
        app.ok().map(Self)
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.0.secret
    }

    /// The secret for typing it in.
    pub(crate) fn text(&self) -> String {
        self.0.get_secret_base32()
    }

    /// `otpauth://totp/…`, for a QR code.
    pub(crate) fn uri(&self) -> String {
        self.0.get_url()
    }

    /// The step whose code this is, of those around now and after `last`: a code is taken once.
    pub(crate) fn step(&self, code: &str, last: Option<i64>, now: Timestamp) -> Option<i64> {
        let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
        let present = now.as_secs().div_euclid(30);
        let mut found = None;
        // All of them are compared, so that the time taken does not tell which one it was.
        for step in present.saturating_sub(SKEW)..=present.saturating_add(SKEW) {
            let Ok(number) = u64::try_from(step) else { continue };
            let wanted = Zeroizing::new(self.0.generate(number.saturating_mul(STEP_S)));
            let same: bool = wanted.as_bytes().ct_eq(code.as_bytes()).into();
            if same && last.is_none_or(|last| step > last) {
                found = Some(step);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Totp {
        Totp::read(b"12345678901234567890", "ada@example.org").unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// RFC 6238 appendix B, SHA-1, the last six of the eight digits.
    #[test]
    fn the_codes_of_the_specification_are_taken() {
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(app().step(code, None, at(time)), Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_code_is_taken_for_a_step_around_now_and_once() {
        let code = "050471";
        let step = 1_111_111_111 / 30;
        for (time, taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(app().step(code, None, at(1_111_111_111 + time)).is_some(), taken, "{time}");
        }
        assert_eq!(app().step(code, Some(step - 1), at(1_111_111_111)), Some(step));
        assert_eq!(app().step(code, Some(step), at(1_111_111_111)), None, "a replay");
    }

    #[test]
    fn what_is_no_code_is_refused_and_spaces_do_not_matter() {
        assert!(app().step("050 471", None, at(1_111_111_111)).is_some());
        for code in ["", "05047", "0504711", "abcdef", "٠٥٠٤٧١", &"0".repeat(100_000)] {
            assert_eq!(app().step(code, None, at(1_111_111_111)), None);
        }
        assert_eq!(app().step("050471", None, at(-1)), None);
    }

    #[test]
    fn an_app_reads_its_secret_from_the_address() {
        let uri = app().uri();
        for part in [
            "otpauth://totp/ShieldOps:ada%40example.org?",
            "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "issuer=ShieldOps",
        ] {
            assert!(uri.contains(part), "{uri}");
        }
        assert_eq!(app().text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let fresh = Totp::mint("a:b", &mut rand::rng()).unwrap();
        assert_eq!(fresh.secret().len(), SECRET_BYTES);
    }
}
