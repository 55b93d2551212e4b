//! What an API key reaches: from which addresses, and which routes. Pure; a list that is empty limits nothing.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::IdentityError;

/// Of each list, and characters of one entry.
const ENTRIES: usize = 64;
const ENTRY_CHARS: usize = 200;
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The address ranges as they are kept: `203.0.113.0/24`, a single address as `/32` or `/128`.
///
/// # Errors
/// `Invalid` with the entry that is none.
pub fn addresses(given: &[String]) -> Result<Vec<String>, IdentityError> {
    bounded("address ranges", given)?;
    let read = |entry: &String| {
        let network = network(entry).ok_or_else(|| {
            IdentityError::Invalid(format!(
                "`{entry}` is no address range: write it as 203.0.113.0/24 or 2001:db8::/32"
            ))
        })?;
        Ok(network.trunc().to_string())
    };
    given.iter().map(read).collect()
}

fn network(entry: &str) -> Option<IpNet> {
    let entry = entry.trim();
    entry.parse().ok().or_else(|| entry.parse::<IpAddr>().ok().map(|single| IpNet::from(single.to_canonical())))
}

/// The route patterns as they are kept: method and path, `*` for one part, a trailing `**` for all that follows.
///
/// # Errors
/// `Invalid` with the entry that is none.
pub fn routes(given: &[String]) -> Result<Vec<String>, IdentityError> {
    bounded("routes", given)?;
    given.iter().map(|entry| route(entry)).collect()
}

fn route(entry: &str) -> Result<String, IdentityError> {
    let invalid = |why: &str| IdentityError::Invalid(format!("`{entry}` is no route: {why}"));
    let (method, path) = entry.trim().split_once(' ').ok_or_else(|| invalid("write it as `GET /api/v1/alerts/*`"))?;
    let (method, path) = (method.to_ascii_uppercase(), path.trim());
    if method != "*" && !METHODS.contains(&method.as_str()) {
        return Err(invalid("the method is GET, POST, PUT, PATCH, DELETE or *"));
    }
    let parts = path.strip_prefix('/').ok_or_else(|| invalid("the path begins with /"))?;
    let last = parts.split('/').count();
    for (place, part) in parts.split('/').enumerate() {
        let literal =
            !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-~".contains(letter));
        let rest = part == "**" && place + 1 == last;
        if !(literal || part == "*" || rest) {
            return Err(invalid("a part is letters, digits and ._-~, or *, and ** comes last"));
        }
    }
    Ok(format!("{method} {path}"))
}

fn bounded(what: &str, given: &[String]) -> Result<(), IdentityError> {
    if given.len() > ENTRIES || given.iter().any(|entry| entry.len() > ENTRY_CHARS) {
        return Err(IdentityError::Invalid(format!("at most {ENTRIES} {what}, of {ENTRY_CHARS} characters each")));
    }
    Ok(())
}

/// Whether a client at this address may use the key. An address that is not known is in no range.
pub fn from_here(ranges: &[String], client: Option<&str>) -> bool {
    if ranges.is_empty() {
        return true;
    }
    let address = client.and_then(|client| client.parse::<IpAddr>().ok()).map(|address| address.to_canonical());
    // A stored range that no longer reads lets nobody in.
    address
        .is_some_and(|address| ranges.iter().filter_map(|range| network(range)).any(|range| range.contains(&address)))
}

/// Whether one of the patterns covers the request. HEAD is GET without a body.
pub fn to_there(patterns: &[String], method: &str, path: &str) -> bool {
    let method = if method == "HEAD" { "GET" } else { method };
    patterns.is_empty() || patterns.iter().any(|pattern| covers(pattern, method, path))
}

fn covers(pattern: &str, method: &str, path: &str) -> bool {
    let Some((wanted, route)) = pattern.split_once(' ') else { return false };
    if wanted != "*" && wanted != method {
        return false;
    }
    let mut parts = path.split('/');
    for wanted in route.split('/') {
        if wanted == "**" {
            return parts.next().is_some_and(|part| !part.is_empty());
        }
        let fits = parts.next().is_some_and(|part| if wanted == "*" { !part.is_empty() } else { part == wanted });
        if !fits {
            return false;
        }
    }
    parts.next().is_none()
}

/// Whether every route of `asked` is one of `own`.
pub fn routes_within(own: &[String], asked: &[String]) -> bool {
    own.is_empty() || (!asked.is_empty() && asked.iter().all(|asked| own.iter().any(|own| holds(own, asked))))
}

/// Whether whatever one pattern covers the other covers too.
fn holds(own: &str, asked: &str) -> bool {
    let (Some((own_method, own)), Some((method, asked))) = (own.split_once(' '), asked.split_once(' ')) else {
        return false;
    };
    if own_method != "*" && own_method != method {
        return false;
    }
    let mut parts = asked.split('/');
    for own in own.split('/') {
        let Some(part) = parts.next() else { return false };
        match own {
            "**" => return true,
            "*" if part == "**" => return false,
            "*" => {}
            literal if literal != part => return false,
            _same => {}
        }
    }
    parts.next().is_none()
}

