//! `shieldops plan explain`: the rules that fire on a plan, what they read, and what would turn the decision.

use std::process::ExitCode;

use serde_json::Value;

use super::super::Outcome;
use crate::output::{self, Failure, Output};

pub(super) fn print(explanation: &Value, form: Output) -> Outcome {
    if form == Output::Json {
        output::json(explanation)?;
        return Ok(ExitCode::SUCCESS);
    }
    let allowed = if explanation["allow"] == true { "allowed" } else { "denied" };
    output::line(&format!("{allowed}; approvals needed: {}", explanation["approvals_needed"]))?;
    for rule in list(&explanation["fired"]) {
        let lines: Vec<String> = list(&rule["lines"]).iter().map(output::text).collect();
        let place = format!("{}:{}", output::text(&rule["file"]), lines.join(","));
        let head = [output::text(&rule["kind"]), output::text(&rule["code"]), place].join("  ");
        output::foreign_line(&format!("{head}\n    {}", output::text(&rule["detail"])))?;
        for fact in list(&rule["facts"]) {
            output::foreign_line(&format!("    {} = {}", output::text(&fact["path"]), fact["value"]))?;
        }
    }
    flip("what would turn it", &explanation["nearest"])?;
    if explanation["approvals_needed"] != 0 {
        flip("what would need fewer approvals", &explanation["fewer_approvals"])?;
    }
    output::line(&format!("{} changed inputs were asked about", explanation["evaluations"]))?;
    Ok(ExitCode::SUCCESS)
}

fn flip(title: &str, flip: &Value) -> Result<(), Failure> {
    if flip.is_null() {
        return output::line(&format!("{title}: none found"));
    }
    for change in list(&flip["changes"]) {
        let text = format!("{title}: {} from {} to {}", output::text(&change["path"]), change["from"], change["to"]);
        output::foreign_line(&text)?;
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
