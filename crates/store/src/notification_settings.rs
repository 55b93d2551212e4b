//! Where a tenant wants to be told: by e-mail, and by a webhook whose secret is sealed and never shown again.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::Timestamp;
use sqlx::Row as _;

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
    settings::Versioned,
};

const TABLE: &str = "notification_settings";

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub url: String,
    /// The key of its signature.
    pub secret: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationSettings {
    /// Whether people of this tenant are told by e-mail, where the installation has a mail server.
    pub email: bool,
    pub webhook: Option<Webhook>,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self { email: true, webhook: None }
    }
}

/// What holds.
pub async fn current(access: &mut impl Access) -> Result<Versioned<NotificationSettings>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM notification_settings WHERE tenant_id=$1").bind(tenant.clone());
    let Some(row) = row.fetch_optional(access.conn()).await? else {
        return Ok(Versioned { version: 0, at: None, by: String::new(), value: NotificationSettings::default() });
    };
    let body: Vec<u8> = row.try_get("body")?;
    Ok(Versioned {
        version: row.try_get("version")?,
        at: Some(time(&row, "at")?),
        by: row.try_get("actor")?,
        value: open(access, TABLE, &tenant, &body)?,
    })
}

/// Replaces them. The ledger keeps the host of a webhook, for its path may be a secret, and whether the
/// secret changed.
///
/// # Errors
/// `Stale` when the version in force is not the expected one.
pub async fn put(
    tx: &mut Tx,
    settings: &NotificationSettings,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Versioned<NotificationSettings>> {
    let before = current(tx).await?;
    StoreError::stale_unless(expected, before.version)?;
    let (tenant, actor, version) = (tx.t(), tx.scope().actor().id.clone(), before.version + 1);
    let body = seal(tx, TABLE, &tenant, settings)?;
    let done = sqlx::query(
        "INSERT INTO notification_settings (tenant_id, version, at, actor, body) VALUES ($1,$2,$3,$4,$5) ON CONFLICT (tenant_id) \
         DO UPDATE SET version=excluded.version, at=excluded.at, actor=excluded.actor, body=excluded.body \
         WHERE notification_settings.version=excluded.version-1",
    )
    .bind(tenant)
    .bind(version)
    .bind(now.as_micros())
    .bind(actor)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("notifications", tx.tenant(), version);
    let said = |settings: &NotificationSettings| json!({"email": settings.email, "webhook": settings.webhook.as_ref().map(|hook| host(&hook.url))});
    let secret = |settings: &NotificationSettings| settings.webhook.as_ref().map(|hook| hook.secret.clone());
    let changed = secret(&before.value) != secret(settings);
    let payload = json!({"before": said(&before.value), "after": said(settings), "secret_changed": changed});
    tx.record("notifications.changed", &[&tx.tenant()], payload)?;
    current(tx).await
}

/// Scheme and host of an address.
fn host(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}
