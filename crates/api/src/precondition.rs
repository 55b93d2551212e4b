//! `ETag` and `If-Match`: nobody's change is overwritten unseen. Source: RFC 9110 sections 8.8.3 and 13.1.1.

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shieldops_model::Code;

use crate::Problem;

/// Tags of one request.
const TAGS: usize = 64;

/// The versions that the caller saw. Extracting it refuses a request that says none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IfMatch {
    /// None: `*`, whatever there is.
    seen: Option<Vec<i64>>,
}

impl IfMatch {
    /// Refuses the change of an object that is no longer as it was seen.
    pub(crate) fn check(&self, version: i64) -> Result<(), Problem> {
        self.expected(version).map(|_expected| ())
    }

    /// The same, with the version that the store is to expect then; `*` expects none.
    pub(crate) fn expected(&self, version: i64) -> Result<Option<i64>, Problem> {
        match &self.seen {
            None => Ok(None),
            Some(seen) if seen.contains(&version) => Ok(Some(version)),
            Some(_) => Err(Problem::new(
                Code::PRECONDITION_FAILED,
                format!("it has version {version} now; read it again and send that ETag"),
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Several lines are one list. Source: RFC 9110 section 5.3.
        let lines: Vec<&str> =
            parts.headers.get_all(header::IF_MATCH).iter().map(|line| line.to_str().unwrap_or("?")).collect();
        if lines.is_empty() {
            return Err(Problem::new(Code::PRECONDITION_REQUIRED, Code::PRECONDITION_REQUIRED.help));
        }
        parse(&lines.join(",")).ok_or_else(|| {
            Problem::invalid(format!(
                "If-Match is `*`, or at most {TAGS} ETags as they were given, a version in quotation marks, with commas between"
            ))
        })
    }
}

/// A list of tags in their syntax. One that is no version of ours, or weak, matches nothing; it is no mistake.
fn parse(text: &str) -> Option<IfMatch> {
    let mut rest = text.trim();
    if rest == "*" {
        return Some(IfMatch { seen: None });
    }
    let (mut seen, mut tags) = (Vec::new(), 0_usize);
    loop {
        // Members of a list may be empty. Source: RFC 9110 section 5.6.1.2.
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (weak, opaque) = rest.strip_prefix("W/").map_or((false, rest), |strong| (true, strong));
        let (tag, behind) = opaque.strip_prefix('"')?.split_once('"')?;
        let behind = behind.trim_start_matches([' ', '\t']);
        if !tag.bytes().all(|byte| byte == b'!' || (b'#'..=b'~').contains(&byte))
            || !(behind.is_empty() || behind.starts_with(','))
        {
            return None;
        }
        seen.extend(tag.parse::<i64>().ok().filter(|version| !weak && version.to_string() == tag));
        (rest, tags) = (behind, tags.saturating_add(1));
    }
    (1..=TAGS).contains(&tags).then_some(IfMatch { seen: Some(seen) })
}

/// An object with its version as `ETag`.
pub(crate) struct Tagged<T>(pub(crate) i64, pub(crate) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_matches_any_tag_of_the_list_and_no_other() {
        let seen = parse("\"3\"").unwrap();
        assert_eq!(seen.expected(3).unwrap(), Some(3));
        assert_eq!(seen.check(4).unwrap_err().status, 412);
        for list in ["\"7\", \"2\"", "\"7\",\"2\"", ", \"2\" ,,\"7\",", "\"x,y\" , \"2\"", "W/\"7\", \"2\""] {
            assert_eq!(parse(list).unwrap().expected(2).unwrap(), Some(2), "{list}");
        }
        assert_eq!(parse("*").unwrap().expected(99).unwrap(), None);
    }

    #[test]
    fn a_tag_that_is_weak_or_not_ours_matches_nothing() {
        for list in ["W/\"3\"", "\"three\"", "\"03\"", "\"+3\"", "\"\"", "\"3 , 3\"".replace(' ', "").as_str()] {
            assert_eq!(parse(list).unwrap().check(3).unwrap_err().status, 412, "{list}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for text in [
            "",
            " , ",
            "3",
            "\"3",
            "\"3\" \"4\"",
            "\"3\", 4",
            "w/\"3\"",
            "*, \"3\"",
            "\"3\", *",
            "\"a b\"",
            &"\"3\",".repeat(65),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
