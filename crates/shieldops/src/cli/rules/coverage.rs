//! `shieldops rule coverage`: techniques, the log of what was checked, and fields.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    cli::Outcome,
    client::{Client, ServerArgs, query},
    output::{self, Failure, Output},
};

const PATH: &str = "/api/v1/coverage";

#[derive(Debug, Args)]
pub(in crate::cli) struct CoverageArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Write a layer of the ATT&CK Navigator (4.5) to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    navigator: Option<PathBuf>,
    /// Fields that sources send, that no rule reads, and that rules wait for in vain.
    #[arg(long, conflicts_with_all = ["navigator", "log"])]
    fields: bool,
    /// What was checked, by source and time.
    #[arg(long, conflicts_with = "navigator")]
    log: bool,
    /// With --log: of this rule.
    #[arg(long, requires = "log", value_name = "ID")]
    rule: Option<String>,
    /// With --log: of this source.
    #[arg(long, requires = "log")]
    source: Option<String>,
    /// With --log: RFC 3339 [default: a day ago].
    #[arg(long, requires = "log", value_name = "TIME")]
    from: Option<String>,
    /// With --log: RFC 3339 [default: now].
    #[arg(long, requires = "log", value_name = "TIME")]
    to: Option<String>,
}

pub(super) fn coverage(args: &CoverageArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    if let Some(file) = &args.navigator {
        let layer = client.get(&format!("{PATH}/attack/navigator"))?;
        if file.as_os_str() == "-" {
            output::json(&layer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let wrong = |error: std::io::Error| {
            Failure::unusable(format!("{}: cannot be written", file.display())).why(error.to_string())
        };
        std::fs::write(file, layer.to_string()).map_err(wrong)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (path, rows, columns): (String, &str, &[&str]) = if args.fields {
        (format!("{PATH}/fields"), "missing", &["/rule_id", "/field", "/sources", "/title"])
    } else if args.log {
        let asked = [("rule", &args.rule), ("source", &args.source), ("from", &args.from), ("to", &args.to)];
        let asked = asked.map(|(name, value)| (name, value.as_deref()));
        let columns = &["/source", "/from", "/to", "/status", "/events", "/late", "/skipped", "/why"];
        (format!("{PATH}/log{}", query(&asked)), "windows", columns)
    } else {
        (format!("{PATH}/attack"), "techniques", &["/id", "/level", "/rule_count", "/sources"])
    };
    let answer = client.get(&path)?;
    if args.server.output == Output::Json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let head: Vec<String> = columns.iter().map(|column| column.trim_start_matches('/').replace('_', " ")).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let rows: Vec<_> = answer[rows].as_array().into_iter().flatten().map(|row| output::row(row, columns)).collect();
    output::table(&head, &rows)?;
    if answer["truncated"] == true {
        let (from, gaps) = (output::text(&answer["from"]), &answer["gaps"]);
        output::note(&format!(
            "there is more than one answer holds: this begins at {from}; {gaps} gaps in all. Ask for less time, or one source"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
