//! Reading the ledger: entries newest first, their payload opened for those who may read it.

use serde::Serialize;
use shieldops_ledger::Leaf;
use shieldops_model::Timestamp;
use shieldops_seal::Purpose;
use sqlx::{Row as _, any::AnyRow};

use crate::{Access, Page, PageRequest, Result, StoreError};

/// An entry with its payload opened.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Entry {
    pub seq: u64,
    pub time: Timestamp,
    pub kind: String,
    pub subjects: Vec<String>,
    /// `usr_…`, `tok_…` or `system:…`.
    pub actor: String,
    pub actor_name: String,
    /// Hash of the leaf, hex.
    pub hash: String,
    #[schema(value_type = Object)]
    pub payload: serde_json::Value,
}

#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A kind, or its beginning (`plan.`).
    pub kind: Option<String>,
    pub subject: Option<String>,
    /// Recorded at this time or later.
    pub from: Option<Timestamp>,
    /// Recorded before this time.
    pub to: Option<Timestamp>,
}

/// One page, newest first; the cursor is a sequence number.
pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<Entry>> {
    let (tenant, below) = (access.t(), page.below_number()?);
    let rows = sqlx::query(
        "SELECT leaf, hash FROM ledger_entries e WHERE tenant_id=$1 AND seq<$2 AND ($4 IS NULL OR substr(kind,1,length($4))=$4) \
         AND ($5 IS NULL OR EXISTS (SELECT 1 FROM ledger_subjects s WHERE s.tenant_id=e.tenant_id AND s.subject=$5 AND s.seq=e.seq)) \
         AND ($6 IS NULL OR time>=$6) AND ($7 IS NULL OR time<$7) ORDER BY seq DESC LIMIT $3",
    )
    .bind(tenant)
    .bind(below)
    .bind(page.fetch())
    .bind(&filter.kind)
    .bind(&filter.subject)
    .bind(filter.from.map(Timestamp::as_micros))
    .bind(filter.to.map(Timestamp::as_micros))
    .fetch_all(access.conn())
    .await?;
    let items: Result<Vec<Entry>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |entry| entry.seq.to_string()))
}

/// Entries that one page by actor looks at.
const LOOK: usize = 5_000;

/// A page of what one actor did, and how far the search went for it.
#[derive(Debug, Clone)]
pub struct ByActor {
    pub page: Page<Entry>,
    /// Entries looked at.
    pub looked: u64,
}

/// What an actor did, newest first. Who acted is sealed in each entry, and no index may tell it: entries are opened one by
/// one, a bounded number for a page. A page that found less than it may hold can have a cursor: the search goes on there.
pub async fn by_actor(access: &mut impl Access, filter: &Filter, actor: &str, page: &PageRequest) -> Result<ByActor> {
    let mut at = PageRequest { limit: Some(crate::page::MAX_LIMIT), cursor: page.cursor.clone() };
    let (mut items, mut looked) = (Vec::new(), 0_usize);
    loop {
        let found = list(access, filter, &at).await?;
        for entry in found.items {
            at.cursor = Some(entry.seq.to_string());
            looked += 1;
            if entry.actor == actor {
                items.push(entry);
            }
            if items.len() == page.limit() {
                break;
            }
        }
        let full = items.len() == page.limit() || looked >= LOOK;
        if full || found.next_cursor.is_none() {
            let next_cursor = if full { at.cursor } else { None };
            let looked = u64::try_from(looked).unwrap_or(u64::MAX);
            return Ok(ByActor { page: Page { items, next_cursor }, looked });
        }
    }
}

/// What an entry is about, without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    pub seq: u64,
    pub kind: String,
    pub subjects: Vec<String>,
}

/// The clear part of the entries from `seq` on, oldest first.
pub async fn since(access: &mut impl Access, seq: u64, limit: u32) -> Result<Vec<Trace>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT seq, kind, subjects FROM ledger_entries WHERE tenant_id=$1 AND seq>=$2 ORDER BY seq LIMIT $3",
    )
    .bind(tenant)
    .bind(i64::try_from(seq).unwrap_or(i64::MAX))
    .bind(i64::from(limit))
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<Trace> {
        let (seq, subjects): (i64, String) = (row.try_get("seq")?, row.try_get("subjects")?);
        let subjects = serde_json::from_str(&subjects).map_err(StoreError::damaged)?;
        Ok(Trace { seq: u64::try_from(seq).unwrap_or(0), kind: row.try_get("kind")?, subjects })
    };
    rows.iter().map(read).collect()
}

/// The entries about an object, oldest first, at most 1,000.
pub async fn of_subject(access: &mut impl Access, subject: &str) -> Result<Vec<Entry>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT e.leaf, e.hash FROM ledger_subjects s JOIN ledger_entries e ON e.tenant_id=s.tenant_id AND e.seq=s.seq \
         WHERE s.tenant_id=$1 AND s.subject=$2 ORDER BY e.seq LIMIT 1000",
    )
    .bind(tenant)
    .bind(subject)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Entry> {
    let (leaf, hash): (Vec<u8>, Vec<u8>) = (row.try_get("leaf")?, row.try_get("hash")?);
    let leaf = Leaf::parse(&leaf).map_err(|error| StoreError::Ledger { detail: error.to_string() })?;
    let payload = open(access, &leaf)?;
    let actor = |field: &str| {
        payload.pointer(&format!("/actor/{field}")).and_then(|text| text.as_str()).unwrap_or("unknown").to_owned()
    };
    let header = &leaf.header;
    Ok(Entry {
        seq: header.seq,
        time: header.time.parse().map_err(StoreError::damaged)?,
        kind: header.kind.clone(),
        subjects: header.subjects.clone(),
        actor: actor("id"),
        actor_name: actor("name"),
        hash: hex::encode(hash),
        payload: payload.get("body").cloned().unwrap_or(serde_json::Value::Null),
    })
}

pub(super) fn open(access: &impl Access, leaf: &Leaf) -> Result<serde_json::Value> {
    let key = access.key().subkey(Purpose::LedgerEntry(leaf.header.seq));
    let plain = key
        .open(&leaf.header.to_canonical(), &leaf.sealed)
        .map_err(|error| StoreError::Ledger { detail: format!("entry {}: {error}", leaf.header.seq) })?;
    serde_json::from_slice(&plain).map_err(StoreError::damaged)
}
