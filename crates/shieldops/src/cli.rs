//! The command line: `shieldops <noun> <verb>`. Each command is parsed here and done in its own file.

mod alert;
mod audit;
mod autonomy;
mod configuration;
mod db;
mod event;
mod gate;
mod incident;
mod indicators;
mod job;
mod key;
mod ledger;
mod local;
mod login;
mod me;
mod notify;
mod plan;
mod policy;
mod respond;
mod role;
mod rules;
mod see;
mod session;
mod settings;
mod standing_grant;
mod target;
mod tenant;
#[cfg(test)]
mod tests;
mod token;
mod user;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::{
    bench::BenchArgs,
    config::{self, Flags, LogFormat, Settings},
    content::BUILT_IN,
    output::{self, Failure},
    prove::life,
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
    /// Sign in, and keep a token for this machine.
    Login(login::LoginArgs),
    /// End the token that this machine keeps.
    Logout(login::LogoutArgs),
    /// Servers and tenants that this machine works with.
    #[command(subcommand)]
    Profile(login::ProfileCommand),
    /// Who you are, what you may do, and your own credentials.
    Me(me::MeArgs),
    /// The tenants of the installation.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// The members of a tenant.
    #[command(subcommand)]
    User(user::UserCommand),
    /// How somebody becomes a member.
    #[command(subcommand)]
    Invitation(user::InvitationCommand),
    /// Roles of the tenant's own.
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// Credentials of programs.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Credentials of shippers and people.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Who is signed in.
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Access that the parent tenant has for a time.
    #[command(subcommand)]
    Grant(session::GrantCommand),
    /// What the tenant decides for itself.
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// What the tenant holds and sent.
    Usage(tenant::OwnUsageArgs),
    /// Work that goes on behind a request.
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Who did what.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// How things stand.
    Overview(job::OverviewArgs),
    /// Events, looked for and sent.
    #[command(subcommand)]
    Event(event::EventCommand),
    /// What comes in, and what did not.
    #[command(subcommand)]
    Ingest(event::IngestCommand),
    /// The machines on which something may be done.
    #[command(subcommand)]
    Target(target::TargetCommand),
    /// What can be done.
    #[command(subcommand)]
    Capability(job::CapabilityCommand),
    /// What waits for a yes.
    #[command(subcommand)]
    Approval(plan::ApprovalCommand),
    /// Plans of response, and their approval.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// What was done, and its undo.
    #[command(subcommand)]
    Action(respond::ActionCommand),
    /// Effects of ours that no live action wants.
    #[command(subcommand)]
    Orphan(respond::OrphanCommand),
    /// The one switch over all automation.
    #[command(subcommand)]
    Automation(respond::AutomationCommand),
    /// How far automation may go.
    #[command(subcommand)]
    Autonomy(autonomy::AutonomyCommand),
    /// What holds actions back: numbers, freezes, teams, what is protected, and changes that take two people.
    #[command(subcommand)]
    Gate(gate::GateCommand),
    /// A person's leave, for a time, that automation does one thing without asking.
    #[command(subcommand)]
    StandingGrant(standing_grant::StandingGrantCommand),
    /// Where people are told of what waits for them.
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// What decides whether something may be done.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Incidents.
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// Alerts.
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Detection rules.
    #[command(subcommand, visible_alias = "rules")]
    Rule(rules::RulesCommand),
    /// Lists of addresses, domains, hashes and the like that are known to be bad, or good.
    #[command(subcommand)]
    Indicators(indicators::IndicatorsCommand),
    /// The record of everything.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    Scan(ScanArgs),
    Bench(BenchArgs),
    /// The configuration that is in force.
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// The database below the state.
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Print the completions of a shell, to be put where it looks for them.
    Completion(CompletionArgs),
    #[command(hide = true)]
    TwinInit(RawArgs),
    #[command(hide = true)]
    TwinProber(RawArgs),
    #[command(hide = true)]
    TwinRooted(RawArgs),
    #[command(hide = true)]
    LinuxHand(RawArgs),
    #[command(hide = true)]
    ProveLife(life::LifeArgs),
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
struct CompletionArgs {
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
struct RawArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// How a command ends.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let outcome = dispatch(&cli.command);
    outcome.unwrap_or_else(|failure| {
        failure.print();
        ExitCode::from(failure.code)
    })
}

fn dispatch(command: &Command) -> Outcome {
    match command {
        Command::Serve(args) => serve(args),
        Command::Login(args) => login::login(args),
        Command::Logout(args) => login::logout(args),
        Command::Profile(command) => login::profile(command),
        Command::Me(args) => me::run(args),
        Command::Tenant(command) => tenant::run(command),
        Command::User(command) => user::run(command),
        Command::Invitation(command) => user::invitation(command),
        Command::Role(command) => role::run(command),
        Command::Key(command) => key::run(command),
        Command::Token(command) => token::run(command),
        Command::Session(command) => session::run(command),
        Command::Grant(command) => session::grant(command),
        Command::Settings(command) => settings::run(command),
        Command::Usage(args) => tenant::usage(args),
        Command::Job(command) => job::run(command),
        Command::Audit(command) => audit::run(command),
        Command::Overview(args) => job::overview(args),
        Command::Event(command) => event::run(command),
        Command::Ingest(command) => event::ingest(command),
        Command::Target(command) => target::run(command),
        Command::Capability(command) => job::capability(command),
        Command::Approval(command) => plan::approval(command),
        Command::Plan(command) => plan::run(command),
        Command::Action(command) => respond::action(command),
        Command::Automation(command) => respond::automation(command),
        Command::Orphan(command) => respond::orphan(command),
        Command::Autonomy(command) => autonomy::run(command),
        Command::Gate(command) => gate::run(command),
        Command::StandingGrant(command) => standing_grant::run(command),
        Command::Notify(command) => notify::run(command),
        Command::Policy(command) => policy::run(command),
        Command::Incident(command) => incident::run(command),
        Command::Alert(command) => alert::run(command),
        Command::Rule(command) => rules::run(command),
        Command::Indicators(command) => indicators::run(command),
        Command::Ledger(command) => ledger::run(command),
        Command::Scan(args) => Ok(scan(args)),
        Command::Bench(args) => crate::bench::run(args),
        Command::Config(command) => configuration::run(command),
        Command::Db(command) => db::run(command),
        Command::Completion(args) => completion(args),
        Command::ProveLife(args) => life::run(args),
        Command::TwinInit(raw) => Ok(code(shieldops_connectors::linux::twin::init_main(&raw.args))),
        Command::TwinProber(raw) => Ok(code(shieldops_connectors::linux::twin::prober_main(&raw.args))),
        Command::TwinRooted(raw) => Ok(code(shieldops_connectors::linux::rooted::rooted_main(&raw.args))),
        Command::LinuxHand(raw) => Ok(code(shieldops_connectors::linux::hand::hand_main(&raw.args))),
    }
}

fn completion(args: &CompletionArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "shieldops", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
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
pub(crate) fn settings(flags: &Flags) -> Result<Settings, Failure> {
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
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Failure> {
    log(tracing::Level::WARN, LogFormat::Text);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::unusable("cannot start the runtime").why(error.to_string()))?;
    runtime.block_on(work).map_err(Failure::from)
}
