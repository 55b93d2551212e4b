//! One authorisation decision, with the text of the rule that decided: `cargo bench -p shieldops-identity`. Fails where the
//! 99th percentile is over 20 microseconds.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use shieldops_identity::{Permission, Rights, authorise, permission::of_role};
use shieldops_model::{Environment, TenantState};

const ROUNDS: usize = 5_000;
const FLOOR: Duration = Duration::from_micros(20);

/// Callers of every kind: what is allowed, what is refused, and the longest texts.
fn callers() -> Vec<Rights> {
    let limited = Some(vec![Environment::Development, Environment::Staging]);
    vec![
        Rights::built_in("admin"),
        Rights::built_in("viewer"),
        Rights::built_in("analyst").in_state(TenantState::Suspended),
        Rights::built_in("operator").granted("gnt_01h455vb4pex5vsknk084sn02q"),
        Rights::custom(&"night shift ".repeat(10), of_role("analyst"), limited),
    ]
}

fn measure(callers: &[Rights]) -> Vec<Duration> {
    let reached = [Environment::Staging, Environment::Production];
    let asked = [None, Some(&reached[..1]), Some(&reached[..])];
    let mut times = Vec::with_capacity(ROUNDS * callers.len() * Permission::ALL.len() * asked.len());
    for _ in 0..ROUNDS {
        for rights in callers {
            for permission in Permission::ALL {
                for environments in asked {
                    let began = Instant::now();
                    black_box(authorise(black_box(rights), *permission, environments));
                    times.push(began.elapsed());
                }
            }
        }
    }
    times.sort_unstable();
    times
}

fn main() -> ExitCode {
    let times = measure(&callers());
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1_000).copied().unwrap_or_default();
    let (half, most, nearly_all) = (at(500), at(990), at(999));
    println!("authorise: {} decisions, p50 {half:?}, p99 {most:?}, p99.9 {nearly_all:?}", times.len());
    if most > FLOOR {
        println!("p99 is over {FLOOR:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
