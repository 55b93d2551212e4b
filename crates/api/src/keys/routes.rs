//! Whether a key's routes are routes of this server. A slip would else be found when the key fails.

use shieldops_identity::reach;

use crate::{Problem, access::TABLE};

/// Characters of a route that are compared.
const COMPARED: usize = 200;

/// Refuses patterns that match no route, with the route that is most like each.
pub(super) fn check(patterns: &[String]) -> Result<(), Problem> {
    for pattern in reach::routes(patterns)? {
        let Some((method, path)) = pattern.split_once(' ') else { continue };
        let known = TABLE.iter().any(|(of, at, _)| (method == "*" || method == *of) && meet(path, at));
        if !known {
            let detail = format!("`{pattern}` is no route of this server; the nearest is `{}`", nearest(&pattern));
            return Err(Problem::invalid(detail));
        }
    }
    Ok(())
}

/// Whether a pattern matches something that a route takes: a parameter of the route is any one part.
fn meet(pattern: &str, route: &str) -> bool {
    let mut parts = route.split('/');
    for wanted in pattern.split('/') {
        let Some(part) = parts.next() else { return false };
        match wanted {
            "**" => return true,
            "*" => {}
            literal if literal == part || part.starts_with('{') => {}
            _other => return false,
        }
    }
    parts.next().is_none()
}

fn nearest(pattern: &str) -> String {
    let written = TABLE.iter().map(|(method, path, _)| format!("{method} {}", starred(path)));
    written.min_by_key(|route| distance(pattern, route)).unwrap_or_default()
}

/// A route as a pattern says it.
fn starred(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "*" } else { part }).collect::<Vec<_>>().join("/")
}

/// Levenshtein's.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(COMPARED).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, char) in one.chars().take(COMPARED).enumerate() {
        let (mut diagonal, mut left) = (place, place + 1);
        for (cell, opposite) in row.iter_mut().skip(1).zip(&other) {
            let changed = diagonal + usize::from(char != *opposite);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = place + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pattern: &str) -> Result<(), String> {
        check(&[pattern.to_owned()]).map_err(|problem| problem.detail)
    }

    #[test]
    fn every_route_of_the_server_can_be_a_keys() {
        for (method, path, _) in TABLE {
            checked(&format!("{method} {}", starred(path))).unwrap();
        }
        for pattern in [
            "* /api/v1/alerts",
            "GET /api/v1/**",
            "* /**",
            "get /api/v1/alerts/alt_1",
            "POST /x/_bulk",
            "GET /*/v1/keys",
        ] {
            checked(pattern).unwrap();
        }
    }

    #[test]
    fn a_route_that_is_none_is_refused_with_the_nearest_one() {
        for (pattern, nearest) in [
            ("GET /api/v1/alert", "GET /api/v1/alerts"),
            ("GET /api/v1/alerts/*/verdict", "POST /api/v1/alerts/*/verdict"),
            ("DELETE /api/v1/alerts/bulk/*", "POST /api/v1/alerts/bulk"),
            ("GET /api/v2/incidents", "GET /api/v1/incidents"),
            ("* /api/v1/keys/*/rotat", "POST /api/v1/keys/*/rotate"),
            ("GET /api/v1/users/*/**", "GET /api/v1/users/*"),
        ] {
            let refused = checked(pattern).unwrap_err();
            assert!(refused.contains(&format!("`{pattern}`")), "{refused}");
            assert!(refused.ends_with(&format!("`{nearest}`")), "{refused}");
        }
        assert!(checked("nonsense").unwrap_err().contains("is no route"));
    }
}
