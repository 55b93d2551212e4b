//! How far automation may go: what people set for the tenant, an environment or a capability, and what the system lowered by
//! itself. Only people raise.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{Environment, TargetId, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal, word},
    bookkeeping,
    rows::{optional_time, time},
};

const LEVELS: &str = "autonomy_levels";
const LOWERED: &str = "autonomy_lowered";
/// The counter of changes.
const CHANGES: &str = "autonomy.changes";
/// Capabilities and environments that are set, and those that were lowered.
pub const MAX: i64 = 1_000;

/// What a level is set for; nothing at all is the tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = AutonomyScope)]
pub struct Scope {
    #[serde(default)]
    pub environment: Option<Environment>,
    #[serde(default)]
    pub capability: Option<String>,
}

impl Scope {
    /// The columns; absent is empty.
    fn columns(&self) -> (String, String) {
        (self.environment.as_ref().map(word).unwrap_or_default(), self.capability.clone().unwrap_or_default())
    }

    /// One text for it, as the ledger and pending changes name it.
    pub fn subject(&self) -> String {
        let (environment, capability) = self.columns();
        match (environment.is_empty(), capability.is_empty()) {
            (true, true) => "tenant".to_owned(),
            (true, false) => capability,
            _ => environment,
        }
    }
}

/// 0 observe, 1 suggest, 2 act after approval, 3 act with a veto window, 4 act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AutonomyLevel)]
pub struct Level {
    #[serde(flatten)]
    pub scope: Scope,
    pub level: u8,
    pub at: Timestamp,
    pub by: String,
    pub by_name: String,
    pub reason: String,
    /// Who else wanted it, where it took two.
    pub confirmed_by: Option<String>,
    pub version: i64,
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
    confirmed_by: Option<String>,
}

/// What the system lowered by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoweredAutonomy)]
pub struct Lowered {
    pub capability: String,
    /// Absent: on every target.
    pub target: Option<TargetId>,
    pub to: u8,
    pub why: String,
    pub at: Timestamp,
    /// Absent: until people raise it again.
    pub until: Option<Timestamp>,
}

/// Whose wish a level is.
#[derive(Debug, Clone)]
pub struct Wish {
    pub by: String,
    pub by_name: String,
    pub reason: String,
    pub confirmed_by: Option<String>,
}

