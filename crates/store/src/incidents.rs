//! Incidents: candidates for correlation, the work list of the investigator, and lists of those that have a revision.

use shieldops_model::{Incident, IncidentId, Severity, Timestamp, UserId, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{Conditions, ids, open, seal, word},
    alerts::id_of,
    db::{clean, flag},
    rows::count,
};

const TABLE: &str = "incidents";

#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any of these; empty is any at all, as for `severity`.
    pub status: Vec<String>,
    pub severity: Vec<Severity>,
    pub assignee: Option<UserId>,
    pub title: Option<String>,
    pub order: Order,
}

/// In which order incidents are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Oldest,
    /// The one seen last is first.
    LastSeen,
    /// The one seen last is last.
    QuietFirst,
}

impl Order {
    const fn by_last_seen(self) -> bool {
        matches!(self, Self::LastSeen | Self::QuietFirst)
    }

    const fn oldest_first(self) -> bool {
        matches!(self, Self::Oldest | Self::QuietFirst)
    }

    /// What the page after this incident begins with.
    fn cursor(self, incident: &Incident) -> String {
        if self.by_last_seen() {
            format!("{}.{}", incident.last_seen.as_micros(), incident.id)
        } else {
            incident.id.to_string()
        }
    }
}

/// A place in the order by last sight: the time, and the id among those of one time.
fn place(page: &PageRequest, oldest_first: bool) -> Result<(i64, PageRequest)> {
    let Some(cursor) = &page.cursor else {
        return Ok((if oldest_first { i64::MIN } else { i64::MAX }, page.clone()));
    };
    let (time, id) = cursor.split_once('.').ok_or(StoreError::InvalidCursor)?;
    let time = time.parse().map_err(|_nan| StoreError::InvalidCursor)?;
    Ok((time, PageRequest { cursor: Some(id.to_owned()), ..page.clone() }))
}

