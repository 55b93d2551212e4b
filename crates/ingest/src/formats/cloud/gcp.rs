//! Audit logs of Google Cloud, and the reports of Google Workspace.

use serde_json::Value;

use super::{
    Service,
    told::{Told, activity, at, first, number, text},
};
use crate::formats::{
    class::{Class, Kind},
    shape::{Name, Shape},
};

/// A log entry with an audit payload. Workspace's own logs come the same way.
pub(super) fn service(shape: &Shape<'_>, payload: &str) -> Option<Service> {
    let audit = payload.contains("google.cloud.audit.AuditLog")
        || shape.text(Name::Key("logName")).is_some_and(|name| name.contains("cloudaudit.googleapis.com"));
    let of = |name: &str| payload.contains(&format!("\"{name}.googleapis.com\""));
    match audit {
        true if of("admin") => Some(Service::WorkspaceAdmin),
        true if of("login") => Some(Service::WorkspaceLogin),
        true => Some(Service::Gcp),
        false => None,
    }
}

/// An activity of the Reports API, by the application that its `id` names.
pub(super) fn report(shape: &Shape<'_>) -> Service {
    let id = shape.key("id").and_then(crate::formats::flat::members).unwrap_or_default();
    match id.iter().find(|(name, _)| name == "applicationName").map(|(_, raw)| *raw) {
        Some("\"admin\"") => Service::WorkspaceAdmin,
        Some("\"login\"") => Service::WorkspaceLogin,
        _ => Service::Workspace,
    }
}

pub(super) fn told(record: &Value) -> Told {
    let Some(payload) = at(record, &["protoPayload"]) else { return activity_report(record) };
    let method = text(payload, &["methodName"]).unwrap_or_default();
    let call = method.rsplit('.').next().unwrap_or(method);
    let mut told = Told::new(kind(text(payload, &["serviceName"]).unwrap_or_default(), call));
    told.worked = Some(number(payload, &["status", "code"]).unwrap_or(0) == 0);
    let people: [&[&str]; 2] = [&["authenticationInfo", "principalEmail"], &["authenticationInfo", "principalSubject"]];
    told.actor = first(payload, &people).map(str::to_owned);
    told.from = text(payload, &["requestMetadata", "callerIp"]).map(str::to_owned);
    told.say("", Some(method));
    told.say("on", text(payload, &["resourceName"]));
    told.say("in project", text(record, &["resource", "labels", "project_id"]));
    told.say("refused:", text(payload, &["status", "message"]));
    told
}

fn kind(service: &str, call: &str) -> Kind {
    match (service, call) {
        ("login.googleapis.com", _) => (Class::Authentication, "Logon"),
        ("iam.googleapis.com", call) if call.contains("ServiceAccount") && activity(call) != "Read" => {
            (Class::AccountChange, activity(call))
        }
        _ => (Class::ApiActivity, activity(call)),
    }
}

fn activity_report(record: &Value) -> Told {
    let event = text(record, &["events", "name"]).unwrap_or_default();
    let login = text(record, &["id", "applicationName"]) == Some("login");
    let signs_in = login && matches!(event, "login_success" | "login_failure");
    let mut told = Told::new(if signs_in { (Class::Authentication, "Logon") } else { (Class::ApiActivity, "Other") });
    told.worked = signs_in.then_some(event == "login_success");
    told.actor = first(record, &[&["actor", "email"], &["actor", "key"]]).map(str::to_owned);
    told.from = text(record, &["ipAddress"]).map(str::to_owned);
    told.say("", Some(event));
    told.say("of", text(record, &["id", "applicationName"]));
    told
}
