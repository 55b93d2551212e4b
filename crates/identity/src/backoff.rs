//! Sign-in back-off for each user name: the fifth failure makes it wait, each later one twice as long. In memory: a
//! restart forgets it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shieldops_model::Timestamp;

/// Failures before the first wait.
const FREE: u32 = 5;
const LONGEST: Duration = Duration::from_mins(15);
/// Names remembered at once.
const NAMES: usize = 10_000;
/// No user has a longer name, so nothing is kept for one.
const NAME_BYTES: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

#[derive(Debug, Default)]
pub struct Backoff {
    names: Mutex<HashMap<String, Failures>>,
}

impl Backoff {
    /// How long this name has to wait yet.
    pub fn wait(&self, name: &str, now: Timestamp) -> Option<Duration> {
        let failures = *self.lock().get(name)?;
        let left = pause(failures.count).saturating_sub(now.since(failures.last));
        (!left.is_zero()).then_some(left)
    }

    pub fn failed(&self, name: &str, now: Timestamp) {
        if name.len() > NAME_BYTES {
            return;
        }
        let mut names = self.lock();
        if names.len() >= NAMES && !names.contains_key(name) {
            // A flood of made-up names pushes out those with the fewest failures, not the one under attack.
            let least = names.iter().min_by_key(|(_, failures)| (failures.count, failures.last)).map(|(name, _)| name.clone());
            least.and_then(|least| names.remove(&least));
        }
        let failures = names.entry(name.to_owned()).or_insert(Failures { count: 0, last: now });
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }

    /// The password was right: the name starts anew.
    pub fn succeeded(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait after so many failures.
fn pause(count: u32) -> Duration {
    match count.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(32)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + secs)
    }

    #[test]
    fn the_wait_grows_with_failures_and_ends_with_a_success() {
        let backoff = Backoff::default();
        let mut now = 0;
        for wait in [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            backoff.failed("ada", at(now));
            assert_eq!(backoff.wait("ada", at(now)).map_or(0, |wait| wait.as_secs()), wait);
            assert_eq!(backoff.wait("bob", at(now)), None, "another name has its own count");
            now += i64::try_from(wait).unwrap();
            assert_eq!(backoff.wait("ada", at(now)), None);
        }
        backoff.succeeded("ada");
        assert_eq!(backoff.wait("ada", at(now)), None);
    }

    #[test]
    fn a_flood_of_names_stays_within_its_limit_and_does_not_free_the_one_under_attack() {
        let backoff = Backoff::default();
        (0..6).for_each(|_| backoff.failed("ada", at(0)));
        (0..NAMES + 20).for_each(|number| backoff.failed(&format!("name{number}"), at(0)));
        assert_eq!(backoff.lock().len(), NAMES);
        assert!(backoff.wait("ada", at(0)).is_some());
        backoff.failed(&"x".repeat(NAME_BYTES + 1), at(0));
        assert!(backoff.lock().keys().all(|name| name.len() <= NAME_BYTES));
    }
}
