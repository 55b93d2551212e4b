//! Which paths are followed, on policies of a few lines.

use super::*;
use crate::load;

/// The paths that a rule of a one-file policy reads.
fn reads(text: &str, rule: &str) -> Vec<String> {
    let files = [
        ("p.rego".to_owned(), format!("package p\n\nimport data.q.r\n\n{text}\n")),
        (
            "q.rego".to_owned(),
            "package q.r\n\nchanging := [action | some action in input.actions; action.class != \"read_only\"]\n"
                .to_owned(),
        ),
    ];
    let index = load::index(&files).unwrap();
    let module = index.modules[0].clone();
    let found = module.policy.iter().filter(|known| name_of(known).as_deref() == Some(rule));
    let mut paths: Vec<String> =
        found.flat_map(|rule| reads_of(&index, &module, rule)).map(|read| read.path.to_string()).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn a_plain_path_is_read() {
    assert_eq!(reads("a if input.x.y == 1", "a"), ["input.x", "input.x.y"]);
}

#[test]
fn names_lists_and_rules_are_followed() {
    let text = "a contains {\"n\": one.name} if {\n\tsome one in r.changing\n\tfoo := one.target\n\tfoo[\"id\"] == input.id\n}";
    assert_eq!(
        reads(text, "a"),
        [
            "input.actions",
            "input.actions[_]",
            "input.actions[_].class",
            "input.actions[_].name",
            "input.actions[_].target",
            "input.actions[_].target.id",
            "input.id"
        ]
    );
}

#[test]
fn functions_and_object_get_are_followed() {
    let text = "a if f(input.x)\n\nf(x) if object.get(x, [\"y\", \"z\"], 0) > 1";
    assert_eq!(reads(text, "a"), ["input.x", "input.x.y.z"]);
}

#[test]
fn a_rule_that_uses_itself_ends() {
    assert_eq!(reads("a if b\n\nb if a", "a"), [""; 0]);
}
