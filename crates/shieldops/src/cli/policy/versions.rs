//! Versions of a tenant's own policies: written, looked at, put in force.

use std::{fs, path::Path, process::ExitCode};

use serde_json::{Value, json};

use super::{
    ActivateArgs, DeactivateArgs, FolderArgs, ListArgs, PATH, PushArgs, VersionsArgs, test::print_tests, test::read,
};
use crate::{
    cli::{
        Outcome,
        gate::{self, DiffArgs},
        see::{heading, list, print},
    },
    client::{Client, ServerArgs, query},
    output::{self, Failure, OK, Output, REFUSED},
};

const VERSION: &[&str] = &[
    "number",
    "state",
    "at",
    "by_name",
    "reason",
    "files",
    "tests_passed",
    "tests_failed",
    "ready",
    "missing",
    "policy_hash",
];
/// Built-in files are few.
const ALL: usize = 1_000;

pub(super) fn built_in(args: &ListArgs) -> Outcome {
    let path = format!("{PATH}/built-in");
    let Some(wanted) = &args.file else {
        return list(&args.page, &path, &[], &["/path", "/package", "/test", "/hash"]);
    };
    let files = Client::new(&args.page.server)?.list(&path, &[], ALL)?;
    let found = files["items"].as_array().into_iter().flatten().find(|file| file["path"] == wanted.as_str());
    let Some(file) = found else {
        let fix = "`shieldops policy list` has their paths";
        return Err(Failure::refused(format!("no built-in policy has the path {wanted}")).fix(fix));
    };
    match args.page.server.output {
        Output::Json => output::json(file)?,
        Output::Table => output::foreign_line(output::text(&file["text"]).trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn in_force(server: &ServerArgs) -> Outcome {
    let seen = Client::new(server)?.get(PATH)?;
    if server.output == Output::Json {
        output::json(&seen)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(&seen, &["number", "loads", "policy_hash", "built_in_hash"])?;
    if seen["activated"].is_object() {
        heading(&seen["activated"], &["at", "by_name", "reason"])?;
    }
    said(&seen["errors"])?;
    if seen["newest"].is_object() {
        output::line("\nthe newest version")?;
        heading(&seen["newest"], VERSION)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with policies, each with its place.
fn said(errors: &Value) -> Result<(), Failure> {
    for error in errors.as_array().into_iter().flatten() {
        let (file, why) = (output::text(&error["file"]), output::text(&error["why"]));
        let line = error["line"].as_u64().map(|line| format!(":{line}")).unwrap_or_default();
        output::foreign_line(&format!("{file}{line}: {why}"))?;
    }
    Ok(())
}

pub(super) fn versions(args: &VersionsArgs) -> Outcome {
    let path = format!("{PATH}/versions");
    let Some(number) = args.number else {
        let columns = ["/number", "/state", "/at", "/by_name", "/reason", "/files", "/tests_passed", "/tests_failed"];
        return list(&args.page, &path, &[], &columns);
    };
    let version = Client::new(&args.page.server)?.get(&format!("{path}/{number}"))?;
    if let Some(out) = &args.out {
        write(out, &version["texts"])?;
    }
    whole(&version, args.page.server.output)
}

/// The files of a version, in a new folder. Their paths came from the server: none leads out of it.
fn write(dir: &Path, texts: &Value) -> Result<(), Failure> {
    let fail =
        |error: std::io::Error| Failure::unusable(format!("cannot write {}", dir.display())).why(error.to_string());
    fs::create_dir(dir).map_err(fail)?;
    for file in texts.as_array().into_iter().flatten() {
        let (path, text) = (output::text(&file["path"]), file["text"].as_str().unwrap_or_default());
        let plain = Path::new(&path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !plain {
            return Err(Failure::refused(format!("the path {path} leads out of the folder")));
        }
        let to = dir.join(&path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        fs::write(to, text).map_err(fail)?;
    }
    Ok(())
}

fn whole(version: &Value, form: Output) -> Outcome {
    print(version, form, VERSION)?;
    if form == Output::Table {
        print_tests(&version["tests"])?;
        if version["replay"]["report"].is_object() {
            output::line("\nits newest replay")?;
            super::replay::counts(&version["replay"])?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn diff(args: &DiffArgs) -> Outcome {
    let (from, to) = (args.from.map(|from| from.to_string()), args.to.map(|to| to.to_string()));
    let asked = query(&[("from", from.as_deref()), ("to", to.as_deref())]);
    let found = Client::new(&args.server)?.get(&format!("{PATH}/diff{asked}"))?;
    if args.server.output == Output::Json {
        output::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    for file in found["files"].as_array().into_iter().flatten() {
        let (path, change) = (output::text(&file["path"]), output::text(&file["change"]));
        output::foreign_line(&format!("{change} {path}"))?;
        for line in file["lines"].as_array().into_iter().flatten() {
            let sign = match line["kind"].as_str() {
                Some("added") => '+',
                Some("removed") => '-',
                _ => ' ',
            };
            output::foreign_line(&format!("{sign}{}", line["text"].as_str().unwrap_or_default()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The files of a folder as a request has them.
pub(super) fn files(dir: &Path) -> Result<Value, Failure> {
    Ok(read(dir)?.into_iter().map(|(path, text)| json!({"path": path, "text": text})).collect())
}

pub(super) fn check(args: &FolderArgs) -> Outcome {
    let body = json!({"files": files(&args.dir)?});
    let seen = Client::new(&args.server)?.post(&format!("{PATH}/check"), &body)?;
    match args.server.output {
        Output::Json => output::json(&seen)?,
        Output::Table => {
            said(&seen["errors"])?;
            print_tests(&seen["tests"])?;
        }
    }
    Ok(ExitCode::from(if passed(&seen["tests"]) { OK } else { REFUSED }))
}

fn passed(tests: &Value) -> bool {
    let all = tests["tests"].as_array().map(Vec::as_slice).unwrap_or_default();
    !all.is_empty() && all.iter().all(|test| test["passed"] == true)
}

pub(super) fn push(args: &PushArgs) -> Outcome {
    let body = json!({"files": files(&args.folder.dir)?, "reason": args.reason});
    let server = &args.folder.server;
    let made = Client::new(server)?.post(&format!("{PATH}/versions"), &body)?;
    whole(&made, server.output)?;
    if server.output == Output::Table {
        let number = output::text(&made["number"]);
        output::foreign_line(&format!(
            "it decides nothing yet: `shieldops policy replay --version {number}`, then another person `shieldops policy activate {number}`"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn activate(args: &ActivateArgs) -> Outcome {
    let path = format!("{PATH}/versions/{}/activate", args.number);
    let made = Client::new(&args.server)?.post(&path, &json!({"reason": args.reason}))?;
    print(&made, args.server.output, VERSION)
}

pub(super) fn deactivate(args: &DeactivateArgs) -> Outcome {
    let asked = Client::new(&args.server)?.post(&format!("{PATH}/deactivate"), &json!({"reason": args.reason}))?;
    gate::waits(&asked, args.server.output)
}
