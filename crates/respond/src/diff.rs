//! The difference of two states, line by line, as an approver reads it.

use serde_json::Value;
use shieldops_model::DiffLine;

/// One line for each leaf that differs, by path.
pub(crate) fn diff(from: &Value, to: &Value) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    walk(String::new(), Some(from), Some(to), &mut lines);
    lines
}

/// Lines that are told of a difference; the rest is counted.
const TOLD: usize = 8;

/// How a state differs from the one that was there, in the words of a diff: `blocked: false, was true`.
pub(crate) fn told(before: &Value, there: &Value) -> String {
    in_words(before, there, "was")
}

/// How a state differs from the one that it should be: `blocked: false, want true`.
pub(crate) fn wanting(wanted: &Value, there: &Value) -> String {
    in_words(wanted, there, "want")
}

fn in_words(other: &Value, there: &Value, verb: &str) -> String {
    let lines = diff(other, there);
    let mut told: Vec<String> = lines.iter().take(TOLD).map(|one| line(one, verb)).collect();
    if lines.len() > TOLD {
        told.push(format!("and {} more", lines.len() - TOLD));
    }
    if told.is_empty() { "it reads the same and is not the same".to_owned() } else { told.join("; ") }
}

fn line(line: &DiffLine, verb: &str) -> String {
    let side = |side: Option<&str>| match side {
        None | Some("null") => "none".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => text.to_owned(),
    };
    let path = if line.path.is_empty() { "now" } else { line.path.as_str() };
    format!("{path}: {}, {verb} {}", side(line.after.as_deref()), side(line.before.as_deref()))
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

    #[test]
    fn a_difference_is_told_in_words_and_a_long_one_is_cut() {
        let wanted = json!({"address": "203.0.113.9", "blocked": true, "remaining_s": 60});
        let there = json!({"address": "203.0.113.9", "blocked": false, "remaining_s": null});
        assert_eq!(told(&wanted, &there), "blocked: false, was true; remaining_s: none, was 60");
        assert_eq!(told(&json!(true), &json!(false)), "now: false, was true");
        assert_eq!(wanting(&wanted, &there), "blocked: false, want true; remaining_s: none, want 60");
        let many: serde_json::Map<String, Value> = (0..10).map(|n| (format!("rule{n}"), json!(n))).collect();
        let long = told(&many.into(), &json!({}));
        assert!(long.ends_with("rule7: none, was 7; and 2 more"), "{long}");
    }
}