pub async fn insert(tx: &mut Tx, incident: &Incident, changed_at: Timestamp, due_at: Option<Timestamp>) -> Result<()> {
    let row = incident.id.to_bytes();
    let body = seal(tx, TABLE, &row, incident)?;
    sqlx::query(
        "INSERT INTO incidents (tenant_id, id, title, severity, status, verdict, assignee, first_seen, last_seen, revision, \
         merged_into, risk_score, demo, created_at, updated_at, version, body, changed_at, due_at) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19)",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(clean(&incident.title).into_owned())
    .bind(i64::from(incident.severity.id()))
    .bind(word(&incident.status))
    .bind(incident.verdict.as_ref().map(word))
    .bind(incident.assignee.map(|id| id.to_bytes().to_vec()))
    .bind(incident.first_seen.as_micros())
    .bind(incident.last_seen.as_micros())
    .bind(i64::from(incident.revision))
    .bind(incident.merged_into.map(|id| id.to_bytes().to_vec()))
    .bind(i64::from(incident.risk_score))
    .bind(i64::from(incident.demo))
    .bind(incident.created_at.as_micros())
    .bind(incident.updated_at.as_micros())
    .bind(incident.version)
    .bind(body)
    .bind(changed_at.as_micros())
    .bind(due_at.map(Timestamp::as_micros))
    .execute(tx.conn())
    .await?;
    tx.touched("incident", incident.id, incident.version);
    Ok(())
}

/// Writes a changed incident over the version it was read at; `incident.version` grows by one.
pub async fn update(tx: &mut Tx, incident: &mut Incident) -> Result<()> {
    let row = incident.id.to_bytes();
    let read_at = incident.version;
    incident.version += 1;
    let body = seal(tx, TABLE, &row, incident)?;
    let done = sqlx::query(
        "UPDATE incidents SET title=$4, severity=$5, status=$6, verdict=$7, assignee=$8, first_seen=$9, last_seen=$10, \
         revision=$11, merged_into=$12, risk_score=$13, demo=$14, updated_at=$15, version=$16, body=$17 \
         WHERE tenant_id=$1 AND id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(read_at)
    .bind(clean(&incident.title).into_owned())
    .bind(i64::from(incident.severity.id()))
    .bind(word(&incident.status))
    .bind(incident.verdict.as_ref().map(word))
    .bind(incident.assignee.map(|id| id.to_bytes().to_vec()))
    .bind(incident.first_seen.as_micros())
    .bind(incident.last_seen.as_micros())
    .bind(i64::from(incident.revision))
    .bind(incident.merged_into.map(|id| id.to_bytes().to_vec()))
    .bind(i64::from(incident.risk_score))
    .bind(i64::from(incident.demo))
    .bind(incident.updated_at.as_micros())
    .bind(incident.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("incident", incident.id, incident.version);
    Ok(())
}

/// Says when alerts last changed an incident and when its next revision is due.
pub async fn schedule(tx: &mut Tx, id: IncidentId, changed_at: Timestamp, due_at: Option<Timestamp>) -> Result<()> {
    sqlx::query("UPDATE incidents SET changed_at=$3, due_at=$4 WHERE tenant_id=$1 AND id=$2")
        .bind(tx.t())
        .bind(id.to_bytes().to_vec())
        .bind(changed_at.as_micros())
        .bind(due_at.map(Timestamp::as_micros))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Since when a change of this incident waits for its revision; none waits when there is no such time.
pub async fn pending_since(access: &mut impl Access, id: IncidentId) -> Result<Option<Timestamp>> {
    let tenant = access.t();
    let since: Option<i64> =
        sqlx::query_scalar("SELECT changed_at FROM incidents WHERE tenant_id=$1 AND id=$2 AND due_at IS NOT NULL")
            .bind(tenant)
            .bind(id.to_bytes().to_vec())
            .fetch_optional(access.conn())
            .await?;
    Ok(since.map(Timestamp::from_micros))
}

/// Incidents whose next revision is due, the longest waiting first.
pub async fn due(access: &mut impl Access, now: Timestamp) -> Result<Vec<IncidentId>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id FROM incidents WHERE tenant_id=$1 AND due_at<=$2 ORDER BY due_at LIMIT 100")
        .bind(tenant)
        .bind(now.as_micros())
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| id_of(row, "id")).collect()
}

/// When the next revision is due, whatever the incident.
pub async fn next_due(access: &mut impl Access) -> Result<Option<Timestamp>> {
    let tenant = access.t();
    let due: Option<i64> = sqlx::query_scalar("SELECT min(due_at) FROM incidents WHERE tenant_id=$1")
        .bind(tenant)
        .fetch_one(access.conn())
        .await?;
    Ok(due.map(Timestamp::from_micros))
}

/// Open incidents of a time: what an alert of it may join. The 500 seen last, oldest first.
pub async fn candidates(access: &mut impl Access, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Incident>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT id, body FROM incidents WHERE tenant_id=$1 AND last_seen>=$2 AND first_seen<=$3 AND merged_into IS NULL \
         AND status NOT IN ('resolved','closed') ORDER BY last_seen DESC, id DESC LIMIT 500",
    )
    .bind(tenant)
    .bind(from.as_micros())
    .bind(to.as_micros())
    .fetch_all(access.conn())
    .await?;
    let mut found = rows.iter().map(|row| read(access, row)).collect::<Result<Vec<Incident>>>()?;
    found.sort_by_key(|incident| incident.id);
    Ok(found)
}

pub async fn find(access: &mut impl Access, id: IncidentId) -> Result<Option<Incident>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT id, body FROM incidents WHERE tenant_id=$1 AND id=$2")
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

pub async fn get(access: &mut impl Access, id: IncidentId) -> Result<Incident> {
    find(access, id).await?.ok_or(StoreError::NotFound)
}

/// What belongs to an incident, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    pub notes: u64,
    pub plans: u64,
    /// An action that was taken for it holds.
    pub contained: bool,
}

/// An incident with what belongs to it, all in one read. Whoever undoes owns no state: such an action contains nothing.
const WITH_AROUND: &str = "SELECT id, body, \
    (SELECT count(*) FROM notes n WHERE n.tenant_id=$1 AND n.incident_id=incidents.id) AS notes, \
    (SELECT count(*) FROM plans p WHERE p.tenant_id=$1 AND p.incident_id=incidents.id) AS plans, \
    CASE WHEN EXISTS (SELECT 1 FROM plans p JOIN actions a ON a.tenant_id=$1 AND a.plan_id=p.id AND a.state='verified' \
    JOIN owners o ON o.tenant_id=$1 AND o.state_key=a.state_key AND o.action_id=a.id \
    WHERE p.tenant_id=$1 AND p.incident_id=incidents.id) THEN 1 ELSE 0 END AS contained FROM incidents";

