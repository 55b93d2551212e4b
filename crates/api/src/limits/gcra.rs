//! The generic cell rate algorithm: one time stamp a key, no counter and no timer.
//!
//! Source: ITU-T I.371, annex A, in its virtual scheduling form. The stamp is the theoretical arrival time: when the key
//! would be at rest again if nothing more came.

use std::{
    collections::HashMap,
    convert::Infallible,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

const SHARDS: usize = 16;
/// Keys remembered in a shard. One that is at rest costs nothing when it is forgotten.
const KEYS_A_SHARD: usize = 8_192;

/// So much a second, and so much at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quota {
    per_s: f64,
    burst: f64,
}

/// What a key may do after an admitted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Units that may come at once now.
    pub(crate) remaining: u64,
    /// Until the whole burst is there again.
    pub(crate) reset: Duration,
}

impl Quota {
    /// A rate of nothing admits nothing; a burst is at least one unit.
    pub(crate) fn new(per_s: f64, burst: f64) -> Self {
        Self { per_s: per_s.max(0.0), burst: burst.max(1.0) }
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self { per_s: self.per_s * factor, burst: self.burst * factor }
    }

    /// Units of a full burst.
    pub(crate) fn burst(self) -> u64 {
        whole(self.burst)
    }

    /// Takes `units` that were used already, whether or not they are there.
    fn owe(self, rest: Duration, now: Duration, units: f64) -> Duration {
        rest.max(now).saturating_add(self.time_of(units))
    }

    /// How long an empty key takes to have its whole burst again.
    pub(crate) fn window(self) -> Duration {
        self.time_of(self.burst)
    }

    fn time_of(self, units: f64) -> Duration {
        Duration::try_from_secs_f64(units / self.per_s).unwrap_or(Duration::MAX)
    }

    /// Takes `units` from a key at rest at `rest`, both times since the same start. What is larger than the burst is
    /// admitted when the key is at rest, and paid for after: else it could never be.
    ///
    /// # Errors
    /// How long to wait until it would be admitted; nothing is taken then.
    fn take(self, rest: Duration, now: Duration, units: f64) -> Result<(Duration, Room), Duration> {
        if self.per_s <= 0.0 {
            return Err(Duration::MAX);
        }
        let rest = rest.max(now);
        let tolerance = self.window();
        let asked = self.time_of(units.min(self.burst));
        let earliest = rest.saturating_add(asked).saturating_sub(tolerance);
        if earliest > now {
            return Err(earliest.saturating_sub(now));
        }
        let next = rest.saturating_add(self.time_of(units));
        let reset = next.saturating_sub(now);
        let free = tolerance.saturating_sub(reset).as_secs_f64() * self.per_s;
        Ok((next, Room { remaining: whole(free), reset }))
    }
}

/// The whole units in it. What a division left a hair below a unit counts as that unit.
fn whole(units: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and this one is not negative"
    )]
    let whole = (units + 1e-6).max(0.0) as u64;
    whole
}

/// The stamps of many keys, bounded.
#[derive(Debug)]
pub(crate) struct Stamps<K> {
    shards: [Mutex<HashMap<K, Duration>>; SHARDS],
    hasher: RandomState,
}

impl<K: Hash + Eq> Default for Stamps<K> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl<K: Hash + Eq> Stamps<K> {
    /// Takes `units` of the key's quota.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn take(&self, key: K, quota: Quota, now: Duration, units: f64) -> Result<Room, Duration> {
        self.stamp(key, now, |rest| quota.take(rest, now, units))
    }

    /// Takes `units` that the key used already: what it asks for next pays for them.
    pub(crate) fn owe(&self, key: K, quota: Quota, now: Duration, units: f64) {
        let owed: Result<(), Infallible> = self.stamp(key, now, |rest| Ok((quota.owe(rest, now, units), ())));
        let Ok(()) = owed;
    }

    fn stamp<T, E>(
        &self,
        key: K,
        now: Duration,
        next: impl FnOnce(Duration) -> Result<(Duration, T), E>,
    ) -> Result<T, E> {
        let place = usize::try_from(self.hasher.hash_one(&key)).unwrap_or_default() % SHARDS;
        let [first, ..] = &self.shards;
        let shard = self.shards.get(place).unwrap_or(first);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = shard.get(&key).copied().unwrap_or_default();
        let (next, told) = next(rest)?;
        if shard.len() >= KEYS_A_SHARD && !shard.contains_key(&key) {
            make_room(&mut shard, now);
        }
        shard.insert(key, next);
        Ok(told)
    }
}

