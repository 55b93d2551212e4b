//! The ShieldOps binary: configuration, wiring and the command line.

mod ask;
mod assets;
mod bench;
mod cli;
mod client;
mod config;
mod content;
mod output;
mod profile;
mod scan;
mod serve;
mod tls;
mod verify_cmd;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