/// One incident and what belongs to it.
pub async fn get_around(access: &mut impl Access, id: IncidentId) -> Result<(Incident, Around)> {
    let tenant = access.t();
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{WITH_AROUND} WHERE tenant_id=$1 AND id=$2")))
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    read_around(access, &row.ok_or(StoreError::NotFound)?)
}

/// Incidents that have a first revision, newest first unless told. Merged ones are left out.
pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<(Incident, Around)>> {
    let order = filter.order;
    let (time, within) = if order.by_last_seen() { place(page, order.oldest_first())? } else { (0, page.clone()) };
    let (side, edge, direction) = within.edge::<id::IncidentKind>(order.oldest_first())?;
    let mut wanted = Conditions::of(access);
    let edge = wanted.bind(edge);
    let by = if order.by_last_seen() {
        let time = wanted.bind(time);
        wanted.and(&format!("last_seen{side}={time} AND (last_seen{side}{time} OR id{side}{edge})"));
        format!("last_seen {direction}, id {direction}")
    } else {
        wanted.and(&format!("id{side}{edge}"));
        format!("id {direction}")
    };
    wanted.and("revision>0 AND merged_into IS NULL");
    wanted.any("status", filter.status.iter().cloned());
    wanted.any("severity", ids(&filter.severity));
    wanted.is("assignee", filter.assignee.map(|id| id.to_bytes().to_vec()));
    wanted.contains("title", filter.title.as_deref());
    let rows = wanted.rows(access, WITH_AROUND, &by, page.fetch()).await?;
    let items: Result<Vec<(Incident, Around)>> = rows.iter().map(|row| read_around(access, row)).collect();
    Ok(page.page(items?, |(incident, _)| order.cursor(incident)))
}

/// Open and all incidents that are listed.
pub async fn counts(access: &mut impl Access) -> Result<(u64, u64)> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE status NOT IN ('resolved','closed')) AS open, count(*) AS total FROM incidents \
         WHERE tenant_id=$1 AND revision>0 AND merged_into IS NULL",
    )
    .bind(tenant)
    .fetch_one(access.conn())
    .await?;
    let (open, total): (i64, i64) = (row.try_get("open")?, row.try_get("total")?);
    Ok((u64::try_from(open).unwrap_or(0), u64::try_from(total).unwrap_or(0)))
}

/// Incidents that were seen in a window, newest first, and how many there are beyond `limit`.
pub async fn in_window(
    access: &mut impl Access,
    (from, to): (Timestamp, Timestamp),
    limit: u32,
) -> Result<(Vec<Incident>, u64)> {
    const WITHIN: &str = "tenant_id=$1 AND last_seen>=$2 AND first_seen<$3 AND merged_into IS NULL \
        AND (verdict IS NULL OR verdict NOT IN ('false_positive','duplicate'))";
    let tenant = access.t();
    let sql = format!("SELECT id, body FROM incidents WHERE {WITHIN} ORDER BY last_seen DESC, id DESC LIMIT $4");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tenant.clone())
        .bind(from.as_micros())
        .bind(to.as_micros())
        .bind(i64::from(limit))
        .fetch_all(access.conn())
        .await?;
    let found = rows.iter().map(|row| read(access, row)).collect::<Result<Vec<Incident>>>()?;
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM incidents WHERE {WITHIN}")))
        .bind(tenant)
        .bind(from.as_micros())
        .bind(to.as_micros())
        .fetch_one(access.conn())
        .await?;
    let more = u64::try_from(count).unwrap_or(0).saturating_sub(u64::try_from(found.len()).unwrap_or(0));
    Ok((found, more))
}

fn read_around(access: &impl Access, row: &AnyRow) -> Result<(Incident, Around)> {
    let around =
        Around { notes: count(row, "notes")?, plans: count(row, "plans")?, contained: flag(row, "contained")? };
    Ok((read(access, row)?, around))
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Incident> {
    let id: Vec<u8> = row.try_get("id")?;
    let body: Vec<u8> = row.try_get("body")?;
    open(access, TABLE, &id, &body)
}
