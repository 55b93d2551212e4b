//! Notes on incidents. Their text is sealed.

use shieldops_model::{IncidentId, Note, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, Tx,
    access::{open, seal},
};

const TABLE: &str = "notes";

pub async fn insert(tx: &mut Tx, incident: IncidentId, note: &Note) -> Result<()> {
    let row = note.id.to_bytes();
    let body = seal(tx, TABLE, &row, note)?;
    sqlx::query("INSERT INTO notes (tenant_id, incident_id, id, author, created_at, body) VALUES ($1,$2,$3,$4,$5,$6)")
        .bind(tx.t())
        .bind(incident.to_bytes().to_vec())
        .bind(row.to_vec())
        .bind(note.author.to_bytes().to_vec())
        .bind(note.created_at.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    tx.touched("incident", incident, 0);
    Ok(())
}

pub async fn list(access: &mut impl Access, incident: IncidentId, page: &PageRequest) -> Result<Page<Note>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT id, body FROM notes WHERE tenant_id=$1 AND incident_id=$2 AND id<$3 ORDER BY id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(incident.to_bytes().to_vec())
    .bind(page.below::<id::NoteKind>()?)
    .bind(page.fetch())
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<Note> {
        let id: Vec<u8> = row.try_get("id")?;
        let body: Vec<u8> = row.try_get("body")?;
        open(access, TABLE, &id, &body)
    };
    let items: Result<Vec<Note>> = rows.iter().map(read).collect();
    Ok(page.page(items?, |note| note.id.to_string()))
}
