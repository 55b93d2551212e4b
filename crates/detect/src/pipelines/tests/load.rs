//! What pipeline files may hold, and what is refused.

use proptest::prelude::*;

use super::*;

fn problems(transformations: &str) -> String {
    let (loaded, found) = Pipeline::parse(&pipeline(transformations), "p.yml");
    assert!(loaded.is_none() || found.iter().all(|d| d.severity != crate::DiagnosticSeverity::Error));
    codes(&found)
}

#[test]
fn what_is_wrong_in_a_pipeline_is_named_with_its_place() {
    let table = [
        ("- type: field_name_maping\n  mapping: {a: b}", "unknown-transformation@4:5"),
        ("- mapping: {a: b}", "missing-parameter@4:5"),
        ("- type: field_name_mapping", "missing-parameter@4:5"),
        ("- type: field_name_mapping\n  mapping: [a]", "invalid-pipeline@5:5"),
        ("- type: field_name_mapping\n  mapping: {a: {b: c}}", "invalid-pipeline@5:15"),
        ("- type: field_name_mapping\n  maping: {a: b}\n  mapping: {a: b}", "unknown-parameter@5:5"),
        ("- type: replace_string\n  regex: 'a(?=b)'\n  replacement: x", "invalid-regex@5:14"),
        ("- type: query_expression_placeholders\n  expression: x", "unsupported-transformation@4:5"),
        ("- type: http_placeholders\n  url: http://x", "unsupported-transformation@4:5"),
        ("- type: drop_detection_item\n  rule_conditions: [{type: logsorce}]", "unknown-condition@5:23"),
        ("- type: drop_detection_item\n  rule_conditions: [{type: tag}]", "missing-parameter@5:23"),
        (
            "- type: drop_detection_item\n  rule_conditions: {one: {type: tag, tag: a}}\n  rule_cond_expr: one and two",
            "unknown-selection@6:29",
        ),
        ("- type: case\n  method: title", "invalid-pipeline@5:13"),
        ("- type: set_value\n  value: x\n  force_type: num", "invalid-pipeline@4:5"),
        ("- type: add_condition\n  conditions: {a|contain: 1}", "unknown-modifier@5:20"),
        ("- type: nest\n  items: [{type: no}]", "unknown-transformation@5:13"),
        ("- type: extract_fields\n  regex: a", "invalid-regex@4:5"),
        ("- type: file_placeholders\n  path: x", "placeholder-files@4:5"),
    ];
    for (transformations, expected) in table {
        assert_eq!(problems(transformations), expected, "{transformations}");
    }
}

#[test]
fn what_works_on_queries_is_ignored_and_said_to_be() {
    let text = format!(
        "{}postprocessing: [{{type: embed}}]\nfinalizers: [{{type: concat}}]\nfoo: 1\n",
        pipeline("- type: case")
    );
    let (loaded, found) = Pipeline::parse(&text, "p.yml");
    assert_eq!(loaded.unwrap().len(), 1);
    assert_eq!(codes(&found), "ignored-section@5:1 ignored-section@6:1 unknown-key@7:1");
}

#[test]
fn a_pipeline_without_a_name_has_that_of_its_file() {
    let (loaded, _) = Pipeline::parse("priority: -3\ntransformations: []\n", "dir/sysmon.yml");
    let loaded = loaded.unwrap();
    assert_eq!((loaded.name.as_str(), loaded.priority, loaded.is_empty()), ("sysmon", -3, true));
}

#[test]
fn hostile_pipelines_are_refused() {
    let code = |text: &str| {
        let (loaded, found) = Pipeline::parse(text, "p.yml");
        assert!(loaded.is_none());
        found.first().map_or("", |d| d.code)
    };
    assert_eq!(code(&"#".repeat(3_000_000)), "file-too-large");
    assert_eq!(code(""), "invalid-pipeline");
    assert_eq!(code("a: 1\n---\nb: 2\n"), "invalid-pipeline");
    assert_eq!(code("[1]"), "invalid-pipeline");
    assert_eq!(code(&format!("transformations: {}", "[".repeat(100))), "too-deep");
    let nested = (0..12).fold("{type: case}".to_owned(), |inner, _| format!("{{type: nest, items: [{inner}]}}"));
    assert_eq!(code(&format!("transformations: [{nested}]")), "too-large");
    let bombs = vec!["{type: replace_string, regex: '\\w{20}', replacement: x}"; 500].join(", ");
    assert_eq!(code(&format!("transformations: [{bombs}]")), "too-costly");
}

