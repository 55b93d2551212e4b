//! Appending: the last statements of a transaction, then the commit, then the signed head.

use shieldops_ledger::{Frontier, Header, Leaf, leaf_hash};
use shieldops_model::{TenantId, Timestamp};
use shieldops_seal::Purpose;
use sqlx::AssertSqlSafe;

use super::Locked;
use crate::{
    Access, Change, Result, Store, StoreError,
    db::Whose,
    tx::{Pending, Tx},
};

/// Appends the entries, commits, and writes the checkpoint; returns what was changed.
pub(crate) async fn commit(mut tx: Tx, pending: Vec<Pending>, now: Timestamp) -> Result<Vec<Change>> {
    let (store, tenant) = (tx.scope.store.clone(), tx.scope.tenant);
    let mut frontier = read_head(&mut tx).await?.unwrap_or_default();
    // What can fail about the file fails here, before anything is committed.
    let locked = Locked::take(&store, tenant).await?.catch_up(tx.conn(), &frontier).await?;
    for entry in pending {
        let leaf = leaf(&tx, entry, frontier.size(), now)?;
        insert(&mut tx, &leaf, now).await?;
        frontier.append(leaf_hash(&leaf.to_bytes()));
    }
    write_head(&mut tx, &frontier).await?;
    let changes = tx.tell(i64::try_from(frontier.size()).unwrap_or(i64::MAX), now).await?;
    tx.inner.commit().await?;
    if let Err(error) = locked.append(frontier.size(), frontier.root()).await {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(tenant.id = %tenant, %error, cause, "committed without its checkpoint; the next commit or start writes it");
    }
    Ok(changes)
}

fn leaf(tx: &Tx, entry: Pending, seq: u64, now: Timestamp) -> Result<Leaf> {
    let header = Header {
        kind: entry.kind.to_owned(),
        seq,
        subjects: entry.subjects,
        tenant: tx.tenant().to_string(),
        time: now.to_string(),
        v: Header::VERSION,
    };
    let plain = serde_json::to_vec(&entry.payload).map_err(StoreError::damaged)?;
    let key = tx.key().subkey(Purpose::LedgerEntry(seq));
    let sealed = key.seal(&header.to_canonical(), &plain, &mut rand::rng());
    Ok(Leaf { header, sealed })
}

async fn insert(tx: &mut Tx, leaf: &Leaf, now: Timestamp) -> Result<()> {
    let bytes = leaf.to_bytes();
    let seq = i64::try_from(leaf.header.seq).map_err(StoreError::damaged)?;
    let subjects = serde_json::to_string(&leaf.header.subjects).map_err(StoreError::damaged)?;
    sqlx::query(
        "INSERT INTO ledger_entries (tenant_id, seq, time, kind, subjects, leaf, hash) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(tx.t())
    .bind(seq)
    .bind(now.as_micros())
    .bind(&leaf.header.kind)
    .bind(subjects)
    .bind(&bytes)
    .bind(leaf_hash(&bytes).to_vec())
    .execute(tx.conn())
    .await?;
    index_subjects(tx, &leaf.header.subjects, seq).await
}

/// Subjects in one statement.
const TOGETHER: usize = 50;

async fn index_subjects(tx: &mut Tx, subjects: &[String], seq: i64) -> Result<()> {
    for some in subjects.chunks(TOGETHER) {
        let places: Vec<String> = (0..some.len()).map(|at| format!("($1,${},$2)", at + 3)).collect();
        // The text has nothing in it but places.
        let text = AssertSqlSafe(format!(
            "INSERT INTO ledger_subjects (tenant_id, subject, seq) VALUES {} ON CONFLICT DO NOTHING",
            places.join(",")
        ));
        let insert = sqlx::query(text).bind(tx.t()).bind(seq);
        some.iter().fold(insert, sqlx::query::Query::bind).execute(tx.conn()).await?;
    }
    Ok(())
}

async fn read_head(tx: &mut Tx) -> Result<Option<Frontier>> {
    let tenant = tx.t();
    let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT frontier FROM ledger_heads WHERE tenant_id=$1")
        .bind(tenant)
        .fetch_optional(tx.conn())
        .await?;
    bytes.map(|bytes| frontier(&bytes)).transpose()
}

async fn write_head(tx: &mut Tx, frontier: &Frontier) -> Result<()> {
    sqlx::query(
        "INSERT INTO ledger_heads (tenant_id, size, root, frontier) VALUES ($1,$2,$3,$4) \
         ON CONFLICT (tenant_id) DO UPDATE SET size=excluded.size, root=excluded.root, frontier=excluded.frontier",
    )
    .bind(tx.t())
    .bind(i64::try_from(frontier.size()).map_err(StoreError::damaged)?)
    .bind(frontier.root().to_vec())
    .bind(frontier.to_bytes())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The head of a tenant's log as committed.
pub(crate) async fn head(store: &Store, tenant: TenantId) -> Result<Option<Frontier>> {
    let mut reading = store.db().read(Whose::Tenant(tenant)).await?;
    let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT frontier FROM ledger_heads WHERE tenant_id=$1")
        .bind(tenant.to_bytes().to_vec())
        .fetch_optional(reading.conn())
        .await?;
    bytes.map(|bytes| frontier(&bytes)).transpose()
}

fn frontier(bytes: &[u8]) -> Result<Frontier> {
    Frontier::from_bytes(bytes).ok_or_else(|| StoreError::Ledger {
        detail: "the stored head is damaged: run `shieldops ledger verify`".to_owned(),
    })
}
