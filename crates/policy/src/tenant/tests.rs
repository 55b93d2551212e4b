//! What a tenant's policies add, and what is refused of them.

use super::*;
use crate::{Input, example};

fn file(name: &str, text: &str) -> File {
    (name.to_owned(), text.to_owned())
}

/// What is wrong with one policy of package `tenant.p`.
fn wrong(rest: &str) -> Vec<String> {
    let found =
        Policy::with_tenant(&[file("p.rego", &format!("package tenant.p\n\n{rest}\n"))]).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

fn decide(rest: &str, input: Input) -> shieldops_model::Decision {
    let policy = Policy::with_tenant(&[file("p.rego", &format!("package tenant.p\n\n{rest}\n"))]).unwrap();
    policy.evaluate(input).into_decision()
}

#[test]
fn a_tenant_adds_denies_by_text_or_with_a_code_of_its_own() {
    let text = decide("deny contains \"no blocks here\" if some action in input.actions", example::block());
    assert!(!text.allow);
    assert_eq!((text.denies[0].code.as_str(), text.denies[0].detail.as_str()), ("tenant.p", "no blocks here"));
    let coded = decide(
        "deny contains {\"code\": \"night\", \"detail\": sprintf(\"%s at night\", [action.target.name])} if some action in input.actions",
        example::block(),
    );
    assert_eq!(
        (coded.denies[0].code.as_str(), coded.denies[0].detail.as_str()),
        ("tenant.p.night", "twin/demo at night")
    );
}

#[test]
fn a_tenant_adds_obligations_and_never_takes_any_away() {
    let rego = "obligation contains {\"approvals\": 3, \"notify\": \"board\", \"veto_window_s\": 60, \"strong_session\": true, \"why\": \"we are careful\"}";
    let more = decide(rego, example::block());
    assert!(more.allow);
    assert_eq!(
        (more.approvals_needed, more.obligations.veto_window_s, more.obligations.strong_session),
        (3, Some(60), true)
    );
    assert_eq!(more.obligations.notify, ["approvers", "board"]);
    assert!(
        more.obligations.because.iter().any(|reason| reason.code == "tenant.p" && reason.detail == "we are careful")
    );
    let fewer = decide("obligation contains {\"approvals\": 0, \"why\": \"w\"}", example::block());
    assert_eq!(fewer.approvals_needed, 1);
}

#[test]
fn an_undo_is_not_bound_by_a_tenants_policy() {
    let undo = Input { entry: crate::Entry::Undo, ..example::block() };
    assert!(decide("deny contains \"never\"", undo).allow);
}

#[test]
fn a_broken_glass_replaces_a_tenants_approvals_and_not_its_denies() {
    let mut input = example::block();
    input.situation.break_glass = Some(crate::Override { by: "usr_1".to_owned(), reason: "now".to_owned() });
    let owed = "obligation contains {\"approvals\": 3, \"why\": \"w\"}";
    assert_eq!(decide(owed, input.clone()).approvals_needed, 0);
    assert!(!decide("deny contains \"never\"", input).allow);
}

#[test]
fn what_a_tenants_policy_may_not_be_made_of_is_refused_with_its_line() {
    for (rest, line, why) in [
        (
            "deny contains \"x\" if {\n\tcount(numbers.range(1, 100000000000)) > 1\n}",
            4,
            "`numbers.range` may not be called",
        ),
        ("deny contains \"x\" if {\n\thttp.send({}).body\n}", 4, "`http.send` may not be called"),
        ("deny contains \"x\" if {\n\tstrings.repeat(\"x\", 9) == \"x\"\n}", 4, "`strings.repeat` may not be called"),
        ("deny contains \"x\" if input.nothing", 3, "input.nothing is no field of the input"),
        (
            "deny contains \"x\" if {\n\tsome action in input.actions\n\taction.target.enviroment == \"x\"\n}",
            5,
            "input.actions[_].target.enviroment is no field",
        ),
        ("deny := true", 3, "`deny` must be a set"),
        ("deny[\"x\"] := 1", 3, "`deny` must be a set"),
        ("allow := true", 1, "it adds nothing"),
        ("deny contains data.shieldops.decision.decision", 3, "`data.shieldops.decision` may not be read"),
        ("deny contains data.shieldops.tenant.deny", 3, "`data.shieldops.tenant` may not be read"),
        ("deny contains data.shieldops.testing.plan", 3, "`data.shieldops.testing` may not be read"),
        ("deny contains data[\"shieldops\"]", 3, "`data` is read by plain names only"),
        ("deny contains data.shieldops[\"decision\"]", 3, "`data` is read by plain names only"),
        ("deny contains x if x := data", 3, "`data` is read by plain names only"),
        ("deny contains data.shieldops", 3, "`data` is read by plain names only"),
        ("deny contains data.tenant.other.x", 3, "`data.tenant.other` may not be read"),
        ("deny contains \"x\" if count(input.actions) * count(input.actions) > 1", 3, "one side of `*`"),
        ("deny contains f(f(\"x\"))\n\nf(x) := concat(\"\", [x, x])", 5, "others never"),
        ("deny contains \"x\" if a == \"xx\"\n\na := sprintf(\"%s%s\", [\"x\", \"x\"])", 5, "others never"),
        ("deny contains \"x\" if count(deny) > 1", 3, "`deny` is an answer"),
        ("import data.shieldops.plan as input\n\ndeny contains \"x\" if input.automation", 3, "may not be imported"),
        (
            "deny contains x if x := [input, input, input, input, input, input, input, input, input, input, input]",
            3,
            "or 10 of anything else",
        ),
        ("deny contains \"x\" if input.drifted with input as {}", 3, "`with` belongs in tests"),
        (
            "deny contains concat(\"\", [a, a]) if {\n\ta := concat(\"\", [b, b])\n\tb := concat(\"\", [c, c])\n\tc := concat(\"\", [d, d])\n\td := concat(\"\", [\"x\", \"x\"])\n}",
            3,
            "it calls array.concat, concat, sprintf 5 times",
        ),
    ] {
        let found = wrong(rest);
        let expected = format!("policy p.rego:{line}: ");
        assert!(found.iter().any(|one| one.starts_with(&expected) && one.contains(why)), "{rest}\n{found:#?}");
    }
}

#[test]
fn a_syntax_error_is_refused_with_its_line() {
    let found = wrong("deny contains \"x\" if {\n\tinput.drifted ==\n}");
    assert!(found[0].starts_with("policy p.rego:5: "), "{found:#?}");
}

#[test]
fn another_package_an_import_or_a_name_of_ours_is_refused() {
    for (name, text, why) in [
        ("p.rego", "package shieldops.risk\n\ndeny contains 1", "the package must be `tenant.`"),
        ("p.rego", "package tenant\n\ndeny contains 1", "the package must be `tenant.`"),
        ("p.rego", "package tenant.a.b\n\ndeny contains 1", "the package must be `tenant.`"),
        ("p.rego", "package tenant.a\n\nimport data.shieldops\n\ndeny contains 1", "may not be imported"),
        ("p.rego", "package tenant.a\n\nimport data.shieldops.decision\n\ndeny contains 1", "may not be imported"),
        ("risk.rego", "package tenant.a\n\ndeny contains 1", "another file has this name"),
    ] {
        let found = Policy::with_tenant(&[file(name, text)]).unwrap_err();
        assert!(found.iter().any(|one| one.why.contains(why)), "{text}\n{found:#?}");
    }
}

#[test]
fn two_files_of_one_package_and_a_package_of_tests_that_is_read_are_refused() {
    let one = file("a.rego", "package tenant.p\n\ndeny contains \"x\" if input.drifted");
    let two = file("b.rego", "package tenant.p\n\nobligation contains {\"why\": \"w\"} if input.drifted");
    assert!(Policy::with_tenant(&[one.clone(), two]).unwrap_err()[0].why.contains("another file has this package"));
    let test = file("a_test.rego", "package tenant.p_test\n\ntest_it if true");
    let reader = file("b.rego", "package tenant.q\n\ndeny contains \"x\" if data.tenant.p_test.test_it");
    assert!(Policy::with_tenant(&[one, test, reader]).unwrap_err()[0].why.contains("may not be read"));
}

#[test]
fn too_many_or_too_large_files_are_refused() {
    let many: Vec<File> = (0..=MAX_FILES)
        .map(|n| file(&format!("p{n}.rego"), &format!("package tenant.p{n}\n\ndeny contains \"x\" if input.drifted")))
        .collect();
    assert!(Policy::with_tenant(&many).unwrap_err()[0].why.contains("at most 50"));
    let long = format!("package tenant.p\n{}", "# a comment\n".repeat(6000));
    assert_eq!(Policy::with_tenant(&[file("p.rego", &long)]).unwrap_err()[0].file, "p.rego");
}

const SLOW: &str = "many := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]\n\n\
    slow if count([1 | some a in many; some b in many; some c in many; some d in many; some e in many; a + b + c + d + e > 0]) > 1\n\n";

#[test]
fn what_never_ends_on_an_ordinary_plan_is_not_loaded() {
    let begun = std::time::Instant::now();
    let found = wrong(&format!("{SLOW}deny contains \"x\" if slow"));
    assert!(found[0].starts_with("policy p.rego:7: ") && found[0].contains("time"), "{found:#?}");
    assert!(begun.elapsed() < crate::EVALUATION_LIMIT * 8, "{:?}", begun.elapsed());
    let itself = wrong("deny contains \"x\" if a\n\na if b\n\nb if a");
    assert!(itself[0].contains("recurs"), "{itself:#?}");
}

#[test]
fn what_does_not_end_later_is_a_deny() {
    let rego = format!("{SLOW}deny contains \"x\" if {{\n\tinput.drifted\n\tslow\n}}");
    let decision = decide(&rego, Input { drifted: true, ..example::block() });
    assert_eq!(decision.denies[0].code, "policy_error");
    assert!(decide(&rego, example::block()).allow);
}

#[test]
fn a_reason_that_is_no_reason_is_a_deny() {
    for rego in [
        "deny contains 7",
        "deny contains {\"detail\": \"x\"}",
        "obligation contains {\"approvals\": 2}",
        "obligation contains {\"approvals\": 99, \"why\": \"w\"}",
        "obligation contains {\"allow\": true, \"why\": \"w\"}",
    ] {
        assert_eq!(decide(rego, example::block()).denies[0].code, "policy_error", "{rego}");
    }
}

#[test]
fn a_tenants_tests_run_beside_the_built_in_policies_with_coverage() {
    let policy = file(
        "nights.rego",
        "package tenant.nights\n\nimport data.shieldops.plan\n\ndeny contains \"drifted\" if {\n\tinput.drifted\n\tcount(plan.changing) > 0\n}\n\ndeny contains \"never\" if {\n\tinput.stage == \"nothing\"\n\tinput.drifted\n}\n",
    );
    let tests = file(
        "nights_test.rego",
        "package tenant.nights_test\n\nimport data.shieldops.testing\nimport data.tenant.nights\n\ntest_drift if nights.deny == {\"drifted\"} with input as object.union(testing.block(\"203.0.113.66/32\"), {\"drifted\": true})\n\ntest_wrong if nights.deny == {\"x\"} with input as testing.block(\"203.0.113.66/32\")\n",
    );
    let report = test(&[policy, tests]).unwrap();
    let passed: Vec<_> = report.tests.iter().map(|test| (test.name.as_str(), test.passed)).collect();
    assert_eq!(passed, [("data.tenant.nights_test.test_drift", true), ("data.tenant.nights_test.test_wrong", false)]);
    assert_eq!(report.coverage.len(), 1);
    assert_eq!(report.coverage[0].not_covered.iter().copied().collect::<Vec<_>>(), [10, 12]);
}
