//! What the tenant holds and sends.

use axum::Json;
use serde::Deserialize;
use shieldops_model::Timestamp;
use shieldops_store::usage::{self, Usage};
use utoipa::IntoParams;

use crate::{
    Problem,
    auth::Caller,
    page::{Params, parse},
};

const DAYS: i64 = 30;
const DAY_US: i64 = 86_400_000_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParams {
    /// RFC 3339; 30 days before `to` unless told.
    from: Option<String>,
    /// RFC 3339; now unless told.
    to: Option<String>,
}

impl UsageParams {
    pub(crate) fn range(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        let to: Timestamp = parse("to", self.to.as_ref())?.unwrap_or(now);
        let month = Timestamp::from_micros(to.as_micros().saturating_sub(DAYS * DAY_US));
        let from: Timestamp = parse("from", self.from.as_ref())?.unwrap_or(month);
        if from >= to {
            return Err(Problem::invalid("`from` is before `to`"));
        }
        Ok((from, to))
    }
}

/// What the tenant holds and sends.
#[utoipa::path(get, path = "/api/v1/usage", operation_id = "get_usage", tag = "settings", params(UsageParams), responses((status = 200, body = Usage), (status = 400, body = Problem)))]
pub(crate) async fn show(caller: Caller, Params(params): Params<UsageParams>) -> Result<Json<Usage>, Problem> {
    let (from, to) = params.range(caller.now())?;
    Ok(Json(usage::of(&mut caller.scope.read().await?, from, to).await?))
}
