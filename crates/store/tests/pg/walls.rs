//! The second wall: what a query that forgot its tenant sees.

use shieldops_model::{Clock as _, TenantId, id};
use shieldops_store::{alerts, targets};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::{
    database::Server,
    support::{World, alert, target, world},
};

async fn filled() -> Option<World> {
    let world = world().await?;
    let mut tx = world.scope().begin().await.unwrap();
    let target = target("sim/one");
    targets::insert(&mut tx, &target).await.unwrap();
    alerts::insert(&mut tx, &alert(1)).await.unwrap();
    tx.record("target.created", &[&target.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    Some(world)
}

fn server(world: &World) -> &Server {
    match &world.database {
        crate::database::Database::Server(server) => server,
        crate::database::Database::File => unreachable!("this suite runs on a server"),
    }
}

/// As a scope of this tenant has it; of none when absent.
async fn scoped(world: &World, tenant: Option<TenantId>) -> AnyConnection {
    let mut db = AnyConnection::connect(&server(world).url).await.unwrap();
    let tenant = tenant.map(|tenant| hex::encode(tenant.to_bytes())).unwrap_or_default();
    sqlx::raw_sql(AssertSqlSafe(format!("SET ROLE shieldops_app; SELECT set_config('app.tenant','{tenant}',false)")))
        .execute(&mut db)
        .await
        .unwrap();
    db
}

async fn tables(world: &World) -> Vec<String> {
    let mut db = AnyConnection::connect(&server(world).url).await.unwrap();
    let tables = "SELECT table_name::TEXT FROM information_schema.columns WHERE column_name='tenant_id' AND table_schema='public' ORDER BY 1";
    sqlx::query_scalar(tables).fetch_all(&mut db).await.unwrap()
}

#[tokio::test]
async fn invariant_10_a_forgotten_filter_returns_nothing_of_another_tenant() {
    let Some(world) = filled().await else { return };
    let tables = tables(&world).await;
    assert!(tables.len() > 15, "{tables:?}");
    let other: TenantId = id::mint(world.clock.now(), &mut rand::rng());
    for (tenant, sees) in [(Some(world.tenant), true), (Some(other), false), (None, false)] {
        let mut db = scoped(&world, tenant).await;
        let mut seen = 0;
        for table in &tables {
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&mut db)
                .await
                .unwrap();
            seen += rows;
        }
        assert_eq!(seen > 0, sees, "{tenant:?} saw {seen} rows");
    }
}

#[tokio::test]
async fn invariant_10_a_row_of_another_tenant_is_neither_written_nor_changed() {
    let Some(world) = filled().await else { return };
    let other: TenantId = id::mint(world.clock.now(), &mut rand::rng());
    let mut db = scoped(&world, Some(other)).await;
    let changed = sqlx::query("UPDATE targets SET name='x'").execute(&mut db).await.unwrap();
    assert_eq!(changed.rows_affected(), 0);
    let deleted = sqlx::query("DELETE FROM targets").execute(&mut db).await.unwrap();
    assert_eq!(deleted.rows_affected(), 0);
    let planted = sqlx::query("INSERT INTO facts (tenant_id, name, value) VALUES ($1,'x','y')");
    let refused = planted.bind(world.tenant.to_bytes().to_vec()).execute(&mut db).await.unwrap_err();
    assert!(refused.to_string().contains("row-level security"), "{refused}");
    assert_eq!(targets::all(&mut world.scope().read().await.unwrap()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_table_of_a_tenant_is_guarded_and_its_keys_begin_with_the_tenant() {
    let Some(world) = world().await else { return };
    let mut db = AnyConnection::connect(&server(&world).url).await.unwrap();
    let open = "SELECT c.relname::TEXT FROM pg_class c JOIN pg_attribute a ON a.attrelid=c.oid AND a.attname='tenant_id' \
        WHERE c.relkind='r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid=c.oid))";
    let open: Vec<String> = sqlx::query_scalar(open).fetch_all(&mut db).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    let keys = "SELECT i.indexrelid::REGCLASS::TEXT FROM pg_index i JOIN pg_attribute a ON a.attrelid=i.indrelid AND a.attname='tenant_id' \
        WHERE i.indkey[0]<>a.attnum";
    let keys: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut db).await.unwrap();
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn the_role_that_serves_changes_rows_and_no_table() {
    let Some(world) = world().await else { return };
    for refused in [
        "ALTER TABLE targets DISABLE ROW LEVEL SECURITY",
        "DROP TABLE targets",
        "TRUNCATE targets",
        "DELETE FROM _sqlx_migrations",
    ] {
        let mut db = scoped(&world, Some(world.tenant)).await;
        let error = sqlx::raw_sql(refused).execute(&mut db).await.unwrap_err();
        assert!(
            error.to_string().contains("permission denied") || error.to_string().contains("must be owner"),
            "{refused}: {error}"
        );
    }
}
