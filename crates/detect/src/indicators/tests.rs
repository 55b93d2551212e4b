//! Tables beside what is obvious: each kind, expiry, allow-lists, and any lists against a plain search.

use std::sync::Arc;

use proptest::prelude::*;
use shieldops_model::{Entity, EntityKind, Severity, Timestamp};

use super::*;

const KEY: HashKey = HashKey([7, 11]);
const NOW: Timestamp = Timestamp::from_secs(1_000);

fn list(id: &str, allow: bool) -> Arc<ListFacts> {
    Arc::new(ListFacts {
        id: id.to_owned(),
        name: id.to_owned(),
        source: String::new(),
        allow,
        confidence: None,
        severity: Severity::High,
        shared: false,
    })
}

fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut reader = ListReader::new("x", ListFormat::Text, Defaults::default());
    reader.push(text.as_bytes(), &mut |entry| entries.push(entry));
    assert_eq!(reader.finish(&mut |entry| entries.push(entry)), []);
    entries
}

fn table(lists: &[(&str, bool, Vec<Entry>)]) -> Indicators {
    let blocks = |(id, allow, entries): &(&str, bool, Vec<Entry>)| ListBlocks {
        list: list(id, *allow),
        blocks: BlockWriter::blocks(entries),
    };
    let table = Table::build(lists.iter().map(blocks).collect(), KEY, 2).unwrap();
    Indicators::new([Arc::new(table)])
}

fn check(indicators: &Indicators, kind: EntityKind, value: &str) -> String {
    let hits = indicators.find(&[Entity::new(kind, value)], |_| NOW);
    let shown = |hit: &IndicatorHit| {
        let allowed = hit
            .allowed_by
            .as_ref()
            .map_or_else(String::new, |by| format!(" allowed by {}:{}", by.list.name, by.entry.line));
        format!("{}:{} {} {}{allowed}", hit.list.name, hit.entry.line, hit.entry.value.kind().as_str(), hit.entry.value)
    };
    let mut shown: Vec<String> = hits.iter().map(shown).collect();
    shown.sort();
    shown.join(", ")
}

#[test]
fn an_entity_is_found_with_every_list_and_line_that_names_it() {
    let bad = "# comment\n203.0.113.7\n198.51.100.0/24 # a network\nEvil.Example\n\nhttps://drop.example/p#x\n\
        D41D8CD98F00B204E9800998ECF8427E\n2001:db8::/32\nx.y@mail.example\n2001:db8::7\n";
    let indicators = table(&[
        ("bad", false, entries(bad)),
        ("other", false, entries("203.0.113.7\n*.c2.evil.example\n203.0.113.7\n")),
    ]);
    let table = [
        (EntityKind::Ip, "203.0.113.7", "bad:2 ip 203.0.113.7, other:1 ip 203.0.113.7"),
        (EntityKind::Ip, "203.0.113.70", ""),
        (EntityKind::Ip, "203.0.113.7:443", "bad:2 ip 203.0.113.7, other:1 ip 203.0.113.7"),
        (EntityKind::Ip, "::ffff:198.51.100.9", "bad:3 cidr 198.51.100.0/24"),
        (EntityKind::Ip, "2001:db8::7", "bad:10 ip 2001:db8::7, bad:8 cidr 2001:db8::/32"),
        (EntityKind::Ip, "not an address", ""),
        (EntityKind::Domain, "evil.example", "bad:4 domain evil.example"),
        (EntityKind::Domain, "notevil.example", ""),
        (EntityKind::Domain, "example", ""),
        (EntityKind::Domain, "a.c2.EVIL.example.", "bad:4 domain evil.example, other:2 domain c2.evil.example"),
        (EntityKind::Host, "www.evil.example", "bad:4 domain evil.example"),
        (EntityKind::Hash, "d41d8cd98f00b204e9800998ecf8427e", "bad:7 hash d41d8cd98f00b204e9800998ecf8427e"),
        (EntityKind::Hash, "d41d8cd98f00b204e9800998ecf8427", ""),
        (EntityKind::Url, "HTTPS://drop.example:443/p", "bad:6 url https://drop.example/p"),
        (EntityKind::Url, "https://drop.example/P", ""),
        (EntityKind::Url, "http://u@a.evil.example:8080/x", "bad:4 domain evil.example"),
        (EntityKind::Url, "http://203.0.113.7:81/x", "bad:2 ip 203.0.113.7, other:1 ip 203.0.113.7"),
        (EntityKind::Url, "http://[2001:db8::8]/x", "bad:8 cidr 2001:db8::/32"),
        (EntityKind::User, "X.Y@Mail.Example", "bad:9 email x.y@mail.example"),
        (EntityKind::User, "203.0.113.7", ""),
        (EntityKind::File, "evil.example", ""),
    ];
    for (kind, value, expected) in table {
        assert_eq!(check(&indicators, kind, value), expected, "{value}");
    }
    assert_eq!(indicators.len(), 10);
}

#[test]
fn an_entry_is_no_hit_from_the_second_on_in_which_it_expires() {
    let mut entries = entries("evil.example\n10.0.0.0/8\n203.0.113.7\n");
    for (entry, expires) in entries.iter_mut().zip([1_000, 1_001, 999]) {
        entry.expires = Some(expires);
    }
    let indicators = table(&[("bad", false, entries)]);
    assert_eq!(check(&indicators, EntityKind::Domain, "evil.example"), "");
    assert_eq!(check(&indicators, EntityKind::Ip, "10.1.1.1"), "bad:2 cidr 10.0.0.0/8");
    assert_eq!(check(&indicators, EntityKind::Ip, "203.0.113.7"), "");
}

