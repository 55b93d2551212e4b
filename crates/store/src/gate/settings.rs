//! Versions of the gate's settings. One that is written is a draft; activated, it is in force until another is. Nobody
//! activates alone what they wrote, unless it only tightens: whether it does is the caller's to say.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
};

const TABLE: &str = "gate_settings";
/// Drafts that are kept behind the newest version; what was ever in force stays.
const DRAFTS: i64 = 200;
/// Bytes of a document.
pub const BYTES: usize = 512 * 1024;

/// What is in force by whom, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GateActivation)]
pub struct Activated {
    pub at: Timestamp,
    pub by: String,
    pub by_name: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub number: i64,
    pub at: Timestamp,
    /// Who wrote it, as the ledger names them.
    pub by: String,
    pub by_name: String,
    pub reason: String,
    /// The version that was in force when it was written: it can be activated while that one still is.
    pub base: i64,
    /// The version whose document it brings back.
    pub restores: Option<i64>,
    pub activated: Option<Activated>,
    pub document: Value,
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
    base: i64,
    restores: Option<i64>,
    activated: Option<Activated>,
    document: Value,
}

/// The version in force; none while the built-in numbers hold.
pub async fn in_force(access: &mut impl Access) -> Result<Option<Version>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT * FROM gate_settings WHERE tenant_id=$1 AND activation IS NOT NULL ORDER BY activation DESC LIMIT 1",
    )
    .bind(tenant)
    .fetch_optional(access.conn())
    .await?;
    row.map(|row| read(access, &row)).transpose()
}

pub async fn find(access: &mut impl Access, number: i64) -> Result<Option<Version>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM gate_settings WHERE tenant_id=$1 AND number=$2")
        .bind(tenant)
        .bind(number)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// The newest version that waits to be activated, and still can be.
pub async fn draft(access: &mut impl Access) -> Result<Option<Version>> {
    let live = live(access).await?;
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM gate_settings WHERE tenant_id=$1 ORDER BY number DESC LIMIT 1")
        .bind(tenant)
        .fetch_optional(access.conn())
        .await?;
    let newest = row.map(|row| read(access, &row)).transpose()?;
    Ok(newest.filter(|version| version.activated.is_none() && version.base == live))
}

/// Every version, newest first; the cursor is a number.
pub async fn versions(access: &mut impl Access, page: &PageRequest) -> Result<Page<Version>> {
    let (tenant, below) = (access.t(), page.below_number()?);
    let rows =
        sqlx::query("SELECT * FROM gate_settings WHERE tenant_id=$1 AND number<$2 ORDER BY number DESC LIMIT $3")
            .bind(tenant)
            .bind(below)
            .bind(page.fetch())
            .fetch_all(access.conn())
            .await?;
    let items: Result<Vec<_>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |version| version.number.to_string()))
}

/// Writes a document that was checked, as a draft.
///
/// # Errors
/// `Stale` when another version is in force than the caller saw, `Refused` for one that is too large.
pub async fn write(
    tx: &mut Tx,
    (document, restores): (&Value, Option<i64>),
    reason: &str,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Version> {
    let before = in_force(tx).await?;
    let base = before.as_ref().map_or(0, |version| version.number);
    StoreError::stale_unless(expected, base)?;
    let size = document.to_string().len();
    if size > BYTES {
        return Err(StoreError::Refused { detail: format!("the settings have {size} bytes, and at most {BYTES} fit") });
    }
    let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM gate_settings WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    let actor = tx.scope().actor().clone();
    let version = Version {
        number: last + 1,
        at: now,
        by: actor.id,
        by_name: actor.name,
        reason: reason.to_owned(),
        base,
        restores,
        activated: None,
        document: document.clone(),
    };
    insert(tx, &version).await?;
    make_room(tx, version.number).await?;
    let body = json!({
        "number": version.number, "reason": reason, "restores": restores,
        "before": {"number": base, "settings": before.map(|version| version.document)}, "after": {"settings": document},
    });
    tx.record("gate_settings.drafted", &[&tx.tenant()], body)?;
    Ok(version)
}

async fn insert(tx: &mut Tx, version: &Version) -> Result<()> {
    let body = sealed(tx, version)?;
    sqlx::query("INSERT INTO gate_settings (tenant_id, number, at, actor, body) VALUES ($1,$2,$3,$4,$5)")
        .bind(tx.t())
        .bind(version.number)
        .bind(version.at.as_micros())
        .bind(&version.by)
        .bind(body)
        .execute(tx.conn())
        .await?;
    tx.touched("automation", "automation", version.number);
    Ok(())
}

async fn make_room(tx: &mut Tx, newest: i64) -> Result<()> {
    sqlx::query("DELETE FROM gate_settings WHERE tenant_id=$1 AND activation IS NULL AND number<=$2")
        .bind(tx.t())
        .bind(newest - DRAFTS)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Puts a version in force.
///
/// # Errors
/// `NotFound`, `Conflict` when it was activated already or another has been in force since it was written, and `Refused`
/// when its author activates what does not only tighten.
pub async fn activate(tx: &mut Tx, number: i64, tightens: bool, reason: &str, now: Timestamp) -> Result<Version> {
    let mut version = find(tx, number).await?.ok_or(StoreError::NotFound)?;
    let before = in_force(tx).await?;
    let live = before.as_ref().map_or(0, |version| version.number);
    if version.activated.is_some() || version.base != live {
        return Err(StoreError::Conflict);
    }
    let actor = tx.scope().actor().clone();
    if actor.id == version.by && !tightens {
        return Err(StoreError::Refused { detail: "another person must activate what you wrote".to_owned() });
    }
    let activated = Activated { at: now, by: actor.id, by_name: actor.name, reason: reason.to_owned() };
    version.activated = Some(activated);
    let body = sealed(tx, &version)?;
    sqlx::query(
        "UPDATE gate_settings SET body=$3, activation=(SELECT COALESCE(MAX(g.activation), 0)+1 FROM gate_settings g WHERE g.tenant_id=$1) \
         WHERE tenant_id=$1 AND number=$2",
    )
    .bind(tx.t())
    .bind(number)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("automation", "automation", number);
    let entry = json!({
        "number": number, "author": version.by, "tightens": tightens, "reason": reason,
        "before": {"number": live, "settings": before.map(|version| version.document)},
        "after": {"settings": version.document},
    });
    tx.record("gate_settings.activated", &[&tx.tenant()], entry)?;
    Ok(version)
}

/// The number of the version in force; 0 while none is.
async fn live(access: &mut impl Access) -> Result<i64> {
    let tenant = access.t();
    let number: Option<i64> = sqlx::query_scalar(
        "SELECT number FROM gate_settings WHERE tenant_id=$1 AND activation IS NOT NULL ORDER BY activation DESC LIMIT 1",
    )
    .bind(tenant)
    .fetch_optional(access.conn())
    .await?;
    Ok(number.unwrap_or(0))
}

fn sealed(tx: &Tx, version: &Version) -> Result<Vec<u8>> {
    let body = Body {
        by_name: version.by_name.clone(),
        reason: version.reason.clone(),
        base: version.base,
        restores: version.restores,
        activated: version.activated.clone(),
        document: version.document.clone(),
    };
    seal(tx, TABLE, &version.number.to_be_bytes(), &body)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Version> {
    let number: i64 = row.try_get("number")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &number.to_be_bytes(), &sealed)?;
    Ok(Version {
        number,
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        by_name: body.by_name,
        reason: body.reason,
        base: body.base,
        restores: body.restores,
        activated: body.activated,
        document: body.document,
    })
}
