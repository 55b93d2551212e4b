//! Leases: what only one process may do at a time (expiry, recovery, observing again, chores, investigating).
//!
//! The epoch grows with every new holder. A transaction that is fenced by a lease is not committed once the lease has
//! another holder, however late the old one notices.

use std::{collections::BTreeSet, pin::pin, time::Duration};

use sqlx::{AnyConnection, Row as _};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Result, Store, StoreError, TenantScope,
    db::{Kind, Whose},
};

/// How long a server's lease outlives it, and how often it is renewed. The only server of a SQLite database finds none but
/// its own, and need not write often.
const fn pace(kind: Kind) -> (Duration, Duration) {
    match kind {
        Kind::Sqlite => (Duration::from_mins(30), Duration::from_mins(10)),
        Kind::Postgres => (Duration::from_secs(30), Duration::from_secs(8)),
    }
}

/// Until a lease that another holds is asked for again.
const AGAIN: Duration = Duration::from_secs(5);

/// How long one waits for the first answer to who holds a lease.
const ASKING: Duration = Duration::from_secs(5);

tokio::task_local! {
    static HELD: Lease;
}

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

/// What a process knows of the lease of some work: for what is part of that work and is done elsewhere in the process.
#[derive(Debug, Clone)]
pub struct Duty(watch::Sender<Known>);

#[derive(Debug, Clone)]
enum Known {
    NotAsked,
    Own(Lease),
    Anothers,
}

impl Default for Duty {
    fn default() -> Self {
        Self(watch::Sender::new(Known::NotAsked))
    }
}

impl Duty {
    /// The lease, when this process holds it. Waits where the process has just begun and asked nobody yet.
    pub async fn lease(&self) -> Option<Lease> {
        let mut known = self.0.subscribe();
        let asked = known.wait_for(|known| !matches!(known, Known::NotAsked));
        match &*tokio::time::timeout(ASKING, asked).await.ok()?.ok()? {
            Known::Own(lease) => Some(lease.clone()),
            Known::NotAsked | Known::Anothers => None,
        }
    }

    /// Another process was seen to do the work.
    pub fn is_anothers(&self) -> bool {
        matches!(*self.0.borrow(), Known::Anothers)
    }

    fn learn(&self, known: Known) {
        self.0.send_replace(known);
    }
}

impl Store {
    /// Takes a lease that nobody holds, or whose time is over; a lease this store holds is renewed. Nothing while another
    /// holds it.
    pub async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>> {
        self.take(name, ttl, |holder| holder == self.holder()).await
    }

    /// Takes it also before its time is over from a holder who is `gone`.
    async fn take(&self, name: &str, ttl: Duration, gone: impl Fn(&str) -> bool) -> Result<Option<Lease>> {
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
                if expires_at > now.as_micros() && !gone(&holder) {
                    return Ok(None);
                }
                if holder == self.holder() { epoch } else { epoch + 1 }
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

impl Store {
    /// For a server: does `work` while it holds the lease, waits while another server does, and goes on so until `stop`.
    /// Every transaction of the work's own task is fenced. The token ends when the lease is lost.
    pub async fn while_leased<W, F>(&self, name: &str, stop: &CancellationToken, work: W)
    where
        W: Fn(CancellationToken) -> F,
        F: Future<Output = ()>,
    {
        self.on_duty(&Duty::default(), name, stop, work).await;
    }

    /// The same, and `duty` says whose the lease is. At the end this process keeps it there: what is not ended yet may
    /// still be written, until another process holds it.
    pub async fn on_duty<W, F>(&self, duty: &Duty, name: &str, stop: &CancellationToken, work: W)
    where
        W: Fn(CancellationToken) -> F,
        F: Future<Output = ()>,
    {
        let (ttl, renew) = pace(self.db().kind());
        while !stop.is_cancelled() {
            match self.take(name, ttl, |holder| self.is_of_here(holder)).await {
                Ok(Some(lease)) => {
                    duty.learn(Known::Own(lease.clone()));
                    self.hold(&lease, stop, &work).await;
                }
                Ok(None) => duty.learn(Known::Anothers),
                Err(error) => tracing::warn!(
                    lease = name,
                    error = &error as &dyn std::error::Error,
                    "a lease could not be taken and will be tried again"
                ),
            }
            tokio::select! { () = tokio::time::sleep(renew.min(AGAIN)) => {}, () = stop.cancelled() => return }
        }
    }

    async fn hold<W, F>(&self, lease: &Lease, stop: &CancellationToken, work: W)
    where
        W: Fn(CancellationToken) -> F,
        F: Future<Output = ()>,
    {
        tracing::debug!(lease = lease.name(), epoch = lease.epoch(), "the lease is held");
        let ends = stop.child_token();
        let mut working = pin!(HELD.scope(lease.clone(), work(ends.clone())));
        tokio::select! {
            () = &mut working => {}
            () = self.until_lost(lease) => {
                tracing::warn!(lease = lease.name(), epoch = lease.epoch(), "the lease went to another process");
                ends.cancel();
                working.await;
            }
        }
        if let Err(error) = self.release(lease).await {
            tracing::warn!(lease = lease.name(), %error, "a lease could not be given back: it ends by itself");
        }
    }

    async fn until_lost(&self, lease: &Lease) {
        let (ttl, renew) = pace(self.db().kind());
        let mut held = Instant::now();
        loop {
            tokio::time::sleep(renew).await;
            match self.renew(lease, ttl).await {
                Ok(true) => held = Instant::now(),
                Ok(false) => return,
                Err(_unreachable) if held.elapsed() < ttl => {}
                Err(_unreachable) => return,
            }
        }
    }
}

/// What a server's own lease is called, before its node's name.
const SERVER: &str = "server/";

impl Store {
    /// For a server, before it begins anything: from now on the others know that this process lives, and that the earlier
    /// one of its data directory does not. It is said again by [`Store::stay`].
    pub async fn come(&self) -> Result<()> {
        let (ttl, _renew) = pace(self.db().kind());
        let name = format!("{SERVER}{}", self.node());
        self.take(&name, ttl, |holder| self.is_of_here(holder)).await.map(|_lease| ())
    }

    /// Says so until `stop`, and then that it is gone.
    pub async fn stay(&self, stop: &CancellationToken) {
        let name = format!("{SERVER}{}", self.node());
        self.while_leased(&name, stop, |ends| async move { ends.cancelled().await }).await;
    }

    /// The servers that live, this process among them: what another began goes on, or nobody does it any more.
    pub async fn living(&self) -> Result<BTreeSet<String>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let living: Vec<String> =
            sqlx::query_scalar("SELECT holder FROM leases WHERE name LIKE $1 AND expires_at>$2 ORDER BY 1 LIMIT 10000")
                .bind(format!("{SERVER}%"))
                .bind(self.clock().now().as_micros())
                .fetch_all(reading.conn())
                .await?;
        Ok(living.into_iter().chain([self.holder().to_owned()]).collect())
    }

    /// Whether a holder is of this data directory. Of its servers only this one is not gone: it has the directory's lock.
    fn is_of_here(&self, holder: &str) -> bool {
        holder.rsplit_once('-').is_some_and(|(node, _)| node == self.node())
    }
}

/// Makes a part of leased work, spawned as a task of its own, be fenced as well.
pub fn fenced<F: Future>(part: F) -> impl Future<Output = F::Output> {
    let lease = held();
    async move {
        match lease {
            Some(lease) => HELD.scope(lease, part).await,
            None => part.await,
        }
    }
}

/// The lease of the work that this task is part of.
pub(crate) fn held() -> Option<Lease> {
    HELD.try_with(Clone::clone).ok()
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
