//! A tenant's own rules that run, compiled beside the set that everybody has.

use std::{collections::HashMap, sync::Arc};

use shieldops_detect::{CompileOptions, Diagnostic, DiagnosticSeverity, Documents, Rule, RuleSet, lint, parse};
use shieldops_store::{coverage::Differs, rule_states::State};
use shieldops_triage::RuleFacts;

use crate::content::facts_of;

pub(crate) struct Own {
    pub(crate) set: RuleSet,
    states: HashMap<String, State>,
    facts: HashMap<String, Arc<RuleFacts>>,
}

impl Own {
    /// Nothing when no rule of the tenant runs. A text that is no rule any more is left out, and the rule below it runs.
    pub(crate) fn compile(running: &[(String, State, String)], options: &CompileOptions) -> Option<Self> {
        let mut rules = Vec::with_capacity(running.len());
        let mut states = HashMap::new();
        for (id, state, text) in running {
            let (rule, said) = read(text);
            match rule.filter(|rule| rule.id == *id) {
                Some(rule) => {
                    states.insert(id.clone(), *state);
                    rules.push(rule);
                }
                None => {
                    tracing::error!(rule.id = %id, said = ?said.first().map(ToString::to_string), "a tenant's rule cannot be used");
                }
            }
        }
        let (set, _) = RuleSet::compile(rules, options);
        if set.is_empty() {
            return None;
        }
        let facts = set.rules().iter().map(|rule| (rule.id.clone(), Arc::new(facts_of(rule)))).collect();
        Some(Self { set, states, facts })
    }

    pub(crate) fn is_shadow(&self, rule_id: &str) -> bool {
        self.states.get(rule_id) == Some(&State::Shadow)
    }

    pub(crate) fn facts(&self, rule_id: &str) -> Option<Arc<RuleFacts>> {
        self.facts.get(rule_id).map(Arc::clone)
    }

    pub(super) fn differs(&self) -> impl Iterator<Item = (String, Differs)> + '_ {
        self.set.rules().iter().filter_map(|rule| {
            let state = *self.states.get(&rule.id)?;
            Some((rule.id.clone(), Differs { state, version: Some(rule.version.clone()) }))
        })
    }
}

/// The one rule that a text is, and what is wrong with it. What cannot be compiled, or is several rules, is no rule.
pub fn read(text: &str) -> (Option<Rule>, Vec<Diagnostic>) {
    let (Documents { mut rules, filters, correlations, .. }, mut said) = parse(text, "rule.yml");
    let bad = said.iter().any(|said| said.severity == DiagnosticSeverity::Error);
    if !bad && (rules.len() != 1 || !filters.is_empty() || !correlations.is_empty()) {
        said.push(Diagnostic {
            severity: DiagnosticSeverity::Error,
            code: "not-one-rule",
            file: "rule.yml".to_owned(),
            line: 0,
            column: 0,
            message: format!(
                "this is {} rules, {} filters and {} correlations",
                rules.len(),
                filters.len(),
                correlations.len()
            ),
            fix: "Write one rule; a filter is an exception, and correlations come from folders of rules.".to_owned(),
        });
    }
    let Some(rule) = rules.pop().filter(|_| !said.iter().any(|said| said.severity == DiagnosticSeverity::Error)) else {
        return (None, said);
    };
    said.extend(lint::lint(&Documents::from(vec![rule.clone()]), &lint::Context::default()));
    let (set, more) = RuleSet::compile(vec![rule.clone()], &CompileOptions::default());
    said.extend(more);
    (set.get(&rule.id).is_some().then_some(rule), said)
}
