//! `shieldops audit`: who did what, as the ledger has it: list, export and proof, from a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    Outcome,
    ledger::save,
    see::{PageArgs, list, print},
};
use crate::{
    client::{Client, ServerArgs, query},
    output::REFUSED,
};

pub(super) const COLUMNS: &[&str] = &["/seq", "/time", "/actor_name", "/kind", "/subjects"];

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Entries, in their order.
    List(ListArgs),
    /// Entries as lines of JSON or as a table for a spreadsheet.
    Export(ExportArgs),
    /// Prove the ledger on the server. Exit codes: 0 sound, 1 not, 2 could not be asked.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct Filters {
    /// The kind of entry, such as plan.approved.
    #[arg(long)]
    kind: Option<String>,
    /// Who did it: the id of a person, token or key, or system:...
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// What it was done to.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// From this time on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Whose {
    /// The installation's own ledger, for its operators.
    #[arg(long)]
    installation: bool,
}

impl Whose {
    fn path(&self) -> &'static str {
        if self.installation { "/api/v1/installation/ledger" } else { "/api/v1/ledger" }
    }
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    filters: Filters,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    filters: Filters,
    #[arg(long, default_value = "ndjson", value_parser = ["ndjson", "csv"])]
    format: String,
    /// Where to write it [default: standard output].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Filters {
    fn pairs(&self) -> [(&str, Option<&str>); 5] {
        [
            ("kind", self.kind.as_deref()),
            ("actor", self.actor.as_deref()),
            ("subject", self.subject.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
        ]
    }
}

pub(super) fn run(command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::List(args) => list(&args.page, args.whose.path(), &args.filters.pairs(), COLUMNS),
        AuditCommand::Export(args) => {
            let mut asked = vec![("format", Some(args.format.as_str()))];
            asked.extend(args.filters.pairs());
            let path = format!("{}/export{}", args.whose.path(), query(&asked));
            save(&Client::new(&args.server)?, &path, args.file.as_deref())
        }
        AuditCommand::Verify(args) => {
            let found = Client::new(&args.server)?.get(&format!("{}/verify", args.whose.path()))?;
            print(
                &found,
                args.server.output,
                &["ok", "entries", "checkpoint_size", "first_bad", "uncovered", "uncovered_events"],
            )?;
            Ok(if found["ok"] == true { std::process::ExitCode::SUCCESS } else { REFUSED.into() })
        }
    }
}
