//! The boolean condition of a temporal correlation: `a and (b or c) and not d`, over its rules.

use serde::Serialize;

use super::{RuleReference, read::MAX_RULES};
use crate::{
    diagnostic::{Place, Report},
    sigma::condition::{self, Expr},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleExpr {
    /// The rule of that number in `rules`.
    Rule(usize),
    Not(Box<RuleExpr>),
    All(Vec<RuleExpr>),
    Any(Vec<RuleExpr>),
}

/// The expression over these rules; `None` after a report of why not.
pub(super) fn parse(text: &str, at: Place, rules: &[RuleReference], report: &mut Report) -> Option<RuleExpr> {
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    let expr = match condition::parse(text, at, &names) {
        Ok(expr) => convert(expr),
        Err(refusal) => {
            refusal.tell(report);
            return None;
        }
    };
    let Some(expr) = expr else {
        let message = "a count (`1 of`, `all of`) in the condition of a correlation";
        report.error(at, "invalid-condition", message, "Name the rules, joined by `and`, `or` and `not`.");
        return None;
    };
    for (index, rule) in rules.iter().enumerate() {
        if !expr.mentions(index) {
            let message = format!("the condition does not speak of `{}`", rule.name);
            report.error(at, "unused-rule", message, "Use it in the condition, or remove it from `rules`.");
        }
    }
    Some(expr)
}

/// The words of the text that name rules, each once, in their order; at most one more than a correlation may have.
pub(super) fn names(text: &str, at: Place) -> Vec<RuleReference> {
    let mut found: Vec<RuleReference> = Vec::new();
    let mut column = 0_usize;
    for word in text.split_inclusive(|char: char| char.is_whitespace() || matches!(char, '(' | ')')) {
        let name = word.trim_end_matches(|char: char| char.is_whitespace() || matches!(char, '(' | ')'));
        let is_operator = ["and", "or", "not"].iter().any(|operator| name.eq_ignore_ascii_case(operator));
        if !(name.is_empty() || is_operator || found.iter().any(|old| old.name == name)) {
            found.push(RuleReference { name: name.to_owned(), at: at.right(column) });
        }
        if found.len() > MAX_RULES {
            break;
        }
        column = column.saturating_add(word.chars().count());
    }
    found
}

fn convert(expr: Expr) -> Option<RuleExpr> {
    Some(match expr {
        Expr::Selection(index) => RuleExpr::Rule(index),
        Expr::Not(inner) => RuleExpr::Not(Box::new(convert(*inner)?)),
        Expr::All(parts) => RuleExpr::All(parts.into_iter().map(convert).collect::<Option<_>>()?),
        Expr::Any(parts) => RuleExpr::Any(parts.into_iter().map(convert).collect::<Option<_>>()?),
        Expr::AtLeast(..) => return None,
    })
}

impl RuleExpr {
    /// Whether the expression speaks of the rule of that number.
    pub fn mentions(&self, rule: usize) -> bool {
        match self {
            Self::Rule(index) => *index == rule,
            Self::Not(inner) => inner.mentions(rule),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(rule)),
        }
    }

    /// Whether it holds when those rules matched for which `matched` says so.
    pub fn holds(&self, matched: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Rule(index) => matched(*index),
            Self::Not(inner) => !inner.holds(matched),
            Self::All(parts) => parts.iter().all(|part| part.holds(matched)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(matched)),
        }
    }
}
