//! Which rules a tenant has switched off, by whom and why. A rule without a row is enabled, so a new rule is; a row stays
//! when its rule goes, so a rule that comes back is as it was left.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
};

const TABLE: &str = "rule_states";
/// Rules that one tenant may have switched.
pub const MAX: i64 = 100_000;

/// How a rule was last switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    pub rule_id: String,
    pub enabled: bool,
    /// How often it was switched.
    pub version: i64,
    pub at: Timestamp,
    /// Who did it, as the ledger names them: id and name.
    pub by: String,
    pub by_name: String,
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
}

pub async fn find(access: &mut impl Access, rule_id: &str) -> Result<Option<RuleState>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM rule_states WHERE tenant_id=$1 AND rule_id=$2")
        .bind(tenant)
        .bind(rule_id)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Every rule that was ever switched, by id.
pub async fn all(access: &mut impl Access) -> Result<BTreeMap<String, RuleState>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM rule_states WHERE tenant_id=$1 ORDER BY rule_id LIMIT $2")
        .bind(tenant)
        .bind(MAX)
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row).map(|state| (state.rule_id.clone(), state))).collect()
}

/// Ids of the rules that are switched off: what detection needs of it.
pub async fn disabled(access: &mut impl Access) -> Result<BTreeSet<String>> {
    let tenant = access.t();
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT rule_id FROM rule_states WHERE tenant_id=$1 AND enabled=0 ORDER BY rule_id LIMIT $2",
    )
    .bind(tenant)
    .bind(MAX)
    .fetch_all(access.conn())
    .await?;
    Ok(ids.into_iter().collect())
}

/// Switches a rule on or off, and queues the entry that says so. What is so already stays as it is, with the reason it
/// was given.
///
/// # Errors
/// `Refused` when the tenant has switched as many rules as it may.
pub async fn set(tx: &mut Tx, rule_id: &str, enabled: bool, reason: &str, now: Timestamp) -> Result<Option<RuleState>> {
    let before = find(tx, rule_id).await?;
    if before.as_ref().is_none_or(|state| state.enabled) == enabled {
        return Ok(before);
    }
    if before.is_none() {
        refuse_too_many(tx).await?;
    }
    let actor = tx.scope().actor().clone();
    let state = RuleState {
        rule_id: rule_id.to_owned(),
        enabled,
        version: before.as_ref().map_or(0, |state| state.version) + 1,
        at: now,
        by: actor.id,
        by_name: actor.name,
        reason: reason.to_owned(),
    };
    write(tx, &state).await?;
    let kind = if enabled { "rule.enabled" } else { "rule.disabled" };
    tx.record(
        kind,
        &[&rule_id],
        json!({"reason": reason, "before": {"enabled": !enabled}, "after": {"enabled": enabled}}),
    )?;
    Ok(Some(state))
}

async fn refuse_too_many(tx: &mut Tx) -> Result<()> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM rule_states WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    if count < MAX {
        return Ok(());
    }
    Err(StoreError::Refused {
        detail: format!("{MAX} rules were switched already: take rules out of the folders instead"),
    })
}

async fn write(tx: &mut Tx, state: &RuleState) -> Result<()> {
    let body = Body { by_name: state.by_name.clone(), reason: state.reason.clone() };
    let body = seal(tx, TABLE, state.rule_id.as_bytes(), &body)?;
    let done = sqlx::query(
        "INSERT INTO rule_states (tenant_id, rule_id, enabled, at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7) \
         ON CONFLICT (tenant_id, rule_id) DO UPDATE SET enabled=excluded.enabled, at=excluded.at, actor=excluded.actor, \
         version=excluded.version, body=excluded.body WHERE rule_states.version=excluded.version-1",
    )
    .bind(tx.t())
    .bind(&state.rule_id)
    .bind(i64::from(state.enabled))
    .bind(state.at.as_micros())
    .bind(&state.by)
    .bind(state.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("rule", &state.rule_id, state.version);
    Ok(())
}

fn read(access: &impl Access, row: &AnyRow) -> Result<RuleState> {
    let rule_id: String = row.try_get("rule_id")?;
    let body: Vec<u8> = row.try_get("body")?;
    let Body { by_name, reason } = open(access, TABLE, rule_id.as_bytes(), &body)?;
    let enabled: i64 = row.try_get("enabled")?;
    Ok(RuleState {
        enabled: enabled != 0,
        version: row.try_get("version")?,
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        by_name,
        reason,
        rule_id,
    })
}
