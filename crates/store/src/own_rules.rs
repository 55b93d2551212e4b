//! Rules that a tenant owns: a row a rule, and its versions. A row in shadow or enabled stands in for a rule of the same id
//! from elsewhere, for this tenant alone; the version that runs stays as it is while newer ones are written.

pub mod versions;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

pub use versions::{NewVersion, Version};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
    rule_states::State,
};

const TABLE: &str = "own_rules";
/// Rules that one tenant may own.
pub const MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRule {
    /// The Sigma id.
    pub rule_id: String,
    pub state: State,
    /// The newest version.
    pub head: i64,
    /// The version that runs, or last ran; none while none ever did.
    pub live: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// How often the row was changed.
    pub version: i64,
    /// Who last changed its state, as the ledger names them, and why.
    pub by: String,
    pub by_name: String,
    pub reason: String,
    /// It was enabled without its proof.
    pub unproved: bool,
}

impl OwnRule {
    /// Whether events are tried on it.
    pub fn runs(&self) -> bool {
        self.state.runs() && self.live.is_some()
    }
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
    unproved: bool,
}

/// A change of state.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub state: State,
    /// The version that is to run.
    pub number: i64,
    pub reason: &'a str,
    /// The person takes it on themselves that it is not proved.
    pub unproved: bool,
}

pub async fn find(access: &mut impl Access, rule_id: &str) -> Result<Option<OwnRule>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM own_rules WHERE tenant_id=$1 AND rule_id=$2")
        .bind(tenant)
        .bind(rule_id)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Every rule of the tenant, by id.
pub async fn all(access: &mut impl Access) -> Result<Vec<OwnRule>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM own_rules WHERE tenant_id=$1 ORDER BY rule_id LIMIT $2")
        .bind(tenant)
        .bind(limit())
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

/// Makes a rule as a draft, with its first version.
///
/// # Errors
/// `AlreadyExists` for an id that the tenant has, `TooMany` when it has as many as it may.
pub async fn create(tx: &mut Tx, rule_id: &str, first: &NewVersion, now: Timestamp) -> Result<OwnRule> {
    if find(tx, rule_id).await?.is_some() {
        return Err(StoreError::AlreadyExists { what: rule_id.to_owned() });
    }
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM own_rules WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    if count >= limit() {
        return Err(StoreError::Refused { detail: format!("a tenant has at most {MAX} rules of its own") });
    }
    let actor = tx.scope().actor().clone();
    let rule = OwnRule {
        rule_id: rule_id.to_owned(),
        state: State::Draft,
        head: 1,
        live: None,
        created_at: now,
        updated_at: now,
        version: 1,
        by: actor.id,
        by_name: actor.name,
        reason: first.note.clone(),
        unproved: false,
    };
    let body = sealed(tx, &rule)?;
    sqlx::query(
        "INSERT INTO own_rules (tenant_id, rule_id, state, head, live, created_at, updated_at, actor, version, body) VALUES ($1,$2,$3,1,NULL,$4,$4,$5,1,$6)",
    )
    .bind(tx.t())
    .bind(rule_id)
    .bind(rule.state.as_str())
    .bind(now.as_micros())
    .bind(&rule.by)
    .bind(body)
    .execute(tx.conn())
    .await?;
    versions::insert(tx, rule_id, 1, first, now).await?;
    tx.touched("rule", rule_id, 1);
    tx.record("rule.created", &[&rule_id], json!({"number": 1, "version": first.hash, "note": first.note}))?;
    Ok(rule)
}

/// Adds a version; what runs goes on running.
pub async fn revise(tx: &mut Tx, mut rule: OwnRule, next: &NewVersion, now: Timestamp) -> Result<OwnRule> {
    rule.head += 1;
    rule.updated_at = now;
    versions::insert(tx, &rule.rule_id, rule.head, next, now).await?;
    write(tx, &mut rule).await?;
    let body = json!({"number": rule.head, "version": next.hash, "note": next.note});
    tx.record("rule.revised", &[&rule.rule_id], body)?;
    Ok(rule)
}

/// Changes what runs. Whether it may is for the caller to say.
pub async fn change(tx: &mut Tx, mut rule: OwnRule, change: Change<'_>, now: Timestamp) -> Result<OwnRule> {
    let before = json!({"state": rule.state, "number": rule.live});
    let actor = tx.scope().actor().clone();
    rule.state = change.state;
    if change.state.runs() {
        rule.live = Some(change.number);
    }
    (rule.by, rule.by_name, rule.reason) = (actor.id, actor.name, change.reason.to_owned());
    (rule.unproved, rule.updated_at) = (change.unproved, now);
    write(tx, &mut rule).await?;
    let after = json!({"state": rule.state, "number": rule.live});
    let body = json!({"reason": change.reason, "before": before, "after": after, "unproved": change.unproved});
    tx.record(rule.state.entry(), &[&rule.rule_id], body)?;
    Ok(rule)
}

async fn write(tx: &mut Tx, rule: &mut OwnRule) -> Result<()> {
    let read_at = rule.version;
    rule.version += 1;
    let body = sealed(tx, rule)?;
    let done = sqlx::query(
        "UPDATE own_rules SET state=$4, head=$5, live=$6, updated_at=$7, actor=$8, version=$9, body=$10 WHERE tenant_id=$1 AND rule_id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(&rule.rule_id)
    .bind(read_at)
    .bind(rule.state.as_str())
    .bind(rule.head)
    .bind(rule.live)
    .bind(rule.updated_at.as_micros())
    .bind(&rule.by)
    .bind(rule.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("rule", &rule.rule_id, rule.version);
    Ok(())
}

fn sealed(tx: &Tx, rule: &OwnRule) -> Result<Vec<u8>> {
    let body = Body { by_name: rule.by_name.clone(), reason: rule.reason.clone(), unproved: rule.unproved };
    seal(tx, TABLE, rule.rule_id.as_bytes(), &body)
}

fn limit() -> i64 {
    i64::try_from(MAX).unwrap_or(i64::MAX)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<OwnRule> {
    let rule_id: String = row.try_get("rule_id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let Body { by_name, reason, unproved } = open(access, TABLE, rule_id.as_bytes(), &sealed)?;
    let state: String = row.try_get("state")?;
    Ok(OwnRule {
        state: State::parse(&state).ok_or_else(|| StoreError::damaged(format!("own_rules: a rule is {state}")))?,
        head: row.try_get("head")?,
        live: row.try_get("live")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        version: row.try_get("version")?,
        by: row.try_get("actor")?,
        by_name,
        reason,
        unproved,
        rule_id,
    })
}
