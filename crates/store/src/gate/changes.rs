//! Changes of the gate that take two people: asked for by one, confirmed by another. Until then nothing changes, and after a
//! time nobody can confirm it any more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::{GateChangeId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, open, seal, word},
    alerts::id_of,
    rows::{bytes, time},
};

const TABLE: &str = "gate_changes";
/// How long a change waits for its second person.
pub const WAITS: Duration = Duration::from_hours(24 * 7);
/// Changes that wait at once in one tenant.
pub const PENDING: i64 = 200;

/// What would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GateChangeKind)]
pub enum Kind {
    /// How far automation may go.
    Autonomy,
    /// What the system lowered by itself is raised again.
    Lowered,
    /// The row of a target.
    Target,
    /// The tenant's own policies are taken out of force.
    Policies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GateChangeState)]
pub enum State {
    Pending,
    Confirmed,
    Withdrawn,
    /// Nobody confirmed it in time.
    Expired,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = GateChange)]
pub struct Change {
    pub id: GateChangeId,
    pub kind: Kind,
    /// What would change: the id of a target, or the environment and capability.
    pub subject: String,
    pub state: State,
    pub at: Timestamp,
    pub expires_at: Timestamp,
    /// Who asked for it.
    pub by: String,
    pub by_name: String,
    pub reason: String,
    /// What was there when it was asked for.
    #[schema(value_type = Object)]
    pub before: Value,
    #[schema(value_type = Object)]
    pub after: Value,
    /// Who confirmed or withdrew it, and when.
    pub ended_by: Option<String>,
    pub ended_by_name: Option<String>,
    pub ended_at: Option<Timestamp>,
    /// The request of the same subject whose place it took when it was asked for: that one is withdrawn by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<GateChangeId>,
    /// The newer request that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<GateChangeId>,
    pub version: i64,
}

/// A change as it is asked for.
#[derive(Debug, Clone)]
pub struct New {
    pub kind: Kind,
    pub subject: String,
    pub reason: String,
    pub before: Value,
    pub after: Value,
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
    before: Value,
    after: Value,
    ended_by: Option<String>,
    ended_by_name: Option<String>,
    ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<GateChangeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_by: Option<GateChangeId>,
}

/// Asks for a change. One of the same subject that waits is withdrawn: the newest holds, and both say so.
///
/// # Errors
/// `TooMany` when as many wait as may.
pub async fn ask(tx: &mut Tx, new: New, now: Timestamp) -> Result<Change> {
    let (id, mut replaces) = (id::mint(now, &mut rand::rng()), None);
    for mut earlier in pending_of(tx, new.kind, &new.subject, now).await? {
        earlier.replaced_by = Some(id);
        end(tx, &mut earlier, State::Withdrawn, now).await?;
        let body = json!({"kind": earlier.kind, "subject": earlier.subject, "author": earlier.by, "replaced_by": id});
        tx.record("gate_change.withdrawn", &[&earlier.id], body)?;
        replaces = Some(earlier.id);
    }
    let waiting: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM gate_changes WHERE tenant_id=$1 AND state='pending' AND expires_at>$2",
    )
    .bind(tx.t())
    .bind(now.as_micros())
    .fetch_one(tx.conn())
    .await?;
    if waiting >= PENDING {
        return Err(StoreError::TooMany { what: "changes wait for a second person", limit: 200 });
    }
    let actor = tx.scope().actor().clone();
    let change = Change {
        id,
        kind: new.kind,
        subject: new.subject,
        state: State::Pending,
        at: now,
        expires_at: now.plus(WAITS),
        by: actor.id,
        by_name: actor.name,
        reason: new.reason,
        before: new.before,
        after: new.after,
        ended_by: None,
        ended_by_name: None,
        ended_at: None,
        replaces,
        replaced_by: None,
        version: 1,
    };
    insert(tx, &change).await?;
    let entry = json!({"kind": change.kind, "subject": change.subject, "reason": change.reason, "before": change.before,
        "after": change.after, "replaces": change.replaces});
    tx.record("gate_change.asked", &[&change.id], entry)?;
    Ok(change)
}

async fn insert(tx: &mut Tx, change: &Change) -> Result<()> {
    let body = sealed(tx, change)?;
    sqlx::query(
        "INSERT INTO gate_changes (tenant_id, id, kind, subject, state, at, expires_at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
    )
    .bind(tx.t())
    .bind(bytes(change.id))
    .bind(word(&change.kind))
    .bind(&change.subject)
    .bind(word(&change.state))
    .bind(change.at.as_micros())
    .bind(change.expires_at.as_micros())
    .bind(&change.by)
    .bind(change.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("automation", "automation", 0);
    Ok(())
}

pub async fn find(access: &mut impl Access, id: GateChangeId, now: Timestamp) -> Result<Option<Change>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM gate_changes WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row, now)).transpose()
}

