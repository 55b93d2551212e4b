//! Repository chores: `cargo run -p xtask -- tidy`, `… reference [--check]` and `… policies [N]`.
//!
//! What clippy, rustfmt and cargo-deny can say is said there; here is what they cannot.
#![allow(clippy::print_stdout, reason = "a command line tool prints what it found")]

mod fences;
mod files;
mod policies;
mod record;
mod reference;

use std::{env, path::Path, process::ExitCode};

use anyhow::Result;

fn main() -> Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        ["tidy"] => tidy(root())?,
        ["reference"] => reference::write(root()).map(|()| Vec::new())?,
        ["policies"] => policies::run(1)?,
        ["policies", every] => policies::run(every.parse()?)?,
        ["reference", "--check"] => reference::stale(root())?,
        _ => vec!["usage: cargo run -p xtask -- tidy | reference [--check] | policies [EVERY]".to_owned()],
    };
    for line in &found {
        println!("{line}");
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tidy(root: &Path) -> Result<Vec<String>> {
    let mut found = files::check(root)?;
    found.extend(fences::check(root)?);
    found.extend(record::check(root)?);
    Ok(found)
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
