//! Half-done sign-ins and passkey ceremonies: a ticket's hash and what the second half needs, for a few minutes, spent once.
//! Bookkeeping: what comes of one has its own entry.

use shieldops_model::{Timestamp, UserId};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    Result, Store,
    db::Whose,
    rows::{bytes, open_own, optional_id, seal_own, time},
};

const TABLE: &str = "ceremonies";
/// Ceremonies of nobody yet that may be open at once in the installation: anybody may begin one. The oldest go, so that
/// whoever begins many keeps nobody out who answers within the time that ten thousand take.
const OF_NOBODY: i64 = 10_000;
/// Those of one person, who gave a password for each; the oldest go.
const OF_PERSON: i64 = 20;

#[derive(Clone)]
pub struct Ceremony {
    pub hash: [u8; 32],
    pub kind: String,
    pub principal: Option<UserId>,
    pub body: Vec<u8>,
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a ceremony until it is spent, its time is over, or too many newer ones came.
    pub async fn open_ceremony(&self, ceremony: &Ceremony, now: Timestamp) -> Result<()> {
        let mut tx = self.db().begin(Whose::Installation).await?;
        let over = sqlx::query("DELETE FROM ceremonies WHERE expires_at<=$1").bind(now.as_micros());
        over.execute(&mut *tx).await?;
        make_room(&mut tx, ceremony.principal).await?;
        sqlx::query("INSERT INTO ceremonies (hash, kind, principal, body, expires_at) VALUES ($1,$2,$3,$4,$5)")
            .bind(ceremony.hash.to_vec())
            .bind(&ceremony.kind)
            .bind(ceremony.principal.map(bytes))
            .bind(seal_own(self, TABLE, &ceremony.hash, &ceremony.body)?)
            .bind(ceremony.expires_at.as_micros())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// A ceremony of this kind that is still open; it stays so.
    pub async fn find_ceremony(&self, hash: &[u8; 32], kind: &str, now: Timestamp) -> Result<Option<Ceremony>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query("SELECT * FROM ceremonies WHERE hash=$1 AND kind=$2 AND expires_at>$3")
            .bind(hash.to_vec())
            .bind(kind)
            .bind(now.as_micros())
            .fetch_optional(reading.conn())
            .await?;
        row.map(|row| read(self, *hash, &row)).transpose()
    }

    /// Spends a ceremony of this kind: of two who try at once one gets it.
    pub async fn spend_ceremony(&self, hash: &[u8; 32], kind: &str, now: Timestamp) -> Result<Option<Ceremony>> {
        let found = self.find_ceremony(hash, kind, now).await?;
        let Some(found) = found else { return Ok(None) };
        let mut tx = self.db().begin(Whose::Installation).await?;
        let delete = sqlx::query("DELETE FROM ceremonies WHERE hash=$1 AND kind=$2").bind(hash.to_vec()).bind(kind);
        let done = delete.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok((done.rows_affected() == 1).then_some(found))
    }
}

async fn make_room(conn: &mut AnyConnection, person: Option<UserId>) -> Result<()> {
    let Some(person) = person else {
        let open = sqlx::query_scalar("SELECT count(*) FROM ceremonies WHERE principal IS NULL");
        let open: i64 = open.fetch_one(&mut *conn).await?;
        sqlx::query(
            "DELETE FROM ceremonies WHERE hash IN \
             (SELECT hash FROM ceremonies WHERE principal IS NULL ORDER BY expires_at, hash LIMIT $1)",
        )
        .bind((open - OF_NOBODY + 1).max(0))
        .execute(conn)
        .await?;
        return Ok(());
    };
    sqlx::query(
        "DELETE FROM ceremonies WHERE principal=$1 AND hash NOT IN \
         (SELECT hash FROM ceremonies WHERE principal=$1 ORDER BY expires_at DESC, hash LIMIT $2)",
    )
    .bind(bytes(person))
    .bind(OF_PERSON - 1)
    .execute(conn)
    .await?;
    Ok(())
}

fn read(store: &Store, hash: [u8; 32], row: &AnyRow) -> Result<Ceremony> {
    let body: Vec<u8> = row.try_get("body")?;
    Ok(Ceremony {
        hash,
        kind: row.try_get("kind")?,
        principal: optional_id(row, "principal")?,
        body: open_own(store, TABLE, &hash, &body)?,
        expires_at: time(row, "expires_at")?,
    })
}
