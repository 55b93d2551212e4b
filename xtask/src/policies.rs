//! Mutants of the shipped policies: each is a policy with one thing changed, and some test of a policy must fail on it.
//! `cargo run -p xtask -- policies [N]`: all of them, or every Nth.

mod mutants;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Result, bail};
use shieldops_policy::suite;

use mutants::Mutant;

/// Of those that load, so many in a hundred must be caught.
const WANTED_PERCENT: usize = 90;

#[derive(Default)]
struct Score {
    caught: usize,
    not_loaded: usize,
    survivors: Vec<String>,
}

/// Prints the score and the survivors; what it returns is what is wrong.
pub(crate) fn run(every: usize) -> Result<Vec<String>> {
    let files = suite::built_in();
    if let Some(test) = suite::first_failure(&files, "")? {
        bail!("{test} fails without any mutant");
    }
    let all: Vec<Mutant> = mutants::of(&files).into_iter().step_by(every.max(1)).collect();
    let mut score = judge(&files, &all);
    score.survivors.sort();
    for survivor in &score.survivors {
        println!("survived  {survivor}");
    }
    let judged = score.caught + score.survivors.len();
    let percent = (score.caught * 1000).checked_div(judged).unwrap_or(0);
    println!(
        "{judged} mutants, {} caught ({}.{} %), {} survived; {} more do not load",
        score.caught,
        percent / 10,
        percent % 10,
        score.survivors.len(),
        score.not_loaded
    );
    if percent < WANTED_PERCENT * 10 {
        return Ok(vec![format!("fewer than {WANTED_PERCENT} % of the mutants are caught")]);
    }
    Ok(Vec::new())
}

fn judge(files: &[(String, String)], all: &[Mutant]) -> Score {
    let score = Mutex::new(Score::default());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(mutant) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mutated = mutant.applied(files);
            let found = suite::first_failure(&mutated, mutant.file.trim_end_matches(".rego"));
            let mut score = score.lock().unwrap_or_else(PoisonError::into_inner);
            match found {
                Err(_) => score.not_loaded += 1,
                Ok(Some(_)) => score.caught += 1,
                Ok(None) => score.survivors.push(mutant.to_string()),
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    score.into_inner().unwrap_or_else(PoisonError::into_inner)
}
