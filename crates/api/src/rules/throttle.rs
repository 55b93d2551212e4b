//! How many alerts of a rule the tenant wants: further matches are counted on the last of them.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use shieldops_model::Timestamp;
use shieldops_store::{
    Access, shadow,
    throttles::{self, Limit, Throttle},
};
use utoipa::ToSchema;

use super::view;
use crate::{
    App, Problem,
    alerts::reason,
    auth::Caller,
    page::Body,
    precondition::{IfMatch, Tagged},
};

const MOST_ALERTS: u32 = 10_000;
const SHORTEST_S: u32 = 60;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleThrottleText)]
pub(crate) struct ThrottleBody {
    /// At most so many alerts in a time; `null` takes the limit away.
    limit: Option<Limit>,
    /// Why. It stands in the ledger.
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RuleThrottle)]
pub(crate) struct ThrottleView {
    rule_id: String,
    limit: Option<Limit>,
    /// Matches of the last 30 days that were counted on another alert.
    withheld: u64,
    /// What its ETag says; 0 while nobody set it.
    version: i64,
    at: Option<Timestamp>,
    by: String,
    by_name: String,
    reason: String,
}

async fn shown(access: &mut impl Access, id: &str, now: Timestamp) -> Result<Tagged<ThrottleView>, Problem> {
    let set = throttles::find(access, id).await?;
    let counts = shadow::counts(access, now.minus(throttles::LONGEST)).await?;
    let withheld = counts.get(id).map_or(0, |counts| counts.throttled);
    let Throttle { limit, version, by, by_name, reason, .. } = set.clone().unwrap_or_else(|| Throttle {
        rule_id: id.to_owned(),
        limit: None,
        version: 0,
        at: now,
        by: String::new(),
        by_name: String::new(),
        reason: String::new(),
    });
    let at = set.map(|set| set.at);
    Ok(Tagged(version, ThrottleView { rule_id: id.to_owned(), limit, withheld, version, at, by, by_name, reason }))
}

/// How many alerts of a rule the tenant wants, and how many matches were counted on another alert for it.
#[utoipa::path(get, path = "/api/v1/rules/{id}/throttle", operation_id = "get_rule_throttle", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = ThrottleView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Tagged<ThrottleView>, Problem> {
    let mut reader = caller.scope.read().await?;
    view::find(&mut reader, &app.pipeline.content, &id).await?;
    shown(&mut reader, &id, caller.now()).await
}

/// Limits how many alerts a rule raises, for each entity of a kind or as a whole, from the next batch of events on. Further
/// matches are counted on the last alert.
#[utoipa::path(put, path = "/api/v1/rules/{id}/throttle", operation_id = "set_rule_throttle", tag = "rules", params(("id" = String, Path)), request_body = ThrottleBody,
    responses((status = 200, body = ThrottleView), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(id): Path<String>,
    Body(body): Body<ThrottleBody>,
) -> Result<Tagged<ThrottleView>, Problem> {
    reason(&body.reason)?;
    body.limit.as_ref().map_or(Ok(()), checked)?;
    let mut reader = caller.scope.read().await?;
    view::find(&mut reader, &app.pipeline.content, &id).await?;
    drop(reader);
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let version = throttles::find(&mut tx, &id).await?.map_or(0, |set| set.version);
    seen.check(version)?;
    throttles::set(&mut tx, &id, body.limit, &body.reason, now).await?;
    tx.commit(now).await?;
    shown(&mut caller.scope.read().await?, &id, now).await
}

fn checked(limit: &Limit) -> Result<(), Problem> {
    if limit.alerts == 0 || limit.alerts > MOST_ALERTS {
        return Err(Problem::invalid(format!("`limit.alerts` is 1 to {MOST_ALERTS}")));
    }
    let longest = throttles::LONGEST.as_secs();
    if limit.window_s < SHORTEST_S || u64::from(limit.window_s) > longest {
        return Err(Problem::invalid(format!("`limit.window_s` is {SHORTEST_S} to {longest} seconds")));
    }
    Ok(())
}
