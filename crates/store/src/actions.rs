//! Actions, their journal, the owners of each state on a target, and the baseline before the first owner.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use shieldops_model::{Action, ActionId, ActionState, IncidentId, Owner, PlanId, TargetId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, open, seal, word},
    alerts::id_of,
};

const TABLE: &str = "actions";
const JOURNAL: &str = "action_journal";
const BASELINES: &str = "baselines";
/// Actions that are read by one query.
pub const READ_AT_ONCE: usize = 1_000;

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub plan: Option<PlanId>,
    pub capability: Option<String>,
    pub target: Option<TargetId>,
    /// Of the plans that were made for it.
    pub incident: Option<IncidentId>,
    /// Any of these; empty is any at all.
    pub state: Vec<String>,
}

/// One step of an action's journal, written before or after what it tells of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JournalStep)]
pub struct Step {
    pub step: i64,
    pub at: Timestamp,
    /// `intent`, `child`, `observed`, `outcome`, …
    pub kind: String,
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

pub(crate) async fn insert(tx: &mut Tx, action: &Action, place: usize) -> Result<()> {
    let row = action.id.to_bytes();
    let body = seal(tx, TABLE, &row, action)?;
    sqlx::query(
        "INSERT INTO actions (tenant_id, id, plan_id, place, capability, target_id, state, state_key, expires_at, simulated, \
         updated_at, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(action.plan_id.to_bytes().to_vec())
    .bind(i64::try_from(place).unwrap_or(i64::MAX))
    .bind(&action.capability)
    .bind(action.target_id.to_bytes().to_vec())
    .bind(word(&action.state))
    .bind(&action.state_key)
    .bind(action.expires_at.map(Timestamp::as_micros))
    .bind(i64::from(action.simulated))
    .bind(action.updated_at.as_micros())
    .bind(action.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("action", action.id, action.version);
    Ok(())
}

/// Writes a changed action over the version it was read at; `action.version` grows by one.
pub async fn update(tx: &mut Tx, action: &mut Action) -> Result<()> {
    let row = action.id.to_bytes();
    let read_at = action.version;
    action.version += 1;
    let body = seal(tx, TABLE, &row, action)?;
    let done = sqlx::query("UPDATE actions SET state=$4, expires_at=$5, updated_at=$6, version=$7, body=$8 WHERE tenant_id=$1 AND id=$2 AND version=$3")
        .bind(tx.t())
        .bind(row.to_vec())
        .bind(read_at)
        .bind(word(&action.state))
        .bind(action.expires_at.map(Timestamp::as_micros))
        .bind(action.updated_at.as_micros())
        .bind(action.version)
        .bind(body)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("action", action.id, action.version);
    Ok(())
}

pub async fn find(access: &mut impl Access, id: ActionId) -> Result<Option<Action>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT id, body FROM actions WHERE tenant_id=$1 AND id=$2")
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    match row {
        None => Ok(None),
        Some(row) => Ok(all(access, &[row]).await?.pop()),
    }
}

pub async fn get(access: &mut impl Access, id: ActionId) -> Result<Action> {
    find(access, id).await?.ok_or(StoreError::NotFound)
}

/// The actions of a plan, in its order.
pub async fn of_plan(access: &mut impl Access, plan: PlanId) -> Result<Vec<Action>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id, body FROM actions WHERE tenant_id=$1 AND plan_id=$2 ORDER BY place LIMIT 10000")
        .bind(tenant)
        .bind(plan.to_bytes().to_vec())
        .fetch_all(access.conn())
        .await?;
    all(access, &rows).await
}

/// The actions of several plans, each plan's in its order.
pub(crate) async fn of_plans(access: &mut impl Access, plans: &[PlanId]) -> Result<Vec<Action>> {
    let tenant = access.t();
    let ids: Vec<String> = plans.iter().map(|plan| hex::encode(plan.to_bytes())).collect();
    let rows = sqlx::query(
        "SELECT id, body FROM actions WHERE tenant_id=$1 AND plan_id IN (SELECT unhex(value) FROM json_each($2)) \
         ORDER BY plan_id, place LIMIT 100000",
    )
    .bind(tenant)
    .bind(serde_json::to_string(&ids).map_err(StoreError::damaged)?)
    .fetch_all(access.conn())
    .await?;
    all(access, &rows).await
}

/// The actions that own a state and stand in one of these states, oldest first. All of them: what lives is bounded by the
/// rates, and however long the history is, it is not read.
pub async fn owning(access: &mut impl Access, states: &[ActionState]) -> Result<Vec<Action>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT DISTINCT action_id FROM owners WHERE tenant_id=$1 ORDER BY action_id")
        .bind(tenant)
        .fetch_all(access.conn())
        .await?;
    let ids = rows.iter().map(|row| id_of(row, "action_id")).collect::<Result<Vec<ActionId>>>()?;
    let states: BTreeSet<String> = states.iter().map(word).collect();
    let mut found = of_ids(access, &ids).await?;
    found.retain(|action| states.contains(&word(&action.state)));
    Ok(found)
}

