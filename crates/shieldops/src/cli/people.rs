//! `shieldops token` and `shieldops user`: credentials made in the data directory itself, so that the first one needs none.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use shieldops_identity::CredentialKind;
use shieldops_model::{SystemClock, UserId};
use shieldops_store::{Job, Options, Store, TenantScope};

use super::{Outcome, PlaceArgs, block_on, settings};
use crate::output::{self, Failure};

/// A longer line is no password.
const PASSWORD_BYTES: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it, alone, on standard output. Works beside a running server and on a new data directory.
    Create(TokenArgs),
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// What it is for.
    #[arg(long, value_enum)]
    kind: Kind,
    /// What it is called in lists.
    #[arg(long)]
    name: String,
    /// Whose it is [default: the built-in administrator].
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The source of events that an ingest token sends, where they do not show it: nginx, sshd, ...
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Sends events, reads nothing.
    Ingest,
    /// Does what its user may do.
    Personal,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a local account; its password is one line of standard input.
    Create(UserArgs),
}

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[arg(long)]
    name: String,
    #[arg(long, value_parser = ["admin", "analyst", "viewer"])]
    role: String,
}

pub(super) fn token(TokenCommand::Create(args): &TokenCommand) -> Outcome {
    if args.kind == Kind::Personal && args.source.is_some() {
        return Err(Failure::unusable("--source is for ingest tokens").fix("leave it out"));
    }
    let options = settings(&args.place.flags())?.store(false);
    let secret = block_on(async {
        let (store, scope) = open(&options).await?;
        let user = owner(&store, &scope, args.user.as_deref()).await?;
        let (kind, user) = match args.kind {
            Kind::Ingest => (CredentialKind::Ingest, args.user.is_some().then_some(user)),
            Kind::Personal => (CredentialKind::Personal, Some(user)),
        };
        let (_, secret) = shieldops_identity::create_token(&scope, kind, &args.name, user, args.source.clone()).await?;
        store.close().await;
        Ok(secret)
    })?;
    output::line(secret.expose())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn user(UserCommand::Create(args): &UserCommand) -> Outcome {
    let options = settings(&args.place.flags())?.store(false);
    let password = password()?;
    let user = block_on(async {
        let (store, scope) = open(&options).await?;
        let user = shieldops_identity::create_user(&scope, &args.name, &args.role, Some(password)).await?;
        store.close().await;
        Ok(user)
    })?;
    output::line(&user.id.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn open(options: &Options) -> anyhow::Result<(Store, TenantScope)> {
    let store = Store::open(options, Arc::new(SystemClock)).await?;
    let tenant = store.first().await?;
    let scope = store.job(tenant.id, Job::Cli)?;
    Ok((store, scope))
}

async fn owner(store: &Store, scope: &TenantScope, name: Option<&str>) -> anyhow::Result<UserId> {
    let tenant = scope.tenant();
    let Some(name) = name else { return Ok(shieldops_identity::ensure_admin(store, tenant).await?.id) };
    let known = store.find_login(tenant, name).await?;
    let Some((user, _)) = known else { bail!("there is no user `{name}`: make it with `shieldops user create`") };
    Ok(user.id)
}

fn password() -> Result<String, Failure> {
    let asks = io::stdin().is_terminal();
    if asks {
        drop(write!(io::stderr(), "password: "));
        echo(false);
    }
    let mut line = String::new();
    let read = io::Read::take(io::stdin().lock(), PASSWORD_BYTES).read_line(&mut line);
    if asks {
        echo(true);
        drop(writeln!(io::stderr()));
    }
    read.context("cannot read the password from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(Failure::unusable("no password on standard input")
            .fix("write it as one line, for example from a password manager"));
    }
    Ok(password)
}

/// Whether the terminal shows what is typed. Where it cannot be told, it is shown.
fn echo(on: bool) {
    let status = Command::new("stty")
        .arg(if on { "echo" } else { "-echo" })
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .status();
    drop(status);
}
