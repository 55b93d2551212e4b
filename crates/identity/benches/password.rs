//! One verification of a password, which bounds what a sign-in takes: `cargo bench -p shieldops-identity --bench password`.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot run stops")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use shieldops_identity::password;

const ROUNDS: usize = 100;

fn main() {
    let stored = password::hash("correct horse battery").expect("a hash");
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let given = if round % 2 == 0 { "correct horse battery" } else { "wrong horse battery" };
        let began = Instant::now();
        black_box(password::verify(black_box(given), Some(&stored)));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(ROUNDS * percent / 100).copied().unwrap_or_default();
    println!(
        "password: {} of one verification, p50 {:?}, p95 {:?}, p99 {:?}",
        password::PARAMETERS,
        at(50),
        at(95),
        at(99)
    );
}
