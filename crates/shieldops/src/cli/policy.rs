//! `shieldops policy`: what decides whether something may be done, and a tenant's own part of it.

mod replay;
mod test;
mod versions;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    Outcome,
    gate::DiffArgs,
    plan,
    see::{PageArgs, ShowArgs},
};
use crate::client::ServerArgs;

const PATH: &str = "/api/v1/policies";

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// The policies that are built in, or the text of one of them.
    List(ListArgs),
    /// What decides now.
    Show(ServerArgs),
    /// Versions of your own policies, newest first; or one with its files, tests and replay.
    Versions(VersionsArgs),
    /// What differs between two versions; 0 is none.
    Diff(DiffArgs),
    /// Let the server read a folder of policies and run their tests. Nothing is kept.
    Check(FolderArgs),
    /// Write a folder of policies, with their tests, as a version. It decides nothing until another person activates it.
    Push(PushArgs),
    /// What policies would have decided of the last days: a version, a folder, or what decides now.
    Replay(replay::ReplayArgs),
    /// Replays, newest first; or one with its report.
    Replays(ReplaysArgs),
    /// Put a version in force, a first time or again. Another person than its author does.
    Activate(ActivateArgs),
    /// Ask that only the built-in policies decide. Another person confirms it with `shieldops gate confirm`.
    Deactivate(DeactivateArgs),
    /// Run the tests of policies, with the lines that they evaluate. Exit codes: 0 all pass, 1 some do not or a policy is
    /// refused, 2 could not be read.
    Test(test::TestArgs),
    /// Why policy decides about a plan as it does; the same as `shieldops plan explain`.
    Explain(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    /// The text of this one.
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct VersionsArgs {
    #[command(flatten)]
    page: PageArgs,
    /// One of them, with its files.
    #[arg(long)]
    number: Option<u64>,
    /// Write its files into this folder, which must not be there.
    #[arg(long, value_name = "DIR", requires = "number")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A folder of files in Rego, with tests in files that end in `_test.rego`.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct PushArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct ReplaysArgs {
    #[command(flatten)]
    page: PageArgs,
    /// One of them, with its report.
    #[arg(long, value_name = "JOB", value_parser = crate::client::id)]
    job: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ActivateArgs {
    #[command(flatten)]
    server: ServerArgs,
    number: u64,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DeactivateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

pub(super) fn run(command: &PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::List(args) => versions::built_in(args),
        PolicyCommand::Show(server) => versions::in_force(server),
        PolicyCommand::Versions(args) => versions::versions(args),
        PolicyCommand::Diff(args) => versions::diff(args),
        PolicyCommand::Check(args) => versions::check(args),
        PolicyCommand::Push(args) => versions::push(args),
        PolicyCommand::Replay(args) => replay::begin(args),
        PolicyCommand::Replays(args) => replay::replays(args),
        PolicyCommand::Activate(args) => versions::activate(args),
        PolicyCommand::Deactivate(args) => versions::deactivate(args),
        PolicyCommand::Test(args) => test::run(args),
        PolicyCommand::Explain(args) => plan::explain(args),
    }
}
