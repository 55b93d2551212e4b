//! Which rules a tenant wants, and what becomes of their matches. One compiled set serves everybody; how a tenant differs is
//! small: two bitmaps over that set, a set of its own rules beside it, and exceptions that are asked after a match. It is
//! made again when the set was loaded anew or the tenant changed something, on whichever node, and only between two batches.

mod exceptions;
mod neighbours;
mod over;
mod own;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use shieldops_detect::{CorrelationSet, Rule, RuleSet};
use shieldops_model::{LogSource, TenantId, Timestamp};
use shieldops_store::{
    Access, Change, Job,
    coverage::{self, Differs},
    exceptions as stored,
    own_rules::{self, versions},
    rule_parts::{self, Kind},
    rule_states::{self, State},
    throttles::{self, Limit},
};
use shieldops_triage::RuleFacts;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

pub(crate) use exceptions::Exceptions;
pub use exceptions::excepted_by;
pub use neighbours::{NeededBy, Neighbours, OwnCorrelation, OwnRule};
use own::Options;
pub(crate) use own::Own;
pub use own::values;

use crate::{Pipeline, Result, content::RuleBook, correlation};

/// It is never older than this: what a node that lost sight of the database's changes could miss.
const AGAIN: Duration = Duration::from_mins(1);
/// An exception that ended this long ago still holds for events from before its end that come so late.
const ENDED: Duration = Duration::from_hours(24 * 7);
const WORD_BITS: usize = 64;

/// A bit for each rule of a set.
#[derive(Debug)]
struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    fn of(set: &RuleSet, wanted: impl Fn(&Rule) -> bool) -> Self {
        let mut words = vec![0_u64; set.len().div_ceil(WORD_BITS)];
        for rule in set.rules().iter().filter(|rule| wanted(rule)) {
            if let Some(word) = words.get_mut(rule.index / WORD_BITS) {
                *word |= 1 << (rule.index % WORD_BITS);
            }
        }
        Self { words }
    }

    fn has(&self, index: usize) -> bool {
        self.words.get(index / WORD_BITS).is_some_and(|word| word & (1 << (index % WORD_BITS)) != 0)
    }
}

/// How a tenant differs, as it stands in the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) states: BTreeMap<String, State>,
    /// Rules of its own that run: id, state and text.
    pub(crate) own: Vec<(String, State, String)>,
    pub(crate) exceptions: Vec<stored::Exception>,
    /// Name and text of each list and pipeline in use.
    pub(crate) lists: Vec<(String, String)>,
    pub(crate) pipelines: Vec<(String, String)>,
    pub(crate) throttles: BTreeMap<String, Limit>,
}

impl Wanted {
    pub(crate) async fn read(access: &mut impl Access, now: Timestamp) -> Result<Self> {
        let states = rule_states::states(access).await?;
        let rows = own_rules::all(access).await?;
        let running: BTreeMap<String, State> =
            rows.into_iter().filter(own_rules::OwnRule::runs).map(|rule| (rule.rule_id, rule.state)).collect();
        let live = if running.is_empty() { Vec::new() } else { versions::live(access).await? };
        let own = live.into_iter().filter_map(|(id, version)| {
            let state = *running.get(&id)?;
            Some((id, state, version.written.text))
        });
        let exceptions = stored::after(access, now.minus(ENDED)).await?;
        let throttles = throttles::all(access).await?.into_iter();
        Ok(Self {
            states,
            own: own.collect(),
            exceptions,
            lists: rule_parts::live(access, Kind::List).await?,
            pipelines: rule_parts::live(access, Kind::Pipeline).await?,
            throttles: throttles.filter_map(|(id, throttle)| Some((id, throttle.limit?))).collect(),
        })
    }
}

/// The rules of one tenant, ready to run.
pub(crate) struct TenantRules {
    pub(crate) book: Arc<RuleBook>,
    runs: Bitmap,
    shadow: Bitmap,
    pub(crate) own: Option<Own>,
    options: Options,
    exceptions: Exceptions,
    pub(crate) correlations: correlation::States,
    pub(crate) throttles: BTreeMap<String, Limit>,
    /// What the coverage log keeps of it, under these hashes.
    pub(crate) set: coverage::RuleSet,
    pub(crate) hash: String,
}

impl TenantRules {
    /// `default` is how a rule is that the tenant did not set.
    pub(crate) fn make(book: Arc<RuleBook>, default: State, wanted: &Wanted) -> Self {
        let state = |id: &str| wanted.states.get(id).copied().unwrap_or(default);
        let options = Options::new(book.set.options(), &wanted.lists, &wanted.pipelines);
        let fitted = fitted(&book, wanted, &state);
        let own = Own::compile(&wanted.own, (&book, fitted), &options);
        let below = |rule: &Rule| match &own {
            Some(own) if own.state(&rule.id).is_some() => None,
            _ => Some(state(&rule.id)),
        };
        let runs = Bitmap::of(&book.set, |rule| below(rule).is_some_and(State::runs));
        let shadow = Bitmap::of(&book.set, |rule| below(rule) == Some(State::Shadow));
        let mut differs: BTreeMap<String, Differs> = wanted
            .states
            .iter()
            .filter(|(_, state)| **state != default)
            .map(|(id, state)| (id.clone(), Differs { state: *state, version: None }))
            .collect();
        differs.extend(own.iter().flat_map(Own::differs));
        let set = coverage::RuleSet::Tenant { base: book.base_hash(), default, differs };
        let hash = hash_of(&set);
        let exceptions = Exceptions::new(&wanted.exceptions);
        let throttles = wanted.throttles.clone();
        let mut made = Self {
            book,
            runs,
            shadow,
            own,
            options,
            exceptions,
            correlations: correlation::States::default(),
            throttles,
            set,
            hash,
        };
        let of = |id: &str| made.own.as_ref().and_then(|own| own.state(id)).unwrap_or_else(|| state(id));
        made.correlations = correlation::States::of(made.correlation_set(), of);
        made
    }

