//! `shieldops ledger verify`: proves a data directory or an export, and names the first bad entry.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use shieldops_ledger::Report;
use shieldops_store::ledger::Uncovered;

use crate::{
    config::{DatabaseUrl, Flags},
    output::{self, Failure, Output, REFUSED},
};

/// A checkpoint is a signed note of a few lines.
const MAX_CHECKPOINT_BYTES: u64 = 1024 * 1024;

/// Prove that nothing was edited, deleted, swapped or cut off. Exit codes: 0 sound, 1 tampered, 2 could not be checked.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A data directory (its server may run) or an export.
    #[arg(value_name = "DIR|EXPORT")]
    place: PathBuf,
    /// A checkpoint that was kept elsewhere; only this finds a directory rolled back as a whole. May be given several times.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The configuration that names the database of the data directory, where that is PostgreSQL.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Verdict {
    ok: bool,
    logs: Vec<Report>,
    uncovered: Vec<Uncovered>,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let outside = args.checkpoint.iter().map(|path| checkpoint(path)).collect::<Result<Vec<_>, _>>()?;
    let verdict = if args.place.is_dir() { directory(args, &outside)? } else { export(&args.place, &outside)? };
    match args.output {
        Output::Json => output::json(&verdict)?,
        Output::Table => print(&verdict)?,
    }
    Ok(ExitCode::from(if verdict.ok { output::OK } else { REFUSED }))
}

fn checkpoint(path: &Path) -> Result<String, Failure> {
    let fail = |why: String| Failure::unusable(format!("--checkpoint {}: cannot be read", path.display())).why(why);
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > MAX_CHECKPOINT_BYTES {
        return Err(fail(format!("{size} bytes are no checkpoint")));
    }
    std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))
}

fn directory(args: &VerifyArgs, outside: &[String]) -> Result<Verdict, Failure> {
    let dir = &args.place;
    let url = if dir.join("state.db").exists() { None } else { Some(database(args)?) };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let report = runtime.block_on(async {
        match &url {
            None => shieldops_store::ledger::verify_directory(dir, outside).await,
            Some(url) => shieldops_store::ledger::verify_database(dir, url.expose(), outside).await,
        }
    });
    let report = report.with_context(|| format!("{}: could not be checked", dir.display()))?;
    Ok(Verdict { ok: report.ok, logs: report.logs, uncovered: report.uncovered })
}

/// The database of a data directory that has none of its own.
fn database(args: &VerifyArgs) -> Result<DatabaseUrl, Failure> {
    let flags = Flags { config: args.config.clone(), data_dir: Some(args.place.clone()), ..Flags::default() };
    let settings = crate::cli::settings(&flags)?;
    settings.database.ok_or_else(|| {
        let fix = "name the folder that `serve --data-dir` was given, or an export; for PostgreSQL set database.url, \
                   or give --config";
        Failure::unusable(format!("{}: is no data directory", args.place.display()))
            .why("it holds no state.db, and no database.url is set")
            .fix(fix)
    })
}

fn export(file: &Path, outside: &[String]) -> Result<Verdict, Failure> {
    let opened = File::open(file).with_context(|| format!("{}: could not be opened", file.display()))?;
    let verified = shieldops_ledger::verify_export(BufReader::new(opened), outside);
    let report = verified.with_context(|| format!("{}: could not be checked", file.display()))?.report;
    Ok(Verdict { ok: report.ok, logs: vec![report], uncovered: Vec::new() })
}

fn print(verdict: &Verdict) -> Result<(), Failure> {
    for log in &verdict.logs {
        output::foreign_line(&format!("{}: {}", log.tenant, if log.ok { "sound" } else { "TAMPERED" }))?;
        output::line(&format!("  {} entries, root {}", log.entries, log.root))?;
        output::line(&format!(
            "  {} signed checkpoints, the last over {} entries",
            log.checkpoints, log.checkpoint_size
        ))?;
        if log.uncovered_entries > 0 {
            output::line(&format!(
                "  {} entries in {} commits are after the last checkpoint",
                log.uncovered_entries, log.uncovered_commits
            ))?;
        }
        if let Some(bad) = &log.first_bad {
            let place = bad.seq.map_or_else(|| "the log".to_owned(), |seq| format!("entry {seq}"));
            output::foreign_line(&format!("  first bad: {place}: {}", bad.why))?;
        }
    }
    for left in &verdict.uncovered {
        output::foreign_line(&format!("not covered: {}: {}", left.what, left.why))?;
    }
    output::line(if verdict.ok { "sound" } else { "tampered" })
}
