//! CloudTrail records.

use serde_json::Value;

use super::told::{Told, activity, at, first, text};
use crate::formats::class::{Class, Kind};

pub(super) fn told(record: &Value) -> Told {
    let call = text(record, &["eventName"]).unwrap_or_default();
    let mut told = Told::new(kind(text(record, &["eventSource"]).unwrap_or_default(), call));
    let failed = at(record, &["errorCode"]).is_some_and(|code| !code.is_null());
    told.worked = Some(match text(record, &["responseElements", "ConsoleLogin"]) {
        Some(outcome) => outcome == "Success",
        None => !failed,
    });
    told.actor = actor(record);
    told.upon =
        first(record, &[&["requestParameters", "userName"], &["requestParameters", "roleName"]]).map(str::to_owned);
    told.from = text(record, &["sourceIPAddress"]).map(str::to_owned);
    told.say("", Some(call));
    told.say("of", text(record, &["eventSource"]));
    told.say("on", first(record, &[&["resources", "ARN"], &["resources", "arn"]]));
    told.say("in account", first(record, &[&["recipientAccountId"], &["userIdentity", "accountId"]]));
    told.say("at", text(record, &["awsRegion"]));
    told.say("refused:", text(record, &["errorCode"]));
    told
}

fn kind(source: &str, call: &str) -> Kind {
    match (source, call) {
        ("signin.amazonaws.com", "ConsoleLogin") => (Class::Authentication, "Logon"),
        ("iam.amazonaws.com", "AddUserToGroup" | "RemoveUserFromGroup") => (Class::GroupManagement, activity(call)),
        ("iam.amazonaws.com", call)
            if ["User", "AccessKey", "LoginProfile", "MFADevice"].iter().any(|part| call.contains(part))
                && activity(call) != "Read" =>
        {
            (Class::AccountChange, activity(call))
        }
        _ => (Class::ApiActivity, activity(call)),
    }
}

/// Who acts: the user's name, the mail address of a session, else role and session; the root user by its ARN, as every
/// account has one.
fn actor(record: &Value) -> Option<String> {
    let identity = at(record, &["userIdentity"])?;
    let arn = text(identity, &["arn"]);
    match text(identity, &["type"]) {
        Some("Root") => arn.map(str::to_owned),
        Some("AssumedRole" | "FederatedUser") => {
            let named = arn.and_then(|arn| arn.split_once('/')).map(|(_, name)| name);
            let session = named.map(|name| name.rsplit_once('/').map_or(name, |(_, session)| session));
            session.filter(|session| session.contains('@')).or(named).map(str::to_owned)
        }
        _ => {
            let paths: [&[&str]; 4] = [&["userName"], &["invokedBy"], &["principalId"], &["arn"]];
            first(identity, &paths).map(str::to_owned)
        }
    }
}
