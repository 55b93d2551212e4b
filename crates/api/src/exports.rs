//! Exports in the ledger: who took what is an entry once a minute, so that nobody can flood it by reading.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use shieldops_model::Timestamp;

/// What was recorded in the minute that goes on.
#[derive(Debug)]
pub(crate) struct Exports {
    seen: Mutex<(i64, BTreeSet<String>)>,
}

impl Exports {
    pub(crate) const fn new() -> Self {
        Self { seen: Mutex::new((0, BTreeSet::new())) }
    }

    /// Whether this is the first of the minute.
    pub(crate) fn first(&self, actor: &str, what: &str, now: Timestamp) -> bool {
        let minute = now.as_secs().div_euclid(60);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != minute {
            *seen = (minute, BTreeSet::new());
        }
        seen.1.insert(format!("{actor} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_export_of_a_person_is_recorded_once_a_minute() {
        let exports = Exports::new();
        let at = Timestamp::from_secs;
        assert!(exports.first("usr_a", "inc_1", at(60)));
        assert!(!exports.first("usr_a", "inc_1", at(119)));
        assert!(exports.first("usr_b", "inc_1", at(119)) && exports.first("usr_a", "inc_2", at(119)));
        assert!(exports.first("usr_a", "inc_1", at(120)));
    }
}
