//! What a tenant's rules are compiled with: lists of values for placeholders, and processing pipelines. A part has a name and
//! versions; the one in use stays as it is while newer ones are written.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::Timestamp;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    rows::time,
};

const TABLE: &str = "rule_parts";
const VERSIONS: &str = "rule_part_versions";
/// Versions of one part that are kept; the oldest that are not in use go.
pub const KEPT: i64 = 200;

/// Subjects stand in clear in the ledger, and outlive the tenant's key; a name is what people chose, so it is in the payload.
const NAMELESS: &[&dyn std::fmt::Display] = &[];

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Values for `%name%`.
    List,
    /// A processing pipeline.
    Pipeline,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Pipeline => "pipeline",
        }
    }

    /// How many of them one tenant may have.
    pub const fn max(self) -> i64 {
        match self {
            Self::List => 200,
            Self::Pipeline => 50,
        }
    }

    /// Bytes of all of them together, each in its newest version.
    pub const fn max_bytes(self) -> i64 {
        match self {
            Self::List => 16 * 1024 * 1024,
            Self::Pipeline => 4 * 1024 * 1024,
        }
    }

    const fn entry(self, what: Entry) -> &'static str {
        match (self, what) {
            (Self::List, Entry::Created) => "value_list.created",
            (Self::List, Entry::Revised) => "value_list.revised",
            (Self::List, Entry::Set) => "value_list.set",
            (Self::List, Entry::Deleted) => "value_list.deleted",
            (Self::Pipeline, Entry::Created) => "pipeline.created",
            (Self::Pipeline, Entry::Revised) => "pipeline.revised",
            (Self::Pipeline, Entry::Set) => "pipeline.set",
            (Self::Pipeline, Entry::Deleted) => "pipeline.deleted",
        }
    }
}

#[derive(Clone, Copy)]
enum Entry {
    Created,
    Revised,
    Set,
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub kind: Kind,
    pub name: String,
    /// The newest version.
    pub head: i64,
    /// The version in use; none while none is.
    pub live: Option<i64>,
    /// Of the newest version.
    pub bytes: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// How often the row was changed.
    pub version: i64,
    pub by: String,
    pub by_name: String,
    /// Why it was last changed.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartVersion {
    pub number: i64,
    pub at: Timestamp,
    pub by: String,
    pub by_name: String,
    pub text: String,
    pub note: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    by_name: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
struct VersionBody {
    text: String,
    note: String,
    by_name: String,
}

pub async fn find(access: &mut impl Access, kind: Kind, name: &str) -> Result<Option<Part>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM rule_parts WHERE tenant_id=$1 AND kind=$2 AND name=$3")
        .bind(tenant)
        .bind(kind.as_str())
        .bind(name)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, kind, &row)).transpose()
}

/// All of a kind, by name.
pub async fn all(access: &mut impl Access, kind: Kind) -> Result<Vec<Part>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM rule_parts WHERE tenant_id=$1 AND kind=$2 ORDER BY name LIMIT $3")
        .bind(tenant)
        .bind(kind.as_str())
        .bind(kind.max())
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, kind, row)).collect()
}

/// The texts in use of a kind, by name.
pub async fn live(access: &mut impl Access, kind: Kind) -> Result<Vec<(String, String)>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT v.* FROM rule_parts p JOIN rule_part_versions v ON v.tenant_id=p.tenant_id AND v.kind=p.kind AND v.name=p.name \
         AND v.number=p.live WHERE p.tenant_id=$1 AND p.kind=$2 ORDER BY p.name LIMIT $3",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(kind.max())
    .fetch_all(access.conn())
    .await?;
    let one = |row: &AnyRow| {
        let name: String = row.try_get("name")?;
        read_version(access, kind, &name, row).map(|version| (name, version.text))
    };
    rows.iter().map(one).collect()
}

/// Versions of a part, newest first.
pub async fn versions(access: &mut impl Access, kind: Kind, name: &str) -> Result<Vec<PartVersion>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM rule_part_versions WHERE tenant_id=$1 AND kind=$2 AND name=$3 ORDER BY number DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .bind(name)
    .bind(KEPT + 1)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read_version(access, kind, name, row)).collect()
}

