//! The command line: `shieldops <noun> <verb>`. Each command is parsed here and done in its own file.

mod configuration;
mod ledger;
mod people;
mod respond;
mod rules;
mod see;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    bench::BenchArgs,
    config::{self, Flags, LogFormat, Settings},
    content::BUILT_IN,
    output::{self, Failure},
    scan::ScanArgs,
};

/// Autonomous security operations in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "shieldops",
    version,
    about,
    after_help = "Exit codes: 0 done; 1 refused by the server, or something is wrong; 2 wrong usage, or it could not be done from here.\n\
    `scan` and `ledger verify` say in their own help what theirs mean."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Credentials of shippers and people.
    #[command(subcommand)]
    Token(people::TokenCommand),
    /// Local accounts.
    #[command(subcommand)]
    User(people::UserCommand),
    /// Plans of response, and their approval.
    #[command(subcommand)]
    Plan(respond::PlanCommand),
    /// What was done, and its undo.
    #[command(subcommand)]
    Action(respond::ActionCommand),
    /// Effects of ours that no live action wants.
    #[command(subcommand)]
    Orphan(respond::OrphanCommand),
    /// The one switch over all automation.
    #[command(subcommand)]
    Automation(respond::AutomationCommand),
    /// Incidents.
    #[command(subcommand)]
    Incident(see::IncidentCommand),
    /// Alerts.
    #[command(subcommand)]
    Alert(see::AlertCommand),
    /// Detection rules.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// The record of everything.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    Scan(ScanArgs),
    Bench(BenchArgs),
    /// The configuration that is in force.
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    #[command(hide = true)]
    TwinInit(RawArgs),
    #[command(hide = true)]
    TwinProber(RawArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The address and port to serve on [default: 127.0.0.1:8420].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// What this process does, separated by commas [default: ingest,detect,respond,api].
    #[arg(long, value_name = "ROLES")]
    roles: Option<String>,
    /// Play the recorded attack, in a data directory of its own.
    #[arg(long)]
    demo: bool,
}

/// Which data directory, and which configuration.
#[derive(Debug, Clone, Args)]
struct PlaceArgs {
    /// The folder that holds state, events and keys [default: data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A configuration file in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl PlaceArgs {
    fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data_dir: self.data_dir.clone(), ..Flags::default() }
    }
}

#[derive(Debug, Args)]
struct RawArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// How a command ends.
type Outcome = Result<ExitCode, Failure>;

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Serve(args) => serve(&args),
        Command::Token(command) => people::token(&command),
        Command::User(command) => people::user(&command),
        Command::Plan(command) => respond::plan(&command),
        Command::Action(command) => respond::action(&command),
        Command::Orphan(command) => respond::orphan(&command),
        Command::Automation(command) => respond::automation(&command),
        Command::Incident(command) => see::incident(&command),
        Command::Alert(command) => see::alert(&command),
        Command::Rules(command) => rules::run(&command),
        Command::Ledger(command) => ledger::run(&command),
        Command::Scan(args) => Ok(scan(&args)),
        Command::Bench(args) => crate::bench::run(&args),
        Command::Config(command) => configuration::run(&command),
        Command::TwinInit(raw) => Ok(code(shieldops_connectors::linux::twin::init_main(&raw.args))),
        Command::TwinProber(raw) => Ok(code(shieldops_connectors::linux::twin::prober_main(&raw.args))),
    };
    outcome.unwrap_or_else(|failure| {
        failure.print();
        ExitCode::from(failure.code)
    })
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn scan(args: &ScanArgs) -> ExitCode {
    let rules: Vec<_> = BUILT_IN.iter().map(|rule| (rule.file, rule.text)).collect();
    crate::scan::run(args, &rules)
}

fn serve(args: &ServeArgs) -> Outcome {
    let settings = settings(&Flags { listen: args.listen.clone(), roles: args.roles.clone(), ..args.place.flags() })?;
    log(settings.log.level, settings.log.format);
    crate::serve::run(settings, args.demo).map_err(Failure::from)
}

/// The settings, with warnings said; or every problem of them.
fn settings(flags: &Flags) -> Result<Settings, Failure> {
    let (outcome, warnings) = match config::load(flags) {
        Ok(loaded) => (Ok(loaded.settings), loaded.warnings),
        Err(wrong) => {
            let all = wrong.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            let what = format!("the configuration has {} problem(s):\n{all}", wrong.problems.len());
            (Err(Failure::unusable(what)), wrong.warnings)
        }
    };
    for warning in &warnings {
        output::warn(warning);
    }
    outcome
}

/// Logs to standard error from now on.
fn log(level: tracing::Level, format: LogFormat) {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    let set = match format {
        LogFormat::Text => {
            use std::io::IsTerminal as _;
            builder.with_ansi(std::io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // One is set already: it is used.
    drop(set);
}

/// A small runtime for commands that open a data directory themselves.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Failure> {
    log(tracing::Level::WARN, LogFormat::Text);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::unusable("cannot start the runtime").why(error.to_string()))?;
    runtime.block_on(work).map_err(Failure::from)
}
