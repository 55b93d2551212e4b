//! The database behind the store: one SQL text for both kinds, spoken through one driver.
//!
//! What differs between them is in `sqlite` and `postgres` and in the migrations: every other query runs unchanged on
//! both. Values are only integers, text, bytes and nothing; a flag is 0 or 1.

pub(crate) mod backup;
pub(crate) mod migrate;
pub(crate) mod postgres;
pub(crate) mod sqlite;
pub(crate) mod turns;

use std::{borrow::Cow, path::Path, sync::Arc};

use shieldops_model::TenantId;
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Row as _, SqlSafeStr as _, Transaction, any::AnyRow,
    pool::PoolConnection,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::postgres::{For, Mode};
use crate::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Whose rows a transaction may see. PostgreSQL holds it to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The installation tables only.
    Installation,
    Tenant(TenantId),
}

/// One writer and several readers on SQLite; on PostgreSQL a writer for each tenant.
pub(crate) struct Database {
    kind: Kind,
    writer: AnyPool,
    readers: AnyPool,
    /// The role that serves on PostgreSQL; the login itself when absent.
    role: Option<&'static str>,
    turns: turns::Turns,
    /// Places of readings that are begun ahead.
    ahead: Arc<Semaphore>,
}

/// What reads: a connection by itself, or on PostgreSQL a transaction that is held to its tenant. Each read sees what was
/// committed before it. A connection by itself names no tenant there: it sees the rows of none.
pub(crate) enum Reading {
    Plain(PoolConnection<Any>),
    Scoped(Transaction<'static, Any>),
}

/// A tenant's reading that was begun before anybody asked for it. Few may be open at a time: whoever holds one can still
/// get another connection.
pub struct Ahead {
    reading: Reading,
    _place: OwnedSemaphorePermit,
}

impl Ahead {
    pub(crate) fn into_reading(self) -> Reading {
        self.reading
    }
}

impl Reading {
    pub(crate) fn conn(&mut self) -> &mut AnyConnection {
        match self {
            Self::Plain(conn) => conn,
            Self::Scoped(tx) => tx,
        }
    }
}

impl Database {
    /// Opens the file of a data directory and brings its schema up to date.
    pub(crate) async fn sqlite(dir: &Path) -> Result<Self> {
        let writer = sqlite::connect(dir, 1, false).await?;
        let mut conn = writer.acquire().await?;
        backup::before_migration(dir, &mut conn).await?;
        migrate::run(&mut conn, Kind::Sqlite).await?;
        drop(conn);
        let readers = sqlite::connect(dir, 4, true).await?;
        Ok(Self { kind: Kind::Sqlite, writer, readers, role: None, turns: turns::Turns::default(), ahead: places() })
    }

    /// Opens a PostgreSQL database and brings its schema up to date.
    pub(crate) async fn postgres(url: &str) -> Result<Self> {
        let writer = postgres::connect(url, postgres::WRITERS, For::Writing).await?;
        postgres::refuse_moving_connections(&writer).await?;
        let role = postgres::migrate(&writer).await?;
        let readers = postgres::connect(url, postgres::READERS, For::Reading { role }).await?;
        Ok(Self { kind: Kind::Postgres, writer, readers, role, turns: turns::Turns::default(), ahead: places() })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn writer(&self) -> &AnyPool {
        &self.writer
    }

    pub(crate) fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// A transaction that may write: it waits for the one before it (of the same tenant, on PostgreSQL).
    pub(crate) async fn begin(&self, whose: Whose) -> Result<turns::Writing> {
        self.begin_as(whose, Mode::Write).await
    }

    /// One whose commit does not wait for the disk, for what may be lost with the machine. On SQLite it waits.
    pub(crate) async fn begin_unwaited(&self, whose: Whose) -> Result<turns::Writing> {
        self.begin_as(whose, Mode::WriteUnwaited).await
    }

    async fn begin_as(&self, whose: Whose, mode: Mode) -> Result<turns::Writing> {
        let (turn, begin) = match self.kind {
            Kind::Sqlite => (None, "BEGIN IMMEDIATE".into_sql_str()),
            Kind::Postgres => {
                let begin = AssertSqlSafe(postgres::begin(self.role, whose, mode)).into_sql_str();
                (Some(self.turns.take(whose).await?), begin)
            }
        };
        Ok(turns::Writing::new(self.writer.begin_with(begin).await?, turn))
    }

    pub(crate) async fn read(&self, whose: Whose) -> Result<Reading> {
        match (self.kind, whose) {
            (Kind::Sqlite, _) | (Kind::Postgres, Whose::Installation) => {
                Ok(Reading::Plain(self.readers.acquire().await?))
            }
            (Kind::Postgres, Whose::Tenant(_)) => {
                let begin = AssertSqlSafe(postgres::begin(self.role, whose, Mode::Read));
                Ok(Reading::Scoped(self.readers.begin_with(begin).await?))
            }
        }
    }

    /// A tenant's reading that is good for this epoch of authority, in one message; nothing where the epoch is another,
    /// where many such readings are open, and on SQLite, which has no way to send.
    pub(crate) async fn read_at(&self, tenant: TenantId, epoch: i64) -> Option<Ahead> {
        if self.kind == Kind::Sqlite {
            return None;
        }
        let place = Arc::clone(&self.ahead).try_acquire_owned().ok()?;
        let begin = AssertSqlSafe(postgres::begin_at(Whose::Tenant(tenant), epoch));
        // What is wrong with the database, the way that is always open says.
        let reading = self.readers.begin_with(begin).await.ok()?;
        Some(Ahead { reading: Reading::Scoped(reading), _place: place })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Half of the readers.
fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(postgres::READERS as usize / 2))
}

/// Lets the rest of a transaction see this tenant's rows.
pub(crate) async fn turn_to(conn: &mut AnyConnection, tenant: TenantId) -> Result<()> {
    if kind_of(conn) == Kind::Postgres {
        let turn = sqlx::query("SELECT set_config('app.tenant',$1,true)");
        turn.bind(hex::encode(tenant.to_bytes())).execute(conn).await?;
    }
    Ok(())
}

pub(crate) fn kind_of(conn: &AnyConnection) -> Kind {
    if conn.backend_name() == "PostgreSQL" { Kind::Postgres } else { Kind::Sqlite }
}

/// A column that holds 0 or 1.
pub(crate) fn flag(row: &AnyRow, column: &str) -> Result<bool> {
    let value: i64 = row.try_get(column)?;
    Ok(value != 0)
}

/// Text as it can rest in a column: PostgreSQL takes no NUL, and whoever sends events may send one.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Text as it can rest in an index, which PostgreSQL keeps under a third of a page.
pub(crate) fn index_text(text: &str) -> Cow<'_, str> {
    const MAX_BYTES: usize = 1_024;
    let end =
        text.char_indices().map(|(place, char)| place + char.len_utf8()).take_while(|end| *end <= MAX_BYTES).last();
    clean(text.get(..end.unwrap_or(0)).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_rest_in_an_index() {
        assert_eq!(index_text("a\0b"), "a\u{fffd}b");
        assert_eq!(index_text(""), "");
        assert_eq!(index_text(&"é".repeat(1_000)).len(), 1_024);
        assert_eq!(index_text(&format!("a{}", "é".repeat(1_000))).len(), 1_023);
    }
}
