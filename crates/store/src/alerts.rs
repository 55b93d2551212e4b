//! Alerts: found by key, by fingerprint and window, by incident; listed newest first.

mod counted;

use shieldops_model::{Alert, AlertId, AlertKey, Entity, EventId, IncidentId, Severity, Timestamp, UserId, id};
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, ids, open, open_bytes, seal, word},
    db::{clean, flag, index_text},
    rows,
};

pub use self::counted::{Bucket, Score, Tally, histogram, scores, tally};

const TABLE: &str = "alerts";
/// Which fields the body of an alert has. It grows with every change of them: a body of this shape is given out as it is.
const SHAPE: i64 = 1;

/// What a list shows; absent means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any of these; empty is any at all, as for `severity` and `verdict`.
    pub status: Vec<String>,
    pub severity: Vec<Severity>,
    pub verdict: Vec<String>,
    pub rule_id: Option<String>,
    pub incident: Option<IncidentId>,
    pub assignee: Option<UserId>,
    pub entity: Option<Entity>,
    /// Part of the title, without regard to ASCII case.
    pub title: Option<String>,
    /// The list begins with the oldest.
    pub oldest_first: bool,
}

/// Inserts an alert.
///
/// # Errors
/// `AlreadyExists` when its key is known: a replay, which is a no-op for the caller.
pub async fn insert(tx: &mut Tx, alert: &Alert) -> Result<()> {
    let row = alert.id.to_bytes();
    let body = seal(tx, TABLE, &row, alert)?;
    let fingerprint = hex::decode(&alert.fingerprint).map_err(StoreError::damaged)?;
    let done = sqlx::query(
        "INSERT INTO alerts (tenant_id, id, rule_id, rule_version, fingerprint, window_start, title, severity, status, \
         verdict, incident_id, assignee, first_seen, last_seen, count, risk_score, demo, created_at, updated_at, version, \
         body, shape) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22) ON CONFLICT DO NOTHING",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(&alert.rule_id)
    .bind(&alert.rule_version)
    .bind(fingerprint)
    .bind(alert.window_start.as_micros())
    .bind(clean(&alert.rule_title).into_owned())
    .bind(i64::from(alert.severity.id()))
    .bind(word(&alert.status))
    .bind(alert.verdict.as_ref().map(word))
    .bind(alert.incident_id.map(|id| id.to_bytes().to_vec()))
    .bind(alert.assignee.map(|id| id.to_bytes().to_vec()))
    .bind(alert.first_seen.as_micros())
    .bind(alert.last_seen.as_micros())
    .bind(count(alert.count))
    .bind(i64::from(alert.risk_score))
    .bind(i64::from(alert.demo))
    .bind(alert.created_at.as_micros())
    .bind(alert.updated_at.as_micros())
    .bind(alert.version)
    .bind(body)
    .bind(SHAPE)
    .execute(tx.conn())
    .await?;
    StoreError::exists_unless_inserted(&done, "alert")?;
    index_entities(tx, alert).await?;
    tx.touched("alert", alert.id, alert.version);
    Ok(())
}

/// Writes a changed alert over the version it was read at; `alert.version` grows by one.
pub async fn update(tx: &mut Tx, alert: &mut Alert) -> Result<()> {
    let row = alert.id.to_bytes();
    let read_at = alert.version;
    alert.version += 1;
    let body = seal(tx, TABLE, &row, alert)?;
    let done = sqlx::query(
        "UPDATE alerts SET severity=$4, status=$5, verdict=$6, incident_id=$7, assignee=$8, first_seen=$9, last_seen=$10, \
         count=$11, risk_score=$12, updated_at=$13, version=$14, body=$15, shape=$16 WHERE tenant_id=$1 AND id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(read_at)
    .bind(i64::from(alert.severity.id()))
    .bind(word(&alert.status))
    .bind(alert.verdict.as_ref().map(word))
    .bind(alert.incident_id.map(|id| id.to_bytes().to_vec()))
    .bind(alert.assignee.map(|id| id.to_bytes().to_vec()))
    .bind(alert.first_seen.as_micros())
    .bind(alert.last_seen.as_micros())
    .bind(count(alert.count))
    .bind(i64::from(alert.risk_score))
    .bind(alert.updated_at.as_micros())
    .bind(alert.version)
    .bind(body)
    .bind(SHAPE)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    index_entities(tx, alert).await?;
    tx.touched("alert", alert.id, alert.version);
    Ok(())
}

/// Entities in one statement.
const TOGETHER: usize = 50;

async fn index_entities(tx: &mut Tx, alert: &Alert) -> Result<()> {
    for some in alert.entities.chunks(TOGETHER) {
        let places: Vec<String> =
            (0..some.len()).map(|at| format!("($1,$2,${},${})", 2 * at + 3, 2 * at + 4)).collect();
        // The text has nothing in it but places.
        let text = AssertSqlSafe(format!(
            "INSERT INTO alert_entities (tenant_id, alert_id, kind, value) VALUES {} ON CONFLICT DO NOTHING",
            places.join(",")
        ));
        let insert = sqlx::query(text).bind(tx.t()).bind(alert.id.to_bytes().to_vec());
        let insert = some.iter().fold(insert, |insert, entity| {
            insert.bind(entity.kind.as_str()).bind(index_text(&entity.value).into_owned())
        });
        insert.execute(tx.conn()).await?;
    }
    Ok(())
}

/// Remembers which event raised which alert. A pair that is known is left alone.
pub async fn link_event(tx: &mut Tx, event: EventId, alert: AlertId) -> Result<()> {
    sqlx::query("INSERT INTO alert_events (tenant_id, event_id, alert_id) VALUES ($1,$2,$3) ON CONFLICT DO NOTHING")
        .bind(tx.t())
        .bind(event.to_bytes().to_vec())
        .bind(alert.to_bytes().to_vec())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The alerts that an event raised.
pub async fn of_event(access: &mut impl Access, event: EventId) -> Result<Vec<AlertId>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT alert_id FROM alert_events WHERE tenant_id=$1 AND event_id=$2 ORDER BY alert_id LIMIT 1000",
    )
    .bind(tenant)
    .bind(event.to_bytes().to_vec())
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| id_of(row, "alert_id")).collect()
}

