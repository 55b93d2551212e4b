//! Which events rules were run on, by source and minute, and what the sources send. It follows from the events and is
//! committed with the place of their consumer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shieldops_model::{LogSource, Timestamp};
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, Tx,
    access::{open, seal},
    db::index_text,
    rows,
    rule_states::State,
};

const SETS: &str = "rule_sets";
const FIELDS: &str = "source_fields";
/// Stands for a set of rules in the minutes of events that were not looked up in the lists of indicators.
pub const INDICATORS: &str = "indicators";
/// The source of events that cannot be read: nobody knows theirs.
pub const UNREADABLE: &str = "unreadable";
/// The source that stands for a log that is not the one detection looked at: what the old one had left is not known.
pub const REPLACED: &str = "log replaced";
/// Days for which minutes are kept.
pub const DAYS: u64 = 30;
/// Sources of which fields are kept.
const SOURCES: i64 = 1_000;

/// One minute of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CoveredMinute)]
pub struct Minute {
    pub source: String,
    /// Its beginning.
    pub minute: Timestamp,
    /// The set of rules that ran; `indicators` where events were not looked up in the lists, because these were loading.
    pub rules: String,
    /// Events that the set was run on, late ones included.
    pub evaluated: u64,
    /// Events that came behind the source's watermark.
    pub late: u64,
    /// Events on which no rule was run, or that were not looked up.
    pub skipped: u64,
}

/// A set of rules that ran. One is stored for all that is loaded, and one for each way in which the tenant differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleSet {
    /// Id and version of every rule that is loaded.
    Base(BTreeMap<String, String>),
    Tenant {
        base: String,
        /// How rules are that the tenant did not set.
        default: State,
        /// Rules that are otherwise: with their version where it is the tenant's own.
        differs: BTreeMap<String, Differs>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Differs {
    pub state: State,
    pub version: Option<String>,
}

/// Minutes in one statement.
const TOGETHER: usize = 400;

/// Adds to minutes, several in one statement.
pub async fn add(tx: &mut Tx, minutes: &[Minute]) -> Result<()> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut rows: BTreeMap<(String, i64, &str), [u64; 3]> = BTreeMap::new();
    for one in minutes {
        let key = (index_text(&one.source).into_owned(), one.minute.as_secs().div_euclid(60), one.rules.as_str());
        let counts = rows.entry(key).or_default();
        for (count, more) in counts.iter_mut().zip([one.evaluated, one.late, one.skipped]) {
            *count = count.saturating_add(more);
        }
    }
    let rows: Vec<_> = rows.into_iter().collect();
    for some in rows.chunks(TOGETHER) {
        let row = |at: usize| {
            let places: Vec<String> = (0..6).map(|place| format!("${}", 6 * at + place + 2)).collect();
            format!("($1,{})", places.join(","))
        };
        let values: Vec<String> = (0..some.len()).map(row).collect();
        // The text has nothing in it but places.
        let text = AssertSqlSafe(format!(
            "INSERT INTO coverage_minutes (tenant_id, source, minute, rules, evaluated, late, skipped) VALUES {} \
             ON CONFLICT (tenant_id, source, minute, rules) DO UPDATE SET evaluated=coverage_minutes.evaluated+excluded.evaluated, \
             late=coverage_minutes.late+excluded.late, skipped=coverage_minutes.skipped+excluded.skipped",
            values.join(",")
        ));
        let insert = sqlx::query(text).bind(tx.t());
        let insert = some.iter().fold(insert, |insert, ((source, minute, rules), [evaluated, late, skipped])| {
            let insert = insert.bind(source.clone()).bind(*minute).bind((*rules).to_owned());
            insert.bind(number(*evaluated)).bind(number(*late)).bind(number(*skipped))
        });
        insert.execute(tx.conn()).await?;
    }
    Ok(())
}

/// What a part of the log is asked for.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    /// All of them when there is none.
    pub sources: &'a [&'a str],
    pub from: Timestamp,
    pub to: Timestamp,
    /// Only minutes in which something was not looked at.
    pub gaps: bool,
    /// Rows at most, the newest minutes.
    pub limit: u32,
}

/// Minutes of a window by source and time, oldest first.
pub async fn minutes(access: &mut impl Access, window: &Window<'_>) -> Result<Vec<Minute>> {
    let places: Vec<String> = (0..window.sources.len()).map(|at| format!("${}", at + 5)).collect();
    let of = if places.is_empty() { String::new() } else { format!("AND source IN ({})", places.join(",")) };
    let gaps = if window.gaps { "AND (skipped>0 OR rules='')" } else { "" };
    // The text has nothing in it but places.
    let text = AssertSqlSafe(format!(
        "SELECT * FROM coverage_minutes WHERE tenant_id=$1 AND minute>=$2 AND minute<$3 {of} {gaps} \
         ORDER BY minute DESC, source, rules LIMIT $4"
    ));
    let select = sqlx::query(text)
        .bind(access.t())
        .bind(window.from.as_secs().div_euclid(60))
        .bind(window.to.as_secs().div_euclid(60).saturating_add(1))
        .bind(i64::from(window.limit));
    let select = window.sources.iter().fold(select, |select, source| select.bind(index_text(source).into_owned()));
    let rows = select.fetch_all(access.conn()).await?;
    let read = |row: &AnyRow| -> Result<Minute> {
        let minute: i64 = row.try_get("minute")?;
        Ok(Minute {
            source: row.try_get("source")?,
            minute: Timestamp::from_secs(minute.saturating_mul(60)),
            rules: row.try_get("rules")?,
            evaluated: rows::count(row, "evaluated")?,
            late: rows::count(row, "late")?,
            skipped: rows::count(row, "skipped")?,
        })
    };
    let mut minutes = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    minutes.sort_by(|a, b| (&a.source, a.minute, &a.rules).cmp(&(&b.source, b.minute, &b.rules)));
    Ok(minutes)
}

