//! What the commands that talk to a server share: the arguments of a list and of one object, and how answers are shown.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::Outcome;
use crate::{
    client::{Client, ServerArgs, escape, id},
    output::{self, Failure, Output},
};

/// Rows that are looked through for a name.
const NAMES: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct PageArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    pub(super) limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[arg(value_parser = id)]
    pub(super) id: String,
}

/// Changes that stand in the ledger with their reason.
#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[arg(value_parser = id)]
    pub(super) id: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    pub(super) reason: String,
}

/// Rows of a list that the server pages.
pub(super) fn list(args: &PageArgs, path: &str, filters: &[(&str, Option<&str>)], columns: &[&str]) -> Outcome {
    let page = Client::new(&args.server)?.list(path, filters, args.limit)?;
    print_list(&page, args.server.output, columns)
}

/// Below a list of alerts or incidents, for people: whether something of the last day was not looked at. Silence alone
/// would say that it was.
pub(super) fn not_checked(args: &PageArgs) -> Result<(), Failure> {
    if args.server.output == Output::Json {
        return Ok(());
    }
    match Client::new(&args.server)?.get("/api/v1/coverage/log").map(|log| log["gaps"].as_u64()) {
        Ok(Some(0)) => {}
        Ok(Some(gaps)) => output::note(&format!(
            "not checked: {gaps} gaps in the last 24 hours, in which alerts may be missing (shieldops rule coverage --log)"
        )),
        Ok(None) | Err(_) => output::note("whether all events of the last 24 hours were checked is not known"),
    }
    Ok(())
}

/// A list as the server gave it, or as a table whose head is the last part of each pointer.
pub(super) fn print_list(page: &Value, output: Output, columns: &[&str]) -> Outcome {
    if output == Output::Json {
        output::json(page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let head: Vec<_> =
        columns.iter().map(|pointer| pointer.rsplit('/').next().unwrap_or_default().replace('_', " ")).collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().map(|item| output::row(item, columns)).collect();
    output::table(&head, &rows)?;
    if page["next_cursor"].is_string() {
        output::line("there are more: raise --limit")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One object: these members, one a line; or all of it as JSON.
pub(super) fn print(object: &Value, output: Output, members: &[&str]) -> Outcome {
    match output {
        Output::Json => output::json(object)?,
        Output::Table => heading(object, members)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What was done where the server answers with nothing to show.
pub(super) fn done(answer: &Value, output: Output, what: &str) -> Outcome {
    match output {
        Output::Json if answer.is_null() => output::json(&serde_json::json!({"done": what}))?,
        Output::Json => output::json(answer)?,
        Output::Table => output::foreign_line(what)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A secret that is shown once: alone on standard output, so that a script can take it.
pub(super) fn secret(made: &Value, output: Output, member: &str, what: &str) -> Outcome {
    if output == Output::Json {
        output::json(made)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(text) = made[member].as_str() else {
        let why = "a repeated request is answered without its secret";
        return Err(Failure::refused("the answer holds no secret").why(why).fix("withdraw this one and make another"));
    };
    output::note(&format!("{what}; it is shown this once"));
    output::line(text)?;
    Ok(ExitCode::SUCCESS)
}

/// Members of an object, one a line.
pub(super) fn heading(object: &Value, members: &[&str]) -> Result<(), Failure> {
    let width = members.iter().map(|name| name.len()).max().unwrap_or_default().max(12);
    for name in members.iter().filter(|name| !object[**name].is_null()) {
        output::foreign_line(&format!("{:<width$} {}", name.replace('_', " "), brief(&object[*name])))?;
    }
    Ok(())
}

/// An object's most telling member, or the value itself.
pub(super) fn brief(value: &Value) -> String {
    let telling = ["score", "name", "title", "what", "detail"].iter().find(|name| !value[**name].is_null());
    match (value, telling) {
        (Value::Object(_), Some(name)) => {
            let why = value["why"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{}{why}", output::text(&value[*name]))
        }
        _ => output::text(value),
    }
}

/// The id of what is called so; an id is taken as it is.
pub(super) fn named(client: &Client, path: &str, prefix: &str, text: &str) -> Result<String, Failure> {
    if text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_')) {
        return id(text).map_err(Failure::unusable);
    }
    let page = client.list(path, &[], NAMES)?;
    let mut found = page["items"].as_array().into_iter().flatten().filter(|item| item["name"] == text);
    match (found.next().and_then(|item| item["id"].as_str()), found.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (Some(_), Some(_)) => Err(Failure::unusable(format!("`{text}` is the name of several")).fix("give its id")),
        (None, _) => {
            let noun = path.rsplit('/').next().unwrap_or_default();
            let fix = format!("give an id ({prefix}_...) or a name that the list shows");
            Err(Failure::unusable(format!("`{text}` is not among the {noun}")).fix(fix))
        }
    }
}

/// A part of a path that a person wrote.
pub(super) fn part(path: &str, text: &str) -> String {
    format!("{path}/{}", escape(text))
}
