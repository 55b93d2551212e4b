//! Where in a value a rule's line found what it looks for: byte ranges for people's eyes.

use std::ops::Range;

use super::{
    item::Test,
    pattern::{self, Parts, Pattern, Token},
};

/// Characters of a value that are shown, and of those before what was found.
const MAX_SHOWN: usize = 512;
const BEFORE: usize = 64;
/// Places of one value.
const MAX_RANGES: usize = 20;
/// A longer value has no places: to look for them costs as much as it is long.
const MAX_BYTES: usize = 16_384;

/// The part of the value that is shown, and where in it (UTF-8) the test found what it looks for.
pub(super) fn shown(text: &str, test: Option<&Test>) -> (String, Vec<[usize; 2]>) {
    let found = test.filter(|_| text.len() <= MAX_BYTES).map(|test| ranges(test, text)).unwrap_or_default();
    let cut = |from: usize| {
        let part = text.get(from..).unwrap_or_default();
        part.char_indices().nth(MAX_SHOWN).and_then(|(end, _)| part.get(..end)).unwrap_or(part)
    };
    let (mut from, mut part) = (0, cut(0));
    if let Some(first) = found.first().filter(|first| first.end > part.len()) {
        let before = text.get(..first.start).unwrap_or_default();
        from = before.char_indices().rev().nth(BEFORE.saturating_sub(1)).map_or(0, |(at, _)| at);
        part = cut(from);
    }
    let inside = found
        .iter()
        .filter(|range| range.start >= from)
        .map(|range| [range.start.saturating_sub(from), range.end.saturating_sub(from).min(part.len())]);
    (part.to_owned(), inside.filter(|[start, end]| start < end).collect())
}

/// Places in order, none of them empty; none where the test does not pass or is about absence.
fn ranges(test: &Test, text: &str) -> Vec<Range<usize>> {
    let whole = || std::iter::once(0..text.len()).collect();
    let mut found = match test {
        Test::Pattern(pattern) => of_pattern(pattern, text),
        Test::Either(tests) => {
            let folded = pattern::folded(text);
            tests.iter().find(|test| test.passes(text, &folded)).map_or(Vec::new(), |test| ranges(test, text))
        }
        Test::Regex(regex) => regex.places(text).take(MAX_RANGES).collect(),
        Test::Number { .. } | Test::Compare { .. } | Test::Date { .. } | Test::Network(_) => whole(),
        Test::Null | Test::Exists(_) | Test::FieldRef { .. } | Test::Unresolved => Vec::new(),
    };
    found.retain(|range| !range.is_empty());
    found
}

fn of_pattern(pattern: &Pattern, text: &str) -> Vec<Range<usize>> {
    if pattern.is_cased() {
        return in_value(pattern.parts(), text);
    }
    let folded = pattern::folded(text);
    let found = in_value(pattern.parts(), &folded);
    if text.is_ascii() {
        return found;
    }
    // Lower case may have another length: each character is where it began.
    let mut starts = vec![(0, 0)];
    let (mut in_folded, mut in_text) = (0_usize, 0_usize);
    for char in text.chars() {
        in_folded = in_folded.saturating_add(char.to_lowercase().map(char::len_utf8).sum());
        in_text = in_text.saturating_add(char.len_utf8());
        starts.push((in_folded, in_text));
    }
    let start = |at: usize| starts.partition_point(|(folded, _)| *folded <= at).saturating_sub(1);
    let end = |at: usize| starts.partition_point(|(folded, _)| *folded < at);
    let original = |index: usize| starts.get(index).map_or(text.len(), |(_, text)| *text);
    found.into_iter().map(|range| original(start(range.start))..original(end(range.end))).collect()
}

