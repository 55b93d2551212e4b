//! `shieldops policy`: what decides whether something may be done.

mod test;

use clap::Subcommand;

use super::Outcome;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Run the tests of policies, with the lines that they evaluate. Exit codes: 0 all pass, 1 some do not or a policy is
    /// refused, 2 could not be read.
    Test(test::TestArgs),
}

pub(super) fn run(command: &PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Test(args) => test::run(args),
    }
}
