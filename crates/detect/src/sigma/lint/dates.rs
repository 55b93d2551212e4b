//! Parts of a time that no time has: hour 25, month 13.

use std::cmp::Ordering;

use super::super::{
    decimal::Decimal,
    item::{Item, Test},
    modifiers::Comparison,
};
use crate::diagnostic::Report;

pub(super) fn check(item: &Item, report: &mut Report) {
    for value in &item.values {
        let Test::Date { part, with, value: number } = &value.test else { continue };
        let (least, most) = part.range();
        let verdict = match judge(*with, number, least, most) {
            Some(true) => "always",
            Some(false) => "never",
            None => continue,
        };
        let message = format!("{} is from {least} to {most}: `{}` {verdict} holds", part.name(), value.shown);
        report.warning(item.at, "impossible-time", message, "Correct the number, or remove the line.");
    }
}

/// Whether every number from `least` to `most` passes, or none does. What is compared with grows or falls with them, so
/// the two ends tell.
fn judge(with: Option<Comparison>, value: &Decimal, least: u32, most: u32) -> Option<bool> {
    let order = |number: u32| Decimal::from_number(number).cmp(value);
    let (first, last) = (order(least), order(most));
    let Some(with) = with else { return (first == Ordering::Greater || last == Ordering::Less).then_some(false) };
    (with.holds(first) == with.holds(last)).then_some(with.holds(first))
}
