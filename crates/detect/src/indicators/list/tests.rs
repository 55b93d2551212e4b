//! Lists of every format.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::indicators::Block;

/// What a list gives when it comes in pieces of some size, then what is wrong with it.
fn check(text: &str, piece: usize) -> String {
    let format = ListFormat::guess(text);
    let mut reader = ListReader::new("x", format, Defaults { confidence: Some(50), ..Defaults::default() });
    let mut lines = vec![format.as_str().to_owned()];
    let mut found = |entry: Entry| {
        let Entry { value, line, added, expires, confidence, reference } = entry;
        let time = |time: Option<u32>| time.map_or("-".to_owned(), |time| time.to_string());
        let confidence = confidence.unwrap_or(0);
        lines.push(
            format!(
                "{line} {} {value} {} {} {confidence} {reference}",
                value.kind().as_str(),
                time(added),
                time(expires)
            )
            .trim()
            .to_owned(),
        );
    };
    for piece in text.as_bytes().chunks(piece) {
        reader.push(piece, &mut found);
    }
    let problems = reader.finish(&mut found);
    lines.extend(problems.iter().map(|problem| format!("{}: {}", problem.line, problem.message)));
    lines.join("\n")
}

#[test]
fn a_text_list_has_one_indicator_a_line_and_what_is_none_is_named() {
    let text = "\u{feff}# comment\r\n203.0.113.7\n198.51.100.0/24 # a network\n\n*.Evil.Example\nhxxps://drop[.]example/p#x\n\
        A.B@Mail.Example\nD41D8CD98F00B204E9800998ECF8427E\n::ffff:192.0.2.1\n300.1.1.1\nlocalhost\nHTTP://x.example:80/%2f";
    let expected = "text\n2 ip 203.0.113.7 - - 50\n3 cidr 198.51.100.0/24 - - 50\n5 domain evil.example - - 50\n\
        6 url https://drop.example/p - - 50\n7 email a.b@mail.example - - 50\n8 hash d41d8cd98f00b204e9800998ecf8427e - - 50\n\
        9 ip 192.0.2.1 - - 50\n12 url http://x.example/%2F - - 50\n10: `300.1.1.1` is no indicator\n11: `localhost` is no indicator";
    for piece in [1, 7, 1_000] {
        assert_eq!(check(text, piece), expected);
    }
}

#[test]
fn csv_says_with_its_header_which_column_is_what() {
    let text = "# a feed\nfirst_seen,ioc,type,comment,confidence_level,valid_until\n\
        2026-01-02 03:04:05,203.0.113.7:443,ip:port,\"bot, of \"\"x\"\"\",75,2030-01-01T00:00:00Z\n\
        ,evil.example,domain,,,\n,,,,,\n,nonsense,,,,\n,\"open,,,,\n";
    assert_eq!(
        check(text, 5),
        "csv\n3 ip 203.0.113.7 1767323045 1893456000 75 bot, of \"x\"\n4 domain evil.example - - 50\n\
         6: `nonsense` is no indicator\n7: a quoted cell does not end on its line"
    );
}

#[test]
fn misp_attributes_are_read_by_their_type() {
    let text = "uuid,event_id,category,type,value,comment,to_ids,date\n\
        a,7,Payload,filename|md5,x.exe|d41d8cd98f00b204e9800998ecf8427e,seen,1,1700000000\n\
        b,7,Network,ip-dst|port,203.0.113.7|443,,1,1700000000\nc,7,Network,domain|ip,evil.example|203.0.113.8,,1,\n";
    assert_eq!(
        check(text, 1_000),
        "csv\n2 hash d41d8cd98f00b204e9800998ecf8427e 1700000000 - 50 seen; 7\n3 ip 203.0.113.7 1700000000 - 50 7\n4 domain evil.example - - 50 7"
    );
}

#[test]
fn a_bundle_gives_the_values_that_its_patterns_compare() {
    let text = r#"{"type": "bundle", "id": "bundle--1", "objects": [
        {"type": "identity", "name": "a } { [ \" "},
        {"type": "indicator", "id": "indicator--1", "name": "C2", "pattern_type": "stix", "confidence": 90,
         "pattern": "[ipv4-addr:value = '203.0.113.7' OR domain-name:value = 'evil.example']",
         "valid_from": "2026-01-02T03:04:05Z", "valid_until": "2030-01-01T00:00:00.000Z"},
        {"type": "indicator", "id": "indicator--2", "pattern": "[file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']"},
        {"type": "indicator", "id": "indicator--3", "pattern": "[process:name = 'x'] FOLLOWEDBY [file:name = 'y']"},
        {"type": "indicator", "id": "indicator--4", "revoked": true, "pattern": "[url:value = 'http://x.example/']"}]}"#;
    let expected = "stix\n3 ip 203.0.113.7 1767323045 1893456000 90 C2\n3 domain evil.example 1767323045 1893456000 90 C2\n\
        6 hash e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 - - 50 indicator--2\n\
        7: `[process:name = 'x'] FOLLOWEDBY [file:name = 'y']` is more than equality of addresses, domains, URLs, hashes or e-mail addresses";
    for piece in [1, 3, 10_000] {
        assert_eq!(check(text, piece), expected);
    }
    assert!(
        check("{\"type\":\"bundle\",\"objects\":[{\"type\":", 4)
            .ends_with("the JSON is not whole: a bracket is not closed")
    );
    assert_eq!(
        check("[{\"type\":\"indicator\",\"pattern\":\"[url:value = 'http://x.example']\"}]", 9),
        "stix\n1 url http://x.example/ - - 50"
    );
}

#[test]
fn a_line_without_end_takes_no_memory_and_the_next_one_counts() {
    let mut reader = ListReader::new("x", ListFormat::Text, Defaults::default());
    let mut found = Vec::new();
    for _ in 0..100 {
        reader.push(&[b'a'; 10_000], &mut |entry| found.push(entry));
        assert!(reader.rest.len() <= MAX_LINE_BYTES);
    }
    reader.push(b"\n203.0.113.7", &mut |entry| found.push(entry));
    let problems = reader.finish(&mut |entry| found.push(entry));
    assert_eq!((found.len(), problems.len(), reader.refused()), (1, 1, 1));
}

proptest! {
    #[test]
    fn no_list_makes_it_panic(text: String, piece in 1_usize..20) {
        check(&text, piece);
        check(&format!("value,type\n{text}"), piece);
        check(&format!("[{text}"), piece);
    }
}

#[test]
fn a_list_that_is_read_by_several_is_as_if_one_had_read_it() {
    let mut text = String::from("value,confidence\n");
    for number in 0..120_000_u32 {
        let value = if number % 1_000 == 7 { "no indicator".to_owned() } else { format!("host-{number}.evil.example") };
        writeln!(text, "{value},{}", number % 100).unwrap();
    }
    for format in [ListFormat::Csv, ListFormat::Text] {
        let read = |threads| read_list(text.as_bytes(), "x", (format, Defaults::default()), 5, threads);
        let entries = |read: &ReadList| read.blocks.iter().flat_map(Block::entries).collect::<Vec<Entry>>();
        let (one, many) = (read(1), read(4));
        assert_eq!((one.entries, one.refused, &one.diagnostics), (many.entries, many.refused, &many.diagnostics));
        assert_eq!(entries(&one), entries(&many));
        if format == ListFormat::Csv {
            assert_eq!((many.entries, many.refused), (119_880, 120));
            assert_eq!((many.diagnostics[0].line, entries(&many)[0].line), (14, 7));
        }
    }
}
