//! Second factors and recovery codes of people, sealed by the installation's own data key: people are not a tenant's. A change
//! queues its entry in the ledger of the transaction's tenant.

use serde::Serialize;
use serde_json::json;
use shieldops_model::{PasskeyId, Timestamp, UserId};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, Store, StoreError, Tx,
    alerts::id_of,
    db::Whose,
    memberships,
    rows::{bytes, of_person, open_own, optional_time, seal_own, time},
};

const TABLE: &str = "second_factors";
/// Factors of one person.
const MOST: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    Totp,
    Passkey,
}

impl FactorKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }
}

/// `body` is its secret or public key, opened. It is never serialised.
#[derive(Clone, Serialize, ToSchema)]
pub struct Factor {
    pub id: PasskeyId,
    pub kind: FactorKind,
    pub name: String,
    #[serde(skip)]
    pub body: Vec<u8>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    /// The last time step whose code was taken.
    #[serde(skip)]
    pub last_step: Option<i64>,
}

impl Store {
    /// The factors of a person, oldest first.
    pub async fn factors_of(&self, user: UserId) -> Result<Vec<Factor>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let rows = sqlx::query("SELECT * FROM second_factors WHERE principal=$1 ORDER BY id LIMIT 100")
            .bind(bytes(user))
            .fetch_all(reading.conn())
            .await?;
        rows.iter().map(|row| read(self, user, row)).collect()
    }

    /// Recovery codes that were not used yet.
    pub async fn recovery_codes_left(&self, user: UserId) -> Result<u32> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM recovery_codes WHERE principal=$1 AND used_at IS NULL")
                .bind(bytes(user))
                .fetch_one(reading.conn())
                .await?;
        Ok(u32::try_from(left).unwrap_or(0))
    }
}