#[test]
fn an_entry_that_expired_between_two_events_of_a_batch_is_a_hit_of_the_first_alone() {
    let mut entries = entries("evil.example\n");
    for entry in &mut entries {
        entry.expires = Some(1_000);
    }
    let indicators = table(&[("bad", false, entries)]);
    let entities = vec![Entity::new(EntityKind::Domain, "evil.example"); 3];
    let times = [999, 1_000, 998].map(Timestamp::from_secs);
    let found: Vec<usize> = indicators.find(&entities, |place| times[place]).iter().map(|hit| hit.index).collect();
    assert_eq!(found, [0, 2]);
}

#[test]
fn what_an_allow_list_names_is_marked_and_a_bad_page_of_a_good_host_is_not() {
    let bad = entries("10.1.2.3\nevil.example\nhttp://cdn.example/bad\nhttp://cdn.example/good\ncdn.example\n");
    let good = entries("10.0.0.0/8\ncdn.example\nhttp://cdn.example/good\n");
    let indicators = table(&[("bad", false, bad), ("good", true, good)]);
    assert_eq!(check(&indicators, EntityKind::Ip, "10.1.2.3"), "bad:1 ip 10.1.2.3 allowed by good:1");
    assert_eq!(check(&indicators, EntityKind::Ip, "10.1.2.4"), "");
    assert_eq!(check(&indicators, EntityKind::Domain, "evil.example"), "bad:2 domain evil.example");
    assert_eq!(
        check(&indicators, EntityKind::Url, "http://cdn.example/bad"),
        "bad:3 url http://cdn.example/bad, bad:5 domain cdn.example allowed by good:2"
    );
    assert_eq!(
        check(&indicators, EntityKind::Url, "http://cdn.example/good"),
        "bad:4 url http://cdn.example/good allowed by good:3, bad:5 domain cdn.example allowed by good:2"
    );
}

#[test]
fn many_entities_at_once_give_the_hits_of_each_in_their_order() {
    let lines: Vec<String> = (0..5_000).map(|n| format!("host-{n}.evil.example")).collect();
    let indicators = table(&[("bad", false, entries(&lines.join("\n")))]);
    let entities: Vec<Entity> =
        (0..5_000).map(|n| Entity::new(EntityKind::Domain, format!("host-{}.evil.example", n * 2))).collect();
    let found: Vec<usize> = indicators.find(&entities, |_| NOW).iter().map(|hit| hit.index).collect();
    assert_eq!(found, (0..2_500).collect::<Vec<_>>());
}

#[test]
fn a_table_built_on_more_threads_is_the_same() {
    let lines: Vec<String> = (0..3_000).map(|n| format!("d{}.example", n % 2_000)).collect();
    let blocks = vec![ListBlocks { list: list("a", false), blocks: BlockWriter::blocks(&entries(&lines.join("\n"))) }];
    for threads in [0, 1, 2, 3, 8, 100] {
        assert_eq!(Table::build(blocks.clone(), KEY, threads).unwrap().len(), 2_000, "{threads}");
    }
}

/// What a search through all entries finds, without tables.
fn plain(lists: &[(&str, bool, Vec<Entry>)], kind: EntityKind, value: &str) -> String {
    let mut found = Vec::new();
    let named = |entry: &Entry| match (&entry.value, kind) {
        (Value::Ip(ip), EntityKind::Ip) => value == ip.to_string(),
        (Value::Cidr(net), EntityKind::Ip) => value.parse().is_ok_and(|ip: std::net::IpAddr| net.contains(&ip)),
        (Value::Domain(name), EntityKind::Domain) => value == name || value.ends_with(&format!(".{name}")),
        _ => false,
    };
    for (id, _, entries) in lists {
        let mut seen = std::collections::HashSet::new();
        for entry in entries.iter().filter(|entry| named(entry) && seen.insert(entry.value.clone())) {
            found.push(format!("{id}:{} {} {}", entry.line, entry.value.kind().as_str(), entry.value));
        }
    }
    found.sort();
    found.join(", ")
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u8..4, 0_u8..4).prop_map(|(a, b)| format!("10.0.{a}.{b}")),
        (0_u8..4, 0_u8..4, 20_u8..32).prop_map(|(a, b, bits)| format!("10.0.{a}.{b}/{bits}")),
        "[ab](\\.[ab]){0,3}\\.example",
    ]
}

proptest! {
    #[test]
    fn a_table_finds_what_a_plain_search_finds(
        one in proptest::collection::vec(word(), 0..60),
        two in proptest::collection::vec(word(), 0..60),
        asked in proptest::collection::vec(word(), 1..60),
    ) {
        let lists = [("one", false, entries(&one.join("\n"))), ("two", false, entries(&two.join("\n")))];
        let indicators = table(&lists);
        for value in asked.iter().filter(|value| !value.contains('/')) {
            let kind = if value.ends_with("example") { EntityKind::Domain } else { EntityKind::Ip };
            prop_assert_eq!(check(&indicators, kind, value), plain(&lists, kind, value));
        }
    }

    #[test]
    fn no_list_and_no_entity_makes_it_panic(list: String, value: String) {
        let mut found = Vec::new();
        let mut reader = ListReader::new("x", ListFormat::guess(&list), Defaults::default());
        for text in [&list, &format!("\nhttp://{value}\n{value}\n{value}@x.example")] {
            reader.push(text.as_bytes(), &mut |entry| found.push(entry));
        }
        reader.finish(&mut |entry| found.push(entry));
        let indicators = table(&[("x", false, found)]);
        for kind in EntityKind::ALL {
            check(&indicators, kind, &value);
            check(&indicators, kind, &format!("http://{value}"));
        }
    }
}