/// The actions that own a state whose time is over, whatever became of them, oldest first. All of them.
pub async fn due(access: &mut impl Access, now: Timestamp) -> Result<Vec<Action>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT DISTINCT action_id FROM owners WHERE tenant_id=$1 AND expires_at<=$2 ORDER BY action_id")
            .bind(tenant)
            .bind(now.as_micros())
            .fetch_all(access.conn())
            .await?;
    let ids = rows.iter().map(|row| id_of(row, "action_id")).collect::<Result<Vec<ActionId>>>()?;
    of_ids(access, &ids).await
}

/// The actions of these ids that are there, in the order of their ids.
async fn of_ids(access: &mut impl Access, ids: &[ActionId]) -> Result<Vec<Action>> {
    let mut found = Vec::with_capacity(ids.len());
    for some in ids.chunks(READ_AT_ONCE) {
        let (tenant, some) = (access.t(), some.iter().map(|id| hex::encode(id.to_bytes())).collect::<Vec<_>>());
        let rows = sqlx::query(
            "SELECT id, body FROM actions WHERE tenant_id=$1 AND id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY id",
        )
        .bind(tenant)
        .bind(serde_json::to_string(&some).map_err(StoreError::damaged)?)
        .fetch_all(access.conn())
        .await?;
        found.extend(all(access, &rows).await?);
    }
    Ok(found)
}

/// Actions in these states that changed at `from` or later, in the order of their last change, at most 1,000. The next page
/// begins behind the last of this one.
pub async fn changed_since(
    access: &mut impl Access,
    states: &[ActionState],
    from: Timestamp,
    behind: Option<(Timestamp, ActionId)>,
) -> Result<Vec<Action>> {
    let tenant = access.t();
    let states: Vec<String> = states.iter().map(word).collect();
    let (at, id) = behind.map_or((i64::MIN, vec![0; 16]), |(at, id)| (at.as_micros(), id.to_bytes().to_vec()));
    let rows = sqlx::query(
        "SELECT id, body FROM actions WHERE tenant_id=$1 AND updated_at>=$2 AND (updated_at>$3 OR (updated_at=$3 AND id>$4)) \
         AND state IN (SELECT value FROM json_each($5)) ORDER BY updated_at, id LIMIT $6",
    )
    .bind(tenant)
    .bind(from.as_micros())
    .bind(at)
    .bind(id)
    .bind(serde_json::to_string(&states).map_err(StoreError::damaged)?)
    .bind(i64::try_from(READ_AT_ONCE).unwrap_or(i64::MAX))
    .fetch_all(access.conn())
    .await?;
    all(access, &rows).await
}

pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<Action>> {
    let mut wanted = Conditions::of(access);
    let edge = wanted.bind(page.below::<id::ActionKind>()?);
    wanted.and(&format!("id<{edge}"));
    wanted.is("plan_id", filter.plan.map(|id| id.to_bytes().to_vec()));
    wanted.is("capability", filter.capability.clone());
    wanted.is("target_id", filter.target.map(|id| id.to_bytes().to_vec()));
    if let Some(incident) = filter.incident {
        let incident = wanted.bind(incident.to_bytes().to_vec());
        wanted.and(&format!("plan_id IN (SELECT p.id FROM plans p WHERE p.tenant_id=$1 AND p.incident_id={incident})"));
    }
    wanted.any("state", filter.state.iter().cloned());
    let rows = wanted.rows(access, "SELECT id, body FROM actions", "id DESC", page.fetch()).await?;
    let items = all(access, &rows).await?;
    Ok(page.page(items, |action| action.id.to_string()))
}

