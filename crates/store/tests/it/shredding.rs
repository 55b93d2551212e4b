//! A deleted tenant leaves its sealed ledger and nothing else: planted texts are searched in every byte that stays.

use std::{collections::BTreeMap, path::Path, time::Duration};

use shieldops_model::{ActionId, Clock as _, TenantChange, TenantId, TenantState};
use shieldops_store::{
    Job, PageRequest, StoreError, TenantScope, invitations, people,
    shred::{Shredded, shred},
    targets, tenants,
};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::{
    factors::with_app,
    principals::{grant, make_key, principal},
    support::{World, target, world},
    tenancy::{change, fresh, installation, person, session, session_of, tenant, try_tenant},
};

/// In whatever is the doomed tenant's, and in nothing else.
const MARKER: &str = "marker7f3a9c";
/// In the rows of a tenant that stays, between the others on the same pages.
const OTHER: &str = "neighbour5d1e";
/// Rows planted in each table.
const ROWS: usize = 150;
/// A tenant has one row of it.
const ONE_EACH: &str = "notification_settings";

struct Column {
    table: String,
    name: String,
    kind: String,
}

async fn columns(world: &World) -> Vec<Column> {
    let mut db = world.database.connect(world.dir.path()).await;
    let catalogue = if crate::POSTGRES {
        "SELECT table_name::TEXT AS tbl, column_name::TEXT AS col, data_type::TEXT AS kind FROM information_schema.columns WHERE table_schema=current_schema() ORDER BY table_name, ordinal_position"
    } else {
        "SELECT m.name AS tbl, c.name AS col, c.type AS kind FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type='table' ORDER BY m.name, c.cid"
    };
    let rows = sqlx::query(catalogue).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    let read = |row: &sqlx::any::AnyRow| Column {
        table: row.get("tbl"),
        name: row.get("col"),
        kind: row.get::<String, _>("kind").to_lowercase(),
    };
    rows.iter().map(read).collect()
}

/// A value that the column takes, with the mark in it wherever it can hold one.
fn value(column: &Column, tenant: TenantId, mark: &str, number: usize) -> String {
    let text = format!("{mark}-{}-{number:04}-{}", column.table, "x".repeat(number % 61));
    match (column.name.as_str(), column.kind.as_str()) {
        ("tenant_id", _) => format!("X'{}'", hex::encode(tenant.to_bytes())),
        ("state", _) if column.table == "jobs" || column.table == "idempotency" => "'done'".to_owned(),
        ("enabled", _) => (number % 2).to_string(),
        (_, "blob" | "bytea") => format!("X'{}'", hex::encode(text)),
        (_, "text") => format!("'{text}'"),
        _ => number.to_string(),
    }
}

/// Fills every table that has a `tenant_id`, row about row with the neighbour's.
async fn plant(world: &World, doomed: TenantId, neighbour: TenantId) {
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for column in columns(world).await {
        tables.entry(column.table.clone()).or_default().push(column);
    }
    tables.retain(|name, columns| {
        !name.starts_with("ledger_") && columns.iter().any(|column| column.name == "tenant_id")
    });
    assert!(tables.len() >= 25, "{}", tables.len());
    let secure = if crate::POSTGRES { "" } else { "PRAGMA secure_delete=ON;" };
    for (table, columns) in &tables {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let row = |number: usize, tenant: TenantId, mark: &str| {
            let values: Vec<String> = columns.iter().map(|column| value(column, tenant, mark, number)).collect();
            format!("({})", values.join(","))
        };
        let most = if table == ONE_EACH { 1 } else { ROWS };
        let rows: Vec<String> =
            (0..most).flat_map(|number| [row(number, doomed, MARKER), row(number, neighbour, OTHER)]).collect();
        world.sql(&format!("{secure}INSERT INTO {table} ({}) VALUES {}", names.join(","), rows.join(","))).await;
    }
}

