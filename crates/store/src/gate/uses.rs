//! Actions as they begin: what rates and the cumulative blast radius count. Bookkeeping: the action has its own entries.

use serde::{Deserialize, Serialize};
use shieldops_model::{ActionId, Environment, TargetId, Timestamp};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{bytes, time},
};

const TABLE: &str = "gate_uses";
/// Uses that are read at once: more than any rate that can be set.
const MOST: i64 = 100_001;

/// An action that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub action: ActionId,
    pub at: Timestamp,
    pub environment: Environment,
    pub target: TargetId,
    pub capability: String,
    /// `usr_…` or `system:…`.
    pub requester: String,
    /// The teams that it counts for.
    pub teams: Vec<String>,
    /// What it reaches, each by one name.
    pub resources: Vec<String>,
    /// It restarts something on its target.
    pub restart: bool,
}

#[derive(Serialize, Deserialize)]
struct Body {
    environment: Environment,
    target: TargetId,
    capability: String,
    requester: String,
    teams: Vec<String>,
    resources: Vec<String>,
    restart: bool,
}

/// Notes that an action begins, once; what began before `kept_since` is too old to count and goes.
pub async fn begin(tx: &mut Tx, begun: &Use, kept_since: Timestamp) -> Result<()> {
    let body = Body {
        environment: begun.environment,
        target: begun.target,
        capability: begun.capability.clone(),
        requester: begun.requester.clone(),
        teams: begun.teams.clone(),
        resources: begun.resources.clone(),
        restart: begun.restart,
    };
    let body = seal(tx, TABLE, &begun.action.to_bytes(), &body)?;
    sqlx::query("INSERT INTO gate_uses (tenant_id, action_id, at, body) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING")
        .bind(tx.t())
        .bind(bytes(begun.action))
        .bind(begun.at.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    sqlx::query("DELETE FROM gate_uses WHERE tenant_id=$1 AND at<$2")
        .bind(tx.t())
        .bind(kept_since.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What began after `from`, oldest first. What a clock that stepped back left in the future counts too.
pub async fn since(access: &mut impl Access, from: Timestamp) -> Result<Vec<Use>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT action_id, at, body FROM gate_uses WHERE tenant_id=$1 AND at>$2 ORDER BY at, action_id LIMIT $3",
    )
    .bind(tenant)
    .bind(from.as_micros())
    .bind(MOST)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Use> {
    let action: ActionId = id_of(row, "action_id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &action.to_bytes(), &sealed)?;
    Ok(Use {
        action,
        at: time(row, "at")?,
        environment: body.environment,
        target: body.target,
        capability: body.capability,
        requester: body.requester,
        teams: body.teams,
        resources: body.resources,
        restart: body.restart,
    })
}
