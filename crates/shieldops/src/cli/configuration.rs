//! `shieldops config`: what is in force, whether it is right, and the reference page.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};

use super::Outcome;
use crate::{
    config::{self, Flags, Role, Settings},
    output::{self, Failure, Output, UNUSABLE},
};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Name every problem with its fix. Given the files of all processes of an installation, it also says what they cannot
    /// be together. Exit codes: 0 right, 2 not.
    Check(CheckArgs),
    /// Print what is in force: defaults, file and variables.
    Show(ShowArgs),
    /// Print the reference page.
    #[command(hide = true)]
    Reference,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A configuration file in TOML; once for each process of the installation.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
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
    let files: Vec<_> =
        if args.config.is_empty() { vec![None] } else { args.config.iter().cloned().map(Some).collect() };
    let (mut problems, mut warnings, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    for config in &files {
        match config::load(&Flags { config: config.clone(), ..Flags::default() }) {
            Ok(loaded) => {
                warnings.extend(loaded.warnings);
                let name = config.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
                nodes.push((name, loaded.settings));
            }
            Err(wrong) => {
                problems.extend(wrong.problems);
                warnings.extend(wrong.warnings);
            }
        }
    }
    problems.extend(together(&nodes));
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

/// What processes of one installation cannot be at once.
fn together(nodes: &[(String, Settings)]) -> Vec<config::Problem> {
    let names = |fits: &dyn Fn(&Settings) -> bool| -> Vec<&str> {
        nodes.iter().filter(|(_, settings)| fits(settings)).map(|(name, _)| name.as_str()).collect()
    };
    let mut problems = Vec::new();
    let mut many = |key: &str, names: Vec<&str>, what: &str, fix: &str| {
        if names.len() > 1 {
            let (key, what, fix) = (key.to_owned(), what.to_owned(), fix.to_owned());
            problems.push(config::Problem { key, value: names.join(", "), what, fix });
        }
    };
    let owners = names(&|settings| settings.roles.owns_bus());
    let fix = "leave ingest and detect to one of them, and give the others `roles = [\"api\"]`";
    many("roles", owners, "the log of events is held by one process", fix);
    let responders = names(&|settings| settings.roles.has(Role::Respond));
    many("roles", responders, "response is done by one process", "leave respond to one of them");
    if nodes.len() > 1 {
        let alone = names(&|settings| settings.database.is_none());
        if !alone.is_empty() {
            let fix = "set the same database.url in all of them";
            let (key, what) =
                ("database.url".to_owned(), "several processes share their state in PostgreSQL".to_owned());
            problems.push(config::Problem { key, value: alone.join(", "), what, fix: fix.to_owned() });
        }
    }
    problems
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

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, roles: &str, database: &str) -> (String, Settings) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        let database = if database.is_empty() { String::new() } else { format!("[database]\nurl = \"{database}\"\n") };
        std::fs::write(&path, format!("roles = [{roles}]\n{database}")).unwrap();
        let flags = Flags { config: Some(path), ..Flags::default() };
        (name.to_owned(), config::load(&flags).unwrap().settings)
    }

    #[test]
    fn one_process_holds_the_log_and_any_number_serve_the_api() {
        let (all, api) = (r#""ingest","detect","respond","api""#, r#""api""#);
        let url = "postgres://app@db/x";
        assert!(together(&[node("a", all, url), node("b", api, url), node("c", api, url)]).is_empty());
        let problems = together(&[node("a", all, url), node("b", all, url)]);
        assert_eq!(problems.iter().filter(|problem| problem.key == "roles" && problem.value == "a, b").count(), 2);
        let problems = together(&[node("a", all, url), node("b", api, "")]);
        assert_eq!((problems.len(), problems[0].key.as_str(), problems[0].value.as_str()), (1, "database.url", "b"));
    }
}