/// People, credentials, links and files that belong to the doomed tenant alone.
async fn furnish(world: &World, doomed: &TenantScope, parent: &TenantScope) {
    let user = person(world, doomed, &format!("{MARKER}@example.com"), "admin").await;
    let credential = people::NewCredential {
        hash: [1; 32],
        user: Some(user),
        user_agent: Some(format!("{MARKER} browser")),
        client_addr: Some(MARKER.into()),
        ..people::NewCredential::default()
    };
    session_of(world, doomed, credential).await;
    with_app(world, doomed, user, MARKER).await;
    make_key(world, doomed, None, 2).await;
    grant(world, doomed, parent, "auditor").await;
    let now = world.clock.now();
    let invitation = invitations::Invitation {
        id: fresh(world),
        kind: invitations::InvitationKind::Invite,
        tenant: doomed.tenant(),
        name: format!("{MARKER}-invited"),
        role: shieldops_store::RoleRef::parse("viewer"),
        person: None,
        invited_by: user.to_string(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
        spent_at: None,
        revoked_at: None,
    };
    let mut tx = doomed.begin().await.unwrap();
    invitations::create(&mut tx, &invitation, [3; 32]).await.unwrap();
    tx.record("note.added", &[&user], serde_json::json!({"text": MARKER})).unwrap();
    tx.commit(now).await.unwrap();
    let segments = segments(world.dir.path(), doomed.tenant());
    std::fs::create_dir_all(&segments).unwrap();
    std::fs::write(segments.join("0.seg"), MARKER).unwrap();
    if !crate::POSTGRES {
        std::fs::write(world.dir.path().join("state.db.before-2-from-1"), MARKER).unwrap();
    }
}

fn segments(dir: &Path, tenant: TenantId) -> std::path::PathBuf {
    dir.join("bus").join(tenant.to_string())
}

/// Files and tables in which the mark stands, in clear or as hexadecimal digits.
async fn with_mark(world: &World, mark: &str) -> Vec<String> {
    let mut found = files_with(world.dir.path(), mark);
    if crate::POSTGRES {
        let mut tables: Vec<String> = columns(world).await.into_iter().map(|column| column.table).collect();
        tables.dedup();
        let mut db = world.database.connect(world.dir.path()).await;
        for table in tables {
            let digits = hex::encode(mark);
            let sql =
                format!("SELECT count(*) FROM {table} t WHERE t::TEXT LIKE '%{mark}%' OR t::TEXT LIKE '%{digits}%'");
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap();
            if rows > 0 {
                found.push(table);
            }
        }
        db.close().await.unwrap();
    }
    found
}

fn files_with(dir: &Path, mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path).unwrap().windows(mark.len()).any(|window| window == mark.as_bytes()) {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Rows of a tenant in each table.
async fn rows_of(world: &World, tenant: TenantId) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    let columns = columns(world).await;
    let mut db = world.database.connect(world.dir.path()).await;
    for column in columns.into_iter().filter(|column| column.name == "tenant_id") {
        let id = world.database.bytes(&format!("X'{}'", hex::encode(tenant.to_bytes())));
        let sql = format!("SELECT count(*) FROM {} WHERE tenant_id={id}", column.table);
        rows.insert(column.table, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap());
    }
    db.close().await.unwrap();
    rows
}

async fn doom(world: &World, tenant: TenantId) {
    change(world, tenant, TenantChange::ScheduleDeletion).await.unwrap();
}

async fn shredded(world: &World, tenant: TenantId) -> Result<Shredded, StoreError> {
    let dir = world.dir.path().to_owned();
    let drop_events = move |tenant| match std::fs::remove_dir_all(segments(&dir, tenant)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    };
    shred(&world.store, tenant, world.clock.now(), drop_events).await
}

#[tokio::test]
async fn planted_texts_are_in_no_byte_that_a_shredded_tenant_leaves() {
    let Some(world) = world().await else { return };
    let mssp = tenant(&world, "mssp", None).await;
    let doomed = tenant(&world, MARKER, Some(mssp.tenant())).await;
    plant(&world, doomed.tenant(), world.tenant).await;
    furnish(&world, &doomed, &mssp).await;
    assert!(!with_mark(&world, MARKER).await.is_empty(), "the search finds what is there");
    let before = with_mark(&world, OTHER).await.len();
    let id = doomed.tenant();
    let planted = rows_of(&world, world.tenant).await;
    doom(&world, id).await;
    let done = shredded(&world, id).await.unwrap();
    assert_eq!(done.rows["alerts"], u64::try_from(ROWS).unwrap());
    assert_eq!((done.rows["users"], done.rows["grants"]), (1, 1));

    assert_eq!(with_mark(&world, MARKER).await, Vec::<String>::new(), "while it runs");
    assert!(before > 0 && !with_mark(&world, OTHER).await.is_empty());
    assert_eq!(rows_of(&world, world.tenant).await, planted, "the neighbour's rows stay");
    assert!(matches!(world.store.job(id, Job::Cli), Err(StoreError::NotFound)), "the key is gone");
    assert!(!world.dir.path().join("keys/tenants").join(format!("{id}.key")).exists());
    for hash in [1, 2] {
        assert!(world.store.authenticate(&[hash; 32], None, world.clock.now()).await.unwrap().principal().is_none());
    }
    drop(doomed);
    drop(mssp);
    let stopped = world.stop().await;
    assert_eq!(files_with(stopped.dir.path(), MARKER), Vec::<String>::new(), "when it stopped");
    let report = stopped.verify().await;
    assert!(report.ok, "the log of the tenant is proved without its key: {report:?}");
    assert!(report.logs.iter().any(|log| log.tenant.contains(&id.to_string()) && log.entries > 3), "{report:?}");
    let world = stopped.start().await;
    assert_eq!(world.store.get_tenant(id).await.unwrap().state, TenantState::Deleted);
    assert!(try_tenant(&world, MARKER, None).await.is_ok(), "the slug is free again");
}

#[tokio::test]
async fn a_tenant_is_not_shredded_before_its_time_or_with_actions_in_force() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let refused = |outcome: Result<Shredded, StoreError>| {
        assert!(matches!(outcome, Err(StoreError::Refused { .. })), "{outcome:?}");
    };
    refused(shredded(&world, acme.tenant()).await);
    let (action, plan): (ActionId, _) = (fresh(&world), "00");
    let (tenant, id) = (hex::encode(acme.tenant().to_bytes()), hex::encode(action.to_bytes()));
    world.sql(&format!("INSERT INTO owners (tenant_id, state_key, action_id) VALUES (X'{tenant}','k',X'{id}'); \
        INSERT INTO actions (tenant_id, id, plan_id, place, capability, target_id, state, state_key, simulated, updated_at, version, body) \
        VALUES (X'{tenant}',X'{id}',X'{plan}',0,'block_ip',X'{plan}','verified','k',0,0,1,X'{plan}')")).await;
    assert_eq!(tenants::live_actions_of(&world.store, acme.tenant()).await.unwrap(), [action]);
    let scheduled = change(&world, acme.tenant(), TenantChange::ScheduleDeletion).await;
    assert!(matches!(scheduled, Err(StoreError::Refused { .. })));
    assert!(tenants::not_undone_of(&world.store, acme.tenant()).await.unwrap().is_empty());
    world.sql("UPDATE actions SET state='undo_failed'").await;
    assert_eq!(tenants::not_undone_of(&world.store, acme.tenant()).await.unwrap(), [action]);
    doom(&world, acme.tenant()).await;
    world.sql("UPDATE actions SET state='undoing'").await;
    refused(shredded(&world, acme.tenant()).await);
    world.sql("UPDATE actions SET state='undone'; DELETE FROM owners").await;
    assert_eq!(world.store.due_for_shredding(world.clock.now()).await.unwrap().len(), 1);
    shredded(&world, acme.tenant()).await.unwrap();
    assert!(world.store.due_for_shredding(world.clock.now()).await.unwrap().is_empty());
    refused(shredded(&world, acme.tenant()).await);
}

