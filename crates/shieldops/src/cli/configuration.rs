//! `shieldops config`: what is in force, whether it is right, and the reference page.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};

use super::Outcome;
use crate::{
    config::{self, Flags},
    output::{self, Failure, Output, UNUSABLE},
};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Name every problem with its fix. Exit codes: 0 right, 2 not.
    Check(CheckArgs),
    /// Print what is in force: defaults, file and variables.
    Show(ShowArgs),
    /// Print the reference page.
    #[command(hide = true)]
    Reference,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A configuration file in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A configuration file in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = ShowOutput::Toml)]
    output: ShowOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShowOutput {
    Toml,
    /// One line of JSON.
    Json,
}

pub(super) fn run(command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Check(args) => check(args),
        ConfigCommand::Show(args) => show(args),
        ConfigCommand::Reference => output::line(config::reference().trim_end()).map(|()| ExitCode::SUCCESS),
    }
}

fn check(args: &CheckArgs) -> Outcome {
    let flags = Flags { config: args.config.clone(), ..Flags::default() };
    let (problems, warnings) = match config::load(&flags) {
        Ok(loaded) => (Vec::new(), loaded.warnings),
        Err(wrong) => (wrong.problems, wrong.warnings),
    };
    if args.output == Output::Json {
        let one = |problem: &config::Problem| serde_json::json!({"key": problem.key, "value": problem.value, "what": problem.what, "fix": problem.fix});
        let problems: Vec<_> = problems.iter().map(one).collect();
        output::json(&serde_json::json!({"ok": problems.is_empty(), "problems": problems, "warnings": warnings}))?;
    } else {
        for warning in &warnings {
            output::warn(warning);
        }
        for problem in &problems {
            output::foreign_line(&problem.to_string())?;
        }
        let verdict = if problems.is_empty() {
            "the configuration is right".to_owned()
        } else {
            format!("{} problem(s)", problems.len())
        };
        output::line(&verdict)?;
    }
    Ok(ExitCode::from(if problems.is_empty() { output::OK } else { UNUSABLE }))
}

fn show(args: &ShowArgs) -> Outcome {
    let flags = Flags { config: args.config.clone(), ..Flags::default() };
    super::settings(&flags)?;
    let loaded = config::load(&flags).map_err(|_said| Failure::unusable("the configuration changed meanwhile"))?;
    match args.output {
        ShowOutput::Json => output::json(&loaded.raw)?,
        ShowOutput::Toml => {
            let text = toml::to_string(&loaded.raw).map_err(|error| Failure::unusable(error.to_string()))?;
            output::line(text.trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