pub async fn find(access: &mut impl Access, id: AlertId) -> Result<Option<Alert>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT id, body FROM alerts WHERE tenant_id=$1 AND id=$2")
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

pub async fn get(access: &mut impl Access, id: AlertId) -> Result<Alert> {
    find(access, id).await?.ok_or(StoreError::NotFound)
}

/// The alert of this key, if there is one.
pub async fn find_by_key(access: &mut impl Access, key: &AlertKey) -> Result<Option<Alert>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT id, body FROM alerts WHERE tenant_id=$1 AND rule_id=$2 AND rule_version=$3 AND fingerprint=$4 AND window_start=$5",
    )
    .bind(tenant)
    .bind(&key.rule_id)
    .bind(&key.rule_version)
    .bind(key.fingerprint.to_vec())
    .bind(key.window_start.as_micros())
    .fetch_optional(access.conn())
    .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Alerts read with one statement.
const AT_ONCE: i64 = 200;

/// Alerts of a fingerprint whose windows began between the two times, oldest first: all of them.
pub async fn of_fingerprint(
    access: &mut impl Access,
    fingerprint: [u8; 32],
    (after, before): (Timestamp, Timestamp),
) -> Result<Vec<Alert>> {
    let tenant = access.t();
    let mut found: Vec<Alert> = Vec::new();
    loop {
        let (start, id) = found.last().map_or((after, [u8::MAX; 16]), |last| (last.window_start, last.id.to_bytes()));
        let rows = sqlx::query(
            "SELECT id, body FROM alerts WHERE tenant_id=$1 AND fingerprint=$2 AND window_start>=$3 AND (window_start>$3 OR id>$4) \
             AND window_start<$5 ORDER BY window_start, id LIMIT $6",
        )
        .bind(tenant.clone())
        .bind(fingerprint.to_vec())
        .bind(start.as_micros())
        .bind(id.to_vec())
        .bind(before.as_micros())
        .bind(AT_ONCE)
        .fetch_all(access.conn())
        .await?;
        let is_last = rows.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
        for row in &rows {
            found.push(read(access, row)?);
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// The alerts of an incident, oldest first. Of more than 1,000, the gravest and among them the first.
pub async fn of_incident(access: &mut impl Access, incident: IncidentId) -> Result<Vec<Alert>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT id, body FROM alerts WHERE tenant_id=$1 AND incident_id=$2 ORDER BY severity DESC, id LIMIT 1000",
    )
    .bind(tenant)
    .bind(incident.to_bytes().to_vec())
    .fetch_all(access.conn())
    .await?;
    let mut alerts = rows.iter().map(|row| read(access, row)).collect::<Result<Vec<Alert>>>()?;
    alerts.sort_by_key(|alert| alert.id);
    Ok(alerts)
}

/// An alert as its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub id: AlertId,
    pub json: Vec<u8>,
}

