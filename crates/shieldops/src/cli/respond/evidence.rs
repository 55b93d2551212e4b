//! `shieldops action evidence`: what an action collected. Each piece that is taken is an entry of the ledger.

use std::{fs::File, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    cli::{
        Outcome,
        see::{PageArgs, list},
    },
    client::{Client, id},
    output::Failure,
};

#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    #[command(flatten)]
    page: PageArgs,
    #[arg(value_parser = id)]
    id: String,
    /// Take this piece, instead of listing them all.
    #[arg(long, value_name = "N", requires = "out")]
    number: Option<u64>,
    /// Where the bytes go; `-` is standard output.
    #[arg(long, value_name = "FILE", requires = "number")]
    out: Option<PathBuf>,
}

pub(crate) fn evidence(args: &EvidenceArgs) -> Outcome {
    let path = format!("/api/v1/actions/{}/evidence", args.id);
    let (Some(number), Some(out)) = (args.number, &args.out) else {
        let columns = ["/number", "/at", "/name", "/media_type", "/size", "/sha256", "/note"];
        return list(&args.page, &path, &[], &columns);
    };
    let client = Client::new(&args.page.server)?;
    let path = format!("{path}/{number}");
    if out.as_os_str() == "-" {
        client.download(&path, &mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let fail = |error: std::io::Error| {
        Failure::unusable(format!("--out {}: cannot be written", out.display())).why(error.to_string())
    };
    let mut bytes = Vec::new();
    client.download(&path, &mut bytes)?;
    // Evidence is never written over something that is there.
    let mut file = File::create_new(out).map_err(fail)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    Ok(ExitCode::SUCCESS)
}
