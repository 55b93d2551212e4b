//! The shipped policies under their own tests, and how a test fails.

use super::*;

fn file(name: &str, text: &str) -> File {
    (name.to_owned(), text.to_owned())
}

#[test]
fn every_test_of_the_shipped_policies_passes_and_every_line_is_evaluated() {
    let report = run(&built_in()).unwrap();
    let failed: Vec<_> = report.tests.iter().filter(|test| !test.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let missed: Vec<_> = report.coverage.iter().filter(|file| !file.not_covered.is_empty()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(report.passed() && report.tests.len() > 150, "only {} tests", report.tests.len());
    assert_eq!(report.coverage.len(), load::BUILT_IN.len());
}

#[test]
fn a_test_that_is_false_undefined_or_an_error_fails_and_says_why() {
    let policy = file("p.rego", "package p\n\nyes if input.x\n\nno if input.y\n");
    let tests = file(
        "p_test.rego",
        "package p_test\n\nimport data.p\n\ntest_good if p.yes with input as {\"x\": true}\n\ntest_undefined if p.no with input as {}\n\n\
         test_false := false\n\ntest_error if net.cidr_contains(\"nonsense\", \"1.2.3.4\")\n",
    );
    let report = run(&[policy, tests]).unwrap();
    let passed: Vec<_> = report.tests.iter().map(|test| (test.name.as_str(), test.passed)).collect();
    assert_eq!(
        passed,
        [
            ("data.p_test.test_error", false),
            ("data.p_test.test_false", false),
            ("data.p_test.test_good", true),
            ("data.p_test.test_undefined", false)
        ]
    );
    assert!(!report.passed());
    assert!(report.tests[0].why.as_ref().unwrap().contains("cidr"));
}

#[test]
fn no_tests_at_all_is_not_passed() {
    let report = run(&[file("p.rego", "package p\n\nyes if input.x\n")]).unwrap();
    assert!(!report.passed());
    assert_eq!(SuiteReport::default().percent(), None, "nothing was evaluated, so no share of it");
}

#[test]
fn files_are_the_shipped_ones_when_all_of_them_are_there() {
    let mut files = built_in();
    assert!(are_shipped(&files));
    files.retain(|(name, _)| name != "decision.rego");
    assert!(!are_shipped(&files) && !are_shipped(&[]));
}
