//! What transformations make of rules.

use super::*;

#[test]
fn fields_have_other_names_in_lines_references_and_keywords() {
    let sel = |line: &str| format!("sel:\n  {line}\ncondition: sel");
    let map = "- type: field_name_mapping\n  mapping: {Image: process.path, User: [a, b], ~: message, Gone: []}";
    let check = |line: &str, events: &[&str]| check(map, &sel(line), events);
    assert_eq!(check("Image|endswith: x", &[r#"{"process":{"path":"abx"}}"#, r#"{"Image":"abx"}"#]), "x.");
    assert_eq!(check("User: u", &[r#"{"a":"u"}"#, r#"{"b":"U"}"#, r#"{"User":"u"}"#]), "xx.");
    // None of several names may have the value.
    assert_eq!(check("User|neq: u", &[r#"{"a":"u"}"#, r#"{"b":"u"}"#, r#"{"a":"v"}"#]), "..x");
    assert_eq!(check("x|fieldref: Image", &[r#"{"x":1,"process":{"path":"1"}}"#, r#"{"x":1,"Image":"1"}"#]), "x.");
    assert_eq!(check("Gone: 1\n  x: 2", &[r#"{"x":2}"#]), "x");
    assert_eq!(check("Gone: 1", &["{}"]), "pipeline-empty@1:1");
    let keywords =
        super::check(map, "kw: [evil]\ncondition: kw", &[r#"{"message":"so evil!"}"#, r#"{"other":"evil"}"#]);
    assert_eq!(keywords, "x.");
    let table = [
        ("- type: field_name_prefix_mapping\n  mapping: {win.: winlog.}", "win.a: 1", r#"{"winlog":{"a":1}}"#),
        ("- type: field_name_prefix\n  prefix: ev.", "a: 1", r#"{"ev":{"a":1}}"#),
        ("- type: field_name_suffix\n  suffix: .keyword", "a: 1", r#"{"a.keyword":1}"#),
        (
            "- type: field_name_transform\n  transform_func: snake_case\n  mapping: {EventID: id}",
            "CommandLine: 1",
            r#"{"command_line":1}"#,
        ),
        (
            "- type: field_name_transform\n  transform_func: snake_case\n  mapping: {EventID: id}",
            "EventID: 1",
            r#"{"id":1}"#,
        ),
        ("- type: field_name_transform\n  transform_func: upper", "a: 1", r#"{"A":1}"#),
    ];
    for (transformations, line, event) in table {
        assert_eq!(super::check(transformations, &sel(line), &[event, "{}"]), "x.", "{transformations}");
    }
}

#[test]
fn conditions_on_the_rule_decide_about_a_transformation() {
    let table = [
        ("rule_conditions: [{type: logsource, product: windows}]", true),
        ("rule_conditions: [{type: logsource, product: linux}]", false),
        ("rule_conditions: [{type: logsource, category: process_creation, service: sysmon}]", false),
        ("rule_conditions: [{type: contains_field, field: a}]", true),
        ("rule_conditions: [{type: contains_detection_item, field: a, value: 1}]", true),
        ("rule_conditions: [{type: contains_detection_item, field: a, value: 2}]", false),
        ("rule_conditions: [{type: tag, tag: attack.t1059}]", true),
        ("rule_conditions: [{type: is_sigma_rule}]", true),
        ("rule_conditions: [{type: is_sigma_correlation_rule}]", false),
        ("rule_conditions: [{type: rule_attribute, attribute: level, value: medium, op: gte}]", true),
        ("rule_conditions: [{type: rule_attribute, attribute: level, value: high, op: gt}]", false),
        ("rule_conditions: [{type: rule_attribute, attribute: status, value: experimental, op: gt}]", true),
        ("rule_conditions: [{type: rule_attribute, attribute: tags, value: attack.t1059, op: in}]", true),
        ("rule_conditions: [{type: rule_attribute, attribute: nothing, value: 1}]", false),
        ("rule_conditions: [{type: tag, tag: x}, {type: is_sigma_rule}]", false),
        ("rule_cond_op: or\n  rule_conditions: [{type: tag, tag: x}, {type: is_sigma_rule}]", true),
        ("rule_cond_not: true\n  rule_conditions: [{type: tag, tag: x}]", true),
        (
            "rule_cond_expr: a and not (b or b)\n  rule_conditions: {a: {type: is_sigma_rule}, b: {type: tag, tag: x}}",
            true,
        ),
        ("rule_cond_expr: not a\n  rule_conditions: {a: {type: is_sigma_rule}}", false),
    ];
    for (condition, applied) in table {
        let transformations = format!("- type: field_name_prefix\n  prefix: p.\n  {condition}");
        let marks = check(&transformations, "sel: {a: 1}\ncondition: sel", &[r#"{"a":1}"#, r#"{"p.a":1}"#]);
        assert_eq!(marks, if applied { ".x" } else { "x." }, "{condition}");
    }
}

#[test]
fn conditions_on_lines_and_field_names_decide_about_each_of_them() {
    let table = [
        ("detection_item_conditions: [{type: match_string, cond: any, pattern: 'y'}]", false),
        ("detection_item_conditions: [{type: match_string, cond: any, pattern: '\\*y'}]", true),
        ("detection_item_conditions: [{type: match_string, cond: any, pattern: 'y', negate: true}]", true),
        ("detection_item_conditions: [{type: contains_wildcard, cond: all}]", true),
        ("detection_item_conditions: [{type: is_null, cond: any}]", false),
        ("detection_item_conditions: [{type: match_value, cond: any, value: '*y'}]", true),
        ("detection_item_cond_not: true\n  detection_item_conditions: [{type: is_null, cond: any}]", true),
        ("field_name_conditions: [{type: include_fields, fields: [a]}]", true),
        ("field_name_conditions: [{type: include_fields, fields: ['^b$', a.*], mode: re}]", true),
        ("field_name_conditions: [{type: include_fields, fields: [.b], mode: re}]", false),
        ("field_name_conditions: [{type: exclude_fields, fields: [a]}]", false),
        ("field_name_cond_expr: not x\n  field_name_conditions: {x: {type: include_fields, fields: [b]}}", true),
    ];
    for (condition, applied) in table {
        let transformations = format!("- type: field_name_prefix\n  prefix: p.\n  {condition}");
        let marks =
            check(&transformations, "sel: {a|endswith: y}\ncondition: sel", &[r#"{"a":"xy"}"#, r#"{"p.a":"xy"}"#]);
        assert_eq!(marks, if applied { ".x" } else { "x." }, "{condition}");
    }
}

#[test]
fn later_steps_see_which_steps_were_applied_and_what_state_they_set() {
    let steps = |second: &str| {
        format!(
            "- id: one\n  type: field_name_mapping\n  mapping: {{a: b}}\n- type: set_state\n  key: index\n  val: 3\n\
             - type: set_custom_attribute\n  attribute: own\n  value: yes\n- type: field_name_prefix\n  prefix: p.\n  {second}"
        )
    };
    let table = [
        ("rule_conditions: [{type: processing_item_applied, processing_item_id: one}]", "p.b p.c"),
        ("rule_conditions: [{type: processing_item_applied, processing_item_id: two}]", "b c"),
        ("detection_item_conditions: [{type: processing_item_applied, processing_item_id: one}]", "p.b c"),
        ("field_name_conditions: [{type: processing_item_applied, processing_item_id: one}]", "p.b c"),
        ("rule_conditions: [{type: processing_state, key: index, val: 3}]", "p.b p.c"),
        ("rule_conditions: [{type: processing_state, key: index, val: 4, op: lt}]", "p.b p.c"),
        ("rule_conditions: [{type: processing_state, key: other, val: 3}]", "b c"),
        ("field_name_conditions: [{type: processing_state, key: index, val: 4}]", "b c"),
        ("rule_conditions: [{type: rule_attribute, attribute: own, value: yes}]", "p.b p.c"),
    ];
    for (second, expected) in table {
        let (first, last) = expected.split_once(' ').unwrap();
        let event = format!(r#"{{"{first}":1,"{last}":2}}"#);
        assert_eq!(check(&steps(second), "sel: {a: 1, c: 2}\ncondition: sel", &[&event]), "x", "{second}");
    }
}

#[test]
fn values_become_others() {
    let table = [
        (
            "- {type: replace_string, regex: '^C:', replacement: '%SystemDrive%'}",
            r"f: C:\x",
            r#"{"f":"%SystemDrive%\\x"}"#,
        ),
        ("- {type: replace_string, regex: '(\\w)-(?P<n>\\w)', replacement: '\\2$\\g<1>'}", "f: a-b", r#"{"f":"b$a"}"#),
        ("- {type: replace_string, regex: '\\\\', replacement: '/'}", r"f|contains: \a\b\", r#"{"f":"x/a/b/c"}"#),
        ("- {type: replace_string, regex: 'x', replacement: '*', skip_special: true}", "f: axb", r#"{"f":"a*b"}"#),
        (
            "- {type: replace_string, regex: 'x', replacement: '*', skip_special: true, interpret_special: true}",
            "f: axb",
            r#"{"f":"a--b"}"#,
        ),
        ("- {type: replace_string, regex: 'x', replacement: 'z'}", r"f|startswith: x\", r#"{"f":"z\\more"}"#),
        ("- {type: replace_string, regex: '1', replacement: '2'}", "f: 1", r#"{"f":2}"#),
        ("- {type: map_string, mapping: {a: [b, 'c*']}}", "f: [a, z]", r#"{"f":"cc"}"#),
        ("- {type: map_string, mapping: {a: b}}", "f: [a, z]", r#"{"f":"z"}"#),
        ("- {type: case, method: upper}", "f|cased: ab", r#"{"f":"AB"}"#),
        ("- {type: case, method: snake_case}", "f|cased: AbCd", r#"{"f":"ab_cd"}"#),
        ("- {type: regex}", "f: a?b", r#"{"f":"AXB"}"#),
        ("- {type: regex, method: ignore_case_flag}", "f|contains: b", r#"{"f":"AB"}"#),
        ("- {type: set_value, value: 5}", "f|gt: 7", r#"{"f":5.0}"#),
        ("- {type: set_value, value: null}", "f: 1", "{}"),
        ("- {type: set_value, value: 5, force_type: str}", "f: 1", r#"{"f":"5"}"#),
        ("- {type: convert_type, target_type: num}", "f: '10'", r#"{"f":10.0}"#),
        ("- {type: convert_type, target_type: str}", "f: 10", r#"{"f":"10"}"#),
        ("- {type: wildcard_placeholders}", "f|expand: 'a%x%b'", r#"{"f":"a--b"}"#),
        ("- {type: value_placeholders}", "f|expand|endswith: '%Admins%'", r#"{"f":"x adm1"}"#),
        ("- {type: value_placeholders, include: [Admins]}", "f|expand: '%Admins%'", r#"{"f":"abc"}"#),
        // The values of `vars` serve without a transformation too.
        ("- {type: value_placeholders, exclude: [Admins]}", "f|expand: '%Admins%'", r#"{"f":"abc"}"#),
    ];
    for (transformations, line, event) in table {
        let events = [event, r#"{"f":"nothing of it"}"#];
        assert_eq!(
            check(transformations, &format!("sel:\n  {line}\ncondition: sel"), &events),
            "x.",
            "{transformations}"
        );
    }
    assert_eq!(
        check("- {type: regex, method: plain}", "sel: {f: ab}\ncondition: sel", &[r#"{"f":"ab"}"#, r#"{"f":"AB"}"#]),
        "x."
    );
    assert_eq!(
        check("- {type: convert_type, target_type: num}", "sel: {f: x}\ncondition: sel", &[]),
        "refused-by-pipeline@8:9"
    );
    assert_eq!(
        check("- {type: convert_type, target_type: str}", "sel: {f: 10}\ncondition: sel", &[r#"{"f":"10.0"}"#]),
        "."
    );
}

#[test]
fn lines_are_taken_apart_dropped_and_refused() {
    let hashes = "- {type: hashes_fields, valid_hash_algos: [MD5, SHA1], field_prefix: File}";
    let detection = "sel:\n  Hashes|contains: ['SHA1=ab', MD5=cd, IMPHASH=ef]\ncondition: sel";
    let events = [r#"{"FileSHA1":"AB"}"#, r#"{"FileMD5":"cd"}"#, r#"{"Hashes":"MD5=cd"}"#];
    assert_eq!(check(hashes, detection, &events), "xx.");
    assert_eq!(check(hashes, "sel: {Hashes: IMPHASH=x}\ncondition: sel", &[]), "refused-by-pipeline@8:9");
    let extract = "- {type: extract_fields, regex: '(?P<type>[A-Za-z]+):(?P<n>[0-9]+)', field_prefix: reg}";
    let events = [r#"{"reg":{"type":"dword","n":15}}"#, r#"{"reg":{"type":"dword","n":16}}"#];
    assert_eq!(check(extract, "sel: {reg: 'Dword:15'}\ncondition: sel", &events), "x.");
    let drop = "- {type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [b]}]}";
    assert_eq!(check(drop, "sel: {a: 1, b: 1}\ncondition: sel", &[r#"{"a":1}"#, r#"{"b":1}"#]), "x.");
    assert_eq!(check(drop, "x: {a: 1}\ny: {b: 1}\ncondition: x and not y", &[r#"{"a":1,"b":1}"#, "{}"]), "x.");
    assert_eq!(check(drop, "x_a: {a: 1}\nx_b: {b: 1}\ncondition: all of x_*", &[r#"{"a":1}"#, "{}"]), "x.");
    let fail =
        "- {type: detection_item_failure, message: no b, field_name_conditions: [{type: include_fields, fields: [b]}]}";
    assert_eq!(check(fail, "sel: {a: 1, b: 1}\ncondition: sel", &[]), "refused-by-pipeline@8:15");
    assert_eq!(check(fail, "sel: {a: 1}\ncondition: sel", &[r#"{"a":1}"#]), "x");
    assert_eq!(
        check("- {type: rule_failure, message: no}", "sel: {a: 1}\ncondition: sel", &[]),
        "refused-by-pipeline@1:1"
    );
    let strict = "- {type: field_name_mapping, mapping: {a: b}}\n- {type: strict_field_mapping_failure}";
    assert_eq!(check(strict, "sel: {a: 1}\ncondition: sel", &[r#"{"b":1}"#]), "x");
    assert_eq!(check(strict, "sel: {a: 1, c: 1}\ncondition: sel", &[]), "refused-by-pipeline@1:1");
}

#[test]
fn conditions_are_added_and_log_sources_changed() {
    let sel = "sel: {a: 1}\ncondition: sel";
    let events = [r#"{"a":1,"EventID":1}"#, r#"{"a":1}"#];
    assert_eq!(check("- {type: add_condition, conditions: {EventID: 1}}", sel, &events), "x.");
    assert_eq!(check("- {type: add_condition, conditions: {EventID: 1}, negated: true}", sel, &events), ".x");
    let template = "- {type: add_condition, conditions: {src: ['$product-${category}']}, template: true}";
    assert_eq!(check(template, sel, &[r#"{"a":1,"src":"windows-process_creation"}"#]), "x");
    let change = "- {type: change_logsource, product: windows, service: sysmon}";
    assert_eq!(check(change, sel, &events), "xx");
    assert_eq!(check("- {type: change_logsource, product: linux}", sel, &events), "..");
    assert_eq!(check("- {type: change_logsource}", sel, &events), "no-log-source@1:1");
    assert_eq!(
        check(
            "- {type: add_field, field: x}\n- {type: remove_field, field: [x]}\n- {type: set_field, fields: [y]}",
            sel,
            &events
        ),
        "xx"
    );
    let nest = "- type: nest\n  rule_conditions: [{type: logsource, product: windows}]\n  items: [{type: field_name_prefix, prefix: p.}]";
    assert_eq!(check(nest, sel, &[r#"{"p.a":1}"#]), "x");
}

#[test]
fn pipelines_run_by_priority_and_then_by_name() {
    let named = |name: &str, priority: i64, to: &str| {
        let text = format!(
            "name: {name}\npriority: {priority}\ntransformations: [{{type: field_name_suffix, suffix: {to}}}]\n"
        );
        Pipeline::parse(&text, "p.yml").0.unwrap()
    };
    let pipelines = vec![named("z", 10, "3"), named("b", 10, "2"), named("late", 20, "4"), named("c", 1, "1")];
    assert_eq!(check_all(pipelines, "sel: {a: x}\ncondition: sel", &[r#"{"a1234":"x"}"#]), "x");
}

#[test]
fn a_filter_is_joined_before_the_fields_that_it_names_are_renamed() {
    let filter =
        "title: F\nlogsource: {product: windows}\nfilter: {rules: any, sel: {User: adm}, condition: not sel}\n";
    let (documents, _) = parse(&format!("{}---\n{filter}", rule("sel: {a: 1}\ncondition: sel")), "r.yml");
    let options = CompileOptions {
        pipelines: vec![load("- {type: field_name_mapping, mapping: {User: user.name}}")],
        ..CompileOptions::default()
    };
    let (set, found) = RuleSet::compile(documents, &options);
    assert_eq!(found, []);
    assert!(matches(&set, r#"{"a":1,"User":"adm"}"#) && !matches(&set, r#"{"a":1,"user":{"name":"adm"}}"#));
}

#[test]
fn the_fields_of_a_correlation_are_renamed_with_its_rules() {
    let text = format!(
        "{}---\ntitle: C\nid: c\ncorrelation: {{type: value_count, rules: [r], group-by: [User, Host], timespan: 1m, condition: {{field: Image, gte: 2}}}}\n",
        rule("sel: {a: 1}\ncondition: sel")
    );
    let pipelines = vec![load("- {type: field_name_mapping, mapping: {User: user.name, Image: [process.path, x]}}")];
    let options = CompileOptions { pipelines, ..CompileOptions::default() };
    let (set, _) = RuleSet::compile(parse(&text, "r.yml").0, &options);
    let member = &set.links().correlations[0].members[0];
    assert_eq!(member.group_by, ["user.name", "Host"]);
    assert_eq!(member.fields, ["process.path"]);
}

#[test]
fn a_rule_that_pipelines_make_too_large_is_refused() {
    let names: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
    let grow = format!("- {{type: field_name_mapping, mapping: {{a: [{}]}}}}\n", names.join(", "));
    let again = "- {type: field_name_transform, transform_func: lower, mapping: {f0: [a, a, a, a]}}\n";
    let all = vec![format!("{grow}{again}"); 30].concat();
    assert_eq!(check(&all, "sel: {a: 1}\ncondition: sel", &[]), "refused-by-pipeline@1:1");
}
