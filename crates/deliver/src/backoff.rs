//! When a letter that was not taken is tried again, and when it is given up. Pure: the time is a parameter.

use std::time::Duration;

use shieldops_model::Timestamp;

use crate::Failure;

/// Seconds until the next try, after the first, the second, and so on; the last one holds for all further.
const WAITS_S: [u64; 7] = [2, 10, 30, 120, 300, 900, 1_800];
/// A letter is given up when it is so old: a request for approval is void by then as well.
pub const LIFE: Duration = Duration::from_hours(24);

/// When a letter of `at` is tried next after its `tries` failed; nothing when it is given up.
pub fn next(failure: &Failure, tries: u32, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let Failure::Later { after, .. } = failure else { return None };
    let place = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS_S.len() - 1);
    let wait = Duration::from_secs(WAITS_S.get(place).copied().unwrap_or(1_800));
    // Who says when to come again is heard, but cannot put a letter off to the end.
    let wait = after.map_or(wait, |asked| asked.clamp(wait, Duration::from_hours(1).max(wait)));
    let next = now.plus(wait);
    (next.since(at) < LIFE).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_a_letter_is_given_up_after_a_day() {
        let (at, later) = (Timestamp::from_secs(1_790_000_000), Failure::later("451"));
        let (mut now, mut tries) = (at, 0);
        let mut waits = Vec::new();
        while let Some(next_at) = next(&later, tries + 1, at, now) {
            waits.push(next_at.since(now).as_secs());
            (now, tries) = (next_at, tries + 1);
        }
        assert_eq!(waits[..8], [2, 10, 30, 120, 300, 900, 1_800, 1_800]);
        assert!(waits.is_sorted() && now.since(at) < LIFE && tries < 60, "{tries} tries");
    }

    #[test]
    fn a_refusal_for_good_is_not_tried_again() {
        let now = Timestamp::from_secs(1_790_000_000);
        assert_eq!(next(&Failure::never("550"), 1, now, now), None);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_less_and_not_for_ever() {
        let now = Timestamp::from_secs(1_790_000_000);
        let asked = |after| {
            let failure = Failure::Later { why: String::new(), after: Some(Duration::from_secs(after)) };
            next(&failure, 3, now, now).unwrap().since(now).as_secs()
        };
        assert_eq!([asked(0), asked(90), asked(999_999_999)], [30, 90, 3_600]);
    }
}
