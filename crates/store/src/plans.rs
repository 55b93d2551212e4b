//! Plans. Their actions are rows of their own (`actions`) and are put together here.

use std::collections::HashMap;

use shieldops_model::{Action, ActionState, IncidentId, Plan, PlanId, PlanState, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, open, seal, word},
    actions,
};

const TABLE: &str = "plans";
/// Plans that are read by one query.
const READ_AT_ONCE: i64 = 1_000;

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub incident: Option<IncidentId>,
    /// Any of these; empty is any at all.
    pub state: Vec<String>,
}

/// Inserts a plan and its actions. `proposal` is the hash of the proposed actions, by which a later revision finds it.
pub async fn insert(tx: &mut Tx, plan: &Plan, proposal: Option<&str>) -> Result<()> {
    let row = plan.id.to_bytes();
    let body = seal(tx, TABLE, &row, &without_actions(plan))?;
    sqlx::query(
        "INSERT INTO plans (tenant_id, id, hash, state, incident_id, undo_of, proposal, created_at, expires_at, updated_at, \
         version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(&plan.hash)
    .bind(word(&plan.state))
    .bind(plan.incident_id.map(|id| id.to_bytes().to_vec()))
    .bind(plan.undo_of.map(|id| id.to_bytes().to_vec()))
    .bind(proposal)
    .bind(plan.created_at.as_micros())
    .bind(plan.expires_at.as_micros())
    .bind(plan.updated_at.as_micros())
    .bind(plan.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("plan", plan.id, plan.version);
    for (place, action) in plan.actions.iter().enumerate() {
        actions::insert(tx, action, place).await?;
    }
    Ok(())
}

/// Writes the plan's own row over the version it was read at (its actions are updated by themselves).
pub async fn update(tx: &mut Tx, plan: &mut Plan) -> Result<()> {
    let row = plan.id.to_bytes();
    let read_at = plan.version;
    plan.version += 1;
    let body = seal(tx, TABLE, &row, &without_actions(plan))?;
    let done = sqlx::query("UPDATE plans SET state=$4, hash=$5, expires_at=$6, updated_at=$7, version=$8, body=$9 WHERE tenant_id=$1 AND id=$2 AND version=$3")
        .bind(tx.t())
        .bind(row.to_vec())
        .bind(read_at)
        .bind(word(&plan.state))
        .bind(&plan.hash)
        .bind(plan.expires_at.as_micros())
        .bind(plan.updated_at.as_micros())
        .bind(plan.version)
        .bind(body)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("plan", plan.id, plan.version);
    Ok(())
}

fn without_actions(plan: &Plan) -> Plan {
    Plan { actions: Vec::new(), ..plan.clone() }
}

pub async fn find(access: &mut impl Access, id: PlanId) -> Result<Option<Plan>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT id, body FROM plans WHERE tenant_id=$1 AND id=$2")
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    match row {
        None => Ok(None),
        Some(row) => read(access, &row).await.map(Some),
    }
}

pub async fn get(access: &mut impl Access, id: PlanId) -> Result<Plan> {
    find(access, id).await?.ok_or(StoreError::NotFound)
}

/// The newest plan made for this proposal of this incident.
pub async fn find_by_proposal(access: &mut impl Access, incident: IncidentId, proposal: &str) -> Result<Option<Plan>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT id, body FROM plans WHERE tenant_id=$1 AND incident_id=$2 AND proposal=$3 ORDER BY id DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(incident.to_bytes().to_vec())
    .bind(proposal)
    .fetch_optional(access.conn())
    .await?;
    match row {
        None => Ok(None),
        Some(row) => read(access, &row).await.map(Some),
    }
}

pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<Plan>> {
    let mut wanted = Conditions::of(access);
    let edge = wanted.bind(page.below::<id::PlanKind>()?);
    wanted.and(&format!("id<{edge}"));
    wanted.is("incident_id", filter.incident.map(|id| id.to_bytes().to_vec()));
    wanted.any("state", filter.state.iter().cloned());
    let rows = wanted.rows(access, "SELECT id, body FROM plans", "id DESC", page.fetch()).await?;
    let items = all(access, &rows).await?;
    Ok(page.page(items, |plan| plan.id.to_string()))
}

