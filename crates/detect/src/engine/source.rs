//! Where an event comes from: the log source given with it, or fields of its own where a bench or a file says so.

use std::sync::Arc;

use shieldops_model::LogSource;

/// Takes the log source of events from fields of theirs. For benches and files; a server knows it from ingest.
#[derive(Clone)]
pub struct SourceFields {
    pub(crate) names: Vec<String>,
    decide: Arc<Decide>,
}

type Decide = dyn Fn(&[Option<&str>]) -> LogSource + Send + Sync;

/// Names that are looked at; more are left out.
const MAX_NAMES: usize = 8;

impl SourceFields {
    /// `decide` gets the texts of the top-level fields of these names as the event has them (`None`: absent, null, a list
    /// or an object), in their order. It is called once for each combination that is new to a worker.
    pub fn new(names: &[&str], decide: impl Fn(&[Option<&str>]) -> LogSource + Send + Sync + 'static) -> Self {
        Self { names: names.iter().take(MAX_NAMES).map(|name| (*name).to_owned()).collect(), decide: Arc::new(decide) }
    }

    pub(crate) fn decide(&self, texts: &[Option<String>]) -> LogSource {
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        (self.decide)(&texts)
    }

    /// Told apart from others of a worker.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.decide, &other.decide)
    }
}

impl std::fmt::Debug for SourceFields {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SourceFields").field("names", &self.names).finish_non_exhaustive()
    }
}
