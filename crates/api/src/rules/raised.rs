//! The rule behind an alert as this tenant has it: its own in the version that raised the alert, so that this says what
//! matched then, or everybody's with the tenant's lists.

use std::sync::Arc;

use shieldops_detect::{CompileOptions, Documents, Rule, RuleSet};
use shieldops_model::{Alert, Normalised};
use shieldops_pipeline::{Content, Neighbours};
use shieldops_store::{
    Access,
    own_rules::{self, versions},
};

use super::blocking;
use crate::{Problem, alerts::FieldMatch};

/// The rule that raised an alert.
pub(crate) struct RaisedBy {
    pub(crate) rule: Arc<Rule>,
    /// The rule, or the rules that a correlation is made of.
    pub(crate) set: RuleSet,
}

impl RaisedBy {
    /// Without filters: one that came since takes nothing from an alert.
    fn new(rule: impl Into<Arc<Rule>>, documents: impl Into<Documents>, options: &CompileOptions) -> Self {
        let set = RuleSet::compile(documents, &options.without_filters()).0;
        Self { rule: rule.into(), set }
    }

    /// What an event has of it.
    pub(crate) fn fields(&self, seen: &Normalised) -> Vec<FieldMatch> {
        let line = seen.flat.as_bytes();
        let mut hits = self.set.rules().iter().map(|rule| self.set.explain(rule, &seen.log_source, line));
        let found = hits.find(|hits| !hits.is_empty()).unwrap_or_default();
        found.into_iter().map(FieldMatch::from).collect()
    }
}

/// The tenant's own rule that raised an alert, in the version that did, or everybody's where it may name lists of the tenant;
/// nothing when it was another's.
pub(crate) async fn raised_by(
    access: &mut impl Access,
    content: &Content,
    alert: &Alert,
) -> Result<Option<RaisedBy>, Problem> {
    let book = content.book();
    let is_own = own_rules::find(access, &alert.rule_id).await?.is_some();
    let versions = if is_own { versions::of_rule(access, &alert.rule_id).await? } else { Vec::new() };
    let Some(version) = versions.into_iter().find(|version| version.written.hash == alert.rule_version) else {
        return match book.entries.get(&alert.rule_id) {
            Some(entry) if entry.names_lists() => {
                fitted(Neighbours::read(access, content).await?, Arc::clone(&entry.rule)).await.map(Some)
            }
            None if !is_own => brought_along(Neighbours::read(access, content).await?, alert.rule_id.clone()).await,
            _ => Ok(None),
        };
    };
    let neighbours = Neighbours::read(access, content).await?;
    let compile = move || {
        let read = neighbours.rule(&version.written.text).0?;
        let (documents, options) = match read.correlation.as_ref().map(|correlation| &correlation.case) {
            Some(case) => {
                let case = case.as_ref()?;
                (Documents { rules: case.rules().to_vec(), ..Documents::default() }, case.options())
            }
            None => (Documents::from(vec![read.rule.clone()]), neighbours.options().as_ref()),
        };
        Some(RaisedBy::new(read.rule, documents, options))
    };
    blocking(compile).await
}

/// A rule that everybody has, with the tenant's lists.
async fn fitted(neighbours: Neighbours, rule: Arc<Rule>) -> Result<RaisedBy, Problem> {
    blocking(move || {
        let documents = Documents { rules: vec![Arc::clone(&rule)], ..Documents::default() };
        RaisedBy::new(rule, documents, neighbours.base_options())
    })
    .await
}

/// A rule that a correlation of the tenant has brought along and that raises alerts of its own.
async fn brought_along(neighbours: Neighbours, id: String) -> Result<Option<RaisedBy>, Problem> {
    let compile = move || {
        let rule = neighbours.brought_along(&id)?;
        Some(RaisedBy::new(rule.clone(), vec![rule], neighbours.options()))
    };
    blocking(compile).await
}
