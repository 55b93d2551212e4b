//! Leases: what only one process may do at a time (expiry, recovery, observing again, chores, investigating).
//!
//! The epoch grows with every new holder. A transaction that is fenced by a lease is not committed once the lease has
//! another holder, however late the old one notices.

use std::time::Duration;

use sqlx::{AnyConnection, Row as _};

use crate::{Result, Store, StoreError, TenantScope, db::Whose};

/// Held until its time is over, unless renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    name: String,
    holder: String,
    epoch: i64,
}

impl Lease {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the lease has changed hands: larger than that of any holder before.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Whether it is still held, by a statement that makes another holder wait until this transaction ends.
    pub(crate) async fn holds(&self, conn: &mut AnyConnection) -> Result<bool> {
        let done = sqlx::query("UPDATE leases SET epoch=epoch WHERE name=$1 AND holder=$2 AND epoch=$3")
            .bind(&self.name)
            .bind(&self.holder)
            .bind(self.epoch)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    /// Takes a lease that nobody holds, or whose time is over; a lease this store holds is renewed. Nothing while another
    /// holds it.
    pub async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>> {
        let now = self.clock().now();
        let mut tx = self.db().begin(Whose::Installation).await?;
        let row = sqlx::query("SELECT holder, epoch, expires_at FROM leases WHERE name=$1")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        let epoch = match row {
            None => 1,
            Some(row) => {
                let (holder, epoch): (String, i64) = (row.try_get("holder")?, row.try_get("epoch")?);
                let expires_at: i64 = row.try_get("expires_at")?;
                let mine = holder == self.holder();
                if !mine && expires_at > now.as_micros() {
                    return Ok(None);
                }
                if mine { epoch } else { epoch + 1 }
            }
        };
        let put = sqlx::query(
            "INSERT INTO leases (name, holder, epoch, expires_at) VALUES ($1,$2,$3,$4) ON CONFLICT (name) \
             DO UPDATE SET holder=excluded.holder, epoch=excluded.epoch, expires_at=excluded.expires_at",
        );
        let put = put.bind(name).bind(self.holder()).bind(epoch).bind(now.plus(ttl).as_micros());
        put.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(Lease { name: name.to_owned(), holder: self.holder().to_owned(), epoch }))
    }

    /// Holds it for another `ttl` from now; false when it went to another holder.
    pub async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool> {
        self.expire(lease, self.clock().now().plus(ttl).as_micros()).await
    }

    /// Gives it back: the next one need not wait for its end.
    pub async fn release(&self, lease: &Lease) -> Result<()> {
        self.expire(lease, 0).await.map(|_held| ())
    }

    async fn expire(&self, lease: &Lease, at: i64) -> Result<bool> {
        let mut tx = self.db().begin(Whose::Installation).await?;
        let done = sqlx::query("UPDATE leases SET expires_at=$4 WHERE name=$1 AND holder=$2 AND epoch=$3")
            .bind(&lease.name)
            .bind(&lease.holder)
            .bind(lease.epoch)
            .bind(at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

impl TenantScope {
    /// This scope for the holder of a lease: every transaction is fenced by it, and its entries name the epoch.
    #[must_use]
    pub fn fenced(&self, lease: &Lease) -> Self {
        Self { lease: Some(lease.clone()), ..self.clone() }
    }
}

/// Refuses a commit of one who no longer holds the lease.
pub(crate) async fn check(conn: &mut AnyConnection, lease: Option<&Lease>) -> Result<()> {
    match lease {
        Some(lease) if !lease.holds(conn).await? => Err(StoreError::Fenced { lease: lease.name.clone() }),
        _ => Ok(()),
    }
}
