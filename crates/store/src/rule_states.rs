//! How a tenant set rules that it does not own, by whom and why. A rule without a row is as the installation says; a row
//! stays when its rule goes, so a rule that comes back is as it was left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
};

const TABLE: &str = "rule_states";
/// Rules that one tenant may have switched.
pub const MAX: i64 = 100_000;

/// What becomes of a rule's matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is being written: no event is tried on it.
    Draft,
    /// Its matches are counted and listed, and raise no alert.
    Shadow,
    #[default]
    Enabled,
    /// It was taken out of use.
    Retired,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Draft, Self::Shadow, Self::Enabled, Self::Retired];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Enabled => "enabled",
            Self::Retired => "retired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether events are tried on a rule in this state.
    pub const fn runs(self) -> bool {
        matches!(self, Self::Shadow | Self::Enabled)
    }

    /// The ledger's word for coming into this state.
    pub(crate) const fn entry(self) -> &'static str {
        match self {
            Self::Draft => "rule.drafted",
            Self::Shadow => "rule.shadowed",
            Self::Enabled => "rule.enabled",
            Self::Retired => "rule.disabled",
        }
    }
}

/// How a rule was last switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    pub rule_id: String,
    pub state: State,
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

/// The states of rules that have a row: what detection needs of it.
pub async fn states(access: &mut impl Access) -> Result<BTreeMap<String, State>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT rule_id, enabled, state FROM rule_states WHERE tenant_id=$1 ORDER BY rule_id LIMIT $2")
            .bind(tenant)
            .bind(MAX)
            .fetch_all(access.conn())
            .await?;
    rows.iter().map(|row| Ok((row.try_get("rule_id")?, state_of(row)?))).collect()
}

/// Of a row from before there were states, whether it was switched off.
fn state_of(row: &AnyRow) -> Result<State> {
    let state: Option<String> = row.try_get("state")?;
    let enabled: i64 = row.try_get("enabled")?;
    match state {
        None if enabled == 0 => Ok(State::Retired),
        None => Ok(State::Enabled),
        Some(state) => {
            State::parse(&state).ok_or_else(|| StoreError::damaged(format!("rule_states: a rule is {state}")))
        }
    }
}

/// Sets a rule, and queues the entry that says so. What is so already stays as it is, with the reason it was given.
/// `default` is how a rule is that was never set.
///
/// # Errors
/// `Refused` when the tenant has set as many rules as it may.
pub async fn set(
    tx: &mut Tx,
    rule_id: &str,
    (default, state): (State, State),
    reason: &str,
    now: Timestamp,
) -> Result<Option<RuleState>> {
    let before = find(tx, rule_id).await?;
    let was = before.as_ref().map_or(default, |before| before.state);
    if was == state {
        return Ok(before);
    }
    if before.is_none() {
        refuse_too_many(tx).await?;
    }
    let actor = tx.scope().actor().clone();
    let set = RuleState {
        rule_id: rule_id.to_owned(),
        state,
        version: before.as_ref().map_or(0, |before| before.version) + 1,
        at: now,
        by: actor.id,
        by_name: actor.name,
        reason: reason.to_owned(),
    };
    write(tx, &set).await?;
    let body = json!({"reason": reason, "before": {"state": was}, "after": {"state": state}});
    tx.record(state.entry(), &[&rule_id], body)?;
    Ok(Some(set))
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
        "INSERT INTO rule_states (tenant_id, rule_id, enabled, at, actor, version, body, state) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) \
         ON CONFLICT (tenant_id, rule_id) DO UPDATE SET enabled=excluded.enabled, state=excluded.state, at=excluded.at, actor=excluded.actor, \
         version=excluded.version, body=excluded.body WHERE rule_states.version=excluded.version-1",
    )
    .bind(tx.t())
    .bind(&state.rule_id)
    .bind(i64::from(state.state == State::Enabled))
    .bind(state.at.as_micros())
    .bind(&state.by)
    .bind(state.version)
    .bind(body)
    .bind(state.state.as_str())
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
    Ok(RuleState {
        state: state_of(row)?,
        version: row.try_get("version")?,
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        by_name,
        reason,
        rule_id,
    })
}
