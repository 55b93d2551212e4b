//! Azure's activity log, the logs of Entra ID and the unified audit log of Microsoft 365.
//!
//! Each comes in three forms: the record of a diagnostic setting (`category`, `properties`), the object of the REST or
//! Graph API, and the row of a workspace's table.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    Service,
    told::{Told, activity as verb, at, first, number, text},
};
use crate::formats::{
    class::{Class, Kind},
    flat::{Field, Flat, members},
    shape::{Name, Shape},
};

/// The log that an object is of.
pub(super) fn service(shape: &Shape<'_>) -> Option<Service> {
    let has = |names: &[&'static str]| shape.keys(names);
    if has(&["operationName", "category"])
        && let Some(found) = shape.text(Name::Key("category")).and_then(|category| by_category(&category))
    {
        return Some(found);
    }
    let rules: [(&[&'static str], Service); 8] = [
        (&["operationName", "authorization", "caller"], Service::AzureActivity),
        (&["operationName", "eventName", "caller", "resourceId"], Service::AzureActivity),
        (&["OperationNameValue", "CategoryValue"], Service::AzureActivity),
        (&["activityDisplayName", "initiatedBy"], Service::EntraAudit),
        (&["OperationName", "InitiatedBy"], Service::EntraAudit),
        (&["conditionalAccessStatus", "appId"], Service::EntraSignIn),
        (&["UserPrincipalName", "ResultType"], Service::EntraSignIn),
        (&["riskEventType", "riskLevel"], Service::EntraRisk),
    ];
    rules.into_iter().find(|(names, _)| has(names)).map(|(_, service)| service)
}

fn by_category(category: &str) -> Option<Service> {
    Some(match category {
        "Administrative" | "Security" | "Policy" | "Alert" | "Autoscale" | "Recommendation" | "ServiceHealth"
        | "ResourceHealth" => Service::AzureActivity,
        "AuditLogs" => Service::EntraAudit,
        "SignInLogs" | "NonInteractiveUserSignInLogs" | "ServicePrincipalSignInLogs" | "ManagedIdentitySignInLogs" => {
            Service::EntraSignIn
        }
        "UserRiskEvents" | "ServicePrincipalRiskEvents" => Service::EntraRisk,
        _ => return None,
    })
}

/// A record of the REST API with each `{value, localizedValue}` as its value, as the other forms have it.
pub(super) fn without_translations(text: &str) -> Option<String> {
    if !text.contains("\"localizedValue\"") {
        return None;
    }
    let mut flat = Flat::new();
    for (name, raw) in members(text)? {
        let parts = if raw.starts_with('{') { members(raw).unwrap_or_default() } else { Vec::new() };
        let part = |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, raw)| *raw);
        let value = part("localizedValue").and(part("value"));
        flat.put(name, Field::Json(Cow::Borrowed(value.unwrap_or(raw))));
    }
    Some(flat.render())
}

/// The name of the person in a token.
const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";

pub(super) fn activity(record: &Value) -> Told {
    let call = first(record, &[&["operationName"], &["OperationNameValue"]]);
    let action = call.and_then(|call| call.rsplit('/').next()).unwrap_or_default();
    let mut told = Told::new((Class::ApiActivity, verb(action)));
    let result = first(record, &[&["status"], &["resultType"], &["ActivityStatusValue"]]);
    told.worked = result.and_then(|result| match result.to_ascii_lowercase().as_str() {
        "success" | "succeeded" => Some(true),
        "failure" | "failed" => Some(false),
        _ => None,
    });
    let people: [&[&str]; 8] = [
        &["caller"],
        &["Caller"],
        &["identity", "claims", UPN],
        &["claims", UPN],
        &["identity", "claims", "name"],
        &["claims", "name"],
        &["identity", "claims", "appid"],
        &["claims", "appid"],
    ];
    told.actor = first(record, &people).map(str::to_owned);
    let from: [&[&str]; 5] = [
        &["callerIpAddress"],
        &["CallerIpAddress"],
        &["httpRequest", "clientIpAddress"],
        &["identity", "claims", "ipaddr"],
        &["claims", "ipaddr"],
    ];
    told.from = first(record, &from).map(str::to_owned);
    told.say("", call);
    told.say("on", first(record, &[&["resourceId"], &["_ResourceId"], &["ResourceId"]]));
    told.say("result", result);
    told
}

pub(super) fn audit(record: &Value) -> Told {
    let inner = at(record, &["properties"]).filter(|inner| inner.is_object()).unwrap_or(record);
    let call = first(inner, &[&["activityDisplayName"], &["OperationName"]]).or(text(record, &["operationName"]));
    let name = call.unwrap_or_default();
    let mut told = Told::new(audit_kind(name));
    told.worked = first(inner, &[&["result"], &["Result"]]).map(|result| result.eq_ignore_ascii_case("success"));
    let people: [&[&str]; 4] = [
        &["initiatedBy", "user", "userPrincipalName"],
        &["InitiatedBy", "user", "userPrincipalName"],
        &["initiatedBy", "app", "displayName"],
        &["InitiatedBy", "app", "displayName"],
    ];
    told.actor = first(inner, &people).map(str::to_owned);
    let upon: [&[&str]; 2] = [&["targetResources", "userPrincipalName"], &["TargetResources", "userPrincipalName"]];
    told.upon = first(inner, &upon).map(str::to_owned);
    let from: [&[&str]; 2] = [&["initiatedBy", "user", "ipAddress"], &["InitiatedBy", "user", "ipAddress"]];
    told.from = first(inner, &from).or(text(record, &["callerIpAddress"])).map(str::to_owned);
    told.say("", call);
    told.say("on", first(inner, &[&["targetResources", "displayName"], &["TargetResources", "displayName"]]));
    told.say("result", first(inner, &[&["result"], &["Result"]]));
    told
}

fn audit_kind(call: &str) -> Kind {
    let lower = call.to_ascii_lowercase();
    let class = if lower.contains("member to role") || lower.contains("member to group") || lower.contains("from role")
    {
        Class::GroupManagement
    } else if lower.ends_with(" user") || lower.contains("password") || lower.contains("security info") {
        Class::AccountChange
    } else {
        Class::ApiActivity
    };
    (class, verb(call))
}

/// Codes that ask for one more step: neither a success nor a failure.
const STEPS: [i64; 13] =
    [16_000, 50_055, 50_058, 50_059, 50_072, 50_074, 50_076, 50_079, 50_097, 50_125, 50_127, 50_140, 65_001];

pub(super) fn sign_in(record: &Value) -> Told {
    let inner = at(record, &["properties"]).filter(|inner| inner.is_object()).unwrap_or(record);
    let mut told = Told::new((Class::Authentication, "Logon"));
    let code = number(inner, &["status", "errorCode"])
        .or_else(|| number(record, &["resultType"]))
        .or_else(|| number(record, &["ResultType"]));
    told.worked = code.filter(|code| !STEPS.contains(code)).map(|code| code == 0);
    let people: [&[&str]; 4] =
        [&["userPrincipalName"], &["UserPrincipalName"], &["servicePrincipalName"], &["servicePrincipalId"]];
    told.actor = first(inner, &people).map(str::to_lowercase);
    let from: [&[&str]; 2] = [&["ipAddress"], &["IPAddress"]];
    told.from = first(inner, &from).or(text(record, &["callerIpAddress"])).map(str::to_owned);
    told.say("Sign-in to", first(inner, &[&["appDisplayName"], &["AppDisplayName"]]));
    told.say("by", first(inner, &[&["clientAppUsed"], &["ClientAppUsed"]]));
    told.say("from", first(inner, &[&["location", "countryOrRegion"], &["Location"]]));
    let code = code.filter(|code| *code != 0).map(|code| code.to_string());
    told.say("code", code.as_deref());
    told.say("", text(inner, &["status", "failureReason"]));
    told
}

pub(super) fn risk(record: &Value) -> Told {
    let inner = at(record, &["properties"]).filter(|inner| inner.is_object()).unwrap_or(record);
    let mut told = Told::new((Class::DetectionFinding, "Create"));
    told.actor = text(inner, &["userPrincipalName"]).map(str::to_lowercase);
    told.from = text(inner, &["ipAddress"]).map(str::to_owned);
    told.say("Risk", text(inner, &["riskEventType"]));
    told.say("of level", text(inner, &["riskLevel"]));
    told
}

pub(super) fn office(record: &Value) -> Told {
    let call = text(record, &["Operation"]).unwrap_or_default();
    let kind = match call {
        "UserLoggedIn" | "UserLoginFailed" => (Class::Authentication, "Logon"),
        _ => (Class::ApiActivity, verb(call)),
    };
    let mut told = Told::new(kind);
    told.worked = text(record, &["ResultStatus"]).and_then(|result| match result.to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "true" => Some(call != "UserLoginFailed"),
        "failed" | "failure" | "false" => Some(false),
        _ => None,
    });
    told.actor = text(record, &["UserId"]).map(str::to_owned);
    told.from = first(record, &[&["ClientIP"], &["ClientIPAddress"], &["ActorIpAddress"]]).map(str::to_owned);
    told.say("", Some(call));
    told.say("of", text(record, &["Workload"]));
    told.say("on", text(record, &["ObjectId"]));
    told
}
