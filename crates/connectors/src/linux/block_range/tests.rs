//! Ranges as people and attackers write them.

use super::*;

#[test]
fn a_range_is_canonical_or_refused_with_what_was_meant() {
    for (text, read) in [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), read, "{text}");
    }
    for (text, why) in [
        ("0.0.0.0/0", "is everything"),
        ("::/0", "is everything"),
        ("::ffff:0.0.0.0/96", "is everything"),
        ("203.0.113.7/24", "did you mean 203.0.113.0/24"),
        ("203.0.113.7/32", "linux.block_ip"),
        ("2001:db8::1/128", "linux.block_ip"),
        ("203.0.113.0/33", "is not a range"),
        ("203.0.113.0", "is not a range"),
        ("203.0.113.0/24; reboot", "is not a range"),
        ("203.0.113.0/２４", "is not a range"),
        ("", "is not a range"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert!(parse(&"9".repeat(100_000)).unwrap_err().len() < 200);
}

#[test]
fn a_range_that_a_host_cannot_be_without_is_untouchable() {
    for (range, held) in [
        ("126.0.0.0/7", true),
        ("127.1.0.0/16", true),
        ("224.0.0.0/3", true),
        ("::/3", true),
        ("fe80::/64", true),
        ("203.0.113.0/24", false),
        ("2001:db8::/64", false),
        ("126.0.0.0/8", false),
    ] {
        assert_eq!(!untouchable(range.parse().unwrap()).is_empty(), held, "{range}");
    }
}
