//! Versions of a tenant's rules: text and samples as somebody wrote them. None is ever changed.

use serde::{Deserialize, Serialize};
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
};

const TABLE: &str = "own_rule_versions";
/// Versions of one rule.
pub const MAX: i64 = 1_000;

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewVersion {
    pub text: String,
    /// The rule's own version, which alerts name.
    pub hash: String,
    pub matches: Vec<String>,
    pub misses: Vec<String>,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub number: i64,
    pub at: Timestamp,
    pub by: String,
    pub by_name: String,
    pub written: NewVersion,
}

#[derive(Serialize, Deserialize)]
struct Body {
    text: String,
    matches: Vec<String>,
    misses: Vec<String>,
    note: String,
    by_name: String,
}

pub(super) async fn insert(tx: &mut Tx, rule_id: &str, number: i64, new: &NewVersion, now: Timestamp) -> Result<()> {
    if number > MAX {
        return Err(StoreError::Refused { detail: format!("a rule has at most {MAX} versions: make another rule") });
    }
    let actor = tx.scope().actor().clone();
    let body = Body {
        text: new.text.clone(),
        matches: new.matches.clone(),
        misses: new.misses.clone(),
        note: new.note.clone(),
        by_name: actor.name,
    };
    let body = seal(tx, TABLE, &row_key(rule_id, number), &body)?;
    sqlx::query(
        "INSERT INTO own_rule_versions (tenant_id, rule_id, number, hash, at, actor, body) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(tx.t())
    .bind(rule_id)
    .bind(number)
    .bind(&new.hash)
    .bind(now.as_micros())
    .bind(actor.id)
    .bind(body)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn find(access: &mut impl Access, rule_id: &str, number: i64) -> Result<Option<Version>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM own_rule_versions WHERE tenant_id=$1 AND rule_id=$2 AND number=$3")
        .bind(tenant)
        .bind(rule_id)
        .bind(number)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, rule_id, &row)).transpose()
}

/// Every version of a rule, newest first.
pub async fn of_rule(access: &mut impl Access, rule_id: &str) -> Result<Vec<Version>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT * FROM own_rule_versions WHERE tenant_id=$1 AND rule_id=$2 ORDER BY number DESC LIMIT $3")
            .bind(tenant)
            .bind(rule_id)
            .bind(MAX)
            .fetch_all(access.conn())
            .await?;
    rows.iter().map(|row| read(access, rule_id, row)).collect()
}

/// The newest version of every rule of the tenant, with the rule's id.
pub async fn heads(access: &mut impl Access) -> Result<Vec<(String, Version)>> {
    joined(access, "r.head").await
}

/// The versions that run, of rules in shadow or enabled.
pub async fn live(access: &mut impl Access) -> Result<Vec<(String, Version)>> {
    joined(access, "r.live AND r.state IN ('shadow','enabled')").await
}

async fn joined(access: &mut impl Access, which: &str) -> Result<Vec<(String, Version)>> {
    let tenant = access.t();
    let sql = format!(
        "SELECT v.* FROM own_rules r JOIN own_rule_versions v ON v.tenant_id=r.tenant_id AND v.rule_id=r.rule_id \
         WHERE r.tenant_id=$1 AND v.number={which} ORDER BY v.rule_id LIMIT $2"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(super::limit()).fetch_all(access.conn()).await?;
    let one = |row: &AnyRow| {
        let rule_id: String = row.try_get("rule_id")?;
        read(access, &rule_id, row).map(|version| (rule_id, version))
    };
    rows.iter().map(one).collect()
}

fn row_key(rule_id: &str, number: i64) -> Vec<u8> {
    [&number.to_be_bytes()[..], rule_id.as_bytes()].concat()
}

fn read(access: &impl Access, rule_id: &str, row: &AnyRow) -> Result<Version> {
    let number: i64 = row.try_get("number")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &row_key(rule_id, number), &sealed)?;
    let written = NewVersion {
        text: body.text,
        hash: row.try_get("hash")?,
        matches: body.matches,
        misses: body.misses,
        note: body.note,
    };
    Ok(Version { number, at: time(row, "at")?, by: row.try_get("actor")?, by_name: body.by_name, written })
}
