//! The tenant's own rule behind an alert: in the version that raised it, so that the alert says what matched then.

use shieldops_detect::{Documents, Rule, RuleSet};
use shieldops_model::{Alert, Normalised};
use shieldops_pipeline::{Content, Neighbours};
use shieldops_store::{
    Access,
    own_rules::{self, versions},
};

use super::blocking;
use crate::{Problem, alerts::FieldMatch};

/// The tenant's own rule that raised an alert.
pub(crate) struct RaisedBy {
    pub(crate) rule: Rule,
    /// The rule, or the rules that a correlation is made of.
    pub(crate) set: RuleSet,
}

impl RaisedBy {
    /// What an event has of it.
    pub(crate) fn fields(&self, seen: &Normalised) -> Vec<FieldMatch> {
        let line = seen.flat.as_bytes();
        let mut hits = self.set.rules().iter().map(|rule| self.set.explain(rule, &seen.log_source, line));
        let found = hits.find(|hits| !hits.is_empty()).unwrap_or_default();
        found.into_iter().map(FieldMatch::from).collect()
    }
}

/// The tenant's own rule that raised an alert, in the version that did; nothing when it was another's.
pub(crate) async fn raised_by(
    access: &mut impl Access,
    content: &Content,
    alert: &Alert,
) -> Result<Option<RaisedBy>, Problem> {
    if own_rules::find(access, &alert.rule_id).await?.is_none() {
        if content.book().entries.contains_key(&alert.rule_id) {
            return Ok(None);
        }
        return brought_along(Neighbours::read(access, content).await?, alert.rule_id.clone()).await;
    }
    let versions = versions::of_rule(access, &alert.rule_id).await?;
    let Some(version) = versions.into_iter().find(|version| version.written.hash == alert.rule_version) else {
        return Ok(None);
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
        let set = RuleSet::compile(documents, options).0;
        Some(RaisedBy { rule: read.rule, set })
    };
    blocking(compile).await
}

/// A rule that a correlation of the tenant has brought along and that raises alerts of its own.
async fn brought_along(neighbours: Neighbours, id: String) -> Result<Option<RaisedBy>, Problem> {
    let compile = move || {
        let rule = neighbours.brought_along(&id)?;
        let set = RuleSet::compile(vec![rule.clone()], neighbours.options()).0;
        Some(RaisedBy { rule, set })
    };
    blocking(compile).await
}
