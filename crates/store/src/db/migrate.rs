//! The migrations, in order.

use sqlx::{
    AnyPool, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{Result, StoreError};

/// One step of the schema, in the words of each database.
pub(crate) struct Step {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sqlite: &'static str,
}

/// Every step. One that was released is never edited.
pub(crate) const STEPS: &[Step] =
    &[Step { version: 1, name: "first", sqlite: include_str!("../../migrations/sqlite/0001_first.sql") }];

pub(crate) async fn migrate(pool: &AnyPool) -> Result<()> {
    let migration = |step: &Step| {
        Migration::new(step.version, step.name.into(), MigrationType::Simple, step.sqlite.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(STEPS.iter().map(migration).collect());
    migrator.run(pool).await.map_err(|error| StoreError::Database(error.into()))
}
