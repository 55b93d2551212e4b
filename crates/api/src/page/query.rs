//! What every list takes: `limit`, `cursor`, `sort`, and the filters of its own. One mechanism, so that a list is a filter
//! struct and a call of the store.
//!
//! The names that a list takes are those of its description, so the two cannot differ; any other name is refused, because
//! a filter that is silently left out shows more than was asked for. A cursor is sealed for its query: path, filters and
//! order, so that the page after a page is of the same list.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use shieldops_store::{Page, PageRequest, TenantScope};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, RefOr, Required, Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::SchemaType,
    },
};

use super::{List, PageParams, QUERY};
use crate::{Problem, auth::Caller};

/// The filters of a list.
pub(crate) trait Filter: DeserializeOwned + IntoParams + Send {
    /// The orders that an index allows, the one without asking first. `-` begins with the greatest.
    const SORTS: &'static [&'static str] = &["-created_at"];
}

/// A list without filters.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct NoFilter {}

impl IntoParams for NoFilter {
    fn into_params(_place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Vec::new()
    }
}

impl Filter for NoFilter {}

/// The query of a list without filters.
pub(crate) type PlainQuery = ListQuery<NoFilter>;

/// The query of a list, checked.
pub(crate) struct ListQuery<F> {
    pub(crate) filter: F,
    /// One of the filter's orders.
    pub(crate) sort: &'static str,
    page: PageRequest,
    /// What its cursors are sealed for.
    query: String,
    scope: TenantScope,
}

impl<F> ListQuery<F> {
    /// What the store is asked for.
    pub(crate) fn page(&self) -> &PageRequest {
        &self.page
    }

    /// A cursor as it leaves the process.
    pub(crate) fn seal(&self, cursor: Option<&str>) -> Option<String> {
        cursor.map(|cursor| self.scope.seal_cursor(&self.query, cursor))
    }

    pub(crate) fn answer<T>(&self, page: Page<T>) -> List<T> {
        List { next_cursor: self.seal(page.next_cursor.as_deref()), items: page.items }
    }

    /// The page of a list that is read as a whole, in its order; the place is the id of the last item of the page before.
    pub(crate) fn of<T>(&self, items: Vec<T>, id: impl Fn(&T) -> String) -> Result<List<T>, Problem> {
        let from = match &self.page.cursor {
            None => 0,
            Some(cursor) => {
                let last = items.iter().position(|item| id(item) == *cursor);
                last.ok_or(shieldops_store::StoreError::InvalidCursor)? + 1
            }
        };
        let more = items.len() > from + self.page.limit();
        let items: Vec<T> = items.into_iter().skip(from).take(self.page.limit()).collect();
        let next_cursor = if more { self.seal(items.last().map(id).as_deref()) } else { None };
        Ok(List { items, next_cursor })
    }
}

impl<F: Filter, S: Send + Sync> FromRequestParts<S> for ListQuery<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let scope = Caller::from_request_parts(parts, state).await?.scope;
        let given = Given::of::<F>(parts.uri.query().unwrap_or_default())?;
        let Query(filter) = Query::<F>::try_from_uri(&uri(&given.filters)?)?;
        let query = serde_json::json!([parts.uri.path(), given.sort, given.named]).to_string();
        let cursor = given.cursor.map(|text| scope.open_cursor(&query, &text)).transpose()?;
        let page = PageRequest { limit: given.limit, cursor };
        Ok(Self { filter, sort: given.sort, page, query, scope })
    }
}

impl<F: Filter> IntoParams for ListQuery<F> {
    fn into_params(_place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = PageParams::into_params(|| Some(ParameterIn::Query));
        if F::SORTS.len() > 1 {
            let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(F::SORTS.iter().copied()));
            let described = format!("`{}` unless told; `-` begins with the greatest.", default_sort::<F>());
            parameters.push(
                ParameterBuilder::new()
                    .name("sort")
                    .parameter_in(ParameterIn::Query)
                    .required(Required::False)
                    .description(Some(described))
                    .schema(Some(words))
                    .build(),
            );
        }
        parameters.extend(F::into_params(|| Some(ParameterIn::Query)));
        parameters
    }
}

fn default_sort<F: Filter>() -> &'static str {
    F::SORTS.first().copied().unwrap_or("-created_at")
}

/// A query taken apart. An empty value is an absent one: a form whose field was left empty.
struct Given {
    limit: Option<u32>,
    cursor: Option<String>,
    sort: &'static str,
    /// The filters as they came, and decoded in the order of their names.
    filters: String,
    named: Vec<(String, String)>,
}

impl Given {
    fn of<F: Filter>(query: &str) -> Result<Self, Problem> {
        let (mut given, mut filters) = (Self::none::<F>(), Vec::new());
        let mut seen = std::collections::BTreeSet::new();
        for (raw, name, value) in pairs::<F>(query)? {
            if !seen.insert(name.clone()) {
                return Err(Problem::invalid(format!(
                    "`{name}` is given twice; where it takes several values, they stand between commas"
                )));
            }
            match name.as_str() {
                "limit" => given.limit = Some(limit(&value)?),
                "cursor" => given.cursor = Some(value),
                "sort" => given.sort = sort::<F>(&value)?,
                _ => {
                    known::<F>(&name)?;
                    filters.push(raw);
                    given.named.push((name, value));
                }
            }
        }
        given.named.sort();
        Ok(Self { filters: filters.join("&"), ..given })
    }