#[test]
fn a_pipeline_that_makes_a_rule_grow_without_end_refuses_it() {
    let grown = |step: &str, times: usize| {
        let text = format!("name: p\ntransformations:\n{}", format!("- {step}\n").repeat(times));
        let (pipeline, found) = Pipeline::parse(&text, "p.yml");
        let options = CompileOptions {
            pipelines: vec![pipeline.unwrap_or_else(|| panic!("{found:?}"))],
            ..CompileOptions::default()
        };
        let rule =
            "title: t\nid: r\nlevel: low\nlogsource: {product: linux}\ndetection: {s: {f: xxxxxxxx}, condition: s}\n";
        let start = std::time::Instant::now();
        let (set, found) = RuleSet::compile(crate::parse(rule, "r.yml").0, &options);
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "{step}: {:?}", start.elapsed());
        let mut codes: Vec<&str> = found.iter().map(|said| said.code).collect();
        codes.dedup();
        (set.len(), codes.join(" "))
    };
    let refused = (0, "refused-by-pipeline".to_owned());
    assert_eq!(grown("{type: replace_string, regex: x, replacement: xx}", 60), refused);
    assert_eq!(grown("{type: replace_string, regex: x, replacement: xx, skip_special: true}", 60), refused);
    assert_eq!(grown(&format!("{{type: field_name_prefix, prefix: {}}}", "p".repeat(100)), 60), refused);
    assert_eq!(grown("{type: field_name_mapping, mapping: {f: [f, f, f, f]}}", 30), refused);
    let marks = "?".repeat(600);
    let runs = grown(&format!("{{type: replace_string, regex: x, replacement: '{marks}'}}"), 1);
    assert_eq!(runs, (0, "value-too-long".to_owned()));
    assert_eq!(grown("{type: replace_string, regex: x, replacement: xx}", 3), (1, String::new()));
}

const SEED: &str = "name: s\npriority: 10\nvars: {Admins: [a, 2]}\ntransformations:\n\
- {id: m, type: field_name_mapping, mapping: {Image: [a, b], '~': k}, rule_conditions: [{type: logsource, product: windows}]}\n\
- {type: replace_string, regex: '^(.)x*', replacement: '\\1$\\g<1>', detection_item_conditions: [{type: match_string, cond: any, pattern: 'a'}]}\n\
- {type: value_placeholders}\n- {type: hashes_fields, valid_hash_algos: [MD5]}\n- {type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [x]}]}\n\
- {type: add_condition, conditions: {EventID: 1}, template: true}\n- {type: nest, items: [{type: case, method: upper}]}\n- {type: regex}\n- {type: convert_type, target_type: str}\n";

proptest! {
    #[test]
    fn arbitrary_text_never_makes_the_reader_panic(text: String) {
        Pipeline::parse(&text, "p.yml");
    }

    #[test]
    fn damaged_pipelines_never_panic_when_they_are_read_or_applied(
        cuts in prop::collection::vec((0..SEED.len(), 0..12usize, "\\PC{0,6}"), 0..5),
        value in "\\PC{0,12}",
    ) {
        let mut text = SEED.to_owned();
        for (at, length, with) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &with);
            }
        }
        let (loaded, _) = Pipeline::parse(&text, "p.yml");
        let value = serde_json::to_string(&value).unwrap();
        let detection = format!("a: {{Image|endswith: {value}, x: 1}}\nb: {{Hashes: {value}, u|expand: '%Admins%'}}\nk: [{value}]\ncondition: 1 of them");
        let (documents, _) = parse(&rule(&detection), "r.yml");
        let options = CompileOptions { pipelines: loaded.into_iter().collect(), ..CompileOptions::default() };
        RuleSet::compile(documents, &options);
    }
}
