//! `shieldops ledger`: proof without a server, and an export of a server's ledger.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::Outcome;
use crate::{
    client::{Client, ServerArgs},
    output::Failure,
    verify_cmd::VerifyArgs,
};

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    Verify(VerifyArgs),
    /// Write the ledger of a server as a file that proves itself.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Where to write it [default: standard output].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(command: &LedgerCommand) -> Outcome {
    match command {
        LedgerCommand::Verify(args) => crate::verify_cmd::run(args),
        LedgerCommand::Export(args) => export(args),
    }
}

fn export(args: &ExportArgs) -> Outcome {
    save(&Client::new(&args.server)?, "/api/v1/ledger/export", args.file.as_deref())
}

/// Writes an answer to a file, or to standard output, as it comes.
pub(super) fn save(client: &Client, path: &str, file: Option<&Path>) -> Outcome {
    match file {
        None => client.download(path, &mut std::io::stdout().lock())?,
        Some(file) => {
            let made = File::create(file).map_err(|error| {
                Failure::unusable(format!("--file {}: cannot be written", file.display())).why(error.to_string())
            })?;
            client.download(path, &mut BufWriter::new(made))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
