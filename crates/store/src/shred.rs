//! Shredding: a deleted tenant's key and rows are destroyed. Its `ledger_*` rows and its checkpoints stay: they are clear
//! headers and sealed bytes whose key is gone, so the log can still be verified and tells nobody anything.
//!
//! Every step may be repeated, and the tenant is marked as deleted last: a crash leaves it to be shredded again. What SQL
//! cannot reach on PostgreSQL (old WAL, replicas, holes in pages) is named in the documentation.
//!
//! SQLite overwrites what is deleted (`secure_delete`), but a page that was split keeps stale copies of rows in its gap
//! until it is freed: measured. So each table that held rows of the tenant is written anew, one transaction a table; the
//! writer waits as long as that takes.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::json;
use shieldops_model::{TenantId, TenantState, Timestamp};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::{
    Access, Job, Result, Store, StoreError, Tx,
    db::{Kind, Whose, kind_of},
    ledger::{blocking, io},
    memberships,
    rows::bytes,
    tenants::live_actions,
};

/// Installation tables with rows of a tenant.
const OF_INSTALLATION: &[(&str, &str)] = &[
    ("principal_index", "DELETE FROM principal_index WHERE tenant=$1"),
    ("memberships", "DELETE FROM memberships WHERE tenant=$1"),
    ("invitations", "DELETE FROM invitations WHERE tenant=$1"),
    ("grants", "DELETE FROM grants WHERE tenant=$1 OR grantee=$1"),
    ("notices", "DELETE FROM notices WHERE tenant=$1"),
];
/// Those with rows of its people, and its own.
const OF_PEOPLE: [&str; 5] = ["users", "second_factors", "recovery_codes", "ceremonies", "tenants"];
/// How often the WAL is tried to be emptied while others read.
const ATTEMPTS: u32 = 100;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// What was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shredded {
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Copies of the database from before its migrations.
    pub backups: Vec<PathBuf>,
}

/// Shreds a tenant whose time of grace is over. `drop_events` destroys its segments and their index; it may be called again
/// for a tenant that has none left.
///
/// # Errors
/// `Refused` for a tenant that is not to be deleted yet, or while live actions exist.
pub async fn shred(
    store: &Store,
    tenant: TenantId,
    now: Timestamp,
    drop_events: impl FnOnce(TenantId) -> std::result::Result<(), String> + Send + 'static,
) -> Result<Shredded> {
    let row = store.get_tenant(tenant).await?;
    if row.state != TenantState::Deleting || row.delete_after.is_none_or(|after| after > now) {
        return Err(StoreError::Refused { detail: "the tenant is not to be deleted yet".to_owned() });
    }
    close(store, tenant, now).await?;
    let mut rows = rows_of_tenant(store, tenant, now).await?;
    blocking(move || drop_events(tenant).map_err(|detail| StoreError::Refused { detail })).await?;
    store.keys().destroy(tenant)?;
    let backups = delete_backups(store)?;
    people_of_tenant(store, tenant, now, &mut rows).await?;
    late_rows(store, tenant, &mut rows).await?;
    write_anew(store).await?;
    empty_wal(store).await?;
    mark_deleted(store, tenant, now, &rows).await?;
    empty_wal(store).await?;
    Ok(Shredded { rows, backups })
}

/// Whether a tenant is being shredded, or was.
pub(crate) async fn is_closed(conn: &mut AnyConnection, tenant: TenantId) -> Result<bool> {
    if tenant == TenantId::INSTALLATION {
        return Ok(false);
    }
    let open = sqlx::query("SELECT 1 FROM tenants WHERE tenant=$1 AND shredding_at IS NULL AND state<>'deleted'");
    Ok(open.bind(bytes(tenant)).fetch_optional(conn).await?.is_none())
}

/// Closes the tenant to every writer, in whichever process: whoever takes its lock after this finds it closed. From here on
/// the deletion cannot be called off.
async fn close(store: &Store, tenant: TenantId, now: Timestamp) -> Result<()> {
    let mut tx = store.db().begin(Whose::Tenant(tenant)).await?;
    // An action that is in force must still be undone, which writes.
    if let Some(live) = live_actions(&mut tx, tenant).await?.first() {
        return Err(StoreError::Refused { detail: format!("{live} is in force: undo it first") });
    }
    let closed = sqlx::query(
        "UPDATE tenants SET shredding_at=COALESCE(shredding_at, $2) WHERE tenant=$1 AND state='deleting' AND delete_after<=$2",
    );
    let closed = closed.bind(bytes(tenant)).bind(now.as_micros()).execute(&mut *tx).await?;
    if closed.rows_affected() == 0 {
        return Err(StoreError::Refused { detail: "the deletion was called off".to_owned() });
    }
    Ok(tx.commit().await?)
}

/// Everything with a `tenant_id`, but the ledger. The last entry of the tenant's own log says what went.
async fn rows_of_tenant(store: &Store, tenant: TenantId, now: Timestamp) -> Result<BTreeMap<String, u64>> {
    let mut rows = BTreeMap::new();
    let mut tx = match store.job(tenant, Job::Server) {
        Ok(scope) => Tx::begin_closed(&scope).await?,
        // The key went in an attempt before this one, after the rows.
        Err(StoreError::NotFound) => return Ok(rows),
        Err(error) => return Err(error),
    };
    delete_rows(tx.conn(), tenant, &mut rows).await?;
    tx.touched("tenant", tenant, 0);
    tx.record("tenant.shredded", &[&tenant], json!({"rows": rows}))?;
    tx.commit(now).await?;
    Ok(rows)
}

