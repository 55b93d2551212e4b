//! The compiler refuses every other way to get, keep or repeat a permit.

#[test]
fn no_code_path_around_the_gate_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/permit/*.rs");
}