/// How many plans are in a state.
pub async fn count_in_state(access: &mut impl Access, state: PlanState) -> Result<u64> {
    let tenant = access.t();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM plans WHERE tenant_id=$1 AND state=$2")
        .bind(tenant)
        .bind(word(&state))
        .fetch_one(access.conn())
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Plans in a state, oldest first, all of them: what recovery walks.
pub async fn in_state(access: &mut impl Access, state: PlanState) -> Result<Vec<Plan>> {
    let mut found: Vec<Plan> = Vec::new();
    loop {
        let (tenant, behind) =
            (access.t(), found.last().map_or_else(|| vec![0; 16], |plan| plan.id.to_bytes().to_vec()));
        let rows =
            sqlx::query("SELECT id, body FROM plans WHERE tenant_id=$1 AND state=$2 AND id>$3 ORDER BY id LIMIT $4")
                .bind(tenant)
                .bind(word(&state))
                .bind(behind)
                .bind(READ_AT_ONCE)
                .fetch_all(access.conn())
                .await?;
        found.extend(all(access, &rows).await?);
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < READ_AT_ONCE {
            return Ok(found);
        }
    }
}

/// The plans that undo something of this one and wait, run, or were rejected, oldest first.
pub async fn undos_asked(access: &mut impl Access, of: PlanId) -> Result<Vec<Plan>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT id, body FROM plans WHERE tenant_id=$1 AND state IN ($2,$3,$4,$5) AND undo_of=$6 ORDER BY id",
    )
    .bind(tenant)
    .bind(word(&PlanState::Proposed))
    .bind(word(&PlanState::Approved))
    .bind(word(&PlanState::Executing))
    .bind(word(&PlanState::Rejected))
    .bind(of.to_bytes().to_vec())
    .fetch_all(access.conn())
    .await?;
    all(access, &rows).await
}

/// Plans that ended without a run and have actions that were never begun, oldest first, at most 200; a denied one when
/// its time is over.
pub async fn left_planned(access: &mut impl Access, now: Timestamp) -> Result<Vec<Plan>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT id, body FROM plans WHERE tenant_id=$1 AND id IN (SELECT plan_id FROM actions WHERE tenant_id=$1 AND state=$2) \
         AND (state IN ($3,$4,$5) OR (state=$6 AND expires_at<=$7)) ORDER BY id LIMIT 200",
    )
    .bind(tenant)
    .bind(word(&ActionState::Planned))
    .bind(word(&PlanState::Rejected))
    .bind(word(&PlanState::Expired))
    .bind(word(&PlanState::Superseded))
    .bind(word(&PlanState::Denied))
    .bind(now.as_micros())
    .fetch_all(access.conn())
    .await?;
    all(access, &rows).await
}

/// Proposed plans whose time is over, oldest first, at most 1,000: they end, and the next look has the rest.
pub async fn overdue(access: &mut impl Access, now: Timestamp) -> Result<Vec<Plan>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT id, body FROM plans WHERE tenant_id=$1 AND state=$2 AND expires_at<=$3 ORDER BY id LIMIT $4",
    )
    .bind(tenant)
    .bind(word(&PlanState::Proposed))
    .bind(now.as_micros())
    .bind(READ_AT_ONCE)
    .fetch_all(access.conn())
    .await?;
    all(access, &rows).await
}

async fn read(access: &mut impl Access, row: &AnyRow) -> Result<Plan> {
    let mut plan = body(access, row)?;
    plan.actions = actions::of_plan(access, plan.id).await?;
    Ok(plan)
}

/// Reads plans with the actions of all of them at once.
async fn all(access: &mut impl Access, rows: &[AnyRow]) -> Result<Vec<Plan>> {
    let mut plans = rows.iter().map(|row| body(access, row)).collect::<Result<Vec<Plan>>>()?;
    let ids: Vec<PlanId> = plans.iter().map(|plan| plan.id).collect();
    let mut actions: HashMap<PlanId, Vec<Action>> = HashMap::new();
    for action in actions::of_plans(access, &ids).await? {
        actions.entry(action.plan_id).or_default().push(action);
    }
    for plan in &mut plans {
        plan.actions = actions.remove(&plan.id).unwrap_or_default();
    }
    Ok(plans)
}

fn body(access: &impl Access, row: &AnyRow) -> Result<Plan> {
    let id: Vec<u8> = row.try_get("id")?;
    let body: Vec<u8> = row.try_get("body")?;
    open(access, TABLE, &id, &body)
}
