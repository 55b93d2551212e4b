//! Principals as they were read at an epoch of authority. Only what is good is remembered, and never for long: what time
//! alone ends is read again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shieldops_model::Timestamp;

use super::Principal;

/// After this long a session may rest too long, though nothing was changed.
const HOLDS: Duration = Duration::from_secs(10);
/// Credentials that are remembered; then all are forgotten.
const MAX: usize = 10_000;

struct Entry {
    epoch: i64,
    from: Timestamp,
    until: Timestamp,
    principal: Principal,
}

/// By the hash of a credential; each in the tenants that its requests named.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<[u8; 32], Vec<(Option<String>, Entry)>>>);

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Vec<(Option<String>, Entry)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, hash: &[u8; 32], wanted: Option<&str>, epoch: i64, now: Timestamp) -> Option<Principal> {
        let known = self.lock();
        let (_, entry) = known.get(hash)?.iter().find(|(tenant, _)| tenant.as_deref() == wanted)?;
        let holds = entry.epoch == epoch && entry.from <= now && now < entry.until;
        holds.then(|| entry.principal.clone())
    }

    /// `end` is when the credential, or the grant that it works by, is over.
    pub(super) fn keep(
        &self,
        hash: &[u8; 32],
        wanted: Option<&str>,
        epoch: i64,
        now: Timestamp,
        principal: &Principal,
        end: Option<Timestamp>,
    ) {
        let until =
            Timestamp::from_micros(now.as_micros().saturating_add(i64::try_from(HOLDS.as_micros()).unwrap_or(0)));
        let until = end.map_or(until, |end| end.min(until));
        let mut known = self.lock();
        if known.len() >= MAX {
            known.clear();
        }
        let tenants = known.entry(*hash).or_default();
        tenants.retain(|(tenant, _)| tenant.as_deref() != wanted);
        let principal = Principal { use_due: false, ..principal.clone() };
        tenants.push((wanted.map(str::to_owned), Entry { epoch, from: now, until, principal }));
    }
}
