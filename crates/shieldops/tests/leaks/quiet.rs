//! What a tenant's lists and counts say, to be compared before and after something happened to another tenant.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{filled::LISTS, site::Caller};

/// What a tenant's lists and counts say, without what the tenant's own asking changes.
pub(crate) fn quiet(caller: &Caller) -> BTreeMap<String, Value> {
    let counts = ["overview", "usage", "ingest/stats", "automation", "settings", "rules"];
    let lists = LISTS.iter().filter(|list| !list.starts_with("ledger") && !list.starts_with("sessions"));
    let of = |path: &str| {
        let mut value = caller.get(&format!("/api/v1/{path}"));
        still(&mut value);
        (path.to_owned(), value)
    };
    lists.copied().chain(counts).map(of).collect()
}

/// Without the times at which one asked.
fn still(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(still),
        Value::Object(members) => {
            members.retain(|name, _| {
                ![
                    "last_used_at",
                    "generated_at",
                    "from",
                    "to",
                    "at",
                    "alert_series",
                    "next_cursor",
                    "ledger_entries",
                    "sessions",
                ]
                .contains(&name.as_str())
            });
            members.values_mut().for_each(still);
        }
        _ => {}
    }
}

/// Where two values differ, and how.
pub(crate) fn first_difference(one: &Value, two: &Value, at: String) -> Option<String> {
    match (one, two) {
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(name, value)| {
                first_difference(value, right.get(name).unwrap_or(&Value::Null), format!("{at}/{name}"))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs.into_iter().find_map(|(index, (one, two))| first_difference(one, two, format!("{at}/{index}")))
        }
        _ => (one != two).then(|| format!("{at}: {one} became {two}")),
    }
}
