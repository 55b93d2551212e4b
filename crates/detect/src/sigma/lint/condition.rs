//! Conditions that are never true, always true, or do not need one of their selections.
//!
//! Found by trying every combination of selections, where there are few enough of them.

use std::collections::BTreeMap;

use super::super::{
    condition::Expr,
    detection::{Block, Detection},
    rule::Rule,
};
use crate::diagnostic::Report;

/// Selections whose combinations are tried.
const MAX_SELECTIONS: usize = 12;

pub(super) fn check(rule: &Rule, report: &mut Report) {
    let detection = &rule.detection;
    let at = detection.at;
    let variables = variables(detection);
    let count = variables.values().max().map_or(0, |last| last.saturating_add(1));
    if variables.is_empty() || count > MAX_SELECTIONS {
        return;
    }
    let table = Table { detection, variables: &variables, count };
    let all: Vec<bool> = (0..table.rows()).map(|row| table.holds(row)).collect();
    if all.iter().all(|holds| !holds) {
        let message = "the condition is never true, whatever its selections are";
        report.error(at, "never-true", message, "A selection stands with and without `not`: remove one.");
        return;
    }
    if all.iter().all(|holds| *holds) {
        let message = "the condition is always true, whatever its selections are";
        report.error(at, "always-true", message, "A selection stands with and without `not`: remove one.");
        return;
    }
    if all.first() == Some(&true) {
        let message = "the rule matches every event that none of its selections is for";
        report.warning(at, "matches-the-rest", message, "Add a selection that an event must match.");
    }
    for variable in 0..count {
        if !table.matters(variable, &all) {
            let names = table.names(variable);
            let message = format!("the condition is the same without {names}");
            report.warning(at, "unreachable-selection", message, "Correct the condition, or remove the selection.");
        }
    }
}

/// The number of each selection that the condition uses; equal selections have one number.
fn variables(detection: &Detection) -> BTreeMap<usize, usize> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut variables = BTreeMap::new();
    mentioned(&detection.condition, &mut |index| {
        let Some(selection) = detection.selections.get(index) else { return };
        let next = numbers.len();
        let number = *numbers.entry(shown(&selection.block)).or_insert(next);
        variables.insert(index, number);
    });
    variables
}

fn mentioned(expr: &Expr, visit: &mut impl FnMut(usize)) {
    match expr {
        Expr::Selection(index) => visit(*index),
        Expr::Not(inner) => mentioned(inner, visit),
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| mentioned(part, visit)),
        Expr::AtLeast(_, chosen) => chosen.iter().for_each(|index| visit(*index)),
    }
}

/// Equal for selections that say the same.
fn shown(block: &Block) -> String {
    match block {
        Block::All(blocks) => format!("({})", blocks.iter().map(shown).collect::<Vec<_>>().join("&")),
        Block::Any(blocks) => format!("({})", blocks.iter().map(shown).collect::<Vec<_>>().join("|")),
        Block::Item(item) => {
            let values: Vec<String> =
                item.values.iter().map(|value| format!("{:?} {:?}", value.kind, value.shown)).collect();
            format!("{:?} {} {}", item.field, item.modifiers.text, values.join(","))
        }
    }
}

struct Table<'d> {
    detection: &'d Detection,
    variables: &'d BTreeMap<usize, usize>,
    count: usize,
}

impl Table<'_> {
    fn rows(&self) -> usize {
        1_usize.checked_shl(u32::try_from(self.count).unwrap_or(0)).unwrap_or(0)
    }

    /// Whether the condition holds where those variables are true whose bit is set.
    fn holds(&self, row: usize) -> bool {
        self.detection.condition.decide(&mut |index| self.variables.get(&index).is_some_and(|bit| is_set(row, *bit)))
    }

    /// Whether the condition is ever another with and without the variable.
    fn matters(&self, variable: usize, all: &[bool]) -> bool {
        let bit = 1_usize.checked_shl(u32::try_from(variable).unwrap_or(0)).unwrap_or(0);
        (0..self.rows()).filter(|row| !is_set(*row, variable)).any(|row| all.get(row) != all.get(row | bit))
    }

    fn names(&self, variable: usize) -> String {
        let names = self.variables.iter().filter(|(_, number)| **number == variable);
        let names: Vec<String> = names
            .filter_map(|(index, _)| self.detection.selections.get(*index))
            .map(|selection| format!("`{}`", selection.name))
            .collect();
        names.join(" and ")
    }
}

fn is_set(row: usize, bit: usize) -> bool {
    u32::try_from(bit).ok().and_then(|bit| row.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}