/// Whether every range of `asked` lies in one of `own`.
pub fn addresses_within(own: &[String], asked: &[String]) -> bool {
    let inside = |asked: &String| {
        network(asked).is_some_and(|asked| own.iter().filter_map(|own| network(own)).any(|own| own.contains(&asked)))
    };
    own.is_empty() || (!asked.is_empty() && asked.iter().all(inside))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    #[test]
    fn a_key_works_from_its_ranges_and_from_nowhere_else() {
        let ranges = addresses(&list(&["203.0.113.7/24", "2001:db8::/32", "198.51.100.4"])).unwrap();
        assert_eq!(ranges, ["203.0.113.0/24", "2001:db8::/32", "198.51.100.4/32"]);
        for (client, inside) in [
            (Some("203.0.113.255"), true),
            (Some("::ffff:203.0.113.9"), true),
            (Some("203.0.114.1"), false),
            (Some("2001:db8:1::1"), true),
            (Some("198.51.100.4"), true),
            (Some("198.51.100.5"), false),
            (Some("not an address"), false),
            (None, false),
        ] {
            assert_eq!(from_here(&ranges, client), inside, "{client:?}");
        }
        assert!(from_here(&[], None));
        assert!(!from_here(&list(&["damaged"]), Some("203.0.113.7")));
    }

    #[test]
    fn a_key_calls_its_routes_and_no_others() {
        let patterns =
            routes(&list(&["get /api/v1/alerts", "PATCH /api/v1/alerts/*", "* /api/v1/incidents/**"])).unwrap();
        for (method, path, covered) in [
            ("GET", "/api/v1/alerts", true),
            ("HEAD", "/api/v1/alerts", true),
            ("POST", "/api/v1/alerts", false),
            ("GET", "/api/v1/alerts/", false),
            ("GET", "/api/v1/alerts/x", false),
            ("PATCH", "/api/v1/alerts/x", true),
            ("PATCH", "/api/v1/alerts/", false),
            ("PATCH", "/api/v1/alerts/x/verdict", false),
            ("DELETE", "/api/v1/incidents/x/y", true),
            ("GET", "/api/v1/incidents", false),
            ("GET", "/api/v1//alerts", false),
            ("GET", "/api/v1/%61lerts", false),
        ] {
            assert_eq!(to_there(&patterns, method, path), covered, "{method} {path}");
        }
        assert!(to_there(&[], "DELETE", "/anything"));
    }

    #[test]
    fn what_lies_within_a_reach_is_told_from_what_goes_beyond() {
        for (own, asked, within) in [
            (&[][..], &[][..], true),
            (&[], &["* /**"], true),
            (&["GET /a/*"], &[], false),
            (&["GET /a/*"], &["GET /a/b", "GET /a/*"], true),
            (&["GET /a/*"], &["GET /a/**"], false),
            (&["GET /a/*"], &["GET /a/b/c"], false),
            (&["GET /a/*"], &["GET /a"], false),
            (&["GET /a/*"], &["POST /a/b"], false),
            (&["GET /a/*"], &["* /a/b"], false),
            (&["* /a/**"], &["GET /a/b/*", "POST /a/**"], true),
            (&["* /a/**"], &["GET /a"], false),
            (&["GET /a", "GET /b"], &["GET /b", "GET /c"], false),
        ] {
            assert_eq!(routes_within(&list(own), &list(asked)), within, "{own:?} {asked:?}");
        }
        for (own, asked, within) in [
            (&[][..], &[][..], true),
            (&["10.0.0.0/8"], &[], false),
            (&["10.0.0.0/8"], &["10.1.0.0/16", "10.2.3.4"], true),
            (&["10.1.0.0/16"], &["10.0.0.0/8"], false),
            (&["10.0.0.0/8"], &["2001:db8::/32"], false),
            (&["10.0.0.0/8", "2001:db8::/32"], &["2001:db8:1::/48"], true),
        ] {
            assert_eq!(addresses_within(&list(own), &list(asked)), within, "{own:?} {asked:?}");
        }
    }

    #[test]
    fn what_is_no_range_or_route_is_refused_with_the_reason() {
        for entry in ["", "10.0.0.0/33", "example.org", "10.0.0.0/8,"] {
            assert!(matches!(addresses(&list(&[entry])), Err(IdentityError::Invalid(_))), "{entry}");
        }
        for entry in
            ["", "/api", "FLY /api", "GET api", "GET /a/**/b", "GET /a//b", "GET /a?b", "GET /a/../b c", "GET /ä"]
        {
            assert!(matches!(routes(&list(&[entry])), Err(IdentityError::Invalid(_))), "{entry}");
        }
        assert!(routes(&vec!["GET /a".to_owned(); ENTRIES + 1]).is_err());
        assert!(addresses(&[format!("10.0.0.0/8{}", " ".repeat(ENTRY_CHARS))]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_within_covers_nothing_that_the_whole_does_not(
            own in "(GET|\\*) (/([ab]|\\*)){1,3}(/\\*\\*)?", asked in "(GET|\\*) (/([ab]|\\*)){1,3}(/\\*\\*)?", path in "(/[ab]){1,5}",
        ) {
            let within = holds(&own, &asked);
            prop_assert!(!within || !covers(&asked, "GET", &path) || covers(&own, "GET", &path));
            prop_assert!(holds(&own, &own));
        }

        #[test]
        fn a_pattern_covers_its_own_path_only(path in "(/[a-z]{1,4}){1,4}", other in "(/[a-z]{1,4}){1,4}") {
            let patterns = routes(&[format!("GET {path}")]).unwrap();
            prop_assert!(to_there(&patterns, "GET", &path));
            prop_assert_eq!(to_there(&patterns, "GET", &other), path == other);
        }

        #[test]
        fn no_text_ends_the_check(text in "\\PC{0,40}", path in "\\PC{0,40}") {
            drop(routes(std::slice::from_ref(&text)));
            drop(addresses(std::slice::from_ref(&text)));
            from_here(std::slice::from_ref(&text), Some(&path));
            to_there(std::slice::from_ref(&text), "GET", &path);
        }
    }
}
