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
mod prove;
mod scan;
mod serve;
mod tls;
mod verify_cmd;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