/// Newest first; those that wait alone, or all.
pub async fn list(access: &mut impl Access, pending: bool, page: &PageRequest, now: Timestamp) -> Result<Page<Change>> {
    let mut wanted = Conditions::of(access);
    let edge = wanted.bind(page.below::<id::GateChangeKind>()?);
    wanted.and(&format!("id<{edge}"));
    if pending {
        wanted.is("state", Some(word(&State::Pending)));
        let at = wanted.bind(now.as_micros());
        wanted.and(&format!("expires_at>{at}"));
    }
    let rows = wanted.rows(access, "SELECT * FROM gate_changes", "id DESC", page.fetch()).await?;
    let items: Result<Vec<Change>> = rows.iter().map(|row| read(access, row, now)).collect();
    Ok(page.page(items?, |change| change.id.to_string()))
}

async fn pending_of(access: &mut impl Access, kind: Kind, subject: &str, now: Timestamp) -> Result<Vec<Change>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM gate_changes WHERE tenant_id=$1 AND state='pending' AND kind=$2 AND subject=$3 ORDER BY id LIMIT $4",
    )
    .bind(tenant)
    .bind(word(&kind))
    .bind(subject)
    .bind(PENDING)
    .fetch_all(access.conn())
    .await?;
    rows.iter()
        .map(|row| read(access, row, now))
        .filter(|change| !matches!(change, Ok(one) if one.state != State::Pending))
        .collect()
}

/// Confirms a change, by another person than asked for it; the caller carries it out in the same transaction.
///
/// # Errors
/// `Refused` for its author, and for one that no longer waits.
pub async fn confirm(tx: &mut Tx, change: &mut Change, now: Timestamp) -> Result<()> {
    if tx.scope().actor().id == change.by {
        return Err(StoreError::Refused { detail: "another person must confirm what you asked for".to_owned() });
    }
    end(tx, change, State::Confirmed, now).await?;
    let entry = json!({"kind": change.kind, "subject": change.subject, "author": change.by, "reason": change.reason, "before": change.before, "after": change.after});
    tx.record("gate_change.confirmed", &[&change.id], entry)
}

/// Takes a change back, by its author or by who could confirm it.
pub async fn withdraw(tx: &mut Tx, change: &mut Change, reason: &str, now: Timestamp) -> Result<()> {
    end(tx, change, State::Withdrawn, now).await?;
    let entry = json!({"kind": change.kind, "subject": change.subject, "author": change.by, "reason": reason});
    tx.record("gate_change.withdrawn", &[&change.id], entry)
}

async fn end(tx: &mut Tx, change: &mut Change, state: State, now: Timestamp) -> Result<()> {
    if change.state != State::Pending {
        return Err(StoreError::Refused { detail: format!("the change is {} already", word(&change.state)) });
    }
    let actor = tx.scope().actor().clone();
    let read_at = change.version;
    change.version += 1;
    change.state = state;
    change.ended_by = Some(actor.id);
    change.ended_by_name = Some(actor.name);
    change.ended_at = Some(now);
    let body = sealed(tx, change)?;
    let done = sqlx::query(
        "UPDATE gate_changes SET state=$4, version=$5, body=$6 WHERE tenant_id=$1 AND id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(bytes(change.id))
    .bind(read_at)
    .bind(word(&state))
    .bind(change.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("automation", "automation", 0);
    Ok(())
}

fn sealed(tx: &Tx, change: &Change) -> Result<Vec<u8>> {
    let body = Body {
        by_name: change.by_name.clone(),
        reason: change.reason.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        ended_by: change.ended_by.clone(),
        ended_by_name: change.ended_by_name.clone(),
        ended_at: change.ended_at,
        replaces: change.replaces,
        replaced_by: change.replaced_by,
    };
    seal(tx, TABLE, &change.id.to_bytes(), &body)
}

fn read(access: &impl Access, row: &AnyRow, now: Timestamp) -> Result<Change> {
    let id: GateChangeId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &id.to_bytes(), &sealed)?;
    let expires_at = time(row, "expires_at")?;
    let state: State = of_word(row.try_get("state")?)?;
    Ok(Change {
        id,
        kind: of_word(row.try_get("kind")?)?,
        subject: row.try_get("subject")?,
        state: if state == State::Pending && expires_at <= now { State::Expired } else { state },
        at: time(row, "at")?,
        expires_at,
        by: row.try_get("actor")?,
        by_name: body.by_name,
        reason: body.reason,
        before: body.before,
        after: body.after,
        ended_by: body.ended_by,
        ended_by_name: body.ended_by_name,
        ended_at: body.ended_at,
        replaces: body.replaces,
        replaced_by: body.replaced_by,
        version: row.try_get("version")?,
    })
}

fn of_word<T: serde::de::DeserializeOwned>(word: String) -> Result<T> {
    serde_json::from_value(Value::String(word)).map_err(|error| StoreError::damaged(format!("{TABLE}: {error}")))
}