/// A page of alerts as they are given out: a page has fifty or more, and most lists are only passed on.
pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<Written>> {
    let (side, edge, direction) = page.edge::<id::AlertKind>(filter.oldest_first)?;
    let mut wanted = Conditions::of(access);
    let edge = wanted.bind(edge);
    wanted.and(&format!("id{side}{edge}"));
    wanted.any("status", filter.status.iter().cloned());
    wanted.any("severity", ids(&filter.severity));
    wanted.any("verdict", filter.verdict.iter().cloned());
    wanted.is("rule_id", filter.rule_id.clone());
    wanted.is("incident_id", filter.incident.map(|id| id.to_bytes().to_vec()));
    wanted.is("assignee", filter.assignee.map(|id| id.to_bytes().to_vec()));
    wanted.contains("title", filter.title.as_deref());
    if let Some(entity) = &filter.entity {
        let (kind, value) =
            (wanted.bind(entity.kind.as_str().to_owned()), wanted.bind(index_text(&entity.value).into_owned()));
        wanted.and(&format!(
            "id IN (SELECT e.alert_id FROM alert_entities e WHERE e.tenant_id=$1 AND e.kind={kind} AND e.value={value})"
        ));
    }
    let rows =
        wanted.rows(access, "SELECT id, shape, body FROM alerts", &format!("id {direction}"), page.fetch()).await?;
    let items: Result<Vec<Written>> = rows.iter().map(|row| written(access, row)).collect();
    Ok(page.page(items?, |alert| alert.id.to_string()))
}

fn written(access: &impl Access, row: &AnyRow) -> Result<Written> {
    let id = id_of(row, "id")?;
    let shape: i64 = row.try_get("shape")?;
    let json = if shape == SHAPE {
        let body: Vec<u8> = row.try_get("body")?;
        open_bytes(access, TABLE, &id.to_bytes(), &body)?
    } else {
        serde_json::to_vec(&read(access, row)?).map_err(StoreError::damaged)?
    };
    Ok(Written { id, json })
}

/// Alerts of a rule are counted to here: nobody reads on for more.
pub const SIMILAR: u64 = 100;

/// What else there is to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    /// Other alerts of its rule, at most [`SIMILAR`].
    pub similar: u64,
    /// A list of indicators named what it saw.
    pub listed: bool,
    /// Its rule is the tenant's own.
    pub own_rule: bool,
    /// Matches counted on it that would have raised another, had the rule's throttle allowed more.
    pub withheld: u64,
}

