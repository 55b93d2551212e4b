//! A Sigma rule as it was read: its description, its log source, and its detection; and the head that filters and
//! correlations have in common with it.

use std::{ops::Range, sync::Arc};

use serde::Serialize;
use shieldops_model::{Attack, EntityKind, LogSource, Severity};

use super::detection::Detection;

#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// The Sigma id: `rule_id` everywhere else.
    pub id: String,
    /// The name that correlations and filters may use instead of the id; empty when the rule has none.
    pub name: String,
    pub title: String,
    /// `stable`, `test`, `experimental`, `deprecated` or `unsupported`; empty when the rule does not say.
    pub status: String,
    pub level: Severity,
    pub description: String,
    pub references: Vec<String>,
    pub falsepositives: Vec<String>,
    pub tags: Vec<String>,
    pub attack: Attack,
    /// Other rules that this one comes from, replaces or is like.
    pub related: Vec<Related>,
    pub log_source: RuleSource,
    pub author: String,
    pub date: String,
    /// First 12 hex characters of the SHA-256 of the rule's text, with what a global document adds to it.
    pub version: String,
    /// Our own key `shieldops: {group_by: [...]}`: the entities that make two matches the same alert. Empty: the
    /// default of the event's class.
    pub group_by: Vec<EntityKind>,
    /// Our own key `shieldops: {triage: ...}`: what whoever takes the alert looks at first. Plain text.
    pub triage: String,
    pub file: String,
    /// Where the rule begins in its file, from 1.
    pub line: usize,
    /// The bytes of the file that are this rule.
    pub span: Range<usize>,
    pub text: String,
    #[serde(skip)]
    pub(crate) detection: Arc<Detection>,
}

/// A rule that another one names under `related`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    pub id: String,
    /// `derived`, `obsolete`, `merged`, `renamed` or `similar`.
    pub kind: String,
}

/// What a correlation or a filter says about itself: the members of a rule, without log source and detection.
#[derive(Debug, Clone, Serialize)]
pub struct Header {
    pub id: String,
    pub name: String,
    pub title: String,
    pub status: String,
    pub level: Severity,
    pub description: String,
    pub references: Vec<String>,
    pub falsepositives: Vec<String>,
    pub tags: Vec<String>,
    pub attack: Attack,
    pub related: Vec<Related>,
    pub author: String,
    pub date: String,
    pub version: String,
    pub group_by: Vec<EntityKind>,
    pub triage: String,
    pub file: String,
    pub line: usize,
    pub span: Range<usize>,
    pub text: String,
}

/// Where a rule applies. What it does not name is open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash, Serialize)]
pub struct RuleSource {
    pub product: Option<String>,
    pub category: Option<String>,
    pub service: Option<String>,
}

impl RuleSource {
    pub fn is_empty(&self) -> bool {
        self.product.is_none() && self.category.is_none() && self.service.is_none()
    }

    /// The log source of an event that this rule applies to.
    pub fn as_event_source(&self) -> LogSource {
        LogSource {
            product: self.product.clone(),
            categories: self.category.iter().cloned().collect(),
            service: self.service.clone(),
        }
    }
}
