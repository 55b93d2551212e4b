//! Principals as they were read at an epoch of authority. Only what is good is remembered, and never for long: what time
//! alone ends is read again.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use shieldops_model::Timestamp;

use super::Principal;

/// After this long a session may rest too long, though nothing was changed.
const HOLDS_US: i64 = 10_000_000;
/// Credentials that are remembered; then all are forgotten.
const MAX: usize = 10_000;

struct Entry {
    /// The tenant that the requests named.
    wanted: Option<String>,
    epoch: i64,
    from: Timestamp,
    until: Timestamp,
    principal: Principal,
}

type Entries = HashMap<[u8; 32], Vec<Entry>>;

/// By the hash of a credential; each in the tenants that its requests named.
#[derive(Default)]
pub(crate) struct Known {
    entries: Mutex<Entries>,
    /// The epoch that was read last.
    latest: AtomicI64,
}

/// A question, and the moment that it is answered for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) hash: &'a [u8; 32],
    pub(super) wanted: Option<&'a str>,
    pub(super) epoch: i64,
    pub(super) now: Timestamp,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, asked: Asked<'_>) -> Option<Principal> {
        let known = self.lock();
        let entry = known.get(asked.hash)?.iter().find(|entry| entry.wanted.as_deref() == asked.wanted)?;
        let holds = entry.epoch == asked.epoch && entry.from <= asked.now && asked.now < entry.until;
        holds.then(|| entry.principal.clone())
    }

    /// Who is remembered at the epoch that was read last, and that epoch: good where it is the epoch still.
    pub(super) fn at_latest(&self, hash: &[u8; 32], wanted: Option<&str>, now: Timestamp) -> Option<(Principal, i64)> {
        let epoch = self.latest.load(Ordering::Relaxed);
        Some((self.get(Asked { hash, wanted, epoch, now })?, epoch))
    }

    pub(super) fn saw(&self, epoch: i64) {
        self.latest.store(epoch, Ordering::Relaxed);
    }

    /// `end` is when the credential, or the grant that it works by, is over.
    pub(super) fn keep(&self, asked: Asked<'_>, principal: &Principal, end: Option<Timestamp>) {
        let until = Timestamp::from_micros(asked.now.as_micros().saturating_add(HOLDS_US));
        let until = end.map_or(until, |end| end.min(until));
        let wanted = asked.wanted.map(str::to_owned);
        // Its use was noted, or is now.
        let principal = Principal { use_due: false, ..principal.clone() };
        let mut known = self.lock();
        if known.len() >= MAX {
            known.clear();
        }
        let tenants = known.entry(*asked.hash).or_default();
        tenants.retain(|entry| entry.wanted != wanted);
        tenants.push(Entry { wanted, epoch: asked.epoch, from: asked.now, until, principal });
    }
}
