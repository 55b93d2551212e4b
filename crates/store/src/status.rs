//! What a database is, without changing it.

use serde::Serialize;
use sqlx::{AnyConnection, Connection as _};

use crate::{
    Options, Result, Store, StoreError,
    db::{self, Kind, postgres, sqlite},
    relocate,
};

#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    /// The file, or the address without its password.
    pub place: String,
    /// The server's version; SQLite's own.
    pub version: String,
    /// The last migration that was made; nothing for a new database.
    pub schema: Option<i64>,
    /// Names of migrations to be made at the next start.
    pub pending: Vec<&'static str>,
    pub tenants: u64,
    /// Bytes of the database.
    pub bytes: u64,
    /// Data directories that served this database.
    pub nodes: u64,
}

impl Store {
    /// Looks at a database without migrating it.
    ///
    /// # Errors
    /// `Unsuitable` for a data directory that holds none, `SchemaTooNew` for one of a newer version.
    pub async fn status(options: &Options) -> Result<Status> {
        let (mut db, place) = connect(options).await?;
        let kind = db::kind_of(&db);
        let applied = db::migrate::applied(&mut db, kind).await?;
        let pending = db::migrate::pending(&applied)?;
        let (name, version, bytes) = match kind {
            Kind::Sqlite => (
                "sqlite",
                "SELECT sqlite_version()",
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            ),
            Kind::Postgres => {
                ("postgres", "SELECT current_setting('server_version')", "SELECT pg_database_size(current_database())")
            }
        };
        let used = !applied.is_empty();
        let status = Status {
            kind: name,
            place,
            version: sqlx::query_scalar(version).fetch_one(&mut db).await?,
            schema: applied.last().copied(),
            pending: pending.iter().map(|step| step.name).collect(),
            tenants: if used { count(&mut db, "SELECT count(*) FROM tenants").await? } else { 0 },
            bytes: count(&mut db, bytes).await?,
            nodes: if used && kind == Kind::Postgres { count(&mut db, "SELECT count(*) FROM nodes").await? } else { 1 },
        };
        db.close().await?;
        Ok(status)
    }
}

async fn connect(options: &Options) -> Result<(AnyConnection, String)> {
    if let Some(url) = &options.database_url {
        return Ok((postgres::beside(url).await?, postgres::shown(url)?));
    }
    relocate::refuse_moved(&options.data_dir)?;
    let file = options.data_dir.join(relocate::DATABASE);
    if !file.exists() {
        let detail = format!("{} does not exist: `shieldops serve` makes it", file.display());
        return Err(StoreError::Unsuitable { detail });
    }
    Ok((sqlite::beside(&file, "rw").await?, file.display().to_string()))
}

async fn count(db: &mut AnyConnection, sql: &'static str) -> Result<u64> {
    let count: i64 = sqlx::query_scalar(sql).fetch_one(db).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