#[tokio::test]
async fn a_shredding_that_was_cut_short_is_taken_up_again() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let target = target("sim/one");
    let mut tx = acme.begin().await.unwrap();
    targets::insert(&mut tx, &target).await.unwrap();
    tx.record("target.created", &[&target.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    doom(&world, acme.tenant()).await;
    let cut = shred(&world.store, acme.tenant(), world.clock.now(), |_| Err("the disk is gone".to_owned())).await;
    assert!(matches!(cut, Err(StoreError::Refused { .. })));
    std::fs::remove_file(world.dir.path().join("keys/tenants").join(format!("{}.key", acme.tenant()))).unwrap();
    let id = acme.tenant();
    assert!(matches!(world.store.job(id, Job::Cli), Err(StoreError::NotFound)), "another node destroyed it");
    drop(acme);
    let world = world.stop().await.start().await;
    shredded(&world, id).await.unwrap();
    assert_eq!(world.store.get_tenant(id).await.unwrap().state, TenantState::Deleted);
    assert!(world.verify(&[]).await.ok);
}

#[tokio::test]
async fn a_person_of_another_tenant_outlives_the_shredded_one() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let ada = person(&world, &world.scope(), "ada", "viewer").await;
    let mut tx = acme.begin().await.unwrap();
    shieldops_store::memberships::add(&mut tx, ada, &shieldops_store::RoleRef::parse("admin"), world.clock.now())
        .await
        .unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    session(&world, &world.scope(), ada, 1).await;
    doom(&world, acme.tenant()).await;
    shredded(&world, acme.tenant()).await.unwrap();
    assert_eq!(principal(&world, 1, None).await.tenant, world.tenant);
    let kept = world.store.memberships_of(ada, world.clock.now()).await.unwrap();
    assert_eq!(kept.len(), 1);
    let installation = installation(&world);
    let mut reader = installation.read().await.unwrap();
    let listed = tenants::list(&mut reader, &PageRequest::default(), Some(TenantState::Deleted)).await.unwrap();
    assert_eq!(listed.items.len(), 1);
}

