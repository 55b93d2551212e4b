//! A Sigma rule as it was read: its description, its log source, and its detection.

use std::{ops::Range, sync::Arc};

use serde::Serialize;
use shieldops_model::{Attack, EntityKind, LogSource, Severity};

use super::detection::Detection;

#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// The Sigma id: `rule_id` everywhere else.
    pub id: String,
    pub title: String,
    /// `stable`, `test`, `experimental`, `deprecated` or `unsupported`; empty when the rule does not say.
    pub status: String,
    pub level: Severity,
    pub description: String,
    pub references: Vec<String>,
    pub falsepositives: Vec<String>,
    pub tags: Vec<String>,
    pub attack: Attack,
    pub log_source: RuleSource,
    pub author: String,
    pub date: String,
    /// First 12 hex characters of the SHA-256 of the rule's text, with what a global document adds to it.
    pub version: String,
    /// Our own key `shieldops: {group_by: [...]}`: the entities that make two matches the same alert. Empty: the
    /// default of the event's class.
    pub group_by: Vec<EntityKind>,
    pub file: String,
    /// Where the rule begins in its file, from 1.
    pub line: usize,
    /// The bytes of the file that are this rule.
    pub span: Range<usize>,
    pub text: String,
    #[serde(skip)]
    pub(crate) detection: Arc<Detection>,
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
