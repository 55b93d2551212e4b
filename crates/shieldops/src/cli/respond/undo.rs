//! `shieldops action undo`: one action, a plan, or everything that somebody did in a time.

use std::{process::ExitCode, time::Duration};

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use shieldops_model::{Clock as _, SystemClock};

use super::{
    super::{Outcome, PlaceArgs, plan::print_action, see::print_list},
    rescue,
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Output, REFUSED},
};

const COLUMNS: &[&str] =
    &["/action_id", "/prospect", "/state", "/done", "/capability", "/target/name", "/simulated", "/applied_at", "/why"];

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["id", "plan", "since", "all"])))]
pub(in crate::cli) struct UndoArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// One action.
    #[arg(value_parser = id)]
    id: Option<String>,
    /// With one action: all others that want its effect too, whoever asked for them, so that this effect is lifted.
    #[arg(long, requires = "id", conflicts_with_all = ["plan", "since", "all"])]
    all_owners: bool,
    /// All actions of a plan, newest first.
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// What `--by` did in the time before now: `90s`, `30m`, `1h`, `2d`.
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "by")]
    since: Option<Duration>,
    /// Whose actions: `automation`, `user:ID` or `rule:ID`.
    #[arg(long, value_parser = whose, requires = "since", conflicts_with_all = ["id", "plan", "all"])]
    by: Option<Value>,
    /// Everything that is in force, with the server dead: works on the data directory alone, needs no database, and is
    /// written into the ledger at the next start. With the server alive use the other forms.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: PlaceArgs,
    /// Say what would be undone and what cannot be; touch nothing.
    #[arg(long)]
    preview: bool,
    /// Why. It stands in the ledger.
    #[arg(long, default_value = "asked on the command line")]
    reason: String,
}

/// A number and a unit.
fn span(text: &str) -> Result<Duration, String> {
    let want = || format!("`{text}`: want a number and `s`, `m`, `h` or `d`, such as `1h`");
    let unit = text.chars().next_back().ok_or_else(want)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(want()),
    };
    let number: u64 = text.get(..text.len() - 1).and_then(|digits| digits.parse().ok()).ok_or_else(want)?;
    let all = number.checked_mul(seconds).filter(|all| (1..=31_622_400).contains(all)).ok_or_else(want)?;
    Ok(Duration::from_secs(all))
}

fn whose(text: &str) -> Result<Value, String> {
    match text.split_once(':') {
        None if text == "automation" => Ok(json!({"automation": true})),
        Some(("user", user)) if !user.is_empty() => Ok(json!({"user": user})),
        Some(("rule", rule)) if !rule.is_empty() => Ok(json!({"rule": rule})),
        _ => Err(format!("`{text}`: want `automation`, `user:ID` or `rule:ID`")),
    }
}

pub(super) fn undo(args: &UndoArgs) -> Outcome {
    match &args.id {
        Some(_) if args.all_owners => many(args),
        Some(id) if args.preview => foresee(args, id),
        Some(id) => one(args, id),
        None if args.all => rescue::rescue(&args.place, (args.preview, &args.reason), args.server.output),
        None => many(args),
    }
}

fn one(args: &UndoArgs, id: &str) -> Outcome {
    let body = json!({"reason": args.reason});
    let action = Client::new(&args.server)?.post(&format!("/api/v1/actions/{id}/undo"), &body)?;
    match args.server.output {
        Output::Json => output::json(&action)?,
        Output::Table => print_action(&action)?,
    }
    // One that settles was done, and takes its time to be in force.
    let restored = action["state"] == "undone" || action["state"] == "undoing";
    Ok(ExitCode::from(if restored { output::OK } else { REFUSED }))
}

/// What an undo of one action comes to: the server foresees plans, and this is the action's part of it.
fn foresee(args: &UndoArgs, id: &str) -> Outcome {
    let client = Client::new(&args.server)?;
    let action = client.get(&format!("/api/v1/actions/{id}"))?;
    let body = json!({"preview": true, "plan_id": action["plan_id"]});
    tell(&only(&client.post("/api/v1/undo", &body)?, id), args.server.output)
}

