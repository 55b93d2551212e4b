//! One decision with all shipped policies, hashes and answer included: `cargo bench -p shieldops-policy`. Says whether the
//! 99th percentile of an ordinary plan is within the aim, and fails where half of them take more than three times that.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use shieldops_policy::{Autonomy, Input, Policy, ProtectedEntry, ProtectedKind, example};

const ROUNDS: usize = 10_000;
const AIM: Duration = Duration::from_micros(300);

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
        let is_ordinary = matches!(name, "ordinary" | "at level 4" | "denied");
        let aim = match is_ordinary {
            true if at(990) <= AIM => ", within the aim",
            true => ", over the aim of 300 µs",
            false => "",
        };
        println!("{name}: {} decisions, p50 {:?}, p99 {:?}, p99.9 {:?}{aim}", times.len(), at(500), at(990), at(999));
        slow |= is_ordinary && at(500) > AIM * 3;
    }
    if slow { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
