//! A correlation in the form of a rule, for lists that hold both. It matches no event by itself.

use std::sync::Arc;

use super::CompiledCorrelation;
use crate::{
    diagnostic::Place,
    sigma::{Correlation, Detection, Expr, Header, Rule, RuleSet, RuleSource},
};

impl CompiledCorrelation {
    /// Its log source is what those of its rules have in common.
    pub fn as_rule(&self, rules: &RuleSet) -> Rule {
        let mut sources = self.members.iter().filter_map(|id| rules.get(id)).map(|rule| &rule.log_source);
        let first = sources.next().cloned().unwrap_or_default();
        let log_source = sources.fold(first, |common, other| RuleSource {
            product: common.product.filter(|product| other.product.as_ref() == Some(product)),
            category: common.category.filter(|category| other.category.as_ref() == Some(category)),
            service: common.service.filter(|service| other.service.as_ref() == Some(service)),
        });
        self.correlation.as_rule(log_source)
    }
}

impl Correlation {
    /// The same for one that is not compiled, or cannot be.
    pub fn as_rule(&self, log_source: RuleSource) -> Rule {
        let header: Header = self.header.clone();
        let nothing =
            Detection { selections: Vec::new(), condition: Expr::Any(Vec::new()), items: 0, at: Place::default() };
        Rule {
            id: header.id,
            name: header.name,
            title: header.title,
            status: header.status,
            level: header.level,
            description: header.description,
            references: header.references,
            falsepositives: header.falsepositives,
            tags: header.tags,
            attack: header.attack,
            related: header.related,
            log_source,
            author: header.author,
            date: header.date,
            version: header.version,
            group_by: header.group_by,
            triage: header.triage,
            file: header.file,
            line: header.line,
            span: header.span,
            text: header.text,
            detection: Arc::new(nothing),
        }
    }
}
