//! What other nodes commit on one PostgreSQL database, told to this node's watchers: at once when the database says so,
//! and within a second when it cannot.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shieldops_model::{TenantId, Timestamp};
use sqlx::{AnyConnection, AnyPool, Row as _, any::AnyRow, postgres::PgListener};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{Change, Result, StoreError, alerts::id_of};

const CHANNEL: &str = "shieldops_changes";
const POLL: Duration = Duration::from_secs(1);
/// Notices that come closer than this are one.
const TOGETHER: Duration = Duration::from_millis(50);
/// A commit may be seen this long after one with a larger number.
const LATE: i64 = 10_000;
const KEEP: Duration = Duration::from_mins(5);
/// Changes are read so many at a time.
const PAGE: usize = 2_000;
const TRIM: Duration = Duration::from_mins(1);
/// Kinds of objects that are told of; a database that names more is not ours.
const MAX_KINDS: usize = 256;

/// Writes what a transaction changed; the other nodes hear of it when it is committed.
pub(crate) async fn tell(conn: &mut AnyConnection, node: &str, changes: &[Change], now: Timestamp) -> Result<()> {
    let Some(first) = changes.first() else { return Ok(()) };
    let rows: Vec<_> = changes
        .iter()
        .map(|change| serde_json::json!({"kind": change.kind, "id": change.id, "version": change.version}))
        .collect();
    sqlx::query(
        "WITH told AS (INSERT INTO changes (node, at, tenant, kind, subject, version, seq) \
         SELECT $1, $2, $3, c->>'kind', c->>'id', (c->>'version')::BIGINT, $4 FROM json_array_elements($5::JSON) c) \
         SELECT pg_notify($6, $1)",
    )
    .bind(node)
    .bind(now.as_micros())
    .bind(first.tenant.to_bytes().to_vec())
    .bind(first.seq)
    .bind(serde_json::to_string(&rows).map_err(StoreError::damaged)?)
    .bind(CHANNEL)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) struct Feed {
    pub(crate) url: String,
    pub(crate) node: String,
    pub(crate) readers: AnyPool,
    pub(crate) live: broadcast::Sender<Change>,
    pub(crate) stop: CancellationToken,
}

impl Feed {
    /// Listens until told to stop.
    pub(crate) async fn run(self) {
        let Some(mut seen) = self.begin().await else { return };
        let mut listener = None;
        let mut trimmed = tokio::time::Instant::now();
        loop {
            if listener.is_none() {
                listener = listen(&self.url).await;
            }
            let polled = tokio::time::Instant::now();
            let told = tokio::select! {
                () = self.stop.cancelled() => return,
                told = self.told(&mut listener) => told,
                () = tokio::time::sleep(POLL) => Ok(()),
            };
            if told.is_err() {
                listener = None;
            }
            tokio::time::sleep_until(polled + TOGETHER).await;
            if let Err(error) = self.poll(&mut seen).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "changes of other nodes cannot be read");
            }
            if trimmed.elapsed() >= TRIM {
                trimmed = tokio::time::Instant::now();
                self.trim().await;
            }
        }
    }

    /// Waits until another node says that it committed something.
    async fn told(&self, listener: &mut Option<PgListener>) -> sqlx::Result<()> {
        let Some(listener) = listener else { return std::future::pending().await };
        while listener.recv().await?.payload() == self.node {}
        Ok(())
    }

    /// Where the list ends now; asked again until the database answers.
    async fn begin(&self) -> Option<Seen> {
        loop {
            let last: sqlx::Result<Option<i64>> =
                sqlx::query_scalar("SELECT max(id) FROM changes").fetch_one(&self.readers).await;
            match last {
                Ok(last) => return Some(Seen { from: last.unwrap_or(0), late: BTreeSet::new() }),
                Err(error) => tracing::warn!(%error, "changes of other nodes cannot be read"),
            }
            tokio::select! { () = self.stop.cancelled() => return None, () = tokio::time::sleep(POLL) => {} }
        }
    }

    async fn poll(&self, seen: &mut Seen) -> Result<()> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM changes").fetch_one(&self.readers).await?;
        seen.reach(last);
        let mut after = seen.low();
        loop {
            let rows = self.page(after).await?;
            for row in &rows {
                after = row.try_get("id")?;
                if seen.is_new(after) {
                    // No receiver is no error: nobody watches.
                    drop(self.live.send(change(row)?));
                }
            }
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn page(&self, after: i64) -> Result<Vec<AnyRow>> {
        let query = sqlx::query(
            "SELECT id, tenant, kind, subject, version, seq FROM changes WHERE id>$1 AND node<>$2 ORDER BY id LIMIT $3",
        );
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        Ok(query.bind(after).bind(&self.node).bind(limit).fetch_all(&self.readers).await?)
    }

    async fn trim(&self) {
        let old = "DELETE FROM changes WHERE at < (SELECT max(at) FROM changes) - $1";
        let keep = i64::try_from(KEEP.as_micros()).unwrap_or(i64::MAX);
        if let Err(error) = sqlx::query(old).bind(keep).execute(&self.readers).await {
            tracing::warn!(%error, "old changes could not be removed");
        }
    }
}

