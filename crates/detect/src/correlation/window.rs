//! The events of one window, kept as far as the condition needs them: events go in at its end and out at its beginning.

use std::collections::{HashMap, VecDeque};

use super::{
    amount,
    program::{Program, Test, WHOLE, wanted},
};
use crate::sigma::CorrelationKind;

/// One event of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) time: i64,
    pub(super) event: u128,
    /// Which of the correlation's rules it matched.
    pub(super) rule: u16,
    /// The hash of a counted value, or a number in billionths.
    pub(super) value: i128,
    /// Whether the condition held at its time, when that was last looked at.
    pub(super) hit: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Window {
    Count(usize),
    Distinct(HashMap<i128, u32>),
    Total {
        sum: i128,
        count: usize,
    },
    Sorted(Vec<i128>),
    /// The times of each rule's events.
    Rules(Vec<VecDeque<i64>>),
}

impl Window {
    pub(super) fn new(program: &Program) -> Self {
        match program.kind {
            CorrelationKind::EventCount => Self::Count(0),
            CorrelationKind::ValueCount => Self::Distinct(HashMap::new()),
            CorrelationKind::ValueSum | CorrelationKind::ValueAvg => Self::Total { sum: 0, count: 0 },
            CorrelationKind::ValueMedian | CorrelationKind::ValuePercentile => Self::Sorted(Vec::new()),
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => {
                Self::Rules(vec![VecDeque::new(); program.rules])
            }
        }
    }

    /// Takes an event that is no earlier than those that it has.
    pub(super) fn add(&mut self, member: &Member) {
        match self {
            Self::Count(count) => *count = count.saturating_add(1),
            Self::Distinct(values) => {
                let count = values.entry(member.value).or_default();
                *count = count.saturating_add(1);
            }
            Self::Total { sum, count } => {
                *sum = sum.saturating_add(member.value);
                *count = count.saturating_add(1);
            }
            Self::Sorted(values) => {
                let place = values.partition_point(|value| *value < member.value);
                values.insert(place, member.value);
            }
            Self::Rules(times) => {
                if let Some(times) = times.get_mut(usize::from(member.rule)) {
                    times.push_back(member.time);
                }
            }
        }
    }

    /// Lets go of its first event.
    pub(super) fn remove(&mut self, member: &Member) {
        match self {
            Self::Count(count) => *count = count.saturating_sub(1),
            Self::Distinct(values) => {
                if let Some(count) = values.get_mut(&member.value) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        values.remove(&member.value);
                    }
                }
            }
            Self::Total { sum, count } => {
                *sum = sum.saturating_sub(member.value);
                *count = count.saturating_sub(1);
            }
            Self::Sorted(values) => {
                if let Ok(place) = values.binary_search(&member.value) {
                    values.remove(place);
                }
            }
            Self::Rules(times) => {
                if let Some(times) = times.get_mut(usize::from(member.rule)) {
                    times.pop_front();
                }
            }
        }
    }

    pub(super) fn holds(&self, program: &Program) -> bool {
        match self {
            Self::Count(count) => program.passes(amount::of_count(*count)),
            Self::Distinct(values) => program.passes(amount::of_count(values.len())),
            Self::Total { sum, count } => total_holds(program, *sum, *count),
            Self::Sorted(values) => sorted_holds(program, values),
            Self::Rules(times) if program.kind == CorrelationKind::Temporal => present_holds(program, times),
            Self::Rules(times) => ordered_holds(program, times),
        }
    }
}

/// Both sides times a number, so that nothing is divided.
fn passes_scaled(program: &Program, number: i128, scale: i128) -> bool {
    let Test::Bounds(bounds) = &program.test else { return false };
    bounds.iter().all(|(operator, limit)| operator.holds(number.cmp(&limit.saturating_mul(scale))))
}

fn total_holds(program: &Program, sum: i128, count: usize) -> bool {
    let scale = match program.kind {
        CorrelationKind::ValueAvg => i128::try_from(count).unwrap_or(i128::MAX),
        _ => 1,
    };
    count > 0 && passes_scaled(program, sum, scale)
}

fn sorted_holds(program: &Program, values: &[i128]) -> bool {
    let Some(last) = values.len().checked_sub(1) else { return false };
    let at = |place: usize| values.get(place).copied().unwrap_or(0);
    if program.kind == CorrelationKind::ValueMedian {
        let (low, high) = (last / 2, values.len() / 2);
        return passes_scaled(program, at(low).saturating_add(at(high)), 2);
    }
    // Nearest rank: the least value that so many percent of them do not exceed.
    let total = i128::try_from(values.len()).unwrap_or(i128::MAX);
    let rank = total.saturating_mul(program.percentile).saturating_add(WHOLE.saturating_sub(1)) / WHOLE;
    let place = usize::try_from(rank.saturating_sub(1)).unwrap_or(0).min(last);
    program.passes(at(place))
}

fn present_holds(program: &Program, times: &[VecDeque<i64>]) -> bool {
    let present = |rule: usize| times.get(rule).is_some_and(|times| !times.is_empty());
    match &program.test {
        Test::Bounds(_) => program.passes(amount::of_count((0..program.rules).filter(|rule| present(*rule)).count())),
        Test::Rules(expr) => expr.holds(&present),
    }
}

fn ordered_holds(program: &Program, times: &[VecDeque<i64>]) -> bool {
    match &program.test {
        Test::Bounds(_) => program.passes(amount::of_count(in_order(times.iter()))),
        Test::Rules(expr) => {
            let present = |rule: usize| times.get(rule).is_some_and(|times| !times.is_empty());
            let chosen = |(rule, times): &(usize, &VecDeque<i64>)| wanted(expr, *rule) && !times.is_empty();
            let chain: Vec<&VecDeque<i64>> = times.iter().enumerate().filter(chosen).map(|(_, times)| times).collect();
            expr.holds(&present) && in_order(chain.iter().copied()) == chain.len()
        }
    }
}

/// How many rules, from the first, have events one no earlier than the other.
fn in_order<'a>(rules: impl Iterator<Item = &'a VecDeque<i64>>) -> usize {
    let mut from = i64::MIN;
    let mut count = 0_usize;
    for times in rules {
        let Some(time) = times.get(times.partition_point(|time| *time < from)) else { break };
        from = *time;
        count = count.saturating_add(1);
    }
    count
}