/// What else there is to an alert, in one read.
pub async fn around(access: &mut impl Access, alert: &Alert) -> Result<Around> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM alerts WHERE tenant_id=$1 AND rule_id=$2 LIMIT $4) counted) AS alike, \
         CASE WHEN EXISTS (SELECT 1 FROM indicator_hits WHERE tenant_id=$1 AND fingerprint=$3) THEN 1 ELSE 0 END AS listed, \
         CASE WHEN EXISTS (SELECT 1 FROM own_rules WHERE tenant_id=$1 AND rule_id=$2) THEN 1 ELSE 0 END AS own_rule, \
         (SELECT CAST(COALESCE(sum(withheld), 0) AS BIGINT) FROM throttle_slots WHERE tenant_id=$1 AND rule_id=$2 AND alert_id=$5) AS withheld",
    )
    .bind(tenant)
    .bind(&alert.rule_id)
    .bind(hex::decode(&alert.fingerprint).unwrap_or_default())
    .bind(count(SIMILAR + 1))
    .bind(alert.id.to_bytes().to_vec())
    .fetch_one(access.conn())
    .await?;
    let similar = rows::count(&row, "alike")?.saturating_sub(1);
    let (listed, own_rule) = (flag(&row, "listed")?, flag(&row, "own_rule")?);
    Ok(Around { similar, listed, own_rule, withheld: rows::count(&row, "withheld")? })
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Alert> {
    let id: Vec<u8> = row.try_get("id")?;
    let body: Vec<u8> = row.try_get("body")?;
    open(access, TABLE, &id, &body)
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn id_of<K: id::Kind>(row: &AnyRow, column: &str) -> Result<shieldops_model::Id<K>> {
    let bytes: Vec<u8> = row.try_get(column)?;
    let bytes: [u8; 16] = bytes.try_into().map_err(|_wrong| StoreError::damaged(format!("{column} is not an id")))?;
    Ok(shieldops_model::Id::from_bytes(bytes))
}

/// The rules whose alerts are in an incident.
pub async fn rules_in(access: &mut impl Access, incident: IncidentId) -> Result<Vec<String>> {
    let tenant = access.t();
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT rule_id FROM alerts WHERE tenant_id=$1 AND incident_id=$2 ORDER BY 1 LIMIT 1000",
    )
    .bind(tenant)
    .bind(incident.to_bytes().to_vec())
    .fetch_all(access.conn())
    .await?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    /// Names of members at any depth.
    fn names(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                into.insert(name.clone());
                names(value, into);
            }),
            Value::Array(items) => items.iter().for_each(|item| names(item, into)),
            _ => {}
        }
    }

    #[test]
    fn an_alert_with_other_members_has_another_shape() {
        let id = |prefix: &str| format!("{prefix}_01h455vb4pex5vsknk084sn02q");
        let alert: Alert = serde_json::from_value(json!({
            "id": id("alt"), "rule_id": "r", "rule_title": "t", "rule_version": "v", "severity": "high", "status": "new",
            "verdict": "true_positive", "verdict_reason": "r", "fingerprint": "00", "window_start": "2026-01-01T00:00:00Z",
            "first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-01T00:00:00Z", "count": 1,
            "entities": [{"kind": "ip", "value": "203.0.113.1"}], "attack": {"tactics": ["execution"], "techniques": ["T1059"]},
            "event_ids": [id("evt")], "incident_id": id("inc"), "assignee": id("usr"), "risk_score": 1,
            "risk_terms": [{"name": "x", "points": 1, "why": "y"}], "demo": false, "superseded": false,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "version": 1,
        }))
        .unwrap();
        let mut found = BTreeSet::new();
        names(&serde_json::to_value(&alert).unwrap(), &mut found);
        let known = "assignee attack count created_at demo entities event_ids fingerprint first_seen id incident_id kind last_seen name \
            points risk_score risk_terms rule_id rule_title rule_version severity status superseded tactics techniques updated_at value \
            verdict verdict_reason version why window_start";
        assert_eq!(
            found.into_iter().collect::<Vec<_>>().join(" "),
            known,
            "count SHAPE up, then write the names down here"
        );
        assert_eq!(SHAPE, 1);
    }
}