/// How long the last actions of a capability took from their intent to their verified end, in milliseconds, newest first;
/// at most `most`. Undos do not count, and simulated ones only for simulated ones.
pub async fn durations(access: &mut impl Access, capability: &str, simulated: bool, most: usize) -> Result<Vec<u64>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT (SELECT max(o.at) FROM action_journal o WHERE o.tenant_id=a.tenant_id AND o.action_id=a.id AND o.kind='outcome') \
         -(SELECT max(i.at) FROM action_journal i WHERE i.tenant_id=a.tenant_id AND i.action_id=a.id AND i.kind='intent') AS took \
         FROM (SELECT tenant_id, id, plan_id, state, simulated FROM actions WHERE tenant_id=$1 AND capability=$2 ORDER BY id DESC LIMIT 200) a \
         JOIN plans p ON p.tenant_id=a.tenant_id AND p.id=a.plan_id \
         WHERE a.simulated=$3 AND p.undo_of IS NULL AND a.state IN ($4,$5,$6) ORDER BY a.id DESC LIMIT $7",
    )
    .bind(tenant)
    .bind(capability)
    .bind(i64::from(simulated))
    .bind(word(&ActionState::Verified))
    .bind(word(&ActionState::Undone))
    .bind(word(&ActionState::Expired))
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(access.conn())
    .await?;
    let mut took = Vec::with_capacity(rows.len());
    for row in &rows {
        let micros: Option<i64> = row.try_get("took")?;
        took.extend(micros.and_then(|micros| u64::try_from(micros / 1_000).ok()));
    }
    Ok(took)
}

/// How many actions stand in each state, simulated ones left out.
pub async fn count_by_state(access: &mut impl Access) -> Result<Vec<(String, u64)>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT state, count(*) AS n FROM actions WHERE tenant_id=$1 AND simulated=0 GROUP BY state ORDER BY state",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<_> {
        let n: i64 = row.try_get("n")?;
        Ok((row.try_get("state")?, u64::try_from(n).unwrap_or(0)))
    };
    rows.iter().map(read).collect()
}

/// Reads actions with the owners of all their states at once.
/// The action of a row, without its owners.
pub(crate) fn opened(access: &impl Access, row: &AnyRow) -> Result<Action> {
    let id: Vec<u8> = row.try_get("id")?;
    let body: Vec<u8> = row.try_get("body")?;
    open(access, TABLE, &id, &body)
}

async fn all(access: &mut impl Access, rows: &[AnyRow]) -> Result<Vec<Action>> {
    let mut items = rows.iter().map(|row| opened(access, row)).collect::<Result<Vec<Action>>>()?;
    let keys: BTreeSet<&str> = items.iter().map(|action| action.state_key.as_str()).collect();
    let keys = serde_json::to_string(&keys).map_err(StoreError::damaged)?;
    let owners = owners_of(access, keys).await?;
    for action in &mut items {
        action.owners = owners.get(&action.state_key).cloned().unwrap_or_default();
    }
    Ok(items)
}

/// The owners of each of these states (a JSON array of keys).
async fn owners_of(access: &mut impl Access, keys: String) -> Result<HashMap<String, Vec<Owner>>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT state_key, action_id, expires_at FROM owners WHERE tenant_id=$1 AND state_key IN (SELECT value FROM json_each($2)) \
         ORDER BY state_key, action_id LIMIT 100000",
    )
    .bind(tenant)
    .bind(keys)
    .fetch_all(access.conn())
    .await?;
    let mut owners: HashMap<String, Vec<Owner>> = HashMap::new();
    for row in &rows {
        owners.entry(row.try_get("state_key")?).or_default().push(owner(row)?);
    }
    Ok(owners)
}

fn owner(row: &AnyRow) -> Result<Owner> {
    let expires_at: Option<i64> = row.try_get("expires_at")?;
    Ok(Owner { action_id: id_of(row, "action_id")?, expires_at: expires_at.map(Timestamp::from_micros) })
}

fn step_key(action: ActionId, step: i64) -> Vec<u8> {
    [action.to_bytes().as_slice(), &step.to_be_bytes()].concat()
}

/// Appends a step to an action's journal. Bookkeeping of the executor: the outcome has its own ledger entry.
pub async fn journal(
    tx: &mut Tx,
    action: ActionId,
    kind: &str,
    detail: &serde_json::Value,
    at: Timestamp,
) -> Result<i64> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT max(step) FROM action_journal WHERE tenant_id=$1 AND action_id=$2")
            .bind(tx.t())
            .bind(action.to_bytes().to_vec())
            .fetch_one(tx.conn())
            .await?;
    let step = last.unwrap_or(0) + 1;
    let body = seal(tx, JOURNAL, &step_key(action, step), detail)?;
    sqlx::query("INSERT INTO action_journal (tenant_id, action_id, step, at, kind, body) VALUES ($1,$2,$3,$4,$5,$6)")
        .bind(tx.t())
        .bind(action.to_bytes().to_vec())
        .bind(step)
        .bind(at.as_micros())
        .bind(kind)
        .bind(body)
        .execute(tx.conn())
        .await?;
    Ok(step)
}

