//! Exports in the ledger: who took what is an entry once a minute, so that nobody can flood it by reading.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
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

    /// Records the first of the minute. One whose record failed was none: the next is recorded.
    pub(crate) async fn once<E>(
        &self,
        actor: &str,
        what: &str,
        now: Timestamp,
        record: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let (minute, export) = (now.as_secs().div_euclid(60), format!("{actor} {what}"));
        if self.of(minute).1.contains(&export) {
            return Ok(());
        }
        record.await?;
        self.of(minute).1.insert(export);
        Ok(())
    }

    fn of(&self, minute: i64) -> MutexGuard<'_, (i64, BTreeSet<String>)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != minute {
            *seen = (minute, BTreeSet::new());
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this one is recorded.
    async fn recorded(exports: &Exports, actor: &str, what: &str, at: i64) -> bool {
        let mut done = false;
        let record = async {
            done = true;
            Ok::<_, ()>(())
        };
        exports.once(actor, what, Timestamp::from_secs(at), record).await.unwrap();
        done
    }

    #[tokio::test]
    async fn each_export_of_a_person_is_recorded_once_a_minute() {
        let exports = Exports::new();
        assert!(recorded(&exports, "usr_a", "inc_1", 60).await);
        assert!(!recorded(&exports, "usr_a", "inc_1", 119).await);
        assert!(recorded(&exports, "usr_b", "inc_1", 119).await && recorded(&exports, "usr_a", "inc_2", 119).await);
        assert!(recorded(&exports, "usr_a", "inc_1", 120).await);
    }

    #[tokio::test]
    async fn an_export_whose_entry_could_not_be_written_is_recorded_when_it_is_tried_again() {
        let exports = Exports::new();
        let failed = exports.once("usr_a", "inc_1", Timestamp::from_secs(60), async { Err("away") }).await;
        assert_eq!(failed, Err("away"));
        assert!(recorded(&exports, "usr_a", "inc_1", 61).await);
    }
}