    /// The correlations that this tenant has: everybody's, or those with its own.
    pub(crate) fn correlation_set(&self) -> &Arc<CorrelationSet> {
        match self.own.as_ref().and_then(|own| own.over.as_ref()) {
            Some(over) => &over.correlations,
            None => &self.book.correlations,
        }
    }

    /// The rules that they are about, by place.
    pub(crate) fn correlated(&self) -> &RuleSet {
        match self.own.as_ref().and_then(|own| own.over.as_ref()) {
            Some(over) => &over.rules,
            None => &self.book.set,
        }
    }

    /// What alerts say of a rule or correlation: the tenant's own first.
    pub(crate) fn facts(&self, id: &str) -> Option<Arc<RuleFacts>> {
        self.own.as_ref().and_then(|own| own.facts(id)).or_else(|| self.book.facts(id))
    }

    /// Whether a rule of the book runs for this tenant: shadow or enabled, and no rule of its own stands in for it.
    pub(crate) fn runs(&self, index: usize) -> bool {
        self.runs.has(index)
    }

    /// Whether a rule of the book is only watched.
    pub(crate) fn is_shadow(&self, index: usize) -> bool {
        self.shadow.has(index)
    }

    /// Whether an exception takes this match out. `at` is the event's time.
    pub(crate) fn excepted(&self, rule: &Rule, at: Timestamp, source: &LogSource, line: &[u8]) -> bool {
        let is_own = self.own.as_ref().is_some_and(|own| own.is_own(&rule.id));
        let options = if is_own { &self.options.own } else { &self.options.base };
        self.exceptions.hold((rule, options), at, source, line)
    }
}

/// Rules that everybody has and that wait for a list which this tenant has: they are compiled again with its own. With how
/// the tenant has set them.
fn fitted(book: &RuleBook, wanted: &Wanted, state: &dyn Fn(&str) -> State) -> Vec<(Arc<Rule>, State)> {
    let words: Vec<String> = wanted.lists.iter().map(|(name, _)| format!("%{name}%")).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let waits = |rule: &&Arc<Rule>| rule.text.contains("expand") && words.iter().any(|word| rule.text.contains(word));
    let rules = book.entries.values().filter(|entry| entry.case.is_none()).map(|entry| &entry.rule);
    rules.filter(waits).map(|rule| (Arc::clone(rule), state(&rule.id))).filter(|(_, state)| state.runs()).collect()
}

fn hash_of(set: &coverage::RuleSet) -> String {
    let text = serde_json::to_vec(set).unwrap_or_default();
    hex::encode(Sha256::digest(text).get(..8).unwrap_or_default())
}

/// A tenant's rules from batch to batch.
#[derive(Default)]
pub(crate) struct Enabled {
    changes: Option<Receiver<Change>>,
    made: Option<Made>,
}

struct Made {
    rules: Arc<TenantRules>,
    at: Instant,
}

impl Enabled {
    /// The tenant's rules over this book as of now: what was answered to whoever changed something is in it.
    pub(crate) async fn of(
        &mut self,
        pipeline: &Pipeline,
        tenant: TenantId,
        book: &Arc<RuleBook>,
    ) -> Result<Arc<TenantRules>> {
        // First told, then read: a change in between is read, and told for the next batch.
        let changes = self.changes.get_or_insert_with(|| pipeline.store.watch());
        let changed = changed(changes, tenant);
        if let Some(made) = &self.made
            && !changed
            && Arc::ptr_eq(&made.rules.book, book)
            && made.at.elapsed() < AGAIN
        {
            return Ok(Arc::clone(&made.rules));
        }
        self.made = None;
        let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
        let wanted = Wanted::read(&mut reader, pipeline.store.clock().now()).await?;
        drop(reader);
        let (book, default) = (Arc::clone(book), pipeline.content.default_state());
        let make = move || Arc::new(TenantRules::make(book, default, &wanted));
        let rules = tokio::task::spawn_blocking(make).await.map_err(|_ended| crate::PipelineError::Stopped)?;
        self.made = Some(Made { rules: Arc::clone(&rules), at: Instant::now() });
        Ok(rules)
    }
}

/// Whether the tenant may have changed its rules since this was asked last.
fn changed(changes: &mut Receiver<Change>, tenant: TenantId) -> bool {
    let mut changed = false;
    loop {
        match changes.try_recv() {
            // Version 0 tells of what a rule found, not of what it is, save for `all`.
            Ok(change) => {
                changed |=
                    change.tenant == tenant && change.kind == "rule" && (change.version > 0 || change.id == "all");
            }
            Err(TryRecvError::Lagged(_)) => changed = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return changed,
        }
    }
}

#[cfg(test)]
mod tests;
