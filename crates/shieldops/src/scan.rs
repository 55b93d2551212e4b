//! `shieldops scan`: files against rules, without server or configuration.

mod correlate;
mod find;
mod input;
mod mapping;
mod output;
pub(crate) mod pipelines;
pub(crate) mod rules;

use std::{path::PathBuf, process::ExitCode};

pub(crate) use self::mapping::Mapping;
use self::{
    find::{Found, find},
    input::inputs,
    rules::Loaded,
};
use clap::{Args, ValueEnum};

/// Nothing was found, and everything could be read.
const CLEAN: u8 = 0;
/// At least one rule matched.
const FINDINGS: u8 = 1;
/// Something could not be read, and nothing was found in the rest.
const ERROR: u8 = 2;

/// Find attacks in log files: EVTX, NDJSON, JSON, syslog, auth, web access and audit logs, also .gz and .zst.
#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Files and folders; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A folder of Sigma rules to use besides the built-in ones; may be given several times.
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// A processing pipeline (pySigma's YAML) to apply to the rules; may be given several times.
    #[arg(long, value_name = "FILE")]
    pipeline: Vec<PathBuf>,
    /// Leave the built-in rules out.
    #[arg(long)]
    no_built_in: bool,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// The source of text that does not show it: nginx, apache, sshd, auditd, ...
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Take the log source from the events' own `product`, `category` and `service`, as test data carry them.
    #[arg(long)]
    logsource_fields: bool,
    /// Which log sources and field names are known.
    #[arg(long, value_enum, default_value_t)]
    mapping: Mapping,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A timeline for people.
    Table,
    /// One line of JSON for all.
    Json,
    /// One line of JSON for each finding.
    Ndjson,
    Csv,
}

/// Scans, writes the findings to standard output and everything else to standard error.
pub(crate) fn run(args: &ScanArgs, built_in: &[(&str, &str)]) -> ExitCode {
    let built_in = if args.no_built_in { &[] } else { built_in };
    let options = match pipelines::options(&args.pipeline, args.mapping.compile_options()) {
        Ok((options, _)) => options,
        Err(error) => return fail(&error),
    };
    let parsed = match rules::parsed(built_in, &args.rules) {
        Ok(parsed) => parsed,
        Err(error) => return fail(&error),
    };
    let inputs = match inputs(&args.paths) {
        Ok(inputs) => inputs,
        Err(error) => return fail(&error),
    };
    let (rules, found) = scan(move || parsed.compile(&options), inputs, args);
    for complaint in rules.complaints.iter().chain(&found.problems) {
        output::warn(complaint);
    }
    if rules.set.is_empty() {
        return fail("no rule could be used, so nothing was looked for: the warnings say why");
    }
    let code = match (found.findings.is_empty(), found.problems.is_empty()) {
        (false, _) => FINDINGS,
        (true, true) => CLEAN,
        (true, false) => ERROR,
    };
    let written = output::write(&found, rules.set.len(), args.output);
    // The process ends here: to free thousands of rules one by one would only take time.
    std::mem::forget((rules, found));
    match written {
        Ok(()) => ExitCode::from(code),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(error) => fail(&format!("the findings cannot be written: {error}")),
    }
}

/// Files are read while the rules are being made ready.
fn scan(rules: impl FnOnce() -> Loaded, inputs: Vec<input::Input>, args: &ScanArgs) -> (Loaded, Found) {
    let progress = output::progress(inputs.iter().map(|input| input.size).sum());
    let options =
        find::Options { source: args.source.clone(), logsource_fields: args.logsource_fields, mapping: args.mapping };
    let (rules, mut found) = find(rules, inputs, &options, &progress);
    progress.finish_and_clear();
    found.correlate(&rules);
    found.findings.sort_by(|a, b| a.place().cmp(&b.place()));
    (rules, found)
}

fn fail(error: &str) -> ExitCode {
    output::complain(error);
    ExitCode::from(ERROR)
}

#[cfg(test)]
mod tests;
