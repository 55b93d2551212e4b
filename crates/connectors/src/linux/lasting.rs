//! How long an effect lasts in the kernel: a timer there is only a backstop behind the engine's own expiry.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

/// The longest an effect may be asked for: a year.
pub(super) const MAX_EXPIRY_S: u64 = 366 * 24 * 3600;
/// The timer in the kernel ends this much later than the last owner.
const BACKSTOP_S: u64 = 300;
/// How much of that may be missing before it is drift: clocks and roundings.
const SLACK_S: u64 = 30;

/// Parses `expires_in_s`.
pub(super) fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<u64>::deserialize(deserializer)? {
        Some(seconds) if !(1..=MAX_EXPIRY_S).contains(&seconds) => {
            Err(D::Error::custom(format!("expires_in_s: want 1 to {MAX_EXPIRY_S}, got {seconds}")))
        }
        seconds => Ok(seconds),
    }
}

/// The kernel's timer for an effect that its owners want for so long.
pub(super) fn timer(remaining_s: Option<u64>) -> Option<u64> {
    remaining_s.map(|seconds| seconds.saturating_add(BACKSTOP_S))
}

/// What the owners want of an effect whose timer shows this.
pub(super) fn wanted(timer_s: Option<u64>) -> Option<u64> {
    timer_s.map(|seconds| seconds.saturating_sub(BACKSTOP_S))
}

/// The parameter that asks for what is left of an effect.
pub(super) fn asked(timer_s: Option<u64>) -> Option<u64> {
    wanted(timer_s).map(|seconds| seconds.clamp(1, MAX_EXPIRY_S))
}

/// Whole seconds, rounded up.
pub(super) fn seconds(span: Option<Duration>) -> Option<u64> {
    span.map(|span| span.as_secs() + u64::from(span.subsec_nanos() > 0))
}

/// A backstop that would end before the last owner is not what was wanted.
pub(super) fn long_enough(there_s: Option<u64>, wanted_s: Option<u64>) -> bool {
    match (there_s, wanted_s) {
        (Some(there), Some(wanted)) => there.saturating_add(SLACK_S) >= wanted,
        _ => true,
    }
}
