//! The migrations, in order, in the words of each database.

use std::borrow::Cow;

use sqlx::{
    AnyConnection, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use super::Kind;
use crate::{Result, StoreError};

/// One step of the schema.
pub(crate) struct Step {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// A row of the table below: both files have the same name.
macro_rules! step {
    ($version:literal, $name:literal, $file:literal) => {
        Step {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $file)),
            postgres: include_str!(concat!("../../migrations/postgres/", $file)),
        }
    };
}

/// Every step. One that was released is never edited.
pub(crate) const STEPS: &[Step] = &[
    step!(1, "first", "0001_first.sql"),
    step!(2, "leases", "0002_leases.sql"),
    step!(3, "tenancy", "0003_tenancy.sql"),
    step!(4, "rule_states", "0004_rule_states.sql"),
    step!(5, "watermarks", "0005_watermarks.sql"),
    step!(6, "closing", "0006_closing.sql"),
    step!(7, "detection_as_code", "0007_detection_as_code.sql"),
    step!(8, "correlation", "0008_correlation.sql"),
    step!(9, "indicators", "0009_indicators.sql"),
    step!(10, "alert_counts", "0010_alert_counts.sql"),
    step!(11, "rule_parts", "0011_rule_parts.sql"),
    step!(12, "alerts_by_rule", "0012_alerts_by_rule.sql"),
    step!(13, "authority", "0013_authority.sql"),
    step!(14, "alert_tally", "0014_alert_tally.sql"),
    step!(15, "collected", "0015_collected.sql"),
    step!(16, "gate", "0016_gate.sql"),
    step!(17, "outbox", "0017_outbox.sql"),
    step!(18, "peers", "0018_peers.sql"),
    step!(19, "tenant_policies", "0019_tenant_policies.sql"),
    step!(20, "alert_reads", "0020_alert_reads.sql"),
    step!(21, "by_grant", "0021_by_grant.sql"),
    step!(22, "confirmed_with", "0022_confirmed_with.sql"),
    step!(23, "what_lives", "0023_what_lives.sql"),
    step!(24, "alert_windows", "0024_alert_windows.sql"),
    step!(25, "throttle_alerts", "0025_throttle_alerts.sql"),
];

/// The versions a database has, oldest first; none for a new one.
pub(crate) async fn applied(conn: &mut AnyConnection, kind: Kind) -> Result<Vec<i64>> {
    let there = match kind {
        Kind::Sqlite => "SELECT count(*) FROM sqlite_master WHERE type='table' AND name='_sqlx_migrations'",
        Kind::Postgres => {
            "SELECT count(*) FROM pg_tables WHERE tablename='_sqlx_migrations' AND schemaname=current_schema()"
        }
    };
    let there: i64 = sqlx::query_scalar(there).fetch_one(&mut *conn).await?;
    if there == 0 {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(conn).await?)
}

/// The steps that a database lacks.
///
/// # Errors
/// `TooNew` when it has one that this version does not know.
pub(crate) fn pending(applied: &[i64]) -> Result<Vec<&'static Step>> {
    let known = STEPS.iter().map(|step| step.version).max().unwrap_or(0);
    if let Some(found) = applied.iter().find(|version| !STEPS.iter().any(|step| step.version == **version)) {
        return Err(StoreError::SchemaTooNew { found: *found, known });
    }
    Ok(STEPS.iter().filter(|step| !applied.contains(&step.version)).collect())
}

/// Takes every step that is missing. On PostgreSQL the caller holds a transaction and its lock: all steps or none.
pub(crate) async fn run(conn: &mut AnyConnection, kind: Kind) -> Result<()> {
    let migration = |step: &Step| {
        let text = match kind {
            Kind::Sqlite => step.sqlite,
            Kind::Postgres => step.postgres,
        };
        Migration::new(step.version, Cow::Borrowed(step.name), MigrationType::Simple, text.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(STEPS.iter().map(migration).collect());
    migrator.set_locking(kind == Kind::Sqlite);
    // Through `run` the future would not be `Send`.
    migrator.run_direct(None, conn, false).await.map_err(|error| StoreError::Database(error.into()))
}
