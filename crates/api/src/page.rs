//! The shape of every list, and extractors whose refusals are problems.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shieldops_model::{Id, id::Kind};
use shieldops_store::{Page, PageRequest};
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

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

impl<T> List<T> {
    /// A list that is always whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Items on the page: 50 unless told, at most 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

impl PageParams {
    pub(crate) fn request(self) -> Result<PageRequest, Problem> {
        match self.limit {
            Some(limit) if !(1..=200).contains(&limit) => Err(Problem::invalid("`limit` is 1 to 200")),
            limit => Ok(PageRequest { limit, cursor: self.cursor }),
        }
    }
}

/// Query parameters; unknown ones are refused by their own type where it says so.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(params) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(params))
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
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
