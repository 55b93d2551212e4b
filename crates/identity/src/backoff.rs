//! Sign-in back-off. In memory: a restart forgets it. It counts by the time since boot, which nobody sets.
//!
//! A name from one client address waits after its fifth failure, each time twice as long, up to 15 minutes. A name from
//! anywhere waits after its twentieth, and at most 25 seconds: guesses from many addresses are slow, and nobody locks a
//! person out. An address from which the person signed in before does not wait for what others do.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

// No person has a longer name, so nothing is kept for one.
use crate::names::NAME_BYTES;

/// Failures before the first wait, of one address and of all.
const FREE: u32 = 5;
const FREE_OF_ALL: u32 = 20;
const LONGEST: Duration = Duration::from_mins(15);
const LONGEST_OF_ALL: Duration = Duration::from_secs(25);
/// Names and pairs of name and address remembered at once.
const KEYS: usize = 20_000;

/// A name from everywhere, or from one client.
type Key = (String, Option<String>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Duration,
    /// The person signed in from here.
    trusted: bool,
}

#[derive(Debug, Default)]
pub struct Backoff {
    keys: Mutex<HashMap<Key, Failures>>,
}

impl Backoff {
    /// How long this name has to wait yet, from this client.
    pub fn wait(&self, name: &str, client: Option<&str>, now: Duration) -> Option<Duration> {
        wait(&self.lock(), name, &origin(client), now)
    }

    /// Begins an attempt: it counts as failed from now on, so that attempts side by side do not get past the wait.
    ///
    /// # Errors
    /// How long to wait; nothing is counted then.
    pub fn attempt(&self, name: &str, client: Option<&str>, now: Duration) -> Result<(), Duration> {
        let mut keys = self.lock();
        let origin = origin(client);
        if let Some(wait) = wait(&keys, name, &origin, now) {
            return Err(wait);
        }
        if name.len() <= NAME_BYTES {
            count(&mut keys, (name.to_owned(), Some(origin)), now);
            count(&mut keys, (name.to_owned(), None), now);
        }
        Ok(())
    }

