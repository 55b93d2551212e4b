//! Standing grants: a person's leave, for a time, that automation does one thing on some targets of an environment without
//! being asked again.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{Environment, StandingGrantId, TargetId, Timestamp, UserId, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, open, seal, word},
    alerts::id_of,
    rows::{bytes, optional_time, time},
};

const TABLE: &str = "standing_grants";
/// The longest time.
pub const LONGEST: Duration = Duration::from_hours(24 * 30);
/// Grants that hold at once in one tenant.
pub const MAX: i64 = 500;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StandingGrant {
    pub id: StandingGrantId,
    pub capability: String,
    pub environment: Environment,
    pub targets: Vec<TargetId>,
    /// Targets that carry all of these; without labels, none but those named.
    pub labels: BTreeMap<String, String>,
    pub reason: String,
    #[schema(value_type = String)]
    pub granted_by: UserId,
    pub granted_by_name: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub revoked_by_name: Option<String>,
    pub version: i64,
}

#[derive(Serialize, Deserialize)]
struct Body {
    targets: Vec<TargetId>,
    labels: BTreeMap<String, String>,
    reason: String,
    granted_by_name: String,
    revoked_by_name: Option<String>,
}

/// # Errors
/// `TooMany` when as many hold as may.
pub async fn create(tx: &mut Tx, grant: &StandingGrant) -> Result<()> {
    let holding: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM standing_grants WHERE tenant_id=$1 AND expires_at>$2 AND revoked_at IS NULL",
    )
    .bind(tx.t())
    .bind(grant.created_at.as_micros())
    .fetch_one(tx.conn())
    .await?;
    if holding >= MAX {
        return Err(StoreError::TooMany { what: "standing grants hold at once", limit: 500 });
    }
    let body = sealed(tx, grant)?;
    sqlx::query(
        "INSERT INTO standing_grants (tenant_id, id, capability, environment, at, expires_at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
    )
    .bind(tx.t())
    .bind(bytes(grant.id))
    .bind(&grant.capability)
    .bind(word(&grant.environment))
    .bind(grant.created_at.as_micros())
    .bind(grant.expires_at.as_micros())
    .bind(grant.granted_by.to_string())
    .bind(grant.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("automation", "automation", 0);
    let body = json!({
        "capability": grant.capability, "environment": grant.environment, "targets": grant.targets, "labels": grant.labels,
        "reason": grant.reason, "expires_at": grant.expires_at,
    });
    tx.record("standing_grant.created", &[&grant.id], body)
}

/// Ends a grant: no run begins under it any more.
///
/// # Errors
/// `NotFound`, and `Refused` for one that has ended.
pub async fn revoke(tx: &mut Tx, id: StandingGrantId, now: Timestamp) -> Result<StandingGrant> {
    let mut grant = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if grant.revoked_at.is_some() || grant.expires_at <= now {
        return Err(StoreError::Refused { detail: "the grant has ended".to_owned() });
    }
    let read_at = grant.version;
    grant.version += 1;
    grant.revoked_at = Some(now);
    grant.revoked_by_name = Some(tx.scope().actor().name.clone());
    let body = sealed(tx, &grant)?;
    let done = sqlx::query(
        "UPDATE standing_grants SET revoked_at=$4, version=$5, body=$6 WHERE tenant_id=$1 AND id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(bytes(id))
    .bind(read_at)
    .bind(now.as_micros())
    .bind(grant.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("automation", "automation", 0);
    tx.record(
        "standing_grant.revoked",
        &[&id],
        json!({"capability": grant.capability, "environment": grant.environment}),
    )?;
    Ok(grant)
}

pub async fn find(access: &mut impl Access, id: StandingGrantId) -> Result<Option<StandingGrant>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM standing_grants WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// Newest first; those that hold at `active`, or all.
pub async fn list(
    access: &mut impl Access,
    active: Option<Timestamp>,
    page: &PageRequest,
) -> Result<Page<StandingGrant>> {
    let mut wanted = Conditions::of(access);
    let edge = wanted.bind(page.below::<id::StandingGrantKind>()?);
    wanted.and(&format!("id<{edge}"));
    if let Some(now) = active {
        let at = wanted.bind(now.as_micros());
        wanted.and(&format!("expires_at>{at} AND revoked_at IS NULL"));
    }
    let rows = wanted.rows(access, "SELECT * FROM standing_grants", "id DESC", page.fetch()).await?;
    let items: Result<Vec<StandingGrant>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |grant| grant.id.to_string()))
}

/// Those that hold, for the engine.
pub async fn active(access: &mut impl Access, now: Timestamp) -> Result<Vec<StandingGrant>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM standing_grants WHERE tenant_id=$1 AND expires_at>$2 AND revoked_at IS NULL ORDER BY id LIMIT $3",
    )
    .bind(tenant)
    .bind(now.as_micros())
    .bind(MAX)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

fn sealed(tx: &Tx, grant: &StandingGrant) -> Result<Vec<u8>> {
    let body = Body {
        targets: grant.targets.clone(),
        labels: grant.labels.clone(),
        reason: grant.reason.clone(),
        granted_by_name: grant.granted_by_name.clone(),
        revoked_by_name: grant.revoked_by_name.clone(),
    };
    seal(tx, TABLE, &grant.id.to_bytes(), &body)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<StandingGrant> {
    let id: StandingGrantId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &id.to_bytes(), &sealed)?;
    let (environment, actor): (String, String) = (row.try_get("environment")?, row.try_get("actor")?);
    Ok(StandingGrant {
        id,
        capability: row.try_get("capability")?,
        environment: serde_json::from_value(environment.into()).map_err(StoreError::damaged)?,
        targets: body.targets,
        labels: body.labels,
        reason: body.reason,
        granted_by: actor.parse().map_err(StoreError::damaged)?,
        granted_by_name: body.granted_by_name,
        created_at: time(row, "at")?,
        expires_at: time(row, "expires_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
        revoked_by_name: body.revoked_by_name,
        version: row.try_get("version")?,
    })
}