pub async fn version(access: &mut impl Access, kind: Kind, name: &str, number: i64) -> Result<Option<PartVersion>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM rule_part_versions WHERE tenant_id=$1 AND kind=$2 AND name=$3 AND number=$4")
        .bind(tenant)
        .bind(kind.as_str())
        .bind(name)
        .bind(number)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read_version(access, kind, name, &row)).transpose()
}

/// Makes a part with its first version. A list is in use at once, a pipeline is not.
///
/// # Errors
/// `AlreadyExists` for a name that the tenant has, `Refused` when it has as many or as much as it may.
pub async fn create(tx: &mut Tx, kind: Kind, name: &str, (text, note): (&str, &str), now: Timestamp) -> Result<Part> {
    if find(tx, kind, name).await?.is_some() {
        return Err(StoreError::AlreadyExists { what: name.to_owned() });
    }
    let all = all(tx, kind).await?;
    if i64::try_from(all.len()).unwrap_or(i64::MAX) >= kind.max() {
        return Err(StoreError::Refused { detail: format!("a tenant has at most {}: delete one first", kind.max()) });
    }
    let actor = tx.scope().actor().clone();
    let part = Part {
        kind,
        name: name.to_owned(),
        head: 1,
        live: (kind == Kind::List).then_some(1),
        bytes: size(text),
        created_at: now,
        updated_at: now,
        version: 1,
        by: actor.id,
        by_name: actor.name,
        reason: note.to_owned(),
    };
    within(&all, &part)?;
    insert(tx, &part).await?;
    insert_version(tx, &part, (text, note), now).await?;
    told(tx, &part);
    let body = json!({"name": name, "number": 1, "bytes": part.bytes, "live": part.live, "note": note});
    tx.record(kind.entry(Entry::Created), NAMELESS, body)?;
    Ok(part)
}

