//! The database behind the store: one SQL text for both kinds, spoken through one driver.
//!
//! What differs between them is in `sqlite` and in the migrations: every other query runs unchanged on both. Values are
//! only integers, text, bytes and nothing; a flag is 0 or 1.

mod migrate;
pub(crate) mod sqlite;

use std::path::Path;

use sqlx::{Any, AnyPool, Row as _, Transaction, any::AnyRow};

use crate::Result;

pub(crate) use migrate::migrate;

/// One writer and several readers.
pub(crate) struct Database {
    writer: AnyPool,
    readers: AnyPool,
}

impl Database {
    /// Opens the file of a data directory and brings its schema up to date.
    pub(crate) async fn sqlite(dir: &Path) -> Result<Self> {
        let writer = sqlite::connect(dir, 1, false).await?;
        migrate(&writer).await?;
        let readers = sqlite::connect(dir, 4, true).await?;
        Ok(Self { writer, readers })
    }

    pub(crate) fn writer(&self) -> &AnyPool {
        &self.writer
    }

    pub(crate) fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// A transaction that may write: it waits for the one before it.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A column that holds 0 or 1.
pub(crate) fn flag(row: &AnyRow, column: &str) -> Result<bool> {
    let value: i64 = row.try_get(column)?;
    Ok(value != 0)
}