    fn none<F: Filter>() -> Self {
        Self { limit: None, cursor: None, sort: default_sort::<F>(), filters: String::new(), named: Vec::new() }
    }
}

/// The pairs that have a value: as they came, and decoded. A text that was left empty is none; a number is no text.
fn pairs<F: Filter>(query: &str) -> Result<Vec<(&str, String, String)>, Problem> {
    if query.len() > QUERY {
        return Err(Problem::invalid(format!("the query of a request has at most {QUERY} bytes")));
    }
    let raw: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    let Query(decoded) = Query::<Vec<(String, String)>>::try_from_uri(&uri(&raw.join("&"))?)?;
    let parameters = ListQuery::<F>::into_params(|| Some(ParameterIn::Query));
    let is_text = |name: &str| parameters.iter().all(|parameter| parameter.name != name || takes_text(parameter));
    let pairs = raw.into_iter().zip(decoded).map(|(raw, (name, value))| (raw, name, value));
    Ok(pairs.filter(|(_, name, value)| !value.is_empty() || !is_text(name)).collect())
}

/// Whether a parameter is any text, so that an empty one may stand for none.
fn takes_text(parameter: &Parameter) -> bool {
    let Some(RefOr::T(Schema::Object(object))) = &parameter.schema else { return false };
    let text = match &object.schema_type {
        SchemaType::Type(kind) => *kind == Type::String,
        SchemaType::Array(kinds) => kinds.contains(&Type::String),
        SchemaType::AnyValue => true,
    };
    text && object.enum_values.is_none()
}

fn uri(query: &str) -> Result<axum::http::Uri, Problem> {
    format!("/?{query}").parse().map_err(|_bad| Problem::invalid("the query is not valid"))
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=200).contains(limit));
    limit.ok_or_else(|| Problem::invalid(format!("`limit` is 1 to 200, not `{}`", short(text))))
}

fn sort<F: Filter>(text: &str) -> Result<&'static str, Problem> {
    let found = F::SORTS.iter().copied().find(|sort| *sort == text);
    found.ok_or_else(|| {
        Problem::invalid(format!("this list is not sorted by `{}`, but by {}", short(text), quoted(F::SORTS)))
    })
}

fn known<F: Filter>(name: &str) -> Result<(), Problem> {
    let parameters = ListQuery::<F>::into_params(|| Some(ParameterIn::Query));
    if parameters.iter().any(|parameter| parameter.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    Err(Problem::invalid(format!("this list takes no `{}`; it takes {}", short(name), quoted(&names))))
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, IntoParams)]
    #[into_params(parameter_in = Query)]
    #[expect(dead_code, reason = "only its description is looked at")]
    struct Asked {
        status: Option<String>,
        q: Option<String>,
    }

    impl Filter for Asked {
        const SORTS: &'static [&'static str] = &["-created_at", "created_at"];
    }

    fn check(query: &str) -> String {
        match Given::of::<Asked>(query) {
            Ok(given) => format!(
                "limit {:?} cursor {:?} sort {} named {:?} raw {}",
                given.limit, given.cursor, given.sort, given.named, given.filters
            ),
            Err(problem) => format!("{} {}", problem.code, problem.detail),
        }
    }

    #[test]
    fn a_query_is_taken_apart_and_the_order_of_its_filters_does_not_matter() {
        assert_eq!(
            check("q=a%26b&limit=7&status=new&cursor=x&sort=created_at"),
            r#"limit Some(7) cursor Some("x") sort created_at named [("q", "a&b"), ("status", "new")] raw q=a%26b&status=new"#
        );
        assert_eq!(check("status=&cursor=&&x"), r"limit None cursor None sort -created_at named [] raw ");
        let named = |query: &str| Given::of::<Asked>(query).ok().unwrap().named;
        assert_eq!(named("q=a&status=b"), named("st%61tus=b&q=a"));
    }

    #[test]
    fn what_a_list_does_not_take_is_refused_with_what_it_takes() {
        for (query, said) in [
            ("stauts=new", "this list takes no `stauts`; it takes `limit`, `cursor`, `sort`, `status`, `q`"),
            ("sort=title", "this list is not sorted by `title`, but by `-created_at`, `created_at`"),
            ("limit=", "`limit` is 1 to 200, not ``"),
            ("limit=0", "`limit` is 1 to 200, not `0`"),
            ("limit=201", "`limit` is 1 to 200, not `201`"),
            ("limit=many", "`limit` is 1 to 200, not `many`"),
            ("q=a&q=b", "`q` is given twice; where it takes several values, they stand between commas"),
        ] {
            assert_eq!(check(query), format!("invalid_request {said}"));
        }
        assert!(check(&format!("q={}", "a".repeat(QUERY))).contains("at most 8192 bytes"));
    }
}
