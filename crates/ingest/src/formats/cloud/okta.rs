//! Events of Okta's System Log.

use serde_json::Value;

use super::told::{Told, activity, first, text};
use crate::formats::class::{Class, Kind};

pub(super) fn told(record: &Value) -> Told {
    let event = text(record, &["eventType"]).unwrap_or_default();
    let mut told = Told::new(kind(event));
    told.worked = text(record, &["outcome", "result"]).and_then(|result| match result {
        "SUCCESS" | "ALLOW" => Some(true),
        "FAILURE" | "DENY" => Some(false),
        _ => None,
    });
    told.actor = first(record, &[&["actor", "alternateId"], &["actor", "displayName"]]).map(str::to_owned);
    let person = |target: &&Value| text(target, &["type"]) == Some("User");
    let targets = record.get("target").and_then(Value::as_array);
    told.upon = targets
        .and_then(|targets| targets.iter().find(person))
        .and_then(|target| text(target, &["alternateId"]))
        .filter(|name| *name != "unknown")
        .map(str::to_owned);
    told.from = text(record, &["client", "ipAddress"]).map(str::to_owned);
    told.say("", first(record, &[&["displayMessage"], &["eventType"]]));
    told.say("for", text(record, &["target", "displayName"]));
    told.say("from", text(record, &["client", "geographicalContext", "country"]));
    told.say("reason:", text(record, &["outcome", "reason"]));
    told
}

fn kind(event: &str) -> Kind {
    let (area, rest) = event.split_once('.').unwrap_or((event, ""));
    let call = event.rsplit('.').next().unwrap_or(event);
    match area {
        "user" if rest.starts_with("session.start") || rest.starts_with("authentication.") => {
            (Class::Authentication, if rest.contains("mfa") || rest.contains("factor") { "Other" } else { "Logon" })
        }
        "user" if rest.starts_with("account.") || rest.starts_with("lifecycle.") || rest.starts_with("mfa.factor") => {
            (Class::AccountChange, activity(call))
        }
        "group" if rest.starts_with("user_membership") => (Class::GroupManagement, activity(call)),
        _ => (Class::ApiActivity, activity(call)),
    }
}
