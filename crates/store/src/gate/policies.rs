//! Versions of a tenant's own policies. A version is files and what their tests showed; it decides nothing until it is
//! activated. Which one holds is a list of its own, to which an older one may be added again: nobody activates what they wrote.
//!
//! What the files mean is for `policy` to say; here they are sealed text.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, seal},
    gate::settings::Activated,
    rows::time,
};

const TABLE: &str = "policy_versions";
const ACTIVATIONS: &str = "policy_activations";
/// Versions that are kept behind the newest; what was ever in force stays.
const DRAFTS: i64 = 200;
/// Bytes of the files of a version, with what their tests showed.
pub const BYTES: usize = 2 * 1024 * 1024;

/// A path and its text.
pub type File = (String, String);

/// A version without its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub number: i64,
    pub at: Timestamp,
    /// Who wrote it, as the ledger names them.
    pub by: String,
    pub by_name: String,
    pub reason: String,
    /// SHA-256 of the files, hex.
    pub hash: String,
    /// Of all policies that decide with it, as they were when it was written.
    pub policy_hash: String,
    pub files: u32,
    pub tests_passed: u32,
    pub tests_failed: u32,
    /// The last time.
    pub activated: Option<Activated>,
}

/// What a version holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub files: Vec<File>,
    /// What the tests showed when it was written.
    pub tests: Value,
}

/// A version as it is written; its content was checked.
#[derive(Debug, Clone)]
pub struct New {
    pub hash: String,
    pub policy_hash: String,
    pub tests_passed: u32,
    pub tests_failed: u32,
    pub reason: String,
    pub content: Content,
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// How often something came into force.
    pub sequence: i64,
    /// 0: none of the tenant's own.
    pub number: i64,
    /// Of its files.
    pub hash: String,
}

/// What came into force last, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub sequence: i64,
    pub number: i64,
    pub activated: Activated,
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
    policy_hash: String,
    files: u32,
    tests_passed: u32,
    tests_failed: u32,
}

#[derive(Serialize, Deserialize)]
struct Why {
    by_name: String,
    reason: String,
}

/// The version that decides; none where only the built-in policies do.
///
/// # Errors
/// `Damaged` when what is in force is not there: that is not the same as none.
pub async fn in_force(access: &mut impl Access) -> Result<Option<InForce>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT a.sequence AS sequence, a.number AS number, v.hash AS hash FROM policy_activations a \
         LEFT JOIN policy_versions v ON v.tenant_id=a.tenant_id AND v.number=a.number \
         WHERE a.tenant_id=$1 ORDER BY a.sequence DESC LIMIT 1",
    )
    .bind(tenant)
    .fetch_optional(access.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (sequence, number): (i64, i64) = (row.try_get("sequence")?, row.try_get("number")?);
    if number == 0 {
        return Ok(None);
    }
    let hash: Option<String> = row.try_get("hash")?;
    let hash = hash.ok_or_else(|| StoreError::damaged(format!("version {number} of the policies is not there")))?;
    Ok(Some(InForce { sequence, number, hash }))
}

/// What came into force last, if anything ever did.
pub async fn last(access: &mut impl Access) -> Result<Option<Activation>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM policy_activations WHERE tenant_id=$1 ORDER BY sequence DESC LIMIT 1")
        .bind(tenant)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| activation(access, &row)).transpose()
}

async fn last_of(access: &mut impl Access, number: i64) -> Result<Option<Activation>> {
    let tenant = access.t();
    let row =
        sqlx::query("SELECT * FROM policy_activations WHERE tenant_id=$1 AND number=$2 ORDER BY sequence DESC LIMIT 1")
            .bind(tenant)
            .bind(number)
            .fetch_optional(access.conn())
            .await?;
    row.map(|row| activation(access, &row)).transpose()
}

