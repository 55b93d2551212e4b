//! What each modifier makes of its values.

use std::collections::BTreeMap;

use shieldops_detect::CompileOptions;

use crate::check::{check, check_with};

fn check_item(item: &str, events: &[&str]) -> String {
    check(&format!("sel:\n  {item}\ncondition: sel"), events)
}

#[test]
fn windash_takes_every_dash_in_both_directions() {
    let events = [
        r#"{"c":"procdump -accepteula -ma x"}"#,
        r#"{"c":"procdump /accepteula /ma x"}"#,
        r#"{"c":"procdump –accepteula —ma x"}"#,
        r#"{"c":"procdump ―accepteula -ma x"}"#,
        r#"{"c":"procdump -accepteula /ma x"}"#,
        r#"{"c":"procdump accepteula ma"}"#,
    ];
    assert_eq!(check_item("c|windash|contains|all: [' -accepteula', ' -ma ']", &events), "xxxxx.");
    assert_eq!(check_item("c|windash|contains|all: [' /accepteula', ' /ma ']", &events), "xxxxx.");
    assert_eq!(check_item("c|contains|windash: '/accepteula -ma'", &events), "xxxxx.");
    assert_eq!(check_item("c|windash|endswith: '-ma x'", &events), "xxxxx.");
}

#[test]
fn base64offset_finds_a_powershell_command_at_each_offset() {
    // `IEX(` in UTF-16LE behind 0, 1 and 2 other characters, as `-enc` carries it.
    let events = [
        r#"{"c":"powershell -enc SQBFAFgAKABOAGUAdwA="}"#,
        r#"{"c":"powershell -enc IABJAEUAWAAoAE4AZQB3AA=="}"#,
        r#"{"c":"powershell -enc OwAgAEkARQBYACgATgBlAHcA"}"#,
        r#"{"c":"powershell -enc aGVsbG8="}"#,
    ];
    assert_eq!(check_item("c|wide|base64offset|contains: IEX(New", &events), "xxx.");
    assert_eq!(check_item("c|utf16le|base64offset|contains: IEX(New", &events), "xxx.");
    assert_eq!(check_item("c|base64offset|contains: hello", &events), "...x");
    assert_eq!(check_item("c|base64|contains: hello", &events), "...x");
    let other_case = [r#"{"c":"AGVSBG8="}"#];
    assert_eq!(check_item("c|base64|contains: hello", &other_case), "x");
    assert_eq!(check_item("c|base64|contains|cased: hello", &other_case), ".");
}

#[test]
fn utf16_forms_are_found_in_values_with_nul_characters() {
    let events = [
        r#"{"f":"a\u0000b\u0000"}"#,
        r#"{"f":"\u0000a\u0000b"}"#,
        r#"{"f":"\u00ff\u00fea\u0000b\u0000"}"#,
        r#"{"f":"ab"}"#,
    ];
    assert_eq!(check_item("f|wide|contains: ab", &events), "x.x.");
    assert_eq!(check_item("f|utf16be|contains: ab", &events), ".x..");
    assert_eq!(check_item("f|utf16|contains: ab", &events), "..x.");
}

#[test]
fn a_regex_is_searched_with_its_flags() {
    let events = [r#"{"f":"one\ntwo"}"#, r#"{"f":"ONE"}"#, r#"{"f":"xonex"}"#, r#"{"f":1}"#];
    let table = [
        ("f|re: one", "x.x."),
        ("f|re: '^one$'", "...."),
        ("f|re|m: '^one$'", "x..."),
        ("f|re: 'one.two'", "...."),
        ("f|re|s: 'one.two'", "x..."),
        ("f|re|i: one", "xxx."),
        ("f|re: '^[0-9]$'", "...x"),
        ("f|re: ['two', '^x']", "x.x."),
        ("f|re|neq: one", ".x.x"),
    ];
    for (item, expected) in table {
        assert_eq!(check_item(item, &events), expected, "{item}");
    }
}

#[test]
fn a_greedy_regex_over_a_long_value_still_answers() {
    let value = format!(r#"{{"f":"{}"}}"#, "a".repeat(32 * 1_024));
    assert_eq!(check_item("f|re: '(.{250,})x'", &[&value]), ".");
    assert_eq!(check_item("f|re: '.{1000,}'", &[&value, r#"{"f":"a"}"#]), "x.");
    assert_eq!(check_item("f|re: '(a*)*b'", &[&value]), ".");
}

#[test]
fn cidr_takes_addresses_however_they_are_written() {
    let events = [
        r#"{"ip":"10.1.2.3"}"#,
        r#"{"ip":"::ffff:10.0.0.1"}"#,
        r#"{"ip":"10.0.0.1:80"}"#,
        r#"{"ip":"192.0.2.1"}"#,
        r#"{"ip":"-"}"#,
        r#"{"ip":["-","10.9.9.9"]}"#,
        r#"{"ip":"fe80::1%eth0"}"#,
    ];
    assert_eq!(check_item("ip|cidr: 10.0.0.0/8", &events), "xxx..x.");
    assert_eq!(check_item("ip|cidr: ['fe80::/10', 192.0.2.0/24]", &events), "...x..x");
}

#[test]
fn fieldref_compares_two_fields_and_absence_is_no_match() {
    let events = [
        r#"{"User":"A","ParentUser":"a"}"#,
        r#"{"User":"a","ParentUser":"b"}"#,
        r#"{"User":"a"}"#,
        r#"{"ParentUser":"a"}"#,
        r#"{"User":null,"ParentUser":null}"#,
        r#"{"User":["x","y"],"ParentUser":["z","Y"]}"#,
        r#"{"User":"abc","ParentUser":"b"}"#,
    ];
    assert_eq!(check_item("User|fieldref: ParentUser", &events), "x....x.");
    assert_eq!(check_item("User|fieldref|neq: ParentUser", &events), ".xxxx.x");
    assert_eq!(check_item("User|fieldref|contains: ParentUser", &events), "x....xx");
    assert_eq!(check_item("User|fieldref|startswith: ParentUser", &events), "x....x.");
    assert_eq!(check_item("User|fieldref|endswith: ParentUser", &events), "x....x.");
    assert_eq!(check_item("User|fieldref|cased: ParentUser", &events), ".......");
}

#[test]
fn a_placeholder_is_false_without_a_list_and_its_values_with_one() {
    let detection = "sel: {a: 1}\nfilter: {h|expand: '%Admins%'}\ncondition: sel and not filter";
    let events = [r#"{"a":1,"h":"ws1"}"#, r#"{"a":1,"h":"ws3"}"#];
    assert_eq!(check(detection, &events), "xx");
    let lists = BTreeMap::from([("Admins".to_owned(), ["WS1".to_owned(), "ws2".to_owned()].into())]);
    let options = CompileOptions { placeholders: lists, ..CompileOptions::default() };
    assert_eq!(check_with(detection, &events, &options), ".x");
    let detection = "sel: {h|contains|expand: '\\%Admins%.%Missing%'}\ncondition: sel";
    assert_eq!(check_with(detection, &events, &options), "..");
    assert_eq!(check_with("sel: {h|expand|contains: '%Admins%'}\ncondition: sel", &events, &options), "x.");
}

#[test]
fn parts_of_a_time_are_read_as_they_are_written_without_conversion_of_zones() {
    let events = [
        r#"{"t":"2025-10-25T23:30:00-02:00"}"#,
        r#"{"t":"2016-12-31T23:59:60Z"}"#,
        r#"{"t":"2021-01-01"}"#,
        r#"{"t":"x"}"#,
        r#"{"t":1761399873}"#,
    ];
    let table = [
        ("t|day: 25", "x...x"),
        ("t|minute: 59", ".x..."),
        ("t|week: 53", "..x.."),
        ("t|year|gte: 2021", "x.x.x"),
        ("t|month: [10, 12]", "xx..x"),
        ("t|hour|lt: 2", "..x.."),
        ("t|hour|neq: 23", "..xxx"),
    ];
    for (item, expected) in table {
        assert_eq!(check_item(item, &events), expected, "{item}");
    }
}

#[test]
fn wide_text_keeps_its_wildcards_and_base64_refuses_them() {
    let events = [r#"{"f":"a\u0000b\u0000"}"#, r#"{"f":"a\u0000x\u0000b\u0000"}"#, r#"{"f":"axb"}"#];
    assert_eq!(check_item("f|wide: a*b", &events), "xx.");
    assert_eq!(check_item("f|utf16be: a*b", &events), "...");
    assert_eq!(check_item("f|wide|base64: a*b", &events), "invalid-value@7:20");
    assert_eq!(check_item("f|base64: a\\*b", &[r#"{"f":"YSpi"}"#]), "x");
}

#[test]
fn modifiers_that_say_nothing_where_they_stand_are_refused() {
    let table = [
        ("'|exists': true", "invalid-value@7:16"),
        ("f|exists: 'true'", "invalid-value@7:16"),
        ("f|fieldref: a*", "invalid-value@7:17"),
        ("'|fieldref': a", "invalid-value@7:18"),
        ("f|minute: x", "invalid-value@7:15"),
        ("f|minute|contains: 1", "conflicting-modifiers@7:7"),
        ("f|cidr|contains: 10.0.0.0/8", "conflicting-modifiers@7:7"),
        ("f|base64|re: a", "conflicting-modifiers@7:7"),
        ("f|gt|lt: 1", "conflicting-modifiers@7:10"),
        ("f|lt|contains: 1", "conflicting-modifiers@7:7"),
    ];
    for (item, expected) in table {
        assert_eq!(check_item(item, &[]), expected, "{item}");
    }
}

#[test]
fn the_order_of_modifiers_that_do_not_encode_is_free() {
    let events = [r#"{"f":"xABx"}"#, r#"{"f":"xabx"}"#];
    for item in ["f|contains|cased: ab", "f|cased|contains: ab"] {
        assert_eq!(check_item(item, &events), ".x", "{item}");
    }
    for item in ["f|re|i|m|s: '^xAB'", "f|re|s|m|i: '^xAB'", "f|re|ignorecase|multiline|dotall: '^xAB'"] {
        assert_eq!(check_item(item, &events), "xx", "{item}");
    }
    assert_eq!(check_item("f|contains|all|neq: [x, AB]", &[r#"{"f":"xAB"}"#, r#"{"f":"x"}"#, "{}"]), ".xx");
}

#[test]
fn a_list_of_a_hundred_thousand_values_for_a_placeholder_is_bounded_and_a_thousand_are_used() {
    let list = |count: usize| (0..count).map(|number| format!("v{number}")).collect();
    let check = |count: usize| {
        let lists = BTreeMap::from([("L".to_owned(), list(count))]);
        let options = CompileOptions { placeholders: lists, ..CompileOptions::default() };
        check_with("sel: {f|expand: '%L%'}\ncondition: sel", &[r#"{"f":"v1999"}"#, r#"{"f":"w"}"#], &options)
    };
    assert_eq!(check(2_000), "x.");
    assert_eq!(check(100_002), "..");
}
