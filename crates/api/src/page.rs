//! The shape of every list, and extractors whose refusals are problems.

mod query;

pub(crate) use query::{Filter, ListQuery, PlainQuery};

use axum::{
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use serde::{Serialize, de::DeserializeOwned};
use shieldops_model::{Id, id::Kind};
use shieldops_store::Page;
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

/// Bytes of a JSON body: much less than a body of events, and a sign-in is read before anybody is known.
const BODY: usize = 2 * 1024 * 1024;
/// Bytes of the query of a request.
const QUERY: usize = 8 * 1024;

/// One page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next_cursor }
    }
}

/// What every list takes, as the description says it; [`ListQuery`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
struct PageParams {
    /// Items on the page: 50 unless told, at most 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Parameters that are no text: an empty one of these is wrong, not absent.
const NO_TEXTS: [&str; 21] = [
    "active",
    "all",
    "allowed",
    "days",
    "enabled",
    "format",
    "from",
    "from_line",
    "grace_hours",
    "held",
    "hours",
    "leave_behind",
    "level",
    "limit",
    "more",
    "revision",
    "since",
    "sort",
    "state",
    "to",
    "undo_first",
];

/// Query parameters. An empty text is an absent one.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let _ = state;
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > QUERY {
            return Err(Problem::invalid(format!("the query of a request has at most {QUERY} bytes")));
        }
        // `?status=` is a form whose field was left empty: any status, and not the empty one.
        let given = |pair: &&str| {
            pair.split_once('=').is_some_and(|(name, value)| !value.is_empty() || NO_TEXTS.contains(&name))
        };
        let filled = query.split('&').filter(given).collect::<Vec<_>>().join("&");
        let uri = format!("/?{filled}").parse().map_err(|_bad| Problem::invalid("the query is not valid"))?;
        let Query(params) = Query::<T>::try_from_uri(&uri)?;
        Ok(Self(params))
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Problem> {
        DefaultBodyLimit::max(BODY).apply(&mut request);
        let axum::Json(body) = axum::Json::<T>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// The id in the path. Text that is no id of this kind names nothing: `not_found`.
pub(crate) struct PathId<K>(pub(crate) Id<K>);

impl<K: Kind, S: Send + Sync> FromRequestParts<S> for PathId<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_missing| Problem::not_found())?;
        text.parse().map(Self).map_err(|_invalid| Problem::not_found())
    }
}

/// Parses an optional filter value, naming it when it is wrong.
pub(crate) fn parse<T: std::str::FromStr>(name: &str, text: Option<&String>) -> Result<Option<T>, Problem> {
    text.map(|text| {
        text.parse().map_err(|_bad| {
            Problem::invalid(format!("`{name}` is not valid: `{}`", text.chars().take(80).collect::<String>()))
        })
    })
    .transpose()
}

/// Words between commas, each read by `read`; absent is none.
pub(crate) fn words<T>(name: &str, text: Option<&String>, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let one = |word: &str| {
        read(word.trim()).ok_or_else(|| {
            Problem::invalid(format!("`{name}` has no value `{}`", word.chars().take(80).collect::<String>()))
        })
    };
    text.split(',').map(one).collect()
}

/// The words of an enum, as its JSON has them.
pub(crate) fn enums<T: DeserializeOwned>(name: &str, text: Option<&String>) -> Result<Vec<String>, Problem> {
    words(name, text, |word| {
        serde_json::from_value::<T>(serde_json::Value::from(word)).ok().map(|_known| word.to_owned())
    })
}
