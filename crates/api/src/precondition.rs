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

/// The versions that the caller saw. Extracting it refuses a request that says none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IfMatch {
    /// None: `*`, whatever there is.
    seen: Option<Vec<i64>>,
}

impl IfMatch {
    /// Refuses the change of an object that is no longer as it was seen.
    pub(crate) fn check(&self, version: i64) -> Result<(), Problem> {
        match &self.seen {
            Some(seen) if !seen.contains(&version) => Err(Problem::new(
                Code::PRECONDITION_FAILED,
                format!("it has version {version} now; read it again and send that ETag"),
            )),
            _ => Ok(()),
        }
    }

    /// The one version that the store is to expect; `*` expects none.
    pub(crate) fn expected(&self) -> Option<i64> {
        self.seen.as_ref().and_then(|seen| seen.first().copied())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut sent = parts.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = sent.next() else {
            return Err(Problem::new(Code::PRECONDITION_REQUIRED, Code::PRECONDITION_REQUIRED.help));
        };
        if sent.next().is_some() {
            return Err(Problem::invalid("two If-Match headers"));
        }
        parse(value.to_str().unwrap_or_default())
            .ok_or_else(|| Problem::invalid("If-Match is `*` or an ETag as it was given: a version in quotation marks"))
    }
}

fn parse(text: &str) -> Option<IfMatch> {
    let text = text.trim();
    if text == "*" {
        return Some(IfMatch { seen: None });
    }
    let version = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    let seen: Option<Vec<i64>> = text.split(',').map(version).collect();
    seen.filter(|seen| seen.len() <= 16).map(|seen| IfMatch { seen: Some(seen) })
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
    fn a_version_matches_the_tag_it_was_given_as_and_no_other() {
        let seen = parse("\"3\"").unwrap();
        assert!(seen.check(3).is_ok());
        assert_eq!(seen.check(4).unwrap_err().status, 412);
        assert_eq!(seen.expected(), Some(3));
        assert!(parse("\"1\", \"4\"").unwrap().check(4).is_ok());
        assert!(parse("*").unwrap().check(99).is_ok());
    }

    #[test]
    fn what_is_no_tag_of_ours_is_refused() {
        for text in ["", "3", "W/\"3\"", "\"3", "\"three\"", "\"3\",", &"\"3\",".repeat(20)] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
