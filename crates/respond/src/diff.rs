//! The difference of two states, line by line, as an approver reads it.

use serde_json::Value;
use shieldops_model::DiffLine;

/// One line for each leaf that differs, by path.
pub(crate) fn diff(from: &Value, to: &Value) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    walk(String::new(), Some(from), Some(to), &mut lines);
    lines
}

fn walk(path: String, before: Option<&Value>, after: Option<&Value>, lines: &mut Vec<DiffLine>) {
    if before == after {
        return;
    }
    let members = |side: Option<&Value>| side.and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (members(before), members(after));
    if old.is_empty() && new.is_empty() {
        lines.push(DiffLine { path, before: before.map(text), after: after.map(text) });
        return;
    }
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        walk(path, old.get(name), new.get(name), lines);
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_for_each_leaf_that_differs_and_none_for_the_same() {
        let from = json!({"a": 1, "b": {"c": "x", "d": [1]}, "gone": true});
        let to = json!({"a": 1, "b": {"c": "y", "d": [1, 2]}, "new": null});
        let lines: Vec<_> = diff(&from, &to).into_iter().map(|line| (line.path, line.before, line.after)).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            lines,
            [
                ("b.c".to_owned(), some("x"), some("y")),
                ("b.d".to_owned(), some("[1]"), some("[1,2]")),
                ("gone".to_owned(), some("true"), None),
                ("new".to_owned(), None, some("null")),
            ]
        );
        assert!(diff(&to, &to).is_empty());
    }
}