pub async fn journal_of(access: &mut impl Access, action: ActionId) -> Result<Vec<Step>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT step, at, kind, body FROM action_journal WHERE tenant_id=$1 AND action_id=$2 ORDER BY step LIMIT 1000",
    )
    .bind(tenant)
    .bind(action.to_bytes().to_vec())
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| opened_step(access, action, row)).collect()
}

/// The step of a row of this action's journal.
pub(crate) fn opened_step(access: &impl Access, action: ActionId, row: &AnyRow) -> Result<Step> {
    let step: i64 = row.try_get("step")?;
    let body: Vec<u8> = row.try_get("body")?;
    let detail = open(access, JOURNAL, &step_key(action, step), &body)?;
    Ok(Step { step, at: Timestamp::from_micros(row.try_get("at")?), kind: row.try_get("kind")?, detail })
}

/// The live actions that want this state.
pub async fn owners(access: &mut impl Access, state_key: &str) -> Result<Vec<Owner>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT action_id, expires_at FROM owners WHERE tenant_id=$1 AND state_key=$2 ORDER BY action_id LIMIT 10000",
    )
    .bind(tenant)
    .bind(state_key)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(owner).collect()
}

pub async fn add_owner(tx: &mut Tx, state_key: &str, owner: &Owner) -> Result<()> {
    sqlx::query(
        "INSERT INTO owners (tenant_id, state_key, action_id, expires_at) VALUES ($1,$2,$3,$4) \
         ON CONFLICT (tenant_id, state_key, action_id) DO UPDATE SET expires_at=excluded.expires_at",
    )
    .bind(tx.t())
    .bind(state_key)
    .bind(owner.action_id.to_bytes().to_vec())
    .bind(owner.expires_at.map(Timestamp::as_micros))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn remove_owner(tx: &mut Tx, state_key: &str, action: ActionId) -> Result<()> {
    sqlx::query("DELETE FROM owners WHERE tenant_id=$1 AND state_key=$2 AND action_id=$3")
        .bind(tx.t())
        .bind(state_key)
        .bind(action.to_bytes().to_vec())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The state before the first owner.
pub async fn baseline(access: &mut impl Access, state_key: &str) -> Result<Option<serde_json::Value>> {
    let tenant = access.t();
    let body: Option<Vec<u8>> = sqlx::query_scalar("SELECT body FROM baselines WHERE tenant_id=$1 AND state_key=$2")
        .bind(tenant)
        .bind(state_key)
        .fetch_optional(access.conn())
        .await?;
    body.map(|body| open(access, BASELINES, state_key.as_bytes(), &body)).transpose()
}

/// Keeps the state before the first owner; a baseline that stands is left alone.
pub async fn keep_baseline(tx: &mut Tx, state_key: &str, state: &serde_json::Value) -> Result<()> {
    let body = seal(tx, BASELINES, state_key.as_bytes(), state)?;
    sqlx::query("INSERT INTO baselines (tenant_id, state_key, body) VALUES ($1,$2,$3) ON CONFLICT DO NOTHING")
        .bind(tx.t())
        .bind(state_key)
        .bind(body)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub async fn drop_baseline(tx: &mut Tx, state_key: &str) -> Result<()> {
    sqlx::query("DELETE FROM baselines WHERE tenant_id=$1 AND state_key=$2")
        .bind(tx.t())
        .bind(state_key)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Whether an action in one of these states is on this target.
pub async fn any_on_target(access: &mut impl Access, target: TargetId, states: &[ActionState]) -> Result<bool> {
    let tenant = access.t();
    let states: Vec<String> = states.iter().map(word).collect();
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM actions WHERE tenant_id=$1 AND state IN (SELECT value FROM json_each($2)) AND target_id=$3 LIMIT 1")
            .bind(tenant)
            .bind(serde_json::to_string(&states).map_err(StoreError::damaged)?)
            .bind(target.to_bytes().to_vec())
            .fetch_optional(access.conn())
            .await?;
    Ok(found.is_some())
}

/// Whether an action owns a state on this target: it wants an effect there, or left one that was not undone.
pub async fn any_owner_on(access: &mut impl Access, target: TargetId) -> Result<bool> {
    let tenant = access.t();
    // Keys of a target begin with its id and a slash; `0` is the letter after the slash.
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM owners WHERE tenant_id=$1 AND state_key>$2 AND state_key<$3 LIMIT 1")
            .bind(tenant)
            .bind(format!("{target}/"))
            .bind(format!("{target}0"))
            .fetch_optional(access.conn())
            .await?;
    Ok(found.is_some())
}