/// Forgets the keys that are at rest; when all are busy, the half that is nearest to it.
fn make_room<K: Hash + Eq>(shard: &mut HashMap<K, Duration>, now: Duration) {
    shard.retain(|_, rest| *rest > now);
    if shard.len() < KEYS_A_SHARD {
        return;
    }
    let mut all: Vec<_> = shard.values().copied().collect();
    let (_, middle, _) = all.select_nth_unstable(KEYS_A_SHARD / 2);
    let middle = *middle;
    shard.retain(|_, rest| *rest > middle);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_is_admitted_at_once_and_then_the_rate() {
        let (stamps, quota) = (Stamps::default(), Quota::new(2.0, 4.0));
        let left: Vec<_> = (0..4).map(|_| stamps.take("ada", quota, s(9), 1.0).unwrap().remaining).collect();
        assert_eq!(left, [3, 2, 1, 0]);
        assert_eq!(stamps.take("ada", quota, s(9), 1.0), Err(Duration::from_millis(500)));
        assert!(stamps.take("ada", quota, s(9) + Duration::from_millis(500), 1.0).is_ok());
        assert!(stamps.take("bob", quota, s(9), 1.0).is_ok(), "another key has its own");
        assert_eq!((quota.window(), quota.burst()), (s(2), 4));
    }

    #[test]
    fn what_is_larger_than_the_burst_waits_for_rest_and_is_paid_for() {
        let (stamps, quota) = (Stamps::default(), Quota::new(10.0, 20.0));
        assert_eq!(stamps.take("ada", quota, s(9), 100.0).unwrap(), Room { remaining: 0, reset: s(10) });
        assert_eq!(stamps.take("ada", quota, s(9), 1.0), Err(Duration::from_millis(8_100)));
        assert!(stamps.take("ada", quota, s(19), 100.0).is_ok());
    }

    #[test]
    fn what_was_used_already_is_paid_for_by_what_comes_next() {
        let (stamps, quota) = (Stamps::default(), Quota::new(10.0, 20.0));
        assert!(stamps.take("ada", quota, s(9), 1.0).is_ok());
        stamps.owe("ada", quota, s(9), 99.0);
        assert_eq!(stamps.take("ada", quota, s(9), 1.0), Err(Duration::from_millis(8_100)));
        assert!(stamps.take("bob", quota, s(9), 1.0).is_ok());
        assert!(stamps.take("ada", quota, s(18), 1.0).is_ok());
    }

    #[test]
    fn a_rate_of_nothing_admits_nothing() {
        let (stamps, quota) = (Stamps::default(), Quota::new(0.0, 10.0));
        assert_eq!(stamps.take("ada", quota, s(9), 1.0), Err(Duration::MAX));
    }

    #[test]
    fn a_flood_of_keys_stays_bounded_and_does_not_free_the_busiest() {
        let (stamps, quota) = (Stamps::default(), Quota::new(1.0, 2.0));
        assert!(stamps.take(usize::MAX, quota, s(9), 1_000.0).is_ok());
        for key in 0..(SHARDS * KEYS_A_SHARD * 2) {
            assert!(stamps.take(key, quota, s(9), 1.0).is_ok());
        }
        assert!(stamps.shards.iter().all(|shard| shard.lock().unwrap().len() <= KEYS_A_SHARD));
        assert!(stamps.take(usize::MAX, quota, s(9), 1.0).is_err());
    }

    proptest! {
        /// Whatever comes when, no more is admitted than burst and rate allow over the whole time.
        #[test]
        fn never_more_than_burst_and_rate(gaps in prop::collection::vec(0_u64..400, 1..200), per_s in 1_u32..50, burst in 1_u32..50) {
            let (stamps, quota) = (Stamps::default(), Quota::new(per_s.into(), burst.into()));
            let (mut now, mut admitted) = (s(1_000), 0_u32);
            for gap in gaps {
                now += Duration::from_millis(gap);
                admitted += u32::from(stamps.take((), quota, now, 1.0).is_ok());
            }
            let most = f64::from(burst) + now.saturating_sub(s(1_000)).as_secs_f64() * f64::from(per_s);
            prop_assert!(f64::from(admitted) <= most + 1e-6, "{admitted} of {most}");
        }

        /// Waiting as long as the refusal says is always enough.
        #[test]
        fn a_wait_that_was_told_is_enough(units in 1_u32..80, before in 1_u32..80, per_s in 1_u32..50, burst in 1_u32..50) {
            let (stamps, quota) = (Stamps::default(), Quota::new(per_s.into(), burst.into()));
            let _taken = stamps.take((), quota, s(1_000), before.into());
            if let Err(wait) = stamps.take((), quota, s(1_000), units.into()) {
                let later = s(1_000) + wait + Duration::from_micros(1);
                prop_assert!(stamps.take((), quota, later, units.into()).is_ok());
            }
        }
    }
}
