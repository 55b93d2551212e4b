//! Connections to SQLite.

use std::{os::unix::ffi::OsStrExt as _, path::Path, time::Duration};

use sqlx::{
    AnyConnection, AnyPool, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions},
};

use crate::Result;

/// What every connection of a pool is set to.
const PRAGMAS: [&str; 4] = [
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
];

/// A pool on the database of a data directory.
pub(crate) async fn connect(dir: &Path, connections: u32, read_only: bool) -> Result<AnyPool> {
    let options: AnyConnectOptions = url(&dir.join("state.db"), "rwc").parse()?;
    let pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(15));
    let pool = pool.after_connect(move |connection, _| {
        Box::pin(async move {
            for pragma in PRAGMAS {
                sqlx::query(pragma).execute(&mut *connection).await?;
            }
            if read_only {
                sqlx::query("PRAGMA query_only = ON").execute(&mut *connection).await?;
            }
            Ok(())
        })
    });
    // A full disk makes SQLite end a transaction by itself; the connection still counts it and would begin no other one.
    let at_rest = pool.after_release(|connection, _| {
        Box::pin(async move {
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    });
    Ok(at_rest.connect_with(options).await?)
}

/// A connection by itself, as SQLite sets it; `mode` is `ro` or `rw`.
pub(crate) async fn beside(file: &Path, mode: &str) -> Result<AnyConnection> {
    Ok(AnyConnection::connect(&url(file, mode)).await?)
}

/// The address of a file, whatever its name.
fn url(file: &Path, mode: &str) -> String {
    sqlx::any::install_default_drivers();
    let mut url = "sqlite://".to_owned();
    for byte in file.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            url.push('%');
            url.push_str(&hex::encode_upper([*byte]));
        }
    }
    url + "?mode=" + mode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_a_full_disk_ended_does_not_block_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let pool = connect(dir.path(), 1, false).await.unwrap();
        sqlx::query("CREATE TABLE heap (bytes BLOB)").execute(&pool).await.unwrap();
        // For SQLite the same as no space: error 13.
        sqlx::query("PRAGMA max_page_count = 8").execute(&pool).await.unwrap();
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let full = sqlx::query("INSERT INTO heap VALUES (zeroblob(1000000))").execute(&mut *tx).await.unwrap_err();
        assert!(full.to_string().contains("full"), "{full}");
        drop(tx);
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("INSERT INTO heap VALUES (zeroblob(10))").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_directory_of_any_name_opens_with_every_setting() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("a b?c#d%41&é");
        std::fs::create_dir(&dir).unwrap();
        let pool = connect(&dir, 1, true).await.unwrap();
        assert!(dir.join("state.db").exists());
        for (pragma, want) in
            [("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1), ("query_only", 1), ("busy_timeout", 10_000)]
        {
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
            let found: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
            assert_eq!(found, want, "{pragma}");
        }
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await.unwrap();
        assert_eq!(mode, "wal");
    }
}
