//! What differs between two versions of a tenant's policies, file by file.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use serde::{Deserialize, Serialize};
use shieldops_store::{Access, gate::policies::File};
use utoipa::{IntoParams, ToSchema};

use super::{content_of, live};
use crate::{
    Problem,
    auth::Caller,
    page::Params,
    rules::{
        blocking,
        diff::{DiffLine, lines},
    },
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PolicyDiffParams {
    /// A version; 0 is none. Absent: what is in force.
    from: Option<i64>,
    /// A version; 0 is none. Absent: what is in force.
    to: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyVersionDifference {
    from: i64,
    to: i64,
    /// Those that differ, by path.
    files: Vec<PolicyFileDifference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicyFileChange {
    Added,
    Removed,
    Changed,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyFileDifference {
    path: String,
    change: PolicyFileChange,
    /// Every line of both texts, in order.
    lines: Vec<DiffLine>,
}

/// What differs between two versions, file by file and line by line.
#[utoipa::path(get, path = "/api/v1/policies/diff", operation_id = "diff_policies", tag = "policies", params(PolicyDiffParams),
    responses((status = 200, body = PolicyVersionDifference), (status = 404, body = Problem)))]
pub(crate) async fn difference(
    caller: Caller,
    Params(params): Params<PolicyDiffParams>,
) -> Result<Json<PolicyVersionDifference>, Problem> {
    let mut reader = caller.scope.read().await?;
    let live = live(&mut reader).await?;
    let (from, to) = (params.from.unwrap_or(live), params.to.unwrap_or(live));
    let before = files_of(&mut reader, from).await?;
    let after = files_of(&mut reader, to).await?;
    drop(reader);
    let files = blocking(move || differences(before, after)).await?;
    Ok(Json(PolicyVersionDifference { from, to, files }))
}

async fn files_of(access: &mut impl Access, number: i64) -> Result<Vec<File>, Problem> {
    if number == 0 { Ok(Vec::new()) } else { Ok(content_of(access, number).await?.files) }
}

fn differences(before: Vec<File>, after: Vec<File>) -> Vec<PolicyFileDifference> {
    let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) = (before.into_iter().collect(), after.into_iter().collect());
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let one = |path: &String| {
        let (old, new) = (before.get(path), after.get(path));
        let change = match (old, new) {
            (None, _) => PolicyFileChange::Added,
            (_, None) => PolicyFileChange::Removed,
            (old, new) if old == new => return None,
            _ => PolicyFileChange::Changed,
        };
        let text = |of: Option<&String>| of.map_or("", String::as_str).to_owned();
        Some(PolicyFileDifference { path: path.clone(), change, lines: lines(&text(old), &text(new)) })
    };
    paths.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_differ_are_named() {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let before = vec![file("a.rego", "one\n"), file("b.rego", "two\n"), file("c.rego", "three\n")];
        let after = vec![file("a.rego", "one\n"), file("b.rego", "2\n"), file("d.rego", "four\n")];
        let found: Vec<_> =
            differences(before, after).into_iter().map(|one| (one.path, one.change, one.lines.len())).collect();
        let wanted = [
            ("b.rego".to_owned(), PolicyFileChange::Changed, 2),
            ("c.rego".to_owned(), PolicyFileChange::Removed, 1),
            ("d.rego".to_owned(), PolicyFileChange::Added, 1),
        ];
        assert_eq!(found, wanted);
    }
}