async fn delete_rows(conn: &mut AnyConnection, tenant: TenantId, rows: &mut BTreeMap<String, u64>) -> Result<()> {
    for table in tables(conn).await? {
        let delete = AssertSqlSafe(format!("DELETE FROM {table} WHERE tenant_id=$1"));
        let done = sqlx::query(delete).bind(bytes(tenant)).execute(&mut *conn).await?.rows_affected();
        if done > 0 {
            *rows.entry(table).or_default() += done;
        }
    }
    Ok(())
}

/// Once more, now that the key is gone: what an older version wrote in between, which knows no closed tenant.
async fn late_rows(store: &Store, tenant: TenantId, rows: &mut BTreeMap<String, u64>) -> Result<()> {
    let mut tx = store.db().begin(Whose::Tenant(tenant)).await?;
    delete_rows(&mut tx, tenant, rows).await?;
    Ok(tx.commit().await?)
}

/// The tables of tenants as the database has them, so that a new one is never forgotten.
async fn tables(conn: &mut AnyConnection) -> Result<Vec<String>> {
    let catalogue = match kind_of(conn) {
        Kind::Sqlite => {
            "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name='tenant_id' WHERE m.type='table' ORDER BY 1"
        }
        Kind::Postgres => {
            "SELECT c.relname::TEXT AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid=c.oid \
             WHERE c.relnamespace=current_schema()::REGNAMESPACE AND c.relkind IN ('r','p') AND a.attname='tenant_id' AND NOT a.attisdropped ORDER BY 1"
        }
    };
    let rows = sqlx::query(catalogue).fetch_all(conn).await?;
    let names =
        rows.iter().map(|row| row.try_get("name")).collect::<std::result::Result<Vec<String>, sqlx::Error>>()?;
    Ok(names.into_iter().filter(|name| !name.starts_with("ledger_")).collect())
}

/// Rows of the installation that are about the tenant, and people who were in no other.
async fn people_of_tenant(
    store: &Store,
    tenant: TenantId,
    now: Timestamp,
    rows: &mut BTreeMap<String, u64>,
) -> Result<()> {
    let mut tx = store.job(TenantId::INSTALLATION, Job::Server)?.begin().await?;
    for (table, delete) in OF_INSTALLATION {
        let done = sqlx::query(*delete).bind(bytes(tenant)).execute(tx.conn()).await?.rows_affected();
        if done > 0 {
            rows.insert((*table).to_owned(), done);
        }
    }
    let strangers = memberships::forget_strangers(&mut tx).await?;
    if strangers > 0 {
        rows.insert("users".to_owned(), strangers);
    }
    // The slug may be used again.
    let nameless = sqlx::query("UPDATE tenants SET slug=$2, name='' WHERE tenant=$1").bind(bytes(tenant));
    nameless.bind(tenant.to_string()).execute(tx.conn()).await?;
    let orphan = sqlx::query("UPDATE tenants SET parent=NULL, version=version+1 WHERE parent=$1").bind(bytes(tenant));
    orphan.execute(tx.conn()).await?;
    tx.touched("tenant", tenant, 0);
    tx.record("tenant.shredding", &[&tenant], json!({"rows": rows}))?;
    tx.commit(now).await
}

async fn mark_deleted(store: &Store, tenant: TenantId, now: Timestamp, rows: &BTreeMap<String, u64>) -> Result<()> {
    let mut tx = store.job(TenantId::INSTALLATION, Job::Server)?.begin().await?;
    sqlx::query(
        "UPDATE tenants SET state='deleted', parent=NULL, state_changed_at=$2, version=version+1 WHERE tenant=$1",
    )
    .bind(bytes(tenant))
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    tx.touched("tenant", tenant, 0);
    tx.record("tenant.shredded", &[&tenant], json!({"rows": rows}))?;
    tx.commit(now).await
}

/// Writes every table but the ledger's anew, so that no page of it was ever one of the tenant's. Freed pages are zeroed.
async fn write_anew(store: &Store) -> Result<()> {
    if store.db().kind() == Kind::Postgres {
        return Ok(());
    }
    let mut tables = tables(store.db().read(Whose::Installation).await?.conn()).await?;
    tables.extend(OF_INSTALLATION.iter().map(|(table, _)| *table).chain(OF_PEOPLE).map(str::to_owned));
    for table in tables {
        let mut tx = store.db().begin(Whose::Installation).await?;
        for step in [
            format!("CREATE TEMP TABLE kept AS SELECT * FROM {table}"),
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} SELECT * FROM kept"),
            "DROP TABLE kept".to_owned(),
        ] {
            sqlx::query(AssertSqlSafe(step)).execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn delete_backups(store: &Store) -> Result<Vec<PathBuf>> {
    let backups = store.backups()?;
    for path in &backups {
        std::fs::remove_file(path).map_err(io(path, "deleting a backup"))?;
    }
    Ok(backups)
}

/// Moves every page of SQLite's log into the database, where deleted bytes are overwritten, and cuts the log off.
///
/// # Errors
/// `Refused` when somebody reads an old state all the time.
async fn empty_wal(store: &Store) -> Result<()> {
    if store.db().kind() == Kind::Postgres {
        return Ok(());
    }
    for _ in 0..ATTEMPTS {
        let mut conn = store.writer().acquire().await?;
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await?;
        let busy: i64 = row.try_get("busy")?;
        if busy == 0 {
            return Ok(());
        }
        drop(conn);
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::Refused {
        detail: "the database's log could not be emptied: something reads all the time".to_owned(),
    })
}
