//! `shieldops settings`: what a tenant decides for itself. Every version is kept; the highest is in force.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    Outcome,
    see::{PageArgs, list, print},
};
use crate::{
    client::{Client, ServerArgs},
    output::{self, Failure, Output},
};

const PATH: &str = "/api/v1/settings";
/// A longer file is a mistake.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum SettingsCommand {
    /// What is in force.
    Show(ServerArgs),
    /// Change settings: `session_idle_minutes=30 limits.burst=100`; `name=null` takes the installation's own again.
    Set(SetArgs),
    /// Every version, newest first.
    Versions(PageArgs),
    /// Put an older version in force again.
    Rollback(RollbackArgs),
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// NAME=VALUE, where VALUE is JSON or text; a dot goes inside.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pairs: Vec<String>,
    /// All settings, as a JSON object.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    server: ServerArgs,
    version: u64,
}

pub(super) fn run(command: &SettingsCommand) -> Outcome {
    match command {
        SettingsCommand::Show(server) => show(&Client::new(server)?.get(PATH)?, server.output),
        SettingsCommand::Set(args) => set(args),
        SettingsCommand::Versions(page) => list(page, &format!("{PATH}/versions"), &[], &["/version", "/at", "/by"]),
        SettingsCommand::Rollback(args) => {
            let body = json!({"version": args.version});
            let client = Client::new(&args.server)?;
            show(&client.post_over(PATH, &format!("{PATH}/rollback"), &body)?, args.server.output)
        }
    }
}

fn show(answer: &Value, output: Output) -> Outcome {
    print(answer, output, &["version", "at", "by"])?;
    if output == Output::Table {
        let (mut own, mut effective) = (Vec::new(), Vec::new());
        flatten("", &answer["own"], &mut own);
        flatten("", &answer["effective"], &mut effective);
        output::line("\nof the tenant itself")?;
        own.retain(|row| row.get(1).is_some_and(|value| value != "-"));
        output::table(&["setting", "value"], &own)?;
        output::line("\nin force")?;
        output::table(&["setting", "value"], &effective)?;
        for held in answer["held_together"].as_array().into_iter().flatten() {
            let [kind, name, one, other] = ["/kind", "/name", "/pair/0", "/pair/1"]
                .map(|at| output::text(held.pointer(at).unwrap_or(&Value::Null)));
            output::foreign_line(&format!("the {kind} {name} holds {one} and {other} already"))?;
        }
    }
    Ok(std::process::ExitCode::SUCCESS)
}

/// One row a setting, by its dotted name.
pub(super) fn flatten(above: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                flatten(&name, value, rows);
            }
        }
        value => rows.push(vec![above.to_owned(), output::text(value)]),
    }
}

fn set(args: &SetArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let made = client.edit(PATH, |now| {
        if let Some(file) = &args.file {
            return read(file);
        }
        let mut settings = now["own"].clone();
        for pair in &args.pairs {
            change(&mut settings, pair)?;
        }
        Ok(settings)
    })?;
    show(&made, args.server.output)
}

pub(super) fn read(file: &std::path::Path) -> Result<Value, Failure> {
    let fail = |why: String| Failure::unusable(format!("--file {}: cannot be used", file.display())).why(why);
    let size = std::fs::metadata(file).map_err(|error| fail(error.to_string()))?.len();
    if size > MAX_FILE_BYTES {
        return Err(fail(format!("{size} bytes are over the limit of {MAX_FILE_BYTES}")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| fail(error.to_string()))
}

/// `limits.burst=100` in an object.
pub(super) fn change(settings: &mut Value, pair: &str) -> Result<(), Failure> {
    let Some((name, text)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(
            Failure::unusable(format!("`{pair}` is no setting")).fix("write NAME=VALUE, for example limits.burst=100")
        );
    };
    let value = serde_json::from_str(text).unwrap_or_else(|_text| Value::String(text.to_owned()));
    let mut at = settings;
    for part in name.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[part];
    }
    *at = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_json_or_text_and_a_dot_goes_inside() {
        let mut settings = json!({"limits": {"burst": 5, "batch_per_s": 1}, "default_role": null});
        for pair in ["limits.burst=100", "default_role=viewer", "require_second_factor=true", "limits.batch_per_s=null"]
        {
            change(&mut settings, pair).ok().unwrap();
        }
        let wanted = json!({"limits": {"burst": 100, "batch_per_s": null}, "default_role": "viewer", "require_second_factor": true});
        assert_eq!(settings, wanted);
        assert!(change(&mut settings, "burst").is_err() && change(&mut settings, "=5").is_err());
    }
}