    /// The password was right: the name starts anew, from here and from everywhere.
    pub fn succeeded(&self, name: &str, client: Option<&str>, now: Duration) {
        let mut keys = self.lock();
        keys.remove(&(name.to_owned(), None));
        if name.len() <= NAME_BYTES {
            make_room(&mut keys);
            keys.insert((name.to_owned(), Some(origin(client))), Failures { count: 0, last: now, trusted: true });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(keys: &HashMap<Key, Failures>, name: &str, origin: &str, now: Duration) -> Option<Duration> {
    let left = |failures: &Failures, pause: Duration| pause.saturating_sub(now.saturating_sub(failures.last));
    let here = keys.get(&(name.to_owned(), Some(origin.to_owned())));
    let anywhere = keys.get(&(name.to_owned(), None)).filter(|_| !here.is_some_and(|here| here.trusted));
    let here = here.map_or(Duration::ZERO, |failures| left(failures, pause(failures.count, FREE, LONGEST)));
    let anywhere =
        anywhere.map_or(Duration::ZERO, |failures| left(failures, pause(failures.count, FREE_OF_ALL, LONGEST_OF_ALL)));
    let wait = here.max(anywhere);
    (!wait.is_zero()).then_some(wait)
}

fn count(keys: &mut HashMap<Key, Failures>, key: Key, now: Duration) {
    if !keys.contains_key(&key) {
        make_room(keys);
    }
    let failures = keys.entry(key).or_insert(Failures { count: 0, last: now, trusted: false });
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
}

/// A flood of made-up names pushes out those with the fewest failures, not the one under attack.
fn make_room(keys: &mut HashMap<Key, Failures>) {
    if keys.len() >= KEYS {
        let least = keys.iter().min_by_key(|(_, failures)| (failures.trusted, failures.count, failures.last));
        let least = least.map(|(key, _)| key.clone());
        least.and_then(|least| keys.remove(&least));
    }
}

/// Where a client is: its address, of IPv6 the network of 64 bits, since all of that is one subscriber's.
#[must_use]
pub fn origin(client: Option<&str>) -> String {
    let Some(text) = client else { return String::new() };
    let address = text.parse::<IpAddr>().or_else(|_bare| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    match address.map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).to_string(),
        Err(_other) => text.chars().take(NAME_BYTES).collect(),
    }
}

/// The wait after so many failures.
fn pause(count: u32, free: u32, longest: Duration) -> Duration {
    match count.checked_sub(free) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(32)).min(longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Option<&str> = Some("192.0.2.1");
    const ELSEWHERE: Option<&str> = Some("198.51.100.7");

    fn at(secs: u64) -> Duration {
        Duration::from_secs(1_000_000 + secs)
    }

    fn tried(backoff: &Backoff, name: &str, from: Option<&str>, now: Duration) -> bool {
        backoff.attempt(name, from, now).is_ok()
    }

    #[test]
    fn the_wait_grows_with_failures_and_ends_with_a_success() {
        let backoff = Backoff::default();
        let mut now = 0;
        for wait in [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert_eq!(backoff.attempt("ada", HOME, at(now)), Ok(()));
            assert_eq!(backoff.wait("ada", HOME, at(now)).map_or(0, |wait| wait.as_secs()), wait);
            assert_eq!(backoff.wait("bob", HOME, at(now)), None, "another name has its own count");
            now += wait;
            assert_eq!(backoff.wait("ada", HOME, at(now)), None);
        }
        backoff.succeeded("ada", HOME, at(now));
        assert_eq!(backoff.wait("ada", HOME, at(now)), None);
    }

    #[test]
    fn attempts_side_by_side_are_counted_before_any_of_them_is_verified() {
        let backoff = Backoff::default();
        let begun = (0..50).filter(|_| backoff.attempt("ada", HOME, at(0)).is_ok()).count();
        assert_eq!(begun, 5);
    }

    #[test]
    fn nobody_locks_a_person_out_from_elsewhere() {
        let backoff = Backoff::default();
        for number in 0..200_u64 {
            let from = format!("198.51.{}.{}", number / 100, number % 100);
            // The wait for guesses from everywhere stays short.
            let wait = backoff.attempt("ada", Some(&from), at(30 * number)).err();
            assert_eq!(wait, None, "after 30 seconds anybody may try");
        }
        let now = at(30 * 199);
        let wait = backoff.wait("ada", HOME, now).unwrap();
        assert!(wait > Duration::from_secs(20) && wait < Duration::from_secs(30), "{wait:?}");
        assert_eq!(backoff.wait("ada", HOME, now + wait), None);
    }

    #[test]
    fn an_address_that_the_person_signed_in_from_does_not_wait_for_what_others_do() {
        let backoff = Backoff::default();
        backoff.succeeded("ada", HOME, at(0));
        for number in 0..40 {
            tried(&backoff, "ada", Some(&format!("198.51.100.{number}")), at(1));
        }
        assert!(backoff.wait("ada", ELSEWHERE, at(1)).is_some());
        assert_eq!(backoff.wait("ada", HOME, at(1)), None);
    }

    #[test]
    fn the_addresses_of_one_ipv6_subscriber_are_one() {
        let backoff = Backoff::default();
        for number in 0..5 {
            assert_eq!(backoff.attempt("ada", Some(&format!("2001:db8:1:2::{number}")), at(0)), Ok(()));
        }
        assert!(backoff.wait("ada", Some("[2001:db8:1:2::99]:4711"), at(0)).is_some());
        assert_eq!(backoff.wait("ada", Some("2001:db8:1:3::1"), at(0)), None);
    }

    #[test]
    fn a_flood_of_names_stays_within_its_limit_and_does_not_free_the_one_under_attack() {
        let backoff = Backoff::default();
        let begun = (0..6).filter(|_| tried(&backoff, "ada", HOME, at(0))).count();
        assert_eq!(begun, 5);
        let once = Failures { count: 1, last: at(0), trusted: false };
        backoff.lock().extend((2..KEYS).map(|number| ((format!("name{number}"), None), once)));
        tried(&backoff, "bob", HOME, at(0));
        assert_eq!(backoff.lock().len(), KEYS);
        assert!(backoff.wait("ada", HOME, at(0)).is_some());
        tried(&backoff, &"x".repeat(NAME_BYTES + 1), HOME, at(0));
        assert!(backoff.lock().keys().all(|(name, _)| name.len() <= NAME_BYTES));
    }
}