fn read(store: &Store, user: UserId, row: &AnyRow) -> Result<Factor> {
    let (kind, body): (String, Vec<u8>) = (row.try_get("kind")?, row.try_get("body")?);
    let id: PasskeyId = id_of(row, "id")?;
    Ok(Factor {
        id,
        kind: if kind == "passkey" { FactorKind::Passkey } else { FactorKind::Totp },
        name: row.try_get("name")?,
        body: open_own(store, TABLE, &of_person(user, &id.to_bytes()), &body)?,
        created_at: time(row, "created_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        last_step: row.try_get("last_step")?,
    })
}

/// # Errors
/// `AlreadyExists` for a second authenticator app, `TooMany`.
pub async fn add(tx: &mut Tx, user: UserId, factor: &Factor) -> Result<()> {
    // A person may be setting one up in two tenants at once, whose transactions take place side by side.
    memberships::hold(tx, user).await?;
    let rows = sqlx::query("SELECT kind FROM second_factors WHERE principal=$1").bind(bytes(user));
    let kinds = rows.fetch_all(tx.conn()).await?;
    let kinds: Vec<String> = kinds.iter().map(|row| row.try_get("kind")).collect::<std::result::Result<_, _>>()?;
    if factor.kind == FactorKind::Totp && kinds.iter().any(|kind| kind == "totp") {
        return Err(StoreError::AlreadyExists { what: "authenticator app".to_owned() });
    }
    if kinds.len() >= usize::try_from(MOST).unwrap_or(usize::MAX) {
        return Err(StoreError::TooMany { what: "second factors of one person", limit: MOST });
    }
    let store = tx.scope.store.clone();
    sqlx::query(
        "INSERT INTO second_factors (principal, id, kind, name, body, created_at, last_step) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(bytes(user))
    .bind(bytes(factor.id))
    .bind(factor.kind.as_str())
    .bind(&factor.name)
    .bind(seal_own(&store, TABLE, &of_person(user, &factor.id.to_bytes()), &factor.body)?)
    .bind(factor.created_at.as_micros())
    .bind(factor.last_step)
    .execute(tx.conn())
    .await?;
    tx.touched("user", user, 0);
    tx.record("factor.added", &[&user, &factor.id], json!({"kind": factor.kind, "name": factor.name}))
}

/// # Errors
/// `NotFound`.
pub async fn remove(tx: &mut Tx, user: UserId, id: PasskeyId) -> Result<()> {
    let row = sqlx::query("SELECT kind, name FROM second_factors WHERE principal=$1 AND id=$2").bind(bytes(user));
    let row = row.bind(bytes(id)).fetch_optional(tx.conn()).await?.ok_or(StoreError::NotFound)?;
    let (kind, name): (String, String) = (row.try_get("kind")?, row.try_get("name")?);
    let delete = sqlx::query("DELETE FROM second_factors WHERE principal=$1 AND id=$2").bind(bytes(user));
    delete.bind(bytes(id)).execute(tx.conn()).await?;
    // Recovery codes stand in for a factor: without one they open nothing.
    sqlx::query(
        "DELETE FROM recovery_codes WHERE principal=$1 AND NOT EXISTS (SELECT 1 FROM second_factors f WHERE f.principal=$1)",
    )
    .bind(bytes(user))
    .execute(tx.conn())
    .await?;
    tx.touched("user", user, 0);
    tx.record("factor.removed", &[&user, &id], json!({"kind": kind, "name": name}))
}

/// Removes every factor and recovery code of a person; how many factors there were.
pub async fn remove_all(tx: &mut Tx, user: UserId) -> Result<u64> {
    let delete = sqlx::query("DELETE FROM second_factors WHERE principal=$1").bind(bytes(user));
    let factors = delete.execute(tx.conn()).await?.rows_affected();
    let delete = sqlx::query("DELETE FROM recovery_codes WHERE principal=$1").bind(bytes(user));
    delete.execute(tx.conn()).await?;
    if factors > 0 {
        tx.touched("user", user, 0);
        tx.record("factor.removed", &[&user], json!({"all": factors}))?;
    }
    Ok(factors)
}

/// Takes a time step of an authenticator app: false when that step or a later one was taken before, which is a replay.
/// Bookkeeping: what it opens has its own entry.
pub async fn take_step(tx: &mut Tx, user: UserId, id: PasskeyId, step: i64, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE second_factors SET last_step=$3, last_used_at=$4 WHERE principal=$1 AND id=$2 AND (last_step IS NULL OR last_step<$3)",
    )
    .bind(bytes(user))
    .bind(bytes(id))
    .bind(step)
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a passkey back after its use: its counter moved. Bookkeeping.
pub async fn set_body(tx: &mut Tx, user: UserId, id: PasskeyId, body: &[u8], now: Timestamp) -> Result<()> {
    let store = tx.scope.store.clone();
    let sealed = seal_own(&store, TABLE, &of_person(user, &id.to_bytes()), &body)?;
    let update = sqlx::query("UPDATE second_factors SET body=$3, last_used_at=$4 WHERE principal=$1 AND id=$2");
    let update = update.bind(bytes(user)).bind(bytes(id)).bind(sealed).bind(now.as_micros());
    match update.execute(tx.conn()).await?.rows_affected() {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// Replaces the recovery codes of a person.
pub async fn set_recovery_codes(tx: &mut Tx, user: UserId, hashes: &[[u8; 32]]) -> Result<()> {
    let delete = sqlx::query("DELETE FROM recovery_codes WHERE principal=$1").bind(bytes(user));
    delete.execute(tx.conn()).await?;
    for hash in hashes {
        let insert = sqlx::query("INSERT INTO recovery_codes (principal, hash) VALUES ($1,$2)").bind(bytes(user));
        insert.bind(hash.to_vec()).execute(tx.conn()).await?;
    }
    tx.touched("user", user, 0);
    tx.record("recovery_codes.made", &[&user], json!({"codes": hashes.len()}))
}

/// Spends a recovery code: true once.
pub async fn spend_recovery_code(tx: &mut Tx, user: UserId, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    let update = sqlx::query("UPDATE recovery_codes SET used_at=$3 WHERE principal=$1 AND hash=$2 AND used_at IS NULL");
    let update = update.bind(bytes(user)).bind(hash.to_vec()).bind(now.as_micros());
    if update.execute(tx.conn()).await?.rows_affected() == 0 {
        return Ok(false);
    }
    tx.touched("user", user, 0);
    tx.record("recovery_code.spent", &[&user], json!({}))?;
    Ok(true)
}
