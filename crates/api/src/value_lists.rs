//! Lists of values that a tenant's rules name as `%name%`: who is an administrator, which hosts are scanners.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_model::{Code, Reason, Timestamp};
use shieldops_pipeline::{Neighbours, values};
use shieldops_store::{
    Access,
    rule_parts::{self, Kind, Part, PartVersion},
};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, PlainQuery},
    precondition::{IfMatch, Tagged},
};

/// Characters of a name, values of a list, and bytes of a value and of a list.
const NAME_CHARS: usize = 64;
const VALUES: usize = 20_000;
const VALUE_BYTES: usize = 1_024;
const LIST_BYTES: usize = 512 * 1024;
pub(crate) const NOTE_BYTES: usize = 4_096;

#[derive(Serialize, ToSchema)]
pub(crate) struct ValueListView {
    name: String,
    /// The newest version, which is in use.
    number: i64,
    bytes: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    by: String,
    by_name: String,
    /// What the newest version is for.
    note: String,
    /// What its ETag says.
    version: i64,
    /// Rules of the tenant that name it.
    rules: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ValueListDetail {
    #[serde(flatten)]
    list: ValueListView,
    values: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PartVersionView {
    number: i64,
    at: Timestamp,
    by: String,
    by_name: String,
    note: String,
    /// It is the one in use.
    live: bool,
}

impl PartVersionView {
    pub(crate) fn new(part: &Part, version: &PartVersion) -> Self {
        Self {
            number: version.number,
            at: version.at,
            by: version.by.clone(),
            by_name: version.by_name.clone(),
            note: version.note.clone(),
            live: part.live == Some(version.number),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ValueListVersion {
    #[serde(flatten)]
    version: PartVersionView,
    values: Vec<String>,
}

impl ValueListView {
    fn new(part: Part, neighbours: &Neighbours) -> Self {
        let rules = neighbours.users_of(&part.name).into_iter().map(|(id, _)| id).collect();
        Self {
            name: part.name,
            number: part.head,
            bytes: part.bytes,
            created_at: part.created_at,
            updated_at: part.updated_at,
            by: part.by,
            by_name: part.by_name,
            note: part.reason,
            version: part.version,
            rules,
        }
    }
}

/// A name that can stand between percent signs and in a path.
pub(crate) fn named(name: &str) -> Result<(), Problem> {
    let mut chars = name.chars();
    let begins = chars.next().is_some_and(|first| first.is_ascii_alphabetic());
    let fits =
        name.len() <= NAME_CHARS && chars.all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '.'));
    if begins && fits {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "`name` begins with a letter and has at most {NAME_CHARS} letters, digits, `_`, `-` and `.`"
    )))
}

pub(crate) fn noted(note: &str) -> Result<(), Problem> {
    if note.len() <= NOTE_BYTES {
        return Ok(());
    }
    Err(Problem::invalid(format!("`note` has at most {NOTE_BYTES} bytes")))
}

/// The text of a list: one value a line, each once, in the order in which they were given.
fn text(values: &[String]) -> Result<String, Problem> {
    if values.len() > VALUES {
        return Err(Problem::invalid(format!("`values` has {} values, and at most {VALUES} are taken", values.len())));
    }
    let mut seen = std::collections::HashSet::new();
    let mut text = String::new();
    for (number, value) in values.iter().enumerate() {
        let wrong = |why: &str| Err(Problem::invalid(format!("value {} of `values` {why}", number + 1)));
        if value.trim().is_empty() {
            return wrong("is empty");
        }
        if value.len() > VALUE_BYTES {
            return wrong(&format!("has {} bytes, and at most {VALUE_BYTES} are taken", value.len()));
        }
        if value.chars().any(char::is_control) {
            return wrong("holds a line break or another control character");
        }
        if seen.insert(value) {
            text.push_str(value);
            text.push('\n');
        }
    }
    if text.len() > LIST_BYTES {
        return Err(Problem::invalid(format!("the list has {} bytes, and at most {LIST_BYTES} are taken", text.len())));
    }
    Ok(text)
}

fn lines(text: &str) -> Vec<String> {
    values(text).map(str::to_owned).collect()
}

async fn part(access: &mut impl Access, kind: Kind, name: &str) -> Result<Part, Problem> {
    rule_parts::find(access, kind, name).await?.ok_or_else(Problem::not_found)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewValueList {
    /// What rules call it, without the percent signs: a letter, then letters, digits, `_`, `-` and `.`; at most 64.
    name: String,
    /// At most 20,000, each of at most 1,024 bytes, 512 KiB together. `*` and `?` are wildcards, as in rules.
    values: Vec<String>,
    /// What it is for.
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueListText {
    /// All values, the old ones too.
    values: Vec<String>,
    /// What this version is for.
    #[serde(default)]
    note: String,
}

/// Lists of values, by name.
#[utoipa::path(get, path = "/api/v1/value-lists", operation_id = "list_value_lists", tag = "rules", params(PlainQuery), responses((status = 200, body = List<ValueListView>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: PlainQuery,
) -> Result<Json<List<ValueListView>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let all = rule_parts::all(&mut reader, Kind::List).await?;
    let neighbours = Neighbours::read(&mut reader, &app.pipeline.content).await?;
    let views = all.into_iter().map(|part| ValueListView::new(part, &neighbours)).collect();
    Ok(Json(query.of(views, |view: &ValueListView| view.name.clone())?))
}

/// Makes a list. Rules that name it use it from the next batch of events on.
#[utoipa::path(post, path = "/api/v1/value-lists", operation_id = "create_value_list", tag = "rules", request_body = NewValueList,
    responses((status = 201, body = ValueListDetail), (status = 409, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewValueList>,
) -> Result<Response, Problem> {
    named(&body.name)?;
    noted(&body.note)?;
    let text = text(&body.values)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    rule_parts::create(&mut tx, Kind::List, &body.name, (&text, &body.note), now).await?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, detail(&app, &caller, &body.name).await?).into_response())
}

