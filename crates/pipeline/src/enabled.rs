//! Which rules of the one compiled set a tenant wants: a bitmap over the set, applied after the match. It is made again
//! when the set was loaded anew or the tenant switched a rule, on whichever node, and it changes only between two batches.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use shieldops_detect::RuleSet;
use shieldops_model::TenantId;
use shieldops_store::{Change, Job, rule_states};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::{Pipeline, Result, content::RuleBook};

/// A bitmap is never older than this: what a node that lost sight of the database's changes could miss.
const AGAIN: Duration = Duration::from_mins(1);
const WORD_BITS: usize = 64;

/// A bit for each rule of a set: whether it is enabled.
#[derive(Debug)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    /// All rules of the set but these.
    pub(crate) fn without(set: &RuleSet, disabled: &BTreeSet<String>) -> Self {
        let mut words = vec![u64::MAX; set.len().div_ceil(WORD_BITS)];
        for index in disabled.iter().filter_map(|id| set.position(id)) {
            if let Some(word) = words.get_mut(index / WORD_BITS) {
                *word &= !(1 << (index % WORD_BITS));
            }
        }
        Self { words }
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.words.get(index / WORD_BITS).is_some_and(|word| word & (1 << (index % WORD_BITS)) != 0)
    }
}

/// A tenant's bitmap from batch to batch.
#[derive(Default)]
pub(crate) struct Enabled {
    changes: Option<Receiver<Change>>,
    made: Option<Made>,
}

struct Made {
    book: Arc<RuleBook>,
    bits: Arc<Bitmap>,
    at: Instant,
}

impl Enabled {
    /// The bitmap over this book as of now: what was answered to whoever switched a rule is in it.
    pub(crate) async fn of(
        &mut self,
        pipeline: &Pipeline,
        tenant: TenantId,
        book: &Arc<RuleBook>,
    ) -> Result<Arc<Bitmap>> {
        // First told, then read: a change in between is read, and told for the next batch.
        let changes = self.changes.get_or_insert_with(|| pipeline.store.watch());
        let changed = changed(changes, tenant);
        if let Some(made) = &self.made
            && !changed
            && Arc::ptr_eq(&made.book, book)
            && made.at.elapsed() < AGAIN
        {
            return Ok(Arc::clone(&made.bits));
        }
        self.made = None;
        let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
        let disabled = rule_states::disabled(&mut reader).await?;
        let bits = Arc::new(Bitmap::without(&book.set, &disabled));
        self.made = Some(Made { book: Arc::clone(book), bits: Arc::clone(&bits), at: Instant::now() });
        Ok(bits)
    }
}

/// Whether the tenant may have switched a rule since this was asked last.
fn changed(changes: &mut Receiver<Change>, tenant: TenantId) -> bool {
    let mut changed = false;
    loop {
        match changes.try_recv() {
            Ok(change) => changed |= change.tenant == tenant && change.kind == "rule",
            Err(TryRecvError::Lagged(_)) => changed = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use shieldops_detect::{CompileOptions, parse};

    use super::*;

    fn id(number: usize) -> String {
        format!("5a000000-0000-4000-8000-{number:012}")
    }

    fn set(rules: usize) -> RuleSet {
        let rule = |number: usize| {
            let text = format!(
                "title: Rule {number}\nid: {}\nlevel: low\nlogsource:\n  product: linux\ndetection:\n  selection:\n    message|contains: x\n  condition: selection\n",
                id(number)
            );
            parse(&text, "rule.yml").0.into_rules()
        };
        RuleSet::compile((0..rules).flat_map(rule).collect::<Vec<_>>(), &CompileOptions::default()).0
    }

    #[test]
    fn a_rule_that_is_off_is_the_only_one_missing_wherever_it_stands_in_the_set() {
        for (rules, off) in [(1, 0), (64, 63), (65, 64), (130, 64), (130, 129)] {
            let set = set(rules);
            assert_eq!(set.len(), rules);
            let bits = Bitmap::without(&set, &[id(off), "no rule of the set".to_owned()].into());
            for rule in set.rules() {
                assert_eq!(bits.has(rule.index), rule.id != id(off), "{} of {rules}", rule.id);
            }
        }
    }

    #[test]
    fn the_same_rule_is_off_in_a_set_of_another_order() {
        let off = [id(3)].into();
        for rules in [4, 70] {
            let set = set(rules);
            let bits = Bitmap::without(&set, &off);
            assert_eq!(set.rules().iter().filter(|rule| !bits.has(rule.index)).count(), 1);
        }
    }
}