/// The part of a preview that is about one action.
fn only(report: &Value, id: &str) -> Value {
    let mut items: Vec<Value> = report["items"].as_array().cloned().unwrap_or_default();
    items.retain(|item| item["action_id"] == id);
    let count = |wanted: &[&str]| {
        items.iter().filter(|item| item["prospect"].as_str().is_some_and(|is| wanted.contains(&is))).count()
    };
    let (undoable, need_approval) = (count(&["undo"]), count(&["needs_approval"]));
    let (cannot, not_read) = (count(&["cannot"]), count(&["unknown"]));
    json!({"preview": true, "undoable": undoable, "need_approval": need_approval, "cannot": cannot, "not_read": not_read, "items": items})
}

fn many(args: &UndoArgs) -> Outcome {
    let mut body = json!({"preview": args.preview, "reason": args.reason});
    if let Some(plan) = &args.plan {
        body["plan_id"] = json!(plan);
    }
    if let Some(id) = &args.id {
        body["effect_of"] = json!(id);
    }
    if let (Some(span), Some(by)) = (args.since, &args.by) {
        let now = SystemClock.now();
        let from = now.minus(span);
        body["by"] = by.clone();
        body["from"] = json!(from);
        // What began this very moment is meant too.
        body["to"] = json!(now.plus(Duration::from_mins(1)));
    }
    let report = Client::new(&args.server)?.post("/api/v1/undo", &body)?;
    tell(&report, args.server.output)
}

fn tell(report: &Value, form: Output) -> Outcome {
    if form == Output::Json {
        output::json(report)?;
    } else {
        print_list(&json!({"items": report["items"], "next_cursor": null}), Output::Table, COLUMNS)?;
        output::line(&summary(report))?;
    }
    let left = report["items"].as_array().is_some_and(|items| items.iter().any(|item| item["done"] == false));
    Ok(ExitCode::from(if left { REFUSED } else { output::OK }))
}

fn summary(report: &Value) -> String {
    let number = |field: &str| report[field].as_u64().unwrap_or_default();
    let (can, asks, cannot) = (number("undoable"), number("need_approval"), number("cannot"));
    let unread = match number("not_read") {
        0 => String::new(),
        unread => format!(", of {unread} the target could not be read"),
    };
    if report["preview"] == true {
        return format!(
            "{can} would be undone, {asks} would wait for approval, {cannot} cannot be undone{unread}; nothing was touched"
        );
    }
    let goes_on = if report["goes_on"] == true { "; it was not through yet and goes on by itself" } else { "" };
    format!(
        "{} undone and read back, {asks} wait for approval, {cannot} cannot be undone{unread}{goes_on}",
        number("undone")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        assert_eq!(span("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        for bad in ["", "h", "1", "0s", "-1h", "1y", "99999d", "1é"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn somebody_is_automation_a_user_or_a_rule() {
        assert_eq!(whose("automation"), Ok(json!({"automation": true})));
        assert_eq!(whose("user:usr_1"), Ok(json!({"user": "usr_1"})));
        for bad in ["", "user:", "everybody", "rule"] {
            assert!(whose(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_preview_of_one_action_counts_nothing_of_the_others_of_its_plan() {
        let item = |id: &str, prospect: &str| json!({"action_id": id, "prospect": prospect, "done": null});
        let items = [item("act_1", "undo"), item("act_2", "cannot"), item("act_3", "needs_approval")];
        let report = json!({"preview": true, "undoable": 1, "need_approval": 1, "cannot": 1, "items": items});
        let told = |id: &str| summary(&only(&report, id));
        let text = |counts| format!("{counts} cannot be undone; nothing was touched");
        assert_eq!(told("act_1"), text("1 would be undone, 0 would wait for approval, 0"));
        assert_eq!(told("act_2"), text("0 would be undone, 0 would wait for approval, 1"));
        assert_eq!(only(&report, "act_3")["items"], json!([items[2]]));
    }
}