/// Forgets minutes from before a time, and sets that none is left of.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM coverage_minutes WHERE tenant_id=$1 AND minute<$2")
        .bind(tx.t())
        .bind(before.as_secs().div_euclid(60))
        .execute(tx.conn())
        .await?;
    // What is loaded for everybody is rare and stays: sets of the tenant refer to it.
    sqlx::query(
        "DELETE FROM rule_sets WHERE tenant_id=$1 AND at<$2 AND hash NOT LIKE 'base:%' AND NOT EXISTS \
         (SELECT 1 FROM coverage_minutes m WHERE m.tenant_id=rule_sets.tenant_id AND m.rules=rule_sets.hash)",
    )
    .bind(tx.t())
    .bind(before.as_micros())
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM shadow_matches WHERE tenant_id=$1 AND at<$2")
        .bind(tx.t())
        .bind(before.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps what a hash stands for. A set that is known is left alone.
pub async fn keep_set(tx: &mut Tx, hash: &str, set: &RuleSet, now: Timestamp) -> Result<()> {
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM rule_sets WHERE tenant_id=$1 AND hash=$2")
        .bind(tx.t())
        .bind(hash)
        .fetch_one(tx.conn())
        .await?;
    if known > 0 {
        return Ok(());
    }
    let body = seal(tx, SETS, hash.as_bytes(), set)?;
    sqlx::query("INSERT INTO rule_sets (tenant_id, hash, at, body) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING")
        .bind(tx.t())
        .bind(hash)
        .bind(now.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub async fn find_set(access: &mut impl Access, hash: &str) -> Result<Option<RuleSet>> {
    let tenant = access.t();
    let body: Option<Vec<u8>> = sqlx::query_scalar("SELECT body FROM rule_sets WHERE tenant_id=$1 AND hash=$2")
        .bind(tenant)
        .bind(hash)
        .fetch_optional(access.conn())
        .await?;
    body.map(|body| open(access, SETS, hash.as_bytes(), &body)).transpose()
}

/// What a source was seen to send.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceFields {
    pub log_sources: BTreeSet<LogSource>,
    /// Events that were looked at, and in how many of them each field stood.
    pub events: u64,
    pub fields: BTreeMap<String, u64>,
    /// It sends more fields, or is of more log sources, than are kept.
    pub more: bool,
}

impl SourceFields {
    /// A field of this name, or the object that it is in.
    pub fn sent(&self, name: &str) -> Option<&str> {
        let known = |name: &str| self.fields.get_key_value(name).map(|(known, _)| known.as_str());
        known(name).or_else(|| name.split_once('.').and_then(|(object, _)| known(object)))
    }
}

pub async fn fields_of(access: &mut impl Access, source: &str) -> Result<Option<SourceFields>> {
    let (tenant, source) = (access.t(), index_text(source).into_owned());
    let body: Option<Vec<u8>> = sqlx::query_scalar("SELECT body FROM source_fields WHERE tenant_id=$1 AND source=$2")
        .bind(tenant)
        .bind(&source)
        .fetch_optional(access.conn())
        .await?;
    body.map(|body| open(access, FIELDS, source.as_bytes(), &body)).transpose()
}

/// Every source with what it sends and when that was noted last.
pub async fn fields(access: &mut impl Access) -> Result<Vec<(String, Timestamp, SourceFields)>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM source_fields WHERE tenant_id=$1 ORDER BY source LIMIT $2")
        .bind(tenant)
        .bind(SOURCES)
        .fetch_all(access.conn())
        .await?;
    let read = |row: &AnyRow| -> Result<_> {
        let (source, body): (String, Vec<u8>) = (row.try_get("source")?, row.try_get("body")?);
        let fields = open(access, FIELDS, source.as_bytes(), &body)?;
        Ok((source, rows::time(row, "seen_at")?, fields))
    };
    rows.iter().map(read).collect()
}

/// Writes what a source sends; of more sources than are kept, nothing.
pub async fn keep_fields(tx: &mut Tx, source: &str, fields: &SourceFields, now: Timestamp) -> Result<()> {
    let source = index_text(source).into_owned();
    let others: i64 = sqlx::query_scalar("SELECT count(*) FROM source_fields WHERE tenant_id=$1 AND source<>$2")
        .bind(tx.t())
        .bind(&source)
        .fetch_one(tx.conn())
        .await?;
    if others >= SOURCES {
        return Ok(());
    }
    let body = seal(tx, FIELDS, source.as_bytes(), fields)?;
    sqlx::query(
        "INSERT INTO source_fields (tenant_id, source, seen_at, body) VALUES ($1,$2,$3,$4) ON CONFLICT (tenant_id, source) \
         DO UPDATE SET seen_at=excluded.seen_at, body=excluded.body",
    )
    .bind(tx.t())
    .bind(source)
    .bind(now.as_micros())
    .bind(body)
    .execute(tx.conn())
    .await?;
    Ok(())
}