async fn listen(url: &str) -> Option<PgListener> {
    let mut listener = PgListener::connect(url).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}

/// Numbers are given before a commit and seen after it, so they are seen out of order.
struct Seen {
    from: i64,
    late: BTreeSet<i64>,
}

impl Seen {
    fn low(&self) -> i64 {
        self.late.last().map_or(self.from, |last| self.from.max(last.saturating_sub(LATE)))
    }

    /// The list ends at this number now. After a crash of the database it is empty and counts from 1 again: an unlogged table.
    fn reach(&mut self, last: Option<i64>) {
        let known = self.late.last().copied().unwrap_or(self.from);
        if last.unwrap_or(0) < known {
            *self = Self { from: 0, late: BTreeSet::new() };
        }
    }

    fn is_new(&mut self, id: i64) -> bool {
        let new = self.late.insert(id);
        let low = self.low();
        self.late = self.late.split_off(&low);
        new
    }
}

fn change(row: &AnyRow) -> Result<Change> {
    let kind: String = row.try_get("kind")?;
    let tenant: TenantId = id_of(row, "tenant")?;
    Ok(Change {
        tenant,
        kind: kind_word(&kind)?,
        id: row.try_get("subject")?,
        version: row.try_get("version")?,
        seq: row.try_get("seq")?,
    })
}

/// Kinds are words of our own code; each is kept once for the life of the process.
fn kind_word(kind: &str) -> Result<&'static str> {
    static WORDS: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(word) = words.get(kind) {
        return Ok(word);
    }
    if words.len() >= MAX_KINDS {
        return Err(StoreError::damaged("too many kinds of changes"));
    }
    let word: &'static str = kind.to_owned().leak();
    words.insert(kind.to_owned(), word);
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_seen_out_of_order_are_told_once_each() {
        let mut seen = Seen { from: 5, late: BTreeSet::new() };
        assert_eq!(seen.low(), 5);
        assert!(seen.is_new(9) && seen.is_new(7) && !seen.is_new(9) && !seen.is_new(7));
        assert_eq!(seen.low(), 5, "one below may still come");
        assert!(seen.is_new(LATE + 100));
        assert_eq!(seen.low(), 100);
        assert!(seen.late.len() <= 2, "what cannot come any more is forgotten");
    }

    #[test]
    fn a_list_that_begins_anew_is_read_anew() {
        let mut seen = Seen { from: 5, late: BTreeSet::new() };
        assert!(seen.is_new(9));
        seen.reach(Some(9));
        assert!(!seen.is_new(9), "the same list");
        seen.reach(Some(7));
        assert_eq!(seen.low(), 0);
        assert!(seen.is_new(7) && seen.is_new(9));
        seen.reach(None);
        assert!(seen.is_new(1));
    }
}
