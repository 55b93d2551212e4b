//! `shieldops db`: the database below the state: its schema, and the way from SQLite to PostgreSQL.

use std::{process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};
use shieldops_model::SystemClock;
use shieldops_store::Store;

use super::{Outcome, PlaceArgs, block_on, see::print, settings};
use crate::{
    config::DatabaseUrl,
    output::{self, Failure, Output},
};

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Bring the schema to this version, as the next start would.
    Migrate(DbArgs),
    /// Which database it is, and what the next start would migrate. Nothing is changed. Exit codes: 0 up to date, 1 not.
    Status(DbArgs),
    /// Move an installation from SQLite to an empty PostgreSQL database: counted, proved, and then the file is put aside.
    /// Keys, events and checkpoints stay where they are.
    Copy(CopyArgs),
}

#[derive(Debug, Args)]
pub(super) struct DbArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct CopyArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The empty database, as postgres://user:password@host/shieldops.
    #[arg(long, value_name = "URL", env = "SHIELDOPS_DATABASE__URL", hide_env_values = true)]
    to: String,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(command: &DbCommand) -> Outcome {
    match command {
        DbCommand::Migrate(args) => {
            let options = settings(&args.place.flags())?.store(false);
            block_on(async {
                Store::open(&options, Arc::new(SystemClock)).await?.close().await;
                Ok(())
            })?;
            status(args)
        }
        DbCommand::Status(args) => status(args),
        DbCommand::Copy(args) => copy(args),
    }
}

fn status(args: &DbArgs) -> Outcome {
    let options = settings(&args.place.flags())?.store(false);
    let status = block_on(async { Ok(Store::status(&options).await?) })?;
    let shown = serde_json::to_value(&status).map_err(|error| Failure::unusable(error.to_string()))?;
    print(&shown, args.output, &["kind", "place", "version", "schema", "pending", "tenants", "bytes", "nodes"])?;
    Ok(if status.pending.is_empty() { ExitCode::SUCCESS } else { output::REFUSED.into() })
}

fn copy(args: &CopyArgs) -> Outcome {
    let url = DatabaseUrl::new(&args.to);
    if let Some(fault) = url.fault() {
        let fix = "write it as postgres://user:password@host:5432/shieldops";
        return Err(Failure::unusable(format!("--to {url}: {fault}")).fix(fix));
    }
    let data_dir = settings(&args.place.flags())?.data_dir;
    let copied = block_on(async { Ok(Store::copy_to(&data_dir, url.expose()).await?) })?;
    match args.output {
        Output::Json => output::json(&copied)?,
        Output::Table => {
            let rows: Vec<_> = copied.rows.iter().map(|(table, rows)| vec![table.clone(), rows.to_string()]).collect();
            output::table(&["table", "rows"], &rows)?;
            output::line(&format!("copied to {}, equal and proved; set database.url and start the server", copied.to))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
