//! `shieldops target`: the machines on which something may be done.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    Outcome,
    see::{PageArgs, done, list, named, part, print},
};
use crate::{
    client::{Client, ServerArgs},
    output::Failure,
};

const PATH: &str = "/api/v1/targets";
/// The most bytes of a key file.
const MAX_FILE: u64 = 64 * 1024;
const MEMBERS: &[&str] = &[
    "id",
    "kind",
    "name",
    "host",
    "environment",
    "criticality",
    "labels",
    "owner",
    "ssh",
    "simulated",
    "protected",
    "created_at",
];

#[derive(Debug, Subcommand)]
pub(super) enum TargetCommand {
    /// The targets that people registered.
    List(PageArgs),
    /// Register a target.
    Register(RegisterArgs),
    /// Change a target's row; plans made against the old one no longer hold.
    Update(UpdateArgs),
    /// Remove a target on which no action is live.
    Remove(WhichArgs),
}

/// What is known of a target.
#[derive(Debug, Args)]
pub(super) struct About {
    /// The host name in telemetry; empty takes it away.
    #[arg(long)]
    host: Option<String>,
    #[arg(long)]
    environment: Option<String>,
    #[arg(long)]
    criticality: Option<String>,
    /// NAME=VALUE, once for each.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Empty takes it away.
    #[arg(long)]
    owner: Option<String>,
    /// Whether nothing may ever be done to it.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    protected: Option<bool>,
    /// For ssh/NAME: an IP address or a host name.
    #[arg(long, value_name = "ADDRESS", requires_all = ["ssh_user", "ssh_known_hosts"])]
    ssh_address: Option<String>,
    /// The port of its sshd; 22 where none is given.
    #[arg(long, value_name = "PORT", requires = "ssh_address")]
    ssh_port: Option<u16>,
    #[arg(long, value_name = "USER", requires = "ssh_address")]
    ssh_user: Option<String>,
    /// A file with the host's key: one line of known_hosts, or its public key file.
    #[arg(long, value_name = "FILE", requires = "ssh_address")]
    ssh_known_hosts: Option<PathBuf>,
    /// A file with an OpenSSH private key without a passphrase. Sealed by the server, and never shown again.
    #[arg(long, value_name = "FILE", requires = "ssh_address")]
    ssh_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RegisterArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// local, ssh/NAME, netns/NAME, twin/NAME or sim/NAME.
    name: String,
    #[arg(long, default_value = "linux_host")]
    kind: String,
    #[command(flatten)]
    about: About,
    /// For `local`: the text that the refusal names.
    #[arg(long, value_name = "TEXT")]
    confirm: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name or id.
    target: String,
    #[command(flatten)]
    about: About,
    /// Why, for the second person that a lowered target waits for.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name or id.
    target: String,
}

pub(super) fn run(command: &TargetCommand) -> Outcome {
    match command {
        TargetCommand::List(page) => list(
            page,
            PATH,
            &[],
            &["/id", "/name", "/host", "/environment", "/criticality", "/simulated", "/protected"],
        ),
        TargetCommand::Register(args) => {
            let mut body = args.about.given()?;
            body.insert("kind".to_owned(), args.kind.clone().into());
            body.insert("name".to_owned(), args.name.clone().into());
            if let Some(confirm) = &args.confirm {
                body.insert("confirm".to_owned(), confirm.clone().into());
            }
            print(&Client::new(&args.server)?.post(PATH, &body.into())?, args.server.output, MEMBERS)
        }
        TargetCommand::Update(args) => {
            let mut body = args.about.given()?;
            if body.is_empty() {
                return Err(Failure::unusable("nothing to change").fix("give --host, --environment, --label, ..."));
            }
            if let Some(reason) = &args.reason {
                body.insert("reason".to_owned(), reason.clone().into());
            }
            let client = Client::new(&args.server)?;
            let path = part(PATH, &named(&client, PATH, "tgt", &args.target)?);
            let answer = client.patch(&path, &body.into())?;
            // A change that waits has a state; a target has none.
            if answer["state"] == "pending" {
                return super::gate::waits(&answer, args.server.output);
            }
            print(&answer, args.server.output, MEMBERS)
        }
        TargetCommand::Remove(args) => {
            let client = Client::new(&args.server)?;
            let answer = client.delete(&part(PATH, &named(&client, PATH, "tgt", &args.target)?))?;
            done(&answer, args.server.output, &format!("the target {} is removed", args.target))
        }
    }
}

impl About {
    /// Only what was given.
    fn given(&self) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        let words = [
            ("host", &self.host),
            ("environment", &self.environment),
            ("criticality", &self.criticality),
            ("owner", &self.owner),
        ];
        for (name, value) in words {
            if let Some(value) = value {
                let empty = value.is_empty() && matches!(name, "host" | "owner");
                body.insert(name.to_owned(), if empty { Value::Null } else { value.clone().into() });
            }
        }
        if let Some(protected) = self.protected {
            body.insert("protected".to_owned(), protected.into());
        }
        let mut labels = Map::new();
        for label in &self.labels {
            let Some((name, value)) = label.split_once('=') else {
                return Err(Failure::unusable(format!("--label {label}: no `=`")).fix("write it as --label role=web"));
            };
            labels.insert(name.to_owned(), value.into());
        }
        if !labels.is_empty() {
            body.insert("labels".to_owned(), json!(labels));
        }
        if let Some(ssh) = self.ssh()? {
            body.insert("ssh".to_owned(), ssh);
        }
        Ok(body)
    }

    /// How it is reached over SSH, where that was given.
    fn ssh(&self) -> Result<Option<Value>, Failure> {
        let Some(address) = &self.ssh_address else { return Ok(None) };
        let mut ssh = json!({"address": address, "user": self.ssh_user});
        if let Some(path) = &self.ssh_known_hosts {
            ssh["known_hosts"] = read(path)?.into();
        }
        if let Some(port) = self.ssh_port {
            ssh["port"] = port.into();
        }
        if let Some(path) = &self.ssh_key {
            ssh["private_key"] = read(path)?.into();
        }
        Ok(Some(ssh))
    }
}

/// A small text file.
fn read(path: &Path) -> Result<String, Failure> {
    let unusable = |why: String| Failure::unusable(format!("{}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
    if size > MAX_FILE {
        return Err(unusable(format!("has {size} bytes, want at most {MAX_FILE}")));
    }
    fs::read_to_string(path).map_err(|error| unusable(error.to_string()))
}