async fn detail(app: &App, caller: &Caller, name: &str) -> Result<Tagged<ValueListDetail>, Problem> {
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, Kind::List, name).await?;
    let head = rule_parts::version(&mut reader, Kind::List, name, part.head).await?;
    let neighbours = Neighbours::read(&mut reader, &app.pipeline.content).await?;
    let values = head.map(|head| lines(&head.text)).unwrap_or_default();
    Ok(Tagged(part.version, ValueListDetail { list: ValueListView::new(part, &neighbours), values }))
}

/// One list, with its values.
#[utoipa::path(get, path = "/api/v1/value-lists/{name}", operation_id = "get_value_list", tag = "rules", params(("name" = String, Path)),
    responses((status = 200, body = ValueListDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Tagged<ValueListDetail>, Problem> {
    detail(&app, &caller, &name).await
}

/// Writes a list again, as a new version that is in use from the next batch of events on.
#[utoipa::path(put, path = "/api/v1/value-lists/{name}", operation_id = "revise_value_list", tag = "rules", params(("name" = String, Path)), request_body = ValueListText,
    responses((status = 200, body = ValueListDetail), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revise(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(name): Path<String>,
    Body(body): Body<ValueListText>,
) -> Result<Tagged<ValueListDetail>, Problem> {
    noted(&body.note)?;
    let text = text(&body.values)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let part = part(&mut tx, Kind::List, &name).await?;
    seen.check(part.version)?;
    rule_parts::revise(&mut tx, part, (&text, &body.note), now).await?;
    tx.commit(now).await?;
    detail(&app, &caller, &name).await
}

/// Takes a list away with its versions. One that a rule which runs names stays.
#[utoipa::path(delete, path = "/api/v1/value-lists/{name}", operation_id = "delete_value_list", tag = "rules", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let now = caller.now();
    let neighbours = Neighbours::read(&mut caller.scope.read().await?, &app.pipeline.content).await?;
    let mut tx = caller.scope.begin().await?;
    let part = part(&mut tx, Kind::List, &name).await?;
    seen.check(part.version)?;
    let users: Vec<String> =
        neighbours.users_of(&name).into_iter().filter(|(_, state)| state.runs()).map(|(id, _)| id).collect();
    if !users.is_empty() {
        let reason = |id: &String| Reason { code: "used_by".to_owned(), detail: format!("the rule {id} names it") };
        let detail = "rules that run name this list: change them first";
        return Err(Problem {
            errors: users.iter().take(50).map(reason).collect(),
            ..Problem::new(Code::CONFLICT, detail)
        });
    }
    rule_parts::delete(&mut tx, &part).await?;
    tx.commit(now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Versions of a list, newest first; the newest 200 are kept.
#[utoipa::path(get, path = "/api/v1/value-lists/{name}/versions", operation_id = "list_value_list_versions", tag = "rules", params(("name" = String, Path), PlainQuery),
    responses((status = 200, body = List<PartVersionView>), (status = 404, body = Problem)))]
pub(crate) async fn versions(
    caller: Caller,
    Path(name): Path<String>,
    query: PlainQuery,
) -> Result<Json<List<PartVersionView>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, Kind::List, &name).await?;
    let versions = rule_parts::versions(&mut reader, Kind::List, &name).await?;
    let views = versions.iter().map(|version| PartVersionView::new(&part, version)).collect();
    Ok(Json(query.of(views, |view: &PartVersionView| view.number.to_string())?))
}

impl PartVersionView {
    pub(crate) fn number(&self) -> i64 {
        self.number
    }
}

/// One version of a list, with its values.
#[utoipa::path(get, path = "/api/v1/value-lists/{name}/versions/{number}", operation_id = "get_value_list_version", tag = "rules", params(("name" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = ValueListVersion), (status = 404, body = Problem)))]
pub(crate) async fn version(
    caller: Caller,
    Path((name, number)): Path<(String, String)>,
) -> Result<Json<ValueListVersion>, Problem> {
    let number: i64 = number.parse().map_err(|_no_number| Problem::not_found())?;
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, Kind::List, &name).await?;
    let version = rule_parts::version(&mut reader, Kind::List, &name, number).await?.ok_or_else(Problem::not_found)?;
    let values = lines(&version.text);
    Ok(Json(ValueListVersion { version: PartVersionView::new(&part, &version), values }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_that_no_rule_could_use_are_refused() {
        for name in ["Admins", "a", "scan-hosts_2.x"] {
            assert!(named(name).is_ok(), "{name}");
        }
        for name in ["", "1a", "a b", "a%b", "../x", "ä", "a\0", &"a".repeat(65)] {
            assert!(named(name).is_err(), "{name}");
        }
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(text(&owned(&["root", "ann", "root"])).ok().unwrap(), "root\nann\n", "each once");
        for values in [owned(&[" "]), owned(&["a\nb"]), vec!["x".repeat(1_025)], vec!["x".to_owned(); 20_001]] {
            assert!(text(&values).is_err());
        }
        let many: Vec<String> = (0..600).map(|number| format!("{number:01000}")).collect();
        assert!(text(&many).is_err(), "too many bytes together");
    }
}
