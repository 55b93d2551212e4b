//! `shieldops notify`: where people of the tenant are told of what waits for them.

use std::{io::Read as _, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{
    Outcome,
    see::{PageArgs, list, print},
};
use crate::{
    client::{Client, ServerArgs},
    output::Failure,
};

const PATH: &str = "/api/v1/notifications";
const MEMBERS: &[&str] =
    &["version", "at", "by", "email", "email_ready", "people_without_address", "webhook/url", "webhook/secret_set"];
/// A longer file holds no secret.
const SECRET_BYTES: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// Where people are told.
    Show(ServerArgs),
    /// Say where people are told.
    Set(SetArgs),
    /// Send a test to your own address and to the webhook.
    Test(ServerArgs),
    /// Letters and what became of them, newest first.
    Outbox(OutboxArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Whether people are told by e-mail, where the installation has a mail server.
    #[arg(long)]
    email: Option<Switch>,
    /// The address of the webhook.
    #[arg(long, value_name = "URL", conflicts_with = "no_webhook")]
    webhook: Option<String>,
    /// A file whose first line is the secret of the webhook, 32 to 256 characters; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "no_webhook")]
    secret_file: Option<PathBuf>,
    /// No webhook any more.
    #[arg(long)]
    no_webhook: bool,
}

#[derive(Debug, Args)]
pub(super) struct OutboxArgs {
    #[command(flatten)]
    page: PageArgs,
    /// queued, sent or dead.
    #[arg(long)]
    state: Option<String>,
    /// email or webhook.
    #[arg(long)]
    channel: Option<String>,
}

pub(super) fn run(command: &NotifyCommand) -> Outcome {
    match command {
        NotifyCommand::Show(server) => print(&Client::new(server)?.get(PATH)?, server.output, MEMBERS),
        NotifyCommand::Set(args) => set(args),
        NotifyCommand::Test(server) => {
            let made = Client::new(server)?.post(&format!("{PATH}/test"), &json!({}))?;
            print(&made, server.output, &["notice_id"])
        }
        NotifyCommand::Outbox(args) => {
            let filters = [("state", args.state.as_deref()), ("channel", args.channel.as_deref())];
            let columns =
                ["/id", "/kind", "/channel", "/to", "/state", "/attempts", "/at", "/next_at", "/ended_at", "/error"];
            list(&args.page, &format!("{PATH}/outbox"), &filters, &columns)
        }
    }
}

fn set(args: &SetArgs) -> Outcome {
    let secret = args.secret_file.as_ref().map(secret).transpose()?;
    let made = Client::new(&args.server)?.edit(PATH, |now| Ok(wanted(args, secret.as_deref(), now)))?;
    print(&made, args.server.output, MEMBERS)
}

fn wanted(args: &SetArgs, secret: Option<&str>, now: &Value) -> Value {
    let email = args.email.map_or_else(|| now["email"].clone(), |switch| matches!(switch, Switch::On).into());
    let url = args.webhook.as_deref().or(now["webhook"]["url"].as_str());
    let webhook = match url {
        Some(url) if !args.no_webhook => json!({"url": url, "secret": secret}),
        _ => Value::Null,
    };
    json!({"email": email, "webhook": webhook})
}

fn secret(path: &PathBuf) -> Result<String, Failure> {
    let fail = |why: String| Failure::unusable(format!("--secret-file {}: cannot be used", path.display())).why(why);
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(SECRET_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(SECRET_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| fail(error.to_string()))?;
    text.lines().next().map(str::to_owned).ok_or_else(|| fail("it is empty".to_owned()))
}
