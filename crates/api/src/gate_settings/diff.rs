//! What differs between two documents, by the path of each field. Pure.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct SettingsDifference {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Nothing that was refused before is let through.
    pub(crate) tightens: bool,
    pub(crate) changes: Vec<SettingsChange>,
}

/// One field. Entries of a list are compared as wholes: one that is only there before was taken away.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct SettingsChange {
    /// `numbers.limits.production.per_hour`, `protected`.
    pub(crate) path: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Every field that differs, in the order of the first document.
pub(crate) fn changes(before: &Value, after: &Value) -> Vec<SettingsChange> {
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<SettingsChange>) {
    match (before, after) {
        (same, other) if same == other => {}
        (Value::Object(old), Value::Object(new)) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let absent = &Value::Null;
                walk(&path, old.get(name).unwrap_or(absent), new.get(name).unwrap_or(absent), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            let change = |before, after| SettingsChange { path: path.to_owned(), before, after };
            found.extend(old.iter().filter(|item| !new.contains(item)).map(|item| change(Some(item.clone()), None)));
            found.extend(new.iter().filter(|item| !old.contains(item)).map(|item| change(None, Some(item.clone()))));
        }
        _ => found.push(SettingsChange {
            path: path.to_owned(),
            before: (!before.is_null()).then(|| before.clone()),
            after: (!after.is_null()).then(|| after.clone()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_that_differs_is_named_by_its_path() {
        let before = json!({"numbers": {"a": 1, "b": 2}, "protected": [{"v": 1}, {"v": 2}], "same": [1]});
        let after = json!({"numbers": {"a": 1, "b": 3}, "protected": [{"v": 2}, {"v": 3}], "same": [1]});
        let found: Vec<_> = changes(&before, &after).into_iter().map(|one| (one.path, one.before, one.after)).collect();
        let wanted = [
            ("numbers.b".to_owned(), Some(json!(2)), Some(json!(3))),
            ("protected".to_owned(), Some(json!({"v": 1})), None),
            ("protected".to_owned(), None, Some(json!({"v": 3}))),
        ];
        assert_eq!(found, wanted);
        assert!(changes(&before, &before).is_empty());
    }
}