/// Grows with every change of what is set or was lowered: what an ETag says.
pub async fn version(access: &mut impl Access) -> Result<i64> {
    let count = bookkeeping::counter(access, CHANGES).await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

async fn changed(tx: &mut Tx) -> Result<()> {
    bookkeeping::count(tx, CHANGES, 1).await?;
    tx.touched("automation", "automation", 0);
    Ok(())
}

/// All levels that are set.
pub async fn levels(access: &mut impl Access) -> Result<Vec<Level>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT * FROM autonomy_levels WHERE tenant_id=$1 ORDER BY environment, capability LIMIT $2")
            .bind(tenant)
            .bind(MAX)
            .fetch_all(access.conn())
            .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

pub async fn find(access: &mut impl Access, scope: &Scope) -> Result<Option<Level>> {
    let (environment, capability) = scope.columns();
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM autonomy_levels WHERE tenant_id=$1 AND environment=$2 AND capability=$3")
        .bind(tenant)
        .bind(environment)
        .bind(capability)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Sets a level, or takes what was set away; it holds at once.
///
/// # Errors
/// `Conflict` when it was changed meanwhile, `TooMany` when as many are set as may be.
pub async fn set(tx: &mut Tx, scope: &Scope, level: Option<u8>, wish: Wish, now: Timestamp) -> Result<()> {
    let before = find(tx, scope).await?;
    match level {
        Some(level) => write(tx, scope, (level, &before), &wish, now).await?,
        None => remove(tx, scope).await?,
    }
    changed(tx).await?;
    let subject = scope.subject();
    let body = json!({
        "scope": scope, "reason": wish.reason, "asked_by": wish.by, "confirmed_by": wish.confirmed_by,
        "before": {"level": before.map(|before| before.level)}, "after": {"level": level},
    });
    tx.record("autonomy.set", &[&subject], body)
}

async fn write(
    tx: &mut Tx,
    scope: &Scope,
    (level, before): (u8, &Option<Level>),
    wish: &Wish,
    now: Timestamp,
) -> Result<()> {
    if before.is_none() {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM autonomy_levels WHERE tenant_id=$1")
            .bind(tx.t())
            .fetch_one(tx.conn())
            .await?;
        if count >= MAX {
            return Err(StoreError::TooMany { what: "levels are set", limit: 1_000 });
        }
    }
    let (environment, capability) = scope.columns();
    let row = row_key(&environment, &capability);
    let body =
        Body { by_name: wish.by_name.clone(), reason: wish.reason.clone(), confirmed_by: wish.confirmed_by.clone() };
    let body = seal(tx, LEVELS, &row, &body)?;
    let done = sqlx::query(
        "INSERT INTO autonomy_levels (tenant_id, environment, capability, level, at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) \
         ON CONFLICT (tenant_id, environment, capability) DO UPDATE SET level=excluded.level, at=excluded.at, actor=excluded.actor, \
         version=excluded.version, body=excluded.body WHERE autonomy_levels.version=excluded.version-1",
    )
    .bind(tx.t())
    .bind(environment)
    .bind(capability)
    .bind(i64::from(level))
    .bind(now.as_micros())
    .bind(&wish.by)
    .bind(before.as_ref().map_or(0, |before| before.version) + 1)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

async fn remove(tx: &mut Tx, scope: &Scope) -> Result<()> {
    let (environment, capability) = scope.columns();
    sqlx::query("DELETE FROM autonomy_levels WHERE tenant_id=$1 AND environment=$2 AND capability=$3")
        .bind(tx.t())
        .bind(environment)
        .bind(capability)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What the system lowered, as far as it holds now.
pub async fn lowered(access: &mut impl Access, now: Timestamp) -> Result<Vec<Lowered>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM autonomy_lowered WHERE tenant_id=$1 AND (until IS NULL OR until>$2) ORDER BY capability, target_id LIMIT $3",
    )
    .bind(tenant)
    .bind(now.as_micros())
    .bind(MAX)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read_lowered(access, row)).collect()
}

/// Lowers a capability on a target by itself, with its entry. It never raises: false where it is as low already.
pub async fn lower(tx: &mut Tx, lowered: &Lowered) -> Result<bool> {
    let holds = self::lowered(tx, lowered.at).await?;
    let same = |one: &&Lowered| one.capability == lowered.capability && one.target == lowered.target;
    let outlasts = |until: Option<Timestamp>| until.is_none_or(|end| lowered.until.is_some_and(|other| other <= end));
    if holds.iter().find(same).is_some_and(|one| one.to <= lowered.to && outlasts(one.until)) {
        return Ok(false);
    }
    let target = target_column(lowered.target);
    let body = seal(tx, LOWERED, &lowered_key(&lowered.capability, &target), &lowered.why)?;
    sqlx::query(
        "INSERT INTO autonomy_lowered (tenant_id, capability, target_id, level, at, until, body) VALUES ($1,$2,$3,$4,$5,$6,$7) \
         ON CONFLICT (tenant_id, capability, target_id) DO UPDATE SET level=excluded.level, at=excluded.at, until=excluded.until, body=excluded.body",
    )
    .bind(tx.t())
    .bind(&lowered.capability)
    .bind(target)
    .bind(i64::from(lowered.to))
    .bind(lowered.at.as_micros())
    .bind(lowered.until.map(Timestamp::as_micros))
    .bind(body)
    .execute(tx.conn())
    .await?;
    changed(tx).await?;
    match &lowered.target {
        Some(target) => tx.record("autonomy.lowered", &[&lowered.capability, target], lowered)?,
        None => tx.record("autonomy.lowered", &[&lowered.capability], lowered)?,
    }
    Ok(true)
}

/// Takes back what the system lowered: two people did.
///
/// # Errors
/// `NotFound` where nothing is lowered.
pub async fn restore(tx: &mut Tx, capability: &str, target: Option<TargetId>, wish: &Wish) -> Result<()> {
    let done = sqlx::query("DELETE FROM autonomy_lowered WHERE tenant_id=$1 AND capability=$2 AND target_id=$3")
        .bind(tx.t())
        .bind(capability)
        .bind(target_column(target))
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    changed(tx).await?;
    let body = json!({"capability": capability, "target": target, "reason": wish.reason, "asked_by": wish.by, "confirmed_by": wish.confirmed_by});
    tx.record("autonomy.restored", &[&capability], body)
}

fn target_column(target: Option<TargetId>) -> Vec<u8> {
    target.map(|target| target.to_bytes().to_vec()).unwrap_or_default()
}

fn row_key(environment: &str, capability: &str) -> Vec<u8> {
    [environment.as_bytes(), &[0], capability.as_bytes()].concat()
}

fn lowered_key(capability: &str, target: &[u8]) -> Vec<u8> {
    [capability.as_bytes(), &[0], target].concat()
}

fn level(row: &AnyRow) -> Result<u8> {
    let level: i64 = row.try_get("level")?;
    u8::try_from(level).map_err(|_far| StoreError::damaged("a level of autonomy is 0 to 4"))
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Level> {
    let (environment, capability): (String, String) = (row.try_get("environment")?, row.try_get("capability")?);
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, LEVELS, &row_key(&environment, &capability), &sealed)?;
    let named = (!environment.is_empty()).then(|| serde_json::from_value(environment.into())).transpose();
    Ok(Level {
        scope: Scope {
            environment: named.map_err(StoreError::damaged)?,
            capability: (!capability.is_empty()).then_some(capability),
        },
        level: level(row)?,
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        by_name: body.by_name,
        reason: body.reason,
        confirmed_by: body.confirmed_by,
        version: row.try_get("version")?,
    })
}

fn read_lowered(access: &impl Access, row: &AnyRow) -> Result<Lowered> {
    let (capability, target): (String, Vec<u8>) = (row.try_get("capability")?, row.try_get("target_id")?);
    let sealed: Vec<u8> = row.try_get("body")?;
    let why = open(access, LOWERED, &lowered_key(&capability, &target), &sealed)?;
    let target = if target.is_empty() { None } else { Some(crate::alerts::id_of(row, "target_id")?) };
    Ok(Lowered { capability, target, to: level(row)?, why, at: time(row, "at")?, until: optional_time(row, "until")? })
}
