//! Filters joined to rules: `(condition of the rule) and (condition of the filter)`.

use std::sync::Arc;

use super::{Filter, FilterRules};
use crate::{
    diagnostic::{Diagnostic, Report},
    sigma::{
        condition::Expr,
        detection::{Detection, Selection},
        rule::Rule,
    },
};

/// Lays filters on rules, and remembers which rules of their lists were seen.
pub(crate) struct Joiner<'f> {
    filters: Vec<(&'f Filter, Vec<bool>)>,
    /// Those at the end whose lists are looked at.
    told: usize,
}

impl<'f> Joiner<'f> {
    pub(crate) fn new(filters: &'f [Arc<Filter>], told: usize) -> Self {
        let seen = |filter: &Filter| match &filter.rules {
            FilterRules::All => Vec::new(),
            FilterRules::Listed(listed) => vec![false; listed.len()],
        };
        Self { filters: filters.iter().map(|filter| (&**filter, seen(filter))).collect(), told }
    }

    /// Every filter that applies to the rule, in their order.
    pub(crate) fn join(&mut self, rule: &mut Rule) {
        for (number, (filter, seen)) in self.filters.iter_mut().enumerate() {
            if let FilterRules::Listed(listed) = &filter.rules {
                for (seen, _) in seen.iter_mut().zip(listed).filter(|(_, one)| one.names(rule)) {
                    *seen = true;
                }
            }
            if filter.applies(rule) {
                rule.detection = Arc::new(joined(&rule.detection, &filter.detection, number));
            }
        }
    }

    /// What the lists of the last ones name and no rule was.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let others = self.filters.len().saturating_sub(self.told);
        for (filter, seen) in self.filters.into_iter().skip(others) {
            let FilterRules::Listed(listed) = &filter.rules else { continue };
            let mut report = Report::new(&filter.header.file);
            for (reference, _) in listed.iter().zip(seen).filter(|(_, seen)| !seen) {
                let message = format!("there is no rule with the id or name `{}`", reference.name);
                report.warning(reference.at, "unknown-rule", message, "Correct the reference, or remove it.");
            }
            diagnostics.extend(report.into_found());
        }
        diagnostics
    }
}

fn joined(rule: &Detection, filter: &Detection, number: usize) -> Detection {
    let (selections, items) = (rule.selections.len(), rule.items);
    let mut all = rule.clone();
    for selection in &filter.selections {
        let mut block = selection.block.clone();
        block.each_item_mut(&mut |item| item.index = item.index.saturating_add(items));
        all.selections.push(Selection { name: format!("_filter_{number}_{}", selection.name), block });
    }
    all.items = items.saturating_add(filter.items);
    all.condition = Expr::All(vec![all.condition, shifted(&filter.condition, selections)]);
    all
}

/// The expression over selections that stand `by` places further.
fn shifted(expr: &Expr, by: usize) -> Expr {
    let move_all = |parts: &[Expr]| parts.iter().map(|part| shifted(part, by)).collect();
    match expr {
        Expr::Selection(index) => Expr::Selection(index.saturating_add(by)),
        Expr::Not(inner) => Expr::Not(Box::new(shifted(inner, by))),
        Expr::All(parts) => Expr::All(move_all(parts)),
        Expr::Any(parts) => Expr::Any(move_all(parts)),
        Expr::AtLeast(count, chosen) => {
            Expr::AtLeast(*count, chosen.iter().map(|index| index.saturating_add(by)).collect())
        }
    }
}