fn in_value(parts: Parts<'_>, value: &str) -> Vec<Range<usize>> {
    use pattern::Anchor;
    let found = match parts {
        Parts::Any => return Vec::new(),
        Parts::Text(_, Anchor::Whole) => 0..value.len(),
        Parts::Text(text, Anchor::Start) => 0..text.len(),
        Parts::Text(text, Anchor::End) => value.len().saturating_sub(text.len())..value.len(),
        Parts::Text(text, Anchor::Anywhere) => {
            let places = value.match_indices(text).take(MAX_RANGES);
            return places.map(|(at, text)| at..at.saturating_add(text.len())).collect();
        }
        Parts::Runs(runs) => return in_order(runs, value),
    };
    vec![found]
}

/// The runs between stars, each where the matcher finds it.
fn in_order(runs: &[Vec<Token>], value: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0_usize;
    let last = runs.len().saturating_sub(1);
    for (index, run) in runs.iter().enumerate() {
        let rest = value.get(from..).unwrap_or_default();
        let place = match index {
            0 => pattern::at_start(run, rest).map(|after| 0..rest.len().saturating_sub(after.len())),
            _ if index == last => pattern::at_end(run, rest).map(|before| before.len()..rest.len()),
            _ => pattern::leftmost(run, rest),
        };
        let Some(place) = place else { return Vec::new() };
        found.push(from.saturating_add(place.start)..from.saturating_add(place.end));
        from = from.saturating_add(place.end);
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn marked(line: &str, value: &str) -> String {
        let text = format!(
            "title: t\nid: r\nlevel: low\nlogsource: {{product: p}}\ndetection:\n  s: {{{line}}}\n  condition: s\n"
        );
        let (documents, problems) = parse(&text, "r.yml");
        assert_eq!(problems, [], "{line}");
        let rules = documents.into_rules();
        let (set, _) = crate::RuleSet::compile(rules.clone(), &crate::CompileOptions::default());
        let event = serde_json::json!({ "f": value }).to_string();
        let source = rules[0].log_source.as_event_source();
        let hits = set.explain(set.get("r").unwrap(), &source, event.as_bytes());
        let hit = hits.first().unwrap_or_else(|| panic!("{line} does not match {value}"));
        hit.ranges.iter().flat_map(|[start, end]| ["[", hit.value.get(*start..*end).unwrap(), "]"]).collect()
    }

    #[test]
    fn what_was_found_is_marked_in_the_value_as_it_is_written() {
        let table = [
            ("f|contains: foo", "a FOO and foo", "[FOO][foo]"),
            ("f|startswith: foo", "FOOfoo", "[FOO]"),
            ("f|endswith: foo", "fooFoO", "[FoO]"),
            ("f: foo", "Foo", "[Foo]"),
            ("f: 'a*c?e*z'", "Abc ccdezz", "[A][cde][z]"),
            ("f: '*one*two*'", "zero ONE xx Two", "[ONE][Two]"),
            ("f|contains: k", "\u{212a}", "[\u{212a}]"),
            ("f|contains: \u{fc}b", "\u{130}\u{130} \u{dc}B \u{130}", "[\u{dc}B]"),
            ("f|contains|cased: Foo", "foo Foo", "[Foo]"),
            ("f|re: 'b+'", "abbcb", "[bb][b]"),
            ("f|re|i: 'B+'", "abbc", "[bb]"),
            ("f|cidr: 10.0.0.0/8", "10.1.1.1", "[10.1.1.1]"),
            ("f|gt: 5", "77", "[77]"),
            ("f|windash|contains: ' -x'", "a /x", "[ /x]"),
            ("f|neq: a", "b", ""),
            ("f|exists: true", "b", ""),
            ("f: '*'", "b", ""),
        ];
        for (line, value, expected) in table {
            assert_eq!(marked(line, value), expected, "{line} in {value}");
        }
    }

    #[test]
    fn of_a_long_value_the_part_is_shown_in_which_something_was_found() {
        let value = format!("{}needle{}", "\u{e4}".repeat(3_000), "x".repeat(3_000));
        assert_eq!(marked("f|contains: needle", &value), "[needle]");
        assert_eq!(marked("f|contains: needle", &"needle".repeat(5_000)), "", "too long to be looked through");
    }
}