async fn plant_target(scope: &TenantScope, now: shieldops_model::Timestamp) -> Result<(), StoreError> {
    let target = target("sim/late");
    let mut tx = scope.begin().await?;
    targets::insert(&mut tx, &target).await?;
    tx.record("target.created", &[&target.id], ())?;
    tx.commit(now).await
}

/// Shreds a tenant while somebody else does `meanwhile`, after its rows went and before it is marked as deleted.
async fn shredded_while<T: Send + 'static>(
    world: &World,
    tenant: TenantId,
    meanwhile: impl Future<Output = T> + Send + 'static,
) -> T {
    let (say, said) = tokio::sync::oneshot::channel();
    let drop_events = move |_tenant| {
        let done = tokio::runtime::Handle::current().block_on(meanwhile);
        say.send(done).map_err(|_gone| "nobody listens".to_owned())
    };
    shred(&world.store, tenant, world.clock.now(), drop_events).await.unwrap();
    said.await.unwrap()
}

fn rows_left(rows: BTreeMap<String, i64>) -> Vec<String> {
    rows.into_iter()
        .filter(|(table, rows)| !table.starts_with("ledger_") && *rows > 0)
        .map(|(table, _)| table)
        .collect()
}

#[tokio::test]
async fn whoever_holds_a_scope_from_before_writes_nothing_into_a_tenant_that_is_being_shredded() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let id = acme.tenant();
    plant_target(&acme, world.clock.now()).await.unwrap();
    doom(&world, id).await;
    assert!(acme.begin().await.is_ok(), "until it begins, the deletion may be called off");
    let (scope, now) = (acme.clone(), world.clock.now());
    let meanwhile = Box::pin(shredded_while(&world, id, async move { plant_target(&scope, now).await })).await;
    assert!(matches!(meanwhile, Err(StoreError::NotFound)), "{meanwhile:?}");
    let afterwards = plant_target(&acme, world.clock.now()).await;
    assert!(matches!(afterwards, Err(StoreError::NotFound)), "{afterwards:?}");
    assert_eq!(rows_left(rows_of(&world, id).await), Vec::<String>::new());
}

#[tokio::test]
async fn what_came_past_the_door_is_deleted_before_the_tenant_is_marked_as_deleted() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let id = acme.tenant();
    doom(&world, id).await;
    let (dir, late) = (world.dir.path().to_owned(), world.database.url().map(str::to_owned));
    let meanwhile = async move {
        let url = late.unwrap_or_else(|| format!("sqlite://{}", dir.join("state.db").display()));
        let bytes = if crate::POSTGRES { "'\\x" } else { "X'" };
        let id = hex::encode(id.to_bytes());
        let mut db = sqlx::AnyConnection::connect(&url).await.unwrap();
        let insert = format!(
            "INSERT INTO owners (tenant_id, state_key, action_id) VALUES ({bytes}{id}','{MARKER}',{bytes}{id}')"
        );
        sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    };
    shredded_while(&world, acme.tenant(), meanwhile).await;
    assert_eq!(rows_left(rows_of(&world, acme.tenant()).await), Vec::<String>::new());
    assert_eq!(with_mark(&world, MARKER).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_shredding_that_has_begun_is_not_called_off() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    doom(&world, acme.tenant()).await;
    let cut = shred(&world.store, acme.tenant(), world.clock.now(), |_| Err("the disk is gone".to_owned())).await;
    assert!(cut.is_err());
    let called_off = change(&world, acme.tenant(), TenantChange::CancelDeletion).await;
    assert!(matches!(called_off, Err(StoreError::Refused { .. })), "{called_off:?}");
    shredded(&world, acme.tenant()).await.unwrap();
}
