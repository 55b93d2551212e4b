//! What rule files hold: rules, filters over rules, and correlations of rules.

use std::sync::Arc;

use super::{correlation::Correlation, filter::Filter, rule::Rule};

/// Everything that was read from one or more files, each kind in the order of the files. A clone shares its rules.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    pub rules: Vec<Arc<Rule>>,
    pub filters: Vec<Filter>,
    pub correlations: Vec<Correlation>,
}

impl Documents {
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.filters.is_empty() && self.correlations.is_empty()
    }

    /// The rules alone, for callers that have no use for filters and correlations.
    pub fn into_rules(self) -> Vec<Rule> {
        self.rules.into_iter().map(Arc::unwrap_or_clone).collect()
    }
}

impl From<Vec<Rule>> for Documents {
    fn from(rules: Vec<Rule>) -> Self {
        Self { rules: rules.into_iter().map(Arc::new).collect(), ..Self::default() }
    }
}

/// Joins the documents of several files.
impl Extend<Documents> for Documents {
    fn extend<T: IntoIterator<Item = Documents>>(&mut self, iter: T) {
        for more in iter {
            self.rules.extend(more.rules);
            self.filters.extend(more.filters);
            self.correlations.extend(more.correlations);
        }
    }
}

impl FromIterator<Documents> for Documents {
    fn from_iter<T: IntoIterator<Item = Documents>>(iter: T) -> Self {
        let mut all = Self::default();
        all.extend(iter);
        all
    }
}