async fn insert(tx: &mut Tx, part: &Part) -> Result<()> {
    let body = sealed(tx, part)?;
    sqlx::query(
        "INSERT INTO rule_parts (tenant_id, kind, name, head, live, bytes, created_at, updated_at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$7,$8,$9,$10)",
    )
    .bind(tx.t())
    .bind(part.kind.as_str())
    .bind(&part.name)
    .bind(part.head)
    .bind(part.live)
    .bind(part.bytes)
    .bind(part.created_at.as_micros())
    .bind(&part.by)
    .bind(part.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a version. Of a list it is in use at once; of a pipeline what is in use stays.
///
/// # Errors
/// `Refused` when the tenant's parts would be larger than they may, `Conflict` when the row has changed.
pub async fn revise(tx: &mut Tx, mut part: Part, (text, note): (&str, &str), now: Timestamp) -> Result<Part> {
    part.head += 1;
    part.bytes = size(text);
    if part.kind == Kind::List {
        part.live = Some(part.head);
    }
    let all = all(tx, part.kind).await?;
    within(&all, &part)?;
    insert_version(tx, &part, (text, note), now).await?;
    write(tx, &mut part, note, now).await?;
    make_room(tx, &part).await?;
    let body = json!({"name": part.name, "number": part.head, "bytes": part.bytes, "live": part.live, "note": note});
    tx.record(part.kind.entry(Entry::Revised), NAMELESS, body)?;
    Ok(part)
}

/// Says which version is in use, or that none is.
pub async fn set(tx: &mut Tx, mut part: Part, live: Option<i64>, reason: &str, now: Timestamp) -> Result<Part> {
    let before = part.live;
    part.live = live;
    write(tx, &mut part, reason, now).await?;
    let body = json!({"name": part.name, "reason": reason, "before": {"live": before}, "after": {"live": live}});
    tx.record(part.kind.entry(Entry::Set), NAMELESS, body)?;
    Ok(part)
}

/// Takes a part away, with its versions.
pub async fn delete(tx: &mut Tx, part: &Part) -> Result<()> {
    let done = sqlx::query("DELETE FROM rule_parts WHERE tenant_id=$1 AND kind=$2 AND name=$3 AND version=$4")
        .bind(tx.t())
        .bind(part.kind.as_str())
        .bind(&part.name)
        .bind(part.version)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    sqlx::query("DELETE FROM rule_part_versions WHERE tenant_id=$1 AND kind=$2 AND name=$3")
        .bind(tx.t())
        .bind(part.kind.as_str())
        .bind(&part.name)
        .execute(tx.conn())
        .await?;
    told(tx, part);
    tx.record(part.kind.entry(Entry::Deleted), NAMELESS, json!({"name": part.name, "head": part.head}))
}

fn within(all: &[Part], next: &Part) -> Result<()> {
    let others = all.iter().filter(|part| part.name != next.name).map(|part| part.bytes);
    let (bytes, most) = (others.sum::<i64>().saturating_add(next.bytes), next.kind.max_bytes());
    if bytes <= most {
        return Ok(());
    }
    Err(StoreError::Refused {
        detail: format!("they would have {bytes} bytes together, and at most {most} are kept of a tenant"),
    })
}

async fn make_room(tx: &mut Tx, part: &Part) -> Result<()> {
    sqlx::query(
        "DELETE FROM rule_part_versions WHERE tenant_id=$1 AND kind=$2 AND name=$3 AND number<=$4 AND number<>$5",
    )
    .bind(tx.t())
    .bind(part.kind.as_str())
    .bind(&part.name)
    .bind(part.head - KEPT)
    .bind(part.live.unwrap_or(0))
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_version(tx: &mut Tx, part: &Part, (text, note): (&str, &str), now: Timestamp) -> Result<()> {
    let actor = tx.scope().actor().clone();
    let body = VersionBody { text: text.to_owned(), note: note.to_owned(), by_name: actor.name };
    let body = seal(tx, VERSIONS, &version_key(part.kind, &part.name, part.head), &body)?;
    sqlx::query(
        "INSERT INTO rule_part_versions (tenant_id, kind, name, number, at, actor, body) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(tx.t())
    .bind(part.kind.as_str())
    .bind(&part.name)
    .bind(part.head)
    .bind(now.as_micros())
    .bind(actor.id)
    .bind(body)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn write(tx: &mut Tx, part: &mut Part, reason: &str, now: Timestamp) -> Result<()> {
    let read_at = part.version;
    let actor = tx.scope().actor().clone();
    part.version += 1;
    (part.by, part.by_name, part.reason, part.updated_at) = (actor.id, actor.name, reason.to_owned(), now);
    let body = sealed(tx, part)?;
    let done = sqlx::query(
        "UPDATE rule_parts SET head=$5, live=$6, bytes=$7, updated_at=$8, actor=$9, version=$10, body=$11 WHERE tenant_id=$1 AND kind=$2 AND name=$3 AND version=$4",
    )
    .bind(tx.t())
    .bind(part.kind.as_str())
    .bind(&part.name)
    .bind(read_at)
    .bind(part.head)
    .bind(part.live)
    .bind(part.bytes)
    .bind(now.as_micros())
    .bind(&part.by)
    .bind(part.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    told(tx, part);
    Ok(())
}

/// Whoever runs rules compiles them anew.
fn told(tx: &mut Tx, part: &Part) {
    tx.touched(part.kind.as_str(), &part.name, part.version);
    tx.announce("rule", "all");
}

fn size(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

fn row_key(kind: Kind, name: &str) -> Vec<u8> {
    [kind.as_str().as_bytes(), b":", name.as_bytes()].concat()
}

fn version_key(kind: Kind, name: &str, number: i64) -> Vec<u8> {
    [&number.to_be_bytes()[..], &row_key(kind, name)].concat()
}

fn sealed(tx: &Tx, part: &Part) -> Result<Vec<u8>> {
    let body = Body { by_name: part.by_name.clone(), reason: part.reason.clone() };
    seal(tx, TABLE, &row_key(part.kind, &part.name), &body)
}

fn read(access: &impl Access, kind: Kind, row: &AnyRow) -> Result<Part> {
    let name: String = row.try_get("name")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let Body { by_name, reason } = open(access, TABLE, &row_key(kind, &name), &sealed)?;
    Ok(Part {
        kind,
        head: row.try_get("head")?,
        live: row.try_get("live")?,
        bytes: row.try_get("bytes")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        version: row.try_get("version")?,
        by: row.try_get("actor")?,
        by_name,
        reason,
        name,
    })
}

fn read_version(access: &impl Access, kind: Kind, name: &str, row: &AnyRow) -> Result<PartVersion> {
    let number: i64 = row.try_get("number")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let VersionBody { text, note, by_name } = open(access, VERSIONS, &version_key(kind, name, number), &sealed)?;
    Ok(PartVersion { number, at: time(row, "at")?, by: row.try_get("actor")?, by_name, text, note })
}
