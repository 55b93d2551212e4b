//! What a tenant's own ledger is owed. A transaction appends to one ledger; what the installation does to a tenant stands in
//! the installation's at once, and a notice of it in the same transaction. Delivering one appends the entry and removes the
//! notice together, so each is delivered once, however often delivery is tried.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shieldops_model::{LedgerId, TenantId, Timestamp, id};
use sqlx::Row as _;

use crate::{
    Access, Actor, Job, Result, Store, StoreError, Tx,
    alerts::id_of,
    db::Whose,
    rows::{bytes, open_own, seal_own},
};

const TABLE: &str = "notices";
/// Notices that one delivery takes at once.
const BATCH: usize = 100;

/// The kinds that a notice can have, since an entry's kind is a constant.
const KINDS: [&str; 11] = [
    "tenant.created",
    "tenant.updated",
    "tenant.suspended",
    "tenant.resumed",
    "tenant.locked",
    "tenant.unlocked",
    "tenant.deletion_scheduled",
    "tenant.deletion_cancelled",
    "grant.received",
    "grant.ended",
    "grant.revoked",
];

#[derive(Serialize, Deserialize)]
struct Notice {
    actor: String,
    actor_name: String,
    subjects: Vec<String>,
    body: serde_json::Value,
}

/// Leaves a notice for a tenant; the actor is the one of this transaction.
pub(crate) async fn leave(
    tx: &mut Tx,
    tenant: TenantId,
    kind: &'static str,
    subjects: Vec<String>,
    body: serde_json::Value,
) -> Result<()> {
    let store = tx.scope.store.clone();
    let now = store.clock().now();
    let id: LedgerId = id::mint(now, &mut rand::rng());
    let actor = tx.scope.actor();
    let notice = Notice { actor: actor.id.clone(), actor_name: actor.name.clone(), subjects, body };
    sqlx::query("INSERT INTO notices (id, tenant, kind, body, at) VALUES ($1,$2,$3,$4,$5)")
        .bind(bytes(id))
        .bind(bytes(tenant))
        .bind(kind)
        .bind(seal_own(&store, TABLE, &id.to_bytes(), &notice)?)
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

impl Store {
    /// Appends what tenants' ledgers are owed. Safe to repeat, and on many nodes at once; a tenant that is gone is owed
    /// nothing. What cannot be appended now, to a ledger that is not sound or with a key that cannot be read, stays owed and
    /// keeps nobody else waiting.
    pub async fn deliver_notices(&self, now: Timestamp) -> Result<()> {
        let (mut after, mut waiting) = (Vec::new(), BTreeSet::new());
        loop {
            let mut reading = self.db().read(Whose::Installation).await?;
            let next = sqlx::query("SELECT id, tenant FROM notices WHERE id>$1 ORDER BY id LIMIT 100").bind(after);
            let rows = next.fetch_all(reading.conn()).await?;
            drop(reading);
            let mut last = Vec::new();
            for row in &rows {
                let (id, tenant): (LedgerId, TenantId) = (id_of(row, "id")?, id_of(row, "tenant")?);
                last = bytes(id);
                // Those of one tenant are appended in their order.
                if waiting.contains(&tenant) {
                    continue;
                }
                if let Err(error) = self.hand_over(id, tenant, now).await {
                    tracing::error!(tenant.id = %tenant, %error, "what the ledger of a tenant is owed waits");
                    waiting.insert(tenant);
                }
            }
            if rows.len() < BATCH {
                return Ok(());
            }
            after = last;
        }
    }

    async fn hand_over(&self, id: LedgerId, tenant: TenantId, now: Timestamp) -> Result<()> {
        let begun = match self.job(tenant, Job::Server) {
            Ok(scope) => scope.begin().await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(tx) => deliver(tx, id, now).await,
            // A key that is not there says nothing: the folder of keys may be away for a moment.
            Err(StoreError::NotFound) if self.is_gone(tenant).await? => self.forget(id).await,
            Err(error) => Err(error),
        }
    }

    async fn is_gone(&self, tenant: TenantId) -> Result<bool> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let there = "SELECT count(*) FROM tenants WHERE tenant=$1 AND state<>'deleted' AND shredding_at IS NULL";
        let there: i64 = sqlx::query_scalar(there).bind(bytes(tenant)).fetch_one(reading.conn()).await?;
        Ok(there == 0)
    }

    async fn forget(&self, id: LedgerId) -> Result<()> {
        let mut tx = self.db().begin(Whose::Installation).await?;
        sqlx::query("DELETE FROM notices WHERE id=$1").bind(bytes(id)).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}

async fn deliver(mut tx: Tx, id: LedgerId, now: Timestamp) -> Result<()> {
    let read = sqlx::query("SELECT kind, body FROM notices WHERE id=$1").bind(bytes(id));
    // Another one was quicker.
    let Some(row) = read.fetch_optional(tx.conn()).await? else { return Ok(()) };
    let (kind, body): (String, Vec<u8>) = (row.try_get("kind")?, row.try_get("body")?);
    let notice: Notice = open_own(&tx.scope.store, TABLE, &id.to_bytes(), &body)?;
    let known = KINDS.into_iter().find(|known| *known == kind);
    let kind = known.ok_or_else(|| StoreError::damaged(format!("{TABLE}: kind `{kind}`")))?;
    let delete = sqlx::query("DELETE FROM notices WHERE id=$1").bind(bytes(id));
    if delete.execute(tx.conn()).await?.rows_affected() == 0 {
        return Ok(());
    }
    record(&mut tx, kind, notice)?;
    tx.announce("tenant", tx.tenant());
    tx.commit(now).await
}

fn record(tx: &mut Tx, kind: &'static str, notice: Notice) -> Result<()> {
    let subjects: Vec<&dyn std::fmt::Display> = notice.subjects.iter().map(|id| id as &dyn std::fmt::Display).collect();
    let actor = Actor { id: notice.actor, name: notice.actor_name };
    tx.record_as(&actor, kind, &subjects, notice.body)
}
