//! How values are compared: absence, numbers, case, escapes, lists.

use crate::check::check;

#[test]
fn null_is_absence_and_an_empty_string_is_a_value() {
    let events =
        ["{}", r#"{"f":null}"#, r#"{"f":""}"#, r#"{"f":"-"}"#, r#"{"f":[]}"#, r#"{"f":[null]}"#, r#"{"f":[null,1]}"#];
    let table = [
        ("sel: {f: null}\ncondition: sel", "xx..xx."),
        ("sel: {f: ''}\ncondition: sel", "..x...."),
        ("sel: {f|exists: true}\ncondition: sel", ".xxxxxx"),
        ("sel: {f|exists: false}\ncondition: sel", "x......"),
        ("sel: {f: '*'}\ncondition: sel", "..xx..x"),
        ("sel: {f: [null, '']}\ncondition: sel", "xxx.xx."),
        ("sel: {f:}\ncondition: sel", "xx..xx."),
    ];
    for (detection, expected) in table {
        assert_eq!(check(detection, &events), expected, "{detection}");
    }
}

#[test]
fn a_negated_filter_over_an_absent_field_is_true() {
    let detection = "sel: {a: 1}\nfilter: {b|startswith: x}\ncondition: sel and not filter";
    assert_eq!(check(detection, &[r#"{"a":1}"#, r#"{"a":1,"b":"xy"}"#, r#"{"a":1,"b":"y"}"#]), "x.x");
}

#[test]
fn neq_is_a_negation_and_with_a_list_means_none_of_them() {
    let events = ["{}", r#"{"f":"a"}"#, r#"{"f":"b"}"#, r#"{"f":"c"}"#];
    assert_eq!(check("sel: {f|neq: a}\ncondition: sel", &events), "x.xx");
    assert_eq!(check("sel: {f|neq: [a, b]}\ncondition: sel", &events), "x..x");
    assert_eq!(check("sel: {f|contains|neq: a}\ncondition: sel", &events), "x.xx");
}

#[test]
fn numbers_are_equal_by_value_and_strings_by_text() {
    let table = [
        ("1", "1", 'x'),
        ("1", r#""1""#, 'x'),
        ("1", "1.0", 'x'),
        ("1", r#""1.0""#, 'x'),
        ("1.0", "1", 'x'),
        ("'1'", "1", 'x'),
        ("'1'", "1.0", '.'),
        ("3389", r#""3389""#, 'x'),
        ("4", "40", '.'),
        ("4", "14", '.'),
        ("1e3", "1000", 'x'),
        ("-1", r#""-1""#, 'x'),
        ("9007199254740993", "9007199254740993", 'x'),
        ("9007199254740993", "9007199254740992", '.'),
        ("18446744073709551617", "18446744073709551617", 'x'),
        ("18446744073709551617", "18446744073709551616", '.'),
        ("999", r#""0x3e7""#, '.'),
        ("0x3e7", r#""0x3E7""#, 'x'),
        ("0x3e7", "999", '.'),
        ("true", "true", 'x'),
        ("true", r#""True""#, 'x'),
        ("true", "1", '.'),
        ("'true'", "true", 'x'),
        ("false", "false", 'x'),
    ];
    for (rule, event, expected) in table {
        let marks = check(&format!("sel: {{f: {rule}}}\ncondition: sel"), &[&format!(r#"{{"f":{event}}}"#)]);
        assert_eq!(marks, expected.to_string(), "{rule} on {event}");
    }
}

#[test]
fn numbers_inside_a_text_are_looked_for_as_they_are_written() {
    assert_eq!(
        check("sel: {f|contains: 10}\ncondition: sel", &[r#"{"f":"a10b"}"#, r#"{"f":210}"#, r#"{"f":"1"}"#]),
        "xx."
    );
}

#[test]
fn comparisons_are_numeric_and_exact() {
    let events = [r#"{"f":9}"#, r#"{"f":"10"}"#, r#"{"f":10.5}"#, r#"{"f":"x"}"#, "{}", r#"{"f":null}"#];
    let table = [("lt: 10", "x....."), ("lte: 10", "xx...."), ("gt: 10", "..x..."), ("gte: '10'", ".xx...")];
    for (comparison, expected) in table {
        assert_eq!(check(&format!("sel:\n  f|{comparison}\ncondition: sel"), &events), expected, "{comparison}");
    }
    assert_eq!(check("sel: {f|lt: ten}\ncondition: sel", &[]), "invalid-value@6:15");
    let big = [r#"{"f":9007199254740993}"#, r#"{"f":9007199254740992}"#];
    assert_eq!(check("sel: {f|gt: 9007199254740992}\ncondition: sel", &big), "x.");
}

#[test]
fn case_does_not_count_unless_the_rule_says_so() {
    let events = [r#"{"f":"ABC"}"#, r#"{"f":"abc"}"#, r#"{"f":"xabcx"}"#];
    let table = [
        ("f: abc", "xx."),
        ("f|cased: abc", ".x."),
        ("f|contains: aBc", "xxx"),
        ("f|contains|cased: abc", ".xx"),
        ("f|re: abc", ".xx"),
        ("f|re|i: ABC", "xxx"),
    ];
    for (item, expected) in table {
        assert_eq!(check(&format!("sel:\n  {item}\ncondition: sel"), &events), expected, "{item}");
    }
    let kelvin = ["{\"f\":\"\u{212A}\"}", r#"{"f":"\u212a"}"#, r#"{"f":"K"}"#];
    assert_eq!(check("sel: {f: k}\ncondition: sel", &kelvin), "xxx");
    assert_eq!(check("sel: {f|cased: k}\ncondition: sel", &kelvin), "...");
}

#[test]
fn escapes_and_wildcards_in_a_rule_mean_what_the_specification_says() {
    let events = [r#"{"f":"C:\\Users\\me\\Desktop\\x"}"#, r#"{"f":"C:\\Desktop"}"#, r#"{"f":"a*b"}"#, r#"{"f":"aüb"}"#];
    let table = [
        (r"f|contains: \Desktop\", "x..."),
        (r"f: '*\\Desktop\\*'", "x..."),
        (r"f: C:\\Users\\*", "x..."),
        (r"f: a\*b", "..x."),
        (r"f: a?b", "..xx"),
        (r"f|endswith: '\desktop'", ".x.."),
        (r"f: '[a]*'", "...."),
        (r"f|contains: '*'", "xxxx"),
    ];
    for (item, expected) in table {
        assert_eq!(check(&format!("sel:\n  {item}\ncondition: sel"), &events), expected, "{item}");
    }
}

#[test]
fn every_legal_spelling_of_a_json_string_is_the_same_value() {
    let spellings = [
        r#"{"Image":"C:\\a"}"#,
        r#"{"Image":"\u0043:\\a"}"#,
        r#"{"Im\u0061ge":"C:\u005ca"}"#,
        r#"{ "Image" : "\u0043\u003a\\\u0061" }"#,
    ];
    assert_eq!(check("sel: {Image|endswith: '\\a'}\ncondition: sel", &spellings), "xxxx");
    assert_eq!(check("sel: {Image: 'C:\\a'}\ncondition: sel", &spellings), "xxxx");
    // A newline, not a backslash and an n; and a pair of backslashes is one.
    assert_eq!(check("sel: {f|endswith: '\\n'}\ncondition: sel", &[r#"{"f":"x\n"}"#, r#"{"f":"x\\n"}"#]), ".x");
    assert_eq!(check("sel: {f: a/b}\ncondition: sel", &[r#"{"f":"a\/b"}"#]), "x");
}

#[test]
fn a_list_matches_when_any_of_its_values_does() {
    let events = [
        r#"{"Data":["a","b","needle"]}"#,
        r#"{"Data":["a"]}"#,
        r#"{"Data":[["deep needle"]]}"#,
        r#"{"Data":"needle"}"#,
    ];
    assert_eq!(check("sel: {Data|contains: needle}\ncondition: sel", &events), "x.xx");
    // Each value of `all` may be in another element.
    let detection = "sel: {Data|contains|all: [a, needle]}\ncondition: sel";
    assert_eq!(check(detection, &events), "x...");
}

#[test]
fn a_path_goes_into_objects_and_through_lists_and_a_flat_key_wins() {
    let events = [
        r#"{"a":{"b":1}}"#,
        r#"{"a":[{"b":0},{"b":1}]}"#,
        r#"{"a.b":1,"a":{"b":0}}"#,
        r#"{"a":{"b":1},"a.b":0}"#,
        r#"{"a":{"b.c":1}}"#,
        r#"{"a":1}"#,
        r#"{"a":{"b":{"c":1}}}"#,
        r#"{"a.b":{"c":1}}"#,
    ];
    assert_eq!(check("sel: {a.b: 1}\ncondition: sel", &events), "xxx.....");
    assert_eq!(check("sel: {a.b.c: 1}\ncondition: sel", &events), "....x.xx");
}

#[test]
fn of_equal_keys_the_last_one_counts() {
    let events = [
        r#"{"a":1,"a":2}"#,
        r#"{"a":2,"a":1}"#,
        r#"{"a":2,"\u0061":1}"#,
        r#"{"a":{"b":1},"a":{}}"#,
        r#"{"x":{"a":1,"a":2}}"#,
    ];
    assert_eq!(check("sel: {a: 1}\ncondition: sel", &events), ".xx..");
    assert_eq!(check("sel: {a.b: 1}\ncondition: sel", &events), ".....");
    assert_eq!(check("sel: {x.a: 1}\ncondition: sel", &events), ".....");
    assert_eq!(check("sel: {x.a: 2}\ncondition: sel", &events), "....x");
    assert_eq!(check("kw: ['1']\ncondition: kw", &[r#"{"a":1,"a":2}"#]), ".");
}