pub async fn find(access: &mut impl Access, number: i64) -> Result<Option<Version>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT number, at, actor, hash, body FROM policy_versions WHERE tenant_id=$1 AND number=$2")
        .bind(tenant)
        .bind(number)
        .fetch_optional(access.conn())
        .await?;
    match row {
        Some(row) => Ok(Some(whole(access, &row).await?)),
        None => Ok(None),
    }
}

/// The files of a version, and what their tests showed.
pub async fn content(access: &mut impl Access, number: i64) -> Result<Option<Content>> {
    let tenant = access.t();
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT files FROM policy_versions WHERE tenant_id=$1 AND number=$2")
            .bind(tenant)
            .bind(number)
            .fetch_optional(access.conn())
            .await?;
    sealed.map(|sealed| open(access, TABLE, &content_row(number), &sealed)).transpose()
}

/// Every version, newest first; the cursor is a number.
pub async fn versions(access: &mut impl Access, page: &PageRequest) -> Result<Page<Version>> {
    let (tenant, below) = (access.t(), page.below_number()?);
    let rows = sqlx::query(
        "SELECT number, at, actor, hash, body FROM policy_versions WHERE tenant_id=$1 AND number<$2 ORDER BY number DESC LIMIT $3",
    )
    .bind(tenant)
    .bind(below)
    .bind(page.fetch())
    .fetch_all(access.conn())
    .await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(whole(access, row).await?);
    }
    Ok(page.page(items, |version| version.number.to_string()))
}

/// Writes a version whose files were checked. It decides nothing yet.
///
/// # Errors
/// `Refused` for one that is too large.
pub async fn write(tx: &mut Tx, new: New, now: Timestamp) -> Result<Version> {
    let size = serde_json::to_vec(&new.content).map_err(StoreError::damaged)?.len();
    if size > BYTES {
        return Err(StoreError::Refused { detail: format!("the policies have {size} bytes, and at most {BYTES} fit") });
    }
    let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM policy_versions WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    let actor = tx.scope().actor().clone();
    let version = Version {
        number: last + 1,
        at: now,
        by: actor.id,
        by_name: actor.name,
        reason: new.reason,
        hash: new.hash,
        policy_hash: new.policy_hash,
        files: u32::try_from(new.content.files.len()).unwrap_or(u32::MAX),
        tests_passed: new.tests_passed,
        tests_failed: new.tests_failed,
        activated: None,
    };
    insert(tx, &version, &new.content).await?;
    make_room(tx, version.number).await?;
    let body = json!({
        "number": version.number, "reason": version.reason, "hash": version.hash, "policy_hash": version.policy_hash,
        "files": new.content.files.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        "tests_passed": version.tests_passed, "tests_failed": version.tests_failed,
    });
    tx.record("policy.version_written", &[&tx.tenant()], body)?;
    Ok(version)
}

