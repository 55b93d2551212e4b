//! Small facts of a tenant, by name; their values are sealed (a halt has a reason that a person wrote). Each change of one
//! is recorded by its caller.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shieldops_model::Timestamp;

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
};

const TABLE: &str = "facts";

/// Whether automation is halted, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Automation {
    pub halted: bool,
    pub by: Option<String>,
    pub at: Option<Timestamp>,
    pub reason: Option<String>,
}

const AUTOMATION: &str = "automation";

pub async fn automation(access: &mut impl Access) -> Result<Automation> {
    Ok(find(access, AUTOMATION).await?.unwrap_or_default())
}

pub async fn set_automation(tx: &mut Tx, state: &Automation) -> Result<()> {
    set(tx, AUTOMATION, state).await?;
    tx.touched("automation", "automation", 0);
    Ok(())
}

pub async fn find<T: DeserializeOwned>(access: &mut impl Access, name: &str) -> Result<Option<T>> {
    let tenant = access.t();
    let text: Option<String> = sqlx::query_scalar("SELECT value FROM facts WHERE tenant_id=$1 AND name=$2")
        .bind(tenant)
        .bind(name)
        .fetch_optional(access.conn())
        .await?;
    let Some(text) = text else { return Ok(None) };
    let sealed = STANDARD.decode(text).map_err(|error| StoreError::damaged(format!("{TABLE}: {error}")))?;
    open(access, TABLE, name.as_bytes(), &sealed).map(Some)
}

/// Sets a fact. Bookkeeping by itself: a fact that is a domain change comes with its own `touched` and entry.
pub async fn set<T: Serialize>(tx: &mut Tx, name: &str, value: &T) -> Result<()> {
    let text = STANDARD.encode(seal(tx, TABLE, name.as_bytes(), value)?);
    sqlx::query("INSERT INTO facts (tenant_id, name, value) VALUES ($1,$2,$3) ON CONFLICT (tenant_id, name) DO UPDATE SET value=excluded.value")
        .bind(tx.t())
        .bind(name)
        .bind(text)
        .execute(tx.conn())
        .await?;
    Ok(())
}
