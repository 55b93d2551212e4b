//! Audit events of the Kubernetes API server.

use serde_json::Value;

use super::told::{Told, activity, first, number, text};
use crate::formats::class::Class;

pub(super) fn told(record: &Value) -> Told {
    let verb = text(record, &["verb"]).unwrap_or_default();
    let mut told = Told::new((Class::ApiActivity, activity(verb)));
    told.worked = number(record, &["responseStatus", "code"]).map(|code| code < 400);
    told.actor = text(record, &["user", "username"]).map(str::to_owned);
    told.upon = text(record, &["impersonatedUser", "username"]).map(str::to_owned);
    told.from = addresses(record);
    told.say("", Some(verb));
    told.say("", text(record, &["objectRef", "resource"]).or(text(record, &["requestURI"])));
    told.say("/", text(record, &["objectRef", "subresource"]));
    told.say("", first(record, &[&["objectRef", "name"], &["requestObject", "metadata", "name"]]));
    told.say("in namespace", text(record, &["objectRef", "namespace"]));
    told.say("refused:", text(record, &["responseStatus", "reason"]));
    told
}

/// The first address is the caller's, those after it are proxies'.
fn addresses(record: &Value) -> Option<String> {
    record.get("sourceIPs")?.as_array()?.first()?.as_str().map(str::to_owned)
}
