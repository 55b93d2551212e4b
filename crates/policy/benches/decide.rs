//! One decision with all shipped policies, hashes and answer included: `cargo bench -p shieldops-policy`. Fails where the
//! 99th percentile of an ordinary plan is over 300 microseconds.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use shieldops_policy::{Autonomy, Input, Policy, ProtectedEntry, ProtectedKind, example};

const ROUNDS: usize = 10_000;
const FLOOR: Duration = Duration::from_micros(300);

/// What is asked: the last is as much as a plan and settings may well hold.
fn questions() -> Vec<(&'static str, Input)> {
    let one = example::block();
    let mut able = example::block();
    able.situation.confidence = Some(0.9);
    able.situation.autonomy = Autonomy { tenant: Some(4), ..Autonomy::default() };
    let denied = Input { automation_halted: true, ..example::block() };
    let mut many = example::block();
    many.actions = vec![one.actions.first().cloned(); 10].into_iter().flatten().collect();
    let entry = |place: u8| ProtectedEntry {
        kind: ProtectedKind::Address,
        value: format!("198.51.100.{place}"),
        why: "ours".to_owned(),
    };
    let mut protected = example::block();
    protected.situation.protected = (0..100).map(entry).collect();
    vec![
        ("ordinary", one),
        ("at level 4", able),
        ("denied", denied),
        ("10 actions", many),
        ("100 protected", protected),
    ]
}

fn measure(policy: &Policy, input: &Input, rounds: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let input = black_box(input.clone());
        let began = Instant::now();
        black_box(policy.evaluate(input));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

fn main() -> ExitCode {
    let Ok(policy) = Policy::built_in() else {
        println!("the built-in policies do not load");
        return ExitCode::FAILURE;
    };
    let mut slow = false;
    for (name, input) in questions() {
        measure(&policy, &input, 200);
        let times = measure(&policy, &input, ROUNDS);
        let at = |per_mille: usize| times.get(times.len() * per_mille / 1_000).copied().unwrap_or_default();
        println!("{name}: {} decisions, p50 {:?}, p99 {:?}, p99.9 {:?}", times.len(), at(500), at(990), at(999));
        slow |= matches!(name, "ordinary" | "at level 4" | "denied") && at(990) > FLOOR;
    }
    if slow {
        println!("a p99 is over {FLOOR:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