async fn insert(tx: &mut Tx, version: &Version, content: &Content) -> Result<()> {
    let body = Body {
        by_name: version.by_name.clone(),
        reason: version.reason.clone(),
        policy_hash: version.policy_hash.clone(),
        files: version.files,
        tests_passed: version.tests_passed,
        tests_failed: version.tests_failed,
    };
    let body = seal(tx, TABLE, &version.number.to_be_bytes(), &body)?;
    let files = seal(tx, TABLE, &content_row(version.number), content)?;
    sqlx::query(
        "INSERT INTO policy_versions (tenant_id, number, at, actor, hash, body, files) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(tx.t())
    .bind(version.number)
    .bind(version.at.as_micros())
    .bind(&version.by)
    .bind(&version.hash)
    .bind(body)
    .bind(files)
    .execute(tx.conn())
    .await?;
    tx.touched("automation", "automation", version.number);
    Ok(())
}

async fn make_room(tx: &mut Tx, newest: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM policy_versions WHERE tenant_id=$1 AND number<=$2 AND NOT EXISTS (SELECT 1 FROM policy_activations a \
         WHERE a.tenant_id=policy_versions.tenant_id AND a.number=policy_versions.number)",
    )
    .bind(tx.t())
    .bind(newest - DRAFTS)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts a version in force, a first time or again. That it is proved is the caller's to see.
///
/// # Errors
/// `NotFound`, `Conflict` when it is in force, and `Refused` for whoever wrote it.
pub async fn activate(tx: &mut Tx, number: i64, reason: &str, now: Timestamp) -> Result<Version> {
    let mut version = find(tx, number).await?.ok_or(StoreError::NotFound)?;
    let before = in_force(tx).await?.map_or(0, |live| live.number);
    if before == number {
        return Err(StoreError::Conflict);
    }
    if tx.scope().actor().id == version.by {
        return Err(StoreError::Refused { detail: "another person must activate what you wrote".to_owned() });
    }
    version.activated = Some(put_in_force(tx, number, reason, now).await?);
    let entry = json!({
        "number": number, "author": version.by, "reason": reason, "before": before, "hash": version.hash,
        "tests_passed": version.tests_passed,
    });
    tx.record("policy.activated", &[&tx.tenant()], entry)?;
    Ok(version)
}

/// Only the built-in policies decide from now on. `asked_by` is the other person of the two whom this takes.
///
/// # Errors
/// `Conflict` when none of the tenant's own is in force, `Refused` for one person alone.
pub async fn deactivate(tx: &mut Tx, asked_by: &str, reason: &str, now: Timestamp) -> Result<()> {
    let before = in_force(tx).await?.ok_or(StoreError::Conflict)?;
    if tx.scope().actor().id == asked_by {
        return Err(StoreError::Refused { detail: "another person must confirm what you asked for".to_owned() });
    }
    put_in_force(tx, 0, reason, now).await?;
    let entry = json!({"number": before.number, "hash": before.hash, "author": asked_by, "reason": reason});
    tx.record("policy.deactivated", &[&tx.tenant()], entry)
}

async fn put_in_force(tx: &mut Tx, number: i64, reason: &str, now: Timestamp) -> Result<Activated> {
    let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(sequence), 0) FROM policy_activations WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    let (sequence, actor) = (last + 1, tx.scope().actor().clone());
    let why = Why { by_name: actor.name.clone(), reason: reason.to_owned() };
    let body = seal(tx, ACTIVATIONS, &sequence.to_be_bytes(), &why)?;
    sqlx::query(
        "INSERT INTO policy_activations (tenant_id, sequence, number, at, actor, body) VALUES ($1,$2,$3,$4,$5,$6)",
    )
    .bind(tx.t())
    .bind(sequence)
    .bind(number)
    .bind(now.as_micros())
    .bind(&actor.id)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("automation", "automation", sequence);
    Ok(Activated { at: now, by: actor.id, by_name: actor.name, reason: reason.to_owned() })
}

/// What binds the files to their version, apart from its body.
fn content_row(number: i64) -> Vec<u8> {
    [&number.to_be_bytes()[..], b"files"].concat()
}

fn activation(access: &impl Access, row: &AnyRow) -> Result<Activation> {
    let sequence: i64 = row.try_get("sequence")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let why: Why = open(access, ACTIVATIONS, &sequence.to_be_bytes(), &sealed)?;
    let (at, by) = (time(row, "at")?, row.try_get("actor")?);
    let activated = Activated { at, by, by_name: why.by_name, reason: why.reason };
    Ok(Activation { sequence, number: row.try_get("number")?, activated })
}

async fn whole(access: &mut impl Access, row: &AnyRow) -> Result<Version> {
    let number: i64 = row.try_get("number")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &number.to_be_bytes(), &sealed)?;
    Ok(Version {
        number,
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        by_name: body.by_name,
        reason: body.reason,
        hash: row.try_get("hash")?,
        policy_hash: body.policy_hash,
        files: body.files,
        tests_passed: body.tests_passed,
        tests_failed: body.tests_failed,
        activated: last_of(access, number).await?.map(|last| last.activated),
    })
}
